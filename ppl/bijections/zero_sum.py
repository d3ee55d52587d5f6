"""Arrays whose sums are zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection, floats
from storax.pytrees import static


class ZeroSumIsometry(Bijection):
    """From R^(n-1) to vectors of n numbers with sum 0, along each of the last `count` axes; lengths are kept.

    The reflection that swaps the last unit vector and (1, ..., 1) / sqrt(n) takes (z, 0) there.

    >>> round(ZeroSumIsometry().forward(jnp.array([3.0, 4.0])).sum().item(), 4)
    0.0
    """

    count: int = static(default=1)

    @property
    def z_event_dim(self) -> int:  # type: ignore[override]
        return self.count

    @property
    def x_event_dim(self) -> int:  # type: ignore[override]
        return self.count

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = z = floats(z)
        for axis in range(-self.count, 0):
            n = x.shape[axis] + 1
            total = x.sum(axis, keepdims=True)
            shift = total / (n**0.5 + n)
            x = jnp.concatenate([x - shift, -total / n**0.5], axis)
        return x, jnp.zeros(z.shape[: z.ndim - self.count], z.dtype)

    def inverse(self, x: jax.Array) -> jax.Array:
        z = floats(x)
        for axis in range(-self.count, 0):
            n = z.shape[axis]
            rest, last = jnp.split(z, [n - 1], axis)
            z = rest - last / (n**0.5 + 1)
        return z

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: -self.count], *(n + 1 for n in shape[-self.count :]))

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: -self.count], *(n - 1 for n in shape[-self.count :]))
