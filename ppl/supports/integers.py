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


class Integer(Support):
    """Whole numbers of either sign, of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "integer"

    def __call__(self, x: Any) -> jax.Array:
        return whole(x)


class PositiveInteger(Support):
    """1, 2, 3, ..., of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "positive_integer"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 1) & whole(x)

    def safe(self) -> Any:
        return 1.0


class IntegerGreaterThan(Support):
    """Whole numbers from `low` on, `low` included."""

    low: Any

    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        low, x = aligned(self.low, x)
        return (x >= low) & whole(x)

    def safe(self) -> Any:
        return self.low

    def __repr__(self) -> str:
        return f"integers from {show(self.low)} on"


class IntegerLessThan(Support):
    """Whole numbers up to `high`, `high` included."""

    high: Any

    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        high, x = aligned(self.high, x)
        return (x <= high) & whole(x)

    def safe(self) -> Any:
        return self.high

    def __repr__(self) -> str:
        return f"integers up to {show(self.high)}"


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


class Multinomial(Support):
    """Vectors of counts that sum to `total`."""

    total: Any

    event_dim: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        total, counted = aligned(self.total, x.sum(-1))
        return ((x >= 0) & whole(x)).all(-1) & (counted == total)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        total = jnp.broadcast_to(jnp.asarray(self.total, dtype), shape[:-1])
        return jnp.where(jnp.arange(shape[-1]) == 0, total[..., None], jnp.zeros(shape, dtype))

    def __repr__(self) -> str:
        return f"counts that sum to {show(self.total)}"


class Exactly(Support):
    """One value and no other, whole or not; its shape broadcasts to the value's."""

    value: Any

    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        value, x = aligned(self.value, x)
        return x == value

    def safe(self) -> Any:
        return self.value

    def __repr__(self) -> str:
        return f"exactly {show(self.value)}"
