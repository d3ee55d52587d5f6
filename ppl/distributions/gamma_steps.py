"""How fast the gamma function grows over half steps, and what it gives: constants and entropies that do not cancel."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from storax.distributions.gamma_density import log_gamma_density
from storax.distributions.log_gamma import stirling_remainder
from storax.distributions.special import HALF_LOG_TWO_PI

_SHIFT = 20


def half_step_excess(x: Any) -> jax.Array:
    """log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2 for x > 0: the series DLMF 5.11.13 from 20 on, where it is exact
    to the last digit; below, that of x + 20, and the recurrence Gamma(x + 1) = x Gamma(x) back to x.

    >>> bool(abs(half_step_excess(0.5).item() - np.log(2 / np.pi) / 2) < 1e-6)
    True
    """
    x = jnp.asarray(x)
    large = x > _SHIFT
    small = jnp.where(large, 1.0, x)
    back = jnp.ones_like(small)
    for i in range(_SHIFT):
        back = back * ((small + i) / (small + i + 0.5))
    r = 1 / jnp.where(large, x, small + _SHIFT)
    s = r * r
    series = -r * (1 / 8 - s * (1 / 192 - s * (1 / 640 - s * (17 / 14336 - s * 31 / 18432))))
    return series + jnp.where(large, 0.0, jnp.log(back) + 0.5 * jnp.log1p(_SHIFT / small))


def half_step(x: Any) -> jax.Array:
    """log Gamma(x + 1/2) - log Gamma(x)."""
    return half_step_excess(x) + 0.5 * jnp.log(x)


def half_step_slope(x: Any) -> jax.Array:
    """digamma(x + 1/2) - digamma(x)."""
    return jax.jvp(half_step, (x,), (jnp.ones_like(x),))[1]


def steps_excess(x: Any, count: int) -> jax.Array:
    """log Gamma(x + count / 2) - log Gamma(x) - (count / 2) log x.

    >>> bool(abs(steps_excess(2.0, 4).item() - np.log(6 / 4)) < 1e-6)  # Gamma(4) / Gamma(2) = 3!
    True
    """
    x = jnp.asarray(x)
    start = 0.5 * (count % 2)
    # Gamma(x + 1/2 + n) = Gamma(x + 1/2) (x + 1/2) (x + 3/2) ...
    between = jnp.asarray(start + np.arange(count // 2), x.dtype).reshape((1,) * x.ndim + (-1,))
    whole = jnp.log1p(between / x[..., None]).sum(-1)
    return whole + half_step_excess(x) if count % 2 else whole


def gamma_entropy(a: Any) -> jax.Array:
    """Entropy of Gamma(a, 1): a + log Gamma(a) + (1 - a) digamma(a), for large a without cancellation.

    >>> bool(abs(gamma_entropy(1.0) - 1.0) < 1e-6)
    True
    """
    large = a > 10
    b = jnp.where(large, a, 10.0)
    s = jnp.square(1 / b)
    below_log = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))  # log a - 1 / (2 a) - digamma(a)
    of_large = HALF_LOG_TWO_PI + 0.5 * jnp.log(b) + 0.5 + stirling_remainder(b) - 0.5 / b + (b - 1) * below_log
    c = jnp.where(large, 1.0, a)
    return jnp.where(large, of_large, c + gammaln(c) + (1 - c) * digamma(c))


def chi_log_density(k: Any, x: Any) -> jax.Array:
    """Log density of the square root of a chi-squared variable with k degrees of freedom, at x > 0."""
    direct = (k <= 20) | (x < 1e-2 * jnp.sqrt(k))  # also where the square of x is no longer a float
    near_mode = log_gamma_density(jnp.where(direct, 20.0, 0.5 * k), 0.5 * jnp.square(jnp.where(direct, 1.0, x)))
    y = jnp.where(direct, x, 1.0)
    of_direct = (k - 1) * jnp.log(y) - 0.5 * jnp.square(y) - (0.5 * k - 1) * math.log(2.0) - gammaln(0.5 * k)
    return jnp.where(direct, of_direct, near_mode + jnp.log(jnp.where(direct, 1.0, x)))


def chi_entropy(k: Any) -> jax.Array:
    """Its entropy."""
    return gamma_entropy(0.5 * k) - chi_mean_log(k)


def chi_mean_log(k: Any) -> jax.Array:
    """The mean of its logarithm."""
    return 0.5 * (math.log(2.0) + digamma(0.5 * k))
