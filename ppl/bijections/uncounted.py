"""The way of a parameter to its support."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection
from storax.pytrees import static


class Uncounted(Bijection):
    """`base` with log-determinant 0, all `rank` axes of x one value: no density, no change of variables."""

    base: Bijection
    rank: int = static()

    @property
    def x_event_dim(self) -> int:  # type: ignore[override]
        return self.rank

    @property
    def z_event_dim(self) -> int:  # type: ignore[override]
        return self.rank - self.base.x_event_dim + self.base.z_event_dim

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self.base.forward(z), jnp.zeros(z.shape[: z.ndim - self.z_event_dim], z.dtype)

    def inverse(self, x: jax.Array) -> jax.Array:
        return self.base.inverse(x)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base.forward_shape(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base.inverse_shape(shape)
