"""A model with two levels, its data, and values for its choices."""

import jax
import jax.numpy as jnp
from scipy import stats

import storax as sx

N = sx.Normal
normal = stats.norm.logpdf


def model(y=None):
    mu = sx.sample("mu", N(0.0, 1.0))
    tau = sx.sample("tau", sx.HalfNormal(1.0))
    theta = jax.vmap(lambda _: sx.sample("theta", N(mu, tau)))(jnp.arange(3))
    sx.deterministic("total", theta.sum())
    return sx.sample("y", N(theta, 1.0), obs=y)


y = jnp.array([0.5, -0.5, 1.0])


def traced(f, *args):
    return sx.trace(f)(*args)[1]


GIVEN = {"mu": 0.3, "tau": 1.2, "theta": jnp.array([0.1, -0.2, 0.4])}
