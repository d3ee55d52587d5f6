"""Sets of vectors with an order, a sum or a length."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.pytrees import static
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


class ZeroSum(Support):
    """Arrays of finite numbers that sum to 0 along each of the last `axes` axes, within 1e-5 (float32) or 1e-10 of
    their size."""

    axes: int = static(default=1)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.axes

    def __call__(self, x: Any) -> jax.Array:
        event = tuple(range(-self.axes, 0))
        bound = tolerance(x) * (1 + abs(x).sum(event, keepdims=True))
        inside = array_module(x).isfinite(x).all(event)
        for axis in event:
            inside = inside & (abs(x.sum(axis, keepdims=True)) <= bound).all(event)
        return inside

    def __repr__(self) -> str:
        return "zero_sum" if self.axes == 1 else f"zero_sum({self.axes})"


class Sphere(Support):
    """Vectors of length 1, within 1e-5 (float32) or 1e-10."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "sphere"

    def __call__(self, x: Any) -> jax.Array:
        return abs((x * x).sum(-1) - 1) <= 2 * tolerance(x)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, 1 / np.sqrt(shape[-1]), dtype)


def tolerance(x: Any) -> float:
    return 1e-10 if x.dtype == jnp.float64 else 1e-5
