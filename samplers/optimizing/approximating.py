"""`laplace`: the Gaussian of the curvature at the mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from storax.handlers.giving import gather
from storax.keys import as_key
from storax.models import Model, transformation
from storax.samplers.compiling import Source, compiled
from storax.samplers.optimizing.maximizing import Search, maximum, refuse_nowhere
from storax.samplers.optimizing.optimizers import as_optimizer
from storax.samplers.running.settings import as_count
from storax.samplers.variational.drawing import draws_of
from storax.samplers.variational.gaussians import HALF_LOG_TWO_PI, MultivariateNormal, gaussian_at, refuse_no_maximum
from storax.samplers.variational.results import Approximation
from storax.sources import plain_errors


class LaplaceApproximation(Approximation):
    """A Gaussian on R^n around the mode there.

    Attributes:
        mode: name -> value, the mode in R^n brought back to the supports.
        log_evidence: the log of the integral of likelihood times prior, as the Gaussian has it; exact for a posterior
            that is Gaussian in R^n (MacKay 2003, eq. 27.4).
        converged: did the search for the mode converge?
        covariance: in R^n, `[d, d]`, in the order of `sx.unconstrain(model)(...).flatten`.
    """

    mode: Mapping[str, Any]
    log_evidence: float
    converged: bool
    covariance: Any


@transformation
def laplace(
    model: Callable[..., Any],
    optimizer: Any = None,
    *,
    max_steps: int = 1000,
    num_restarts: int = 4,
    init: Mapping[str, Any] | None = None,
) -> Callable[..., LaplaceApproximation]:
    """The Laplace approximation: a Gaussian at the mode on R^n, with the curvature of the log density there.

    Args:
        model: a model; its latent sites must be continuous, without `sx.param`.
        optimizer, max_steps, num_restarts, init: of the search for the mode, as of `sx.map_estimate`.

    Returns:
        `f(key, *args, **kwargs) -> LaplaceApproximation`, with `.posterior(key, num_samples)` and `.log_evidence`.

    Raises:
        InferenceError: the point that was found is no maximum; says in the direction of which site it is none.
        The errors of `sx.map_estimate`.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> fit = sx.laplace(model)(0, jnp.array([1.0, 2.0]))
    >>> exact = sx.MultivariateNormal(0.0, jnp.eye(2) + 1.0).log_prob(jnp.array([1.0, 2.0]))
    >>> bool(abs(fit.log_evidence - exact) < 1e-3), fit.posterior(0, 100)["mu"].shape
    (True, (1, 100))
    """
    model = Model.of(model, "sx.laplace")
    chosen = None if optimizer is None else as_optimizer(optimizer, "sx.laplace")
    steps = as_count("sx.laplace: max_steps", max_steps, 1)
    search = Search(chosen, True, steps, as_count("sx.laplace: num_restarts", num_restarts, 0), 1e-6)
    given = gather(init, {}, "sx.laplace(init=...)")

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> LaplaceApproximation:
        key = as_key(key, "sx.laplace(...)")
        staged = model.stage(*args, **kwargs)

        def build(source: Source) -> Any:
            def run(data: Any, key: Any, given: Any) -> Any:
                density = source.density(data, "sx.laplace")
                mode = maximum(density, key, given, search)
                params = gaussian_at(density, density.flatten(mode.z))
                return mode, params, density.of_vector(params["loc"]), density.quantities(params["loc"])

            return jax.jit(run)

        program = compiled(model, staged, args, kwargs, ("laplace", search, tuple(given)), build)
        mode, params, at_mode, values = program(Source.data(model, staged), key, given)
        refuse_nowhere(mode.log_density, "sx.laplace")
        density = Source(model, staged).density(Source.data(model, staged), "sx.laplace")
        refuse_no_maximum(density, params, "sx.laplace")
        draw = draws_of(model, staged, args, kwargs, MultivariateNormal(), params, "sx.laplace")
        fit = LaplaceApproximation(params, draw, density.sites)
        factor = jnp.exp(params["log_scale"])[:, None] * (jnp.tril(params["lower"], -1) + jnp.eye(density.size))
        fit.mode, fit.converged, fit.covariance = values, bool(mode.converged), factor @ factor.T
        fit.log_evidence = float(at_mode + params["log_scale"].sum() + density.size * HALF_LOG_TWO_PI)
        return fit

    return f
