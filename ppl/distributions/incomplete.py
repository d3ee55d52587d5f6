"""Logarithms of the incomplete gamma and beta functions, in both tails.

JAX's own underflow (P(X > 800) of a Gamma(1) is 0) and their derivatives in the shapes are good to 1e-7 or so.  Here
the tail is the density times an integral of a function that falls from 1 on, with t = y exp(s) and t = logit^-1(..):

    P(a, y) = y^a e^-y / Gamma(a) * int_0^inf exp(-(a - y) s - y (exp(-s) - 1 + s)) ds

and the like.  The relative error is about 1e-13 (1e-6 in float32), of the smaller and of the larger tail, for shapes of
every size.  The tails of counts are the same functions: P(Poisson(y) > k) = P(k + 1, y) and so on.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.distributions.chances import Chances
from storax.distributions.gamma_density import log_gamma_density
from storax.distributions.masses import log_binomial
from storax.distributions.quadrature import depth, log_integral
from storax.distributions.small import expm1_minus, log_gamma1p
from storax.distributions.special import log1mexp, log1p_minus, safe_log


def log_gamma_tails(a: Any, y: Any, log_y: Any = None) -> tuple[jax.Array, jax.Array]:
    """log P(X <= y) and log P(X > y) of a Gamma(a, 1), for a > 0 and 0 <= y <= inf.

    `log_y` is log y, where it is known although y is too small for a float.

    >>> log_p, log_q = log_gamma_tails(jnp.float32(1.0), jnp.float32(800.0))
    >>> log_q.item()
    -800.0
    """
    a, y, log_y = jnp.broadcast_arrays(a, y, safe_log(y) if log_y is None else log_y)
    zero = log_y == -jnp.inf
    inside = ~(zero | (y == jnp.inf))
    tiny = inside & (y < 0.01)  # next to zero the series in y, DLMF 8.7.1: the window would be hundreds wide there
    y_in = jnp.where(inside & ~tiny, y, a)
    # The smaller tail is integrated.  Below a < 1 the lower one may be nearly all.
    lower = (y_in < a) & ((a >= 1) | (a * jnp.log(y_in) < -0.3))
    sign = jnp.where(lower, -1.0, 1.0).astype(y_in.dtype)
    width = _gamma_window(lax.stop_gradient(a), lax.stop_gradient(y_in), lower)
    slope = sign * (y_in - a)

    def exponent(s: jax.Array) -> jax.Array:
        return slope * s + y_in * expm1_minus(sign * s)

    total = log_integral(exponent, width)
    rest = -exponent(width) - jnp.log(a)  # beyond the window the lower tail is a pure exponential
    total = jnp.where(lower, jnp.logaddexp(total, rest), total)
    tail = log_gamma_density(a, y_in) + jnp.log(y_in) + total
    of_tiny = _log_p_near_zero(*(jnp.where(tiny, v, w) for v, w in ((a, 0.5), (y, 0.01), (log_y, -4.6))))
    log_p, log_q = _both(jnp.where(tiny, of_tiny, tail), lower | tiny)
    return (
        jnp.where(inside, log_p, jnp.where(zero, -jnp.inf, jnp.where(jnp.isnan(y), jnp.nan, 0.0))),
        jnp.where(inside, log_q, jnp.where(zero, 0.0, jnp.where(jnp.isnan(y), jnp.nan, -jnp.inf))),
    )


def _log_p_near_zero(a: jax.Array, y: jax.Array, log_y: jax.Array) -> jax.Array:
    series = jnp.ones_like(y)
    for n in range(8, 0, -1):  # 1 + y / (a + 1) (1 + y / (a + 2) (...))
        series = 1 + y / (a + n) * series
    return a * log_y - log_gamma1p(a) - y + jnp.log(series)


def _both(tail: jax.Array, lower: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log P and log Q, given one of them."""
    tail = jnp.minimum(tail, -jnp.finfo(tail.dtype).tiny)
    other = log1mexp(-tail)
    return jnp.where(lower, tail, other), jnp.where(lower, other, tail)


