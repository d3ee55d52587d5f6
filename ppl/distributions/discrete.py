"""Bernoulli, Binomial, Poisson, Categorical: counts and choices."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, gammainc, gammaincc

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.special import log_beta_density, log_gamma_density
from storax.errors import ParameterError
from storax.supports import Support


class _FromProbability(Distribution):
    """Base of those with `probs` or `logits`, exactly one of them."""

    def __post_init__(self) -> None:
        if (self.probs is None) == (self.logits is None):  # type: ignore[attr-defined]
            raise ParameterError(f"{self.name} needs either probs or logits: {self.name}(probs=0.5).")
        super().__post_init__()


class _BinaryChoice(_FromProbability):
    def _probs(self) -> jax.Array:
        p = self.probs if self.probs is not None else None  # type: ignore[attr-defined]
        return promote(p)[0] if p is not None else jax.nn.sigmoid(promote(self.logits)[0])  # type: ignore[attr-defined]

    def _log_probs(self) -> tuple[jax.Array, jax.Array]:
        """log p and log(1 - p); -inf, with a finite gradient, where p is 0 or 1."""
        if self.logits is not None:  # type: ignore[attr-defined]
            (logits,) = promote(self.logits)  # type: ignore[attr-defined]
            return jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
        (p,) = promote(self.probs)  # type: ignore[attr-defined]
        zero, one = p == 0, p == 1
        log_p = jnp.where(zero, -jnp.inf, jnp.log(jnp.where(zero, 0.5, p)))
        return log_p, jnp.where(one, -jnp.inf, jnp.log1p(-jnp.where(one, 0.5, p)))


class Bernoulli(_BinaryChoice):
    """1 with probability probs, else 0.

    Args:
        probs: in [0, 1].
        logits: log(probs / (1 - probs)), real; instead of probs.

    >>> Bernoulli(logits=0.0).mean.item()
    0.5
    """

    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {"probs": supports.unit_interval, "logits": supports.real}
    support: ClassVar[Support] = supports.boolean  # type: ignore[assignment]
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jax.random.bernoulli(key, self._probs(), (*shape, *self.batch_shape)).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, log_p, log_rest = promote(value, *self._log_probs())
        return jnp.where(x == 1, log_p, jnp.where(x == 0, log_rest, _outside(x)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, log_rest = promote(value, self._log_probs()[1])
        return jnp.where(x < 0, -jnp.inf, jnp.where(x < 1, log_rest, 0.0))

    def log_survival(self, value: Any) -> jax.Array:
        x, log_p = promote(value, self._log_probs()[0])
        return jnp.where(x < 0, 0.0, jnp.where(x < 1, log_p, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        return self._probs()

    @property
    def variance(self) -> jax.Array:
        return self._probs() * (1 - self._probs())


def _outside(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isnan(x), jnp.nan, -jnp.inf)


class Binomial(_BinaryChoice):
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

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.total_count)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        n, p = promote(self.total_count, self._probs())
        full = (*shape, *self.batch_shape)
        # jax.random.binomial counts the rarer outcome well, and nothing at all when it is impossible.
        flipped = p > 0.5
        rare = jnp.where(flipped, 1 - p, p)
        impossible = (rare <= 0) | (n <= 0)
        count = jax.random.binomial(key, jnp.where(n <= 0, 1.0, n), jnp.where(impossible, 0.5, rare), full)
        count = jnp.where(impossible, 0.0, count)
        return jnp.where(flipped, n - count, count).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        k, n, log_p, log_rest = promote(value, self.total_count, *self._log_probs())
        inside = ~((k < 0) | (k > n) | (jnp.floor(k) != k))
        k = jnp.where(inside, k, 0.0)
        # The mass at k is the density of Beta(k + 1, n - k + 1) at p, over n + 1.
        score = log_beta_density(k + 1, n - k + 1, log_p, log_rest) - jnp.log1p(n)
        return jnp.where(inside, score, _outside(promote(value, score)[0]))

    def log_cdf(self, value: Any) -> jax.Array:
        k, n, p = promote(value, self.total_count, self._probs())
        k = jnp.floor(k)
        inside = (k >= 0) & (k < n)
        j = jnp.where(inside, k, 0.0)
        score = jnp.log(betainc(jnp.where(inside, n - j, 1.0), j + 1, 1 - p))
        return jnp.where(inside, score, jnp.where(k < 0, -jnp.inf, 0.0))

    def log_survival(self, value: Any) -> jax.Array:
        k, n, p = promote(value, self.total_count, self._probs())
        k = jnp.floor(k)
        inside = (k >= 0) & (k < n)
        j = jnp.where(inside, k, 0.0)
        score = jnp.log(betainc(j + 1, jnp.where(inside, n - j, 1.0), p))
        return jnp.where(inside, score, jnp.where(k < 0, 0.0, -jnp.inf))

    @property
    def mean(self) -> jax.Array:
        n, p = promote(self.total_count, self._probs())
        return n * p

    @property
    def variance(self) -> jax.Array:
        n, p = promote(self.total_count, self._probs())
        return n * p * (1 - p)


class Poisson(Distribution):
    """The Poisson distribution.

    Args:
        rate: mean, not negative.

    >>> Poisson(0.0).log_prob(0).item()
    0.0
    """

    rate: Any

    parameters: ClassVar[dict[str, Support]] = {"rate": supports.nonnegative}
    support: ClassVar[Support] = supports.nonnegative_integer  # type: ignore[assignment]
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (rate,) = promote(self.rate)
        return jax.random.poisson(key, rate, (*shape, *self.batch_shape), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        k, rate = promote(value, self.rate)
        inside = ~((k < 0) | (jnp.floor(k) != k))
        k = jnp.where(inside, k, 0.0)
        zero = k == 0
        score = jnp.where(zero, -rate, log_gamma_density(jnp.where(zero, 2.0, k + 1), rate))
        return jnp.where(inside, score, _outside(promote(value, score)[0]))

    def log_cdf(self, value: Any) -> jax.Array:
        k, rate = promote(value, self.rate)
        k = jnp.floor(k)
        return within(~(k < 0), jnp.log(gammaincc(jnp.maximum(k, 0.0) + 1, rate)))

    def log_survival(self, value: Any) -> jax.Array:
        k, rate = promote(value, self.rate)
        k = jnp.floor(k)
        return jnp.where(k < 0, 0.0, jnp.log(gammainc(jnp.maximum(k, 0.0) + 1, rate)))

    @property
    def mean(self) -> jax.Array:
        return promote(self.rate)[0]

    @property
    def variance(self) -> jax.Array:
        return promote(self.rate)[0]


class Categorical(_FromProbability):
    """One of the integers 0, ..., K - 1.

    Args:
        probs: `[..., K]`, not negative with sum 1.
        logits: `[..., K]`, log probabilities up to a constant, real; instead of probs.

    >>> Categorical([0.2, 0.3, 0.5]).log_prob(2).item() == jnp.log(jnp.float32(0.5)).item()
    True
    """

    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {"probs": supports.simplex, "logits": supports.real_vector}
    is_discrete: ClassVar[bool] = True

    @property
    def num_categories(self) -> int:
        return int(jnp.shape(self.logits if self.probs is None else self.probs)[-1])

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.num_categories - 1)

    def _log_probs(self) -> jax.Array:
        if self.logits is not None:
            return jax.nn.log_softmax(promote(self.logits)[0], -1)
        (p,) = promote(self.probs)
        return jnp.where(p == 0, -jnp.inf, jnp.log(jnp.where(p == 0, 1.0, p)))

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jax.random.categorical(key, self._log_probs(), shape=(*shape, *self.batch_shape)).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        return self._look_up(self._log_probs(), value, -jnp.inf, -jnp.inf)

    def log_cdf(self, value: Any) -> jax.Array:
        totals = jax.lax.cumlogsumexp(self._log_probs(), axis=len(self.batch_shape))
        return self._look_up(totals, jnp.floor(promote(value)[0]), -jnp.inf, 0.0)

    def log_survival(self, value: Any) -> jax.Array:
        axis = len(self.batch_shape)
        totals = jax.lax.cumlogsumexp(self._log_probs(), axis=axis, reverse=True)
        rest = jnp.concatenate([totals[..., 1:], jnp.full_like(totals[..., :1], -jnp.inf)], axis)
        return self._look_up(rest, jnp.floor(promote(value)[0]), 0.0, -jnp.inf)

    def _look_up(self, table: jax.Array, value: Any, below: float, above: float) -> jax.Array:
        (k,) = promote(value)
        last = self.num_categories - 1
        shape = jnp.broadcast_shapes(k.shape, self.batch_shape)
        k = jnp.broadcast_to(k, shape)
        index = jnp.clip(jnp.where(jnp.isnan(k), 0, k), 0, last).astype(int)
        if table.ndim == 1:  # one table for all: a plain gather
            entry = table[index]
        else:
            entry = jnp.take_along_axis(jnp.broadcast_to(table, (*shape, last + 1)), index[..., None], -1)[..., 0]
        entry = jnp.where(jnp.floor(k) == k, entry, -jnp.inf)
        return jnp.where(jnp.isnan(k), jnp.nan, jnp.where(k < 0, below, jnp.where(k > last, above, entry)))

    @property
    def mean(self) -> jax.Array:
        p = jnp.exp(self._log_probs())
        return p @ jnp.arange(self.num_categories, dtype=p.dtype)

    @property
    def variance(self) -> jax.Array:
        p = jnp.exp(self._log_probs())
        centred = jnp.arange(self.num_categories, dtype=p.dtype) - jnp.expand_dims(self.mean, -1) * jnp.ones_like(p)
        return (p * jnp.square(centred)).sum(-1)
