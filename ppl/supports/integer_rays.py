"""Whole numbers from one on, or up to one."""

from __future__ import annotations

from typing import Any, ClassVar

import jax

from storax.supports.base import Support, aligned, show, whole


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
        return f"integers from {show(self.low)}"


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
