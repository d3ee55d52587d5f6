"""Numbers that were cut off at a bound."""

from __future__ import annotations

from typing import Any

import jax

from storax.supports.base import Support


class Clipped(Support):
    """A closed set of numbers whose ends have a probability of their own: there is no density, and no way to R^n."""

    base: Support

    def __call__(self, x: Any) -> jax.Array:
        return self.base(x)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return self.base.feasible(shape, dtype)

    def __repr__(self) -> str:
        return f"clipped to {self.base!r}"
