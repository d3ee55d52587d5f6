"""Cauchy, HalfCauchy, StudentT: heavy tails."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.special import log1p_square, log_gamma_half_step, log_ndtr, safe_log, standardize
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
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(
            jax.random.cauchy(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale
        )
        limit = jnp.finfo(noise.dtype).max
        return jnp.clip(loc + scale * noise, -limit, limit)

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return -log1p_square((x - loc) / scale) - jnp.log(scale) - np.log(np.pi)

    def log_cdf(self, value: Any) -> jax.Array:
        return _log_cauchy_cdf(standardize(*promote(value, self.loc, self.scale)))

    def log_survival(self, value: Any) -> jax.Array:
        return _log_cauchy_cdf(-standardize(*promote(value, self.loc, self.scale)))

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.shape, jnp.nan, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.shape, jnp.nan, self.dtype)


def _log_cauchy_cdf(z: jax.Array) -> jax.Array:
    tail = jnp.arctan2(jnp.ones_like(z), jnp.where(z < 0, -z, z)) / np.pi
    return jnp.where(z < 0, safe_log(tail), jnp.log1p(-tail))


class HalfCauchy(Distribution):
    """|X| with X ~ Cauchy(0, scale).

    Args:
        scale: the median, positive.

    >>> round(HalfCauchy(5.0).cdf(5.0).item(), 6)
    0.5
    """

    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.abs(Cauchy(0.0, self.scale).sample(key, shape))

    def log_prob(self, value: Any) -> jax.Array:
        x, _ = promote(value, self.scale)
        inside = ~((x < 0) | (x == jnp.inf))
        return within(inside, Cauchy(0.0, self.scale).log_prob(jnp.where(inside, x, 0.0)) + np.log(2.0))

    def log_cdf(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = standardize(jnp.maximum(x, 0.0), 0.0, scale)
        low = z < 1
        of_low = safe_log(jnp.arctan(jnp.where(low, z, 1.0)) * (2 / np.pi))
        rest = jnp.arctan2(jnp.ones_like(z), jnp.where(low, 1.0, z)) * (2 / np.pi)
        return jnp.where(low, of_low, jnp.log1p(-rest))

    def log_survival(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = standardize(jnp.maximum(x, 0.0), 0.0, scale)
        return safe_log(jnp.arctan2(jnp.ones_like(z), z) * (2 / np.pi))

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
    support: ClassVar[Support] = supports.real

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
        return _log_t_cdf(standardize(x, loc, scale), df)

    def log_survival(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        return _log_t_cdf(-standardize(x, loc, scale), df)

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
    """log P(T <= z), with z taken to a normal score where df is large and the incomplete beta function inaccurate."""
    large = (df > 200) & (jnp.abs(z) < 1e4)
    few = _log_t_cdf_by_beta(z, jnp.where(large, 1.0, df))
    return jnp.where(large, log_ndtr(_normal_score(jnp.where(large, z, 1.0), jnp.where(large, df, 1e3))), few)


def _normal_score(z: jax.Array, df: jax.Array) -> jax.Array:
    """u with P(Z <= u) = P(T <= z), to 1e-8 for df > 200 (Hill 1970, Algorithm 395)."""
    a = df - 0.5
    ratio = jnp.square(z) / df
    tiny = ratio < 1e-8
    r = jnp.where(tiny, 1.0, ratio)
    w = z * jnp.sqrt(a / df * jnp.where(tiny, 1 - ratio / 2, jnp.log1p(r) / r))
    b, s = 48 * jnp.square(a), jnp.square(w)
    second = w * (855 + s * (240 + s * (33 + s * 4))) / (10 * b * (b + 0.8 * jnp.square(s) + 100))
    return w + w * (s + 3) / b - second


def _log_t_cdf_by_beta(z: jax.Array, df: jax.Array) -> jax.Array:
    """P(T <= z) = I(df / (df + z^2); df / 2, 1 / 2) / 2 for z < 0, its complement for z > 0 (DLMF 8.17)."""
    half = jnp.full_like(df, 0.5)
    root = z / jnp.sqrt(df)
    ratio = jnp.square(root)
    # At the centre the formula's gradient is inf * 0 and 1 - x has few digits; far out x^2 overflows.
    centre, far = ratio * (1 + df) < 1e-10, ratio > 1e12
    near = (ratio < 1) & (jnp.abs(z) < 1) & ~centre
    of_centre = 0.5 + z * jnp.exp(log_gamma_half_step(0.5 * df)) / jnp.sqrt(np.pi * df)
    inner, outer = jnp.where(near, ratio, 0.5), jnp.where(near | centre | far, 1.0, ratio)
    of_near = 0.5 - 0.5 * betainc(half, 0.5 * df, inner / (1 + inner))
    tail = jnp.where(near, of_near, 0.5 * betainc(0.5 * df, half, 1 / (1 + outer)))
    log_slope = log_gamma_half_step(0.5 * df) - 0.5 * np.log(np.pi) - jnp.log(df)
    log_tail = jnp.where(far, log_slope - df * jnp.log(jnp.where(far, jnp.abs(root), 1.0)), safe_log(tail))
    off_centre = jnp.where(z < 0, log_tail, jnp.log1p(-jnp.where(far, jnp.exp(log_tail), tail)))
    return jnp.where(centre, jnp.log(jnp.where(centre, of_centre, 1.0)), off_centre)
