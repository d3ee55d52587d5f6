"""Gumbel, Moyal: right skewed, on the whole line."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from storax.distributions.erfcx import log_ndtr
from storax.distributions.location_scale import LocationScale
from storax.distributions.normal import half_normal_above
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, probability
from storax.rules import custom_rule


class Gumbel(LocationScale):
    """The distribution of the largest of many (extreme values of type I).

    Args:
        loc: mode, real.
        scale: positive; the mean is loc + 0.5772 scale.

    >>> round(Gumbel(1.0, 2.0).cdf(1.0).item(), 6) == round(float(np.exp(-1)), 6)
    True
    """

    standard_mean: ClassVar[float] = np.euler_gamma
    standard_variance: ClassVar[float] = np.pi**2 / 6
    standard_entropy: ClassVar[float] = 1 + np.euler_gamma

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.gumbel(key, shape, dtype)

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return log_gumbel(z)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        return -_exp_minus(z)

    @classmethod
    def _log_survival(cls, z: jax.Array) -> jax.Array:
        far = z > 30  # 1 - exp(-y) is y there, which soon underflows
        return jnp.where(far, -z - 0.5 * _exp_minus(z), log1mexp(_exp_minus(jnp.where(far, 0.0, z))))

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        return -jnp.log(-jnp.log(probability(q)))


class Moyal(LocationScale):
    """loc - scale log(Z^2) with Z standard normal: energy losses of a fast particle (Moyal 1955).

    Its density is exp(-(z + exp(-z)) / 2) / sqrt(2 pi) / scale at z = (x - loc) / scale.

    Args:
        loc: mode, real.
        scale: positive.

    >>> round(Moyal(0.0, 1.0).cdf(0.0).item(), 4)
    0.3173
    """

    standard_mean: ClassVar[float] = math.log(2.0) + np.euler_gamma
    standard_variance: ClassVar[float] = np.pi**2 / 2
    standard_entropy: ClassVar[float] = 0.5 * (1 + np.euler_gamma + math.log(4 * np.pi))

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        noise = jax.random.normal(key, shape, dtype)
        return -2 * jnp.log(jnp.maximum(jnp.abs(noise), jnp.finfo(noise.dtype).tiny))

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return jnp.where(jnp.isinf(z), -jnp.inf, -0.5 * (z + _exp_minus(z)) - HALF_LOG_TWO_PI)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        return log_ndtr(-_exp_minus(0.5 * z)) + math.log(2.0)

    @classmethod
    def _log_survival(cls, z: jax.Array) -> jax.Array:
        far, low = z > 80, z < 0  # y = exp(-z / 2) underflows if far; erf(y) is 1 if low
        middle = jnp.log(erf(math.sqrt(0.5) * _exp_minus(0.5 * jnp.where(far | low, 0.0, z))))
        of_low = log1mexp(-log_ndtr(-_exp_minus(0.5 * jnp.where(low, z, -1.0))) - math.log(2.0))
        return jnp.where(far, -0.5 * z + 0.5 * math.log(2 / np.pi), jnp.where(low, of_low, middle))

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        return -2 * jnp.log(half_normal_above(q))


@custom_rule
def log_gumbel(z: jax.Array) -> jax.Array:
    return jnp.where(jnp.isinf(z), -jnp.inf, -z - jnp.exp(-z))


@log_gumbel.defjvp
def _(primals: Any, tangents: Any) -> Any:
    """Where exp(-z) overflows, it has no slope."""
    (z,) = primals
    slope = jnp.where(z < -jnp.log(jnp.finfo(z.dtype).max), -1.0, jnp.expm1(-z))
    return log_gumbel(z), jnp.where(jnp.isinf(z), 0.0, slope) * tangents[0]


def _exp_minus(z: jax.Array) -> jax.Array:
    """exp(-z); where it overflows it is inf without a gradient."""
    over = z < -jnp.log(jnp.finfo(z.dtype).max)
    return jnp.where(over, jnp.inf, jnp.exp(-jnp.where(over, 0.0, z)))
