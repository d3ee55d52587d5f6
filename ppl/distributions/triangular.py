"""LogUniform, Triangular: on an interval."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.bounded import check_below
from storax.distributions.gamma import probability
from storax.distributions.small import log_ratio
from storax.distributions.special import safe_log
from storax.supports import Support


class LogUniform(Distribution):
    """exp(U) with U uniform on [log low, log high].

    Args:
        low: positive.
        high: above low.

    >>> round(LogUniform(1.0, 100.0).icdf(0.5).item(), 4)
    10.0
    """

    low: Any
    high: Any

    parameters: ClassVar[dict[str, Support]] = {"low": supports.positive, "high": supports.positive}

    @property
    def support(self) -> Support:
        return supports.interval(self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.icdf(jax.random.uniform(key, (*shape, *self.batch_shape), self.dtype))

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        inside = ~((x < low) | (x > high))
        score = -jnp.log(jnp.where(inside, x, 1.0)) - jnp.log(log_ratio(high, low))
        return self._or_nan(within(inside, score), low < high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return safe_log(log_ratio(jnp.clip(x, low, high), low)) - jnp.log(log_ratio(high, low))

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high = promote(value, self.low, self.high)
        return safe_log(log_ratio(high, jnp.clip(x, low, high))) - jnp.log(log_ratio(high, low))

    def icdf(self, q: Any) -> jax.Array:
        q, low, high = promote(probability(q), self.low, self.high)
        width = log_ratio(high, low)
        x = jnp.where(q < 0.5, low * jnp.exp(q * width), high * jnp.exp((q - 1) * width))
        return jnp.where(x < low, low, jnp.where(x > high, high, x))

    @property
    def mean(self) -> jax.Array:
        middle, h = self._middle()
        return middle * jnp.sinh(h) / h

    @property
    def variance(self) -> jax.Array:
        middle, h = self._middle()
        # g^2 sinh(h) / h (cosh h - sinh(h) / h), where the bracket is h^2 / 3 + h^4 / 30 + ... for small h.
        small = h < 1
        s = jnp.square(jnp.where(small, h, 0.0))
        series = jnp.zeros_like(s)
        factorials = np.cumprod(np.arange(1.0, 24.0)).tolist()
        for n in range(10, 0, -1):
            series = s * (2 * n / factorials[2 * n] + series)
        k = jnp.where(small, 1.0, h)
        bracket = jnp.where(small, series, jnp.cosh(k) - jnp.sinh(k) / k)
        return middle * jnp.sinh(h) / h * bracket * middle

    def _middle(self) -> tuple[jax.Array, jax.Array]:
        """The geometric mean of both ends, and half of the logarithm of their ratio."""
        low, high = promote(self.low, self.high)
        return jnp.sqrt(low) * jnp.sqrt(high), 0.5 * log_ratio(high, low)

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.low)[0], self.shape)

    def entropy(self) -> jax.Array:
        low, high = promote(self.low, self.high)
        return jnp.log(log_ratio(high, low)) + 0.5 * (jnp.log(low) + jnp.log(high))

    def validate(self) -> None:
        super().validate()
        check_below(self, "low", "high")


class Triangular(Distribution):
    """A density that rises in a line from low to peak and falls in a line to high.

    Args:
        low: real.
        high: above low.
        peak: the mode, in [low, high] (SciPy's c is (peak - low) / (high - low)).

    >>> Triangular(0.0, 4.0, 1.0).cdf(1.0).item()
    0.25
    """

    low: Any = 0.0
    high: Any = 1.0
    peak: Any = 0.5

    parameters: ClassVar[dict[str, Support]] = {"low": supports.real, "high": supports.real, "peak": supports.real}

    @property
    def support(self) -> Support:
        return supports.interval(self.low, self.high)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        return self.icdf(jax.random.uniform(key, (*shape, *self.batch_shape), self.dtype))

    def log_prob(self, value: Any) -> jax.Array:
        x, low, high, peak = promote(value, self.low, self.high, self.peak)
        inside = ~((x < low) | (x > high))
        x = jnp.where(inside, x, peak)
        rising = x < peak
        # The height where x stands, over that of the peak, which is 2 / (high - low).
        gone, leg = jnp.where(rising, x - low, high - x), jnp.where(rising, peak - low, high - peak)
        at_peak = x == peak
        fraction = jnp.where(at_peak, 1.0, gone) / jnp.where(at_peak, 1.0, leg)
        score = within(inside, safe_log(fraction) + math.log(2.0) - jnp.log(high - low))
        return self._or_nan(score, low < high, low <= peak, peak <= high)

    def log_cdf(self, value: Any) -> jax.Array:
        x, low, high, peak = promote(value, self.low, self.high, self.peak)
        x = jnp.clip(x, low, high)
        return _log_area(x < peak, x - low, high - x, peak - low, high - peak)

    def log_survival(self, value: Any) -> jax.Array:
        x, low, high, peak = promote(value, self.low, self.high, self.peak)
        x = jnp.clip(x, low, high)
        return _log_area(x > peak, high - x, x - low, high - peak, peak - low)

    def icdf(self, q: Any) -> jax.Array:
        q, low, high, peak = promote(probability(q), self.low, self.high, self.peak)
        left, right, width = peak - low, high - peak, high - low
        rising = q * width < left
        square = jnp.where(rising, q * left, (1 - q) * right) * width
        positive = square > 0
        root = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), square)  # nan stays nan
        x = jnp.where(rising, low + root, high - root)
        return jnp.where(x < low, low, jnp.where(x > high, high, x))

    @property
    def mean(self) -> jax.Array:
        low, high, peak = promote(self.low, self.high, self.peak)
        return low + ((high - low) + (peak - low)) / 3

    @property
    def variance(self) -> jax.Array:
        low, high, peak = promote(self.low, self.high, self.peak)
        return (jnp.square(high - low) - (peak - low) * (high - peak)) / 18

    @property
    def mode(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.peak)[0], self.shape)

    def entropy(self) -> jax.Array:
        low, high, _ = promote(self.low, self.high, self.peak)
        return jnp.broadcast_to(0.5 - math.log(2.0) + jnp.log(high - low), self.shape)

    def validate(self) -> None:
        super().validate()
        check_below(self, "low", "high")
        check_below(self, "low", "peak", touching=True)
        check_below(self, "peak", "high", touching=True)


def _log_area(near: jax.Array, x: jax.Array, rest: jax.Array, leg: jax.Array, other: jax.Array) -> jax.Array:
    """log of the area from an end up to x, with the peak `leg` away from it; beyond the peak, of 1 - the rest."""
    width = x + rest
    x_near, rest_far = jnp.where(near, x, 1.0), jnp.where(near, 0.0, rest)
    of_near = 2 * safe_log(x_near) - jnp.log(jnp.where(near, leg, 1.0)) - jnp.log(width)
    flat = near | (other <= 0)
    fraction = jnp.where(flat, 0.0, rest_far / jnp.where(flat, 1.0, other) * (rest_far / width))
    return jnp.where(near, of_near, jnp.log1p(-jnp.minimum(fraction, 1.0)))
