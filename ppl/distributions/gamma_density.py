"""The gamma density of a number, of a product and of a quotient: right in float32 for large shapes and tiny values.

The slopes are written by hand, in closed forms in which nothing cancels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from storax.distributions.exact import lost_by_product, lost_by_quotient
from storax.distributions.log_gamma import (
    HALF_LOG_TWO_PI,
    LARGE,
    digamma,
    log_gamma,
    log_minus_digamma,
    stirling_remainder,
)
from storax.distributions.special import afresh, log1p_minus, positive_or_nan, times_log
from storax.rules import custom_rule


def log_gamma_density(a: Any, y: Any) -> jax.Array:
    """(a - 1) log y - y - log Gamma(a): the Gamma(a, 1) density at y, and the Poisson(y) mass at a - 1.

    It is -inf without a gradient for y < 0 and for infinite y.

    >>> abs(log_gamma_density(jnp.float32(1e6), jnp.float32(1e6)).item() + 7.8266936) < 1e-5
    True
    """
    return _of_number(*_of_one_dtype(a, y))


def log_gamma_density_of_product(a: Any, x: Any, rate: Any) -> jax.Array:
    """log of the Gamma(a, rate) density at x; -inf without a gradient for x < 0 and infinite x.

    >>> round(log_gamma_density_of_product(jnp.float32(2.0), jnp.float32(1e-30), jnp.float32(1e-30)).item(), 3)
    -207.233
    """
    return _of_product(*_of_one_dtype(a, x, rate))


def log_gamma_density_of_quotient(a: Any, x: Any, rate: Any) -> jax.Array:
    """log of the density at x of rate over a Gamma(a, 1); -inf without a gradient for x <= 0 and infinite x.

    >>> log_gamma_density_of_quotient(jnp.float32(1.0), jnp.float32(1.0), jnp.float32(1.0)).item()
    -1.0
    """
    return _of_quotient(*_of_one_dtype(a, x, rate))


def _of_one_dtype(*arrays: Any) -> list[jax.Array]:
    dtype = jnp.result_type(*arrays)
    return [jnp.asarray(x, dtype) for x in arrays]


class _Number(NamedTuple):
    """y + lost, which is u exp(shift) also where y is too small for a float."""

    y: jax.Array
    lost: Any
    u: jax.Array
    shift: Any


def _number(y: jax.Array) -> tuple[jax.Array, _Number]:
    """Where is y beyond all gamma variables; and y, harmless there."""
    outside = (y < 0) | (y == jnp.inf)
    y = jnp.where(outside, 1.0, y)
    return outside, _Number(y, 0.0, y, 0.0)


def _product(x: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array, _Number]:
    """Where is x outside; x, harmless there; and rate * x."""
    outside = (x < 0) | (x == jnp.inf) | (rate * x == jnp.inf)
    x = jnp.where(outside, 1.0, x)
    y = rate * x
    up, shift = _to_normal(y)
    return outside, x, _Number(y, lost_by_product(rate, x), (x * up) * (rate * up), shift)


def _quotient(x: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array, _Number]:
    """The same for rate / x; where that is infinite, no float is small enough for 1 / x."""
    outside = (x <= 0) | (x == jnp.inf)
    outside = outside | (rate / jnp.where(outside, 1.0, x) == jnp.inf)
    x = jnp.where(outside, 1.0, x)
    y = rate / x
    up, shift = _to_normal(y)
    return outside, x, _Number(y, lost_by_quotient(rate, x), (rate * up) / x * up, shift)


def _to_normal(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A power of two, and minus the logarithm of its square, which makes y a number of all its digits."""
    info = jnp.finfo(y.dtype)
    half = -info.minexp // 2
    small = y < info.tiny
    return jnp.where(small, 2.0**half, 1.0).astype(y.dtype), jnp.where(small, -2 * half * np.log(2.0), 0.0)


def _score(a: jax.Array, number: _Number) -> jax.Array:
    # With a unit s: (a - 1) log(y / s) - (y - a) + c; near the mode in v = y / a - 1, where that would cancel.
    a = positive_or_nan(a)  # log |Gamma| of a negative number would be one
    large, big, small = _sizes(a)
    constant = jnp.where(large, -0.5 * jnp.log(big) - HALF_LOG_TWO_PI - stirling_remainder(big), -log_gamma(small))
    near, v, log_z, _ = _around(a, number)
    far = times_log(a - 1, log_z) - (number.y - jnp.where(large, a, 0.0))
    return jnp.where(near, (a - 1) * log1p_minus(v) - v, far) + constant


