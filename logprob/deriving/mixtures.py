"""A law that is one of several: by chance, or element by element by a known choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Density, Finite, Law, combine, log_sum
from storax.logprob.deriving.pieces import apply


class Several(Law):
    """Made of several laws."""

    parts: list[Law]

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return all(p.is_discrete for p in self.parts)

    @property
    def smooth(self) -> bool:
        return all(map(is_smooth, self.parts))

    @property
    def ends(self) -> tuple[Any, Any]:
        low, high = self.parts[0].ends
        for p in self.parts[1:]:
            low, high = apply(jnp.minimum, low, p.ends[0]), apply(jnp.maximum, high, p.ends[1])
        return low, high


class Mixture(Several):
    """Component k with log probability `log_weights[k]`, `[K, *shape]`."""

    def __init__(self, log_weights: Any, parts: Sequence[Law], shape: tuple[int, ...], dtype: Any) -> None:
        self.log_weights, self.parts, self.shape, self.dtype = log_weights, list(parts), tuple(shape), jnp.dtype(dtype)

    @classmethod
    def of(cls, log_weights: Any, parts: Sequence[Law], shape: tuple[int, ...], dtype: Any) -> Law:
        log_weights = spread(log_weights, shape)
        few = [p.finite if p.is_discrete else None for p in parts]
        if all(f is not None for f in few) and sum(len(f.values) for f in few if f is not None) <= 64:
            values = [v for f in few if f is not None for v in f.values]
            mass = jnp.concatenate(
                [w[None] + f.log_mass for w, f in zip(log_weights, few, strict=True) if f is not None]
            )
            return Finite(values, mass, shape, dtype)
        return cls(log_weights, parts, shape, dtype)

    def density(self, y: Any) -> Density:
        scored = [p.density(jnp.asarray(y, p.dtype) if p.dtype != self.dtype else y) for p in self.parts]
        return combine([(s + w, d) for w, (s, d) in zip(self.log_weights, scored, strict=True)])

    def snap(self, x: Any, error: Any) -> Any:
        for p in self.parts:
            x = p.snap(x, error)
        return x

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        return log_sum(
            jnp.stack([w + p.tail(y, upper, strict) for w, p in zip(self.log_weights, self.parts, strict=True)])
        )

    @property
    def finite(self) -> Finite | None:
        few = [p.finite for p in self.parts]
        if any(f is None for f in few) or not self.is_discrete:
            return None
        values = [v for f in few if f is not None for v in f.values]
        mass = jnp.concatenate([w + f.log_mass for w, f in zip(self.log_weights, few, strict=True) if f is not None])
        return Finite(values, mass, self.shape, self.dtype)


def spread(log_mass: Any, shape: tuple[int, ...]) -> Any:
    """Masses `[K, ...]` of one number, or of one a place, as `[K, *shape]`."""
    k = log_mass.shape[0]
    if log_mass.size == k:
        return jnp.broadcast_to(log_mass.reshape(k, *[1] * len(shape)), (k, *shape))
    return jnp.broadcast_to(log_mass, (k, *shape))


class Chosen(Several):
    """Element by element component `which`, known when the program runs."""

    def __init__(self, which: Any, parts: Sequence[Law], shape: tuple[int, ...], dtype: Any) -> None:
        self.which = jnp.broadcast_to(jnp.asarray(which), shape)
        self.parts, self.shape, self.dtype = list(parts), tuple(shape), jnp.dtype(dtype)

    def _select(self, cases: Sequence[Any]) -> Any:
        out = jnp.broadcast_to(cases[0], self.shape)
        for k, case in enumerate(cases[1:], 1):
            out = jnp.where(self.which == k, case, out)
        return out

    def density(self, y: Any) -> Density:
        scored = [p.density(y) for p in self.parts]
        dims = [d for _, d in scored]
        same = all(isinstance(d, int) for d in dims) and len(set(dims)) == 1
        return self._select([s for s, _ in scored]), dims[0] if same else self._select([jnp.asarray(d) for d in dims])

    def snap(self, x: Any, error: Any) -> Any:
        return self._select([p.snap(x, error) for p in self.parts])

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        return self._select([p.tail(y, upper, strict) for p in self.parts])
