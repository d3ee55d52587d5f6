"""Sets of one number at a time."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.supports.base import Support, aligned, array_module, show


class Real(Support):
    """Finite numbers."""

    text: ClassVar[str] = "real"

    def __call__(self, x: Any) -> jax.Array:
        return array_module(x).isfinite(x)


class Positive(Support):
    """Finite numbers above 0."""

    text: ClassVar[str] = "positive"

    def __call__(self, x: Any) -> jax.Array:
        return (x > 0) & array_module(x).isfinite(x)

    def safe(self) -> Any:
        return 1.0


class NonNegative(Support):
    """Finite numbers, 0 included."""

    text: ClassVar[str] = "nonnegative"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & array_module(x).isfinite(x)

    def safe(self) -> Any:
        return 1.0


class UnitInterval(Support):
    """From 0 to 1, both included."""

    text: ClassVar[str] = "unit_interval"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & (x <= 1)

    def safe(self) -> Any:
        return 0.5


class Interval(Support):
    """From `low` to `high`, both included; their shapes broadcast to the value's."""

    low: Any
    high: Any

    def __call__(self, x: Any) -> jax.Array:
        low, high, x = aligned(self.low, self.high, x)
        return (x >= low) & (x <= high)

    def safe(self) -> Any:
        low, high = aligned(self.low, self.high)
        return low + (high - low) / 2

    def __repr__(self) -> str:
        return f"interval({show(self.low)}, {show(self.high)})"


class Between(Support):
    """Finite numbers from `low` to `high`, both included, either of which may be infinite in any part of the batch."""

    low: Any
    high: Any

    def __call__(self, x: Any) -> jax.Array:
        low, high, x = aligned(self.low, self.high, x)
        return (x >= low) & (x <= high) & array_module(x).isfinite(x)

    def safe(self) -> Any:
        low, high = aligned(self.low, self.high)
        a, b = jnp.where(jnp.isinf(low), jnp.where(jnp.isinf(high), 0.0, high - 2.0), low), jnp.isinf(high)
        return a + 0.5 * (jnp.where(b, a + 2.0, high) - a)

    def __repr__(self) -> str:
        return f"between({show(self.low)}, {show(self.high)})"


class GreaterThan(Support):
    """Finite numbers from `low` on, `low` included; its shape broadcasts to the value's."""

    low: Any

    def __call__(self, x: Any) -> jax.Array:
        low, x = aligned(self.low, x)
        return (x >= low) & array_module(x).isfinite(x)

    def safe(self) -> Any:
        return self.low + 1.0

    def __repr__(self) -> str:
        return f"greater_than({show(self.low)})"


class LessThan(Support):
    """Finite numbers up to `high`, `high` included; its shape broadcasts to the value's."""

    high: Any

    def __call__(self, x: Any) -> jax.Array:
        high, x = aligned(self.high, x)
        return (x <= high) & array_module(x).isfinite(x)

    def safe(self) -> Any:
        return self.high - 1.0

    def __repr__(self) -> str:
        return f"less_than({show(self.high)})"


class Circular(Support):
    """Angles from -pi to pi."""

    text: ClassVar[str] = "circular"

    def __call__(self, x: Any) -> jax.Array:
        return abs(x) <= np.pi + 4 * jnp.finfo(x.dtype).eps
