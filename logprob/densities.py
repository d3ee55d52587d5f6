"""`log_density` and `log_likelihood`: how likely are these values?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from storax.effects import Record
from storax.logprob.collecting import Collector, Unweighted, check_mapping, check_values, collect
from storax.logprob.deriving.models import joint_density, needs_deriving
from storax.logprob.deriving.pointwise import log_likelihoods
from storax.logprob.scoring import joint
from storax.logprob.stabilizing import stabilized
from storax.models import Model, transformation
from storax.sources import plain_errors
from storax.staging import Staged


@transformation
def log_density(model: Callable[..., Any]) -> Callable[..., jax.Array]:
    """The joint log density of a model's choices and data.

    Args:
        model: a model.

    Returns:
        `f(values, *args, **kwargs) -> scalar`, with `values` a mapping name -> array of the site's shape in a trace,
        for every latent site.  A pure function: `jit`, `grad`, `vmap` and `hessian` of it work.

    Raises:
        UnknownNameError: a latent site without a value, or a name the model does not have.
        ShapeError: a value of another shape than the site's; nothing is broadcast.
        NotMeasurable: an anonymous draw cannot be integrated out, or an observed derived quantity not solved for.

    >>> import jax, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> f = sx.log_density(model)
    >>> float(jax.grad(f)({"mu": 1.0}, jax.numpy.array([2.0, 3.0]))["mu"])
    2.0
    """
    model = Model.of(model, "sx.log_density")

    @plain_errors
    def f(values: Any = None, /, *args: Any, **kwargs: Any) -> jax.Array:
        check_mapping(values, "sx.log_density")
        return total(model, model.stage(*args, **kwargs), values, "sx.log_density")

    return f


def total(model: Model, staged: Staged, values: Any, call: str) -> jax.Array:
    """The joint log density of a staged model."""
    if needs_deriving(model.sites(staged), values):
        return joint_density(model, staged, staged.arrays, values, call).log_density
    return joint(_records(model, staged, values, call).values())


@transformation
def log_likelihood(model: Callable[..., Any]) -> Callable[..., dict[str, jax.Array]]:
    """The pointwise log density of the data, one entry a draw of the data.

    Args:
        model: a model.

    Returns:
        `f(values, *args, **kwargs) -> {observed site: log density}`, each of the site's shape without its event axes;
        nan for a site in a branch that was not taken.  Weights (`sx.scale`, the subsample of a plate) do not count
        here: these are the densities of the data, as cross-validation needs them.

    Raises:
        NotMeasurable: anonymous draws are integrated out, and the density of the data is then no product over its
            entries.
        The errors of `log_density`.

    >>> import storax as sx
    >>> def model():
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=[2.0, 3.0])
    >>> sx.log_likelihood(model)({"mu": 1.0})["y"].shape
    (2,)
    """
    model = Model.of(model, "sx.log_likelihood")

    @plain_errors
    def f(values: Any = None, /, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        check_mapping(values, "sx.log_likelihood")
        return pointwise(model, model.stage(*args, **kwargs), values, "sx.log_likelihood")

    return f


def pointwise(model: Model, staged: Staged, values: Any, call: str) -> dict[str, jax.Array]:
    """The log density of each entry of the data of a staged model, by site."""
    if needs_deriving(model.sites(staged), values):
        return log_likelihoods(model, staged, values, call)
    records = _records(model, staged, values, call, Unweighted)
    data = {n: r for n, r in records.items() if r.site.observed and not (r.is_mark or r.site.is_factor)}
    return {n: _where_taken(r) for n, r in data.items()}


def _where_taken(record: Record) -> jax.Array:
    """The log density; nan in a branch of `lax.cond` that was not taken, where there are no data."""
    score = record.score()
    if record.active is None:
        return score
    active = record.active.reshape(record.active.shape + (1,) * (score.ndim - record.active.ndim))
    return jnp.where(active, score, jnp.nan)


def _records(
    model: Model, staged: Staged, values: Any, call: str, collector: type[Collector] = Collector
) -> dict[str, Record]:
    values = check_values(values, model.sites(staged), call)
    staged = stabilized(model, staged)
    return collect(model, staged, staged.arrays, collector(values, call))
