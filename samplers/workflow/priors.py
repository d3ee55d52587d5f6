"""`prior`: draws of everything that a model says, before it has seen data."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax

from storax.effects import Sites
from storax.errors import InferenceError, SamplingWarning
from storax.handlers.seeding import Seed
from storax.handlers.tracing import Tracer
from storax.handlers.unconditioning import Uncondition
from storax.keys import as_key
from storax.models import Model, transformation
from storax.samplers.workflow.compiling import compiled
from storax.samplers.workflow.draws import (
    Draws,
    axis_names,
    check_batch_size,
    check_number,
    in_batches,
    refuse_while,
    value_or_nan,
)
from storax.sources import plain_errors, user_stacklevel
from storax.staging import Staged


@transformation
def prior(model: Callable[..., Any], num_samples: int = 1000, *, batch_size: int | None = None) -> Callable[..., Draws]:
    """Draws from the prior and the prior predictive distribution: every named site, the observed ones too.

    Args:
        model: a model.
        num_samples: draws, at least 1.
        batch_size: draws made at a time; default: as many as make some 30 MB.

    Returns:
        `f(key, *args, **kwargs) -> Draws`, a dict name -> `[draw, *shape]` of latent, derived and observed sites; data
        among the arguments give the observed sites their shapes and are otherwise not looked at.  A draw depends on
        the key and its index alone: more samples begin with those of fewer.

    Raises:
        InferenceError: the model has no named site.
        ControlFlowError: a site in a `lax.while_loop`.
        ArgumentTypeError, SettingsError: no key; numbers that make no run.

    Warns:
        SamplingWarning: the model has an `sx.factor`, which draws do not know of.

    >>> import storax as sx
    >>> def model(y=None):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), shape=3, obs=y)
    >>> draws = sx.prior(model, 200)(0)
    >>> {name: x.shape for name, x in draws.items()}
    {'mu': (200,), 'y': (200, 3)}
    """
    model = Model.of(model, "sx.prior")
    count = check_number("num_samples", num_samples, "sx.prior")
    batch = check_batch_size(batch_size, "sx.prior")

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Draws:
        key = as_key(key, "sx.prior(...)")
        staged = model.stage(*args, **kwargs)
        sites = model.sites(staged)
        named = _named(sites)
        refuse_while(sites, "sx.prior")
        program = compiled(model, staged, args, kwargs, "prior", _draw)
        values = in_batches(functools.partial(program, key), {}, count, batch)
        predicted = [n for n in named if sites[n].site.observed]
        return Draws({n: values[n] for n in named}, ("draw",), axis_names(sites, named), predicted)

    return f


def _named(sites: Sites) -> list[str]:
    named = [n for n, i in sites.items() if i.visible and not i.site.is_factor]
    factors = [i.site.label for i in sites.values() if i.site.is_factor]
    if not named:
        raise InferenceError("sx.prior: the model has no named site, so there is nothing to draw.")
    if factors:
        warnings.warn(
            f"sx.prior draws from the distributions of the sites; the weight that sx.factor adds at "
            f"{', '.join(factors)} is left out. If it is part of the prior rather than of the likelihood, sample with "
            f"sx.mcmc from the model without its data.",
            SamplingWarning,
            stacklevel=user_stacklevel(),
        )
    return named


def _draw(model: Model, staged: Staged, key: jax.Array, indices: jax.Array, values: dict[str, Any]) -> Any:
    def one(index: Any) -> Any:
        return drawn(model.handled_by(Uncondition()), staged, jax.random.fold_in(key, index))

    return jax.vmap(one)(indices)


def drawn(model: Model, staged: Staged, key: jax.Array) -> dict[str, jax.Array]:
    """Every named site with its open choices drawn."""
    seeded = model.handled_by(Seed(key)).handled_by(Tracer())
    _, trace = seeded.run(staged, staged.arrays)
    return {n: value_or_nan(s) for n, s in trace.items()}
