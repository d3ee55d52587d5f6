"""A law that is one of several: by chance, or element by element by a known choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Finite, Given, Law, close
from storax.logprob.deriving.measures import Density, are_apart, combine, log_sum_of, slim
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
    """Component k with log probability `log_weights[k]`, `[K, *shape]`, or `[K]` if all elements have the same."""

    def __init__(self, log_weights: Any, parts: Sequence[Law], shape: tuple[int, ...], dtype: Any) -> None:
        self.log_weights, self.parts, self.shape, self.dtype = log_weights, list(parts), tuple(shape), jnp.dtype(dtype)

    @classmethod
    def of(cls, log_weights: Any, parts: Sequence[Law], shape: tuple[int, ...], dtype: Any) -> Law:
        if log_weights.size == len(log_weights):
            log_weights = log_weights.reshape(-1)
        few = [p.finite if p.is_discrete else None for p in parts]
        if all(f is not None for f in few) and sum(len(f.values) for f in few if f is not None) <= 64:
            values = [v for f in few if f is not None for v in f.values]
            return Finite(values, _products(log_weights, few, shape), shape, dtype)
        return cls(log_weights, parts, shape, dtype)

    def density(self, y: Any) -> Density:
        spiked = self._spiked(y)
        if spiked is not None:
            return spiked
        return combine([self._part(k, y) for k in range(len(self.parts))])

    def _part(self, k: int, y: Any) -> Density:
        p = self.parts[k]
        score, dim = p.density(jnp.asarray(y, p.dtype) if p.dtype != self.dtype else y)
        return score + self.log_weights[k], dim

    def _spiked(self, y: Any) -> Density | None:
        """Of points that are known and one law more, whose mass at these points is the same for all elements.

        A zero-inflated Poisson is log(pi + (1 - pi) exp(-rate)) at 0: one number, whatever the data are.
        """
        points = [k for k, p in enumerate(self.parts) if isinstance(p, Finite) and len(p.values) == 1]
        rest = [k for k in range(len(self.parts)) if k not in points]
        values = [slim(self.parts[k].values[0]) for k in points]  # type: ignore[attr-defined]
        if not points or len(rest) != 1 or not are_apart(values, close):
            return None
        law = self.parts[rest[0]]
        if not (isinstance(law, Given) and law.is_alike):
            return None
        score, dim = self._part(rest[0], y)
        for k, v in zip(points, values, strict=True):
            mass = self.log_weights[k] + self.parts[k].mass[0]  # type: ignore[attr-defined]
            hit = close(y, v)
            if law.is_discrete:
                other = jnp.broadcast_to(law.ask("log_prob", jnp.asarray(v, law.dtype)), self.shape)
                mass = log_sum_of([mass, self.log_weights[rest[0]] + other])
            else:
                hit = hit & (mass > -jnp.inf)
                dim = jnp.where(hit, 0, dim)
            score = jnp.where(hit, mass, score)
        return score, dim

    def snap(self, x: Any, error: Any) -> Any:
        for p in self.parts:
            x = p.snap(x, error)
        return x

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        return log_sum_of([w + p.tail(y, upper, strict) for w, p in zip(self.log_weights, self.parts, strict=True)])

    @property
    def finite(self) -> Finite | None:
        few = [p.finite for p in self.parts]
        if any(f is None for f in few) or not self.is_discrete:
            return None
        values = [v for f in few if f is not None for v in f.values]
        return Finite(values, _products(self.log_weights, few, self.shape), self.shape, self.dtype)


def _products(log_weights: Any, parts: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """The log masses of all values of all components."""
    slim = log_weights.ndim == 1 and all(f.mass.ndim == 1 for f in parts)
    each = [w + (f.mass if slim else f.log_mass) for w, f in zip(log_weights, parts, strict=True)]
    return jnp.concatenate(each)


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
