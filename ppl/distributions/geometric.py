"""Geometric and DiscreteWeibull: whole steps until an event."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.bernoulli import entropy_of_chances
from storax.distributions.chances import Chances, check_one_given, pass_nan
from storax.distributions.incomplete import log_gamma_tails
from storax.distributions.log_gamma import log_gamma
from storax.distributions.searching import as_count, best_near, quantile
from storax.distributions.special import log1mexp
from storax.errors import ParameterError
from storax.supports import Support


class Geometric(Distribution):
    """The number of failures before the first success.

    Args:
        probs: of a success, in (0, 1].
        logits: log(probs / (1 - probs)), real; instead of probs.

    >>> Geometric(0.25).mean.item()
    3.0
    """

    probs: Any = None
    logits: Any = None

    parameters: ClassVar[dict[str, Support]] = {"probs": supports.unit_interval, "logits": supports.real}
    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_one_given(self.name, self.probs, self.logits)
        super().__post_init__()

    def validate(self) -> None:
        super().validate()
        refuse(self, "probs", lambda p: p <= 0, "above 0, for there to be a first success")

    @property
    def _chances(self) -> Chances:
        return Chances.of(self.probs, self.logits)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        noise, chances = self._chances.beside(_exponential(key, full, self._chances.p.dtype))
        return as_count(jnp.floor(-noise / chances.log_q), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, chances = self._chances.beside(value)
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        score = within(inside, _failures(jnp.where(inside, x, 0.0), chances) + chances.log_p)
        return self._or_nan(pass_nan(x, score), chances.log_p > -jnp.inf)

    def log_cdf(self, value: Any) -> jax.Array:
        x, chances = self._chances.beside(value)
        inside = (x >= 0) & (x < jnp.inf)
        score = _failures(jnp.where(inside, jnp.floor(x) + 1, 1.0), chances)
        return pass_nan(x, jnp.where(inside, log1mexp(-score), jnp.where(x < 0, -jnp.inf, 0.0)))

    def log_survival(self, value: Any) -> jax.Array:
        x, chances = self._chances.beside(value)
        inside = (x >= 0) & (x < jnp.inf)
        score = _failures(jnp.where(inside, jnp.floor(x) + 1, 1.0), chances)
        return pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, 0.0, -jnp.inf)))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0)

    @property
    def mean(self) -> jax.Array:
        return self._chances.q / self._chances.p

    @property
    def variance(self) -> jax.Array:
        return self._chances.q / jnp.square(self._chances.p)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    def entropy(self) -> jax.Array:
        return entropy_of_chances(self._chances) / self._chances.p


class DiscreteWeibull(Distribution):
    """The whole part of a Weibull variable: P(X >= k) = q^(k^beta) (Nakagawa & Osaki 1975).

    Args:
        q: P(X > 0), in (0, 1).
        beta: shape, positive; at 1 it is Geometric(1 - q).

    >>> DiscreteWeibull(0.5, 2.0).log_survival(2).item() == (9 * jnp.log(0.5)).item()
    True
    """

    q: Any
    beta: Any

    parameters: ClassVar[dict[str, Support]] = {"q": supports.unit_interval, "beta": supports.positive}
    support: ClassVar[Support] = supports.nonnegative_integer
    is_discrete: ClassVar[bool] = True

    def validate(self) -> None:
        super().validate()
        refuse(self, "q", lambda q: (q <= 0) | (q >= 1), "above 0 and below 1")

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (q,) = promote(self.q)
        noise, rate, beta = promote(_exponential(key, (*shape, *self.batch_shape), q.dtype), -jnp.log(q), self.beta)
        return as_count(jnp.floor(jnp.exp(jnp.log(noise / rate) / beta)), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, q, beta = promote(value, self.q, self.beta)
        inside = (x >= 0) & (x < jnp.inf) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        rate = -jnp.log(q)
        zero, last = k == 0, beta * jnp.log1p(k) > _limit(k.dtype)  # where (k + 1)^beta overflows, nothing is above k
        j = jnp.where(zero | last, 1.0, k)
        start = jnp.where(zero, 0.0, _power(jnp.where(zero, 1.0, k), beta))
        # (k + 1)^beta - k^beta, which cancels for large k
        step = _power(j, beta) * jnp.expm1(jnp.where(zero | last, 1.0, beta) * jnp.log1p(1 / j))
        step = jnp.where(zero | last, 1.0, step)
        return pass_nan(x, within(inside, jnp.where(last, 0.0, log1mexp(rate * step)) - rate * start))

    def log_cdf(self, value: Any) -> jax.Array:
        return log1mexp(-self.log_survival(value))

    def log_survival(self, value: Any) -> jax.Array:
        x, q, beta = promote(value, self.q, self.beta)
        inside = (x >= 0) & (x < jnp.inf)
        score = jnp.log(q) * _power(jnp.where(inside, jnp.floor(x) + 1, 1.0), beta)
        return pass_nan(x, jnp.where(inside, score, jnp.where(x < 0, 0.0, -jnp.inf)))

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, 0)

    @property
    def mean(self) -> jax.Array:
        return self._moments()[0]

    @property
    def variance(self) -> jax.Array:
        return self._moments()[1]

    def _moments(self) -> tuple[jax.Array, jax.Array]:
        """From sums of P(X >= k) = exp(-c k^beta): 511 terms, and Euler and Maclaurin's integral of all others, an
        incomplete gamma function.  The variance is about a count m in the middle: E X less m is the sum of
        P(X >= k) less that of 1 for k <= m."""
        q, beta = promote(self.q, self.beta)
        c = -jnp.log(q)
        k = jnp.arange(1.0, _DIRECT, dtype=c.dtype).reshape((1,) * c.ndim + (-1,))
        middle = jnp.floor(jnp.clip(jnp.exp(jnp.log(math.log(2.0) / lax.stop_gradient(c)) / beta), 0.0, _DIRECT - 1.0))
        hazard = c[..., None] * _power(k, beta[..., None])
        low, steps = k <= middle[..., None], jnp.abs(k - middle[..., None])
        first = jnp.where(low, jnp.expm1(-hazard), jnp.exp(-hazard)).sum(-1)
        second = (jnp.where(low, -(2 * steps + 1) * jnp.expm1(-hazard), (2 * steps - 1) * jnp.exp(-hazard))).sum(-1)
        tail_first, tail_second = _weibull_tails(c, beta, middle)
        offset = first + tail_first
        return middle + offset, second + tail_second - jnp.square(offset)

    @property
    def mode(self) -> jax.Array:
        """0, or next to the mode of the continuous Weibull variable of which it is the whole part."""
        q, beta = promote(self.q, self.beta)
        above = beta > 1
        b = jnp.where(above, beta, 2.0)
        peak = jnp.exp(jnp.log((b - 1) / b / -jnp.log(q)) / b)
        return best_near(self, jnp.where(above, jnp.floor(peak), 0.0))


_DIRECT = 512


def _weibull_tails(c: jax.Array, beta: jax.Array, middle: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sums of exp(-c k^beta), and of that times 2 (k - middle) - 1, over k >= 512.

    The integral of x^(i - 1) exp(-c x^beta) from there on is Gamma(i / beta, c 512^beta) / (beta c^(i / beta)), with
    the upper incomplete gamma function.
    """
    start = jnp.full_like(c, _DIRECT)
    power = _power(start, beta)
    hazard = c * power
    f = jnp.exp(-hazard)

    def integral(i: int) -> jax.Array:
        a = i / beta
        return jnp.exp(log_gamma(a) + log_gamma_tails(a, hazard)[1] - jnp.log(beta) - a * jnp.log(c))

    # Half of the first term, less a twelfth of its slope; and the third derivative over 720.
    one, two, three = (hazard * g / start**i for i, g in (
        (1, -beta), (2, -beta * (beta - 1)), (3, -beta * (beta - 1) * (beta - 2))
    ))  # fmt: skip
    slopes = f * one, f * (two + jnp.square(one)), f * (three + 3 * two * one + one**3)
    first = integral(1) + 0.5 * f - slopes[0] / 12 + slopes[2] / 720
    weight = 2 * (start - middle) - 1
    by_slope = weight * slopes[0] + 2 * f
    by_third = weight * slopes[2] + 6 * slopes[1]
    second = 2 * integral(2) - (2 * middle + 1) * integral(1) + 0.5 * weight * f - by_slope / 12 + by_third / 720
    return first, second


