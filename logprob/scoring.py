"""Score together what is alike.

XLA's compile time grows with the number of equations, and 200 scalar sites are 200 times the same few.  Once all
values are known, the sites of one family and shape are scored in one batched call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.effects import Record


def joint(records: Iterable[Record]) -> jax.Array:
    """The sum of all log densities, a scalar."""
    return sum(scores(records), start=jnp.zeros(()))


def scores(records: Iterable[Record]) -> list[jax.Array]:
    """The log densities in a few sums, one for sites that are alike."""
    groups: dict[Any, list[Record]] = {}
    inside_of_branches = []  # these were scored there
    for r in records:
        if r.is_mark:
            continue
        if r.log_prob is not None:
            inside_of_branches.append(jnp.sum(r.log_prob))
        else:
            groups.setdefault(_kind(r), []).append(r)
    return inside_of_branches + [_score(alike) for alike in groups.values()]


def _kind(r: Record) -> Any:
    site = r.site.replace(name="", dims=(), observed=False)
    return site, tuple((jnp.shape(x), jnp.result_type(x)) for x in (r.value, *r.leaves))


def _score(alike: Sequence[Record]) -> jax.Array:
    if len(alike) == 1:
        return jnp.sum(alike[0].score())
    columns = list(zip(*[(r.value, *r.leaves) for r in alike], strict=True))
    shared = [_all_equal(c) for c in columns]
    operands = [c[0] if s else jnp.stack(c) for c, s in zip(columns, shared, strict=True)]
    if all(shared):
        return len(alike) * jnp.sum(alike[0].score())

    def one(value: Any, *leaves: Any) -> Any:
        return alike[0].replace(value=value, leaves=leaves).score()

    return jnp.sum(jax.vmap(one, in_axes=tuple(None if s else 0 for s in shared))(*operands))


def _all_equal(column: Sequence[Any]) -> bool:
    """The same array, or equal numbers: such a parameter need not be stacked."""
    first = column[0]
    if all(x is first for x in column):
        return True
    if any(isinstance(x, jax.core.Tracer) or np.ndim(x) for x in column):
        return False
    return all(bool(x == first) for x in column)
