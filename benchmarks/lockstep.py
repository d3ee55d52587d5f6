"""Many chains at one step size and metric: gradients executed and used, and what a used one costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.measuring import clock
from benchmarks.posteriors import POSTERIORS, flat_density

DRAWS = {4: 1000, 64: 300, 256: 200, 1024: 100}  # of each chain


def many_chains(contender: str, name: str) -> Any:
    """A call with a number of chains starts them in equilibrium, and measures a run that compiles nothing.

    `scale` is of the adapted step size.  How unequal trajectories are depends on it: at some all have seven steps and
    nothing is to be gained, at one a little smaller some have fifteen, and all chains of a lockstep wait for them.
    """
    import jax
    import jax.numpy as jnp

    from storax.samplers.driving.driver import run
    from storax.samplers.kernels.nuts import nuts

    log_density, density = flat_density(POSTERIORS[name]())
    starts = jax.vmap(density.random_vector)(jax.random.split(jax.random.key(0), 4))
    pilot = jax.jit(partial(run, log_density, kernel=nuts(), num_warmup=1000, num_samples=1000))(
        jax.random.split(jax.random.key(1), 4), starts)  # fmt: skip
    step_size, inverse = _adapted(log_density, starts[0], pilot)
    reached = np.asarray(pilot.positions).reshape(-1, density.size)

    def of_storax(driver: str, draws: int, scale: float) -> Any:
        kernel = nuts(scale * step_size, inverse, jitter=0.0)

        def sample(key: Any, positions: Any) -> Any:
            keys = jax.random.split(key, len(positions))
            found = run(log_density, keys, positions, kernel=kernel, num_warmup=0, num_samples=draws, driver=driver)
            trips = found.walks.trips
            executed = trips.sum() if driver == "sequential" else trips.max() * len(trips)  # until the last has done
            return found.positions, executed, found.stats["n_steps"].sum()

        return sample

    def of_blackjax(draws: int, scale: float) -> Any:
        import blackjax

        kernel = blackjax.nuts(log_density, scale * step_size, jnp.asarray(inverse))

        def sample(key: Any, positions: Any) -> Any:
            def step(states: Any, key: Any) -> Any:
                states, info = jax.vmap(kernel.step)(jax.random.split(key, len(positions)), states)
                return states, (states.position, info.num_integration_steps)

            _, (found, steps) = jax.lax.scan(step, jax.vmap(kernel.init)(positions), jax.random.split(key, draws))
            return found, steps.max(1).sum() * len(positions), steps.sum()

        return sample

    compiled: dict[tuple[int, float], Any] = {}

    def call(chains: int, seed: int, scale: float = 1.0) -> dict[str, float]:
        draws, case = DRAWS[chains], (chains, scale)
        if case not in compiled:
            _, _, driver = contender.partition("-")
            compiled[case] = jax.jit(of_storax(driver, draws, scale) if driver else of_blackjax(draws, scale))
            jax.block_until_ready(compiled[case](jax.random.key(9), _some(reached, chains, 9)))
        key, positions = jax.random.key(seed), _some(reached, chains, seed)
        with clock() as taken:
            found, executed, useful = jax.device_get(compiled[case](key, positions))
        deviation = np.abs(found.mean((0, 1)) - reached.mean(0)) / reached.std(0)
        return {"cpu": taken.cpu, "executed": float(executed), "useful": float(useful), "off": float(deviation.max())}

    return call


def _adapted(log_density: Any, start: Any, pilot: Any) -> tuple[float, np.ndarray]:
    """The step size and metric of all contenders: BlackJAX's where it is installed, which leaves more trajectories of
    unequal length than storax's."""
    import jax

    try:
        import blackjax
    except ImportError:
        return float(pilot.walks.step_size[0]), np.asarray(pilot.metric.inverse)
    adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
    (_, found), _ = jax.jit(lambda key: adaptation.run(key, start, 1000))(jax.random.key(2))
    return float(found["step_size"]), np.asarray(found["inverse_mass_matrix"])


def _some(reached: np.ndarray, chains: int, seed: int) -> np.ndarray:
    return reached[np.random.default_rng(seed).choice(len(reached), chains, replace=False)]
