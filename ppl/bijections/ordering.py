"""Vectors in increasing order."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection, floats
from storax.ordinals import strictly_increasing


class Ordered(Bijection):
    """From R^d to increasing vectors: x_1 = z_1, x_i = x_(i-1) + exp(z_i) (Stan reference manual, "ordered vector").

    Entries that floats cannot tell apart become neighbours, so that x always increases; such a z_i is not recovered:
    a gap of exp(-20) next to an x of 20 is none in float32.

    >>> Ordered().forward(jnp.array([-1.0, 0.0, 0.0])).tolist()
    [-1.0, 0.0, 1.0]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        gaps = _exp(z[..., 1:])
        x = jnp.cumsum(jnp.concatenate([z[..., :1], gaps], -1), -1)
        return strictly_increasing(x), z[..., 1:].sum(-1)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        return jnp.concatenate([x[..., :1], _log(jnp.diff(x))], -1)


class PositiveOrdered(Bijection):
    """From R^d to increasing vectors of positive numbers: x_i = exp(z_1) + ... + exp(z_i).

    As with `Ordered`, a gap below the resolution of floats is not recovered.

    >>> PositiveOrdered().forward(jnp.zeros(3)).tolist()
    [1.0, 2.0, 3.0]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        return strictly_increasing(jnp.cumsum(_exp(z), -1)), z.sum(-1)

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        return _log(jnp.concatenate([x[..., :1], jnp.diff(x)], -1))


def _exp(z: jax.Array) -> jax.Array:
    info = jnp.finfo(z.dtype)
    return jnp.clip(jnp.exp(z), info.tiny, info.max)


def _log(gap: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(gap, jnp.finfo(gap.dtype).tiny))  # neighbours next to 0 differ by less
