"""The largest, or smallest, of numbers that all have one law: n f F^(n - 1), which is asked of one number, not of n."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.special import log1mexp
from storax.logprob.deriving.images import Image, is_smooth
from storax.logprob.deriving.laws import Given, Law
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.randoms import Random


class ExtremeOfAlike(Law):
    """The largest, or smallest, of `n` independent continuous numbers of the law `base`."""

    smooth = True

    def __init__(self, base: Law, n: int, largest: bool) -> None:
        self.base, self.n, self.largest = base, n, largest
        self.shape, self.dtype = base.shape, base.dtype

    def _within(self, y: Any) -> Any:
        """log P(X <= y) for the largest, log P(X >= y) for the smallest."""
        return self.base.tail(y, not self.largest)

    def density(self, y: jax.Array) -> Density:
        score, within = self.base.density(y)[0], self._within(y)
        none = (within == -jnp.inf) | (score == -jnp.inf)
        both = jnp.where(none, 0.0, score) + (self.n - 1) * jnp.where(none, 0.0, within)
        return jnp.where(none, -jnp.inf, math.log(self.n) + both), 1

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        within = self.n * self._within(y)
        return within if upper != self.largest else log1mexp(-within)

    @property
    def ends(self) -> tuple[Any, Any]:
        return self.base.ends


def of_alike(r: Random, axes: tuple[int, ...], largest: bool, shape: tuple[int, ...]) -> Law | None:
    """The law of the extremes along axes of numbers that have one law; None if they are not known to."""
    base = _resized(r.law, shape) if r.alike and r.law is not None and is_smooth(r.law) else None
    n = math.prod(r.shape[a] for a in axes)
    return ExtremeOfAlike(base, n, largest) if base is not None and n > 1 else None


def _resized(law: Law, shape: tuple[int, ...]) -> Law | None:
    """The law of numbers that all have the same, of another shape."""
    if isinstance(law, Given):
        return Given(law.site, law.leaves, jax.ShapeDtypeStruct(shape, law.dtype)) if law.is_alike else None
    if type(law) is not Image or law.doubts:
        return None
    ends = [e for p in law.pieces for e in (p.low, p.high, p.at_low, p.at_high, *p.domain)]
    root = _resized(law.root, shape) if all(np.ndim(e) == 0 for e in ends) else None
    return None if root is None or not _fits(law.pieces, shape, root.dtype) else Image(root, law.pieces, law.dtype)


def _fits(pieces: Any, shape: tuple[int, ...], dtype: Any) -> bool:
    """Do the functions take arrays of this shape, too?  They may have known arrays of another in them."""
    like = jax.ShapeDtypeStruct(shape, dtype)
    try:
        return all(jax.eval_shape(p.forward, like).shape == shape for p in pieces)
    except (TypeError, ValueError):
        return False
