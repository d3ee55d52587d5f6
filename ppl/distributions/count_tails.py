"""Logarithms of the incomplete gamma and beta functions, where the functions themselves underflow.

log P of a tail is the log mass at its end plus the log of a continued fraction, which is of the size of 1: as accurate
at 1e-5000 as in the middle.  The number of terms grows as the square root of the counts: the incomplete beta function
is right up to counts of 1e8, the incomplete gamma function, which is nearly normal there, for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax.distributions.chances import Chances
from storax.distributions.masses import log_binomial, log_poisson
from storax.distributions.special import HALF_LOG_TWO_PI, log1mexp, log1p_minus, log_ndtr
from storax.rules import custom_rule

_MOST = 20_000  # pairs of terms of a continued fraction


def log_betainc(a: Any, b: Any, chances: Chances) -> jax.Array:
    """log I_p(a, b), for a and b > 0 and 0 < p < 1; one of them for all, or one each, at the same rank.

    >>> bool(abs(log_betainc(2000.0, 1.0, Chances.of(0.5)) - 2000 * jnp.log(0.5)) < 1e-3)
    True
    """
    return _log_betainc(*jnp.broadcast_arrays(a, b, *chances))


def _betainc(a: Any, b: Any, p: Any, q: Any, log_p: Any, log_q: Any) -> tuple[jax.Array, jax.Array]:
    """log I_p(a, b), and the log of its relative slope in the log odds of p."""
    below = p * (a + b + 2) < a + 1  # there the fraction converges fast; else that of the other tail
    flip = lambda x, y: jnp.where(below, x, y)  # noqa: E731
    c, d = flip(a, b), flip(b, a)
    side = Chances(flip(p, q), flip(q, p), flip(log_p, log_q), flip(log_q, log_p))

    def terms(m: Any) -> tuple[Any, Any]:  # DLMF 8.17.22
        odd = -(c + m) * (c + d + m) / ((c + 2 * m) * (c + 2 * m + 1)) * side.p
        return odd, (m + 1) * (d - m - 1) / ((c + 2 * m + 1) * (c + 2 * m + 2)) * side.p

    fraction = _log_fraction(terms, c)
    score = log_binomial(c, d, side) + jnp.log(d / (c + d)) + fraction
    value = jnp.where(below, score, log1mexp(jnp.maximum(-score, 0.0)))
    # Far out the slope is as small as the value: their ratio must not be a difference of large logarithms.
    return value, jnp.log(c) - fraction + jnp.where(below, 0.0, score - value)


@custom_rule
def _log_betainc(a: Any, b: Any, p: Any, q: Any, log_p: Any, log_q: Any) -> jax.Array:
    return _betainc(a, b, p, q, log_p, log_q)[0]


def _of_betainc(primals: Any, tangents: Any) -> Any:
    value, log_slope = _betainc(*primals)
    change = jnp.zeros_like(value)
    if not all(isinstance(t, SymbolicZero) for t in tangents[2:]):
        log_odds = _instantiate(tangents[4]) - _instantiate(tangents[5])
        change = change + jnp.where(value > -jnp.inf, jnp.exp(log_slope), 0.0) * log_odds
    for i in (0, 1):
        if not isinstance(tangents[i], SymbolicZero):
            ones = [jnp.full_like(x, float(i == j)) for j, x in enumerate(primals)]
            change = change + jax.jvp(_betainc, tuple(primals), tuple(ones))[1][0] * tangents[i]
    return value, change


_log_betainc.defjvp(_of_betainc, symbolic_zeros=True)


def log_poisson_tails(k: Any, rate: Any) -> tuple[jax.Array, jax.Array]:
    """log P(X <= k) and log P(X > k) of a Poisson variable: Q(k + 1, rate) and P(k + 1, rate).

    Args:
        k: not negative; without a gradient.
        rate: positive.

    >>> log_poisson_tails(0.0, 700.0)[0].item()
    -700.0
    """
    k, rate = jnp.broadcast_arrays(k, rate)
    return _log_tails(lax.stop_gradient(k), rate)


@custom_rule
def _log_tails(k: Any, rate: Any) -> tuple[jax.Array, jax.Array]:
    cdf, survival, *_ = _poisson_tails(k, rate)
    return cdf, survival


@_log_tails.defjvp
def _of_tails(primals: Any, tangents: Any) -> Any:
    cdf, survival, of_cdf, of_survival = _poisson_tails(*primals)
    return (cdf, survival), (-jnp.exp(of_cdf) * tangents[1], jnp.exp(of_survival) * tangents[1])


def _poisson_tails(k: Any, rate: Any) -> tuple[jax.Array, ...]:
    """log P(X <= k), log P(X > k), and the logs of the mass at k over either."""
    a = k + 1
    low, middle = rate < a, (a > 1e6) & (jnp.abs(rate - a) < 0.1 * a)
    y = jnp.where(low & ~middle, rate, 0.5 * a)
    z = jnp.where(low | middle, 2.0 * a, rate)

    def below(m: Any) -> tuple[Any, Any]:  # the limit of DLMF 8.17.22 at p = y / b, b to infinity
        return -(a + m) / ((a + 2 * m) * (a + 2 * m + 1)) * y, (m + 1) / ((a + 2 * m + 1) * (a + 2 * m + 2)) * y

    def above(m: Any) -> tuple[Any, Any]:  # DLMF 8.9.2
        return (m + 1 - a) / z, (m + 1) / z

    of_low, of_high = _log_fraction(below, a), _log_fraction(above, a)
    tail = jnp.where(low, log_poisson(a, y) + of_low, log_poisson(a, z) + jnp.log(a / z) + of_high)
    ratio = jnp.where(low, jnp.log(a / y) - of_low, -of_high)
    of_middle = _middle_tail(a, jnp.where(middle, rate, a), jnp.where(low, 1.0, -1.0))
    mass = log_poisson(k, jnp.where(middle, rate, a))
    tail, ratio = jnp.where(middle, of_middle, tail), jnp.where(middle, mass - of_middle, ratio)
    rest = log1mexp(jnp.maximum(-tail, 0.0))
    of_rest = jnp.where(rest > -jnp.inf, ratio + tail - rest, -jnp.inf)
    swap = lambda x, y: (jnp.where(low, y, x), jnp.where(low, x, y))  # noqa: E731
    return *swap(tail, rest), *swap(ratio, of_rest)


def _middle_tail(a: Any, y: Any, sign: Any) -> jax.Array:
    """log P(a, y) (sign 1) or log Q(a, y) (-1) for a > 1e6 and y close to a (Temme 1979; DLMF 8.12.3 to 8.12.10)."""
    mu = (y - a) / a
    eta = jnp.sign(mu) * jnp.sqrt(-2 * log1p_minus(mu))
    c0 = -1 / 3 + eta * (1 / 12 - eta * (2 / 135 - eta * (1 / 864 + eta * (1 / 2835 - eta * 139 / 777600))))
    c1 = -1 / 540 - eta * (1 / 288 - eta / 378)
    normal = log_ndtr(sign * eta * jnp.sqrt(a))
    relative = -a * jnp.square(eta) / 2 - HALF_LOG_TWO_PI - 0.5 * jnp.log(a) - normal
    return normal + jnp.log1p(-sign * jnp.exp(relative) * (c0 + c1 / a))


def _log_fraction(terms: Callable[[Any], tuple[Any, Any]], like: Any) -> jax.Array:
    """log of 1 / (1 + d_1 / (1 + d_2 / (1 + ...))), with `terms(m)` = (d_2m+1, d_2m+2) (Lentz 1976)."""
    info = jnp.finfo(like.dtype)
    away = lambda x: jnp.where(jnp.abs(x) < info.tiny, info.tiny, x)  # noqa: E731

    def unfinished(state: Any) -> Any:
        m, *_, steps = state
        return (m < _MOST) & (steps > 0).any()

    def step(state: Any) -> Any:
        m, f, c, d, steps = state
        before = f
        for x in terms(m):
            d = 1 / away(1 + x * d)
            c = away(1 + x / c)
            f = f * c * d
        near = jnp.abs(f / before - 1) <= info.eps
        # Its derivative is a step behind.
        return m + 1, f, c, d, jnp.where(near, steps - 1, steps)

    one = jnp.ones_like(like)
    start = (jnp.zeros((), like.dtype), one, one, jnp.zeros_like(like), jnp.full(like.shape, 3))
    f = lax.while_loop(unfinished, step, start)[1]
    return -jnp.log(f)


def _instantiate(tangent: Any) -> Any:
    return 0.0 if isinstance(tangent, SymbolicZero) else tangent
