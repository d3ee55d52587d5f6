"""Complex numbers, and numbers that may be infinite."""

from __future__ import annotations

from typing import Any, ClassVar

import jax

from storax.supports.base import Support, array_module


class Complex(Support):
    """Finite complex numbers."""

    text: ClassVar[str] = "complex"

    def __call__(self, x: Any) -> jax.Array:
        return array_module(x).isfinite(x)


class ExtendedReal(Support):
    """Numbers, plus and minus infinity included: where a value may be cut off."""

    text: ClassVar[str] = "extended_real"

    def __call__(self, x: Any) -> jax.Array:
        return ~array_module(x).isnan(x)
