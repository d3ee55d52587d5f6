"""Triangular and positive definite matrices."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.bijections.base import Bijection, floats
from storax.bijections.cholesky import cholesky, matmul


class FillCholesky(Bijection):
    """From R^(d(d+1)/2) to lower triangular d x d matrices with a positive diagonal, the exp of its coordinates.

    >>> FillCholesky().forward(jnp.array([0.0, 3.0, 0.0])).tolist()
    [[1.0, 0.0], [3.0, 1.0]]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 2

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        d = self.forward_shape(z.shape)[-1]
        rows, columns = np.tril_indices(d)
        on_diagonal = rows == columns
        info = jnp.finfo(z.dtype)
        entries = jnp.where(
            on_diagonal.reshape((1,) * (z.ndim - 1) + (-1,)), jnp.clip(jnp.exp(z), info.tiny, info.max), z
        )
        x = jnp.zeros((*z.shape[:-1], d, d), z.dtype).at[..., rows, columns].set(entries)
        return x, jnp.sum(z[..., on_diagonal], -1)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        rows, columns = np.tril_indices(x.shape[-1])
        entries = x[..., rows, columns]
        on_diagonal = (rows == columns).reshape((1,) * (entries.ndim - 1) + (-1,))
        return jnp.where(on_diagonal, jnp.log(jnp.where(on_diagonal, entries, 1.0)), entries)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        d = (math.isqrt(8 * shape[-1] + 1) - 1) // 2
        return (*shape[:-1], d, d)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] + 1) // 2)


class CholeskyToMatrix(FillCholesky):
    """From R^(d(d+1)/2) to symmetric positive definite matrices, L L^T with L of `FillCholesky`.

    Where that would be singular after rounding, the diagonal is longer by `nugget`.
    d(L L^T)/dL has determinant 2^d prod_i L_ii^(d - i + 1), i = 1..d (Stan reference manual, "covariance matrices").
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        factor, log_det = super().forward_and_log_det(z)
        d = factor.shape[-1]
        powers = jnp.asarray(np.arange(d, 0, -1), factor.dtype)
        logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
        of_product = jnp.sum(logs * jnp.broadcast_to(powers, logs.shape), -1) + d * math.log(2.0)
        length = jnp.sqrt(jnp.square(factor).sum(-1, keepdims=True))
        gain = 1 + nugget(factor / length) * jnp.broadcast_to(jnp.eye(d, dtype=factor.dtype), factor.shape)
        return matmul(factor, factor.mT) * gain, log_det + of_product

    def inverse(self, x: jax.Array) -> jax.Array:
        return super().inverse(cholesky(floats(x)))


def nugget(factor: jax.Array) -> jax.Array:
    """What the diagonal of L L^T must gain, relative to itself, so that rounding does not make it singular: 0 but for
    extreme L, given with rows of length 1.  Cholesky's algorithm succeeds if the smallest eigenvalue is above about
    (d + 1) eps (Higham 2002, theorem 10.7), and it is at least 1 / |L^-1|^2.  `[..., 1, 1]`."""
    d = factor.shape[-1]
    factor = lax.stop_gradient(factor)
    identity = jnp.broadcast_to(jnp.eye(d, dtype=factor.dtype), factor.shape)
    squares = jnp.square(lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True))
    smallest = 1 / squares.sum((-2, -1), keepdims=True)
    needed = 2 * (d + 2) * jnp.finfo(factor.dtype).eps
    return jnp.where(smallest >= 0, jnp.maximum(needed - smallest, 0.0), needed)  # it is nan after an overflow
