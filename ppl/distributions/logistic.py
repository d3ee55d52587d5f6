"""Logistic, LogLogistic."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.location_scale import LocationScale
from storax.rules import custom_rule
from storax.supports import Support


class Logistic(LocationScale):
    """The distribution whose cdf is the sigmoid function.

    Args:
        loc: mean, real.
        scale: positive; the standard deviation is pi / sqrt(3) times that.

    >>> round(Logistic(0.0, 1.0).log_prob(120.0).item(), 6)
    -120.0
    """

    standard_variance: ClassVar[float] = np.pi**2 / 3
    standard_entropy: ClassVar[float] = 2.0

    @staticmethod
    def _draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.logistic(key, shape, dtype)

    @staticmethod
    def _log_density(z: jax.Array) -> jax.Array:
        return log_logistic(z)

    @staticmethod
    def _log_cdf(z: jax.Array) -> jax.Array:
        return -jax.nn.softplus(-z)

    @staticmethod
    def _quantile(q: jax.Array) -> jax.Array:
        return logit(q)


class LogLogistic(Distribution):
    """exp(X) with X ~ Logistic(log scale, 1 / concentration); the Fisk distribution.

    Args:
        scale: median, positive.
        concentration: shape, positive; moments below it are finite.

    >>> LogLogistic(3.0, 2.0).cdf(3.0).item()
    0.5
    """

    scale: Any = 1.0
    concentration: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive, "concentration": supports.positive}
    support: ClassVar[Support] = supports.positive

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, scale, c = promote(
            jax.random.logistic(key, (*shape, *self.batch_shape), self.dtype), self.scale, self.concentration
        )
        info = jnp.finfo(noise.dtype)
        return jnp.clip(scale * jnp.exp(noise / c), info.tiny, info.max)

    def log_prob(self, value: Any) -> jax.Array:
        x, scale, c = promote(value, self.scale, self.concentration)
        inside = ~((x <= 0) | (x == jnp.inf))
        x = jnp.where(inside, x, 1.0)
        return within(inside, log_logistic(c * _log_ratio(x, scale)) + jnp.log(c) - jnp.log(x))

    def log_cdf(self, value: Any) -> jax.Array:
        return -jax.nn.softplus(-self._score(value))

    def log_survival(self, value: Any) -> jax.Array:
        return -jax.nn.softplus(self._score(value))

    def _score(self, value: Any) -> jax.Array:
        """The log odds of being below a value."""
        x, scale, c = promote(value, self.scale, self.concentration)
        inside = ~((x <= 0) | (x == jnp.inf))
        score = c * _log_ratio(jnp.where(inside, x, 1.0), scale)
        return jnp.where(inside, score, jnp.where(x <= 0, -jnp.inf, jnp.inf))

    def icdf(self, q: Any) -> jax.Array:
        q, scale, c = promote(q, self.scale, self.concentration)
        return scale * jnp.exp(logit(q) / c)

    @property
    def mean(self) -> jax.Array:
        scale, c = promote(self.scale, self.concentration)
        b = np.pi / jnp.where(c > 1, c, 2.0)
        return scale * jnp.where(c > 1, b / jnp.sin(b), jnp.inf)

    @property
    def variance(self) -> jax.Array:
        scale, c = promote(self.scale, self.concentration)
        b = np.pi / jnp.where(c > 2, c, 3.0)
        # 2b / sin 2b - (b / sin b)^2, in which nearly all cancels for a small b
        small = b < 0.1
        s = jnp.square(jnp.where(small, b, 0.0))
        series = b * s / 3 * (1 - s / 10 * (1 - s / 28 * (1 - s / 54 * (1 - s / 88))))
        rest = jnp.where(small, series, jnp.sin(b) - b * jnp.cos(b))
        ratio = b / jnp.sin(b)
        return jnp.square(scale) * jnp.where(c > 2, ratio * rest / (jnp.sin(b) * jnp.cos(b)), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        scale, c = promote(self.scale, self.concentration)
        b = jnp.where(c > 1, c, 2.0)
        return scale * jnp.where(c > 1, jnp.exp((jnp.log1p(-1 / b) - jnp.log1p(1 / b)) / b), 0.0)

    def entropy(self) -> jax.Array:
        scale, c = promote(self.scale, self.concentration)
        return 2.0 + jnp.log(scale) - jnp.log(c)


def logit(q: Any) -> jax.Array:
    """log(q / (1 - q)), from minus infinity at 0 to infinity at 1; nan for another q.

    Near 1/2, log q - log(1 - q) would cancel.
    """
    near = (q > 0.25) & (q < 0.75)
    odds = 2 * jnp.where(near, q, 0.5) - 1
    p = jnp.where(near, 0.1, q)
    return jnp.where(near, 2 * jnp.arctanh(odds), jnp.log(p) - jnp.log1p(-p))


@custom_rule
def log_logistic(z: jax.Array) -> jax.Array:
    """-log(1 + e^z) - log(1 + e^-z)."""
    y = jnp.abs(z)
    return -y - 2 * jnp.log1p(jnp.exp(-y))


@log_logistic.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (z,) = primals
    return log_logistic(z), -jnp.tanh(0.5 * z) * tangents[0]


def _log_ratio(x: jax.Array, scale: jax.Array) -> jax.Array:
    """log(x / scale), to the last digit where they are near each other, and where the ratio overflows."""
    difference = jnp.log(x) - jnp.log(scale)
    near = jnp.abs(difference) < 1
    return jnp.where(near, jnp.log(jnp.where(near, x, scale) / scale), difference)