def _failures(k: jax.Array, chances: Chances) -> jax.Array:
    """k log q with 0 log 0 = 0, and no nan in the gradient."""
    zero = k == 0
    return jnp.where(zero, 0.0, k * jnp.where(zero, 0.0, chances.log_q))


def _power(k: jax.Array, beta: jax.Array) -> jax.Array:
    """k^beta for k >= 1, whose gradient is finite where it overflows."""
    score, limit = beta * jnp.log(k), _limit(k.dtype)
    return jnp.exp(jnp.where(score > limit, limit, score))  # the derivative of jnp.minimum would be inf times 0


def _limit(dtype: Any) -> float:
    """The logarithm of about the largest float."""
    return float(np.log(float(jnp.finfo(dtype).max))) - 1


def _exponential(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jax.random.exponential(key, shape, dtype)


def refuse(d: Distribution, name: str, bad: Any, required: str) -> None:
    """Refuse a parameter whose support leaves too much in, if its numbers are known.

    Raises:
        ParameterError: with its name and the first bad number.
    """
    value = getattr(d, name)
    if value is None or not is_known(value):
        return
    numbers = np.asarray(value)
    for index in np.argwhere(bad(numbers))[:1]:
        at = f"[{', '.join(map(str, index))}]" if len(index) else ""
        raise ParameterError(f"{d.name}: {name} must be {required}, and {name}{at} is {numbers[*index]}.")
