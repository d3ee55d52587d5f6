"""The gamma density of a number, of a product and of a quotient: right in float32 for large shapes and tiny values.

The slopes are written by hand, in closed forms in which nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax.distributions.base import is_known
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


class _Parts(NamedTuple):
    """Where the density is 0, its logarithm elsewhere, and the slopes of that by each argument."""

    outside: jax.Array
    score: Callable[[], jax.Array]
    slopes: tuple[Callable[[], jax.Array], ...]


def _number(mixed: bool, a: jax.Array, y: jax.Array) -> _Parts:
    outside = (y < 0) | (y == jnp.inf)
    y = jnp.where(outside, 1.0, y)
    logs = _Logs(mixed, a, _Number(y, 0.0, y, 0.0))
    zero = y == 0
    at_zero = jnp.where(a > LARGE, 0.0, -1.0)
    slopes = (
        lambda: logs.slope(zero),
        lambda: jnp.where(zero, at_zero, logs.beyond() / jnp.where(zero, 1.0, y)),
    )
    return _Parts(outside, logs.score, slopes)


def _product(mixed: bool, a: jax.Array, x: jax.Array, rate: jax.Array) -> _Parts:
    outside = (x < 0) | (x == jnp.inf) | (rate * x == jnp.inf)
    x = jnp.where(outside, 1.0, x)
    y = rate * x
    up, shift = _to_normal(y)
    logs = _Logs(mixed, a, _Number(y, lost_by_product(rate, x), (x * up) * (rate * up), shift))
    zero = x == 0
    at_zero = jnp.where(a > LARGE, 0.0, -rate)
    slopes = (
        lambda: logs.slope(zero),
        lambda: jnp.where(zero, at_zero, logs.beyond() / jnp.where(zero, 1.0, x)),
        lambda: jnp.where(zero, 1.0, logs.below()) / rate,
    )
    return _Parts(outside, lambda: logs.score() + jnp.log(positive_or_nan(rate)), slopes)


def _quotient(mixed: bool, a: jax.Array, x: jax.Array, rate: jax.Array) -> _Parts:
    outside = (x <= 0) | (x == jnp.inf)
    outside = outside | (rate / jnp.where(outside, 1.0, x) == jnp.inf)  # as small as that, no float is small enough
    x = jnp.where(outside, 1.0, x)
    y = rate / x
    up, shift = _to_normal(y)
    logs = _Logs(mixed, a, _Number(y, lost_by_quotient(rate, x), (rate * up) / x * up, shift))
    never = jnp.zeros_like(outside)
    slopes = (lambda: logs.slope(never), lambda: -(logs.beyond() + 2) / x, lambda: logs.below() / rate)
    # log rate - 2 log x, of the logarithm that is needed anyway
    return _Parts(outside, lambda: logs.score() + 2 * logs.log_y() - jnp.log(positive_or_nan(rate)), slopes)


def _to_normal(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A power of two, and minus the logarithm of its square, which makes y a number of all its digits."""
    info = jnp.finfo(y.dtype)
    half = -info.minexp // 2
    small = y < info.tiny
    return jnp.where(small, 2.0**half, 1.0).astype(y.dtype), jnp.where(small, -2 * half * math.log(2.0), 0.0)


