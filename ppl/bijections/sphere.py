"""The sphere."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection, floats


class Stereographic(Bijection):
    """From R^(n-1) to vectors of n numbers of length 1: all of the sphere but the point (0, ..., 0, -1).

    The line from that point through (z, 0) meets the sphere at x = (2 z, 1 - |z|^2) / (1 + |z|^2).  Its surface is
    stretched by 2 / (1 + |z|^2) in each of n - 1 directions; the log-determinant is that of surface.

    >>> Stereographic().forward(jnp.array([0.0, 1.0])).tolist()
    [0.0, 1.0, 0.0]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        largest = jnp.sqrt(jnp.finfo(z.dtype).max) / z.shape[-1]  # whose square is no overflow
        z = jnp.clip(z, -largest, largest)
        square = jnp.square(z).sum(-1, keepdims=True)
        scale = 2 / (1 + square)
        last = jnp.where(square < 1, 1 - square, 1 / jnp.maximum(square, 1.0) - 1) / jnp.where(
            square < 1, 1 + square, 1 / jnp.maximum(square, 1.0) + 1
        )
        return jnp.concatenate([z * scale, last], -1), z.shape[-1] * (math.log(2.0) - jnp.log1p(square[..., 0]))

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        rest, last = x[..., :-1], x[..., -1:]
        square = jnp.square(rest).sum(-1, keepdims=True)
        # 1 + last, from the other numbers where last is near -1: 1 - last^2 = square.
        safe = jnp.where(last < 0, last, 0.0)
        above = jnp.where(last < 0, square / (1 - safe), 1 + last)
        return rest / jnp.maximum(above, jnp.finfo(x.dtype).tiny)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)
