"""Many small matrices, kept with the axes of the matrix in front: `[d, k, ...]`.

Each operation is then one on long vectors, entry by entry, where a program for one matrix would be called 1e5 times:
on a CPU, products of 1e5 4 x 4 matrices take 40 times as long with the axes behind.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

SIZE = 8  # of the matrices; programs grow with its cube
COUNT = 64  # of the matrices


def are_many(*arrays: Any) -> bool:
    """Are these small matrices `[..., d, k]`, and many of each?"""
    shapes = [jnp.shape(x) for x in arrays]
    return all(len(s) > 2 and max(s[-2:]) <= SIZE and math.prod(s[:-2]) >= COUNT for s in shapes)


def in_front(x: jax.Array) -> jax.Array:
    """`[..., d, k]` to `[d, k, ...]`."""
    return jnp.moveaxis(x, (-2, -1), (0, 1))


def behind(x: jax.Array) -> jax.Array:
    """`[d, k, ...]` to `[..., d, k]`."""
    return jnp.moveaxis(x, (0, 1), (-2, -1))


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """A B."""
    return sum((a[:, k, None] * b[None, k] for k in range(1, a.shape[1])), a[:, 0, None] * b[None, 0])


def transpose(a: jax.Array) -> jax.Array:
    return jnp.swapaxes(a, 0, 1)


def settle(a: jax.Array) -> jax.Array:
    """A, computed once: XLA would compute it anew for each entry that is computed from it, and so on, ten times over.

    No value of a branch is fused with what comes after it; the condition is true, which the compiler is not told.
    """
    return lax.cond(lax.optimization_barrier(jnp.array(True)), lambda a: a, lambda a: jnp.full_like(a, jnp.nan), a)


def size(a: jax.Array) -> int:
    return len(a)


def weigh(a: jax.Array, weights: np.ndarray) -> jax.Array:
    """A times the weights of its entries, `[d, k]`."""
    return a * jnp.asarray(weights, a.dtype).reshape(a.shape[:2] + (1,) * (a.ndim - 2))


def where_positive(factor: jax.Array, other: jax.Array) -> jax.Array:
    """The first where its diagonal is positive, else the other."""
    positive = jnp.stack([factor[i, i] > 0 for i in range(len(factor))]).all(0)
    return jnp.where(positive[None, None], factor, other)


def solve(factor: jax.Array, x: jax.Array) -> jax.Array:
    """L^-1 X, L lower triangular."""
    rows: list[jax.Array] = []
    for i in range(len(factor)):
        rest = x[i]
        for j, row in enumerate(rows):
            rest = rest - factor[i, j][None] * row
        rows.append(rest / factor[i, i][None])
    return jnp.stack(rows)


def cholesky(a: jax.Array) -> jax.Array:
    """The lower triangular factor; nan where A is not positive definite."""
    d = len(a)
    zero = jnp.zeros_like(a[0, 0])
    rows = [[zero] * d for _ in range(d)]
    for j in range(d):
        for i in range(j, d):
            rest = a[i, j]
            for k in range(j):
                rest = rest - rows[i][k] * rows[j][k]
            rows[i][j] = jnp.sqrt(rest) if i == j else rest / rows[j][j]
    factor = jnp.stack([jnp.stack(row) for row in rows])
    return where_positive(factor, jnp.full_like(factor, jnp.nan))
