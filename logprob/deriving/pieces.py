"""A function of one number, cut into pieces on each of which it rises, falls or stands still.

`where(x > 1, x - 1, x)` is x on (-inf, 1] and x - 1 on (1, inf); `clip(x, 0, 1)` is 0, then x, then 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.errors import NotMeasurable
from storax.logprob.deriving.laws import at_once, is_known
from storax.ordinals import smallest

Point = tuple[jax.Array, jax.Array]  # (x, is there such an x?)


class Branch(NamedTuple):
    """A stretch of a function on which it is strictly monotone.

    Args:
        inverse: of the function there; None if it has no formula, and is searched for.
        low, high: the stretch.
        sign: 1 where it rises, -1 where it falls; may be a traced array.
        image: its values there, if the ends of the stretch do not tell.
    """

    inverse: Callable[[Any], Any] | None
    low: Any = -np.inf
    high: Any = np.inf
    sign: Any = 1
    image: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Piece:
    """One piece, of a function `forward`, for x from `low` to `high`.

    Args:
        low_in, high_in: does the piece have that end?
        sign: 1 or -1, perhaps a traced array; a plain 0 where the function stands still.
        at_low, at_high: the function at both ends, or its limit there.
        domain: where x can be at all: the function need not be defined elsewhere.
        atoms: may a single x have a mass?
        inverse: y -> (x, is y a value of it), None if it must be searched for.
    """

    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Point] | None
    low: Any = -np.inf
    high: Any = np.inf
    low_in: bool = True
    high_in: bool = True
    sign: Any = 1
    at_low: Any = -np.inf
    at_high: Any = np.inf
    domain: tuple[Any, Any] = (-np.inf, np.inf)
    atoms: bool = False

    @property
    def is_still(self) -> bool:
        return isinstance(self.sign, int) and self.sign == 0

    @property
    def least(self) -> Any:
        return self.if_rising(self.at_low, self.at_high)

    @property
    def most(self) -> Any:
        return self.if_rising(self.at_high, self.at_low)

    def if_rising(self, a: Any, b: Any) -> Any:
        if isinstance(self.sign, int):
            return a if self.sign >= 0 else b
        return a if a is b else jnp.where(self.sign > 0, a, b)

    def choose(self, rising: Callable[[], Any], falling: Callable[[], Any]) -> Any:
        """As `if_rising`, where only one of both is computed if the direction is known."""
        if isinstance(self.sign, int):
            return rising() if self.sign >= 0 else falling()
        return self.if_rising(rising(), falling())

    def replace(self, **changes: Any) -> Piece:
        return dataclasses.replace(self, **changes)

    def find(self, y: Any) -> Point:
        """The x of a value y, and whether there is one, but for the ends of the piece."""
        if self.inverse is not None:
            return self.inverse(y)
        return search(self, y)

    def place(self, value: Any) -> Any:
        """Where the function crosses a value: an x from `low` to `high`, an end if it crosses it nowhere."""
        first, last = self.if_rising(self.low, self.high), self.if_rising(self.high, self.low)
        if known_all(lambda v, a: v < a, value, self.least):
            return first
        if known_all(lambda v, b: v > b, value, self.most):
            return last
        with at_once(*arrays_of(value, self.least, self.most, self.low, self.high)):
            x, ok = self.find(jnp.asarray(value))
            beneath, beyond = value <= self.least, value >= self.most
            x = jnp.where(beneath & ~(ok & (value == self.least)), first, x)
            x = jnp.where(beyond & ~(ok & (value == self.most)), last, x)
            return jnp.where(ok | beneath | beyond, x, jnp.nan)

    def cut(self, value: Any, above_has_it: bool = True) -> tuple[Piece | None, Piece | None]:
        """The part with values below `value`, and the one with values above; None if there is known to be none."""
        beneath = (lambda v, a: v <= a) if above_has_it else (lambda v, a: v < a)
        beyond = (lambda v, b: v > b) if above_has_it else (lambda v, b: v >= b)
        if known_all(beneath, value, self.least):
            return None, self
        if known_all(beyond, value, self.most):
            return self, None
        x = self.place(value)
        crossing = clip(value, self.least, self.most)
        if isinstance(self.sign, int):
            left = self.replace(high=x, at_high=crossing, high_in=above_has_it == (self.sign < 0))
            right = self.replace(low=x, at_low=crossing, low_in=above_has_it == (self.sign > 0))
            return (left, right) if self.sign > 0 else (right, left)
        if self.atoms:
            raise NotMeasurable("cuts a quantity that has masses and a factor of unknown sign; write the sign "
                                "apart, as jnp.where(c > 0, f(x), g(x))")  # fmt: skip
        where = self.if_rising
        below = self.replace(low=where(self.low, x), high=where(x, self.high), at_low=where(self.at_low, crossing),
                             at_high=where(crossing, self.at_high))  # fmt: skip
        above = self.replace(low=where(x, self.low), high=where(self.high, x), at_low=where(crossing, self.at_low),
                             at_high=where(self.at_high, crossing))  # fmt: skip
        return below, above


def arrays_of(*xs: Any) -> list[Any]:
    return [x for x in xs if isinstance(x, (jax.Array, np.ndarray))]


def known_all(compare: Callable[[Any, Any], Any], a: Any, b: Any) -> bool:
    """Are both known, and is it so everywhere?"""
    if not (is_known(a) and is_known(b)):
        return False
    with jax.ensure_compile_time_eval():
        return bool(np.all(compare(np.asarray(a), np.asarray(b))))


def apply(f: Callable[..., Any], *xs: Any) -> Any:
    """`f` now if all numbers are known, so that the result is known, too."""
    if all(map(is_known, xs)):
        with jax.ensure_compile_time_eval(), np.errstate(all="ignore"):
            value = f(*[jnp.asarray(x) for x in xs])
            return np.asarray(value) if is_known(value) else value  # f may use what is not known
    return f(*[jnp.asarray(x) for x in xs])


def clip(x: Any, low: Any, high: Any) -> Any:
    return apply(lambda x, a, b: jnp.minimum(jnp.maximum(x, a), b), x, low, high)


def whole(low: Any, high: Any, atoms: bool = False) -> Piece:
    """x itself, for numbers from `low` to `high`: the two ends are not stored as such, as nothing lies beyond."""
    return Piece(lambda x: x, lambda y: (y, jnp.isfinite(y) if jnp.issubdtype(jnp.result_type(y), jnp.floating)
                                         else jnp.ones(jnp.shape(y), bool)), at_low=low, at_high=high,
                 domain=(low, high), atoms=atoms)  # fmt: skip


def still(piece: Piece, value: Any) -> Piece:
    """The same stretch, where the function is `value`."""
    return piece.replace(forward=lambda x: jnp.broadcast_to(value, jnp.shape(x)), inverse=None, sign=0, at_low=value,
                         at_high=value)  # fmt: skip


def through(piece: Piece, f: Callable[[Any], Any], branch: Branch) -> Piece:
    """f of a piece whose values lie in one branch."""
    a, b, open_a, open_b = _image(f, branch)
    inner, inverse = _inside(a, b), branch.inverse

    def back(y: Any) -> Point:
        y = jnp.asarray(y)
        inside = ((y > a) if open_a else (y >= a)) & ((y < b) if open_b else (y <= b))
        x, ok = piece.find(inverse(jnp.where(inside, y, jnp.asarray(inner, y.dtype))))  # type: ignore[misc]
        return x, ok & inside

    return piece.replace(
        forward=lambda x: f(piece.forward(x)),
        inverse=back if piece.inverse is not None and inverse is not None else None,
        sign=piece.sign * branch.sign,
        at_low=_at_end(f, piece.at_low, branch, 0),
        at_high=_at_end(f, piece.at_high, branch, 1),
    )


def _at_end(f: Callable[[Any], Any], x: Any, branch: Branch, end: int) -> Any:
    """f(x), or its limit where f is not a number, as x / (1 + x) at infinity."""
    value = apply(f, x)
    lost = branch.image is not None and isinstance(branch.sign, int) and is_known(value)
    if not lost or not np.isnan(np.asarray(value, float)).any():
        return value
    assert branch.image is not None
    limit = branch.image[end if branch.sign > 0 else 1 - end]
    return np.where(np.isnan(np.asarray(value, float)), limit, value).astype(np.result_type(value))


def _image(f: Callable[[Any], Any], branch: Branch) -> tuple[float, float, bool, bool]:
    """The values of f on a branch, from a to b, and whether a and b are only limits."""
    if branch.image is not None:
        return *branch.image, True, True
    ends = [float(apply(f, jnp.result_type(float).type(e))) for e in branch[1:3]]
    limits = [not (np.isfinite(e) and np.isfinite(x)) for e, x in zip(ends, branch[1:3], strict=True)]
    (a, b), (open_a, open_b) = (ends, limits) if branch.sign > 0 else (ends[::-1], limits[::-1])
    return a, b, open_a, open_b


def _inside(a: float, b: float) -> float:
    if np.isfinite(a) and np.isfinite(b):
        return 0.5 * (a + b)
    return a + 1.0 if np.isfinite(a) else b - 1.0 if np.isfinite(b) else 0.0


def search(piece: Piece, y: Any) -> Point:
    """The x of y by bisection, to the last float, and a step of Newton's, which also has the derivative in y."""
    y = jnp.asarray(y)
    dtype = y.dtype if jnp.issubdtype(y.dtype, jnp.floating) else jnp.result_type(float)
    low, high = (jnp.broadcast_to(jnp.asarray(e, dtype), y.shape) for e in _searched(piece))
    still_y = lax.stop_gradient(y)
    reached = lambda x: piece.sign * (piece.forward(x) - still_y) >= 0  # noqa: E731
    x = lax.stop_gradient(smallest(reached, low, high))
    inside = (y > piece.least) & (y < piece.most)
    if piece.atoms:
        inside = (y >= piece.least) & (y <= piece.most)
    x = jnp.where(inside & jnp.isfinite(x), x, midpoint(low, high))
    value, slope = jax.jvp(piece.forward, (x,), (jnp.ones_like(x),))
    slope = lax.stop_gradient(slope)
    sound = inside & (slope != 0) & jnp.isfinite(slope)
    step = jnp.where(sound, (value - y) / jnp.where(sound, slope, 1.0), 0.0)
    return x - step, inside


