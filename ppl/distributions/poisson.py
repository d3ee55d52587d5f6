"""Poisson: events at a rate."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.chances import pass_nan
from storax.distributions.incomplete import log_gamma_tails
from storax.distributions.masses import log_poisson
from storax.distributions.searching import as_count, quantile
from storax.distributions.summing import entropy
from storax.supports import Support


class Poisson(Distribution):
    """The Poisson distribution.

    A draw that the integers of the precision cannot hold (above 2.1e9 in 32 bits) is their largest.

    Args:
        rate: mean, not negative.

    >>> Poisson(2.0).log_prob(0).item()
    -2.0
    >>> Poisson(3.0).log_survival(2000).item() < -10000  # far below the smallest float
    True
    """

    rate: Any

    parameters: ClassVar[dict[str, Support]] = {"rate": supports.nonnegative}
    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return poisson_draws(key, promote(self.rate)[0], (*shape, *self.batch_shape), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        rate = jnp.where(rate >= 0, rate, jnp.nan)  # no density is made up where there is none
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        return pass_nan(x, within(inside, log_poisson(jnp.where(inside, x, 0.0), rate)))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tail(value, upper=False)

    def log_survival(self, value: Any) -> jax.Array:
        return self._tail(value, upper=True)

    def _tail(self, value: Any, upper: bool) -> jax.Array:
        x, rate = promote(value, self.rate)
        sure = (x < 0) | (x == jnp.inf) | (rate == 0) | jnp.isnan(x)
        k = lax.stop_gradient(jnp.where(sure, 0.0, jnp.floor(x)))
        score = log_gamma_tails(k + 1, jnp.where(sure, 1.0, rate))[0 if upper else 1]  # P(X > k) = P(k + 1, rate)
        return pass_nan(x, jnp.where(sure, jnp.where((x < 0) == upper, 0.0, -jnp.inf), score))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0)

    @property
    def mean(self) -> jax.Array:
        return promote(self.rate)[0]

    @property
    def variance(self) -> jax.Array:
        return promote(self.rate)[0]

    @property
    def mode(self) -> jax.Array:
        return as_count(jnp.floor(promote(self.rate)[0]), self.dtype)

    def entropy(self) -> jax.Array:
        (rate,) = promote(self.rate)
        return entropy(log_poisson, 0.0, jnp.inf, rate, rate, True, rate)


def poisson_draws(key: jax.Array, rate: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Integers; where the rate is beyond the type, its largest."""
    largest = jnp.iinfo(dtype).max
    beyond = rate > 0.9 * largest
    draws = jax.random.poisson(key, jnp.where(beyond, 1.0, rate), shape, dtype)
    return jnp.where(beyond, largest, jnp.maximum(draws, 0))
