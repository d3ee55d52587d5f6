"""The beta density, right in float32 for concentrations in the millions, and its slopes, in which nothing cancels."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from storax.distributions.chances import Chances
from storax.distributions.log_gamma import HALF_LOG_TWO_PI, LARGE, digamma, log_minus_digamma, stirling_remainder
from storax.distributions.masses import deviance, distance, log_over
from storax.distributions.special import afresh, log_beta, positive_or_nan, times_log
from storax.rules import custom_rule


def log_beta_density(a: Any, b: Any, x: Any, rest: Any) -> jax.Array:
    """(a - 1) log x + (b - 1) log(1 - x) - log B(a, b).

    Args:
        a: positive.
        b: positive.
        x: the value, in [0, 1].
        rest: 1 - x; the gradient is that with respect to x.

    >>> abs(log_beta_density(jnp.float32(1e6), jnp.float32(1e6), 0.5, 0.5).item() - 7.0285374) < 1e-5
    True
    """
    dtype = jnp.result_type(a, b, x, rest)
    return _log_beta_density(*(jnp.asarray(y, dtype) for y in (a, b, x, rest)))


@custom_rule
def _log_beta_density(a: Any, b: Any, x: Any, rest: Any) -> jax.Array:
    a, b = positive_or_nan(a), positive_or_nan(b)
    large, c, d = _sizes(a, b)
    end, inner = _inside(x, rest)
    u, v = inner.log_p, inner.log_q
    gap = distance(c, d, inner)  # (c + d) x - c
    around_mode = (
        deviance(c, gap, u + jnp.log1p(d / c))
        + deviance(d, -gap, v + jnp.log1p(c / d))
        - (u + v)
        + 0.5 * (jnp.log(c) + jnp.log(d / (c + d)))
        - HALF_LOG_TWO_PI
        - (stirling_remainder(c) + stirling_remainder(d) - stirling_remainder(c + d))
    )
    r, s = jnp.where(large, 1.0, a), jnp.where(large, 1.0, b)
    log_x, log_rest = jnp.where(x == 0, -jnp.inf, u), jnp.where(rest == 0, -jnp.inf, v)
    log_x, log_rest = jnp.where(rest == 0, 0.0, log_x), jnp.where(x == 0, 0.0, log_rest)
    direct = times_log(r - 1, log_x) + times_log(s - 1, log_rest) - log_beta(r, s)
    return jnp.where(large, jnp.where(end, -jnp.inf, around_mode), direct)


def _of_log_beta_density(primals: Any, tangents: Any) -> Any:
    value = _log_beta_density(*primals)
    change = jnp.zeros_like(value)
    a, b, x, rest = (afresh(y) for y in primals)
    a, b = positive_or_nan(a), positive_or_nan(b)
    _, inner = _inside(x, rest)
    low, high = x == 0, rest == 0
    for tangent, shapes, chances, at_0, at_1 in (
        (tangents[0], (a, b), inner, low, high),
        (tangents[1], (b, a), inner.flip(), high, low),
    ):
        if not isinstance(tangent, SymbolicZero):
            change = change + _slope_of_shape(*shapes, chances, at_0, at_1) * tangent
    if not isinstance(tangents[2], SymbolicZero):
        large, _, _ = _sizes(a, b)
        # (a - 1) / x - (b - 1) / (1 - x), over one denominator and without the rounding of a - 1
        c, d = a - 1, b - 1
        above = ((a - c) - 1) * inner.q - ((b - d) - 1) * inner.p - distance(c, d, inner)
        at_end = jnp.where(large, 0.0, jnp.where(low, -d, c))
        slope = jnp.where(low | high, at_end, above / (inner.p * inner.q))
        change = change + slope * tangents[2]
    return value, change


_log_beta_density.defjvp(_of_log_beta_density, symbolic_zeros=True)


def _slope_of_shape(a: jax.Array, b: jax.Array, x: Chances, at_0: jax.Array, at_1: jax.Array) -> jax.Array:
    """log x - digamma(a) + digamma(a + b), given where x is 0, and where it is 1."""
    large, c, d = _sizes(a, b)
    log_ratio = x.log_p + jnp.log1p(d / c)
    around_mode = log_over(c, distance(c, d, x), log_ratio) + log_minus_digamma(c) - log_minus_digamma(c + d)
    r, s = jnp.where(large, 1.0, a), jnp.where(large, 1.0, b)
    log_x = jnp.where(at_1, 0.0, jnp.where(at_0, jnp.where(a == 1, 0.0, -jnp.inf), x.log_p))
    return jnp.where(large, jnp.where(at_0 | at_1, 0.0, around_mode), log_x + _digamma_step(r, s))


def _digamma_step(a: jax.Array, b: jax.Array) -> jax.Array:
    """digamma(a + b) - digamma(a)."""
    large = a > LARGE
    c = jnp.where(large, a, LARGE)
    of_large = jnp.log1p(b / c) + log_minus_digamma(c) - log_minus_digamma(c + b)
    small = jnp.where(large, 1.0, a)
    return jnp.where(large, of_large, digamma(small + b) - digamma(small))


def _sizes(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Are both large; and both where they are."""
    large = (a > LARGE) & (b > LARGE)
    return large, jnp.where(large, a, LARGE), jnp.where(large, b, LARGE)


def _inside(x: jax.Array, rest: jax.Array) -> tuple[jax.Array, Chances]:
    """Is x at an end; and x, 1 - x and their logarithms, harmless there."""
    end = (x == 0) | (rest == 0)
    p, q = jnp.where(end, 0.5, x), jnp.where(end, 0.5, rest)
    return end, Chances(p, q, *two_logs(p, q))


def two_logs(x: jax.Array, rest: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log x and log(1 - x), each from the smaller of the two."""
    low = x < 0.5
    less = jnp.where(low, x, rest)
    of_less, of_more = jnp.log(less), jnp.log1p(-less)
    return jnp.where(low, of_less, of_more), jnp.where(low, of_more, of_less)
