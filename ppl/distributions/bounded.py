"""Beta, Uniform: on an interval."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.beta_density import log_beta_density
from storax.distributions.chances import Chances
from storax.distributions.gamma import probability
from storax.distributions.incomplete import log_beta_tails
from storax.distributions.quantiles import quantile
from storax.distributions.special import log_beta, safe_log, standardize
from storax.errors import ParameterError
from storax.supports import Support


class Beta(Distribution):
    """The beta distribution on [0, 1].

    Args:
        concentration1: pulls towards 1, positive.
        concentration0: pulls towards 0, positive.

    >>> Beta(3.0, 1.0).mean.item()
    0.75
    """

    concentration1: Any
    concentration0: Any

    parameters: ClassVar[dict[str, Support]] = {
        "concentration1": supports.positive,
        "concentration0": supports.positive,
    }
    support: ClassVar[Support] = supports.unit_interval

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        a, b = (x.astype(self.dtype) for x in promote(self.concentration1, self.concentration0))
        info = jnp.finfo(self.dtype)
        x = jax.random.beta(key, a, b, (*shape, *self.batch_shape), self.dtype)
        return jnp.clip(x, info.tiny, 1 - info.epsneg)

    def log_prob(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        inside = ~((x < 0) | (x > 1))
        x = jnp.where(inside, x, 0.5)
        return within(inside, log_beta_density(a, b, x, 1 - x))

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        return log_beta_tails(a, b, _chances(x))[0]

    def log_survival(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        return log_beta_tails(a, b, _chances(x))[1]

    def icdf(self, q: Any) -> jax.Array:
        q, _, _ = promote(q, self.concentration1, self.concentration0)
        return quantile(self.log_cdf, self.log_survival, q, 0.0, 1.0)

    @property
    def mean(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        return a / (a + b)

    @property
    def variance(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        return a / (a + b) * (b / (a + b)) / (a + b + 1)

    @property
    def mode(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        inner = (a > 1) & (b > 1)
        top = jnp.where(inner, a - 1, 0.5) / jnp.where(inner, (a - 1) + (b - 1), 1.0)
        return jnp.where(inner, top, jnp.where(a < b, 0.0, jnp.where(a > b, 1.0, jnp.where(a < 1, 0.0, 0.5))))

    def entropy(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        return log_beta(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b) + (a + b - 2) * digamma(a + b)


def _chances(x: jax.Array) -> Chances:
    """x and 1 - x, 0 and 1 beyond them."""
    x = jnp.clip(x, 0.0, 1.0)
    return Chances.of(x)


class Uniform(Distribution):
    """The uniform distribution on [low, high].

    Args:
        low: real.
        high: real, above low.

    >>> Uniform(0.0, 4.0).mean.item()
    2.0
    """

    low: Any = 0.0
    high: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"low": supports.real, "high": supports.real}

    @property
    def support(self) -> Support:
        return supports.interval(self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        u, low, high = promote(jax.random.uniform(key, (*shape, *self.batch_shape), self.dtype), self.low, self.high)
        return jnp.minimum(low + (high - low) * u, high)

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        score = within(~((x < low) | (x > high)), jnp.where(jnp.isnan(x), jnp.nan, -jnp.log(high - low)))
        return self._or_nan(score, low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return safe_log(jnp.clip(standardize(x, low, high - low), 0.0, 1.0))

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return safe_log(jnp.clip(standardize(-x, -high, high - low), 0.0, 1.0))

    def icdf(self, q: Any) -> jax.Array:
        q, low, high = promote(probability(q), self.low, self.high)
        return jnp.where(q < 0.5, low + (high - low) * q, high - (high - low) * (1 - q))

    @property
    def mean(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return low + (high - low) / 2

    @property
    def variance(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return jnp.square(high - low) / 12

    @property
    def mode(self) -> jax.Array:
        return self.mean

    def entropy(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return jnp.log(high - low)

    def validate(self) -> None:
        super().validate()
        check_below(self, "low", "high")


def check_below(d: Distribution, low: str, high: str, touching: bool = False) -> None:
    """Refuse a parameter that is not below another one, as far as their numbers are known.

    Args:
        low, high: the names of the two.
        touching: may they be equal?

    Raises:
        ParameterError: with both names and both values.
    """
    if not (is_known(getattr(d, low)) and is_known(getattr(d, high))):
        return
    a, b = np.broadcast_arrays(np.asarray(getattr(d, low)), np.asarray(getattr(d, high)))
    for index in np.argwhere(~((a <= b) if touching else (a < b)))[:1]:
        at = f"[{', '.join(map(str, index))}]" if len(index) else ""
        what = "at least" if touching else "above"
        raise ParameterError(
            f"{d.name}: {high} must be {what} {low}, and {low}{at} is {a[*index]}, {high}{at} is {b[*index]}."
        )
