"""Bijections of one number at a time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.bijections.base import Bijection, floats
from storax.pytrees import static


class Identity(Bijection):
    """x = z.

    >>> Identity().forward(jnp.array(2.0)).item()
    2.0
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        return z, jnp.zeros_like(z)

    def inverse(self, x: jax.Array) -> jax.Array:
        return floats(x)


class Exp(Bijection):
    """x = exp(z), kept within the positive floats: never 0, never infinite.

    >>> Exp().forward(jnp.array(0.0)).item()
    1.0
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        info = jnp.finfo(z.dtype)
        return jnp.clip(jnp.exp(z), info.tiny, info.max), z

    def inverse(self, x: jax.Array) -> jax.Array:
        return jnp.log(x)


class Sigmoid(Bijection):
    """x = low + (high - low) / (1 + exp(-z)), strictly between the ends.

    >>> Sigmoid(0.0, 4.0).forward(jnp.array(0.0)).item()
    2.0
    """

    low: Any
    high: Any

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        low, high = self._ends(z)
        # Measured from the nearer end: 1e-8 above low = 0 is a float32, 1 - 1e-8 is not.
        near = (high - low) * jax.nn.sigmoid(-jnp.abs(z))
        x = jnp.where(z < 0, low + near, high - near)
        log_det = jnp.log(high - low) + jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)
        return jnp.clip(x, *_inner(lax.stop_gradient(low), lax.stop_gradient(high))), log_det

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        low, high = self._ends(x)
        return jnp.log(x - low) - jnp.log(high - x)

    def _ends(self, like: jax.Array) -> tuple[jax.Array, jax.Array]:
        ends = (jnp.asarray(e, like.dtype) for e in (self.low, self.high))
        low, high = (jnp.broadcast_to(e, jnp.broadcast_shapes(e.shape, like.shape)) for e in ends)
        return low, high


def _inner(low: jax.Array, high: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The outermost floats inside; next to zero that is the smallest normal one, as denormals are flushed."""
    tiny = jnp.finfo(low.dtype).tiny
    return jnp.where(low == 0, tiny, jnp.nextafter(low, high)), jnp.where(high == 0, -tiny, jnp.nextafter(high, low))


class Beyond(Bijection):
    """x = low + exp(z), or with `below` x = low - exp(z): one side of a point, which is never reached.

    >>> Beyond(3.0).forward(jnp.array(0.0)).item()
    4.0
    """

    end: Any
    below: bool = static(default=False)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        distance, log_det = Exp().forward_and_log_det(z)
        end = jnp.broadcast_to(jnp.asarray(self.end, distance.dtype), distance.shape)
        limits = jnp.nextafter(lax.stop_gradient(end), jnp.inf), jnp.asarray(jnp.finfo(distance.dtype).max)
        if self.below:
            limits = -limits[1], jnp.nextafter(lax.stop_gradient(end), -jnp.inf)
        return jnp.clip(end - distance if self.below else end + distance, *limits), log_det

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        end = jnp.broadcast_to(jnp.asarray(self.end, x.dtype), x.shape)
        return jnp.log(end - x if self.below else x - end)
