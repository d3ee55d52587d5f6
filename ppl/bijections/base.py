"""The interface of a bijection, and its lift to more event axes."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax.pytrees import Pytree, static


class Bijection(Pytree, abc.ABC):
    """A smooth one-to-one map from R^n (z) to a support (x).

    A subclass says `forward_and_log_det` and `inverse`; and, if x has another shape than z, both shapes.

    Attributes:
        z_event_dim: trailing axes of z that make up one point.
        x_event_dim: trailing axes of x that make up one value.
    """

    z_event_dim: ClassVar[int] = 0
    x_event_dim: ClassVar[int] = 0

    @abc.abstractmethod
    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x, and log |det dx/dz| without the event axes."""

    @abc.abstractmethod
    def inverse(self, x: jax.Array) -> jax.Array:
        """z of x."""

    def forward(self, z: jax.Array) -> jax.Array:
        """x of z."""
        return self.forward_and_log_det(z)[0]

    def log_det(self, z: jax.Array) -> jax.Array:
        """log |det dx/dz| at z."""
        return self.forward_and_log_det(z)[1]

    def inverse_log_det(self, x: jax.Array) -> jax.Array:
        """log |det dz/dx| at x."""
        return -self.log_det(self.inverse(x))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of x, given that of z."""
        return shape

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of z, given that of x."""
        return shape


class Lifted(Bijection):
    """`base` with `count` more event axes: log-determinants are summed over them."""

    base: Bijection
    count: int = static()

    @property
    def z_event_dim(self) -> int:  # type: ignore[override]
        return self.base.z_event_dim + self.count

    @property
    def x_event_dim(self) -> int:  # type: ignore[override]
        return self.base.x_event_dim + self.count

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, log_det = self.base.forward_and_log_det(z)
        return x, jnp.sum(log_det, tuple(range(-self.count, 0)))

    def inverse(self, x: jax.Array) -> jax.Array:
        return self.base.inverse(x)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base.forward_shape(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base.inverse_shape(shape)


def floats(x: Any) -> jax.Array:
    """x as floating numbers."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))
