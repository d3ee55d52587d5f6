"""Gamma, InverseGamma, Exponential."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.gamma_density import log_gamma_density_of_product, log_gamma_density_of_quotient
from storax.distributions.incomplete import log_gamma_tails
from storax.distributions.log_gamma import log_minus_digamma, stirling_remainder
from storax.distributions.quantiles import quantile
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, log_product, quotient, standardize
from storax.supports import Support


class Gamma(Distribution):
    """The gamma distribution, with mean concentration / rate.

    At 0 the log density is its limit: inf, log rate or -inf for a concentration below, at or above 1.

    Args:
        concentration: shape, positive.
        rate: inverse scale, positive.

    >>> bool(abs(Gamma(1.0, 2.0).log_prob(0.5) - Exponential(2.0).log_prob(0.5)) < 1e-6)
    True
    """

    concentration: Any
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive, "rate": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        log_y, rate = promote(
            log_gamma_draws(key, self.concentration, (*shape, *self.batch_shape), self.dtype), self.rate
        )
        return positive_float(jnp.exp(log_y - jnp.log(rate)))

    def log_prob(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return log_gamma_density_of_product(a, x, rate)

    def log_cdf(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._shape_and_product(value))[0]

    def log_survival(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._shape_and_product(value))[1]

    def _shape_and_product(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, a, rate = promote(value, self.concentration, self.rate)
        infinite = x == jnp.inf
        x = jnp.where(infinite, 1.0, jnp.maximum(x, 0.0))
        return a, jnp.where(infinite, jnp.inf, rate * x), jnp.where(infinite, jnp.inf, log_product(x, rate))

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.concentration, self.rate)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, jnp.inf)

    @property
    def mean(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return a / rate

    @property
    def variance(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return a / jnp.square(rate)

    @property
    def mode(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return jnp.maximum(a - 1, 0.0) / rate

    def entropy(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return gamma_entropy(a) - jnp.log(rate)


class InverseGamma(Distribution):
    """1 / X with X ~ Gamma(concentration, rate).

    Args:
        concentration: shape, positive.
        rate: positive; the mode is rate / (concentration + 1).

    >>> InverseGamma(3.0, 4.0).mean.item()
    2.0
    """

    concentration: Any
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive, "rate": supports.positive}
    support: ClassVar[Support] = supports.positive

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        log_y, rate = promote(
            log_gamma_draws(key, self.concentration, (*shape, *self.batch_shape), self.dtype), self.rate
        )
        return positive_float(jnp.exp(jnp.log(rate) - log_y))

    def log_prob(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return log_gamma_density_of_quotient(a, x, rate)

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return log_gamma_tails(a, *_divide(rate, x))[1]

    def log_survival(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return log_gamma_tails(a, *_divide(rate, x))[0]

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.concentration, self.rate)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, jnp.inf)

    @property
    def mean(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return jnp.where(a > 1, rate / jnp.where(a > 1, a - 1, 1.0), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        b = jnp.where(a > 2, a, 3.0)
        return jnp.where(a > 2, jnp.square(rate / (b - 1)) / (b - 2), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return rate / (a + 1)

    def entropy(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return gamma_entropy(a) + jnp.log(rate) - 2 * digamma(a)


class Exponential(Distribution):
    """The exponential distribution, with mean 1 / rate.

    Args:
        rate: positive.

    >>> Exponential(2.0).log_survival(3.0).item()
    -6.0
    """

    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"rate": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, rate = promote(jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.rate)
        return noise / rate

    def log_prob(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        inside = ~((x < 0) | (x == jnp.inf))
        return within(inside, jnp.log(rate) - rate * jnp.where(inside, x, 0.0))

    def log_cdf(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        return log1mexp(standardize(jnp.maximum(x, 0.0), 0.0, 1 / rate))

    def log_survival(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        return -standardize(jnp.maximum(x, 0.0), 0.0, 1 / rate)

    def icdf(self, q: Any) -> jax.Array:
        q, rate = promote(probability(q), self.rate)
        return -jnp.log1p(-q) / rate

    @property
    def mean(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return 1 / rate

    @property
    def variance(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return 1 / jnp.square(rate)

    @property
    def mode(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return jnp.zeros_like(rate)

    def entropy(self) -> jax.Array:
        return 1 - jnp.log(promote(self.rate)[0])


def _divide(rate: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """rate / x, from infinity at x <= 0 to 0 at infinity, and its logarithm."""
    inside = ~((x <= 0) | (x == jnp.inf))
    x = jnp.where(inside, x, jnp.where(x <= 0, 0.0, jnp.inf))
    y = jnp.where(inside, x, 1.0)
    ratio = jnp.where(inside, quotient(rate, y), jnp.where(x == 0, jnp.inf, 0.0))
    return ratio, jnp.where(inside, jnp.log(rate) - jnp.log(y), jnp.where(x == 0, jnp.inf, -jnp.inf))


def log_gamma_draws(key: jax.Array, concentration: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Logarithms: a draw of Gamma(0.001) itself is too small for a float more often than not."""
    (a,) = promote(concentration)
    return jax.random.loggamma(key, a.astype(dtype), shape, dtype)


def positive_float(x: jax.Array) -> jax.Array:
    """Draws that rounding has taken to 0 or infinity, taken back to the nearest number inside."""
    info = jnp.finfo(x.dtype)
    return jnp.clip(x, info.tiny, info.max)


def probability(q: Any) -> Any:
    """q, and nan where it is not in [0, 1]."""
    q = promote(q)[0]
    return jnp.where((q >= 0) & (q <= 1), q, jnp.nan)


def gamma_entropy(a: jax.Array) -> jax.Array:
    """Of a Gamma(a, 1): a + log Gamma(a) + (1 - a) psi(a), for large a around its limit log(2 pi e a) / 2."""
    large = a > 20.0
    b = jnp.where(large, a, 20.0)
    # a + (a - 1/2) log a - a + log(2 pi) / 2 + ... + (1 - a) (log a - 1 / (2 a) - 1 / (12 a^2) + ...), DLMF 5.11
    series = 0.5 * jnp.log(b) + HALF_LOG_TWO_PI + stirling_remainder(b) + (b - 1) * log_minus_digamma(b)
    c = jnp.where(large, 1.0, a)
    return jnp.where(large, series, c + gammaln(c) + (1 - c) * digamma(c))
