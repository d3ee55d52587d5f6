"""Normal, LogNormal, HalfNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfc, erfinv, ndtri

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.location_scale import LocationScale
from storax.distributions.special import HALF_LOG_TWO_PI, log_ndtr, probability, quotient, safe_log, standardize
from storax.supports import Support


class Normal(LocationScale):
    """The normal distribution.

    Args:
        loc: mean, real.
        scale: standard deviation, positive.

    >>> Normal(0.0, 2.0).log_prob(0.0).item() == Normal(1.0, 2.0).log_prob(1.0).item()
    True
    """

    standard_variance: ClassVar[float] = 1.0
    standard_entropy: ClassVar[float] = 0.5 + HALF_LOG_TWO_PI

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.normal(key, shape, dtype)

    @staticmethod
    def _standard(x: jax.Array, loc: jax.Array, scale: jax.Array) -> jax.Array:
        return quotient(x - loc, scale)

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return -0.5 * jnp.square(z) - HALF_LOG_TWO_PI

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        return log_ndtr(z)

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        return normal_quantile(q)


class LogNormal(Distribution):
    """exp(X) with X ~ Normal(loc, scale).

    Args:
        loc: mean of the logarithm, real.
        scale: standard deviation of the logarithm, positive.

    >>> LogNormal(0.0, 1.0).log_prob(1.0).item() == Normal(0.0, 1.0).log_prob(0.0).item()
    True
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.positive

    @property
    def log(self) -> Normal:
        """The distribution of the logarithm."""
        return Normal(self.loc, self.scale)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        info = jnp.finfo(self.dtype)
        return jnp.clip(jnp.exp(self.log.sample(key, shape)), info.tiny, info.max)

    def log_prob(self, value: Any) -> jax.Array:
        log_x = self._log(value)
        outside = jnp.isinf(log_x)
        log_x = jnp.where(outside, 0.0, log_x)
        return within(~outside, self.log.log_prob(log_x) - log_x)

    def log_cdf(self, value: Any) -> jax.Array:
        return self.log.log_cdf(self._log(value))

    def log_survival(self, value: Any) -> jax.Array:
        return self.log.log_survival(self._log(value))

    def _log(self, value: Any) -> jax.Array:
        return safe_log(jnp.maximum(promote(value, self.loc, self.scale)[0], 0.0))

    @property
    def mean(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return jnp.exp(loc + 0.5 * jnp.square(scale))

    @property
    def variance(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        s = jnp.square(scale)
        return jnp.expm1(s) * jnp.exp(2 * loc + s)

    def icdf(self, q: Any) -> jax.Array:
        return jnp.exp(self.log.icdf(q))

    @property
    def mode(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return jnp.exp(loc - jnp.square(scale))

    def entropy(self) -> jax.Array:
        return self.log.entropy() + promote(self.loc, self.scale)[0]


class HalfNormal(Distribution):
    """|X| with X ~ Normal(0, scale).

    Args:
        scale: positive; the standard deviation is sqrt(1 - 2 / pi) times that.

    >>> bool(HalfNormal(1.0).log_prob(-1.0) == -jnp.inf)
    True
    """

    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.abs(Normal(0.0, self.scale).sample(key, shape))

    def log_prob(self, value: Any) -> jax.Array:
        x, _ = promote(value, self.scale)
        inside = ~((x < 0) | (x == jnp.inf))  # nan is let through, to come out as nan
        return within(inside, Normal(0.0, self.scale).log_prob(jnp.where(inside, x, 0.0)) + math.log(2.0))

    def log_cdf(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = standardize(jnp.maximum(x, 0.0), 0.0, scale) * math.sqrt(0.5)
        low = z < 0.5
        of_low = safe_log(erf(jnp.where(low, z, 0.5)))
        return jnp.where(low, of_low, jnp.log1p(-erfc(jnp.where(low, 0.5, z))))

    def log_survival(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        return log_ndtr(-standardize(jnp.maximum(x, 0.0), 0.0, scale)) + math.log(2.0)

    @property
    def mean(self) -> jax.Array:
        (scale,) = promote(self.scale)
        return scale * math.sqrt(2 / np.pi)

    @property
    def variance(self) -> jax.Array:
        (scale,) = promote(self.scale)
        return jnp.square(scale) * (1 - 2 / np.pi)

    def icdf(self, q: Any) -> jax.Array:
        q, scale = promote(q, self.scale)
        low = q < 0.5
        z = jnp.where(low, math.sqrt(2) * erfinv(jnp.where(low, q, 0.5)), half_normal_above(jnp.where(low, 0.5, 1 - q)))
        return scale * jnp.where(q >= 0, z, jnp.nan)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    def entropy(self) -> jax.Array:
        return Normal(0.0, self.scale).entropy() - math.log(2.0)


def normal_quantile(q: Any) -> jax.Array:
    """z with P(Z <= z) = q."""
    q = jnp.asarray(q)
    wide = q.astype(jnp.promote_types(q.dtype, jnp.float32))  # JAX has it for 32 and 64 bits
    inside = (wide > 0) & (wide < 1)
    ends = jnp.where(wide == 0, -jnp.inf, jnp.where(wide == 1, jnp.inf, jnp.nan))
    return jnp.where(inside, ndtri(jnp.where(inside, wide, 0.5)), ends).astype(q.dtype)


def half_normal_above(p: Any) -> jax.Array:
    """z with P(|Z| > z) = p, for a small p as for one near 1."""
    p = probability(p)
    low = p < 0.5
    of_high = math.sqrt(2) * erfinv(jnp.where(low, 0.5, 1 - p))
    return jnp.where(low, -normal_quantile(0.5 * jnp.where(low, p, 0.5)), of_high)
