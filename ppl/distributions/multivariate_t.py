"""MultivariateStudentT."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.bijections.cholesky import matmul
from storax.distributions.base import Distribution, as_parameter, promote, within
from storax.distributions.factors import as_vector, check_sizes, check_square, log_diagonal, multiply, solve
from storax.distributions.gamma_steps import steps_excess
from storax.supports import Support


class MultivariateStudentT(Distribution):
    """Student's t on vectors of d numbers: loc + L Z / sqrt(V / df), Z standard normal and V chi-squared of df.

    Args:
        df: degrees of freedom, positive.
        loc: centre, `[..., d]`, or one number for all.
        scale_tril: L, `[..., d, d]`, lower triangular with a positive diagonal.  The covariance is df / (df - 2) L L^T.

    >>> MultivariateStudentT(4.0, 0.0, jnp.eye(2)).variance.tolist()
    [2.0, 2.0]
    """

    df: Any
    loc: Any
    scale_tril: Any

    parameters: ClassVar[dict[str, Support]] = {
        "df": supports.positive,
        "loc": supports.real_vector,
        "scale_tril": supports.lower_cholesky,
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        factor = as_parameter(self.scale_tril, f"{self.name}: scale_tril")
        check_square(self.name, "scale_tril", factor)
        object.__setattr__(self, "loc", as_vector(self.loc, f"{self.name}: loc", jnp.shape(factor)[-1], factor))
        super().__post_init__()
        check_sizes(self.name, ("loc", self.loc, -1), ("scale_tril", self.scale_tril, -1))

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.scale_tril)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        keys = jax.random.split(key)
        batch = (*shape, *self.batch_shape)
        noise = jax.random.normal(keys[0], (*batch, *self.event_shape), self.dtype)
        half = 0.5 * promote(self.df)[0].astype(self.dtype)
        log_v = jax.random.loggamma(keys[1], half, batch, self.dtype)
        log_v, half = promote(log_v, jnp.log(half))
        # At small df the logarithm of the length is far beyond what floats hold.
        limit = jnp.finfo(self.dtype).max
        length = jnp.exp(jnp.minimum(0.5 * (half - log_v), 0.45 * float(np.log(float(limit)))))
        loc, x = promote(self.loc, multiply(promote(self.scale_tril)[0], noise * length[..., None]))
        return jnp.clip(loc + x, -limit, limit)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        (d,) = self.event_shape
        finite = ~jnp.isinf(x).any(-1)
        white = solve(promote(self.scale_tril)[0], jnp.where(finite[..., None], x, 0.0) - loc)
        (df,) = promote(self.df)
        constant = steps_excess(0.5 * df, d) - 0.5 * d * math.log(np.pi) - 0.5 * d * math.log(2.0)
        # (df / 2)^(d / 2) of the gamma functions and df^(-d / 2) of the density make 2^(-d / 2).
        y, root = promote(white, jnp.sqrt(df)[..., None])
        growth = _log1p_squares(y / root)
        constant, df, log_det, growth = promote(constant, df, log_diagonal(self.scale_tril).sum(-1), growth)
        return within(finite, constant - log_det - 0.5 * (df + d) * growth)

    @property
    def mean(self) -> jax.Array:
        df, loc = promote(promote(self.df)[0][..., None], self.loc)
        return jnp.broadcast_to(jnp.where(df > 1, loc, jnp.nan), self.shape)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def variance(self) -> jax.Array:
        squares = jnp.square(promote(self.scale_tril)[0]).sum(-1)
        factor, squares = promote(self._inflation()[..., None], squares)
        return jnp.broadcast_to(factor * squares, self.shape)

    @property
    def covariance(self) -> jax.Array:
        (scale,) = promote(self.scale_tril)
        factor, product = promote(self._inflation()[..., None, None], matmul(scale, scale.mT))
        return jnp.broadcast_to(factor * product, (*self.shape, *self.event_shape))

    def _inflation(self) -> jax.Array:
        (df,) = promote(self.df)
        above = df > 2
        return jnp.where(above, df / jnp.where(above, df - 2, 1.0), jnp.where(df > 1, jnp.inf, jnp.nan))

    def entropy(self) -> jax.Array:
        """The mean of log(1 + |z|^2 / df) is digamma((df + d) / 2) - digamma(df / 2)."""
        (d,) = self.event_shape
        half = 0.5 * promote(self.df)[0]
        excess, slope = jax.jvp(lambda a: steps_excess(a, d), (half,), (jnp.ones_like(half),))
        growth = (half + 0.5 * d) * (slope + 0.5 * d / half)
        log_det, rest = promote(log_diagonal(self.scale_tril).sum(-1), growth - excess + 0.5 * d * math.log(2 * np.pi))
        return jnp.broadcast_to(log_det + rest, self.batch_shape)


def _log1p_squares(y: jax.Array) -> jax.Array:
    """log(1 + |y|^2), also where the square overflows."""
    top = lax.stop_gradient(jnp.maximum(jnp.abs(y).max(-1), 1.0))
    large = top > 1
    squares = jnp.square(y / top[..., None]).sum(-1)
    of_large = 2 * jnp.log(top) + jnp.log(jnp.square(1 / top) + jnp.where(large, squares, 1.0))
    return jnp.where(large, of_large, jnp.log1p(jnp.where(large, 0.0, squares)))
