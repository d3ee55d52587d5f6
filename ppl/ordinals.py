"""Floats as whole numbers in the same order: neighbours differ by one, whatever their size.

Numbers below the smallest normal one count as 0, because XLA flushes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_WHOLE = {2: jnp.int16, 4: jnp.int32, 8: jnp.int64}


def _offset(dtype: Any) -> Any:
    """Bits of the largest number that counts as 0."""
    return np.asarray(jnp.finfo(dtype).tiny, dtype).view(_WHOLE[jnp.dtype(dtype).itemsize]) - 1


def ordinal(x: jax.Array) -> jax.Array:
    """The place of x among the floats of its dtype: 0 for 0, 1 for the smallest normal number, -1 for minus that.

    >>> ordinal(jnp.array([0.0, jnp.finfo(jnp.float32).tiny])).tolist()
    [0, 1]
    """
    bits = lax.bitcast_convert_type(jnp.abs(x), _WHOLE[x.dtype.itemsize])
    place = jnp.maximum(bits - _offset(x.dtype), 0)
    return jnp.where(x < 0, -place, place)


def at_ordinal(place: jax.Array, dtype: Any) -> jax.Array:
    """The float of this dtype at a place: the inverse of `ordinal`.

    >>> at_ordinal(ordinal(jnp.array(2.5)), jnp.float32).item()
    2.5
    """
    bits = jnp.where(place == 0, 0, jnp.abs(place) + _offset(dtype))
    size = lax.bitcast_convert_type(bits.astype(_WHOLE[jnp.dtype(dtype).itemsize]), dtype)
    return jnp.where(place < 0, -size, size)


def strictly_increasing(x: jax.Array) -> jax.Array:
    """x with every entry of the last axis that is not above the one before moved to the next float; finite.

    >>> strictly_increasing(jnp.array([1.0, 1.0, 3.0])).tolist()
    [1.0, 1.0000001192092896, 3.0]
    """
    n, top = x.shape[-1], ordinal(jnp.asarray(jnp.finfo(x.dtype).max))
    place = ordinal(lax.stop_gradient(x))
    k = jnp.broadcast_to(jnp.arange(n, dtype=place.dtype), place.shape)
    room = jnp.clip(place - k, -top, top - (n - 1))  # the last must still find a finite number
    moved = at_ordinal(lax.cummax(room, axis=x.ndim - 1) + k, x.dtype)
    return jnp.where(moved == x, x, moved)


def smallest(holds: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array) -> jax.Array:
    """The smallest float x above `low`, up to `high`, at which `holds(x)`; `high` if there is none below.

    Args:
        holds: a condition, entry by entry, that is False up to some x and True from there on.
        low: of one shape and dtype with `high`; may be infinite.

    >>> smallest(lambda x: 3 * x >= 6.0, jnp.array(0.0), jnp.array(jnp.inf)).item()
    2.0
    """
    low, high = lax.stop_gradient(low), lax.stop_gradient(high)

    def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        a, b = ends
        middle = (a >> 1) + (b >> 1) + (a & b & 1)
        found = holds(at_ordinal(middle, low.dtype))
        return jnp.where(found, a, middle), jnp.where(found, middle, b)

    _, place = lax.fori_loop(0, 8 * low.dtype.itemsize + 1, halve, (ordinal(low), ordinal(high)))
    return at_ordinal(place, low.dtype)
