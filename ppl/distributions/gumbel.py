"""Gumbel, Moyal: right skewed, on the whole line."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.erfcx import log_ndtr
from storax.distributions.normal import half_normal_above
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, probability, standardize
from storax.rules import custom_rule
from storax.supports import Support


class Gumbel(Distribution):
    """The distribution of the largest of many (extreme values of type I).

    Args:
        loc: mode, real.
        scale: positive; the mean is loc + 0.5772 scale.

    >>> round(Gumbel(1.0, 2.0).cdf(1.0).item(), 6) == round(float(np.exp(-1)), 6)
    True
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(
            jax.random.gumbel(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale
        )
        return loc + scale * noise

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        z = standardize(x, loc, scale)
        return _log_density(z) - jnp.log(scale)

    def log_cdf(self, value: Any) -> jax.Array:
        return -_exp_minus(standardize(*promote(value, self.loc, self.scale)))

    def log_survival(self, value: Any) -> jax.Array:
        z = standardize(*promote(value, self.loc, self.scale))
        far = z > 30  # 1 - exp(-y) is y there, which soon underflows
        return jnp.where(far, -z - 0.5 * _exp_minus(z), log1mexp(_exp_minus(jnp.where(far, 0.0, z))))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale = promote(q, self.loc, self.scale)
        return loc - scale * jnp.log(-jnp.log(probability(q)))

    @property
    def mean(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return loc + np.euler_gamma * scale

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(promote(self.scale)[0] * np.pi) / 6, self.shape)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    def entropy(self) -> jax.Array:
        return jnp.broadcast_to(jnp.log(promote(self.scale)[0]) + (1 + np.euler_gamma), self.shape)


class Moyal(Distribution):
    """loc - scale log(Z^2) with Z standard normal: energy losses of a fast particle (Moyal 1955).

    Its density is exp(-(z + exp(-z)) / 2) / sqrt(2 pi) / scale at z = (x - loc) / scale.

    Args:
        loc: mode, real.
        scale: positive.

    >>> round(Moyal(0.0, 1.0).cdf(0.0).item(), 4)
    0.3173
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(
            jax.random.normal(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale
        )
        return loc - 2 * scale * jnp.log(jnp.maximum(jnp.abs(noise), jnp.finfo(noise.dtype).tiny))

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        z = standardize(x, loc, scale)
        inside = -0.5 * (z + _exp_minus(z)) - HALF_LOG_TWO_PI - jnp.log(scale)
        return jnp.where(jnp.isinf(z), -jnp.inf, inside)

    def log_cdf(self, value: Any) -> jax.Array:
        z = standardize(*promote(value, self.loc, self.scale))
        return log_ndtr(-_exp_minus(0.5 * z)) + math.log(2.0)

    def log_survival(self, value: Any) -> jax.Array:
        z = standardize(*promote(value, self.loc, self.scale))
        far, low = z > 80, z < 0  # y = exp(-z / 2) underflows if far; erf(y) is 1 if low
        middle = jnp.log(erf(math.sqrt(0.5) * _exp_minus(0.5 * jnp.where(far | low, 0.0, z))))
        of_low = log1mexp(-log_ndtr(-_exp_minus(0.5 * jnp.where(low, z, -1.0))) - math.log(2.0))
        return jnp.where(far, -0.5 * z + 0.5 * math.log(2 / np.pi), jnp.where(low, of_low, middle))

    def icdf(self, q: Any) -> jax.Array:
        q, loc, scale = promote(q, self.loc, self.scale)
        return loc - 2 * scale * jnp.log(half_normal_above(q))

    @property
    def mean(self) -> jax.Array:
        loc, scale = promote(self.loc, self.scale)
        return loc + (math.log(2.0) + np.euler_gamma) * scale

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(0.5 * jnp.square(promote(self.scale)[0] * np.pi), self.shape)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    def entropy(self) -> jax.Array:
        constant = 0.5 * (1 + np.euler_gamma + math.log(4 * np.pi))
        return jnp.broadcast_to(jnp.log(promote(self.scale)[0]) + constant, self.shape)


@custom_rule
def _log_density(z: jax.Array) -> jax.Array:
    return jnp.where(jnp.isinf(z), -jnp.inf, -z - jnp.exp(-z))


@_log_density.defjvp
def _(primals: Any, tangents: Any) -> Any:
    """Where exp(-z) overflows, it has no slope."""
    (z,) = primals
    slope = jnp.where(z < -jnp.log(jnp.finfo(z.dtype).max), -1.0, jnp.expm1(-z))
    return _log_density(z), jnp.where(jnp.isinf(z), 0.0, slope) * tangents[0]


def _exp_minus(z: jax.Array) -> jax.Array:
    """exp(-z); where it overflows it is inf without a gradient."""
    over = z < -jnp.log(jnp.finfo(z.dtype).max)
    return jnp.where(over, jnp.inf, jnp.exp(-jnp.where(over, 0.0, z)))