def _gamma_window(a: jax.Array, y: jax.Array, lower: jax.Array) -> jax.Array:
    """From s = 0 to where the exponent is about `depth`: the least of some bounds."""
    d = depth(y.dtype)
    linear = d / jnp.maximum(jnp.abs(y - a), d * jnp.finfo(y.dtype).tiny * 4)
    quadratic = jnp.sqrt(2 * d / y)
    below = jnp.minimum((d + y) / a, d)
    below = jnp.where(quadratic < 0.6, jnp.minimum(below, quadratic * math.exp(0.5)), below)
    above = quadratic
    for _ in range(3):
        above = jnp.minimum(above, jnp.log1p((d + a * above) / y))
    return jnp.where(lower, jnp.minimum(linear, below), jnp.where(y > a, jnp.minimum(linear, above), above))


def log_beta_tails(a: Any, b: Any, x: Chances) -> tuple[jax.Array, jax.Array]:
    """log P(X <= p) and log P(X > p) of a Beta(a, b), for 0 <= p <= 1, as chances: p may be too small for a float.

    >>> log_p, log_q = log_beta_tails(jnp.float32(50.0), jnp.float32(1.0), Chances.of(jnp.float32(0.01)))
    >>> round(log_p.item(), 3)  # 50 log 0.01
    -230.259
    """
    a, b, *chances = jnp.broadcast_arrays(a, b, *x)
    x = Chances(*chances)
    zero, one = x.log_p == -jnp.inf, x.log_q == -jnp.inf
    inside = ~(zero | one)
    half = Chances.of(0.5)
    x = Chances(*(jnp.where(inside, y, z) for y, z in zip(x, half, strict=True)))
    below = a * x.q > b * x.p
    lower = jnp.where(below, (a >= 1) | (a * x.log_p < -0.3), (b < 1) & (b * x.log_q > -0.3))
    p, q = jnp.where(lower, a, b), jnp.where(lower, b, a)
    u, v = jnp.where(lower, x.p, x.q), jnp.where(lower, x.q, x.p)
    log_v = jnp.where(lower, x.log_q, x.log_p)
    width = _beta_window(*map(lax.stop_gradient, (p, q, u, v, log_v)))
    slope, n = p * v - q * u, p + q
    # The odds fall as exp(-s).  Of p s + n log(u exp(-s) + v) the smaller of u and v is what is known to all digits.
    few, way = jnp.minimum(u, v), jnp.where(u < v, -1.0, 1.0).astype(u.dtype)

    def exponent(s: jax.Array) -> jax.Array:
        t = way * s
        w = few * jnp.expm1(t)
        far = jnp.abs(w) > 0.5
        of_near = few * expm1_minus(t) + log1p_minus(jnp.where(far, 0.0, w))
        of_far = jnp.log1p(jnp.where(far, w, 0.0)) - few * t
        return slope * s + n * jnp.where(far, of_far, of_near)

    total = jnp.logaddexp(log_integral(exponent, width), -exponent(width) - jnp.log(p))
    tail = log_binomial(a, b, x) + jnp.log(a) + jnp.log(b / n) + total
    log_p, log_q = _both(tail, lower)
    return (
        jnp.where(inside, log_p, jnp.where(zero, -jnp.inf, 0.0)),
        jnp.where(inside, log_q, jnp.where(zero, 0.0, -jnp.inf)),
    )


def _beta_window(a: jax.Array, b: jax.Array, x: jax.Array, rest: jax.Array, log_rest: jax.Array) -> jax.Array:
    d, tiny = depth(x.dtype), jnp.finfo(x.dtype).tiny
    n = a + b
    slope = a * rest - b * x
    linear = jnp.where(slope > 0, d / jnp.maximum(slope, 4 * d * tiny), jnp.inf)
    width = jnp.minimum(jnp.minimum(linear, (d - n * log_rest) / a), d - log_rest)
    quadratic = jnp.sqrt(2 * d / jnp.maximum(n * x * rest, tiny))
    width = jnp.where(quadratic < 0.6, jnp.minimum(width, quadratic * math.exp(0.5)), width)
    for _ in range(6):  # down towards where n log(1 + rest (exp(s) - 1)) - b s, the exponent, is d
        log_growth = jnp.minimum((d + b * width) / n, d)
        width = jnp.minimum(width, jnp.logaddexp(0.0, jnp.log(jnp.expm1(log_growth)) - log_rest))
    return width
