"""Bernoulli, Binomial, Poisson, Categorical: counts and choices."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, gammainc, gammaincc

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.special import log_beta_density, log_gamma_density, safe_log
from storax.errors import ParameterError
from storax.supports import Support


def _check_one_given(name: str, probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        which = "neither" if probs is None else "both"
        raise ParameterError(f"{name} needs one of probs and logits, and got {which}: {name}(probs=...).")


def _probs(probs: Any, logits: Any) -> jax.Array:
    return promote(probs)[0] if logits is None else jax.nn.sigmoid(promote(logits)[0])


def _log_probs(probs: Any, logits: Any) -> tuple[jax.Array, jax.Array]:
    """log p and log(1 - p); -inf, with a finite gradient, where p is 0 or 1."""
    if logits is not None:
        (x,) = promote(logits)
        return jax.nn.log_sigmoid(x), jax.nn.log_sigmoid(-x)
    (p,) = promote(probs)
    one = p == 1
    return safe_log(p), jnp.where(one, -jnp.inf, jnp.log1p(-jnp.where(one, 0.5, p)))


def _pass_nan(x: jax.Array, score: jax.Array) -> jax.Array:
    """Comparisons with nan are False, and would make a number of it."""
    return jnp.where(jnp.isnan(x), jnp.nan, score)


class Bernoulli(Distribution):
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
    support: ClassVar[Support] = supports.boolean
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jax.random.bernoulli(key, _probs(self.probs, self.logits), (*shape, *self.batch_shape)).astype(
            self.dtype
        )

    def log_prob(self, value: Any) -> jax.Array:
        x, log_p, log_rest = promote(value, *_log_probs(self.probs, self.logits))
        return _pass_nan(x, jnp.where(x == 1, log_p, jnp.where(x == 0, log_rest, -jnp.inf)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, log_rest = promote(value, _log_probs(self.probs, self.logits)[1])
        return _pass_nan(x, jnp.where(x < 0, -jnp.inf, jnp.where(x < 1, log_rest, 0.0)))

    def log_survival(self, value: Any) -> jax.Array:
        x, log_p = promote(value, _log_probs(self.probs, self.logits)[0])
        return _pass_nan(x, jnp.where(x < 0, 0.0, jnp.where(x < 1, log_p, -jnp.inf)))

    @property
    def mean(self) -> jax.Array:
        return _probs(self.probs, self.logits)

    @property
    def variance(self) -> jax.Array:
        return _probs(self.probs, self.logits) * (1 - _probs(self.probs, self.logits))


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
        _check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.total_count)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        n, p = promote(self.total_count, _probs(self.probs, self.logits))
        full = (*shape, *self.batch_shape)
        # jax.random.binomial counts the rarer outcome well, and nothing at all when it is impossible.
        flipped = p > 0.5
        rare = jnp.where(flipped, 1 - p, p)
        impossible = (rare <= 0) | (n <= 0)
        count = jax.random.binomial(key, jnp.where(n <= 0, 1.0, n), jnp.where(impossible, 0.5, rare), full)
        count = jnp.where(impossible, 0.0, count)
        return jnp.where(flipped, n - count, count).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, n, log_p, log_rest = promote(value, self.total_count, *_log_probs(self.probs, self.logits))
        inside = (x >= 0) & (x <= n) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        # The mass at k is the density of Beta(k + 1, n - k + 1) at p, over n + 1.
        score = log_beta_density(k + 1, n - k + 1, log_p, log_rest) - jnp.log1p(n)
        return _pass_nan(x, within(inside, score))

    def log_cdf(self, value: Any) -> jax.Array:
        x, n, p = promote(value, self.total_count, _probs(self.probs, self.logits))
        inside = (x >= 0) & (x < n)
        k = jnp.where(inside, jnp.floor(x), 0.0)
        score = safe_log(betainc(jnp.where(inside, n - k, 1.0), k + 1, 1 - p))
        return _pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, -jnp.inf, 0.0)))

    def log_survival(self, value: Any) -> jax.Array:
        x, n, p = promote(value, self.total_count, _probs(self.probs, self.logits))
        inside = (x >= 0) & (x < n)
        k = jnp.where(inside, jnp.floor(x), 0.0)
        score = safe_log(betainc(k + 1, jnp.where(inside, n - k, 1.0), p))
        return _pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, 0.0, -jnp.inf)))

    @property
    def mean(self) -> jax.Array:
        n, p = promote(self.total_count, _probs(self.probs, self.logits))
        return n * p

    @property
    def variance(self) -> jax.Array:
        n, p = promote(self.total_count, _probs(self.probs, self.logits))
        return n * p * (1 - p)


class Poisson(Distribution):
    """The Poisson distribution.

    Args:
        rate: mean, not negative.

    >>> Poisson(2.0).log_prob(0).item()
    -2.0
    """

    rate: Any

    parameters: ClassVar[dict[str, Support]] = {"rate": supports.nonnegative}
    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (rate,) = promote(self.rate)
        return jax.random.poisson(key, rate, (*shape, *self.batch_shape), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        zero = ~inside | (x == 0)  # log Gamma(1) is 5e-7 in float32: no count is scored apart, and exactly
        score = jnp.where(zero, -rate, log_gamma_density(jnp.where(zero, 2.0, x + 1), rate))
        return _pass_nan(x, within(inside, score))

    def log_cdf(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        inside = (x >= 0) & (x < jnp.inf)
        score = safe_log(gammaincc(jnp.where(inside, jnp.floor(x), 0.0) + 1, rate))
        return _pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, -jnp.inf, 0.0)))

    def log_survival(self, value: Any) -> jax.Array:
        x, rate = promote(value, self.rate)
        inside = (x >= 0) & (x < jnp.inf)
        score = safe_log(gammainc(jnp.where(inside, jnp.floor(x), 0.0) + 1, rate))
        return _pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, 0.0, -jnp.inf)))

    @property
    def mean(self) -> jax.Array:
        return promote(self.rate)[0]

    @property
    def variance(self) -> jax.Array:
        return promote(self.rate)[0]


class Categorical(Distribution):
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

    def __post_init__(self) -> None:
        _check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

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
        return safe_log(p)

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
