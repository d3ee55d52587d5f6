"""The samplers that are compared, each as it would be used: from a posterior to draws by name.

A contender is made of a posterior of `benchmarks.posteriors` and `Settings`, and called with a seed, again and again.
What is compiled in the first call may be kept.  Nothing is imported here that another contender does not need.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from benchmarks.posteriors import POSTERIORS, Posterior, flat_density


class Settings(NamedTuple):
    """Of a run; `num_samples` of None are the posterior's own."""

    num_chains: int = 4
    num_warmup: int = 1000
    num_samples: int = 1000
    driver: str | None = None  # storax's


class Draws(NamedTuple):
    """What a run has found, and what it took."""

    by_name: dict[str, np.ndarray]  # [chain, draw, ...]
    warmup_steps: int  # gradients, all chains
    steps: int
    diverging: int
    batched: bool  # chains side by side

    @property
    def numbers(self) -> dict[str, int]:
        return {n: int(x) for n, x in self._asdict().items() if n != "by_name"}


Contender = Callable[[int], Draws]


def storax(posterior: Posterior, settings: Settings) -> Contender:
    """`sx.mcmc`, with its own defaults."""
    import warnings

    import storax as sx

    function = posterior.model  # what a model closes over is a part of it, and data are not

    def model(*data: Any) -> None:
        function(sx, *data)

    infer = sx.mcmc(model, num_chains=settings.num_chains, num_warmup=settings.num_warmup,
                    num_samples=settings.num_samples, driver=settings.driver)  # fmt: skip

    def run(seed: int) -> Draws:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sx.errors.SamplingWarning)
            post = infer(seed, *posterior.data)
        names = [n for n in post.samples if n != "density"]
        return Draws({n: post[n] for n in names}, int(post.warmup_stats["n_steps"].sum()),
                     int(post.stats["n_steps"].sum()), int(post.stats["diverging"].sum()),
                     post.attrs["driver"] == "batched")  # fmt: skip

    return run


def storax_run(posterior: Posterior, settings: Settings) -> Contender:
    """The program inside of `sx.mcmc` alone, jitted as the peers' kernels are: no checks, no choice of starts, no
    diagnostics, no warnings."""
    import jax

    import storax as sx
    from storax.samplers.driving.choosing import choose_driver
    from storax.samplers.driving.driver import run as sampler_run

    _, density = flat_density(posterior)
    driver: list[str] = []

    @jax.jit
    def sample(keys: Any, data: Any) -> Any:
        log_density = _density_of(posterior)(*data).of_vector
        starts = jax.vmap(density.random_vector)(keys)
        driver[:] = [choose_driver(settings.driver, log_density, starts[0])]
        found = sampler_run(log_density, keys, starts, kernel=sx.nuts(), num_warmup=settings.num_warmup,
                            num_samples=settings.num_samples, driver=driver[0])  # fmt: skip
        quantities = jax.vmap(lambda rows: jax.lax.map(density.quantities, rows, batch_size=256))(found.positions)
        named = {n: quantities[n] for n in density.shapes}
        steps = found.warmup_stats["n_steps"].sum(), found.stats["n_steps"].sum()
        return named, *steps, found.stats["diverging"].sum()

    def run(seed: int) -> Draws:
        keys = jax.random.split(jax.random.key(seed), settings.num_chains)
        named, warm, steps, diverging = jax.device_get(sample(keys, posterior.data))
        return Draws(named, int(warm), int(steps), int(diverging), driver[0] == "batched")

    return run


def _numpyro_model(posterior: Posterior) -> Callable[..., None]:
    import numpyro
    import numpyro.distributions as dist

    def sample(name: str, d: Any, *, obs: Any = None, shape: tuple[int, ...] = ()) -> Any:
        return numpyro.sample(name, d.expand(shape) if shape else d, obs=obs)

    ppl = SimpleNamespace(sample=sample, factor=numpyro.factor, **vars(dist))
    return lambda *data: posterior.model(ppl, *data)


def numpyro(posterior: Posterior, settings: Settings) -> Contender:
    """NumPyro's kernel under one `jax.jit`, chains side by side; its `MCMC` would compile anew in every run."""
    import jax
    from numpyro.infer import NUTS

    model = _numpyro_model(posterior)

    @jax.jit
    def sample(keys: Any, data: Any) -> Any:
        kernel = NUTS(model)
        state = kernel.init(keys, settings.num_warmup, None, data, {})

        def step(state: Any, _: Any) -> Any:
            state = kernel.sample(state, data, {})
            return state, (state.z, state.num_steps, state.diverging)

        _, (z, steps, diverging) = jax.lax.scan(step, state, None, settings.num_warmup + settings.num_samples)
        kept = jax.tree.map(lambda x: x[settings.num_warmup :].swapaxes(0, 1), z)
        named = jax.vmap(jax.vmap(kernel.postprocess_fn(data, {})))(kept)
        return named, steps, diverging[settings.num_warmup :].sum()

    def run(seed: int) -> Draws:
        keys = jax.random.split(jax.random.PRNGKey(seed), settings.num_chains)
        named, steps, diverging = jax.device_get(sample(keys, posterior.data))
        warm = steps[: settings.num_warmup].sum()
        return Draws(named, int(warm), int(steps.sum() - warm), int(diverging), True)

    return run


