"""BetaBinomial, BetaNegativeBinomial: trials with a chance of success that is itself drawn."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.binomial import binomial_draws
from storax.distributions.chances import pass_nan
from storax.distributions.masses import log_share, log_urn_of_two
from storax.distributions.poisson import poisson_draws
from storax.distributions.searching import as_count, quantile
from storax.distributions.summing import entropy, inner_count, log_sums, outside_known
from storax.supports import Support


class BetaBinomial(Distribution):
    """Successes in total_count trials whose chance of success is Beta(concentration1, concentration0) distributed.

    Its distribution function is a sum of masses: with many trials it takes its time.

    Args:
        concentration1: pulls towards success, positive.
        concentration0: pulls towards failure, positive.
        total_count: a whole number, not negative.

    >>> BetaBinomial(1.0, 3.0, 8).mean.item()
    2.0
    """

    concentration1: Any
    concentration0: Any
    total_count: Any = 1

    parameters: ClassVar[dict[str, Support]] = {
        "concentration1": supports.positive,
        "concentration0": supports.positive,
        "total_count": supports.nonnegative_integer,
    }
    is_discrete: ClassVar[bool] = True

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.total_count)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        of_chance, of_count = jax.random.split(key)
        (n,) = promote(self.total_count)
        log_odds = log_odds_draws(of_chance, self.concentration1, self.concentration0, full)
        n, p = promote(n, jax.nn.sigmoid(log_odds))
        return as_count(binomial_draws(of_count, n, p, full), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, a, b, n = promote(value, self.concentration1, self.concentration0, self.total_count)
        inside = (x >= 0) & (x <= n) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        score = within(inside, log_urn_of_two(k, jnp.where(inside, n - k, 0.0), a, b))
        return self._or_nan(pass_nan(x, score))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tails(value)[0]

    def log_survival(self, value: Any) -> jax.Array:
        return self._tails(value)[1]

    def _tails(self, value: Any) -> tuple[jax.Array, jax.Array]:
        """Sums of masses: all of them where a concentration is below 1, as the mass may rise towards an end there."""
        x, a, b, n = promote(value, self.concentration1, self.concentration0, self.total_count)
        sums = log_sums(
            log_beta_binomial, inner_count(x, 0.0, n), 0.0, n, n * (a / (a + b)), (a >= 1) & (b >= 1), a, b, n
        )
        return outside_known(x, 0.0, n, sums)

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0, self.total_count)

    @property
    def mean(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.total_count)
        return n * (a / (a + b))

    @property
    def variance(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.total_count)
        return n * (a / (a + b)) * (b / (a + b)) * ((a + b + n) / (a + b + 1))

    @property
    def mode(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.total_count)
        # P(k + 1) >= P(k) where k (a + b - 2) <= n (a - 1) - (b - 1)
        peaked = a + b > 2
        inner = jnp.floor((n * (a - 1) - (b - 1)) / jnp.where(peaked, a + b - 2, 1.0)) + 1
        end = jnp.where(a >= b, n, 0.0)
        return as_count(jnp.where(peaked, jnp.clip(inner, 0.0, n), end), self.dtype)

    def entropy(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.total_count)
        mean, variance = promote(self.mean, self.variance)
        return entropy(log_beta_binomial, 0.0, n, mean, variance, (a >= 1) & (b >= 1), a, b, n)


class BetaNegativeBinomial(Distribution):
    """Successes before the failure number n, with a chance of success that is Beta(concentration1, concentration0).

    It has no distribution function: its tail falls like a power, too slowly to be summed, and has no other form.

    Args:
        concentration1: pulls towards success, positive.
        concentration0: pulls towards failure, positive; the mean is finite above 1 and the variance above 2.
        n: of failures, positive; it need not be whole.

    >>> BetaNegativeBinomial(2.0, 3.0, 5.0).mean.item()
    5.0
    """

    concentration1: Any
    concentration0: Any
    n: Any

    parameters: ClassVar[dict[str, Support]] = {
        "concentration1": supports.positive,
        "concentration0": supports.positive,
        "n": supports.positive,
    }
    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        of_chance, of_rate, of_count = jax.random.split(key, 3)
        log_odds = log_odds_draws(of_chance, self.concentration1, self.concentration0, full)
        (n,) = promote(self.n)
        log_rate = jax.random.loggamma(of_rate, n.astype(log_odds.dtype), full)
        return poisson_draws(of_count, jnp.exp(log_rate + log_odds), full, self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, a, b, n = promote(value, self.concentration1, self.concentration0, self.n)
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        # The urn's order is free but for the last draw, which is a failure.
        return pass_nan(x, within(inside, log_urn_of_two(k, n, a, b) + log_share(n, k)))

    @property
    def mean(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.n)
        return jnp.where(b > 1, n * a / jnp.where(b > 1, b - 1, 1.0), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.n)
        c = jnp.where(b > 2, b, 3.0)
        return jnp.where(b > 2, n * a * (n + c - 1) * (a + c - 1) / ((c - 2) * jnp.square(c - 1)), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        a, b, n = promote(self.concentration1, self.concentration0, self.n)
        # P(k + 1) >= P(k) where k (b + 1) <= n (a - 1) - a - b
        return as_count(jnp.maximum(jnp.floor((n * (a - 1) - a - b) / (b + 1)) + 1, 0.0), self.dtype)


def log_beta_binomial(k: jax.Array, a: jax.Array, b: jax.Array, n: jax.Array) -> jax.Array:
    """The log mass at k, of whole floats."""
    return log_urn_of_two(k, n - k, a, b)


def log_odds_draws(key: jax.Array, a: Any, b: Any, shape: tuple[int, ...]) -> jax.Array:
    """log(X / (1 - X)) of X ~ Beta(a, b), which for small a and b is closer to 0 or 1 than floats are."""
    of_a, of_b = jax.random.split(key)
    a, b = promote(a, b)
    dtype = jnp.result_type(a, b)
    x, y = jax.random.loggamma(of_a, a.astype(dtype), shape), jax.random.loggamma(of_b, b.astype(dtype), shape)
    return x - y
