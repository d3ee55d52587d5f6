"""LowRankMultivariateNormal, MatrixNormal: normal distributions of a structured covariance."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.bijections.cholesky import matmul
from storax.distributions.base import Distribution, as_parameter, promote, within
from storax.distributions.factors import (
    as_vector,
    check_sizes,
    check_square,
    inverse,
    log_diagonal,
    multiply,
    multiply_matrix,
    solve_matrix,
)
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.supports import Support


class LowRankMultivariateNormal(Distribution):
    """The normal distribution with covariance F F^T + diag(D), at the cost of its rank: O(d k^2).

    The distance of x is min over z of |D^-1/2 (x - F z)|^2 + |z|^2, a sum of squares at its minimum: Woodbury's
    difference of two large numbers, which it equals, is 0 to the last digit where D is small.

    Args:
        loc: mean, `[..., d]`, or one number for all.
        cov_factor: F, `[..., d, k]`, real.
        cov_diag: D, `[..., d]`, positive.

    >>> LowRankMultivariateNormal(0.0, jnp.ones((2, 1)), jnp.ones(2)).covariance.tolist()
    [[2.0, 1.0], [1.0, 2.0]]
    """

    loc: Any
    cov_factor: Any
    cov_diag: Any

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real_vector,
        "cov_factor": supports.independent(supports.real, 2),
        "cov_diag": supports.independent(supports.positive, 1),
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        diagonal = as_parameter(self.cov_diag, f"{self.name}: cov_diag")
        if jnp.ndim(diagonal):
            object.__setattr__(self, "loc", as_vector(self.loc, f"{self.name}: loc", jnp.shape(diagonal)[-1], diagonal))
        super().__post_init__()
        check_sizes(self.name, ("cov_factor", self.cov_factor, -2), ("cov_diag", self.cov_diag, -1))
        check_sizes(self.name, ("loc", self.loc, -1), ("cov_diag", self.cov_diag, -1))

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.cov_diag)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        keys = jax.random.split(key)
        batch = (*shape, *self.batch_shape)
        common = jax.random.normal(keys[0], (*batch, jnp.shape(self.cov_factor)[-1]), self.dtype)
        own = jax.random.normal(keys[1], (*batch, *self.event_shape), self.dtype)
        shared = multiply(promote(self.cov_factor)[0], common)
        loc, shared, own, scale = promote(self.loc, shared, own, jnp.sqrt(promote(self.cov_diag)[0]))
        return loc + shared + scale * own

    def _parts(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """B = D^-1/2 F, Q and R with [B; I] = Q R: then R^T R = I + F^T D^-1 F, and D's square root."""
        root = jnp.sqrt(promote(self.cov_diag)[0])
        (f,) = promote(self.cov_factor)
        f, wide_root = promote(f, root[..., None])
        b = f / wide_root
        k = b.shape[-1]
        stacked = jnp.concatenate([b, jnp.broadcast_to(jnp.eye(k, dtype=b.dtype), (*b.shape[:-2], k, k))], -2)
        wide = stacked if jnp.finfo(b.dtype).bits >= 32 else stacked.astype(jnp.float32)
        r = jnp.linalg.qr(wide)[1].astype(b.dtype)
        return b, r, root

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        b, r, root = self._parts()
        finite = ~jnp.isinf(x).any(-1)
        x, root = promote(jnp.where(finite[..., None], x, 0.0) - loc, root)
        y = x / root
        w = inverse(r.mT)  # (R^T)^-1: z = R^-1 R^-T B^T y
        z = multiply(w.mT, multiply(w, multiply(b.mT, y)))
        y, fitted = promote(y, multiply(b, z))
        squares = jnp.square(y - fitted).sum(-1) + jnp.square(z).sum(-1)
        squares, log_det, log_root = promote(squares, _log_diagonal(r), jnp.log(root).sum(-1))
        return within(finite, -0.5 * squares - log_det - log_root - self.event_shape[0] * HALF_LOG_TWO_PI)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        squares, d = promote(jnp.square(promote(self.cov_factor)[0]).sum(-1), self.cov_diag)
        return jnp.broadcast_to(squares + d, self.shape)

    @property
    def covariance(self) -> jax.Array:
        (f,) = promote(self.cov_factor)
        n = self.event_shape[0]
        (d,) = promote(self.cov_diag)
        identity, d = promote(jnp.eye(n, dtype=d.dtype), d[..., None])
        product, diagonal = promote(matmul(f, f.mT), d * identity)
        return jnp.broadcast_to(product + diagonal, (*self.shape, n))

    def entropy(self) -> jax.Array:
        _, r, root = self._parts()
        log_det, log_root = promote(_log_diagonal(r), jnp.log(root).sum(-1))
        return jnp.broadcast_to(log_det + log_root + self.event_shape[0] * (HALF_LOG_TWO_PI + 0.5), self.batch_shape)


