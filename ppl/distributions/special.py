"""Functions that stay accurate in float32 where the textbook formula cancels.

A log density near its mode is a small number, but log Gamma(1e6) is 1e7: its float32 is off by 1.  So large arguments
are written around the mode, after Loader (2000), "Fast and accurate computation of binomial probabilities".
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.distributions.erfcx import log_ndtr as log_ndtr
from storax.distributions.log_gamma import HALF_LOG_TWO_PI as HALF_LOG_TWO_PI
from storax.distributions.log_gamma import LARGE, log_gamma, stirling_remainder
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
def log_sigmoid(x: Any) -> jax.Array:
    """log(1 / (1 + exp(-x))), with the slope sigmoid(-x) written by hand.

    The exponential is shared with the slope; JAX's own goes by `logaddexp` and takes twice the time.

    >>> log_sigmoid(jnp.float32(-200.0)).item(), jax.grad(log_sigmoid)(jnp.float32(-200.0)).item()
    (-200.0, 1.0)
    """
    return jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x)))


@log_sigmoid.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    small = jnp.exp(-jnp.abs(x))
    return jnp.minimum(x, 0) - jnp.log1p(small), dx * jnp.where(x > 0, small, 1) / (1 + small)


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
    return jnp.log((x * up) * (y * up)) + jnp.where(small, info.minexp // 2 * 2 * math.log(2.0), 0.0)


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
    small = x < math.log(2.0)
    of_small = safe_log(-jnp.expm1(-jnp.where(small, x, 0.5)))
    return jnp.where(small, of_small, jnp.log1p(-jnp.exp(-jnp.where(small, 1.0, x))))


@log1mexp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    zero = x == 0
    return log1mexp(x), jnp.where(zero, 0.0, 1 / jnp.expm1(jnp.where(zero, 1.0, x))) * t


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
