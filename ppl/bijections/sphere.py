"""The sphere, by stereographic projection."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, floats


class Stereographic(Bijection):
    """From R^d to the unit sphere in R^(d+1), all of it but the pole (0, ..., 0, 1).

    x = (2 z, |z|^2 - 1) / (|z|^2 + 1); z = 0 is the opposite pole.  The log-determinant is that of areas on the sphere,
    d log(2 / (1 + |z|^2)).

    >>> Stereographic().forward(jnp.array([1.0, 0.0])).tolist()
    [1.0, 0.0, 0.0]
    """

    z_event_dim: ClassVar[int] = 1
    x_event_dim: ClassVar[int] = 1

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = floats(z)
        square = jnp.square(z).sum(-1, keepdims=True)
        share = 2 / (1 + square)
        log_det = z.shape[-1] * (np.log(2.0) - jnp.log1p(square[..., 0]))
        return jnp.concatenate([z * share, 1 - share], -1), log_det

    def inverse(self, x: jax.Array) -> jax.Array:
        x = floats(x)
        rest, last = x[..., :-1], x[..., -1:]
        # 1 - last, which cancels near the pole, is |rest|^2 / (1 + last).
        far = last > 0
        square = jnp.where(far, jnp.square(rest).sum(-1, keepdims=True), 1.0)
        of_far = rest * ((1 + last) / jnp.maximum(square, jnp.finfo(x.dtype).tiny))
        return jnp.where(far, of_far, rest / jnp.where(far, 1.0, 1 - last))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)
