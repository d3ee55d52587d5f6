"""Correlation matrices and their Cholesky factors."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.bijections.base import Bijection, floats
from storax.bijections.cholesky import cholesky, matmul
from storax.bijections.matrices import nugget


class CorrelationFactor(Bijection):
    """From R^(d(d-1)/2) to lower triangular d x d matrices with a positive diagonal and rows of length 1.

    Row i is (sinh z_i1, ..., sinh z_i,i-1, 1) divided by its length; for one z it is (tanh z, 1 / cosh z), as Stan's.
    The inverse is arcsinh(L_ij / L_ii): unlike with products of tanh, no digit is lost far out, in any dimension, and
    the coordinates of a row are exchangeable.  With n the length, the row's Jacobian has the determinant
    n^-(i + 1) prod_j cosh z_ij: that of the projection from the centre onto a sphere, times that of sinh.

    >>> CorrelationFactor().forward(jnp.array([0.0])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 2

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        d = self.forward_shape(z.shape)[-1]
        rows, columns = np.tril_indices(d, -1)
        lower = jnp.zeros((*z.shape[:-1], d, d), z.dtype).at[..., rows, columns].set(z)
        # Everything in a row is divided by exp(top): sinh(50) squared is no float32.
        top = lax.stop_gradient(jnp.abs(lower).max(-1, keepdims=True))
        shrunk = jnp.exp(-top)
        small = jnp.abs(lower) < 1
        of_small = jnp.sinh(jnp.where(small, lower, 0.0)) * shrunk
        size = jnp.where(small, 1.0, jnp.abs(lower))
        of_large = 0.5 * jnp.sign(lower) * (jnp.exp(size - top) - jnp.exp(-size - top))
        parts = jnp.where(small, of_small, of_large)
        squares = jnp.square(parts).sum(-1, keepdims=True)
        length = jnp.sqrt(jnp.square(shrunk) + squares)
        tiny = jnp.finfo(z.dtype).tiny
        identity = jnp.broadcast_to(jnp.eye(d, dtype=z.dtype), lower.shape)
        x = parts / length + identity * jnp.maximum(shrunk / length, tiny)
        log_length = (top + jnp.log(length))[..., 0]
        powers = jnp.broadcast_to(jnp.asarray(np.arange(d) + 2.0, z.dtype), log_length.shape)
        log_cosh = jnp.abs(z) + jnp.log1p(jnp.exp(-2 * jnp.abs(z))) - math.log(2.0)
        # The first row has no z and length 1.
        return x, log_cosh.sum(-1) - (powers * log_length)[..., 1:].sum(-1)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        rows, columns = np.tril_indices(x.shape[-1], -1)
        return jnp.arcsinh(x[..., rows, columns] / x[..., rows, rows])

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        d = (1 + math.isqrt(8 * shape[-1] + 1)) // 2
        return (*shape[:-1], d, d)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)


class FactorToCorrelation(CorrelationFactor):
    """From R^(d(d-1)/2) to d x d correlation matrices, L L^T with L of `CorrelationFactor`.

    Where that would be singular after rounding, it is smaller off the diagonal by `nugget`.
    d(L L^T)/dL has the determinant prod_i L_ii^(d - i), i = 1..d, in the entries below the diagonals.

    >>> FactorToCorrelation().forward(jnp.array([0.0])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        factor, log_det = super().forward_and_log_det(z)
        d = factor.shape[-1]
        powers = jnp.asarray(np.arange(d - 1, -1, -1), factor.dtype)
        logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
        of_product = jnp.sum(logs * jnp.broadcast_to(powers, logs.shape), -1)
        identity = jnp.broadcast_to(jnp.eye(d, dtype=factor.dtype), factor.shape)
        product = matmul(factor, factor.mT) * (1 - nugget(factor))
        return product * (1 - identity) + identity, log_det + of_product

    def inverse(self, x: jax.Array) -> jax.Array:
        return super().inverse(cholesky(floats(x)))
