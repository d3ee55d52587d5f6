"""Weibull, Rayleigh, Gompertz: times to a failure."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bessel import scaled_exp1
from storax.distributions.gamma import positive_float, probability
from storax.distributions.quadrature import exponential_rule
from storax.distributions.small import log_gamma1p, log_ratio
from storax.distributions.special import log1mexp, safe_log, standardize, times_log
from storax.supports import Support


class Weibull(Distribution):
    """The Weibull distribution: (X / scale)^concentration is Exponential(1).

    Args:
        scale: positive.
        concentration: shape, positive.

    >>> Weibull(2.0, 1.0).log_survival(3.0).item()
    -1.5
    """

    scale: Any
    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive, "concentration": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, scale, k = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.scale, self.concentration
        )
        return positive_float(scale * jnp.exp(jnp.log(positive_float(noise)) / k))

    def log_prob(self, value: Any) -> jax.Array:
        x, scale, k = promote(value, self.scale, self.concentration)
        inside = ~((x < 0) | (x == jnp.inf))
        log_z = log_ratio(jnp.where(inside, x, 1.0), scale)
        return within(inside, jnp.log(k) - jnp.log(scale) + times_log(k - 1, log_z) - jnp.exp(k * log_z))

    def log_cdf(self, value: Any) -> jax.Array:
        w = self._log_hazard(value)
        low = w < -30  # log(1 - exp(-y)) = log y - y / 2 + ...
        return jnp.where(low, w - 0.5 * jnp.exp(w), log1mexp(jnp.exp(jnp.where(low, 0.0, w))))

    def log_survival(self, value: Any) -> jax.Array:
        return -jnp.exp(self._log_hazard(value))

    def _log_hazard(self, value: Any) -> jax.Array:
        x, scale, k = promote(value, self.scale, self.concentration)
        inside = ~((x <= 0) | (x == jnp.inf))
        w = k * log_ratio(jnp.where(inside, x, 1.0), scale)
        return jnp.where(inside, w, jnp.where(x <= 0, -jnp.inf, jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        q, scale, k = promote(probability(q), self.scale, self.concentration)
        return scale * jnp.exp(safe_log(-jnp.log1p(-q)) / k)

    @property
    def mean(self) -> jax.Array:
        scale, k = promote(self.scale, self.concentration)
        return scale * jnp.exp(log_gamma1p(1 / k))

    @property
    def variance(self) -> jax.Array:
        _, k = promote(self.scale, self.concentration)
        # Next to k = inf the difference is zeta(2) / k^2, and its terms are -0.6 / k.
        spread = log_gamma1p(2 / k) - 2 * log_gamma1p(1 / k)
        return jnp.square(self.mean) * jnp.expm1(spread)

    @property
    def mode(self) -> jax.Array:
        scale, k = promote(self.scale, self.concentration)
        above = k > 1
        j = jnp.where(above, k, 2.0)
        return jnp.where(above, scale * jnp.exp(jnp.log1p(-1 / j) / j), 0.0)

    def entropy(self) -> jax.Array:
        scale, k = promote(self.scale, self.concentration)
        return np.euler_gamma * (1 - 1 / k) + jnp.log(scale) - jnp.log(k) + 1


class Rayleigh(Distribution):
    """The length of a vector of two independent Normal(0, scale).

    Args:
        scale: positive; also the mode.

    >>> Rayleigh(1.0).log_survival(2.0).item()
    -2.0
    """

    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, scale = promote(jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.scale)
        return positive_float(scale * jnp.sqrt(2 * positive_float(noise)))

    def log_prob(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        inside = ~((x < 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        return within(inside, safe_log(x) - 2 * jnp.log(scale) - 0.5 * jnp.square(x / scale))

    def log_cdf(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        z = standardize(jnp.maximum(x, 0.0), 0.0, scale)
        low = z < 1e-3
        of_low = 2 * safe_log(jnp.where(low, z, 1.0)) - math.log(2.0) - 0.25 * jnp.square(jnp.where(low, z, 1.0))
        return jnp.where(low, of_low, log1mexp(0.5 * jnp.square(jnp.where(low, 1.0, z))))

    def log_survival(self, value: Any) -> jax.Array:
        x, scale = promote(value, self.scale)
        return -0.5 * jnp.square(standardize(jnp.maximum(x, 0.0), 0.0, scale))

    def icdf(self, q: Any) -> jax.Array:
        q, scale = promote(probability(q), self.scale)
        inside = q > 0
        root = jnp.sqrt(-2 * jnp.log1p(-jnp.where(inside, q, 0.5)))
        return scale * jnp.where(inside, root, q)

    @property
    def mean(self) -> jax.Array:
        return promote(self.scale)[0] * math.sqrt(np.pi / 2)

    @property
    def variance(self) -> jax.Array:
        return jnp.square(promote(self.scale)[0]) * (2 - np.pi / 2)

    @property
    def mode(self) -> jax.Array:
        return promote(self.scale)[0]

    def entropy(self) -> jax.Array:
        return 1 + jnp.log(promote(self.scale)[0]) - 0.5 * math.log(2.0) + 0.5 * np.euler_gamma


class Gompertz(Distribution):
    """Times to death with a hazard concentration * rate * exp(rate * x), which grows exponentially.

    Args:
        concentration: positive.
        rate: positive.

    >>> round(Gompertz(0.5, 1.0).log_survival(1.0).item(), 5)  # -0.5 (e - 1)
    -0.85914
    """

    concentration: Any
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive, "rate": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, c, rate = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.concentration, self.rate
        )
        return jnp.log1p(noise / c) / rate

    def log_prob(self, value: Any) -> jax.Array:
        x, c, rate = promote(value, self.concentration, self.rate)
        inside = ~((x < 0) | (x == jnp.inf))
        y = rate * jnp.where(inside, x, 0.0)
        return within(inside, jnp.log(c) + jnp.log(rate) + y - _times_expm1(c, y))

    def log_cdf(self, value: Any) -> jax.Array:
        return log1mexp(-self.log_survival(value))

    def log_survival(self, value: Any) -> jax.Array:
        x, c, rate = promote(value, self.concentration, self.rate)
        return -_times_expm1(c, standardize(jnp.maximum(x, 0.0), 0.0, 1 / rate))

    def icdf(self, q: Any) -> jax.Array:
        q, c, rate = promote(probability(q), self.concentration, self.rate)
        return jnp.log1p(-jnp.log1p(-q) / c) / rate

    @property
    def mean(self) -> jax.Array:
        c, rate = promote(self.concentration, self.rate)
        return scaled_exp1(c) / rate

    @property
    def variance(self) -> jax.Array:
        """rate X is log(1 + Y / c) with Y ~ Exponential(1): an integral over Y."""
        c, rate = promote(self.concentration, self.rate)
        y, log_weight = exponential_rule(jnp.ones_like(c))
        gap = jnp.log1p(y / c[..., None]) - scaled_exp1(c)[..., None]
        return (jnp.exp(log_weight - y) * jnp.square(gap)).sum(-1) / jnp.square(rate)

    @property
    def mode(self) -> jax.Array:
        c, rate = promote(self.concentration, self.rate)
        return jnp.maximum(-jnp.log(c), 0.0) / rate

    def entropy(self) -> jax.Array:
        c, rate = promote(self.concentration, self.rate)
        return 1 - jnp.log(c) - jnp.log(rate) - scaled_exp1(c)


def _times_expm1(c: jax.Array, y: jax.Array) -> jax.Array:
    """c (exp(y) - 1), also where only exp(y) overflows."""
    far = y > 0.5 * np.log(float(jnp.finfo(y.dtype).max))
    of_far = jnp.exp(jnp.where(far, y, 0.0) + jnp.log(c)) - c
    return jnp.where(far, of_far, c * jnp.expm1(jnp.where(far, 0.0, y)))