def _sizes(a: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    large = a > LARGE
    return large, jnp.where(large, a, LARGE), jnp.where(large, 1.0, a)


def _around(a: jax.Array, number: _Number) -> tuple[jax.Array, ...]:
    """Is y near the mode of a large a, where y / a has lost digits of v = y / a - 1; v; log(y / s); log s."""
    y, lost, u, shift = number
    large = a > LARGE
    s = jnp.where(large, a, 1.0)
    v = ((y - a) + lost) / s
    near = large & (jnp.abs(v) < 0.3)
    log_s, deep = jnp.log(s), y < 1e-3 * s  # there y / s may underflow
    log_z = jnp.log(jnp.where(deep, u, y / s)) + jnp.where(deep, shift - log_s, 0.0)
    return near, jnp.where(near, v, 0.0), log_z, log_s


def _slope_of_shape(a: jax.Array, number: _Number, zero: jax.Array) -> jax.Array:
    """log y - digamma(a), given where y is 0: -inf there but at a = 1, whose density is the exponential's."""
    a = positive_or_nan(a)
    large, big, small = _sizes(a)
    y, lost, u, shift = number
    near, v, log_z, log_s = _around(a, _Number(jnp.where(zero, a, y), lost, jnp.where(zero, 1.0, u), shift))
    log_z = jnp.where(zero, jnp.where(large | (a == 1), -log_s, -jnp.inf), log_z)
    constant = jnp.where(large, log_minus_digamma(big), -digamma(small))
    return jnp.where(near, jnp.log1p(v), log_z) + constant


def _beyond(a: jax.Array, number: _Number) -> jax.Array:
    """a - 1 - y, without the rounding of a - 1."""
    less = a - 1
    return ((less - number.y) - number.lost) + ((a - less) - 1)


@custom_rule
def _of_number(a: Any, y: Any) -> jax.Array:
    outside, number = _number(y)
    return jnp.where(outside, -jnp.inf, _score(a, number))


@custom_rule
def _of_product(a: Any, x: Any, rate: Any) -> jax.Array:
    outside, _, number = _product(x, rate)
    return jnp.where(outside, -jnp.inf, _score(a, number) + jnp.log(positive_or_nan(rate)))


@custom_rule
def _of_quotient(a: Any, x: Any, rate: Any) -> jax.Array:
    outside, _, number = _quotient(x, rate)
    log_rate = jnp.log(positive_or_nan(rate))
    # log rate - 2 log x, of the logarithm that the rest needs
    _, _, log_z, log_s = _around(a, number)
    return jnp.where(outside, -jnp.inf, _score(a, number) + 2 * (log_z + log_s) - log_rate)


def _rule_of_number(primals: Any, tangents: Any) -> Any:
    value = _of_number(*primals)
    a, y = (afresh(x) for x in primals)
    outside, number = _number(y)
    zero = number.y == 0
    at_zero = jnp.where(a > LARGE, 0.0, -1.0)
    return value, _sum_of(
        value,
        outside,
        (tangents[0], lambda: _slope_of_shape(a, number, zero)),
        (tangents[1], lambda: jnp.where(zero, at_zero, _beyond(a, number) / jnp.where(zero, 1.0, number.y))),
    )


def _rule_of_product(primals: Any, tangents: Any) -> Any:
    value = _of_product(*primals)
    a, x, rate = (afresh(x) for x in primals)
    outside, x, number = _product(x, rate)
    zero = x == 0
    at_zero = jnp.where(a > LARGE, 0.0, -rate)
    return value, _sum_of(
        value,
        outside,
        (tangents[0], lambda: _slope_of_shape(a, number, zero)),
        (tangents[1], lambda: jnp.where(zero, at_zero, _beyond(a, number) / jnp.where(zero, 1.0, x))),
        (tangents[2], lambda: jnp.where(zero, 1.0, (a - number.y) - number.lost) / rate),
    )


def _rule_of_quotient(primals: Any, tangents: Any) -> Any:
    value = _of_quotient(*primals)
    a, x, rate = (afresh(x) for x in primals)
    outside, x, number = _quotient(x, rate)
    return value, _sum_of(
        value,
        outside,
        (tangents[0], lambda: _slope_of_shape(a, number, jnp.zeros_like(outside))),
        (tangents[1], lambda: -(_beyond(a, number) + 2) / x),
        (tangents[2], lambda: ((a - number.y) - number.lost) / rate),
    )


def _sum_of(value: jax.Array, outside: jax.Array, *parts: Any) -> jax.Array:
    """The sum of slope * tangent, of those that are asked for; 0 outside."""
    change = jnp.zeros_like(value)
    for tangent, slope in parts:
        if not isinstance(tangent, SymbolicZero):
            change = change + jnp.where(outside, 0.0, slope()) * tangent
    return change


_of_number.defjvp(_rule_of_number, symbolic_zeros=True)
_of_product.defjvp(_rule_of_product, symbolic_zeros=True)
_of_quotient.defjvp(_rule_of_quotient, symbolic_zeros=True)
