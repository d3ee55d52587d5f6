"""The simplex."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, floats


class StickBreaking(Bijection):
    """From R^(K-1) to vectors of K positive numbers that sum to 1 (Stan reference manual, "unit simplex").

    Piece k is the fraction sigmoid(z_k - log(K - k)) of what is left of the stick; z = 0 gives equal pieces.

    >>> StickBreaking().forward(jnp.zeros(3)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        odds = z - self._offset(z.shape, z.dtype)
        log_taken, log_left = jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds)
        total_left = jnp.cumsum(log_left, -1)
        nothing = jnp.zeros((*z.shape[:-1], 1), z.dtype)
        before = jnp.concatenate([nothing, total_left], -1)
        log_x = before + jnp.concatenate([log_taken, nothing], -1)
        x = jnp.maximum(jnp.exp(log_x), jnp.finfo(z.dtype).tiny)
        return x, jnp.sum(log_x[..., :-1] + log_left, -1)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        left = jnp.flip(jnp.cumsum(jnp.flip(x, -1), -1), -1)[..., 1:]  # summed from the last: no cancellation
        z = jnp.log(x[..., :-1]) - jnp.log(left)
        return z + self._offset(z.shape, z.dtype)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)

    @staticmethod
    def _offset(shape: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(np.log(np.arange(shape[-1], 0, -1)), dtype), shape)
