"""Supports made from others: side by side, or by a bijection."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from storax.pytrees import static
from storax.supports.base import Support


class Product(Support):
    """Vectors whose stretches of these sizes lie each in a support of its own.

    Args:
        parts: supports of numbers (then of every entry) or of vectors.
        sizes: how many entries each takes.

    >>> import numpy as np
    >>> from storax import supports
    >>> bool(supports.cat((supports.positive, supports.simplex), (1, 2))(np.array([3.0, 0.25, 0.75])))
    True
    """

    parts: tuple[Support, ...]
    sizes: tuple[int, ...] = static()

    event_dim: ClassVar[int] = 1

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return any(s.is_discrete for s in self.parts)

    def __call__(self, x: Any) -> jax.Array:
        inside = jnp.full(jnp.shape(x)[:-1], jnp.shape(x)[-1] == sum(self.sizes))
        for support, (a, b) in self._stretches():
            found = support(x[..., a:b])
            inside = inside & (found if support.event_dim else found.all(-1))
        return inside

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        pieces = [s.feasible((*shape[:-1], b - a), dtype) for s, (a, b) in self._stretches()]
        return jnp.concatenate(pieces, -1)

    def _stretches(self) -> list[tuple[Support, tuple[int, int]]]:
        ends = [sum(self.sizes[: i + 1]) for i in range(len(self.sizes))]
        return [(s, (end - n, end)) for s, n, end in zip(self.parts, self.sizes, ends, strict=True)]

    def __repr__(self) -> str:
        return f"cat({', '.join(f'{s!r} x {n}' for s, n in zip(self.parts, self.sizes, strict=True))})"


class Image(Support):
    """Where a bijection takes a support: x is inside if its z is, and x is what z is taken to."""

    base: Support
    bijection: Any  # of as many event axes as the base

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return int(self.bijection.x_event_dim)

    def __call__(self, x: Any) -> jax.Array:
        z = self.bijection.inverse(jnp.asarray(x))
        inside = self.base(z)
        if self.event_dim:  # numbers have an inverse wherever it is not nan; vectors may not lie on the image at all
            event = tuple(range(-self.event_dim, 0))
            gap = jnp.abs(self.bijection.forward(z) - x)
            size = jnp.abs(x).max(event, keepdims=True)
            inside = inside & (gap <= 10 * _tolerance(z) * (1 + size)).all(event)
        return inside

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        x: jax.Array = self.bijection.forward(self.base.feasible(self.bijection.inverse_shape(shape), dtype))
        return jnp.broadcast_to(x, shape)

    def __repr__(self) -> str:
        return f"image of {self.base!r} by {self.bijection!r}"


def _tolerance(x: Any) -> float:
    return 1e-10 if x.dtype == jnp.float64 else 1e-5
