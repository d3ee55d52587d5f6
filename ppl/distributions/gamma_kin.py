"""ChiSquared, Chi, GeneralizedGamma: powers of gamma variables."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.gamma import Gamma, gamma_entropy, log_gamma_draws, positive_float
from storax.distributions.gamma_density import log_gamma_density
from storax.distributions.incomplete import log_gamma_tails
from storax.distributions.quantiles import quantile
from storax.distributions.small import log_gamma1p, log_ratio
from storax.distributions.special import log_beta, log_gamma_half_step, safe_log, times_log
from storax.supports import Support


class ChiSquared(Distribution):
    """The sum of squares of df standard normal variables; `Chi2` is another name of it.

    Args:
        df: degrees of freedom, positive, not necessarily whole.

    >>> ChiSquared(3.0).variance.item()
    6.0
    """

    df: Any

    parameters: ClassVar[dict[str, Support]] = {"df": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    @property
    def gamma(self) -> Gamma:
        """It is a Gamma(df / 2, 1 / 2)."""
        return Gamma(0.5 * promote(self.df)[0], 0.5)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.gamma.sample(key, shape)

    def log_prob(self, value: Any) -> jax.Array:
        return self.gamma.log_prob(value)

    def log_cdf(self, value: Any) -> jax.Array:
        return self.gamma.log_cdf(value)

    def log_survival(self, value: Any) -> jax.Array:
        return self.gamma.log_survival(value)

    def icdf(self, q: Any) -> jax.Array:
        return self.gamma.icdf(q)

    @property
    def mean(self) -> jax.Array:
        return promote(self.df)[0]

    @property
    def variance(self) -> jax.Array:
        return 2 * promote(self.df)[0]

    @property
    def mode(self) -> jax.Array:
        return jnp.maximum(promote(self.df)[0] - 2, 0.0)

    def entropy(self) -> jax.Array:
        return self.gamma.entropy()


Chi2 = ChiSquared


class Chi(Distribution):
    """The length of a vector of df standard normal variables.

    Args:
        df: degrees of freedom, positive, not necessarily whole.

    >>> from storax.distributions import HalfNormal
    >>> bool(abs(Chi(1.0).log_prob(0.7) - HalfNormal(1.0).log_prob(0.7)) < 1e-6)
    True
    """

    df: Any

    parameters: ClassVar[dict[str, Support]] = {"df": supports.positive}
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (df,) = promote(self.df)
        log_y = log_gamma_draws(key, 0.5 * df, (*shape, *self.batch_shape), self.dtype)
        return positive_float(jnp.exp(0.5 * (log_y + math.log(2.0))))

    def log_prob(self, value: Any) -> jax.Array:
        x, df = promote(value, self.df)
        inside = ~((x < 0) | (x == jnp.inf))
        a, x = 0.5 * df, jnp.where(inside, x, 1.0)
        # Next to 0, where x^2 underflows, the powers of x are put together.
        low = x < 1e-6
        y = jnp.where(low, 1.0, x)
        score = log_gamma_density(a, 0.5 * jnp.square(y)) + jnp.log(y)
        power = times_log(df - 1, safe_log(jnp.where(low, x, 1.0)))
        square = jnp.square(jnp.where(low, x, 0.0))
        of_low = power - 0.5 * square + (1 - a) * math.log(2.0) - _log_gamma(a)
        return within(inside, jnp.where(low, of_low, score))

    def log_cdf(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._half_square(value))[0]

    def log_survival(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._half_square(value))[1]

    def _half_square(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, df = promote(value, self.df)
        x = jnp.maximum(x, 0.0)
        return 0.5 * df, 0.5 * jnp.square(x), 2 * safe_log(x) - math.log(2.0)

    def icdf(self, q: Any) -> jax.Array:
        q, _ = promote(q, self.df)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, jnp.inf)

    @property
    def mean(self) -> jax.Array:
        return math.sqrt(2.0) * jnp.exp(log_gamma_half_step(0.5 * promote(self.df)[0]))

    @property
    def variance(self) -> jax.Array:
        """df - mean^2, which for many degrees of freedom is 1/2 - 1/(8 df) - ..., the difference of large numbers."""
        (df,) = promote(self.df)
        large = df > 30
        r = 1 / jnp.where(large, df, 30.0)
        # By the square of G(a + 1/2) / G(a) = sqrt(a) (1 - 1/(8a) + 1/(128a^2) + ...), DLMF 5.11.13
        terms = (1 / 2, -1 / 8, -1 / 16, 5 / 128, 23 / 256, -53 / 1024, -593 / 2048, 5165 / 32768, 110123 / 65536)
        series = jnp.zeros_like(r)
        for c in terms[::-1]:
            series = c + r * series
        return jnp.where(large, series, df - jnp.square(self.mean))

    @property
    def mode(self) -> jax.Array:
        (df,) = promote(self.df)
        above = df > 1
        return jnp.where(above, jnp.sqrt(jnp.where(above, df, 2.0) - 1), 0.0)

    def entropy(self) -> jax.Array:
        a = 0.5 * promote(self.df)[0]
        # X = sqrt(2 Y): log |dX/dY| = log(2 Y) * -1/2.
        return gamma_entropy(a) - 0.5 * (digamma(a) + math.log(2.0))


class GeneralizedGamma(Distribution):
    """Y^(1 / power) / rate with Y ~ Gamma(concentration, 1): of Stacy (1962), and scipy.stats.gengamma.

    power = 1 is the gamma, concentration = 1 the Weibull, power = 2 the scaled chi distribution.

    Args:
        concentration: shape of the gamma variable, positive.
        rate: inverse scale, positive.
        power: positive.

    >>> bool(abs(GeneralizedGamma(2.0, 3.0, 1.0).log_prob(0.5) - Gamma(2.0, 3.0).log_prob(0.5)) < 1e-6)
    True
    """

    concentration: Any
    rate: Any = 1.0
    power: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "concentration": supports.positive,
        "rate": supports.positive,
        "power": supports.positive,
    }
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        log_y = log_gamma_draws(key, self.concentration, (*shape, *self.batch_shape), self.dtype)
        log_y, rate, power = promote(log_y, self.rate, self.power)
        return positive_float(jnp.exp(log_y / power - jnp.log(rate)))

    def log_prob(self, value: Any) -> jax.Array:
        x, a, rate, power = promote(value, self.concentration, self.rate, self.power)
        inside = ~((x < 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        log_z = log_ratio(x, 1 / rate)
        inside = inside & ~(power * log_z > np.log(jnp.finfo(x.dtype).max))  # no float is as small as that
        log_z = jnp.where(inside, log_z, 0.0)
        low = power * log_z < -30
        log_y = jnp.where(low, 0.0, log_z)
        score = log_gamma_density(a, jnp.exp(power * log_y)) + (power - 1) * log_y
        # Next to 0 the powers of x are put together.
        zero = log_z == -jnp.inf
        far = power * jnp.where(low & ~zero, log_z, 0.0)
        of_low = (
            times_log(a * power - 1, jnp.where(low, log_z, 0.0)) - jnp.where(zero, 0.0, jnp.exp(far)) - _log_gamma(a)
        )
        return within(inside, jnp.where(low, of_low, score) + jnp.log(power) + jnp.log(rate))

    def log_cdf(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._shape_and_power(value))[0]

    def log_survival(self, value: Any) -> jax.Array:
        return log_gamma_tails(*self._shape_and_power(value))[1]

    def _shape_and_power(self, value: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, a, rate, power = promote(value, self.concentration, self.rate, self.power)
        inside = ~((x <= 0) | (x == jnp.inf))
        log_y = power * log_ratio(jnp.where(inside, x, 1.0), 1 / rate)
        inside = inside & ~(log_y > np.log(float(jnp.finfo(x.dtype).max)))
        y = jnp.exp(jnp.where(inside, log_y, 0.0))
        ends = jnp.where(x <= 0, 0.0, jnp.inf)
        return a, jnp.where(inside, y, ends), jnp.where(inside, log_y, jnp.where(x <= 0, -jnp.inf, jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        q, a, rate, power = promote(q, self.concentration, self.rate, self.power)
        y = quantile(lambda y: log_gamma_tails(a, y)[0], lambda y: log_gamma_tails(a, y)[1], q, 0.0, jnp.inf)
        inside = (y > 0) & (y < jnp.inf)
        return jnp.where(inside, jnp.exp(jnp.log(jnp.where(inside, y, 1.0)) / power) / rate, y)

    @property
    def mean(self) -> jax.Array:
        a, rate, power = promote(self.concentration, self.rate, self.power)
        return jnp.exp(_log_moment(a, 1 / power)) / rate

    @property
    def variance(self) -> jax.Array:
        a, rate, power = promote(self.concentration, self.rate, self.power)
        first = _log_moment(a, 1 / power)
        return jnp.exp(2 * first) * jnp.expm1(_log_moment(a, 2 / power) - 2 * first) / jnp.square(rate)

    @property
    def mode(self) -> jax.Array:
        a, rate, power = promote(self.concentration, self.rate, self.power)
        inner = a - 1 / power
        above = inner > 0
        return jnp.where(above, jnp.exp(jnp.log(jnp.where(above, inner, 1.0)) / power) / rate, 0.0)

    def entropy(self) -> jax.Array:
        a, rate, power = promote(self.concentration, self.rate, self.power)
        return gamma_entropy(a) + (1 / power - 1) * digamma(a) - jnp.log(power) - jnp.log(rate)


def _log_gamma(a: jax.Array) -> jax.Array:
    return log_gamma1p(a) - jnp.log(a)


def _log_moment(a: jax.Array, k: jax.Array) -> jax.Array:
    """log E Y^k of a Gamma(a, 1): log Gamma(a + k) - log Gamma(a)."""
    return gammaln(k) - log_beta(a, k)
