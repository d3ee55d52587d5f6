"""The simplex, by its isometric logarithms."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, floats
from storax.bijections.zero_sum import ZeroSumIsometry


class IsometricSimplex(Bijection):
    """From R^(K-1) to vectors of K positive numbers that sum to 1: the softmax of a vector with sum 0.

    The inverse is the isometric log-ratio transform (Egozcue et al. 2003): distances in R^(K-1) are distances of
    centred logarithms, and no entry is treated apart, as the first one is by `StickBreaking`.

    >>> IsometricSimplex().forward(jnp.zeros(3)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_x = jax.nn.log_softmax(ZeroSumIsometry().forward(z), -1)
        x = jnp.maximum(jnp.exp(log_x), jnp.finfo(log_x.dtype).tiny)
        return x, log_x.sum(-1) + 0.5 * np.log(log_x.shape[-1])

    def inverse(self, x: jax.Array) -> jax.Array:
        log_x = jnp.log(floats(x))
        return ZeroSumIsometry().inverse(log_x - log_x.mean(-1, keepdims=True))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)
