"""Data and parameters drawn together: what a right sampler keeps, whatever the model is."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from storax.samplers.driving.driver import run

OBSERVATIONS = 5


def prior(key: jax.Array) -> jax.Array:
    """Location and log scale of a normal sample, standard normal both."""
    return jax.random.normal(key, (2,))


def data(key: jax.Array, q: jax.Array) -> jax.Array:
    return q[0] + jnp.exp(q[1]) * jax.random.normal(key, (OBSERVATIONS,), q.dtype)


def log_density(y: jax.Array, q: jax.Array) -> jax.Array:
    z = (y - q[0]) * jnp.exp(-q[1])
    return -0.5 * q @ q - 0.5 * z @ z - OBSERVATIONS * q[1]


def geweke(kernel: Any, *, chains: int = 2000, steps: int = 40, seed: int = 0) -> dict[str, float]:
    """Geweke 2004, "Getting it right": parameters given data and data given parameters, in turns, have the joint law.

    Chains begin in it, and are independent, so that the standard errors of their means are known.  By name, by how many
    of them an expectation is off.
    """

    def chain(key: jax.Array) -> Any:
        of_prior, of_data, of_steps = jax.random.split(key, 3)
        q = prior(of_prior)

        def turn(carry: Any, key: jax.Array) -> Any:
            q, y = carry
            of_step, of_data = jax.random.split(key)
            density = partial(log_density, y)
            state, _ = kernel.step(of_step, kernel.init(q, density), density)
            q = state.position
            y = data(of_data, q)
            z = (y.mean() - q[0]) / jnp.exp(q[1])
            return (q, y), jnp.stack([*q, *q**2, q[0] * q[1], *q**4, z**2, z**2 * q[1], q[0] * z])

        return jax.lax.scan(turn, (q, data(of_data, q)), jax.random.split(of_steps, steps))[1].mean(0)

    found = np.asarray(jax.jit(jax.vmap(chain))(jax.random.split(jax.random.key(seed), chains)), np.float64)
    n = OBSERVATIONS
    expected = [0, 0, 1, 1, 0, 3, 3, 1 / n, 0, 0]
    names = ["m", "s", "m^2", "s^2", "m s", "m^4", "s^4", "z^2", "z^2 s", "m z"]
    off = (found.mean(0) - expected) / (found.std(0, ddof=1) / np.sqrt(chains))
    return dict(zip(names, off.tolist()))


def calibration(kernel: Any, driver: str, *, replications: int = 500, num_warmup: int = 300, thin: int = 10,
                seed: int = 0) -> dict[str, float]:  # fmt: skip
    """Talts et al. 2018: ranks of the truth among the draws of whole fits, all in one call of `jax.vmap`, are uniform.

    By name, the p-value of a chi-squared test with ten classes.
    """
    kept = 99

    def fit(key: jax.Array) -> jax.Array:
        of_truth, of_data, of_chain = jax.random.split(key, 3)
        truth = prior(of_truth)
        y = data(of_data, truth)
        found = run(partial(log_density, y), of_chain[None], jnp.zeros((1, 2)), kernel=kernel, num_warmup=num_warmup,
                    num_samples=thin * kept, driver=driver)  # fmt: skip
        draws = found.positions[0, ::thin]
        measures = lambda q: jnp.concatenate([q, jax.vmap(partial(log_density, y))(q)[:, None]], 1)
        return (measures(draws) < measures(truth[None])).sum(0)

    ranks = np.asarray(jax.jit(jax.vmap(fit))(jax.random.split(jax.random.key(seed), replications)))
    counts = [np.bincount(r // 10, minlength=10) for r in ranks.T]
    return {n: float(stats.chisquare(c).pvalue) for n, c in zip(["m", "s", "log density"], counts)}