def numpyro_mcmc(posterior: Posterior, settings: Settings) -> Contender:
    """NumPyro as its documentation has it, chains vectorised."""
    import jax
    from numpyro.infer import MCMC, NUTS

    mcmc = MCMC(NUTS(_numpyro_model(posterior)), num_warmup=settings.num_warmup, num_samples=settings.num_samples,
                num_chains=settings.num_chains, chain_method="vectorized", progress_bar=False)  # fmt: skip

    def run(seed: int) -> Draws:
        mcmc.run(jax.random.PRNGKey(seed), *posterior.data, extra_fields=("num_steps", "diverging"))
        extra = mcmc.get_extra_fields()
        named = {n: np.asarray(x) for n, x in mcmc.get_samples(group_by_chain=True).items()}
        return Draws(named, -1, int(extra["num_steps"].sum()), int(extra["diverging"].sum()), True)

    return run


def blackjax(posterior: Posterior, settings: Settings, over_chains: str = "vmap") -> Contender:
    """BlackJAX's window adaptation and NUTS under one `jax.jit`, on storax's density; `over_chains` is vmap or map."""
    import blackjax
    import jax

    _, density = flat_density(posterior)

    def chain(key: Any, data: Any) -> Any:
        log_density = _density_of(posterior)(*data).of_vector
        of_start, of_warmup, of_draws = jax.random.split(key, 3)
        start = density.random_vector(of_start)
        adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
        (state, parameters), warm = adaptation.run(of_warmup, start, settings.num_warmup)
        kernel = blackjax.nuts(log_density, **parameters)

        def step(state: Any, key: Any) -> Any:
            state, info = kernel.step(key, state)
            return state, (density.quantities(state.position), info.num_integration_steps, info.is_divergent)

        _, kept = jax.lax.scan(step, state, jax.random.split(of_draws, settings.num_samples))
        return warm.info.num_integration_steps, *kept

    each = jax.vmap(chain, (0, None)) if over_chains == "vmap" else lambda keys, data: jax.lax.map(
        lambda key: chain(key, data), keys)  # fmt: skip
    sample = jax.jit(each)

    def run(seed: int) -> Draws:
        keys = jax.random.split(jax.random.key(seed), settings.num_chains)
        warm, named, steps, diverging = jax.device_get(sample(keys, posterior.data))
        return Draws({n: x for n, x in named.items() if n in density.shapes}, int(warm.sum()), int(steps.sum()),
                     int(diverging.sum()), over_chains == "vmap")  # fmt: skip

    return run


def _density_of(posterior: Posterior) -> Callable[..., Any]:
    import storax as sx

    return sx.unconstrain(lambda *data: posterior.model(sx, *data))


def nutpie(posterior: Posterior, settings: Settings, tune: int | None = None) -> Contender:
    """nutpie on the PyMC model, compiled by Numba; `tune` other than the settings' warm-up is its own default."""
    import logging
    import warnings

    import nutpie

    from benchmarks.pymc_models import MODELS

    logging.getLogger("pytensor").setLevel(logging.ERROR)
    names, build = MODELS[posterior.model.__name__]
    compiled: list[Any] = []
    tune = settings.num_warmup if tune is None else tune

    def run(seed: int) -> Draws:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not compiled:
                compiled.append(nutpie.compile_pymc_model(build(*posterior.data), backend="numba"))
            trace = nutpie.sample(compiled[0], draws=settings.num_samples, tune=tune, chains=settings.num_chains,
                                  seed=seed, progress_bar=False)  # fmt: skip
        stats, warm = trace.sample_stats, trace.warmup_sample_stats
        named = {n: np.asarray(trace.posterior[n]) for n in names}
        return Draws(named, int(warm["n_steps"].sum()), int(stats["n_steps"].sum()), int(stats["diverging"].sum()),
                     False)  # fmt: skip

    return run


CONTENDERS: dict[str, Callable[[Posterior, Settings], Contender]] = {
    "storax": storax,
    "storax-run": storax_run,
    "numpyro": numpyro,
    "numpyro-mcmc": numpyro_mcmc,
    "blackjax": blackjax,
    "blackjax-map": partial(blackjax, over_chains="map"),
    "nutpie": nutpie,
    "nutpie-short": partial(nutpie, tune=400),
}

__all__ = ["CONTENDERS", "POSTERIORS", "Draws", "Settings"]
