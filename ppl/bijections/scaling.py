"""Affine, Power, Softplus: of one number at a time."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, floats
from storax.errors import ParameterError


class Affine(Bijection):
    """x = loc + scale z; a negative scale reverses the order.

    Args:
        loc: real.
        scale: not 0.

    >>> Affine(1.0, 2.0).forward(jnp.array(3.0)).item()
    7.0
    """

    loc: Any = 0.0
    scale: Any = 1.0

    def __post_init__(self) -> None:
        refuse_zero("Affine: scale", self.scale)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        loc, scale = spread(self.loc, z), spread(self.scale, z)
        return loc + scale * z, jnp.log(jnp.abs(scale)) + jnp.zeros_like(z)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        return (x - spread(self.loc, x)) / spread(self.scale, x)


class Power(Bijection):
    """x = z^exponent, from the positive numbers to the positive numbers: after `Exp`, or for a positive variable.

    Args:
        exponent: not 0.

    >>> Power(3.0).forward(jnp.array(2.0)).item()
    8.0
    """

    exponent: Any

    def __post_init__(self) -> None:
        refuse_zero("Power: exponent", self.exponent)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        k, info = spread(self.exponent, z), jnp.finfo(z.dtype)
        log_det = jnp.log(jnp.abs(k)) + (k - 1) * jnp.log(z)
        return jnp.clip(z**k, info.tiny, info.max), log_det

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        return x ** (1 / spread(self.exponent, x))


class Softplus(Bijection):
    """x = log(1 + exp(z)), kept within the positive floats.

    >>> round(Softplus().inverse(jnp.array(1e-10)).item(), 4)
    -23.0259
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        info = jnp.finfo(z.dtype)
        return jnp.clip(jax.nn.softplus(z), info.tiny, info.max), jax.nn.log_sigmoid(z)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        small = x < math.log(2.0)  # log(exp(x) - 1) = x + log(1 - exp(-x)), after Maechler (2012)
        of_small = jnp.log(jnp.expm1(jnp.where(small, x, 0.5)))
        y = jnp.where(small, 1.0, x)
        return jnp.where(small, of_small, y + jnp.log1p(-jnp.exp(-y)))


def spread(parameter: Any, like: jax.Array) -> jax.Array:
    """A parameter in the dtype of the values, over all of their axes."""
    p = jnp.asarray(parameter, like.dtype)
    return jnp.broadcast_to(p, jnp.broadcast_shapes(p.shape, like.shape))


def refuse_zero(what: str, value: Any) -> None:
    """A map that multiplies by 0 has no inverse.

    Raises:
        ParameterError: with the value.
    """
    if not isinstance(value, (jax.core.Tracer, jax.ShapeDtypeStruct)):
        with jax.ensure_compile_time_eval():
            numbers = np.asarray(value, float)
        if not (np.isfinite(numbers) & (numbers != 0)).all():
            raise ParameterError(f"{what} must be finite and not 0, and is {value}.")
