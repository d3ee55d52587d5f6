"""Does a combination of rising and falling functions rise or fall?

The sum of two that rise rises; the product of two that rise and are not negative rises; a rising one by a falling one,
both not negative, rises; and so on.  `u / (1 - u)` rises on (0, 1), and `x + x**3` everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from storax.logprob.deriving.laws import is_known
from storax.logprob.deriving.pieces import Piece, apply, combined, known_all, restricted, still, through
from storax.logprob.deriving.randoms import Step
from storax.logprob.deriving.registry import STRETCHES, refuse


def combine(step: Step, parts: Mapping[int, Piece]) -> list[Piece]:
    """An equation of several functions on one stretch, which is cut where a rising and a falling one cross.

    Raises:
        NotMeasurable: it is not known to be monotone.
    """
    moving = [p for p in parts.values() if not p.is_still]
    signs = [p.sign for p in moving if isinstance(p.sign, int)]
    if step.name in ("max", "min") and len(parts) == len(moving) == 2 and signs in ([1, -1], [-1, 1]):
        return _crossing(step, *moving)
    return [_combined(step, parts)]


def _crossing(step: Step, p: Piece, q: Piece) -> list[Piece]:
    """max(p, q): q where p - q is below 0, p where it is above."""
    ends = tuple(apply(jnp.subtract, getattr(p, e), getattr(q, e)) for e in ("at_low", "at_high"))
    if any(is_known(e) and np.isnan(np.asarray(e, float)).any() for e in ends):
        refuse("is a maximum or minimum of functions of one draw that are both infinite")
    gap = combined(lambda a, b: a - b, [p, q], p.sign, ends)
    below, above = gap.cut(0.0)
    first, second = (q, p) if step.name == "max" else (p, q)
    return [restricted(f, part) for f, part in ((first, below), (second, above)) if part is not None]


def _combined(step: Step, parts: Mapping[int, Piece]) -> Piece:
    """An equation of several functions on one stretch: constant, one of them mapped on, or a monotone combination.

    Raises:
        NotMeasurable: it is not known to be monotone.
    """
    if step.name == "select_n":
        return _selected(step, parts)
    moving = {i: p for i, p in parts.items() if not p.is_still}
    known = {i: p.at_low for i, p in parts.items() if p.is_still}
    inputs = [known.get(i, x) for i, x in enumerate(step.inputs)]
    if not moving:
        return still(next(iter(parts.values())), apply(step.run, *inputs))
    if len(moving) == 1:
        ((place, p),) = moving.items()
        if step.name in ("max", "min"):
            return _bounded(step, place, p, inputs[1 - place])
        if step.name not in STRETCHES:
            return _decided(step, moving, inputs)
        bound = Step(step.name, step.params, inputs, step.aval, step.output, step.evaluate)
        branches = STRETCHES[step.name](bound, place)
        fits = [b for b in branches if known_all(lambda v, a: v >= a, p.least, b.low)
                and known_all(lambda v, a: v <= a, p.most, b.high)]  # fmt: skip
        if not fits:
            refuse("is a function of a draw that is not known to be monotone")
        return through(p, lambda x: step.run(*[x if i == place else v for i, v in enumerate(inputs)]), fits[0])
    sign = _sign(step.name, moving)
    f = _of(step, list(moving), inputs)
    ends = tuple(apply(f, *[getattr(p, e) for p in moving.values()]) for e in ("at_low", "at_high"))
    return combined(f, list(moving.values()), sign, ends)


def _of(step: Step, places: list[int], inputs: list[Any]) -> Any:
    def f(*xs: Any) -> Any:
        at = dict(zip(places, xs, strict=True))
        return step.run(*[jnp.asarray(at.get(i, x)) for i, x in enumerate(inputs)])

    return f


def _sign(name: str, parts: Mapping[int, Piece]) -> int:
    (i, p), (j, q) = parts.items()
    assert i < j
    if not (isinstance(p.sign, int) and isinstance(q.sign, int)):
        refuse("combines functions of one draw whose direction is not known")
    sign = None
    if name in ("add", "add_any", "max", "min"):
        sign = p.sign if p.sign == q.sign else None
    elif name == "sub":
        sign = p.sign if p.sign == -q.sign else None
    elif name in ("mul", "div"):
        sp, sq = _side(p), _side(q)
        if sp and sq:
            towards, other = p.sign * sp, q.sign * sq * (1 if name == "mul" else -1)
            sign = towards * sp * sq if towards == other else None
    if sign is None:
        refuse("uses one draw several times, and is not known to rise or to fall with it")
    return sign  # type: ignore[return-value]


def _side(p: Piece) -> int:
    """1 if its values are not negative, -1 if they are not positive, 0 if that is not known."""
    if known_all(lambda v, z: v >= z, p.least, 0.0):
        return 1
    return -1 if known_all(lambda v, z: v <= z, p.most, 0.0) else 0


def _selected(step: Step, parts: Mapping[int, Piece]) -> Piece:
    """where(predicate, a, b): on this stretch the predicate is constant."""
    which = parts[0].at_low if 0 in parts else step.inputs[0]
    stretch = next(iter(parts.values()))
    numbers = np.ravel(which) if is_known(which) else np.zeros(0)
    if len(numbers) and (numbers == numbers[0]).all():
        k = 1 + int(numbers[0])
        return parts[k] if k in parts else still(stretch, step.inputs[k])
    return refuse("selects by a predicate that is not known")


def _bounded(step: Step, place: int, p: Piece, bound: Any) -> Piece:
    upper = step.name == "max"
    if known_all(lambda v, c: v >= c, p.least, bound):
        return p if upper else still(p, bound)
    if known_all(lambda v, c: v <= c, p.most, bound):
        return still(p, bound) if upper else p
    return refuse("is a maximum or minimum of functions of one draw that cross")


def _decided(step: Step, moving: Mapping[int, Piece], inputs: list[Any]) -> Piece:
    """A comparison whose answer is the same on all of the stretch."""
    ((place, p),) = moving.items()
    if step.name in ("lt", "le", "gt", "ge"):
        greater = (step.name in ("gt", "ge")) == (place == 0)
        c = inputs[1 - place]
        if known_all(lambda v, c: v >= c, p.least, c):
            return still(p, jnp.broadcast_to(greater, jnp.shape(c)) if jnp.shape(c) else greater)
        if known_all(lambda v, c: v <= c, p.most, c):
            return still(p, jnp.broadcast_to(not greater, jnp.shape(c)) if jnp.shape(c) else not greater)
    return refuse("compares functions of one draw")
