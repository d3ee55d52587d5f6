"""Bijections made from others: one after another, side by side."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from storax.bijections.base import Bijection, Lifted
from storax.errors import ShapeError
from storax.pytrees import static


class Compose(Bijection):
    """One bijection after another, the first one first; those with fewer event axes are lifted to fit.

    Args:
        parts: bijections, at least one.

    >>> from storax.bijections import Affine, Exp
    >>> Compose((Affine(0.0, 2.0), Exp())).forward(jnp.array(0.0)).item()
    1.0
    """

    parts: tuple[Bijection, ...]

    def __post_init__(self) -> None:
        parts: list[Bijection] = []
        for part in self.parts:
            extra = parts[-1].x_event_dim - part.z_event_dim if parts else 0
            parts = [lifted(p, -extra) for p in parts]
            parts.append(lifted(part, extra))
        if not parts:
            raise ShapeError("Compose needs at least one bijection, and got none.")
        object.__setattr__(self, "parts", tuple(parts))

    @property
    def z_event_dim(self) -> int:  # type: ignore[override]
        return self.parts[0].z_event_dim

    @property
    def x_event_dim(self) -> int:  # type: ignore[override]
        return self.parts[-1].x_event_dim

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, total = self.parts[0].forward_and_log_det(z)
        for part in self.parts[1:]:
            x, log_det = part.forward_and_log_det(x)
            total = total + log_det
        return x, total

    def inverse(self, x: jax.Array) -> jax.Array:
        for part in reversed(self.parts):
            x = part.inverse(x)
        return x

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape


class Concatenate(Bijection):
    """Bijections side by side: each makes its own stretch of a vector.

    Args:
        parts: of one number at a time, or of vectors.
        sizes: how many entries of x each makes.

    >>> from storax.bijections import Exp, Identity
    >>> Concatenate((Exp(), Identity()), (1, 2)).forward(jnp.array([0.0, 3.0, 4.0])).tolist()
    [1.0, 3.0, 4.0]
    """

    parts: tuple[Bijection, ...]
    sizes: tuple[int, ...] = static()

    z_event_dim = 1
    x_event_dim = 1

    def __post_init__(self) -> None:
        if len(self.parts) != len(self.sizes):
            raise ShapeError(f"Concatenate: there are {len(self.parts)} parts, and {len(self.sizes)} sizes.")
        parts = tuple(lifted(p, 1 - p.x_event_dim) for p in self.parts)
        for p in parts:
            if (p.z_event_dim, p.x_event_dim) != (1, 1):
                raise ShapeError(f"Concatenate: {p!r} is not a map of numbers or of vectors.")
        object.__setattr__(self, "parts", parts)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        pieces = [p.forward_and_log_det(s) for p, s in zip(self.parts, stretches(z, self._z_sizes), strict=True)]
        return jnp.concatenate([x for x, _ in pieces], -1), sum((d for _, d in pieces), jnp.zeros(()))

    def inverse(self, x: jax.Array) -> jax.Array:
        pieces = zip(self.parts, stretches(x, self.sizes), strict=True)
        return jnp.concatenate([p.inverse(s) for p, s in pieces], -1)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], sum(self.sizes))

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], sum(self._z_sizes))

    @property
    def _z_sizes(self) -> tuple[int, ...]:
        return tuple(p.inverse_shape((n,))[0] for p, n in zip(self.parts, self.sizes, strict=True))


def lifted(bijection: Bijection, count: int) -> Bijection:
    """With `count` more event axes, if it is more than none."""
    return Lifted(bijection, count) if count > 0 else bijection


def stretches(x: Any, sizes: tuple[int, ...]) -> list[Any]:
    """Consecutive pieces of these sizes of the last axis."""
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [x[..., end - n : end] for end, n in zip(ends, sizes, strict=True)]