def _log_diagonal(r: jax.Array) -> jax.Array:
    return jnp.log(jnp.abs(jnp.diagonal(r, axis1=-2, axis2=-1))).sum(-1)


class MatrixNormal(Distribution):
    """The normal distribution on n x p matrices A X B^T + M with A, B lower triangular and X of standard normals.

    Args:
        loc: mean M, `[..., n, p]`.
        scale_tril_row: A, `[..., n, n]`: the rows have the covariance A A^T.
        scale_tril_column: B, `[..., p, p]`: the columns have B B^T.

    >>> MatrixNormal(jnp.zeros((1, 2)), jnp.eye(1), 2 * jnp.eye(2)).variance.tolist()
    [[4.0, 4.0]]
    """

    loc: Any
    scale_tril_row: Any
    scale_tril_column: Any

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.independent(supports.real, 2),
        "scale_tril_row": supports.lower_cholesky,
        "scale_tril_column": supports.lower_cholesky,
    }
    support: ClassVar[Support] = supports.independent(supports.real, 2)
    event_dim: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis, name in ((-2, "scale_tril_row"), (-1, "scale_tril_column")):
            check_square(self.name, name, getattr(self, name))
            check_sizes(self.name, ("loc", self.loc, axis), (name, getattr(self, name), -1))

    @property
    def event_shape(self) -> tuple[int, ...]:
        n, p = jnp.shape(self.loc)[-2:]
        return (int(n), int(p))

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        rows = multiply_matrix(promote(self.scale_tril_row)[0], noise)
        loc, x = promote(self.loc, multiply_matrix(promote(self.scale_tril_column)[0], rows.mT).mT)
        return loc + x

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        finite = ~jnp.isinf(x).any((-2, -1))
        x = jnp.where(finite[..., None, None], x, 0.0) - loc
        white = solve_matrix(self.scale_tril_column, solve_matrix(self.scale_tril_row, x).mT)
        return within(finite, _standard(jnp.square(white).sum((-2, -1)), self._log_det(), self.event_shape))

    def _log_det(self) -> jax.Array:
        n, p = self.event_shape
        rows, columns = promote(log_diagonal(self.scale_tril_row).sum(-1), log_diagonal(self.scale_tril_column).sum(-1))
        return p * rows + n * columns

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        rows, columns = (jnp.square(promote(x)[0]).sum(-1) for x in (self.scale_tril_row, self.scale_tril_column))
        rows, columns = promote(rows[..., :, None], columns[..., None, :])
        return jnp.broadcast_to(rows * columns, self.shape)

    def entropy(self) -> jax.Array:
        n, p = self.event_shape
        return jnp.broadcast_to(self._log_det() + n * p * (HALF_LOG_TWO_PI + 0.5), self.batch_shape)


def _standard(squares: jax.Array, log_det: jax.Array, event_shape: tuple[int, ...]) -> jax.Array:
    squares, log_det = promote(squares, log_det)
    return -0.5 * squares - log_det - math.prod(event_shape) * HALF_LOG_TWO_PI
