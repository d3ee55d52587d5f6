"""Functions that stay accurate in float32 where the textbook formula cancels.

A log density near its mode is a small number, but log Gamma(1e6) is 1e7: its float32 is off by 1.  So large arguments
are written around the mode, after Loader (2000), "Fast and accurate computation of binomial probabilities".
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from storax.distributions.erfcx import log_ndtr as log_ndtr
from storax.rules import custom_rule

HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
_LARGE = 10.0  # from here on four terms of Stirling's series are enough for float64


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


@custom_rule
def log_product(x: Any, y: Any) -> jax.Array:
    """log(x y) for x >= 0 and y > 0, also where the product is too small for a float.

    At x = 0 it is -inf, without a gradient there.

    >>> round(log_product(jnp.float32(1e-30), jnp.float32(1e-30)).item(), 3)
    -138.155
    """
    info = jnp.finfo(jnp.result_type(x, y))
    small = x * y < info.tiny
    up = jnp.where(small, 2.0 ** (-info.minexp // 2), 1.0).astype(info.dtype)
    return jnp.log((x * up) * (y * up)) + jnp.where(small, info.minexp // 2 * 2 * np.log(2.0), 0.0)


@log_product.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    zero = x == 0
    return log_product(x, y), jnp.where(zero, 0.0, dx / jnp.where(zero, 1.0, x) + dy / y)


@custom_rule
def log1mexp(x: Any) -> jax.Array:
    """log(1 - exp(-x)) for x >= 0 (Maechler 2012); at 0 it is -inf without a gradient.

    >>> log1mexp(1e-20).item() == jnp.log(1e-20).item()
    True
    """
    small = x < np.log(2.0)
    of_small = safe_log(-jnp.expm1(-jnp.where(small, x, 0.5)))
    return jnp.where(small, of_small, jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, x))))


@log1mexp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    zero = x == 0
    return log1mexp(x), jnp.where(zero, 0.0, 1 / jnp.expm1(jnp.where(zero, 1.0, x))) * t


def log1p_square(x: Any) -> jax.Array:
    """log(1 + x^2), also where x^2 overflows."""
    x = jnp.abs(x)
    large = x > 1.0
    y = jnp.where(large, x, 1.0)
    of_large = 2 * jnp.log(y) + jnp.log1p(jnp.square(1 / y))
    return jnp.where(large, of_large, jnp.log1p(jnp.square(jnp.where(large, 0.0, x))))


def stirling_remainder(a: Any) -> jax.Array:
    """log Gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2), for a >= 10."""
    r = 1 / a
    s = r * r
    return r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s / 1680)))


def log1p_minus(v: Any) -> jax.Array:
    """log(1 + v) - v without cancellation at v = 0."""
    small = jnp.abs(v) < 0.1
    w = jnp.where(small, v, 0.0)
    series = jnp.zeros_like(w)
    for n in range(18, 1, -1):  # sum over n >= 2 of (-1)^(n+1) v^n / n, by Horner
        series = w * series + (-1.0) ** (n + 1) / n
    u = jnp.where(small, 0.5, v)
    return jnp.where(small, w * w * series, jnp.log1p(u) - u)


def log_gamma_density(a: Any, y: Any, log_y: Any = None, lost: Any = 0.0) -> jax.Array:
    """(a - 1) log y - y - log Gamma(a): the Gamma(a, 1) density at y, and the Poisson(y) mass at a - 1.

    Args:
        a: positive.
        y: not negative.
        log_y: log y, where it is known although y is too small for a float; -inf at 0.
        lost: what rounding took from y, small; without a gradient.

    >>> abs(log_gamma_density(jnp.float32(1e6), jnp.float32(1e6)).item() + 7.8266936) < 1e-5
    True
    """
    a = positive_or_nan(a)  # log |Gamma| of a negative number would be one
    far_out = y == jnp.inf
    y = jnp.where(far_out, 1.0, y)
    log_y = safe_log(y) if log_y is None else jnp.where(far_out, 0.0, log_y)
    large = a > _LARGE
    b = jnp.where(large, a, _LARGE)
    positive = log_y > -jnp.inf
    z = jnp.where(large & positive, y, b)
    log_z = jnp.where(large & positive, log_y, jnp.log(b))
    far = (z < 0.5 * b) | (z > 2 * b)  # there log(y / a) is accurate, and (y - a) / a is not
    ratio = jnp.where(far, z / b, 1.0)
    vanished = ratio < b * (4 * jnp.finfo(ratio.dtype).tiny)  # b / ratio, its slope, overflows
    log_ratio = jnp.where(vanished, log_z - jnp.log(b), jnp.log(jnp.where(vanished, 1.0, ratio)))
    near = ((jnp.where(far, b, z) - b) + jnp.where(far, 0.0, lost)) / b
    exponent = jnp.where(far, b * log_ratio - (z - b), b * log1p_minus(near))
    around_mode = exponent + 0.5 * jnp.log(b) - HALF_LOG_TWO_PI - stirling_remainder(b) - log_z
    small = jnp.where(large, 1.0, a)
    direct = times_log(small - 1, log_y) - y - gammaln(small)
    return jnp.where(far_out, -jnp.inf, jnp.where(large, jnp.where(positive, around_mode, -jnp.inf), direct))


def log_beta(a: Any, b: Any) -> jax.Array:
    """log B(a, b) = log Gamma(a) + log Gamma(b) - log Gamma(a + b), also where one argument is much the larger."""
    m, n = jnp.minimum(a, b), jnp.maximum(a, b)
    large = n > _LARGE
    k = jnp.where(large, n, _LARGE)
    ratio = stirling_remainder(k) - stirling_remainder(m + k) - (k - 0.5) * jnp.log1p(m / k) - m * jnp.log(m + k) + m
    small = jnp.where(large, 1.0, n)
    return gammaln(m) + jnp.where(large, ratio, gammaln(small) - gammaln(m + small))


def times_log(n: Any, log_x: Any) -> jax.Array:
    """n log x with 0 log 0 = 0, and no nan in the gradient; that in n, at 0, is log x where it is finite."""
    return n * jnp.where((n == 0) & jnp.isinf(log_x), 0.0, log_x)


def log_gamma_half_step(x: Any) -> jax.Array:
    """log Gamma(x + 1/2) - log Gamma(x); for large x by its asymptotic series (DLMF 5.11.13)."""
    large = x > 2 * _LARGE
    k = jnp.where(large, x, 2 * _LARGE)
    r = 1 / k
    s = r * r
    series = 0.5 * jnp.log(k) - r * (1 / 8 - s * (1 / 192 - s * (1 / 640 - s * 17 / 14336)))
    small = jnp.where(large, 1.0, x)
    return jnp.where(large, series, gammaln(small + 0.5) - gammaln(small))
