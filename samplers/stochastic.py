"""`sgmcmc`: chains for models whose plates take subsamples of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.errors import ArgumentTypeError, InferenceError, InitializationError
from storax.handlers.giving import gather
from storax.keys import as_key
from storax.logprob.deriving.marginal import density_of
from storax.models import Model, transformation
from storax.samplers.compiling import Source, compiled
from storax.samplers.langevin import SGHMC, SGLD
from storax.samplers.optimizing.starts import best, candidates
from storax.samplers.posterior import Posterior, axes_of
from storax.samplers.running.health import FAR
from storax.samplers.running.settings import as_count
from storax.samplers.variational.minibatching import minibatched, subsamples
from storax.sources import plain_errors


@transformation
def sgmcmc(
    model: Callable[..., Any],
    kernel: SGLD | SGHMC,
    *,
    num_chains: int = 4,
    num_warmup: int = 1000,
    num_samples: int = 1000,
    thinning: int = 1,
    init: Mapping[str, Any] | None = None,
) -> Callable[..., Posterior]:
    """Stochastic gradient MCMC: every step sees a new subsample of the plates that ask for one.

    The draws are not exact: see `sx.sgld` and `sx.sghmc` for what their step must be small beside.

    Args:
        model: a model; `sx.plate(..., subsample_size=...)` says what a minibatch is.  Latent sites must be continuous,
            and outside of such plates.
        kernel: `sx.sgld(step_size)` or `sx.sghmc(step_size)`.
        num_chains: at least 1.
        num_warmup: steps that are dropped; SGHMC measures the noise of gradients in them.
        num_samples: draws kept of each chain, at least 1.
        thinning: steps for one draw, at least 1.
        init: name -> value, where chains start; sites left out start at random.

    Returns:
        `f(key, *args, **kwargs) -> Posterior`; sites and derived quantities in plates with a subsample are left out.

    Raises:
        InferenceError: a latent site in a plate with a subsample; or chains that went to infinity: a step too long.
        The errors of `sx.unconstrain`.

    >>> import jax.numpy as jnp, storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     with sx.plate("data", len(y), subsample_size=10) as rows:
    ...         sx.sample("y", sx.Normal(mu, 1.0), obs=y[rows])
    >>> y = jnp.linspace(-1.0, 2.0, 100)
    >>> post = sx.sgmcmc(model, sx.sghmc(1e-4), num_chains=2, num_samples=500)(0, y)
    >>> bool(abs(post["mu"].mean() - 0.5) < 0.1)
    True
    """
    model = Model.of(model, "sx.sgmcmc")
    if not isinstance(kernel, (SGLD, SGHMC)):
        raise ArgumentTypeError(f"sx.sgmcmc: the kernel must be sx.sgld(...) or sx.sghmc(...), got {kernel!r}.")
    counts = {"num_chains": (num_chains, 1), "num_warmup": (num_warmup, 0), "num_samples": (num_samples, 1),
              "thinning": (thinning, 1)}  # fmt: skip
    settings = tuple(as_count(f"sx.sgmcmc: {n}", c, least) for n, (c, least) in counts.items())
    given = gather(init, {}, "sx.sgmcmc(init=...)")

    @plain_errors
    def f(key: Any = None, /, *args: Any, **kwargs: Any) -> Posterior:
        key = as_key(key, "sx.sgmcmc(...)")
        staged = model.stage(*args, **kwargs)
        sites, plates = model.sites(staged), subsamples(model.sites(staged))
        for info in sites.values():
            if info.is_open and info.visible and set(info.site.dims) & set(plates):
                raise InferenceError(
                    f"sx.sgmcmc: {info.site.label} is in a plate with a subsample, and its copies are others at every "
                    f"step. Sum it out (draw it without a name, sx.rv), or use sx.svi with an amortised guide."
                )
        build = lambda source: jax.jit(_program(source, *settings))  # noqa: E731
        kind = ("sgmcmc", jax.tree.structure(kernel), settings, tuple(given))
        run = compiled(model, staged, args, kwargs, kind, build)
        named, steps, good = run(Source.data(model, staged), kernel, key, given)
        if not bool(good):
            raise InitializationError(
                "sx.sgmcmc: no start with a finite log density was found. Start from values that are possible: "
                "init={name: value}."
            )
        kept = [n for n, i in sites.items() if n in named and not set(i.site.dims) & set(plates)]
        samples = {n: np.asarray(named[n]) for n in kept}
        for name, x in samples.items():
            if sites[name].is_open and not (np.abs(x) < FAR).all():
                raise InferenceError(
                    f"sx.sgmcmc: {sites[name].site.label} went to infinity: a step is too long beside the posterior's "
                    f"variance. Take a step_size of a tenth of {kernel.step_size:g}, or start nearer: init={{name: "
                    f"value}}."
                )
        dims = {n: axes_of(sites[n], x.ndim - 2) for n, x in samples.items()}
        return Posterior(samples, {"step_size": np.asarray(steps)}, {}, dims)

    return f


def _program(source: Source, num_chains: int, num_warmup: int, num_samples: int, thinning: int) -> Callable[..., Any]:
    def density(data: Any, key: jax.Array) -> Any:
        model, staged = source.model(data), source.staged(data)
        return density_of(minibatched(model, staged, key), staged, "sx.sgmcmc")

    def run(data: Any, kernel: Any, key: jax.Array, given: Any) -> Any:
        def gradients(key: jax.Array, x: jax.Array) -> jax.Array:
            return jax.grad(lambda x: density(data, key).of_vector(x).astype(x.dtype))(x)

        first = density(data, jax.random.fold_in(key, 2))

        def chain(key: jax.Array) -> Any:
            keys = jax.random.split(key)
            start = best(first, candidates(first, keys[0], given))
            state = kernel.init(start)

            def step(state: Any, t: jax.Array) -> Any:
                return kernel.step(jax.random.fold_in(keys[1], t), state, gradients, t < num_warmup), None

            def draw(state: Any, i: jax.Array) -> Any:
                state, _ = lax.scan(step, state, num_warmup + i * thinning + jnp.arange(thinning))
                return state, state.position

            state, _ = lax.scan(step, state, jnp.arange(num_warmup))
            _, positions = lax.scan(draw, state, jnp.arange(num_samples))
            named = lax.map(first.quantities, positions)
            return named, jnp.isfinite(first.of_vector(start))

        named, good = jax.vmap(chain)(jax.random.split(key, num_chains))
        counts = num_warmup + thinning * (1 + jnp.arange(num_samples))
        rate = kernel.rate(counts - 1) if isinstance(kernel, SGLD) else jnp.full(num_samples, kernel.step_size)
        return named, jnp.broadcast_to(rate[None], (num_chains, num_samples)), good.all()

    return run
