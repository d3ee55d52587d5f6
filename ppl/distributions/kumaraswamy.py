"""Kumaraswamy, BetaProportion: other ways to a distribution on [0, 1]."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bounded import Beta
from storax.distributions.gamma import probability
from storax.distributions.special import log1mexp, log_beta, safe_log, times_log
from storax.supports import Support


class Kumaraswamy(Distribution):
    """A distribution on [0, 1] much like the beta: 1 - X^concentration1 is U^(1 / concentration0), U uniform.

    Args:
        concentration1: pulls towards 1, positive.
        concentration0: pulls towards 0, positive.

    >>> round(Kumaraswamy(2.0, 3.0).log_survival(0.5).item(), 5)  # 3 log(1 - 0.5^2)
    -0.86305
    """

    concentration1: Any
    concentration0: Any

    parameters: ClassVar[dict[str, Support]] = {
        "concentration1": supports.positive,
        "concentration0": supports.positive,
    }
    support: ClassVar[Support] = supports.unit_interval

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        info = jnp.finfo(self.dtype)
        noise, a, b = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype),
            self.concentration1,
            self.concentration0,
        )
        return jnp.clip(jnp.exp(log1mexp(noise / b) / a), info.tiny, 1 - info.epsneg)

    def log_prob(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        inside = ~((x < 0) | (x > 1))
        log_x = safe_log(jnp.where(inside, x, 0.5))
        score = times_log(a - 1, log_x) + times_log(b - 1, _log_rest(a, log_x))
        return within(inside, jnp.log(a) + jnp.log(b) + score)

    def log_cdf(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        log_x = safe_log(jnp.clip(x, 0.0, 1.0))
        low = a * log_x < -40  # x^a is so small that 1 - (1 - x^a)^b is b x^a
        zero = log_x == -jnp.inf
        of_low = jnp.where(zero, -jnp.inf, jnp.log(b) + a * jnp.where(zero, 0.0, log_x))
        return jnp.where(low, jnp.minimum(of_low, 0.0), log1mexp(-b * _log_rest(a, jnp.where(low, -1.0 / a, log_x))))

    def log_survival(self, value: Any) -> jax.Array:
        x, a, b = promote(value, self.concentration1, self.concentration0)
        return b * _log_rest(a, safe_log(jnp.clip(x, 0.0, 1.0)))

    def icdf(self, q: Any) -> jax.Array:
        q, a, b = promote(probability(q), self.concentration1, self.concentration0)
        return jnp.exp(log1mexp(-jnp.log1p(-q) / b) / a)

    @property
    def mean(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        return jnp.exp(_log_moment(a, b, 1.0))

    @property
    def variance(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        first = _log_moment(a, b, 1.0)
        return jnp.exp(2 * first) * jnp.expm1(_log_moment(a, b, 2.0) - 2 * first)

    @property
    def mode(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        inner = (a > 1) & (b > 1)
        p, r = jnp.where(inner, a, 2.0), jnp.where(inner, b, 2.0)
        top = jnp.exp(jnp.log((p - 1) / (p * r - 1)) / p)
        # With a < 1 and b < 1 both ends are infinite, and with a = b = 1 all is flat: 0 is one of the answers.
        at_one = ((b < 1) & (a >= 1)) | ((b == 1) & (a > 1))
        return jnp.where(inner, top, jnp.where(at_one, 1.0, 0.0))

    def entropy(self) -> jax.Array:
        a, b = promote(self.concentration1, self.concentration0)
        return 1 - 1 / b + (1 - 1 / a) * (digamma(b + 1) + np.euler_gamma) - jnp.log(a) - jnp.log(b)


def _log_rest(a: jax.Array, log_x: jax.Array) -> jax.Array:
    """log(1 - x^a)."""
    zero = log_x == -jnp.inf
    return jnp.where(zero, 0.0, log1mexp(-a * jnp.where(zero, -1.0, log_x)))


def _log_moment(a: jax.Array, b: jax.Array, k: float) -> jax.Array:
    """log E X^k = log(b B(1 + k / a, b))."""
    return jnp.log(b) + log_beta(1 + k / a, b)


class _HasParameterMean(Distribution):
    mean = None  # type: ignore[assignment]  # a parameter of this name takes the place of the property


class BetaProportion(_HasParameterMean):
    """The beta distribution, by its mean: Beta(mean * concentration, (1 - mean) * concentration).

    Args:
        mean: between 0 and 1.
        concentration: the sum of both shapes, positive; the variance is mean * (1 - mean) / (concentration + 1).

    >>> BetaProportion(0.25, 2.0).variance.item()
    0.0625
    """

    mean: Any = dataclasses.field()
    concentration: Any = dataclasses.field()

    parameters: ClassVar[dict[str, Support]] = {"mean": supports.unit_interval, "concentration": supports.positive}
    support: ClassVar[Support] = supports.unit_interval

    def __post_init__(self) -> None:
        super().__post_init__()
        if jnp.shape(self.mean) != self.batch_shape:  # it is the mean of each of the batch
            object.__setattr__(self, "mean", jnp.broadcast_to(promote(self.mean)[0], self.batch_shape))

    @property
    def beta(self) -> Beta:
        mean, c = promote(self.mean, self.concentration)
        return Beta(mean * c, (1 - mean) * c)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.beta.sample(key, shape)

    def log_prob(self, value: Any) -> jax.Array:
        return self.beta.log_prob(value)

    def log_cdf(self, value: Any) -> jax.Array:
        return self.beta.log_cdf(value)

    def log_survival(self, value: Any) -> jax.Array:
        return self.beta.log_survival(value)

    def icdf(self, q: Any) -> jax.Array:
        return self.beta.icdf(q)

    @property
    def variance(self) -> jax.Array:
        mean, c = promote(self.mean, self.concentration)
        return mean * (1 - mean) / (c + 1)

    @property
    def mode(self) -> jax.Array:
        return self.beta.mode

    def entropy(self) -> jax.Array:
        return self.beta.entropy()
