"""ProjectedNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, promote, within
from storax.distributions.radial import log_moment, moment_ratio
from storax.distributions.rows import dot_rows, sum_rows
from storax.distributions.special import HALF_LOG_TWO_PI, afresh
from storax.errors import ShapeError
from storax.rules import custom_rule
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
        return _log_density(x, c)

    @property
    def mode(self) -> jax.Array:
        """The direction of the concentration; that of the first axis where it is 0 and all are alike."""
        (c,) = promote(self.concentration)
        first = jnp.asarray(np.arange(c.shape[-1]) == 0, c.dtype).reshape((1,) * (c.ndim - 1) + (-1,))
        return _direction(jnp.where((c == 0).all(-1, keepdims=True), first, c))


@custom_rule
def _log_density(x: jax.Array, c: jax.Array) -> jax.Array:
    """Of the direction of x; -inf without a gradient where x is not on the sphere."""
    inside, length, t = _parts(x, c)
    n = x.shape[-1]
    across = _square_across(x, length, c, t)
    return within(inside, log_moment(n - 1, t).astype(x.dtype) - 0.5 * across - n * HALF_LOG_TWO_PI)


@_log_density.defjvp
def _(primals: Any, tangents: Any) -> Any:
    x, c = primals
    dx, dc = tangents
    n = x.shape[-1]
    inside, length, t = _parts(*primals)
    slope = ((n - 1) / moment_ratio(n - 1, afresh(t))).astype(x.dtype)[..., None]  # of the moment's logarithm
    u = x / length[..., None]
    t = t.astype(x.dtype)[..., None]
    by_x = jnp.where(inside[..., None], (slope + t) / length[..., None] * (c - t * u), 0.0)
    by_c = jnp.where(inside[..., None], (slope + t) * u - c, 0.0)
    return _log_density(*primals), (by_x * dx).sum(-1) + dot_rows(by_c, dc)


def _parts(x: jax.Array, c: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Is x on the sphere, its length and, with u = x / |x|, u . c."""
    squares = dot_rows(x, x)
    inside = supports.sphere.of_square(squares) | jnp.isnan(squares)
    length = jnp.sqrt(jnp.where(inside, squares, 1.0))
    t = jnp.where(inside, dot_rows(x, c) / length, 0.0)
    return inside, length, t.astype(jnp.promote_types(t.dtype, jnp.float32))


def _square_across(x: jax.Array, length: jax.Array, c: jax.Array, t: jax.Array) -> jax.Array:
    """|c - t u|^2; as |c|^2 - t^2, which is quicker, where that loses nothing."""
    whole, t = jnp.square(c).sum(-1), t.astype(c.dtype)
    return lax.cond(
        (whole < 16).all(),
        lambda x, length, c, t, whole: jnp.maximum(whole - jnp.square(t), 0.0),
        lambda x, length, c, t, whole: sum_rows(jnp.square(c - (t / length)[..., None] * x)),
        *(x, length, c, t, whole),
    )


def _direction(x: jax.Array) -> jax.Array:
    """x / |x|, where neither squares overflow nor vanish."""
    x = x / jax.lax.stop_gradient(jnp.maximum(jnp.abs(x).max(-1, keepdims=True), jnp.finfo(x.dtype).tiny))
    return x / jnp.sqrt(jnp.square(x).sum(-1, keepdims=True))
