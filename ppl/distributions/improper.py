"""Improper: flat."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax import supports
from storax.distributions.base import Distribution
from storax.errors import ArgumentTypeError, NotMeasurable, ShapeError
from storax.pytrees import static
from storax.supports import Support


class Improper(Distribution):
    """The density 1 on all of a support, which need not have a finite integral: NumPyro's ImproperUniform.

    A prior only: it has no draws, but for those of a posterior.

    Args:
        support: any continuous one.
        batch_shape: how many values.
        event_shape: the shape of one; must have as many axes as the support's event.

    >>> from storax import supports
    >>> Improper(supports.positive).log_prob(jnp.array([-1.0, 1e30])).tolist()
    [-inf, 0.0]
    """

    support: Support = supports.real
    batch_shape: tuple[int, ...] = static(default=())
    event_shape: tuple[int, ...] = static(default=())

    def __post_init__(self) -> None:
        if not isinstance(self.support, Support) or self.support.is_discrete:
            raise ArgumentTypeError(f"Improper: support must be a continuous support, and is {self.support!r}.")
        object.__setattr__(self, "batch_shape", tuple(self.batch_shape))
        object.__setattr__(self, "event_shape", tuple(self.event_shape))
        if len(self.event_shape) != self.support.event_dim:
            raise ShapeError(
                f"Improper: a value of {self.support!r} has {self.support.event_dim} axes, but event_shape is "
                f"{self.event_shape}."
            )

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.support.event_dim

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        raise NotMeasurable(f"{self!r} has no draws: it need not have a finite integral. Give the site a value.")

    def log_prob(self, value: Any) -> jax.Array:
        x = jnp.asarray(value)
        dtype = jnp.result_type(float, jnp.real(x).dtype if jnp.issubdtype(x.dtype, jnp.inexact) else float)
        inside = self.support(x)
        nan = jnp.isnan(x)
        nan = nan.any(tuple(range(-self.event_dim, 0))) if self.event_dim else nan
        shape = jnp.broadcast_shapes(inside.shape, self.batch_shape)
        return jnp.broadcast_to(jnp.where(nan, jnp.nan, jnp.where(inside, 0.0, -jnp.inf)).astype(dtype), shape)

    def take(self, positions: Any) -> Distribution:
        flat = jax.tree.map(
            lambda x: x if jnp.ndim(x) == 0 else jnp.broadcast_to(x, self.batch_shape).reshape(-1)[positions],
            self.support,
        )
        return Improper(flat, jnp.shape(positions), self.event_shape)

    def __repr__(self) -> str:
        shape = f", {self.shape}" if self.shape else ""
        return f"Improper({self.support!r}{shape})"
