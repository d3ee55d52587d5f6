"""Dagum, Burr: heavy tails of incomes, in closed form."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.gamma import positive_float, probability
from storax.distributions.small import log_ratio
from storax.distributions.special import afresh, log1mexp, log_beta, safe_log, times_log
from storax.rules import custom_rule
from storax.supports import Support


class Dagum(Distribution):
    """P(X <= x) = (1 + (x / scale)^-sharpness)^-concentration (Dagum 1977), scipy.stats.burr.

    Args:
        concentration: positive; p in the literature.
        sharpness: the power of the tail, positive; a in the literature.
        scale: positive.

    >>> round(Dagum(2.0, 3.0, 1.5).cdf(1.5).item(), 6)
    0.25
    """

    concentration: Any
    sharpness: Any
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "concentration": supports.positive,
        "sharpness": supports.positive,
        "scale": supports.positive,
    }
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, p, a, scale = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype),
            self.concentration,
            self.sharpness,
            self.scale,
        )
        return positive_float(scale * jnp.exp(-_log_expm1(positive_float(noise) / p) / a))

    def log_prob(self, value: Any) -> jax.Array:
        x, p, a, scale = promote(value, self.concentration, self.sharpness, self.scale)
        return _log_density(x, p, a, scale, a * p - 1, a + 1)

    def log_cdf(self, value: Any) -> jax.Array:
        p, w = self._score(value)
        return -p * jax.nn.softplus(-w)

    def log_survival(self, value: Any) -> jax.Array:
        p, w = self._score(value)
        far = w > 40  # 1 - (1 + exp(-w))^-p is p exp(-w)
        of_far = jnp.minimum(jnp.log(p) - w, 0.0)
        return jnp.where(far, of_far, log1mexp(p * jax.nn.softplus(-jnp.where(far, 0.0, w))))

    def _score(self, value: Any) -> tuple[jax.Array, jax.Array]:
        x, p, a, scale = promote(value, self.concentration, self.sharpness, self.scale)
        return p, _score_of(x, a, scale)

    def icdf(self, q: Any) -> jax.Array:
        q, p, a, scale = promote(probability(q), self.concentration, self.sharpness, self.scale)
        return scale * jnp.exp(-_log_expm1(-safe_log(q) / p) / a)

    @property
    def mean(self) -> jax.Array:
        return jnp.exp(self._log_moment(1.0))

    @property
    def variance(self) -> jax.Array:
        first, second = self._log_moment(1.0), self._log_moment(2.0)
        finite = second < jnp.inf
        ratio = jnp.where(finite, second, 0.0) - jnp.where(finite, 2 * first, 0.0)
        return jnp.where(finite, jnp.exp(2 * first) * jnp.expm1(ratio), jnp.inf)

    def _log_moment(self, k: float) -> jax.Array:
        """log E X^k = log(scale^k p B(1 - k / a, p + k / a)), for a > k."""
        p, a, scale = promote(self.concentration, self.sharpness, self.scale)
        finite = a > k
        b = jnp.where(finite, a, 2 * k)
        return jnp.where(finite, k * jnp.log(scale) + jnp.log(p) + log_beta(1 - k / b, p + k / b), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        p, a, scale = promote(self.concentration, self.sharpness, self.scale)
        above = a * p > 1
        return jnp.where(above, scale * jnp.exp(jnp.log(jnp.where(above, a * p - 1, 1.0) / (a + 1)) / a), 0.0)

    def entropy(self) -> jax.Array:
        p, a, scale = promote(self.concentration, self.sharpness, self.scale)
        return (1 + 1 / a) * (digamma(p) + np.euler_gamma) + 1 + 1 / p + jnp.log(scale) - jnp.log(a) - jnp.log(p)


class Burr(Distribution):
    """P(X > x) = (1 + (x / scale)^c)^-k: Burr's type XII (Burr 1942), scipy.stats.burr12; the reciprocal of a Dagum.

    Args:
        c: shape, positive; near 0 the density goes as x^(c - 1).
        k: shape, positive; the tail falls as x^-(c k).
        scale: positive.

    >>> round(Burr(2.0, 3.0).cdf(1.0).item(), 6)  # 1 - 2^-3
    0.875
    """

    c: Any
    k: Any
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {
        "c": supports.positive,
        "k": supports.positive,
        "scale": supports.positive,
    }
    support: ClassVar[Support] = supports.nonnegative

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, c, k, scale = promote(
            jax.random.exponential(key, (*shape, *self.batch_shape), self.dtype), self.c, self.k, self.scale
        )
        return positive_float(scale * jnp.exp(_log_expm1(positive_float(noise) / k) / c))

    def log_prob(self, value: Any) -> jax.Array:
        x, c, k, scale = promote(value, self.c, self.k, self.scale)
        return _log_density(x, k, c, scale, c - 1, c * k + 1)

    def log_cdf(self, value: Any) -> jax.Array:
        k, w = self._score(value)
        low = w < -40  # 1 - (1 + exp(w))^-k is k exp(w)
        return jnp.where(low, jnp.minimum(jnp.log(k) + w, 0.0), log1mexp(k * jax.nn.softplus(jnp.where(low, 0.0, w))))

    def log_survival(self, value: Any) -> jax.Array:
        k, w = self._score(value)
        return -k * jax.nn.softplus(w)

    def _score(self, value: Any) -> tuple[jax.Array, jax.Array]:
        x, c, k, scale = promote(value, self.c, self.k, self.scale)
        return k, _score_of(x, c, scale)

    def icdf(self, q: Any) -> jax.Array:
        q, c, k, scale = promote(probability(q), self.c, self.k, self.scale)
        return scale * jnp.exp(_log_expm1(-jnp.log1p(-q) / k) / c)

    @property
    def mean(self) -> jax.Array:
        return jnp.exp(self._log_moment(1.0))

    @property
    def variance(self) -> jax.Array:
        first, second = self._log_moment(1.0), self._log_moment(2.0)
        finite = second < jnp.inf
        ratio = jnp.where(finite, second, 0.0) - jnp.where(finite, 2 * first, 0.0)
        return jnp.where(finite, jnp.exp(2 * first) * jnp.expm1(ratio), jnp.inf)

    def _log_moment(self, n: float) -> jax.Array:
        """log E X^n = log(scale^n k B(k - n / c, 1 + n / c)), for c k > n."""
        c, k, scale = promote(self.c, self.k, self.scale)
        finite = c * k > n
        j = jnp.where(finite, k, 1 + n / c)
        return jnp.where(finite, n * jnp.log(scale) + jnp.log(k) + log_beta(j - n / c, 1 + n / c), jnp.inf)

    @property
    def mode(self) -> jax.Array:
        c, k, scale = promote(self.c, self.k, self.scale)
        above = c > 1
        return jnp.where(above, scale * jnp.exp(jnp.log(jnp.where(above, c - 1, 1.0) / (c * k + 1)) / c), 0.0)

    def entropy(self) -> jax.Array:
        c, k, scale = promote(self.c, self.k, self.scale)
        return (1 - 1 / c) * (digamma(k) + np.euler_gamma) + 1 + 1 / k + jnp.log(scale) - jnp.log(c) - jnp.log(k)


def _log_density(
    x: jax.Array, p: jax.Array, a: jax.Array, scale: jax.Array, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Of a p z^low / (1 + z^a)^(p + 1) / scale, with z = x / scale, which far out falls as z^-high."""
    inside = ~((x < 0) | (x == jnp.inf))
    log_z = log_ratio(jnp.where(inside, x, 1.0), scale)
    return within(inside, _log_bend(log_z, low, high, p, a) + (jnp.log(a) + jnp.log(p) - jnp.log(scale)))


