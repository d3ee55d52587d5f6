"""Functions of a number that may be small, without the cancellation of the textbook formula there."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from storax.distributions.special import quotient
from storax.rules import custom_rule

# zeta(2), ..., zeta(18)
_ZETA = [1.6449340668482264, 1.2020569031595943, 1.0823232337111382, 1.03692775514337, 1.0173430619844492]
_ZETA += [1.008349277381923, 1.0040773561979443, 1.0020083928260821, 1.000994575127818, 1.0004941886041194]
_ZETA += [1.000246086553308, 1.0001227133475785, 1.0000612481350588, 1.000030588236307, 1.0000152822594086]
_ZETA += [1.0000076371976379, 1.0000038172932649]


def expm1_minus(u: Any) -> jax.Array:
    """exp(u) - 1 - u."""
    small = jnp.abs(u) < 0.3
    w = jnp.where(small, u, 0.0)
    series = jnp.zeros_like(w)
    for n in range(14, 1, -1):  # sum over n >= 2 of u^n / n!, by Horner: 1 / 2 + u / 2 (1 / 3 + u / 3 (...)) and so on
        series = (series * w + 1) / n
    v = jnp.where(small, 0.5, u)
    return jnp.where(small, w * w * series, jnp.expm1(v) - v)


def expm1_over(u: Any) -> jax.Array:
    """(exp(u) - 1) / u, which is 1 at 0.

    >>> expm1_over(0.0).item(), jax.grad(expm1_over)(0.0).item()
    (1.0, 0.5)
    """
    small = jnp.abs(u) < 0.3
    w = jnp.where(small, u, 0.0)
    series = jnp.ones_like(w)
    for n in range(14, 1, -1):
        series = 1 + series * w / n
    v = jnp.where(small, 1.0, u)
    return jnp.where(small, series, jnp.expm1(v) / v)


def log1p_over(u: Any) -> jax.Array:
    """log(1 + u) / u, which is 1 at 0.

    >>> log1p_over(0.0).item(), jax.grad(log1p_over)(0.0).item()
    (1.0, -0.5)
    """
    small = jnp.abs(u) < 0.1
    w = jnp.where(small, u, 0.0)
    series = jnp.zeros_like(w)
    for n in range(17, 0, -1):
        series = (-1.0) ** (n + 1) / n + w * series
    v = jnp.where(small, 1.0, u)
    return jnp.where(small, series, quotient(jnp.log1p(v), v))


def log_gamma1p(u: Any) -> jax.Array:
    """log Gamma(1 + u), for u > -1 (DLMF 5.7.3).

    >>> abs(log_gamma1p(jnp.float32(-1e-20)).item() / 5.772157e-21 - 1) < 1e-6
    True
    """
    small = jnp.abs(u) < 0.125
    w = jnp.where(small, u, 0.0)
    series = jnp.zeros_like(w)
    for n in range(len(_ZETA) + 1, 1, -1):
        series = (-1.0) ** n * _ZETA[n - 2] / n + w * series
    return jnp.where(small, w * (w * series - np.euler_gamma), gammaln(1 + jnp.where(small, 1.0, u)))


def log_ratio(x: Any, y: Any) -> jax.Array:
    """log(x / y) for x >= 0 and y > 0: to full accuracy where they are near each other, or as far apart as floats go.

    At x = 0 it is -inf without a gradient.

    >>> log_ratio(jnp.float32(1e30), jnp.float32(1e-30)).item() > 138
    True
    """
    return _log_ratio(jnp.asarray(x), jnp.asarray(y))


@custom_rule
def _log_ratio(x: Any, y: Any) -> jax.Array:
    near = (x < 2 * y) & (y < 2 * x)
    return jnp.where(near, jnp.log1p(jnp.where(near, x - y, 0.0) / y), jnp.log(x) - jnp.log(y))


@_log_ratio.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    of_x = jnp.where(x == 0, 0.0, dx / jnp.where(x == 0, 1.0, x))
    return _log_ratio(x, y), of_x - dy / y