def _searched(piece: Piece) -> tuple[Any, Any]:
    """The stretch of x that is searched."""
    low, high = piece.domain
    return apply(jnp.maximum, piece.low, low), apply(jnp.minimum, piece.high, high)


def midpoint(low: Any, high: Any) -> jax.Array:
    finite = jnp.isfinite(low) & jnp.isfinite(high)
    one = jnp.where(jnp.isfinite(low), low + 1, jnp.where(jnp.isfinite(high), high - 1, 0.0))
    return jnp.where(finite, 0.5 * (jnp.where(finite, low, 0.0) + jnp.where(finite, high, 0.0)), one)


def closed(p: Piece) -> Piece:
    """The same piece for whole numbers x, with both of its ends: x > 2.5 is x >= 3."""
    changes: dict[str, Any] = {}
    above, below = lambda e: jnp.floor(e) + 1, lambda e: jnp.ceil(e) - 1
    for end, is_in, inner in (("low", p.low_in, above), ("high", p.high_in, below)):
        if not is_in:
            x = apply(inner, getattr(p, end))
            changes |= {end: x, f"{end}_in": True}
            if not p.is_still:
                changes[f"at_{end}"] = apply(p.forward, x)
    return p.replace(**changes)


def common(p: Piece, q: Piece, has_atoms: bool) -> Piece | None:
    """The stretch that two pieces share, as a piece of p; None if there is known to be none."""
    low, low_in = _inner(p.low, p.low_in, q.low, q.low_in, 1, has_atoms)
    high, high_in = _inner(p.high, p.high_in, q.high, q.high_in, -1, has_atoms)
    empty = (lambda a, b: a > b) if low_in and high_in else (lambda a, b: a >= b)
    if known_all(empty, low, high):
        return None
    return p.replace(low=low, high=high, low_in=low_in, high_in=high_in)


