"""ProjectedNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.radial import log_moment
from storax.distributions.special import HALF_LOG_TWO_PI
from storax.errors import ShapeError
from storax.supports import Support


class ProjectedNormal(Distribution):
    """The direction Z / |Z| of a vector Z ~ Normal(concentration, 1) of n independent numbers.

    With t = x . concentration, the density on the sphere is (2 pi)^(-n/2) exp(-|concentration - t x|^2 / 2) times the
    integral over r > 0 of r^(n-1) exp(-(r - t)^2 / 2) (Hernandez-Stumpfhauser et al. 2017, eq. 3), for every n.  It is
    that of the direction of x: rounding of the length of x has no effect.

    Args:
        concentration: `[..., n]`, real, n at least 2; its direction is the mode.

    >>> ProjectedNormal([0.0, 3.0]).mode.tolist()
    [0.0, 1.0]
    """

    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.real_vector}
    support: ClassVar[Support] = supports.sphere
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = jnp.shape(self.concentration)
        if shape[-1] < 2:
            raise ShapeError(f"ProjectedNormal: concentration must have at least 2 numbers, and has shape {shape}.")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.concentration)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        noise, concentration = promote(noise, self.concentration)
        return _direction(concentration + noise)

    def log_prob(self, value: Any) -> jax.Array:
        x, c = promote(value, self.concentration)
        inside = self.support(x) | jnp.isnan(x).any(-1)
        x = _direction(jnp.where(inside[..., None], x, 1.0))
        along = (x * c).sum(-1, keepdims=True)
        across = jnp.square(c - along * x).sum(-1)
        wide = along[..., 0].astype(jnp.promote_types(along.dtype, jnp.float32))
        n = x.shape[-1]
        return within(inside, log_moment(n - 1, wide).astype(x.dtype) - 0.5 * across - n * HALF_LOG_TWO_PI)

    @property
    def mode(self) -> jax.Array:
        """The direction of the concentration; that of the first axis where it is 0 and all are alike."""
        (c,) = promote(self.concentration)
        first = jnp.asarray(np.arange(c.shape[-1]) == 0, c.dtype).reshape((1,) * (c.ndim - 1) + (-1,))
        return _direction(jnp.where((c == 0).all(-1, keepdims=True), first, c))


def _direction(x: jax.Array) -> jax.Array:
    """x / |x|, where neither squares overflow nor vanish."""
    x = x / jax.lax.stop_gradient(jnp.maximum(jnp.abs(x).max(-1, keepdims=True), jnp.finfo(x.dtype).tiny))
    return x / jnp.sqrt(jnp.square(x).sum(-1, keepdims=True))
