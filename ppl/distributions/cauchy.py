"""Cauchy, HalfCauchy."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.location_scale import LocationScale
from storax.distributions.special import log1p_square, probability, quotient, safe_log, standardize
from storax.supports import Support


class Cauchy(LocationScale):
    """The Cauchy distribution; it has no mean.

    Args:
        loc: median, real.
        scale: half the interquartile range, positive.

    >>> round(Cauchy(0.0, 1.0).cdf(1.0).item(), 6)
    0.75
    """

    standard_mean: ClassVar[float] = math.nan
    standard_variance: ClassVar[float] = math.nan
    standard_entropy: ClassVar[float] = math.log(4 * np.pi)

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.cauchy(key, shape, dtype)

    @staticmethod
    def _standard(x: jax.Array, loc: jax.Array, scale: jax.Array) -> jax.Array:
        return quotient(x - loc, scale)

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return -log1p_square(z) - math.log(np.pi)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        tail = jnp.arctan2(jnp.ones_like(z), jnp.where(z < 0, -z, z)) / np.pi
        return jnp.where(z < 0, safe_log(tail), jnp.log1p(-tail))

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        low = q < 0.5
        tail = half_cauchy_above(2 * jnp.where(low, q, 1 - q))
        return jnp.where(low, -tail, tail)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        limit = jnp.finfo(self.dtype).max
        return jnp.clip(super().sample(key, shape), -limit, limit)


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
        return within(inside, Cauchy(0.0, self.scale).log_prob(jnp.where(inside, x, 0.0)) + math.log(2.0))

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

    def icdf(self, q: Any) -> jax.Array:
        q, scale = promote(q, self.scale)
        low = probability(q) < 0.5
        z = jnp.where(low, jnp.tan(0.5 * np.pi * jnp.where(low, q, 0.0)), half_cauchy_above(1 - jnp.where(low, 0.5, q)))
        return scale * jnp.where(q >= 0, z, jnp.nan)

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.shape, jnp.inf, self.dtype)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    def entropy(self) -> jax.Array:
        return jnp.log(promote(self.scale)[0]) + math.log(2 * np.pi)


def half_cauchy_above(p: Any) -> jax.Array:
    """z >= 0 with P(|Z| > z) = p."""
    end = p == 0
    small = (p < 0.5) & ~end
    of_small = 1 / jnp.tan(0.5 * np.pi * jnp.where(small, p, 0.5))
    of_large = jnp.tan(0.5 * np.pi * (1 - jnp.where(small, 0.5, p)))
    return jnp.where(p >= 0, jnp.where(end, jnp.inf, jnp.where(small, of_small, of_large)), jnp.nan)