def _inner(a: Any, a_in: bool, b: Any, b_in: bool, side: int, has_atoms: bool) -> tuple[Any, bool]:
    if a is b:
        return a, a_in and b_in
    if known_all(lambda e, inf: e == inf, a, -side * np.inf):
        return b, b_in
    if known_all(lambda e, inf: e == inf, b, -side * np.inf):
        return a, a_in
    if known_all(lambda a, b: side * a > side * b, a, b):
        return a, a_in
    if known_all(lambda a, b: side * a < side * b, a, b):
        return b, b_in
    if known_all(lambda a, b: a == b, a, b):
        return a, a_in and b_in
    if a_in != b_in and has_atoms:
        raise NotMeasurable("compares a quantity that has masses with several bounds that are not known")
    return apply(jnp.maximum if side > 0 else jnp.minimum, a, b), a_in and b_in


def restricted(p: Piece, to: Piece) -> Piece:
    """p on the shorter stretch of another piece: its values at the ends that are new."""
    if p.is_still:
        return still(to, p.at_low)

    def at(end: Any, old_end: Any, old: Any) -> Any:
        if end is old_end or known_all(lambda a, b: a == b, end, old_end):
            return old
        value = apply(p.forward, end)
        return apply(lambda e, o, v, w: jnp.where(e == o, w, v), end, old_end, value, old)

    return to.replace(forward=p.forward, inverse=p.inverse, sign=p.sign, at_low=at(to.low, p.low, p.at_low),
                      at_high=at(to.high, p.high, p.at_high))  # fmt: skip


def combined(f: Callable[..., Any], parts: Sequence[Piece], sign: int, ends: tuple[Any, Any]) -> Piece:
    """f of several pieces of the same stretch, as one that is searched."""
    first = parts[0]
    forward = lambda x: f(*[p.forward(x) for p in parts])  # noqa: E731
    return first.replace(forward=forward, inverse=None, sign=sign, at_low=ends[0], at_high=ends[1])
