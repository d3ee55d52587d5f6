"""Bessel functions of orders 0 and 1, and the exponential integral, scaled so that they neither overflow nor cancel."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import exp1, i0e, i1e

from storax.rules import custom_rule


@custom_rule
def log_i0e(z: Any) -> jax.Array:
    """log(exp(-z) I_0(z)) for z >= 0.

    >>> round(log_i0e(0.0).item(), 6), jax.grad(log_i0e)(0.0).item()
    (0.0, -1.0)
    """
    return jnp.log(i0e(z))


@log_i0e.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (z,), (dz,) = primals, tangents
    return log_i0e(z), -one_minus_ratio(z) * dz


def one_minus_ratio(z: Any) -> jax.Array:
    """1 - I_1(z) / I_0(z), which is 1 / (2 z) + 1 / (8 z^2) + ... far out (DLMF 10.40.1).

    >>> round(one_minus_ratio(jnp.float32(1e6)).item() * 1e6, 6)
    0.5
    """
    large = z > 60.0
    r = 1 / jnp.where(large, z, 60.0)
    # The quotient of both asymptotic series.
    terms = (1 / 2, 1 / 8, 1 / 8, 25 / 128, 13 / 32, 1073 / 1024, 103 / 32, 375733 / 32768)
    series = jnp.zeros_like(r)
    for c in terms[::-1]:
        series = r * (c + series)
    y = jnp.where(large, 1.0, z)
    return jnp.where(large, series, 1 - i1e(y) / i0e(y))


def scaled_exp1(x: Any) -> jax.Array:
    """exp(x) E_1(x) for x > 0: about 1 / (x + 1).

    >>> round(scaled_exp1(jnp.float32(1e4)).item() * 1e4, 4)
    0.9999
    """
    large = x > 40.0
    y = jnp.where(large, 1.0, x)
    z = jnp.where(large, x, 40.0)
    fraction = z  # 1 / (z + 1 / (1 + 1 / (z + 2 / (1 + 2 / (z + ...))))), DLMF 6.9.1
    for n in range(12, 0, -1):
        fraction = z + n / (1 + n / fraction)
    return jnp.where(large, 1 / fraction, jnp.exp(y) * exp1(y))
