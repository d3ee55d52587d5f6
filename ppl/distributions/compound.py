"""What distributions share that have other distributions among their fields: a start, a noise, a marginal."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.base import Distribution, promote
from storax.errors import ArgumentTypeError, ShapeError


class Compound(Distribution):
    """Base: the batch is that of the parameters and of the inner distributions, each with its own events."""

    @property
    def inner(self) -> dict[str, Distribution]:
        """name -> distribution, of the fields that are one."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {n: x for n, x in fields.items() if isinstance(x, Distribution)}

    @property
    def batch_shape(self) -> tuple[int, ...]:
        shapes = {"the parameters": super().batch_shape, **{n: d.batch_shape for n, d in self.inner.items()}}
        try:
            return np.broadcast_shapes(*shapes.values())
        except ValueError:
            listing = ", ".join(f"that of {n} is {s}" for n, s in shapes.items())
            raise ShapeError(f"{self.name}: the batch shapes do not broadcast: {listing}.") from None

    @property
    def dtype(self) -> Any:
        return jnp.result_type(*([super().dtype] if self._given() else []), *[d.dtype for d in self.inner.values()])

    @property
    def reparameterized(self) -> bool:  # type: ignore[override]
        return all(d.reparameterized for d in self.inner.values())

    def take(self, positions: Any) -> Distribution:
        whole = self.batch_shape

        def part(path: Any, x: Any) -> Any:
            if isinstance(x, Distribution):
                return x.expand(whole).take(positions) if x.batch_shape else x
            if path[0].name not in self.parameters:
                return x
            event = self.parameters[path[0].name].event_dim
            if jnp.ndim(x) <= event:
                return x
            own = jnp.shape(x)[jnp.ndim(x) - event :]
            return jnp.broadcast_to(x, (*whole, *own)).reshape(-1, *own)[positions]

        is_inner = lambda x: isinstance(x, Distribution) and x is not self  # noqa: E731
        return jax.tree_util.tree_map_with_path(part, self, is_leaf=is_inner).expand(jnp.shape(positions))

    def validate(self) -> None:
        super().validate()
        for d in self.inner.values():
            d.validate()


def check_start(owner: Distribution, name: str, d: Any, event_shape: tuple[int, ...] | None) -> None:
    """Is a field a continuous distribution over values of this shape (None: of any)?

    Raises:
        ArgumentTypeError: it is no continuous distribution.
        ShapeError: its values have another shape.
    """
    if not isinstance(d, Distribution) or d.is_discrete:
        raise ArgumentTypeError(f"{owner.name}: {name} must be a continuous distribution, got {d!r}.")
    if event_shape is not None and d.event_shape != event_shape:
        raise ShapeError(
            f"{owner.name}: {name} must be a distribution with event shape {event_shape}, and {d!r} has event shape "
            f"{d.event_shape} and batch shape {d.batch_shape}."
        )


def column(x: Any, count: int = 1) -> jax.Array:
    """A parameter with `count` axes behind, along which it is the same."""
    (x,) = promote(x)
    return x.reshape(x.shape + (1,) * count)


def finite_part(x: Any, count: int = 1) -> tuple[jax.Array, jax.Array]:
    """Is no number of the last `count` axes infinite (nan is let through), and x with zeros for those that have one."""
    axes = tuple(range(-count, 0))
    inside = ~jnp.isinf(x).any(axes)
    return inside, jnp.where(inside.reshape(inside.shape + (1,) * count), x, 0.0)
