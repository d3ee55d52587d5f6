"""Moments of a normal variable on the positive half-line, J_k(t) = integral over r > 0 of r^k exp(-(r - t)^2 / 2).

By parts, J_k = t J_{k-1} + (k - 1) J_{k-2}.  Upwards that is stable but for t far below 0, where it cancels; there the
ratios R_k = J_k / J_{k-1} are found downwards, R_k = k / (R_{k+1} - t), a continued fraction whose terms are positive
(Gautschi 1967, "Computational aspects of three-term recurrence relations").
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.distributions.special import HALF_LOG_TWO_PI, log_ndtr
from storax.rules import custom_rule


@functools.partial(custom_rule, static=(0,))
def log_moment(k: int, t: jax.Array) -> jax.Array:
    """log J_k(t), for k = 1, 2, ...

    >>> abs(log_moment(1, jnp.float32(0.0)).item()) < 1e-6
    True
    """
    ratios = _ratios(k, t)
    return log_ndtr(t) + HALF_LOG_TWO_PI + sum(jnp.log(r) for r in ratios)


@log_moment.defjvp
def _(k: int, primals: Any, tangents: Any) -> Any:
    (t,), (dt,) = primals, tangents
    return log_moment(k, t), k / moment_ratio(k, t) * dt


@functools.partial(custom_rule, static=(0,))
def moment_ratio(k: int, t: jax.Array) -> jax.Array:
    """J_k(t) / J_{k-1}(t)."""
    return _ratios(k, t)[-1]


@moment_ratio.defjvp
def _(k: int, primals: Any, tangents: Any) -> Any:
    (t,), (dt,) = primals, tangents
    r = moment_ratio(k, t)
    return r, (k - r * (r - t)) * dt


def _ratios(k: int, t: jax.Array) -> list[jax.Array]:
    """R_1, ..., R_k.  Measured at the turn: the one way has lost 3 (float32: 1) digits, the other converges."""
    double = t.dtype == jnp.float64
    turn = -(7.0 if double else 2.5) * k**-0.5
    terms = 16 * k + 12
    far = t < turn

    z = jnp.where(far, -t, -turn)
    r = 2 * terms / (z + jnp.sqrt(z * z + 4 * terms))
    r = lax.fori_loop(0, terms - k, lambda i, r: (terms - 1 - i) / (z + r), r, unroll=min(terms - k, 16))
    down = [r]
    for j in range(k - 1, 0, -1):
        down.insert(0, j / (z + down[0]))

    s = jnp.where(far, 0.0, t)
    up = [s + jnp.exp(-0.5 * jnp.square(s) - log_ndtr(s) - HALF_LOG_TWO_PI)]
    for j in range(2, k + 1):
        up.append(s + (j - 1) / up[-1])
    return [jnp.where(far, a, b) for a, b in zip(down, up, strict=True)]
