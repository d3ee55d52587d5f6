"""Sets of vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.pytrees import static
from storax.supports.base import Support, array_module


class RealVector(Support):
    """Vectors of finite numbers."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "real_vector"

    def __call__(self, x: Any) -> jax.Array:
        return array_module(x).isfinite(x).all(-1)


class Simplex(Support):
    """Vectors of numbers that are not negative and sum to 1: within 1e-5 (float32), 1e-10, or a rounding of halves."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "simplex"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else max(1e-5, rounding_of_halves(x.dtype))
        with np.errstate(invalid="ignore"):  # infinity less infinity
            return (x >= 0).all(-1) & (abs(x.sum(-1) - 1) <= tolerance)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, 1 / shape[-1], dtype)


def rounding_of_halves(dtype: Any) -> float:
    """How far from 1 a sum of such numbers may be; 0 for other types than those of 16 bits."""
    half = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits == 16
    return 2 * float(jnp.finfo(dtype).eps) if half else 0.0


class ZeroSum(Support):
    """Arrays of finite numbers that sum to 0 along each of the last `count` axes, within rounding."""

    count: int = static(default=1)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.count

    def __call__(self, x: Any) -> jax.Array:
        xp, axes = array_module(x), tuple(range(-self.count, 0))
        inside = xp.isfinite(x).all(axes)
        allowed = (1e-10 if x.dtype == jnp.float64 else 1e-4) * xp.maximum(abs(x).max(axes), 1.0)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            for axis in axes:
                inside = inside & (abs(x.sum(axis, keepdims=True)).max(axes) <= allowed * x.shape[axis])
        return inside

    def __repr__(self) -> str:
        return f"zero_sum({self.count})"


class Sphere(Support):
    """Vectors of length 1, within 1e-4 (float32) or 1e-10."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "sphere"

    def __call__(self, x: Any) -> jax.Array:
        return self.of_square((x * x).sum(-1))

    def of_square(self, square: Any) -> Any:
        """Is that the square of the length of such a vector?"""
        return abs(square - 1) <= (1e-10 if square.dtype == jnp.float64 else 1e-4)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, shape[-1] ** -0.5, dtype)


class LogWeights(Support):
    """Vectors of log probabilities up to a constant: real or -inf, but not all of them -inf."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "log_weights"

    def __call__(self, x: Any) -> jax.Array:
        return (x < array_module(x).inf).all(-1) & (x > -array_module(x).inf).any(-1)
