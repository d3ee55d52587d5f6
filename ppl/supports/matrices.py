"""Sets of matrices."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.supports.base import Support, array_module


class PositiveDefinite(Support):
    """Symmetric matrices with a Cholesky factor."""

    event_dim: ClassVar[int] = 2
    text: ClassVar[str] = "positive_definite"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        if x.dtype.itemsize < 4:
            x = x.astype(jnp.float32)  # LAPACK knows no shorter floats
        flipped = array_module(x).swapaxes(x, -1, -2)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            symmetric = (abs(x - flipped) <= tolerance * abs(x).max((-1, -2), keepdims=True)).all((-1, -2))
        return symmetric & jnp.isfinite(jnp.linalg.cholesky(x)).all((-1, -2))

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)


class LowerCholesky(Support):
    """Lower triangular matrices with a positive diagonal."""

    event_dim: ClassVar[int] = 2
    text: ClassVar[str] = "lower_cholesky"

    def __call__(self, x: Any) -> jax.Array:
        xp = array_module(x)
        lower = (xp.triu(x, 1) == 0).all((-1, -2))
        return lower & (xp.diagonal(x, axis1=-2, axis2=-1) > 0).all(-1) & xp.isfinite(x).all((-1, -2))

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)


class Correlation(PositiveDefinite):
    """Positive definite matrices whose diagonal is 1, within 1e-5 (float32) or 1e-10."""

    text: ClassVar[str] = "correlation"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        diagonal = array_module(x).diagonal(x, axis1=-2, axis2=-1)
        return (abs(diagonal - 1) <= tolerance).all(-1) & super().__call__(x)


class CorrelationCholesky(LowerCholesky):
    """Lower triangular matrices with a positive diagonal and rows of length 1, within 1e-5 (float32) or 1e-10."""

    text: ClassVar[str] = "correlation_cholesky"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        return (abs((x * x).sum(-1) - 1) <= 2 * tolerance).all(-1) & super().__call__(x)
