"""Categorical, and what distributions over a short table of probabilities share."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.chances import check_one_given
from storax.distributions.multinomial import log_softmax
from storax.distributions.searching import quantile
from storax.distributions.special import safe_log
from storax.supports import Support


class Choice(Distribution):
    """Base: one of 0, ..., K - 1, with log probabilities `[*batch, K]` in a table."""

    is_discrete: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def num_categories(self) -> int: ...

    @abc.abstractmethod
    def _table(self) -> jax.Array:
        """log P(X = k), `[*batch, K]`."""

    def _tables(self) -> tuple[jax.Array, jax.Array]:
        """log P(X <= k) and log P(X > k), `[*batch, K]`."""
        table = self._table()
        axis = table.ndim - 1
        below = jax.lax.cumlogsumexp(table, axis=axis)
        above = jax.lax.cumlogsumexp(table, axis=axis, reverse=True)
        above = jnp.concatenate([above[..., 1:], jnp.full_like(above[..., :1], -jnp.inf)], axis)
        return jnp.where(below > 0, 0.0, below), jnp.where(above > 0, 0.0, above)  # sums of rounded numbers

    @property
    def support(self) -> Support:
        return supports.integer_interval(0, self.num_categories - 1)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return jax.random.categorical(key, self._table(), shape=(*shape, *self.batch_shape)).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        return self._look_up(self._table(), value, -jnp.inf, -jnp.inf)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._look_up(self._tables()[0], jnp.floor(promote(value)[0]), -jnp.inf, 0.0)

    def log_survival(self, value: Any) -> jax.Array:
        return self._look_up(self._tables()[1], jnp.floor(promote(value)[0]), 0.0, -jnp.inf)

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

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0, self.num_categories - 1)

    @property
    def mean(self) -> jax.Array:
        p = jnp.exp(self._table())
        return p @ jnp.arange(self.num_categories, dtype=p.dtype)

    @property
    def variance(self) -> jax.Array:
        p = jnp.exp(self._table())
        centred = jnp.arange(self.num_categories, dtype=p.dtype) - jnp.expand_dims(self.mean, -1) * jnp.ones_like(p)
        return (p * jnp.square(centred)).sum(-1)

    @property
    def mode(self) -> jax.Array:
        return jnp.argmax(self._table(), -1).astype(self.dtype)

    def entropy(self) -> jax.Array:
        table = self._table()
        possible = table > -jnp.inf
        finite = jnp.where(possible, table, 0.0)
        return -jnp.where(possible, jnp.exp(finite) * finite, 0.0).sum(-1)


class Categorical(Choice):
    """One of the integers 0, ..., K - 1.

    Args:
        probs: `[..., K]`, not negative with sum 1.
        logits: `[..., K]`, log probabilities up to a constant, real or -inf but not all of them -inf; instead of probs.

    >>> Categorical([0.2, 0.3, 0.5]).log_prob(2).item() == jnp.log(jnp.float32(0.5)).item()
    True
    >>> Categorical(logits=[0.0, -jnp.inf]).log_prob(1).item()
    -inf
    """

    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {"probs": supports.simplex, "logits": supports.log_weights}

    def __post_init__(self) -> None:
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    @property
    def num_categories(self) -> int:
        return int(jnp.shape(self.logits if self.probs is None else self.probs)[-1])

    def _table(self) -> jax.Array:
        if self.logits is not None:
            return log_softmax(self.logits)
        (p,) = promote(self.probs)
        wrong = (p < 0).any(-1, keepdims=True) | (
            jnp.abs(p.sum(-1, keepdims=True) - 1) > 1e-2
        )  # bfloat16 rounds so far
        return jnp.where(wrong, jnp.nan, safe_log(p))