class _Logs:
    """(a - 1) log y - y - log Gamma(a) and its slopes; `mixed` says whether a may be large.

    It is written with a unit s as (a - 1) log(y / s) - (y - a) + c; near the mode of a large a, where that would
    cancel, in v = y / a - 1.
    """

    def __init__(self, mixed: bool, a: jax.Array, number: _Number) -> None:
        self.mixed = mixed
        self.a = a = positive_or_nan(a)  # log |Gamma| of a negative number would be one
        self.number = number
        self.large = a > LARGE
        self.big, self.small = (jnp.where(self.large, a, LARGE), jnp.where(self.large, 1.0, a)) if mixed else (a, a)
        self.unit = jnp.where(self.large, a, 1.0)

    def log_y(self) -> jax.Array:
        return self._log_over_unit(self.number.u) + (jnp.log(self.unit) if self.mixed else 0.0)

    def score(self) -> jax.Array:
        if not self.mixed:
            return times_log(self.a - 1, self._log_over_unit(self.number.u)) - self.number.y - log_gamma(self.a)
        of_large = -0.5 * jnp.log(self.big) - HALF_LOG_TWO_PI - stirling_remainder(self.big)
        constant = jnp.where(self.large, of_large, -log_gamma(self.small))
        near, v = self._near()
        far = times_log(self.a - 1, self._log_over_unit(self.number.u))
        far = far - (self.number.y - jnp.where(self.large, self.a, 0.0))
        return jnp.where(near, (self.a - 1) * log1p_minus(v) - v, far) + constant

    def slope(self, zero: jax.Array) -> jax.Array:
        """By a: log y - digamma(a), given where y is 0: -inf there but at a = 1, whose density is the exponential's."""
        none = -jnp.log(self.unit) if self.mixed else 0.0
        at_zero = jnp.where(self.large | (self.a == 1), none, -jnp.inf)
        log_z = jnp.where(zero, at_zero, self._log_over_unit(jnp.where(zero, 1.0, self.number.u)))
        if not self.mixed:
            return log_z - digamma(self.a)
        near, v = self._near()
        constant = jnp.where(self.large, log_minus_digamma(self.big), -digamma(self.small))
        return jnp.where(near, jnp.log1p(v), log_z) + constant

    def below(self) -> jax.Array:
        """a - y."""
        return (self.a - self.number.y) - self.number.lost

    def beyond(self) -> jax.Array:
        """a - 1 - y, without the rounding of a - 1."""
        less = self.a - 1
        return ((less - self.number.y) - self.number.lost) + ((self.a - less) - 1)

    def _near(self) -> tuple[jax.Array, jax.Array]:
        """Is y near the mode of a large a, where y / a has lost digits of v = y / a - 1; and v, 0 elsewhere."""
        v = ((self.number.y - self.a) + self.number.lost) / self.unit
        near = self.large & (jnp.abs(v) < 0.3)
        return near, jnp.where(near, v, 0.0)

    def _log_over_unit(self, u: jax.Array) -> jax.Array:
        if not self.mixed:
            return jnp.log(u) + self.number.shift
        deep = self.number.y < 1e-3 * self.unit  # there y / s may underflow
        shift = jnp.where(deep, self.number.shift - jnp.log(self.unit), 0.0)
        return jnp.log(jnp.where(deep, u, self.number.y / self.unit)) + shift


def _density(parts: Callable[..., _Parts]) -> custom_rule:
    """The log density of which the parts are these, its slopes computed where they are asked for."""

    def score(mixed: bool, *args: Any) -> jax.Array:
        outside, score, _ = parts(mixed, *args)
        return jnp.where(outside, -jnp.inf, score())

    density = custom_rule(lambda *args: by_size(score, *args))

    def rule(primals: Any, tangents: Any) -> Any:
        asked = [i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero)]

        def slopes(mixed: bool, *args: Any) -> list[jax.Array]:
            outside, _, slopes = parts(mixed, *(afresh(x) for x in args))
            return [jnp.where(outside, 0.0, slopes[i]()) for i in asked]

        value = density(*primals)
        terms = (s * tangents[i] for i, s in zip(asked, by_size(slopes, *primals), strict=True))
        return value, sum(terms, jnp.zeros_like(value))

    density.defjvp(rule, symbolic_zeros=True)
    return density


def by_size(f: Callable[..., Any], a: jax.Array, *args: jax.Array) -> Any:
    """f(may a be large, a, ...): small ones need a third of the work; a branch is worth it for many numbers only."""
    large = (a > LARGE).any()
    if is_known(large):
        return f(bool(large), a, *args)
    if max(x.size for x in args) < _MANY:
        return f(True, a, *args)
    return lax.cond(large, lambda *args: f(True, *args), lambda *args: f(False, *args), a, *args)


_MANY = 1000
_of_number, _of_product, _of_quotient = (_density(parts) for parts in (_number, _product, _quotient))
