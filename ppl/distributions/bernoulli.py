"""Bernoulli: yes or no."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.chances import Chances, check_one_given, pass_nan, successes
from storax.distributions.searching import quantile
from storax.distributions.special import log_sigmoid
from storax.supports import Support


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
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    @property
    def _chances(self) -> Chances:
        return Chances.of(self.probs, self.logits)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return successes(key, self._chances.p, (*shape, *self.batch_shape)).astype(self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        if self.logits is not None:
            # What is asked of the value alone is a number to multiply by and one to add: a loop over logits, with the
            # values given, asks nothing and stores no masks.
            x, logits = promote(value, self.logits)
            sign = jnp.where(x == 0, -1.0, 1.0).astype(logits.dtype)
            outside = pass_nan(x, jnp.where((x == 0) | (x == 1), 0.0, -jnp.inf)).astype(logits.dtype)
            return log_sigmoid(sign * logits) + outside
        x, chances = self._chances.beside(value)
        return pass_nan(x, jnp.where(x == 1, chances.log_p, jnp.where(x == 0, chances.log_q, -jnp.inf)))

    def log_cdf(self, value: Any) -> jax.Array:
        x, chances = self._chances.beside(value)
        return pass_nan(x, jnp.where(x < 0, -jnp.inf, jnp.where(x < 1, chances.log_q, 0.0)))

    def log_survival(self, value: Any) -> jax.Array:
        x, chances = self._chances.beside(value)
        return pass_nan(x, jnp.where(x < 0, 0.0, jnp.where(x < 1, chances.log_p, -jnp.inf)))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0, 1)

    @property
    def mean(self) -> jax.Array:
        return self._chances.p

    @property
    def variance(self) -> jax.Array:
        return self._chances.p * self._chances.q

    @property
    def mode(self) -> jax.Array:
        return (self._chances.p > self._chances.q).astype(self.dtype)

    def entropy(self) -> jax.Array:
        return entropy_of_chances(self._chances)


def entropy_of_chances(chances: Chances) -> jax.Array:
    """-p log p - q log q, with 0 log 0 = 0."""
    p, q, log_p, log_q = chances
    return -p * jnp.where(p > 0, log_p, 0.0) - q * jnp.where(q > 0, log_q, 0.0)
