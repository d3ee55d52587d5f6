"""Sets of vectors with an order, a sum or a length."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax.supports.base import Support, array_module


class Ordered(Support):
    """Vectors of finite numbers, each above the one before."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "ordered"

    def __call__(self, x: Any) -> jax.Array:
        return (x[..., 1:] > x[..., :-1]).all(-1) & array_module(x).isfinite(x).all(-1)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.arange(1, shape[-1] + 1, dtype=dtype), shape)


class PositiveOrdered(Ordered):
    """Vectors of finite numbers above 0, each above the one before."""

    text: ClassVar[str] = "positive_ordered"

    def __call__(self, x: Any) -> jax.Array:
        return super().__call__(x) & (x > 0).all(-1)
