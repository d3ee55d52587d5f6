"""Log masses of counts, written around their mode: right in float32 for counts in the millions, and in far tails.

All of them are made of one term, the Poisson mass over its value at the mode (Loader 2000, "Fast and accurate
computation of binomial probabilities"), where log factorials cancel: log(10^6!) is 1.3e7, and in float32
off by 1.
Counts need not be whole: Gamma(x + 1) stands for x!.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax.distributions.chances import Chances
from storax.distributions.exact import lost_by_product
from storax.distributions.log_gamma import (
    HALF_LOG_TWO_PI,
    LARGE,
    log_factorial,
    log_minus_digamma,
    slope_of_log_factorial,
    stirling_remainder,
)
from storax.distributions.special import log1p_minus, safe_log
from storax.rules import custom_rule


def deviance(x: Any, d: Any, log_ratio: Any) -> jax.Array:
    """x log(y / x) - (y - x): the log of Poisson(y)'s mass at x over that of Poisson(x), given d = y - x.

    Args:
        x: not negative.
        d: y - x, accurate where the two are close.
        log_ratio: log(y / x), accurate where they are not; at x = 0 anything.
    """
    far, v = _far(x, d)
    apart = far | (x == 0)
    logs = jnp.where(far & (x > 0), log_ratio, 0.0)
    impossible = logs == -jnp.inf
    of_far = x * jnp.where(impossible, 0.0, logs) - d
    return jnp.where(impossible, -jnp.inf, jnp.where(apart, of_far, x * log1p_minus(v)))


def _far(x: Any, d: Any) -> tuple[jax.Array, jax.Array]:
    """Where is 1 + d / x without digits, or beyond the floats; and d / x, 0 there."""
    far = (d < -0.5 * x) | (d > 1000 * x)
    apart = far | (x == 0)
    return far, jnp.where(apart, 0.0, d) / jnp.where(apart, 1.0, x)


def log_peak(x: Any) -> jax.Array:
    """log of Poisson(x)'s mass at x: x log x - x - log Gamma(x + 1).

    >>> log_peak(0.0).item()
    0.0
    """
    return _log_peak(jnp.asarray(x))


@custom_rule
def _log_peak(x: Any) -> jax.Array:
    large, zero, big, small = _sizes(x)
    of_small = jnp.where(zero, 0.0, small * jnp.log(small) - small - log_factorial(small))
    return jnp.where(large, -0.5 * jnp.log(big) - HALF_LOG_TWO_PI - stirling_remainder(big), of_small)


@_log_peak.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return _log_peak(*primals), _slope_of_peak(*primals) * tangents[0]


def _slope_of_peak(x: Any) -> jax.Array:
    """log x - digamma(x + 1), and 0 at 0."""
    large, zero, big, small = _sizes(x)
    of_small = jnp.where(zero, 0.0, jnp.log(small) - slope_of_log_factorial(small))
    return jnp.where(large, log_minus_digamma(big) - 1 / big, of_small)


def _sizes(x: Any) -> tuple[jax.Array, ...]:
    """Is x large, is it 0; and x where it is large, and where it is neither; harmless numbers elsewhere."""
    large, zero = x > LARGE, x == 0
    return large, zero, jnp.where(large, x, LARGE), jnp.where(large | zero, 1.0, x)


def log_poisson(x: Any, rate: Any) -> jax.Array:
    """log(rate^x e^-rate / x!).

    >>> abs(log_poisson(jnp.float32(1e6), jnp.float32(1e6)).item() + 7.8266938955) < 1e-6
    True
    """
    rate = jnp.asarray(rate)
    return _log_poisson(jnp.asarray(x), rate, safe_log(rate))


@custom_rule
def _log_poisson(x: Any, rate: Any, log_rate: Any) -> jax.Array:
    return deviance(x, rate - x, log_rate - safe_log(x)) + log_peak(x)


def _of_log_poisson(primals: Any, tangents: Any) -> Any:
    """The tangent of log rate says it all, but for a rate of 0: it is known where the rate itself underflows."""
    x, rate, log_rate = primals
    value = _log_poisson(x, rate, log_rate)
    change = jnp.zeros_like(value)
    none = log_rate == -jnp.inf
    if not isinstance(tangents[1], SymbolicZero):
        change = change + jnp.where(none & (x == 0), -1.0, 0.0) * tangents[1]
    if not isinstance(tangents[2], SymbolicZero):
        change = change + jnp.where(none, 0.0, x - rate) * tangents[2]
    if not isinstance(tangents[0], SymbolicZero):
        slope = log_over(x, rate - x, log_rate - safe_log(x)) + _slope_of_peak(x)
        change = change + jnp.where(x == 0, log_rate + np.euler_gamma, slope) * tangents[0]
    return value, change


_log_poisson.defjvp(_of_log_poisson, symbolic_zeros=True)


def log_over(x: Any, d: Any, log_ratio: Any) -> jax.Array:
    """log(y / x), given what `deviance` is given."""
    far, v = _far(x, d)
    return jnp.where(far, log_ratio, jnp.log1p(v))


def log_binomial(k: Any, rest: Any, chances: Chances, n: Any = None) -> jax.Array:
    """log(n! / (k! rest!) p^k q^rest) with n = k + rest, which may be given where it is of fewer elements."""
    k, rest = jnp.asarray(k), jnp.asarray(rest)
    return _log_binomial(k, rest, k + rest if n is None else jnp.asarray(n), *map(jnp.asarray, chances))


@custom_rule
def _log_binomial(k: Any, rest: Any, n: Any, p: Any, q: Any, log_p: Any, log_q: Any) -> jax.Array:
    d = distance(k, rest, Chances(p, q, log_p, log_q))
    of_k = deviance(k, d, log_p - _log_share(k, n))
    of_rest = deviance(rest, -d, log_q - _log_share(rest, n))
    return of_k + of_rest + log_peak(k) + log_peak(rest) - log_peak(n)


def _of_log_binomial(primals: Any, tangents: Any) -> Any:
    """With p and q tied to their logarithms, and n to k and rest, the other tangents say it all."""
    k, rest, n, p, q, log_p, log_q = primals
    value = _log_binomial(*primals)
    change = jnp.zeros_like(value)
    d = distance(k, rest, Chances(p, q, log_p, log_q))
    certain = (log_p == -jnp.inf) | (log_q == -jnp.inf)
    for i, excess, count in ((5, -d, k), (6, d, rest)):
        # k dlog_p + rest dlog_q, where p dlog_p + q dlog_q is 0: n times that is taken away, which would cancel.
        if not isinstance(tangents[i], SymbolicZero):
            change = change + jnp.where(certain, count, excess) * tangents[i]
    for i, count, excess, log_chance in ((0, k, d, log_p), (1, rest, -d, log_q)):
        if not isinstance(tangents[i], SymbolicZero):
            of_whole = _slope_of_peak(n)
            slope = log_over(count, excess, log_chance - _log_share(count, n)) + _slope_of_peak(count) - of_whole
            none = jnp.where(n == 0, log_chance, log_chance + safe_log(n) + np.euler_gamma - of_whole)
            change = change + jnp.where(count == 0, none, slope) * tangents[i]
    return value, change


_log_binomial.defjvp(_of_log_binomial, symbolic_zeros=True)


def distance(k: Any, rest: Any, chances: Chances) -> jax.Array:
    """n p - k, of which no digit is lost: neither n = k + rest, nor 1 minus a small chance, is rounded."""
    likely = chances.p > 0.5
    rare, few, many = jnp.where(likely, chances.q, chances.p), jnp.where(likely, rest, k), jnp.where(likely, k, rest)
    # Near 0 both sums are exact; only then is what the products lost added.
    d = ((many * rare - few) + few * rare) + (lost_by_product(many, rare) + lost_by_product(few, rare))
    return jnp.where(likely, -d, d)


def log_negative_binomial(k: Any, size: Any, chances: Chances) -> jax.Array:
    """log(Gamma(k + size) / (Gamma(size) k!) p^k q^size): k successes before the failure number `size` > 0."""
    return log_binomial(k, size, chances) + log_share(size, k)


def log_share(size: Any, k: Any) -> jax.Array:
    """log(size / (size + k)); its slope in a tiny size, where k is 0, is no difference of large numbers."""
    none = k == 0
    return jnp.log(jnp.where(none, 1.0, size) / jnp.where(none, 1.0, k + size))


def log_urn(counts: Any, weights: Any) -> jax.Array:
    """log(n! / (A)_n prod (a_i)_{k_i} / k_i!) over the last axis, with n and A the sums: Polya's urn, drawn n times.

    It is that of independent negative binomials, given their sum.  Any chances do; those of n : A are far out for none.
    """
    n, total = counts.sum(-1), weights.sum(-1)
    chances = _urn_chances(n, total)
    shape, (k, a, *flat) = in_a_row(counts, weights, *(x[..., None] for x in chances))
    parts = log_negative_binomial(k, a, Chances(*flat)).reshape(shape)
    return parts.sum(-1) - log_negative_binomial(n, total, chances)


def log_urn_of_two(k: Any, rest: Any, a: Any, b: Any) -> jax.Array:
    """`log_urn` of two kinds."""
    chances = _urn_chances(k + rest, a + b)
    parts = log_negative_binomial(k, a, chances) + log_negative_binomial(rest, b, chances)
    return parts - log_negative_binomial(k + rest, a + b, chances)


def _urn_chances(n: Any, total: Any) -> Chances:
    return Chances.of_odds(lax.stop_gradient(n), lax.stop_gradient(total))


def in_a_row(*arrays: Any) -> tuple[tuple[int, ...], list[jax.Array]]:
    """The shape they broadcast to, and their elements in one axis: a loop over few kinds is a slow one."""
    shape = jnp.broadcast_shapes(*map(jnp.shape, arrays))
    return shape, [jnp.broadcast_to(x, shape).reshape(-1) for x in arrays]


def log_multinomial(counts: Any, total: Any, p: Any, log_p: Any) -> jax.Array:
    """log(n! prod p_i^{k_i} / k_i!) over the last axis; the counts have no gradient."""
    counts, total = lax.stop_gradient(counts), lax.stop_gradient(total)
    return _log_multinomial(counts, total, p, log_p)


@custom_rule
def _log_multinomial(counts: Any, total: Any, p: Any, log_p: Any) -> jax.Array:
    shape, (k, n, q, log_q) = in_a_row(counts, total[..., None], p, log_p)
    parts = (deviance(k, n * q - k, log_q - _log_share(k, n)) + log_peak(k)).reshape(shape)
    # Each deviance takes n p_i away; probabilities that sum to 1 but for rounding leave n of it.
    return parts.sum(-1) - log_peak(total) + total * (p.sum(-1) - 1)


@_log_multinomial.defjvp
def _(primals: Any, tangents: Any) -> Any:
    """The sum of k_i dlog_p_i, of which n p_i dlog_p_i = n dp_i are taken away and given back: k_i - n p_i is exact."""
    counts, total, p, log_p = primals
    n = total[..., None]
    possible = log_p > -jnp.inf
    change = ((counts - n * p) * tangents[3] + n * jnp.where(possible, tangents[2], 0.0)).sum(-1)
    return _log_multinomial(*primals), change


def _log_share(k: Any, n: Any) -> jax.Array:
    zero = k == 0
    return jnp.log(jnp.where(zero, 1.0, k) / jnp.where(zero, 1.0, n))
