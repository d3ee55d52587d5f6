"""What may be optimised: a set without a measure of its own."""

from __future__ import annotations

from typing import Any

import jax

from storax.pytrees import static
from storax.supports.base import Support


class Free(Support):
    """Arrays whose entries are in `base`, as the values of a parameter to be optimised.

    The way to R^n is the one of `base`, but nothing is counted for it: a parameter has no density, and so no
    log-determinant.

    Args:
        base: the support of the entries.
        rank: axes of one value, at least those of an event of `base`.
    """

    base: Support
    rank: int = static()

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.rank

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base.is_discrete

    def __call__(self, x: Any) -> jax.Array:
        inside = self.base(x)
        rest = self.rank - self.base.event_dim
        return inside.all(tuple(range(-rest, 0))) if rest else inside

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return self.base.feasible(shape, dtype)

    def __repr__(self) -> str:
        return repr(self.base)
