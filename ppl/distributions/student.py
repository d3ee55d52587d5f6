"""StudentT, HalfStudentT."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.normal import normal_quantile
from storax.distributions.quantiles import quantile, tail_quantile
from storax.distributions.special import log1p_square, log_gamma_half_step, quotient, standardize
from storax.distributions.student_tail import log_t_cdf, log_t_tail, log_t_within
from storax.supports import Support


class StudentT(Distribution):
    """Student's t: Cauchy at df = 1, normal as df grows.

    Args:
        df: degrees of freedom, positive.
        loc: median, real.
        scale: positive; the standard deviation is scale * sqrt(df / (df - 2)) for df > 2.

    >>> from storax import Cauchy
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
        z = quotient(x - loc, scale)
        constant = log_gamma_half_step(0.5 * df) - 0.5 * jnp.log(df * np.pi) - jnp.log(scale)
        return constant - 0.5 * (df + 1) * log1p_square(z / jnp.sqrt(df))

    def log_cdf(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        return log_t_cdf(standardize(x, loc, scale), df)

    def log_survival(self, value: Any) -> jax.Array:
        x, df, loc, scale = promote(value, self.df, self.loc, self.scale)
        return log_t_cdf(-standardize(x, loc, scale), df)

    def icdf(self, q: Any) -> jax.Array:
        q, df, loc, scale = promote(q, self.df, self.loc, self.scale)
        start = normal_quantile(jnp.where((q > 0) & (q < 1), q, 0.5) + jnp.zeros_like(df))
        z = tail_quantile(lambda z, lower: log_t_cdf(jnp.where(lower, z, -z), df), q, -jnp.inf, jnp.inf, start)
        return loc + scale * z

    @property
    def mean(self) -> jax.Array:
        df, loc, _ = promote(self.df, self.loc, self.scale)
        return jnp.broadcast_to(jnp.where(df > 1, loc, jnp.nan), self.shape)

    @property
    def variance(self) -> jax.Array:
        df, _, scale = promote(self.df, self.loc, self.scale)
        finite = jnp.square(scale) * (df / jnp.where(df > 2, df - 2, 1.0))
        return jnp.broadcast_to(jnp.where(df > 2, finite, jnp.where(df > 1, jnp.inf, jnp.nan)), self.shape)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    def entropy(self) -> jax.Array:
        df, _, scale = promote(self.df, self.loc, self.scale)
        step, slope = jax.jvp(log_gamma_half_step, (0.5 * df,), (jnp.ones_like(df),))
        value = 0.5 * (df + 1) * slope + 0.5 * jnp.log(np.pi * df) - step + jnp.log(scale)
        return jnp.broadcast_to(value, self.shape)


class HalfStudentT(Distribution):
    """|X| with X ~ StudentT(df, 0, scale).

    Args:
        df: degrees of freedom, positive.
        scale: positive.

    >>> round(HalfStudentT(1.0, 5.0).cdf(5.0).item(), 6)
    0.5
    """

    df: Any
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"df": supports.positive, "scale": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    @property
    def _whole(self) -> StudentT:
        return StudentT(self.df, 0.0, self.scale)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.abs(self._whole.sample(key, shape))

    def log_prob(self, value: Any) -> jax.Array:
        (x,) = promote(value)
        inside = ~((x < 0) | (x == jnp.inf))
        return within(*promote(inside, self._whole.log_prob(jnp.where(inside, x, 0.0)) + math.log(2.0)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, df, scale = promote(value, self.df, self.scale)
        infinite = x == jnp.inf
        score = log_t_within(standardize(jnp.clip(jnp.where(infinite, 1.0, x), 0.0), 0.0, scale), df)
        return jnp.where(infinite, 0.0, score)

    def log_survival(self, value: Any) -> jax.Array:
        x, df, scale = promote(value, self.df, self.scale)
        return log_t_tail(standardize(jnp.maximum(x, 0.0), 0.0, scale), df) + math.log(2.0)

    def icdf(self, q: Any) -> jax.Array:
        q, df, scale = promote(q, self.df, self.scale)
        z = quantile(lambda z: log_t_within(z, df), lambda z: log_t_tail(z, df) + math.log(2.0), q, 0.0, jnp.inf)
        return scale * z

    @property
    def mean(self) -> jax.Array:
        df, scale = promote(self.df, self.scale)
        return scale * jnp.where(df > 1, _half_mean(jnp.where(df > 1, df, 2.0)), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        df, scale = promote(self.df, self.scale)
        some = jnp.where(df > 2, df, 3.0)
        return jnp.square(scale) * jnp.where(df > 2, some / (some - 2) - jnp.square(_half_mean(some)), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    def entropy(self) -> jax.Array:
        return self._whole.entropy() - math.log(2.0)


def _half_mean(df: jax.Array) -> jax.Array:
    return 2 * jnp.sqrt(df / np.pi) * jnp.exp(log_gamma_half_step(0.5 * df)) / (df - 1)
