"""Moments of a normal variable on the positive half-line, J_k(t) = integral over r > 0 of r^k exp(-(r - t)^2 / 2).

By parts, J_k = t J_{k-1} + (k - 1) J_{k-2}.  Upwards that is stable but for t far below 0, where it cancels; there the
ratios R_k = J_k / J_{k-1} are found downwards, R_k = k / (R_{k+1} - t), a continued fraction whose terms are positive
(Gautschi 1967, "Computational aspects of three-term recurrence relations").  That is a loop: k is known when a program
is written, and so the two functions of t that it gives are put into polynomials then.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.erfcx import erfcx
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.rules import custom_rule


@functools.partial(custom_rule, static=(0,))
def log_moment(k: int, t: jax.Array) -> jax.Array:
    """log J_k(t), for k = 1, 2, ...

    >>> abs(log_moment(1, jnp.float32(0.0)).item()) < 1e-6
    True
    """
    tail = _Tail.of(k, t.dtype)
    far, z, s = tail.split(t)
    size = jnp.sqrt(jnp.square(s) + k)  # about that of the ratios: the products neither overflow nor vanish
    below, up = _upwards(k, s)
    ratios = [below, *(r / size for r in up)]
    first, *products = [math.prod(ratios[i : i + 16]) for i in range(0, len(ratios), 16)]
    rest = jnp.log(first) + k * jnp.log(size) + sum(map(jnp.log, products), HALF_LOG_TWO_PI)
    of_far = tail.series(tail.moment, z) - (k + 1) * jnp.log(z + 1) - 0.5 * jnp.square(z)
    return jnp.where(far, of_far, rest).astype(t.dtype)


@log_moment.defjvp
def _(k: int, primals: Any, tangents: Any) -> Any:
    (t,), (dt,) = primals, tangents
    return log_moment(k, t), k / moment_ratio(k, t) * dt


@functools.partial(custom_rule, static=(0,))
def moment_ratio(k: int, t: jax.Array) -> jax.Array:
    """J_k(t) / J_{k-1}(t)."""
    tail = _Tail.of(k, t.dtype)
    far, z, s = tail.split(t)
    return jnp.where(far, tail.series(tail.ratio, z) / (z + 1), _upwards(k, s)[1][-1]).astype(t.dtype)


@moment_ratio.defjvp
def _(k: int, primals: Any, tangents: Any) -> Any:
    (t,), (dt,) = primals, tangents
    r = moment_ratio(k, t)
    return r, (k - r * (r - t)) * dt


def _upwards(k: int, s: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """P(Z <= s) of a standard normal, and R_1, ..., R_k, for s not far below 0."""
    bell = jnp.exp(-0.5 * jnp.square(s))
    tail = 0.5 * bell * erfcx(jnp.abs(s) * math.sqrt(0.5))
    below = jnp.where(s < 0, tail, 1 - tail)
    up = [s + bell / (math.sqrt(2 * np.pi) * below)]
    for j in range(2, k + 1):
        up.append(s + (j - 1) / up[-1])
    return below, up


class _Tail(NamedTuple):
    """For z = -t from end on: log J_k + z^2 / 2 + (k + 1) log(z + 1), and R_k (z + 1).

    They are series of Chebyshev's polynomials in w = 1 - 2 / (1 + (z - end) / spread).  At the end of it, the way
    upwards has lost 3 digits (float32: half of one).
    """

    end: float
    spread: float
    moment: tuple[float, ...]
    ratio: tuple[float, ...]

    @staticmethod
    def of(k: int, dtype: Any) -> _Tail:
        return _tail(k, dtype == jnp.float64)

    def split(self, t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Is t far below 0; -t where it is, and t where it is not."""
        far = t < -self.end
        return far, jnp.where(far, -t, self.end), jnp.where(far, 0.0, t)

    def series(self, coefficients: tuple[float, ...], z: jax.Array) -> jax.Array:
        """The sum of Chebyshev's polynomials of w with these coefficients (Clenshaw 1955)."""
        w = 1 - 2 * self.spread / (z - self.end + self.spread)
        before, now = jnp.zeros_like(w), jnp.zeros_like(w)
        for c in coefficients[:0:-1]:
            before, now = now, 2 * w * now - before + c
        return w * now - before + coefficients[0]


@functools.cache
def _tail(k: int, double: bool) -> _Tail:
    end, spread = (7.0 if double else 1.2) * k**-0.5, 4.0
    count = 64
    w = np.cos(np.pi * (np.arange(count) + 0.5) / count)  # Chebyshev's points
    z = end + spread * (1 + w) / (1 - w)
    ratios = _downwards(k, z)
    # J_0 exp(z^2 / 2) = sqrt(pi / 2) erfcx(z / sqrt(2)) = 1 / (z + R_1): R_0 of the same fraction
    logs = -np.log(z + ratios[0]) + np.log(ratios).sum(0) + (k + 1) * np.log1p(z)
    moment, ratio = (_fit(w, y, 1e-16 if double else 3e-9) for y in (logs, ratios[-1] * (z + 1)))
    return _Tail(end, spread, moment, ratio)


def _downwards(k: int, z: np.ndarray) -> np.ndarray:
    """R_1, ..., R_k at t = -z, for z > 0.  What the last of n terms leaves falls off as exp(-2 z sqrt(2 n))."""
    terms = 16 * k + 60 + int((18 / z.min()) ** 2 / 2)
    r = 2 * terms / (z + np.sqrt(z * z + 4 * terms))
    down = []
    for j in range(terms - 1, 0, -1):
        r = j / (z + r)
        down.append(r)
    return np.array(down[: -k - 1 : -1])


def _fit(w: np.ndarray, y: np.ndarray, smallest: float) -> tuple[float, ...]:
    """Chebyshev's coefficients of y at his points w, without those at the end that are too small to count."""
    series = np.polynomial.Chebyshev.fit(w, y, len(w) - 1, domain=[-1, 1])
    return tuple(np.polynomial.chebyshev.chebtrim(series.coef, smallest * np.abs(y).max()).tolist())
