"""Rules for integrals: Gauss's over an interval and over a tail, and one for functions that fall like exp(-v).

Nodes and weights are constants; derivatives are those of the integrand, at full accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_NODES = {"float64": 48, "float32": 24}


def depth(dtype: Any) -> float:
    """E of what is too small to count: exp(-E) is below the rounding of this dtype.

    >>> round(depth(jnp.float32), 1)
    17.9
    """
    return -float(np.log(float(jnp.finfo(dtype).eps))) + 2.0


def log_integral(exponent: Callable[[jax.Array], jax.Array], width: Any) -> jax.Array:
    """log of the integral of exp(-E(s)) over 0 <= s <= width, for an elementwise E that is smooth on that scale.

    With E(0) = 0 its logarithm never underflows: what is far out is a factor, known in logarithms.

    Args:
        exponent: E, of arrays of the shape of `width`.
        width: positive; it gets no gradient, as the integrand has died away there.

    >>> round(log_integral(lambda s: s, jnp.float32(30.0)).item(), 5)
    0.0
    """
    width = lax.stop_gradient(jnp.asarray(width))
    return jnp.log(jnp.maximum(_mean(exponent, width), jnp.finfo(width.dtype).tiny)) + jnp.log(width)


def _mean(exponent: Callable[[jax.Array], jax.Array], width: jax.Array) -> jax.Array:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES.get(str(width.dtype), 24))

    def at(node: jax.Array, weight: jax.Array) -> jax.Array:
        return weight * jnp.exp(-exponent(width * node))

    places = jnp.asarray(0.5 * (1 + nodes), width.dtype), jnp.asarray(0.5 * weights, width.dtype)
    return jnp.sum(jax.vmap(at)(*places), 0)


# v = exp(u - exp(-u)) takes such an integral to the trapezoidal rule (Takahasi & Mori 1974): 65 points are enough for
# 1e-13, every second of them for float32.
_U = np.linspace(-3.5, 4.2, 65)
_V = np.exp(_U - np.exp(-_U))
_LOG_WEIGHT = np.log((_U[1] - _U[0]) * _V * (1 + np.exp(-_U)))


def exponential_rule(step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Points `[*step.shape, n]` and logarithms of weights, for functions that fall like exp(-v / step).

    >>> v, log_weight = exponential_rule(jnp.float32(3.0))
    >>> round(jnp.sum(jnp.exp(log_weight - v / 3.0)).item(), 5)
    3.0
    """
    every = 1 if step.dtype == jnp.float64 else 2
    step = step[..., None]
    return step * _last(_V[::every], step), jnp.log(step) + _last(_LOG_WEIGHT[::every] + np.log(every), step)


def gauss_rule(low: jax.Array, width: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """Gauss's points `[*low.shape, n]` between low and low + width, and weights that sum to 1, `[1, ..., n]`.

    >>> x, weight = gauss_rule(jnp.float32(1.0), jnp.float32(2.0), 3)
    >>> round(jnp.sum(weight * x**2).item(), 5)  # the mean of x^2 over [1, 3] is 13 / 3
    4.33333
    """
    nodes, weights = np.polynomial.legendre.leggauss(n)
    low, width = low[..., None], width[..., None]
    return low + width * _last(0.5 + 0.5 * nodes, low), _last(0.5 * weights, low)


def _last(numbers: np.ndarray, like: jax.Array) -> jax.Array:
    """Numbers along the last axis of an array that has one for them."""
    return jnp.asarray(numbers, like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))
