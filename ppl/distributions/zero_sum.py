"""ZeroSumNormal."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.compound import column
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ShapeError
from storax.pytrees import static
from storax.supports import Support


class ZeroSumNormal(Distribution):
    """Independent normals, given that they sum to 0 along each axis of the event: x = z - mean of z.

    The density is that on the subspace of such arrays, which has prod(n - 1) dimensions.

    Args:
        scale: standard deviation of z, positive.
        event_shape: the shape of one value; each axis at least 2 long.

    >>> ZeroSumNormal(1.0, (4,)).variance.tolist()
    [0.75, 0.75, 0.75, 0.75]
    """

    scale: Any
    sizes: tuple[int, ...] = static()

    parameters: ClassVar[dict[str, Support]] = {"scale": supports.positive}

    def __init__(self, scale: Any, event_shape: tuple[int, ...]) -> None:
        sizes = tuple(int(n) for n in event_shape)
        if not sizes or min(sizes) < 2:
            raise ShapeError(f"ZeroSumNormal: event_shape must be of axes at least 2 long, and is {sizes}.")
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "sizes", sizes)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self.sizes

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return len(self.sizes)

    @property
    def support(self) -> Support:
        return supports.zero_sum(len(self.sizes))

    @property
    def dimensions(self) -> int:
        """Of the subspace."""
        return math.prod(n - 1 for n in self.sizes)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        z, scale = promote(jax.random.normal(key, (*shape, *self.shape), self.dtype), self._wide)
        for axis in range(-len(self.sizes), 0):
            z = z - z.mean(axis, keepdims=True)
        return scale * z

    def log_prob(self, value: Any) -> jax.Array:
        x, scale = promote(value, self._wide)
        inside = self.support(x) | jnp.isnan(x).any(self._axes)
        x = jnp.where(inside.reshape(inside.shape + (1,) * len(self.sizes)), x, 0.0)
        squares, scale = promote(jnp.square(x / scale).sum(self._axes), self.scale)
        return within(inside, -0.5 * squares - self.dimensions * (jnp.log(scale) + HALF_LOG_TWO_PI))

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.sizes), 0))

    @property
    def _wide(self) -> jax.Array:
        return column(self.scale, len(self.sizes))

    @property
    def mean(self) -> jax.Array:
        return jnp.zeros(self.shape, self.dtype)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(self._wide) * math.prod(1 - 1 / n for n in self.sizes), self.shape)

    @property
    def covariance(self) -> jax.Array:
        if len(self.sizes) > 1:
            return super().covariance
        (n,) = self.sizes
        centring = jnp.eye(n, dtype=self.dtype) - 1 / n
        scale, centring = promote(column(self.scale, 2), centring)
        return jnp.broadcast_to(jnp.square(scale) * centring, (*self.shape, n))

    def entropy(self) -> jax.Array:
        (scale,) = promote(self.scale)
        return self.dimensions * (jnp.log(scale) + HALF_LOG_TWO_PI + 0.5)

    def __repr__(self) -> str:
        return f"ZeroSumNormal(scale={supports.show(self.scale)}, event_shape={self.sizes})"