@custom_rule
def _log_bend(log_z: Any, low: Any, high: Any, p: Any, a: Any) -> jax.Array:
    """The log of z^low / (1 + z^a)^(p + 1), as z^-high far out, where z^-a may underflow."""
    power = jnp.where(log_z < 0, times_log(low, log_z), -high * log_z)
    return power - (p + 1) * jnp.log1p(jnp.exp(-a * jnp.abs(log_z)))


@_log_bend.defjvp
def _(primals: Any, tangents: Any) -> Any:
    log_z, low, high, p, a = primals
    dlog_z, dlow, dhigh, dp, da = tangents
    zero, below = log_z == -jnp.inf, log_z < 0
    y = afresh(jnp.where(zero, 0.0, log_z))
    small = jnp.exp(-a * jnp.abs(y))
    share = (p + 1) * small / (1 + small)
    slope = jnp.where(below, low - a * share, a * share - high)
    of_power = jnp.where(below, jnp.where(zero & (low != 0), log_z, y) * dlow, -y * dhigh)
    of_bend = jnp.where(zero, 0.0, jnp.abs(y) * share) * da - jnp.where(zero, 0.0, jnp.log1p(small)) * dp
    return _log_bend(*primals), jnp.where(zero, 0.0, slope) * dlog_z + of_power + of_bend


def _score_of(x: jax.Array, a: jax.Array, scale: jax.Array) -> jax.Array:
    """a log(x / scale), from -inf to inf."""
    inside = ~((x <= 0) | (x == jnp.inf))
    w = a * log_ratio(jnp.where(inside, x, 1.0), scale)
    return jnp.where(inside, w, jnp.where(x <= 0, -jnp.inf, jnp.inf))


def _log_expm1(y: jax.Array) -> jax.Array:
    """log(exp(y) - 1), for y >= 0."""
    return y + log1mexp(y)
