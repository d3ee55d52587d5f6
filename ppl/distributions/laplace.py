"""Laplace."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote
from storax.distributions.special import standardize
from storax.supports import Support


class Laplace(Distribution):
    """The double exponential distribution.

    Args:
        loc: median, real.
        scale: mean absolute deviation, positive.

    >>> Laplace(0.0, 2.0).variance.item()
    8.0
    """

    loc: Any = 0.0
    scale: Any = 1.0

    parameters: ClassVar[dict[str, Support]] = {"loc": supports.real, "scale": supports.positive}
    support: ClassVar[Support] = supports.real

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise, loc, scale = promote(
            jax.random.laplace(key, (*shape, *self.batch_shape), self.dtype), self.loc, self.scale
        )
        return loc + scale * noise

    def log_prob(self, value: Any) -> jax.Array:
        x, loc, scale = promote(value, self.loc, self.scale)
        return -jnp.abs((x - loc) / scale) - jnp.log(scale) - np.log(2.0)

    def log_cdf(self, value: Any) -> jax.Array:
        return _log_laplace_cdf(standardize(*promote(value, self.loc, self.scale)))

    def log_survival(self, value: Any) -> jax.Array:
        return _log_laplace_cdf(-standardize(*promote(value, self.loc, self.scale)))

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(2 * jnp.square(promote(self.scale)[0]), self.shape)


def _log_laplace_cdf(z: jax.Array) -> jax.Array:
    return jnp.where(z < 0, z - np.log(2.0), jnp.log1p(-0.5 * jnp.exp(-jnp.abs(z))))
