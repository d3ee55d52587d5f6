"""The law of a function of a random number: `Image`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.errors import NotMeasurable
from storax.logprob.deriving.laws import Finite, Law, Moved, at_once, between, close, is_known
from storax.logprob.deriving.measures import Density, choose, combine, log_sum, log_sum_of, slim
from storax.logprob.deriving.pieces import Branch, Piece, apply, known_all, through, whole


class Image(Law):
    """g(X) of X with law `root`, g in pieces.

    Args:
        doubts: where any of these arrays is True, g is not defined for some X, and densities are nan.
    """

    def __init__(self, root: Law, pieces: Sequence[Piece], dtype: Any, doubts: Sequence[Any] = ()) -> None:
        self.root, self.pieces, self.doubts = root, list(pieces), list(doubts)
        self.shape, self.dtype = root.shape, jnp.dtype(dtype)
        self.named: Callable[[bool], Any] | None = None

    @classmethod
    def of(cls, law: Law) -> Image:
        """A law as the image of itself."""
        if isinstance(law, Image):
            return law
        image = cls(law, [whole(*law.ends, atoms=law.is_discrete or not is_smooth(law))], law.dtype)
        image.named = law.name
        return image

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.root.is_discrete or all(p.is_still for p in self.pieces)

    @property
    def is_constant(self) -> bool:
        return all(p.is_still for p in self.pieces)

    @property
    def has_atoms(self) -> bool:
        """May a single x of the root have a mass?"""
        return self.root.is_discrete or not is_smooth(self.root)

    @property
    def ends(self) -> tuple[Any, Any]:
        if self.dtype == bool:
            return -np.inf, np.inf
        least, most = self.pieces[0].least, self.pieces[0].most
        for p in self.pieces[1:]:
            least, most = apply(jnp.minimum, least, p.least), apply(jnp.maximum, most, p.most)
        return least, most

    def name(self, positive: bool = False) -> Any:
        return self.named(positive) if self.named is not None else None

    def mass(self, p: Piece) -> jax.Array:
        return between(self.root, p.low, p.high, p.low_in, p.high_in)

    def density(self, y: jax.Array) -> Density:
        still = [p for p in self.pieces if p.is_still]
        parts = [self._part(p, y) for p in self.pieces if not p.is_still]
        if still:
            parts.append((choose(y, [slim(p.at_low) for p in still], [self.mass(p) for p in still], close), 0))
        score, dim = combine(parts)
        for doubt in self.doubts:
            score = jnp.where(doubt, jnp.nan, score)
        return score, dim

    def _part(self, p: Piece, y: jax.Array) -> Density:
        if jnp.issubdtype(self.root.dtype, jnp.integer):
            x, ok = p.find(y)
            x = jnp.where(ok, jnp.round(x), 0).astype(self.root.dtype)
            ok = ok & close(y, p.forward(x).astype(self.dtype)) & self._within(p, x)
            return jnp.where(ok, self.root.density(x)[0], -jnp.inf), 0
        y = y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(jnp.result_type(float))
        (x, slope, ok) = _with_slope(p, y)
        if self.has_atoms:
            x = self.root.snap(x, _error(x, y, slope))
        ok = ok & self._within(p, x)
        score, dim = self.root.density(x)
        has_slope = ok & (slope != 0)
        log_slope = jnp.log(jnp.abs(jnp.where(has_slope, slope, 1.0)))
        log_slope = jnp.where(ok & (slope == 0), -jnp.inf, log_slope)
        score = score + (log_slope if isinstance(dim, int) and dim else jnp.where(jnp.asarray(dim) > 0, log_slope, 0.0))
        return jnp.where(ok, score, -jnp.inf), dim

    def _within(self, p: Piece, x: jax.Array) -> Any:
        """At the ends of pieces densities are limits; where two pieces meet at the least of both, the sum of both."""
        inside: Any = True
        if not _open(p.low):
            closed = p.low_in or not (self.has_atoms or any(_goes_on(q, p) for q in self.pieces))
            inside = inside & ((x >= p.low) if closed else (x > p.low))
        if not _open(p.high):
            closed = p.high_in or not (self.has_atoms or any(_goes_on(p, q) for q in self.pieces))
            inside = inside & ((x <= p.high) if closed else (x < p.high))
        if not self.has_atoms and not (is_known(p.low) and is_known(p.high)):
            inside = inside & (p.low < p.high)  # else it turned out to be empty
        return inside

    def tail(self, y: jax.Array, upper: bool = False, strict: bool | None = None) -> jax.Array:
        strict = upper if strict is None else strict
        total = log_sum(jnp.stack([self._tail_of(p, y, upper, strict) for p in self.pieces]))
        for doubt in self.doubts:
            total = jnp.where(doubt, jnp.nan, total)
        return total

    def _tail_of(self, p: Piece, y: jax.Array, upper: bool, strict: bool) -> jax.Array:
        if p.is_still:
            v = p.at_low
            beyond = ((v > y) if strict else (v >= y)) if upper else ((v < y) if strict else (v <= y))
            return jnp.where(beyond, self.mass(p), -jnp.inf)
        x = p.place(y)
        if jnp.issubdtype(self.root.dtype, jnp.integer):
            near = jnp.round(x)
            x = jnp.where(close(y, p.forward(jnp.where(jnp.isfinite(near), near, 0.0))), near, x)
        elif self.has_atoms and jnp.issubdtype(jnp.result_type(x), jnp.floating):
            inner = jnp.where(jnp.isfinite(x), x, 0.0)
            value, slope = jax.jvp(p.forward, (inner,), (jnp.ones_like(inner),))
            slope = jnp.where(jnp.isfinite(slope) & (slope != 0), slope, jnp.inf)
            x = jnp.where(jnp.isfinite(x), self.root.snap(inner, _error(inner, value, 1 / slope)), x)
        from_x = lambda: between(self.root, x, p.high, not strict, p.high_in)  # noqa: E731
        to_x = lambda: between(self.root, p.low, x, p.low_in, not strict)  # noqa: E731
        part = p.choose(from_x, to_x) if upper else p.choose(to_x, from_x)
        end = p.least if upper else p.most
        has_end = p.if_rising(p.low_in, p.high_in) if upper else p.if_rising(p.high_in, p.low_in)
        everything = ((y < end) if upper else (y > end)) | ((y == end) & (not strict or ~np.bool_(has_end)))
        nothing = (y > p.most) if upper else (y < p.least)
        return jnp.where(everything, self.mass(p), jnp.where(nothing, -jnp.inf, part))

    def inside(self, low: Any, high: Any, low_in: bool, high_in: bool) -> jax.Array | None:
        """Where the function is between `low` and `high`, piece by piece."""
        if self.has_atoms or self.doubts or any(p.inverse is None for p in self.pieces if not p.is_still):
            return None
        parts = []
        for p in self.pieces:
            if p.is_still:
                v = p.at_low
                here = ((v >= low) if low_in else (v > low)) & ((v <= high) if high_in else (v < high))
                parts.append(jnp.where(here, self.mass(p), -jnp.inf))
                continue
            a, b = p.place(low), p.place(high)
            parts.append(between(self.root, p.if_rising(a, b), p.if_rising(b, a), True, True))
        return log_sum_of(parts)

    @property
    def finite(self) -> Finite | None:
        if self.is_constant:
            values = [jnp.broadcast_to(p.at_low, self.shape) if not is_known(p.at_low) else
                      np.broadcast_to(np.asarray(p.at_low), self.shape) for p in self.pieces]  # fmt: skip
            return Finite(values, jnp.stack([self.mass(p) for p in self.pieces]), self.shape, self.dtype)
        few = self.root.finite
        if few is None:
            return None
        with at_once(*few.values):
            values = [self._at(jnp.asarray(v)) for v in few.values]
        return Finite(values, few.mass, self.shape, self.dtype, few.states)

    def _at(self, x: jax.Array) -> jax.Array:
        value = self.pieces[0].forward(x)
        for p in self.pieces[1:]:
            value = jnp.where(self._within(p, x), p.forward(x), value)
        return value.astype(self.dtype)

    def snap(self, x: Any, error: Any) -> Any:
        for p in self.pieces:
            if p.is_still:
                x = jnp.where(jnp.abs(x - p.at_low) <= error, jnp.asarray(p.at_low, x.dtype), x)
        return x

    def icdf(self, q: jax.Array) -> jax.Array:
        (p, *more) = self.pieces
        if more or p.is_still or not hasattr(self.root, "icdf") or self.doubts:
            return search_quantile(self, q)
        return p.forward(self.root.icdf(p.if_rising(q, 1 - q)))


def _goes_on(p: Piece, q: Piece) -> bool:
    """Does q begin where p ends, in the same direction?"""
    same = isinstance(p.sign, int) and isinstance(q.sign, int) and p.sign == q.sign != 0
    return same and (p.high is q.low or known_all(lambda a, b: a == b, p.high, q.low))


def _error(x: Any, y: Any, slope: Any) -> Any:
    """How far off an x that was found from y may be; `slope`: dx / dy."""
    size = jnp.abs(x) + jnp.where(jnp.isfinite(slope), jnp.abs(y * slope), 0.0)
    return lax.stop_gradient(8 * jnp.finfo(jnp.result_type(x)).eps * size)


def is_smooth(law: Law) -> bool:
    """Has it a density, and no masses?"""
    if isinstance(law, Image):
        return is_smooth(law.root) and not any(p.is_still for p in law.pieces)
    if isinstance(law, Moved):
        return is_smooth(law.base)
    return getattr(law, "smooth", not law.is_discrete and not hasattr(law, "parts"))


def _open(end: Any) -> bool:
    """Is it no end at all?"""
    return is_known(end) and bool(np.isinf(np.asarray(end, float)).all())


def _with_slope(p: Piece, y: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """x, dx/dy, and whether there is one."""
    if p.inverse is not None:
        return jax.jvp(p.find, (y,), (jnp.ones_like(y),), has_aux=True)
    x, ok = p.find(y)
    _, slope = jax.jvp(p.forward, (x,), (jnp.ones_like(x),))
    sound = ok & (slope != 0)
    return x, 1 / jnp.where(sound, slope, 1.0), ok


def mapped(image: Image, f: Callable[[Any], Any], branches: Sequence[Branch], dtype: Any, name: str) -> Image:
    """f of an image, f being monotone on each of the branches, which cover all that f is defined on, in order.

    Raises:
        NotMeasurable: the image is known to have values that f is not defined on.
    """
    doubts = list(image.doubts)
    low, high = branches[0].low, branches[-1].high
    pieces: list[Piece] = []
    for p in image.pieces:
        if p.is_still:
            value = apply(f, p.at_low)
            pieces.append(p.replace(forward=_always(value), at_low=value, at_high=value))
            continue
        for end, outside in ((p.least, lambda v: v < low), (p.most, lambda v: v > high)):
            if is_known(end):
                if np.any(outside(np.asarray(end))):
                    raise NotMeasurable(f"is not defined on all values of its argument, which go from {_show(p.least)} "
                                        f"to {_show(p.most)}")  # fmt: skip
            elif np.isfinite(low if end is p.least else high):
                doubts.append(outside(end))
        if image.has_atoms and any(_is_pole(f, e, p) for b in branches for e in (b.low, b.high)):
            raise NotMeasurable("may be infinite with a positive probability")
        rest: Piece | None = p
        for k, branch in enumerate(branches):
            if rest is None:
                break
            part = rest
            if k + 1 < len(branches):
                below, rest = rest.cut(branch.high)
                rest = rest and _from(rest, branch.high, branches[k + 1].low)
                if below is None:
                    continue
                part = below
            pieces.append(through(part, f, branch))
    return Image(image.root, pieces, dtype, doubts)


def _is_pole(f: Callable[[Any], Any], x: Any, p: Piece) -> bool:
    """Is f infinite at a finite x that may be a value of the piece?"""
    if not np.isfinite(x) or known_all(lambda v, e: v > e, p.least, x) or known_all(lambda v, e: v < e, p.most, x):
        return False
    return not np.isfinite(np.asarray(apply(f, np.float32(x)), float)).all()


def _from(p: Piece, end: Any, begin: Any) -> Piece:
    """A piece that begins where a branch ends, as the next one begins there: at 0, not at -0."""
    at = lambda x: np.asarray(begin, np.result_type(x)) if known_all(lambda v, e: v == e, x, end) else x  # noqa: E731
    return p if begin is end else p.replace(at_low=at(p.at_low), at_high=at(p.at_high))


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda x: jnp.broadcast_to(value, jnp.shape(x))


def _show(end: Any) -> str:
    return f"{np.asarray(end).ravel()[0]:g}"


def search_quantile(law: Law, q: jax.Array) -> jax.Array:
    """The smallest y with P(Y <= y) >= q, by bisection over the floats."""
    from storax.ordinals import smallest

    dtype = law.dtype if jnp.issubdtype(law.dtype, jnp.floating) else jnp.result_type(float)
    q = jnp.broadcast_to(jnp.asarray(q, dtype), law.shape)
    inner = (q > 0) & (q < 1)
    p = jnp.where(inner, q, 0.5)
    low, high = (jnp.broadcast_to(jnp.asarray(e, dtype), law.shape) for e in law.ends)
    lower = p <= 0.5

    def reached(y: jax.Array) -> jax.Array:
        return jnp.where(lower, law.tail(y) >= jnp.log(p), law.tail(y, upper=True) <= jnp.log1p(-p))

    start = jnp.where(jnp.isfinite(low), low - 1 - jnp.abs(low), low)
    y = smallest(reached, start, high)
    return jnp.where(inner, y, jnp.where(q == 0, low, jnp.where(q == 1, high, jnp.nan)))


__all__ = ["Image", "is_smooth", "known_all", "mapped", "search_quantile"]
