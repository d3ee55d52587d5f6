"""Sets of whole numbers, and of vectors of them."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax.pytrees import static
from storax.supports.base import Support, aligned, array_module, show, whole


class Boolean(Support):
    """0 and 1, of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "boolean"

    def __call__(self, x: Any) -> jax.Array:
        return (x == 0) | (x == 1)


class NonNegativeInteger(Support):
    """0, 1, 2, ..., of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "nonnegative_integer"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & whole(x)


class IntegerInterval(Support):
    """Whole numbers from `low` to `high`, both included."""

    low: Any
    high: Any

    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        low, high, x = aligned(self.low, self.high, x)
        return (x >= low) & (x <= high) & whole(x)

    def safe(self) -> Any:
        return self.low

    def __repr__(self) -> str:
        return f"integers from {show(self.low)} to {show(self.high)}"


class Subset(Support):
    """`size` different whole numbers from 0 to `total - 1`."""

    total: int = static()

    event_dim: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        inside = ((x >= 0) & (x < self.total) & whole(x)).all(-1)
        ordered = array_module(x).sort(x, axis=-1)
        return inside & (ordered[..., 1:] != ordered[..., :-1]).all(-1)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.arange(shape[-1], dtype=dtype), shape)

    def __repr__(self) -> str:
        return f"subset of range({self.total})"
