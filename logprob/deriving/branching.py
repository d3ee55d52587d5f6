"""Several functions of the same draws observed together: piece by piece of one of them.

|x| = 0.7 and x > 0: x is 0.7 or -0.7, and only the first of these is above 0.  min(t, c) = c and not (t <= c): t is
somewhere above c, where `t <= c` is false for sure.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from storax.logprob.deriving.images import Image
from storax.logprob.deriving.laws import Given, Law, between, close
from storax.logprob.deriving.measures import Density, combine
from storax.logprob.deriving.pieces import Piece
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.walking import Walk


class Restricted(Law):
    """A law, given that the number lies on the stretch of a piece."""

    def __init__(self, base: Law, p: Piece) -> None:
        self.base, self.p = base, p
        self.shape, self.dtype, self.is_discrete = base.shape, base.dtype, base.is_discrete
        self.smooth = not base.is_discrete

    def density(self, y: Any) -> Density:
        p = self.p
        inside = ((y >= p.low) if p.low_in else (y > p.low)) & ((y <= p.high) if p.high_in else (y < p.high))
        score, dim = self.base.density(y)
        return jnp.where(inside, score - self._mass(), -jnp.inf), dim

    def _mass(self) -> Any:
        return between(self.base, self.p.low, self.p.high, self.p.low_in, self.p.high_in)

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        strict = upper if strict is None else strict
        p = self.p
        if upper:
            start = jnp.maximum(y, p.low)
            part = between(self.base, start, p.high, not strict, p.high_in)
            part = jnp.where(y < p.low, self._mass(), part)
        else:
            end = jnp.minimum(y, p.high)
            part = between(self.base, p.low, end, p.low_in, not strict)
            part = jnp.where(y > p.high, self._mass(), part)
        mass = self._mass()
        return jnp.where(mass == -jnp.inf, -jnp.inf, part - mass)

    @property
    def ends(self) -> tuple[Any, Any]:
        low, high = self.base.ends
        from storax.logprob.deriving.pieces import apply

        return apply(jnp.maximum, low, self.p.low), apply(jnp.minimum, high, self.p.high)


def settle(solver: Any) -> bool:
    """Settle one observation and all others that share its draws, if each is a function of the same numbers."""
    for o in solver.left:
        r = solver.walk(o.node)
        if not (isinstance(r, Random) and isinstance(r.law, Image) and r.deps.aligned):
            continue
        (draw, *more) = r.deps
        if more or not isinstance(r.law.root, Given) or draw.shape != r.shape:
            continue
        others = [x for x in solver.left if x is not o and not solver.walk(x.node).deps.disjoint(r.deps)]
        if not others or not all(_follows(solver.walk(x.node), r) for x in others):
            continue
        terms = [_on_piece(solver, draw, r.law, p, o, others) for p in r.law.pieces]
        solver.left = [x for x in solver.left if x is not o and x not in others]
        solver.terms.append(combine(terms))
        return True
    return False


def _follows(x: Random, r: Random) -> bool:
    return x.law is not None and x.law.is_discrete and x.shape == r.shape and x.deps.same(r.deps)


def _on_piece(solver: Any, draw: Any, law: Image, p: Piece, o: Any, others: list[Any]) -> Density:
    """The density of all of them, with x on one piece."""
    score, dim = Image(law.root, [p], law.dtype, law.doubts).density(jnp.asarray(o.value, law.dtype))
    walk = Walk(solver.walk.known)
    if p.is_still:
        walk.seen[draw] = solver.walk(draw).__class__(
            draw.shape, draw.aval.dtype, solver.walk(draw).deps, law=Restricted(law.root, p),
            smooth=solver.walk(draw).smooth)  # fmt: skip
    else:
        x, ok = p.find(jnp.asarray(o.value, law.dtype))
        if jnp.issubdtype(draw.aval.dtype, jnp.integer):
            x = jnp.round(x)
        walk.seen[draw] = jnp.where(ok, x, 0.0).astype(draw.aval.dtype)
    for other in others:
        got = walk(other.node)
        if isinstance(got, Random):
            assert got.law is not None
            more, d = got.law.density(jnp.asarray(other.value, got.law.dtype))
            score, dim = score + more, dim + d
        else:
            score = score + jnp.where(close(jnp.asarray(other.value), got), 0.0, -jnp.inf)
    return score, dim
