"""Cauchy, HalfCauchy, StudentT: heavy tails."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.special import log1p_square, log_gamma_half_step
from storax.supports import Support


class Cauchy(Distribution):
    """The Cauchy distribution; it has no mean.

    Args:
        loc: median, real.
        scale: half the interquartile range, positive.

    >>> round(Cauchy(0.0, 1.0).cdf(1.0).item(), 6)
    0.75
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.real  # type: ignore[assignment]

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(jax.random.cauchy(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale)
        limit = jnp.finfo(noise.dtype).max
        return jnp.clip(loc + scale * noise, -limit, limit)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return -log1p_square((x - loc) / scale) - jnp.log(scale) - np.log(np.pi)

    def log_cdf(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return _log_cauchy_cdf((x - loc) / scale)

    def log_survival(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return _log_cauchy_cdf((loc - x) / scale)

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.shape, jnp.nan, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.shape, jnp.nan, self.dtype)


def _log_cauchy_cdf(z: jax.Array) -> jax.Array:
    one = jnp.ones_like(z)
    return jnp.where(z < 0, jnp.log(jnp.arctan2(one, -z) / np.pi), jnp.log1p(-jnp.arctan2(one, z) / np.pi))


class HalfCauchy(Distribution):
    """|X| with X ~ Cauchy(0, scale).

    Args:
        scale: the median, positive.

    >>> round(HalfCauchy(5.0).cdf(5.0).item(), 6)
    0.5
    """

    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}
    support: ClassVar[Support] = supports.nonnegative  # type: ignore[assignment]

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.abs(Cauchy(0.0, self.scale).sample(key, shape))

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        return within(~(x < 0), Cauchy(0.0, self.scale).log_prob(x) + np.log(2.0))

    def log_cdf(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = jnp.maximum(x, 0.0) / scale
        low = z < 1
        of_low = jnp.log(jnp.arctan(jnp.where(low, z, 1.0)) * (2 / np.pi))
        rest = jnp.arctan2(jnp.ones_like(z), jnp.where(low, 1.0, z)) * (2 / np.pi)
        return jnp.where(low, of_low, jnp.log1p(-rest))

    def log_survival(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = jnp.maximum(x, 0.0) / scale
        return jnp.log(jnp.arctan2(jnp.ones_like(z), z) * (2 / np.pi))

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)


class StudentT(Distribution):
    """Student's t, shifted and scaled.

    Args:
        df: degrees of freedom, positive.
        loc: centre, real.
        scale: positive; the standard deviation is sqrt(df / (df - 2)) times that, for df > 2.

    >>> gap = StudentT(1.0, 0.0, 1.0).log_prob(3.0) - Cauchy(0.0, 1.0).log_prob(3.0)
    >>> bool(abs(gap) < 1e-6)
    True
    """

    df: Any
    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "df": supports.positive,
        "loc": supports.real,
        "scale": supports.positive,
    }
    support: ClassVar[Support] = supports.real  # type: ignore[assignment]

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        (df,) = promote(self.df)
        noise, loc, scale = promote(jax.random.t(key, df.astype(self.dtype), full, self.dtype), self.loc, self.scale)
        limit = jnp.finfo(noise.dtype).max
        return jnp.clip(loc + scale * noise, -limit, limit)

    def log_prob(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        z = (x - loc) / scale
        constant = log_gamma_half_step(0.5 * df) - 0.5 * jnp.log(df * np.pi) - jnp.log(scale)
        return constant - 0.5 * (df + 1) * log1p_square(z / jnp.sqrt(df))

    def log_cdf(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        return _log_t_cdf((x - loc) / scale, df)

    def log_survival(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        return _log_t_cdf((loc - x) / scale, df)

    @property
    def mean(self) -> jax.Array:
        df, loc, _ = promote(self.df, self.loc, self.scale)
        return jnp.broadcast_to(jnp.where(df > 1, loc, jnp.nan), self.shape)

    @property
    def variance(self) -> jax.Array:
        df, _, scale = promote(self.df, self.loc, self.scale)
        finite = jnp.square(scale) * df / jnp.where(df > 2, df - 2, 1.0)
        return jnp.broadcast_to(jnp.where(df > 2, finite, jnp.where(df > 1, jnp.inf, jnp.nan)), self.shape)


def _log_t_cdf(z: jax.Array, df: jax.Array) -> jax.Array:
    """P(T <= z) = I(df / (df + z^2); df / 2, 1 / 2) / 2 for z < 0, its complement for z > 0 (DLMF 8.17)."""
    tail = 0.5 * betainc(0.5 * df, jnp.full_like(df, 0.5), 1 / (1 + jnp.square(z / jnp.sqrt(df))))
    return jnp.where(z < 0, jnp.log(tail), jnp.log1p(-tail))
