"""Gamma, InverseGamma, Exponential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaincc

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.special import log1mexp, log_gamma_density, safe_log, standardize
from storax.supports import Support


class Gamma(Distribution):
    """The gamma distribution, with mean concentration / rate.

    Args:
        concentration: shape, positive.
        rate: inverse scale, positive.

    >>> bool(abs(Gamma(1.0, 2.0).log_prob(0.5) - Exponential(2.0).log_prob(0.5)) < 1e-6)
    True
    """

    concentration: Any
    rate: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.positive, "rate": supports.positive}
    support: ClassVar[Support] = supports.positive

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        log_y, rate = promote(
            _log_gamma_draws(key, self.concentration, (*shape, *self.batch_shape), self.dtype), self.rate
        )
        return _positive(jnp.exp(log_y - jnp.log(rate)))

    def log_prob(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        inside = ~((x <= 0) | (x == jnp.inf))
        return within(inside, log_gamma_density(a, rate * jnp.where(inside, x, 1.0)) + jnp.log(rate))

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return _log_regularized(gammainc, a, standardize(jnp.maximum(x, 0.0), 0.0, 1 / rate), -jnp.inf, 0.0)

    def log_survival(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return _log_regularized(gammaincc, a, standardize(jnp.maximum(x, 0.0), 0.0, 1 / rate), 0.0, -jnp.inf)

    @property
    def mean(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return a / rate

    @property
    def variance(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return a / jnp.square(rate)


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
            _log_gamma_draws(key, self.concentration, (*shape, *self.batch_shape), self.dtype), self.rate
        )
        return _positive(jnp.exp(jnp.log(rate) - log_y))

    def log_prob(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        inside = ~((x <= 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        return within(inside, log_gamma_density(a, rate / x) + jnp.log(rate) - 2 * jnp.log(x))

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return _log_regularized(gammaincc, a, _divide(rate, x), 0.0, -jnp.inf)

    def log_survival(self, value: Any) -> jax.Array:
        x, a, rate = promote(value, self.concentration, self.rate)
        return _log_regularized(gammainc, a, _divide(rate, x), -jnp.inf, 0.0)

    @property
    def mean(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        return jnp.where(a > 1, rate / jnp.where(a > 1, a - 1, 1.0), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        a, rate = promote(self.concentration, self.rate)
        b = jnp.where(a > 2, a, 3.0)
        return jnp.where(a > 2, jnp.square(rate / (b - 1)) / (b - 2), jnp.inf)


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

    @property
    def mean(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return 1 / rate

    @property
    def variance(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return 1 / jnp.square(rate)


def _log_regularized(
    f: Callable[..., jax.Array], a: jax.Array, y: jax.Array, at_zero: float, at_inf: float
) -> jax.Array:
    """log f(a, y) for an incomplete gamma function, whose derivatives are nan at the ends of every float."""
    inside = ~((y == 0) | (y > 1e3 * (a + 1)))
    return jnp.where(inside, safe_log(f(a, jnp.where(inside, y, 1.0))), jnp.where(y == 0, at_zero, at_inf))


def _divide(rate: jax.Array, x: jax.Array) -> jax.Array:
    """rate / x, from infinity at x <= 0 to 0 at infinity."""
    inside = ~((x <= 0) | (x == jnp.inf))
    return jnp.where(inside, rate / jnp.where(inside, x, 1.0), jnp.where(x <= 0, jnp.inf, 0.0))


def _log_gamma_draws(key: jax.Array, concentration: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Logarithms: a draw of Gamma(0.001) itself is too small for a float more often than not."""
    (a,) = promote(concentration)
    return jax.random.loggamma(key, a.astype(dtype), shape, dtype)


def _positive(x: jax.Array) -> jax.Array:
    info = jnp.finfo(x.dtype)
    return jnp.clip(x, info.tiny, info.max)
