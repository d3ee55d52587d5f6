"""Integrals of a tail, by Gauss-Legendre quadrature over the window in which it has not yet died away.

The integrand is exp(-E(s)) with E(0) = 0, so that its logarithm never underflows: what is far out is a factor, known in
logarithms.  Nodes and weights are constants; derivatives are those of the integrand, at full accuracy.
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
