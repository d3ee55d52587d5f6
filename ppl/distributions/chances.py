"""Chances: the probability of success of a trial, and of failure, given as probs or as logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from storax.distributions.base import promote
from storax.distributions.special import log_sigmoid, probability, safe_log
from storax.errors import ParameterError


class Chances(NamedTuple):
    """p and q = 1 - p, and their logarithms: each accurate where another has underflowed or cancelled."""

    p: jax.Array
    q: jax.Array
    log_p: jax.Array
    log_q: jax.Array

    @classmethod
    def of(cls, probs: Any, logits: Any = None) -> Chances:
        """Of a success; at probs 0 and 1 one logarithm is -inf, with a finite gradient."""
        if logits is not None:
            (x,) = promote(logits)
            return cls(jax.nn.sigmoid(x), jax.nn.sigmoid(-x), log_sigmoid(x), log_sigmoid(-x))
        p = probability(promote(probs)[0])
        one = p == 1
        return cls(p, 1 - p, safe_log(p), jnp.where(one, -jnp.inf, jnp.log1p(-jnp.where(one, 0.5, p))))

    @classmethod
    def of_odds(cls, a: Any, b: Any) -> Chances:
        """p = a / (a + b), with a >= 0 and b > 0, also where one is much the larger."""
        a, b = promote(a, b)
        total = a + b
        return cls(a / total, b / total, safe_log(a) - jnp.log(total), -jnp.log1p(a / b))

    def flip(self) -> Chances:
        """Of a failure."""
        return Chances(self.q, self.p, self.log_q, self.log_p)

    def beside(self, *arrays: Any) -> tuple[Any, ...]:
        """The arrays and the chances at one rank: `x, n, chances = chances.beside(x, n)`."""
        out = promote(*arrays, *self)
        return (*out[: len(arrays)], Chances(*out[len(arrays) :]))


def successes(key: jax.Array, p: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Booleans, True with probability p."""
    u, p = promote(jax.random.uniform(key, shape, p.dtype), p)
    return u < p


def check_one_given(name: str, probs: Any, logits: Any, names: tuple[str, str] = ("probs", "logits")) -> None:
    """Refuse both or neither.

    Raises:
        ParameterError: naming both.
    """
    if (probs is None) == (logits is None):
        which = "neither" if probs is None else "both"
        raise ParameterError(f"{name} needs one of {names[0]} and {names[1]}, and got {which}: {name}({names[0]}=...).")


def pass_nan(x: jax.Array, score: jax.Array) -> jax.Array:
    """Comparisons with nan are False, and would make a number of it."""
    return jnp.where(jnp.isnan(x), jnp.nan, score)
