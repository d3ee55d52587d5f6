"""Skellam: the difference of two Poisson counts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.chances import pass_nan
from storax.distributions.masses import deviance, log_poisson
from storax.distributions.poisson import poisson_draws
from storax.distributions.searching import best_near, quantile
from storax.distributions.special import HALF_LOG_TWO_PI, safe_log
from storax.distributions.summing import entropy, inner_count, log_sums, outside_known
from storax.supports import Support

_LARGE = 30.0  # from here on the asymptotic series is right to 1e-13
_TERMS = 64  # of the power series, below


class Skellam(Distribution):
    """X - Y with X ~ Poisson(rate1) and Y ~ Poisson(rate2).

    The mass at k is e^(-rate1 - rate2) (rate1 / rate2)^(k / 2) I_k(2 sqrt(rate1 rate2)) (Skellam 1946), with I_k the
    modified Bessel function.

    Its distribution function is a sum of masses, of about forty standard deviations at most.

    Args:
        rate1: not negative.
        rate2: not negative.

    >>> Skellam(5.0, 2.0).mean.item(), Skellam(5.0, 2.0).variance.item()
    (3.0, 7.0)
    """

    rate1: Any
    rate2: Any

    parameters: ClassVar[dict[str, Support]] = {"rate1": supports.nonnegative, "rate2": supports.nonnegative}
    support: ClassVar[Support] = supports.integer
    is_discrete: ClassVar[bool] = True

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        full = (*shape, *self.batch_shape)
        of_x, of_y = jax.random.split(key)
        x, y = promote(self.rate1, self.rate2)
        return poisson_draws(of_x, x, full, self.dtype) - poisson_draws(of_y, y, full, self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, rate1, rate2 = promote(value, self.rate1, self.rate2)
        inside = jnp.isfinite(x) & (jnp.floor(x) == x)
        k = jnp.where(inside, x, 0.0)
        return self._or_nan(pass_nan(x, within(inside, _log_mass(k, rate1, rate2))))

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tails(value)[0]

    def log_survival(self, value: Any) -> jax.Array:
        return self._tails(value)[1]

    def _tails(self, value: Any) -> tuple[jax.Array, jax.Array]:
        x, rate1, rate2 = promote(value, self.rate1, self.rate2)
        low, high = self._ends(rate1, rate2)
        sums = log_sums(_log_mass, inner_count(x, low, high), low, high, rate1 - rate2, True, rate1, rate2)
        return outside_known(x, low, high, sums)

    def _ends(self, rate1: jax.Array, rate2: jax.Array) -> tuple[jax.Array, jax.Array]:
        zero = jnp.zeros_like(rate1 + rate2)
        return jnp.where(rate2 == 0, zero, -jnp.inf), jnp.where(rate1 == 0, zero, jnp.inf)

    def icdf(self, q: Any) -> jax.Array:
        info = jnp.iinfo(self.dtype)
        low, high = (
            jnp.where(jnp.asarray(r) == 0, 0, end) for r, end in ((self.rate2, info.min), (self.rate1, info.max))
        )
        return quantile(self, q, low, high)

    @property
    def mean(self) -> jax.Array:
        rate1, rate2 = promote(self.rate1, self.rate2)
        return rate1 - rate2

    @property
    def variance(self) -> jax.Array:
        rate1, rate2 = promote(self.rate1, self.rate2)
        return rate1 + rate2

    @property
    def mode(self) -> jax.Array:
        """Half a step around the mean, less a share of the skewness: the best of the counts next to it."""
        return best_near(self, jnp.round(self.mean))

    def entropy(self) -> jax.Array:
        rate1, rate2 = promote(self.rate1, self.rate2)
        low, high = self._ends(rate1, rate2)
        return entropy(_log_mass, low, high, rate1 - rate2, rate1 + rate2, True, rate1, rate2)


def _log_mass(k: jax.Array, rate1: jax.Array, rate2: jax.Array) -> jax.Array:
    """-k of Skellam(x, y) is k of Skellam(y, x)."""
    return _log_skellam(jnp.abs(k), *_swap(k >= 0, rate1, rate2))


def _swap(keep: jax.Array, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.where(keep, x, y), jnp.where(keep, y, x)


def _log_skellam(k: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """For k >= 0.  Far from 0, the saddle point: the likeliest way to k is a - b with a b = x y, and what remains of
    the Bessel function is its asymptotic series in 1 / s with s = a + b (DLMF 10.41.3)."""
    large = k * k + 4 * x * y > _LARGE**2
    u, v, n = jnp.where(large, x, _LARGE), jnp.where(large, y, _LARGE), jnp.where(large, k, 0.0)
    s = jnp.sqrt(n * n + 4 * u * v)
    a, b = (s + n) / 2, 2 * u * v / (s + n)
    gap, share = n - (u - v), (n + (u - v)) / (s + u + v)  # a - u and b - v cancel where k is near the mean
    of_a = deviance(a, -gap * (1 + share) / 2, safe_log(u) - safe_log(a))
    of_b = deviance(b, gap * (1 - share) / 2, safe_log(v) - safe_log(b))
    saddle = of_a + of_b - 0.5 * jnp.log(s) - HALF_LOG_TWO_PI + jnp.log(_series(n, s))
    m, z = jnp.where(large, 0.0, k), jnp.where(large, 0.0, x * y)
    total = jnp.ones_like(m + z)
    for j in range(_TERMS, 0, -1):  # sum over j of z^j / (j! (m + 1) ... (m + j)), by Horner
        total = 1 + z / (j * (m + j)) * total
    direct = log_poisson(m, jnp.where(large, 1.0, x)) - jnp.where(large, 0.0, y) + jnp.log(total)
    return jnp.where(large, saddle, direct)


def _debye(count: int) -> list[list[float]]:
    """U_n(p) = p^n P_n(p^2): the coefficients of P_n, lowest first (DLMF 10.41.9)."""
    u, out = [Fraction(1)], []
    for n in range(count):
        out.append([float(c) for c in u[n::2]])
        following = [Fraction(0)] * (len(u) + 3)
        for i, c in enumerate(u):
            following[i + 1] += c * Fraction(i, 2) + c * Fraction(1, 8 * (i + 1))
            following[i + 3] -= c * Fraction(i, 2) + c * Fraction(5, 8 * (i + 3))
        u = following
    return out


_DEBYE = _debye(12)


def _series(n: jax.Array, s: jax.Array) -> jax.Array:
    w, r = jnp.square(n / s), 1 / s
    total = jnp.zeros_like(w)
    for coefficients in reversed(_DEBYE):
        inner = jnp.zeros_like(w)
        for c in coefficients[::-1]:
            inner = inner * w + c
        total = total * r + inner
    return total
