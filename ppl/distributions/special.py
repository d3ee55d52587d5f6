"""Functions that stay accurate in float32 where the textbook formula cancels.

A log density near its mode is a small number, but log Gamma(1e6) is 1e7: its float32 is off by 1.  So large arguments
are written around the mode, after Loader (2000), "Fast and accurate computation of binomial probabilities".
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax.distributions.erfcx import log_ndtr as log_ndtr
from storax.distributions.log_gamma import HALF_LOG_TWO_PI as HALF_LOG_TWO_PI
from storax.distributions.log_gamma import LARGE, digamma, log_gamma, log_minus_digamma, stirling_remainder
from storax.rules import custom_rule


def safe_log(p: Any) -> jax.Array:
    """log p; at 0 it is -inf without a gradient, where that of jnp.log is infinite and soon nan.

    >>> jax.grad(safe_log)(0.0).item()
    0.0
    """
    zero = p == 0
    return jnp.where(zero, -jnp.inf, jnp.log(jnp.where(zero, 1.0, p)))


def probability(q: Any) -> jax.Array:
    """q where it is a probability, nan elsewhere."""
    return jnp.where((q >= 0) & (q <= 1), q, jnp.nan)


def positive_or_nan(a: Any) -> jax.Array:
    """A parameter that must be positive; nan where it is not, so that no density is made up there."""
    return jnp.where(a > 0, a, jnp.nan)


@custom_rule
def quotient(x: Any, y: Any) -> jax.Array:
    """x / y, whose derivative divides twice by y: JAX's own multiplies by y^-2, which overflows for y = 1e-25.

    >>> jax.grad(quotient, 1)(jnp.float32(1e-30), jnp.float32(1e-30)).item() < -0.9e30
    True
    """
    return x / y


@quotient.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    z = x / y
    return z, (dx - z * dy) / y


def standardize(x: Any, loc: Any, scale: Any) -> jax.Array:
    """(x - loc) / scale; for an infinite x, which no loc and scale can move, without a gradient."""
    infinite = jnp.isinf(x)
    return jnp.where(infinite, x, quotient(jnp.where(infinite, loc, x) - loc, scale))


def log1mexp(x: Any) -> jax.Array:
    """log(1 - exp(-x)) for x >= 0 (Maechler 2012).

    >>> log1mexp(1e-20).item() == jnp.log(1e-20).item()
    True
    """
    small = x < np.log(2.0)
    of_small = safe_log(-jnp.expm1(-jnp.where(small, x, 0.5)))
    return jnp.where(small, of_small, jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, x))))


def log1p_square(x: Any) -> jax.Array:
    """log(1 + x^2), also where x^2 overflows."""
    return _log1p_square(jnp.asarray(x))


@custom_rule
def _log1p_square(x: Any) -> jax.Array:
    far = jnp.abs(x) > 1e6  # there 1 is nothing beside x^2, in 64 bits but for 1e-12 of 27
    return jnp.where(far, 2 * jnp.log(jnp.abs(x)), jnp.log1p(jnp.square(jnp.where(far, 0.0, x))))


@_log1p_square.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,) = primals
    far = jnp.abs(x) > 1e6
    y, z = jnp.where(far, 1.0, x), jnp.where(far, x, 1.0)
    return _log1p_square(x), jnp.where(far, 2 / z, 2 * y / (1 + jnp.square(y))) * tangents[0]


@custom_rule
def log1p_minus(v: Any) -> jax.Array:
    """log(1 + v) - v without cancellation at v = 0."""
    near = jnp.abs(v) < 0.3
    w = jnp.where(near, v, 0.0)
    series = jnp.zeros_like(w)
    for n in range(32 if v.dtype == jnp.float64 else 14, 1, -1):  # (-1)^(n+1) v^n / n; a quotient costs more than these
        series = series * w + (-1.0) ** (n + 1) / n
    u = jnp.where(near, 0.5, v)
    return jnp.where(near, w * w * series, jnp.log1p(u) - u)


@log1p_minus.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (v,) = primals
    return log1p_minus(v), -v / (1 + v) * tangents[0]


def log_gamma_density(a: Any, y: Any) -> jax.Array:
    """(a - 1) log y - y - log Gamma(a): the Gamma(a, 1) density at y, and the Poisson(y) mass at a - 1.

    It is -inf without a gradient for y < 0 and for infinite y.

    >>> abs(log_gamma_density(jnp.float32(1e6), jnp.float32(1e6)).item() + 7.8266936) < 1e-5
    True
    """
    return _log_gamma_density(jnp.asarray(a), jnp.asarray(y))


@custom_rule
def _log_gamma_density(a: Any, y: Any) -> jax.Array:
    # With a unit s: (a - 1) log(y / s) - (y - a) + c; near the mode in v = y / a - 1, where that would cancel.
    a = positive_or_nan(a)  # log |Gamma| of a negative number would be one
    large = a > LARGE
    big, small = jnp.where(large, a, LARGE), jnp.where(large, 1.0, a)
    constant = jnp.where(large, -0.5 * jnp.log(big) - HALF_LOG_TWO_PI - stirling_remainder(big), -a - log_gamma(small))
    near, v, log_z, _ = _around(a, y)
    score = jnp.where(near, (a - 1) * log1p_minus(v) - v, times_log(a - 1, log_z) - (y - a)) + constant
    return jnp.where((y < 0) | (y == jnp.inf), -jnp.inf, score)


def _around(a: Any, y: Any) -> tuple[jax.Array, ...]:
    """Is y near the mode of a large a, where y / a has lost digits of v = y / a - 1; v; log(y / s); log s."""
    large = a > LARGE
    s = jnp.where(large, a, 1.0)
    per = 1 / s
    v = (y - a) * per
    near = large & (jnp.abs(v) < 0.3)
    log_s, deep = jnp.log(s), y < 1e-3 * s  # there y / s may underflow
    return near, jnp.where(near, v, 0.0), jnp.log(jnp.where(deep, y, y * per)) - jnp.where(deep, log_s, 0.0), log_s


def _of_log_gamma_density(primals: Any, tangents: Any) -> Any:
    value = _log_gamma_density(*primals)
    change = jnp.zeros_like(value)
    a, y = (afresh(x) for x in primals)
    outside, zero, large = (y < 0) | (y == jnp.inf), y == 0, a > LARGE
    if not isinstance(tangents[0], SymbolicZero):
        big, small = jnp.where(large, a, LARGE), jnp.where(large, 1.0, a)
        near, v, log_z, log_s = _around(a, jnp.where(outside | zero, a, y))
        log_z = jnp.where(zero, jnp.where(large | (a == 1), -log_s, -jnp.inf), log_z)
        constant = jnp.where(large, log_minus_digamma(big), -digamma(small))
        change = change + jnp.where(outside, 0.0, jnp.where(near, jnp.log1p(v), log_z) + constant) * tangents[0]
    if not isinstance(tangents[1], SymbolicZero):
        slope = (a - 1 - y) / jnp.where(zero, 1.0, y)
        slope = jnp.where(zero, jnp.where(large, 0.0, -1.0), slope)
        change = change + jnp.where(outside, 0.0, slope) * tangents[1]
    return value, change


_log_gamma_density.defjvp(_of_log_gamma_density, symbolic_zeros=True)


def afresh(x: Any) -> jax.Array:
    """x, in a form that a compiler takes for another number.

    What is computed from it is computed anew in the loop that needs it: what value and slope have in common would
    otherwise be written to memory and read back, which costs more than a logarithm.
    """
    return x * lax.optimization_barrier(jnp.ones((), x.dtype))


def log_beta(a: Any, b: Any) -> jax.Array:
    """log B(a, b) = log Gamma(a) + log Gamma(b) - log Gamma(a + b), also where one argument is much the larger."""
    m, n = jnp.minimum(a, b), jnp.maximum(a, b)
    large = n > LARGE
    k = jnp.where(large, n, LARGE)
    ratio = stirling_remainder(k) - stirling_remainder(m + k) - (k - 0.5) * jnp.log1p(m / k) - m * jnp.log(m + k) + m
    small = jnp.where(large, 1.0, n)
    return log_gamma(m) + jnp.where(large, ratio, log_gamma(small) - log_gamma(m + small))


def log_beta_density(a: Any, b: Any, log_x: Any, log_rest: Any) -> jax.Array:
    """(a - 1) log x + (b - 1) log(1 - x) - log B(a, b), given log x and log(1 - x)."""
    a, b = positive_or_nan(a), positive_or_nan(b)
    large = (a > LARGE) & (b > LARGE)
    c, d = jnp.where(large, a, LARGE), jnp.where(large, b, LARGE)
    finite = large & jnp.isfinite(log_x) & jnp.isfinite(log_rest)
    u, v = jnp.where(finite, log_x, -1.0), jnp.where(finite, log_rest, -1.0)
    correction = stirling_remainder(c) + stirling_remainder(d) - stirling_remainder(c + d)
    around_mode = (
        c * (u + jnp.log1p(d / c))  # log (c / (c + d)), where the quotient may be near 1
        + d * (v + jnp.log1p(c / d))
        - (u + v)
        + 0.5 * (jnp.log(c) + jnp.log(d / (c + d)))
        - HALF_LOG_TWO_PI
        - correction
    )
    p, q = jnp.where(large, 1.0, a), jnp.where(large, 1.0, b)
    direct = times_log(p - 1, log_x) + times_log(q - 1, log_rest) - log_beta(p, q)
    return jnp.where(large, jnp.where(finite, around_mode, -jnp.inf), direct)


def times_log(n: Any, log_x: Any) -> jax.Array:
    """n log x with 0 log 0 = 0, and no nan in the gradient; that in n, at 0, is log x where it is finite."""
    return n * jnp.where((n == 0) & jnp.isinf(log_x), 0.0, log_x)


def log_gamma_half_step(x: Any) -> jax.Array:
    """log Gamma(x + 1/2) - log Gamma(x); for large x by its asymptotic series (DLMF 5.11.13)."""
    large = x > 2 * LARGE
    k = jnp.where(large, x, 2 * LARGE)
    r = 1 / k
    s = r * r
    series = 0.5 * jnp.log(k) - r * (1 / 8 - s * (1 / 192 - s * (1 / 640 - s * 17 / 14336)))
    small = jnp.where(large, 1.0, x)
    return jnp.where(large, series, log_gamma(small + 0.5) - log_gamma(small))
