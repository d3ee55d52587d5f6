"""Functions that cut a random number into cells, or bound it: comparisons, clip, round, sign, casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.distributions.poisson import Poisson
from storax.errors import NotMeasurable
from storax.logprob.deriving.images import Image, is_smooth, mapped
from storax.logprob.deriving.laws import Finite, Law, at_once, between, is_known
from storax.logprob.deriving.measures import Density
from storax.logprob.deriving.pieces import Branch, Piece, apply, known_all, still, through
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import refuse

MOST_EDGES = 200

SPECIAL: dict[str, Callable[[Step, int, Image], Law]] = {}


def special(*names: str) -> Any:
    def put(f: Any) -> Any:
        SPECIAL.update(dict.fromkeys(names, f))
        return f

    return put


def rebuilt(image: Image, pieces: list[Piece | None], dtype: Any) -> Image:
    return Image(image.root, [p for p in pieces if p is not None], dtype, image.doubts)


@special("max", "min")
def _(step: Step, place: int, image: Image) -> Law:
    return bounded(image, step.inputs[1 - place], step.name == "max", step.aval.dtype)


def bounded(image: Image, bound: Any, lower: bool, dtype: Any) -> Image:
    """max(x, bound), or min(x, bound)."""
    pieces: list[Piece | None] = []
    for p in image.pieces:
        if p.is_still:
            pieces.append(still(p, apply(jnp.maximum if lower else jnp.minimum, p.at_low, bound)))
            continue
        below, above = p.cut(bound, above_has_it=not lower)
        flat, rest = (below, above) if lower else (above, below)
        pieces += [flat and still(flat, bound), rest]
    return rebuilt(image, pieces, dtype)


@special("clamp")
def _(step: Step, place: int, image: Image) -> Law:
    if place != 1 or isinstance(step.inputs[0], Random) or isinstance(step.inputs[2], Random):
        refuse("has a random bound")
    low, high = step.inputs[0], step.inputs[2]
    return bounded(bounded(image, low, True, step.aval.dtype), high, False, step.aval.dtype)


@special("lt", "le", "gt", "ge")
def _(step: Step, place: int, image: Image) -> Law:
    greater = (step.name in ("gt", "ge")) == (place == 0)  # is it True above?
    at_bound = step.name in ("le", "ge")
    c = step.inputs[1 - place]
    pieces: list[Piece | None] = []
    for p in image.pieces:
        if p.is_still:
            args = (p.at_low, c) if place == 0 else (c, p.at_low)
            pieces.append(still(p, apply(step.run, *args)))
            continue
        below, above = p.cut(c, above_has_it=greater == at_bound)
        pieces += [below and still(below, np.bool_(not greater)), above and still(above, np.bool_(greater))]
    return rebuilt(image, pieces, bool)


@special("eq", "ne")
def _(step: Step, place: int, image: Image) -> Law:
    c, equal = step.inputs[1 - place], np.bool_(step.name == "eq")
    pieces: list[Piece | None] = []
    for p in image.pieces:
        if p.is_still:
            pieces.append(still(p, apply(step.run, p.at_low, c)))
            continue
        if not image.has_atoms:  # a continuous number is almost surely another
            pieces.append(still(p, ~equal))
            continue
        below, rest = p.cut(c, above_has_it=True)
        at, above = rest.cut(c, above_has_it=False) if rest is not None else (None, None)
        pieces += [below and still(below, ~equal), at and still(at, equal), above and still(above, ~equal)]
    return rebuilt(image, pieces, bool)


@special("sign")
def _(step: Step, place: int, image: Image) -> Law:
    pieces: list[Piece | None] = []
    one = np.ones((), step.aval.dtype)
    for p in image.pieces:
        if p.is_still:
            pieces.append(still(p, apply(jnp.sign, p.at_low)))
            continue
        below, rest = p.cut(0.0, above_has_it=True)
        if not image.has_atoms:
            pieces += [below and still(below, -one), rest and still(rest, one)]
            continue
        at, above = rest.cut(0.0, above_has_it=False) if rest is not None else (None, None)
        pieces += [below and still(below, -one), at and still(at, 0 * one), above and still(above, one)]
    return rebuilt(image, pieces, step.aval.dtype)


@special("is_finite")
def _(step: Step, place: int, image: Image) -> Law:
    return rebuilt(image, [still(p, np.bool_(True)) for p in image.pieces], bool)


class Rounded(Law):
    """A number rounded to a whole one: n has the mass of the cell that is rounded to it.

    Args:
        how: "floor", "ceil", "round" (half to even, a null set but for masses), "away" (half away from zero), "trunc".
    """

    is_discrete = True

    def __init__(self, base: Law, how: str, dtype: Any) -> None:
        self.base, self.how, self.shape, self.dtype = base, how, base.shape, jnp.dtype(dtype)

    def _cell(self, n: Any) -> tuple[Any, Any]:
        """The ends of the numbers that are rounded to n."""
        if self.how == "floor":
            return n, n + 1
        if self.how == "ceil":
            return n - 1, n
        if self.how == "trunc":
            return jnp.where(n <= 0, n - 1, n), jnp.where(n >= 0, n + 1, n)
        return n - 0.5, n + 0.5

    def _real(self, y: Any) -> Any:
        kind = self.base.dtype if jnp.issubdtype(self.base.dtype, jnp.floating) else jnp.result_type(float)
        return jnp.asarray(y, kind)

    def density(self, y: Any) -> Density:
        x = self._real(y)
        n = jnp.round(x)
        low, high = self._cell(n)
        if self.how == "trunc":
            mass = jnp.where(
                n > 0, between(self.base, low, high, True, False), between(self.base, low, high, False, True)
            )
            mass = jnp.where(n == 0, between(self.base, low, high, False, False), mass)
        else:
            low_in = self.how == "floor"
            mass = between(self.base, low, high, low_in, not low_in)
        return jnp.where(x == n, mass, -jnp.inf), 0

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        strict = upper if strict is None else strict
        x = self._real(y)
        n = jnp.floor(x)
        n = jnp.where((x == n) & (strict != upper), n - 1, n)  # the largest number that is not in the upper tail
        _, end = self._cell(n)
        end_in = self.how == "ceil" or self.how in ("round", "away")
        if self.how != "trunc":
            return self.base.tail(end, upper, strict=(end_in == upper) if upper else not end_in)
        closed = self.base.tail(end, upper, strict=upper)
        opened = self.base.tail(end, upper, strict=not upper)
        return jnp.where(n < 0, closed, opened)

    def snap(self, x: Any, error: Any) -> Any:
        n = jnp.round(x)
        return jnp.where(jnp.abs(x - n) <= error, n, x)

    @property
    def ends(self) -> tuple[Any, Any]:
        f = {"floor": jnp.floor, "ceil": jnp.ceil, "trunc": jnp.trunc}.get(self.how, jnp.round)
        low, high = self.base.ends
        return apply(f, low), apply(f, high)

    @property
    def finite(self) -> Any:
        from storax.logprob.deriving.laws import MOST, Finite

        low, high = self.ends
        if not known_all(lambda a, b: np.isfinite(b - a) & (b - a < MOST), low, high):
            return None
        numbers = np.arange(int(np.min(low)), int(np.max(high)) + 1)
        with at_once():
            values = [np.full(self.shape, n, self.dtype) for n in numbers]
        return Finite(values, jnp.stack([self.density(jnp.asarray(v))[0] for v in values]), self.shape, self.dtype)


@special("floor", "ceil", "round", "jit:trunc", "custom_jvp_call:trunc")
def _(step: Step, place: int, image: Image) -> Law:
    how = step.name.split(":")[-1]
    if how == "round" and str(step.params.get("rounding_method", "")).endswith("AWAY_FROM_ZERO"):
        how = "away"
    return rounded(image, how, step)


def rounded(image: Image, how: str, step: Step) -> Law:
    if image.is_constant:
        return rebuilt(image, [still(p, apply(step.run, p.at_low)) for p in image.pieces], step.aval.dtype)
    if how in ("round", "away") and not is_smooth(image):
        raise NotMeasurable("rounds halves of a quantity that has masses; use jnp.floor(x + 0.5)")
    return Rounded(image, how, step.aval.dtype)


@special("jit:floor_divide")
def _(step: Step, place: int, image: Image) -> Law:
    c = step.inputs[1]
    if place != 0 or not known_all(lambda c, z: c > z, c, 0.0):
        refuse("divides by a number that is random or not known to be positive")
    real = jnp.result_type(float)
    ratio = mapped(image, lambda x: jnp.asarray(x, real) / c, [Branch(lambda y: y * c, image=(-np.inf, np.inf))], real,
                   step.name)  # fmt: skip
    return Rounded(ratio, "floor", step.aval.dtype)


@special("jit:remainder")
def _(step: Step, place: int, image: Image) -> Law:
    """x modulo c > 0: x - k c on each of the cells [k c, (k + 1) c), of which there must be only a few."""
    c = step.inputs[1]
    rate = image.name().rate if isinstance(image.name(), Poisson) else None
    if place == 0 and rate is not None and known_all(lambda c, two: c == two, c, 2):
        return _parity(rate, step)
    low, high = image.ends
    if place != 0 or not known_all(lambda c, z: c > z, c, 0.0) or np.ndim(c):
        refuse("is modulo a number that is random or not known to be positive")
    if not known_all(lambda a, b: np.isfinite(b - a), low, high):
        refuse("is modulo a number, and the range of its argument is not known to be bounded")
    first, last = int(np.floor(np.min(low) / c)), int(np.floor(np.max(high) / c))
    if last - first > 200:
        refuse("is modulo a number that its argument is more than 200 times as large as")
    pieces: list[Piece | None] = []
    for p in image.pieces:
        rest: Piece | None = p
        for k in range(first, last + 1):
            if rest is None:
                break
            if rest.is_still:
                pieces.append(still(rest, apply(step.run, rest.at_low, c)))
                break
            part, rest = rest.cut((k + 1) * c, above_has_it=True) if k < last else (rest, None)
            pieces.append(part and _shifted(part, np.asarray(k * c)))
    return rebuilt(image, pieces, step.aval.dtype)


def _parity(rate: Any, step: Step) -> Law:
    """P(odd) = (1 - exp(-2 rate)) / 2."""
    odd, even = -0.5 * jnp.expm1(-2 * jnp.asarray(rate)), 0.5 + 0.5 * jnp.exp(-2 * jnp.asarray(rate))
    mass = jnp.stack([jnp.broadcast_to(jnp.log(p), step.shape) for p in (even, odd)])
    return Finite([np.full(step.shape, k, step.aval.dtype) for k in (0, 1)], mass, step.shape, step.aval.dtype)


@special("jit:searchsorted")
def _(step: Step, place: int, image: Image) -> Law:
    """How many of the known sorted numbers are below x."""
    edges = step.inputs[0]
    if place != 1 or not is_known(edges) or np.ndim(edges) != 1 or not 0 < len(edges) <= MOST_EDGES:
        refuse(f"looks among numbers that are random, not known, or more than {MOST_EDGES}")
    edges = np.asarray(edges)
    if (np.diff(edges) <= 0).any():
        refuse("looks among numbers that do not rise")
    with at_once():
        strict = int(np.ravel(step.run(edges, jnp.full(step.shape, edges[0], image.dtype)))[0]) == 0
    pieces: list[Piece | None] = []
    for p in image.pieces:
        if p.is_still:
            pieces.append(
                still(p, apply(lambda v: jnp.searchsorted(edges, v, "left" if strict else "right"), p.at_low))
            )
            continue
        rest: Piece | None = p
        for k, edge in enumerate(edges):
            if rest is not None:
                below, rest = rest.cut(edge, above_has_it=not strict)
                pieces.append(below and still(below, np.asarray(k, step.aval.dtype)))
        pieces.append(rest and still(rest, np.asarray(len(edges), step.aval.dtype)))
    return rebuilt(image, pieces, step.aval.dtype)


def _shifted(p: Piece, by: Any) -> Piece:
    return through(p, lambda x: x - by, Branch(lambda y: y + by, image=(-np.inf, np.inf)))


@special("convert_element_type")
def _(step: Step, place: int, image: Image) -> Law:
    old, new = image.dtype, step.aval.dtype
    whole = jnp.issubdtype(old, jnp.integer) or old == np.bool_
    if new == np.bool_:
        compare = Step("ne", {}, [step.inputs[0], np.zeros((), old)], step.aval, 0, lambda xs: [jnp.not_equal(*xs)])
        return SPECIAL["ne"](compare, 0, image)
    if jnp.issubdtype(new, jnp.integer) and not whole:
        return rounded(image, "trunc", step)
    cast = lambda x: jnp.asarray(x).astype(new)  # noqa: E731
    return mapped(image, cast, [Branch(lambda y: y, image=(-np.inf, np.inf))], new, step.name)
