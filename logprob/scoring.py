"""Score together what is alike.

XLA's compile time grows with the number of equations, and 200 scalar sites are 200 times the same few.  Once all
values are known, the sites of one family and shape are scored in one batched call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.effects import Record


class Pieces:
    """Which arrays are consecutive pieces of one: to stack those again, nothing has to be copied."""

    def __init__(self) -> None:
        self._origin: dict[int, tuple[Any, Any, int]] = {}

    def cut(self, flat: jax.Array, shapes: Sequence[tuple[int, ...]]) -> list[jax.Array]:
        """The pieces of a flat array, of these shapes."""
        sizes = [math.prod(shape) for shape in shapes]
        parts = [x.reshape(shape) for x, shape in zip(lax.split(flat, sizes), shapes, strict=True)]
        for part, offset in zip(parts, np.cumsum([0, *sizes]), strict=False):
            self._origin[id(part)] = part, flat, int(offset)
        return parts

    def source(self, x: Any) -> Any:
        """What an array is a piece of; False for a constant, None for anything else."""
        if not isinstance(x, jax.core.Tracer):
            return False
        return id(self._origin[id(x)][1]) if id(x) in self._origin else None

    def stack(self, arrays: Sequence[Any]) -> Any:
        """`jnp.stack(arrays)`."""
        if not any(isinstance(x, jax.core.Tracer) for x in arrays):
            return jnp.asarray(np.stack([np.asarray(x, jnp.result_type(x)) for x in arrays]))
        first = self._origin.get(id(arrays[0]))
        if first is None:
            return jnp.stack(arrays)
        _, flat, begin = first
        shape = jnp.shape(arrays[0])
        size = math.prod(shape)
        for k, x in enumerate(arrays):
            origin = self._origin.get(id(x))
            if origin is None or origin[1] is not flat or origin[2] != begin + k * size:
                return jnp.stack(arrays)
        return flat[begin : begin + len(arrays) * size].reshape(len(arrays), *shape)


def joint(records: Iterable[Record], pieces: Pieces | None = None) -> jax.Array:
    """The sum of all log densities, a scalar."""
    parts = [_total(x) for x in addends(records, pieces)]
    return _total(jnp.stack(parts)) if parts else jnp.zeros(())


def addends(records: Iterable[Record], pieces: Pieces | None = None) -> list[jax.Array]:
    """The log densities in a few arrays, one for sites that are alike."""
    pieces = pieces or Pieces()
    groups: dict[Any, list[Record]] = {}
    inside_of_branches = []  # these were scored there
    for r in records:
        if r.is_mark:
            continue
        if r.log_prob is not None:
            inside_of_branches.append(r.log_prob)
        else:
            groups.setdefault(_kind(r, pieces), []).append(r)
    return inside_of_branches + [_score(alike, pieces) for alike in groups.values()]


def _total(scores: jax.Array) -> jax.Array:
    """The sum; where one is impossible so is the whole, also if another is nan since its parameter is none there."""
    return jnp.where((scores == -jnp.inf).any(), -jnp.inf, jnp.sum(scores))


def _kind(r: Record, pieces: Pieces) -> Any:
    """Equal for sites that can be scored together, and whose arrays come from the same places."""
    site = r.site.replace(name="", dims=(), observed=False)
    return site, tuple((jnp.shape(x), jnp.result_type(x), pieces.source(x)) for x in (r.value, *r.leaves))


def _score(alike: Sequence[Record], pieces: Pieces) -> jax.Array:
    if len(alike) == 1:
        return alike[0].score()
    columns = list(zip(*[(r.value, *r.leaves) for r in alike], strict=True))
    shared = [_all_equal(c) for c in columns]
    operands = [c[0] if s else pieces.stack(c) for c, s in zip(columns, shared, strict=True)]
    if all(shared):
        return len(alike) * alike[0].score()

    def one(value: Any, *leaves: Any) -> Any:
        return alike[0].replace(value=value, leaves=leaves).score()

    return jax.vmap(one, in_axes=tuple(None if s else 0 for s in shared))(*operands)


def _all_equal(column: Sequence[Any]) -> bool:
    """The same array, or equal numbers: such a parameter need not be stacked."""
    first = column[0]
    if all(x is first for x in column):
        return True
    if any(isinstance(x, jax.core.Tracer) or np.ndim(x) for x in column):
        return False
    return all(bool(x == first) for x in column)
