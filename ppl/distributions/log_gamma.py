"""log Gamma and its slope for positive numbers, at the price of one logarithm and two divisions.

JAX's own serve the negative numbers too, and cost thirty logarithms, their slope a hundred.  In 64 bits they are used
as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma as digamma_of_jax
from jax.scipy.special import gammaln

from storax.rules import custom_rule

HALF_LOG_TWO_PI = 0.5 * math.log(2 * np.pi)
LARGE = 10.0  # from here on four terms of Stirling's series are enough for float64

# log Gamma(1 + u) / (u (u - 1)) on [0, LARGE], where it is smooth: the best ratio of polynomials, off by 3e-9 of it.
_ABOVE = (0.577215663181, 0.851353509493, 0.373603339717, 0.0526355514437, 0.00181217750401, 3.28154675854e-6)
_BELOW = (1.0, 1.89981803072, 1.18517946542, 0.282633209756, 0.0233302288851, 0.000458927847026)


def stirling_remainder(a: Any) -> jax.Array:
    """log Gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2), for a >= 10."""
    r = 1 / a
    s = r * r
    return r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s / 1680)))


def log_minus_digamma(a: Any) -> jax.Array:
    """log a - digamma(a), for a >= 10 (DLMF 5.11.2)."""
    r = 1 / a
    s = r * r
    return r * (1 / 2 + r * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132)))))


@custom_rule
def log_gamma(a: Any) -> jax.Array:
    """log Gamma(a) for a >= 0; nan below.

    >>> bool(abs(log_gamma(jnp.float32(5.0)) - np.log(24.0)) < 1e-6)
    True
    """
    if a.dtype == jnp.float64:
        return jnp.where(a >= 0, gammaln(a), jnp.nan)
    b = a.astype(jnp.float32)
    large = b > LARGE
    big, small = jnp.where(large, b, LARGE), jnp.where(large, 1.0, b)
    of_large = (big - 0.5) * (jnp.log(big) - 1) + (HALF_LOG_TWO_PI - 0.5) + stirling_remainder(big)
    return jnp.where(large, of_large, _log_factorial(small) - jnp.log(small)).astype(a.dtype)


@log_gamma.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return log_gamma(*primals), digamma(*primals) * tangents[0]


def digamma(a: Any) -> jax.Array:
    """The slope of `log_gamma`.

    >>> abs(digamma(jnp.float32(1.0)).item() + np.euler_gamma) < 1e-6
    True
    """
    if a.dtype == jnp.float64:
        return jnp.where(a >= 0, digamma_of_jax(a), jnp.nan)
    b = a.astype(jnp.float32)
    large = b > LARGE
    big, small = jnp.where(large, b, LARGE), jnp.where(large, 1.0, jnp.where(b >= 0, b, jnp.nan))
    of_large = jnp.log(big) - log_minus_digamma(big)
    return jnp.where(large, of_large, _slope_of_log_factorial(small) - 1 / small).astype(a.dtype)


@custom_rule
def log_factorial(u: Any) -> jax.Array:
    """log Gamma(1 + u) for 0 <= u <= LARGE, right to the last digits next to 0, too."""
    if u.dtype == jnp.float64:
        return gammaln(1 + u)
    return _log_factorial(u.astype(jnp.float32)).astype(u.dtype)


@log_factorial.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return log_factorial(*primals), slope_of_log_factorial(*primals) * tangents[0]


def slope_of_log_factorial(u: Any) -> jax.Array:
    """digamma(1 + u) for 0 <= u <= LARGE."""
    if u.dtype == jnp.float64:
        return digamma_of_jax(1 + u)
    return _slope_of_log_factorial(u.astype(jnp.float32)).astype(u.dtype)


def _log_factorial(u: jax.Array) -> jax.Array:
    return u * (u - 1) * (_horner(_ABOVE, u) / _horner(_BELOW, u))


def _slope_of_log_factorial(u: jax.Array) -> jax.Array:
    below = _horner(_BELOW, u)
    ratio = _horner(_ABOVE, u) / below
    slope = (_horner(_derivative(_ABOVE), u) - ratio * _horner(_derivative(_BELOW), u)) / below
    return (2 * u - 1) * ratio + u * (u - 1) * slope


def _horner(coefficients: Sequence[float], u: jax.Array) -> jax.Array:
    """The polynomial with these coefficients, that of 1 first."""
    total = jnp.zeros_like(u)
    for c in coefficients[::-1]:
        total = total * u + c
    return total


def _derivative(coefficients: Sequence[float]) -> list[float]:
    return [n * c for n, c in enumerate(coefficients)][1:]
