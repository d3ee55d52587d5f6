"""`pathfinder`: Gaussians found on the way to the mode; a quick posterior, and where chains may start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from storax.errors import InitializationError
from storax.keys import as_key
from storax.logprob.unconstraining import Density
from storax.models import Model, transformation
from storax.samplers.compiling import Source, compiled
from storax.samplers.optimizing.starts import best, candidates
from storax.samplers.optimizing.trajectories import best_of_path, draw, log_density_of, variances
from storax.samplers.pareto import psis
from storax.samplers.running.settings import as_count
from storax.samplers.variational.drawing import draws_of
from storax.samplers.variational.families import Family, Params
from storax.samplers.variational.results import Approximation
from storax.sources import plain_errors


@dataclasses.dataclass(frozen=True)
class Paths(Family):
    """The equal mixture of the Gaussians of several paths; "log_weights": -inf for a path that led nowhere."""

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        raise NotImplementedError("its parameters are found by sx.pathfinder")

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key)
        path = jax.random.categorical(keys[0], params["log_weights"])
        chosen = jax.tree.map(lambda x: x[path], params["gaussians"])
        z, _ = draw(chosen, jax.random.normal(keys[1], chosen.mean.shape, chosen.mean.dtype))
        return z, self.log_prob(params, z)

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        each = jax.vmap(log_density_of, (0, None))(params["gaussians"], z)
        counts = params["log_weights"] > -jnp.inf
        return logsumexp(jnp.where(counts, each + params["log_weights"], -jnp.inf))


class PathfinderFit(Approximation):
    """What `pathfinder` found: `.posterior(key, num_samples)`, whose `.resample(key)` weighs the draws.

    Attributes:
        bounds: evidence lower bound of every path, `[path]`; -inf for a path that led nowhere.
        inverse_mass: variance of each coordinate of R^n, `[d]`: a metric for `sx.nuts(inverse_mass_matrix=...)`.
    """

    bounds: np.ndarray
    inverse_mass: np.ndarray
    _density: Density

    @plain_errors
    def starts(self, key: Any, num_chains: int = 4) -> dict[str, np.ndarray]:
        """Values to start chains from, name -> `[chain, *shape]`: different draws, picked by their importance weights.

        >>> import storax as sx
        >>> model = lambda: sx.sample("x", sx.HalfNormal(1.0))
        >>> fit = sx.pathfinder(model)(0)
        >>> starts = fit.starts(1, num_chains=2)
        >>> post = sx.mcmc(model, num_samples=100, init={"x": starts["x"][0]})(2)
        """
        count = as_count("starts: num_chains", num_chains, 1)
        rows, named = self._picked(as_key(key, "starts"), count)
        return {n: np.asarray(named[n])[rows] for n in self._density.shapes}

    def _picked(self, key: jax.Array, count: int) -> Any:
        named, log_p, log_q = self._draw(jax.random.fold_in(key, 0), max(1000, 10 * count))
        log_weights = psis(np.asarray(log_p, np.float64) - np.asarray(log_q, np.float64)).log_weights
        # Without replacement: the largest of log weights with Gumbel noise (Vieira 2014).
        noise = np.asarray(jax.random.gumbel(jax.random.fold_in(key, 1), log_weights.shape), np.float64)
        return np.argsort(log_weights + noise)[::-1][:count], named


@transformation
def pathfinder(
    model: Callable[..., Any], *, num_paths: int = 8, max_steps: int = 100, memory: int = 6, num_elbo: int = 50
) -> Callable[..., PathfinderFit]:
    """Pathfinder: the best of the Gaussians that L-BFGS sees on its way to the mode, for several ways.

    Zhang, Carpenter, Gelman & Vehtari 2022 (JMLR 23).  Cheaper by orders than `sx.mcmc`, and a good start for it: the
    mode itself may be far from where the mass of a posterior is.

    Args:
        model: a model; its latent sites must be continuous, without `sx.param`.
        num_paths: from different random starts, at least 1; with several, the draws are those of their mixture.
        max_steps: of L-BFGS, at least 1.
        memory: pairs of steps that make up a curvature, at least 1.
        num_elbo: draws that judge the Gaussian of each step, at least 1.

    Returns:
        `f(key, *args, **kwargs) -> PathfinderFit`.

    Raises:
        InitializationError: no path led anywhere.
        The errors of `sx.unconstrain`.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0), obs=y)
    >>> post = sx.pathfinder(model)(0, jnp.array([1.0, 2.0])).posterior(1)
    >>> bool(abs(post["mu"].mean() - 1.0) < 0.1), post.khat < 0.7
    (True, True)
    """
    model = Model.of(model, "sx.pathfinder")
    counts = {"num_paths": num_paths, "max_steps": max_steps, "memory": memory, "num_elbo": num_elbo}
    paths, steps, pairs, draws = (as_count(f"sx.pathfinder: {n}", c, 1) for n, c in counts.items())

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> PathfinderFit:
        key = as_key(key, "sx.pathfinder(...)")
        staged = model.stage(*args, **kwargs)

        def build(source: Source) -> Any:
            def run(data: Any, key: Any) -> Any:
                density = source.density(data, "sx.pathfinder")
                target = lambda z: density.of_vector(z).astype(z.dtype)  # noqa: E731

                def one(key: jax.Array) -> Any:
                    keys = jax.random.split(key)
                    start = best(density, candidates(density, keys[0], {}, count=2))
                    return best_of_path(target, start, keys[1], steps=steps, memory=pairs, num_elbo=draws)

                return jax.vmap(one)(jax.random.split(key, paths))

            return jax.jit(run)

        program = compiled(model, staged, args, kwargs, ("pathfinder", paths, steps, pairs, draws), build)
        found = program(Source.data(model, staged), key)
        bounds = np.asarray(found.bound)
        density = Source(model, staged).density(Source.data(model, staged), "sx.pathfinder")
        if not np.isfinite(bounds).any():
            raise InitializationError(
                "sx.pathfinder: no path led to a Gaussian with a finite bound. Look at the model's density with "
                "sx.unconstrain(model)(...), or use sx.mcmc."
            )
        log_weights = np.where(np.isfinite(bounds), 0.0, -np.inf) - np.log(np.isfinite(bounds).sum())
        first = int(np.argmax(bounds))  # stands in for those that led nowhere
        whole = jax.tree.map(
            lambda x: jnp.where(np.isfinite(bounds).reshape((-1,) + (1,) * (x.ndim - 1)), x, x[first][None]),
            found.gaussian,
        )
        params = {"gaussians": whole, "log_weights": jnp.asarray(log_weights, density.layout.dtype)}
        fit = PathfinderFit(params, draws_of(model, staged, args, kwargs, Paths(), params, "sx.pathfinder"),
                            density.sites)  # fmt: skip
        fit.bounds, fit._density = bounds, density
        fit.inverse_mass = np.asarray(variances(jax.tree.map(lambda x: x[first], whole)))
        return fit

    return f
