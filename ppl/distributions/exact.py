"""What rounding takes from a product or a quotient, so that a difference after it does not magnify that.

Gamma(1e8, 1e8) has its mode at 1, where rate * x - concentration is what counts: a float32 product is off by 4 there.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# dtype -> bits of the exponent, and of the upper half of the mantissa
_HALVES: dict[Any, tuple[int, int]] = {np.dtype("float32"): (8, 11), np.dtype("float64"): (11, 25)}


def lost_by_product(x: jax.Array, y: jax.Array) -> jax.Array:
    """x y - fl(x y), itself exact (Dekker 1971); 0 where it is out of range, and in half precision.  No gradient.

    >>> x = jnp.float32(1 + 2**-20)
    >>> lost_by_product(x, x).item() == 2.0**-40
    True
    """
    x, y = (lax.stop_gradient(jnp.asarray(v)) for v in (x, y))
    product = x * y
    halves = _HALVES.get(product.dtype)
    if halves is None:
        return jnp.zeros_like(product)
    (a, b), (c, d) = (_split(v.astype(product.dtype), *halves) for v in (x, y))
    lost = ((a * c - product) + a * d + b * c) + b * d
    return jnp.where(jnp.isfinite(lost), lost, 0.0)


def lost_by_quotient(x: jax.Array, y: jax.Array) -> jax.Array:
    """x / y - fl(x / y), to rounding; without a gradient."""
    x, y = (lax.stop_gradient(jnp.asarray(v)) for v in (x, y))
    ratio = x / y
    lost = ((x - ratio * y) - lost_by_product(ratio, y)) / y
    return jnp.where(jnp.isfinite(lost), lost, 0.0)


def _split(x: jax.Array, exponent: int, mantissa: int) -> tuple[jax.Array, jax.Array]:
    """Two numbers of half the digits whose sum is x: products of such are exact."""
    upper = lax.reduce_precision(x, exponent, mantissa)
    return upper, x - upper
