"""Binomial: successes in a number of trials."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.chances import Chances, check_one_given, pass_nan
from storax.distributions.incomplete import log_beta_tails
from storax.distributions.masses import log_binomial
from storax.distributions.searching import as_count, quantile
from storax.distributions.summing import entropy
from storax.supports import Support


class Binomial(Distribution):
    """The number of successes in total_count trials.

    Args:
        total_count: a whole number, not negative.
        probs: of a success, in [0, 1].
        logits: log(probs / (1 - probs)), real; instead of probs.

    >>> Binomial(10, 0.25).mean.item()
    2.5
    """

    total_count: Any = 1
    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {
        "total_count": supports.nonnegative_integer,
        "probs": supports.unit_interval,
        "logits": supports.real,
    }
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.total_count)

    @property
    def _chances(self) -> Chances:
        return Chances.of(self.probs, self.logits)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        n, p = promote(self.total_count, self._chances.p)
        return as_count(binomial_draws(key, n, p, (*shape, *self.batch_shape)), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, n, chances = self._chances.beside(value, self.total_count)
        inside = (x >= 0) & (x <= n) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        score = within(inside, log_binomial(k, jnp.where(inside, n - k, 0.0), chances, n))
        return self._or_nan(pass_nan(x, score))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tail(value, upper=False)

    def log_survival(self, value: Any) -> jax.Array:
        return self._tail(value, upper=True)

    def _tail(self, value: Any, upper: bool) -> jax.Array:
        x, n, chances = self._chances.beside(value, self.total_count)
        never, always = chances.log_p == -jnp.inf, chances.log_q == -jnp.inf  # success
        inside = (x >= 0) & (x < n)
        sure = never | always | ~inside
        k, rest = jnp.where(sure, 0.0, jnp.floor(x)), jnp.where(sure, 1.0, n - jnp.floor(x))
        at_half = Chances(*(jnp.where(sure, y, z) for y, z in zip(Chances.of(0.5), chances, strict=True)))
        # P(X > k) = I_p(k + 1, n - k)
        score = log_beta_tails(k + 1, rest, at_half)[0 if upper else 1]
        is_above = (x < 0) | (inside & always)  # is the variable surely above the value?
        return pass_nan(x, jnp.where(sure, jnp.where(is_above == upper, 0.0, -jnp.inf), score))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0, self.total_count)

    @property
    def mean(self) -> jax.Array:
        n, p = promote(self.total_count, self._chances.p)
        return n * p

    @property
    def variance(self) -> jax.Array:
        n, chances = self._chances.beside(self.total_count)
        return n * chances.p * chances.q

    @property
    def mode(self) -> jax.Array:
        n, p = promote(self.total_count, self._chances.p)
        return as_count(jnp.minimum(jnp.floor((n + 1) * p), n), self.dtype)

    def entropy(self) -> jax.Array:
        n, chances = self._chances.beside(self.total_count)
        mean = n * chances.p
        return entropy(log_binomial_of, 0.0, n, mean, mean * chances.q, True, n, *chances)


def log_binomial_of(k: jax.Array, n: jax.Array, *chances: jax.Array) -> jax.Array:
    """The log mass at k, of whole floats."""
    return log_binomial(k, n - k, Chances(*chances), n)


def binomial_draws(key: jax.Array, n: jax.Array, p: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Whole floats.  jax.random.binomial counts the rarer outcome well, and nothing at all when it is impossible."""
    flipped = p > 0.5
    rare = jnp.where(flipped, 1 - p, p)
    impossible = (rare <= 0) | (n <= 0)
    count = jax.random.binomial(key, jnp.where(n <= 0, 1.0, n), jnp.where(impossible, 0.5, rare), shape)
    count = jnp.clip(jnp.where(impossible, 0.0, count), 0.0, jnp.broadcast_to(n, count.shape))
    return jnp.where(flipped, n - count, count)
