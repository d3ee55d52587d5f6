"""Sets of vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax.supports.base import Support, array_module


class RealVector(Support):
    """Vectors of finite numbers."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "real_vector"

    def __call__(self, x: Any) -> jax.Array:
        return array_module(x).isfinite(x).all(-1)


class Simplex(Support):
    """Vectors of numbers that are not negative and sum to 1, within 1e-5 (float32) or 1e-10."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "simplex"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        return (x >= 0).all(-1) & (abs(x.sum(-1) - 1) <= tolerance)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, 1 / shape[-1], dtype)


class LogWeights(Support):
    """Vectors of log probabilities up to a constant: real or -inf, but not all of them -inf."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "log_weights"

    def __call__(self, x: Any) -> jax.Array:
        return (x < array_module(x).inf).all(-1) & (x > -array_module(x).inf).any(-1)
