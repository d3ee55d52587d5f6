"""Which draws the elements of an array are made of: static data, element by element.

An event is one value of a draw: a number of a `Normal`, a whole vector of a `Dirichlet`.  Events of a draw are
counted 0, 1, ...; an array of shape `[...]` has for every draw an array of ids `[..., k]`, the up to k events behind
each of its elements.  -1 is none.  Below -1 the event is not known (an index that is traced): different numbers in one
array are different events if they were made together (`GROUP` numbers a group), else any may be any event of the draw.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Ids = np.ndarray[Any, Any]
GROUP = 1 << 32
_unknown = itertools.count(1)


class Dependence:
    """Draw -> ids `[*shape, k]`."""

    def __init__(self, of: dict[Any, Ids]) -> None:
        self.of = {draw: _trim(ids) for draw, ids in of.items() if (_one(ids) != -1).any()}

    def __iter__(self) -> Iterator[Any]:
        return iter(self.of)

    def __bool__(self) -> bool:
        return bool(self.of)

    def map(self, f: Callable[[Ids], Ids]) -> Dependence:
        """`f` moves, repeats or leaves out elements: of ids `[...]` one number an element; -1 where it makes none."""
        return Dependence({d: _mapped(ids, f) for d, ids in self.of.items()})

    def merged(self, axes: tuple[int, ...]) -> Dependence:
        """Elements along these axes become one that depends on all of them."""
        return Dependence({d: _fold(ids, axes) for d, ids in self.of.items()})

    def everywhere(self, shape: tuple[int, ...]) -> Dependence:
        """Every element of an array of this shape depends on all events."""
        out = {}
        for d, ids in self.of.items():
            every = np.unique(_one(ids))
            every = every[every != -1]
            out[d] = np.broadcast_to(every, (*shape, len(every)))
        return Dependence(out)

    def somewhere(self, shape: tuple[int, ...], distinct: bool) -> Dependence:
        """Elements moved from places that are not known; `distinct`: from different ones each."""
        size = int(np.prod(shape)) if distinct and self.independent else 1
        fresh = -(next(_unknown) * GROUP + np.arange(size))
        return Dependence(dict.fromkeys(self.of, np.broadcast_to(fresh.reshape(-1), (size,)).reshape(
            *(shape if size > 1 else [1] * len(shape)), 1) + np.zeros((*shape, 1), int)))  # fmt: skip

    @property
    def known(self) -> bool:
        """Is it known which events they are?"""
        return all((_one(ids) >= -1).all() for ids in self.of.values())

    @property
    def independent(self) -> bool:
        """Does no event stand behind two elements?"""
        return all(_counts(ids) for ids in self.of.values())

    @property
    def aligned(self) -> bool:
        """Is every element made of at most one event of each draw, and no event behind two elements?"""
        return self.independent and all(ids.shape[-1] == 1 for ids in self.of.values())

    def disjoint(self, other: Dependence) -> bool:
        """Is there no event that both are made of?"""
        for draw in self.of.keys() & other.of.keys():
            a, b = np.unique(_one(self.of[draw])), np.unique(_one(other.of[draw]))
            if a[0] < -1 or b[0] < -1 or len(np.intersect1d(a[a >= 0], b[b >= 0], assume_unique=True)):
                return False
        return True

    def same(self, other: Dependence) -> bool:
        """Is each element of the one made of the same events as that of the other?"""
        return self.of.keys() == other.of.keys() and all(np.array_equal(self.of[d], other.of[d]) for d in self.of)

    def without(self, draws: Any) -> Dependence:
        return Dependence({d: ids for d, ids in self.of.items() if d not in draws})

    def count(self) -> int:
        """How many events there are behind all of it."""
        return sum(len(np.setdiff1d(_one(ids), [-1])) for ids in self.of.values())


def union(parts: list[Dependence], shape: tuple[int, ...]) -> Dependence:
    """Of an array computed element by element from others; those without axes belong to every element."""
    found: dict[Any, list[Ids]] = {}
    for part in parts:
        for draw, ids in part.of.items():
            whole = np.broadcast_to(ids, (*shape, ids.shape[-1]))
            known = found.setdefault(draw, [])
            if not any(np.array_equal(whole, other) for other in known):
                known.append(whole)
    return Dependence({d: np.concatenate(ids, -1) if len(ids) > 1 else ids[0] for d, ids in found.items()})


def _trim(ids: Ids) -> Ids:
    if ids.shape[-1] > 1 and not _is_repeated(ids):
        ids = ids[..., (ids != -1).any(tuple(range(ids.ndim - 1)))]
    return ids


def _mapped(ids: Ids, f: Callable[[Ids], Ids]) -> Ids:
    if _is_repeated(ids):
        moved = f(np.zeros_like(ids[..., 0]))
        if (moved == 0).all():
            return np.broadcast_to(_one(ids), (*moved.shape, ids.shape[-1]))
    return np.stack([f(ids[..., j]) for j in range(ids.shape[-1])], -1)


def _is_repeated(ids: Ids) -> bool:
    """Is it one element, repeated without a copy?  There may be very many numbers, then."""
    return ids.size > ids.shape[-1] and not any(s for s, n in zip(ids.strides[:-1], ids.shape, strict=False) if n > 1)


def _one(ids: Ids) -> Ids:
    return ids[(0,) * (ids.ndim - 1)] if _is_repeated(ids) else ids


def _fold(ids: Ids, axes: tuple[int, ...]) -> Ids:
    axes = tuple(a % (ids.ndim - 1) for a in axes)
    kept = [a for a in range(ids.ndim - 1) if a not in axes]
    moved = ids.transpose(*kept, *axes, ids.ndim - 1)
    merged = np.sort(moved.reshape(*moved.shape[: len(kept)], -1), -1)
    repeated = np.concatenate([np.zeros_like(merged[..., :1], bool), merged[..., 1:] == merged[..., :-1]], -1)
    return np.where(repeated, -1, merged)


def _counts(ids: Ids) -> bool:
    """Is every event behind one element only?  Twice behind the same one is once."""
    if _is_repeated(ids):
        return not (_one(ids) != -1).any()
    flat = ids.reshape(-1, ids.shape[-1])
    if len(flat) > 1 and (flat < -1).any():
        groups = np.unique(np.where(flat < -1, -flat // GROUP, 0)[flat != -1])
        if len(groups) > 1:  # one of them may be an event of another group
            return False
    if flat.shape[-1] == 1:
        known = flat[flat != -1]
        return len(np.unique(known)) == len(known)
    rows = np.repeat(np.arange(len(flat)), flat.shape[-1])
    pairs = np.unique(np.stack([flat.ravel(), rows]), axis=1)
    events = pairs[0][pairs[0] != -1]
    return len(np.unique(events)) == len(events)
