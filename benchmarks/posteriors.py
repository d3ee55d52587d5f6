"""Posteriors that samplers are compared on: models, and data simulated with a fixed seed.

A model is written once for storax and NumPyro: `ppl` is whichever of the two it is to be a model of, with its `sample`,
`factor` and distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Posterior(NamedTuple):
    """A model, its data, and how long to draw from it."""

    model: Callable[..., Any]
    data: tuple[Any, ...]
    num_samples: int = 1000


def schools_noncentred(ppl, sigma, y):
    mu = ppl.sample("mu", ppl.Normal(0.0, 5.0))
    tau = ppl.sample("tau", ppl.HalfCauchy(5.0))
    eta = ppl.sample("eta", ppl.Normal(0.0, 1.0), shape=(8,))
    ppl.sample("y", ppl.Normal(mu + tau * eta, sigma), obs=y)


def schools_centred(ppl, sigma, y):
    mu = ppl.sample("mu", ppl.Normal(0.0, 5.0))
    tau = ppl.sample("tau", ppl.HalfCauchy(5.0))
    theta = ppl.sample("theta", ppl.Normal(mu, tau), shape=(8,))
    ppl.sample("y", ppl.Normal(theta, sigma), obs=y)


def logistic(ppl, x, y):
    alpha = ppl.sample("alpha", ppl.Normal(0.0, 2.5))
    beta = ppl.sample("beta", ppl.Normal(0.0, 2.5), shape=x.shape[1:])
    ppl.sample("y", ppl.Bernoulli(logits=alpha + x @ beta), obs=y)


def radon(ppl, county, floor, y):
    mu = ppl.sample("mu", ppl.Normal(0.0, 5.0))
    tau = ppl.sample("tau", ppl.HalfNormal(1.0))
    slope = ppl.sample("slope", ppl.Normal(0.0, 5.0))
    sigma = ppl.sample("sigma", ppl.HalfNormal(1.0))
    z = ppl.sample("z", ppl.Normal(0.0, 1.0), shape=(85,))
    ppl.sample("y", ppl.Normal((mu + tau * z)[county] + slope * floor, sigma), obs=y)


def gaussian(ppl, precision):
    x = ppl.sample("x", ppl.Normal(0.0, 1.0), shape=precision.shape[1:])
    ppl.factor("density", 0.5 * x @ x - 0.5 * x @ (precision @ x))


def volatility(ppl, y):
    phi = ppl.sample("phi", ppl.Uniform(-1.0, 1.0))
    sigma = ppl.sample("sigma", ppl.HalfCauchy(2.0))
    mu = ppl.sample("mu", ppl.Cauchy(0.0, 10.0))
    z = ppl.sample("z", ppl.Normal(0.0, 1.0), shape=y.shape)

    def step(h, z):
        h = mu + phi * (h - mu) + sigma * z
        return h, h

    first = mu + sigma * z[0] / jnp.sqrt(1 - phi**2)
    h = jnp.concatenate([first[None], lax.scan(step, first, z[1:])[1]])
    ppl.sample("y", ppl.Normal(0.0, jnp.exp(h / 2)), obs=y)


def item_response(ppl, y):
    theta = ppl.sample("theta", ppl.Normal(0.0, 1.0), shape=y.shape[:1])
    mu_b = ppl.sample("mu_b", ppl.Normal(0.0, 2.0))
    sigma_b = ppl.sample("sigma_b", ppl.HalfCauchy(2.0))
    sigma_a = ppl.sample("sigma_a", ppl.HalfCauchy(2.0))
    a = ppl.sample("a", ppl.LogNormal(0.0, sigma_a), shape=y.shape[1:])
    b = ppl.sample("b", ppl.Normal(mu_b, sigma_b), shape=y.shape[1:])
    ppl.sample("y", ppl.Bernoulli(logits=a[None] * (theta[:, None] - b[None])), obs=y)


def _regression(rows: int, columns: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    logits = 0.5 + x @ rng.normal(size=columns) / np.sqrt(columns)
    return x, (rng.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.int32)


def _radon() -> tuple[Any, ...]:
    """919 houses in 85 counties, as unevenly many as in Minnesota."""
    rng = np.random.default_rng(919)
    share = rng.gamma(0.7, size=85)
    county = np.concatenate([np.arange(85), rng.choice(85, 919 - 85, p=share / share.sum())]).astype(np.int32)
    floor = (rng.random(919) < 0.17).astype(np.float32)
    level = 1.5 + 0.33 * rng.normal(size=85)
    return county, floor, (level[county] - 0.69 * floor + 0.76 * rng.normal(size=919)).astype(np.float32)


def _precision(d: int, condition: float) -> Any:
    rng = np.random.default_rng(d)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (basis * np.geomspace(1 / condition, 1, d) ** -1 @ basis.T).astype(np.float32) / np.float32(condition**0.5)


def _returns(steps: int) -> Any:
    rng = np.random.default_rng(steps)
    h = [-1.0]
    for _ in range(steps - 1):
        h.append(-1.0 + 0.95 * (h[-1] + 1.0) + 0.25 * rng.normal())
    return (np.exp(np.array(h) / 2) * rng.normal(size=steps)).astype(np.float32)


def _answers(persons: int, items: int) -> Any:
    rng = np.random.default_rng(persons)
    logits = rng.lognormal(0, 0.5, items) * (rng.normal(size=(persons, 1)) - rng.normal(0.5, 1.2, items))
    return (rng.random((persons, items)) < 1 / (1 + np.exp(-logits))).astype(np.int32)


def _schools() -> tuple[Any, Any]:
    """Rubin 1981."""
    return (np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0], np.float32),
            np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], np.float32))  # fmt: skip


POSTERIORS = {
    "eight schools, non-centred": lambda: Posterior(schools_noncentred, _schools()),
    "eight schools, centred": lambda: Posterior(schools_centred, _schools()),
    "logistic 1000 x 25": lambda: Posterior(logistic, _regression(1000, 25)),
    "logistic 50,000 x 50": lambda: Posterior(logistic, _regression(50_000, 50), 100),
    "radon": lambda: Posterior(radon, _radon()),
    "Gaussian, 100 dimensions": lambda: Posterior(gaussian, (_precision(100, 1e3),)),
    "stochastic volatility": lambda: Posterior(volatility, (_returns(500),)),
    "item response 2PL": lambda: Posterior(item_response, (_answers(100, 20),)),
}


def flat_density(posterior: Posterior) -> tuple[Callable[[jax.Array], jax.Array], Any]:
    """The log density on R^n as storax has it, for libraries that take one; and the `sx.unconstrain` it is from."""
    import storax as sx

    density = sx.unconstrain(lambda *data: posterior.model(sx, *data))(*posterior.data)
    return density.of_vector, density
