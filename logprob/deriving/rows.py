"""Draws of few values, each of which stands behind a row of what is observed: summed over row by row.

With z_i for row i and p(y | z) = prod_i f_i(y_i | z_i), the density is prod_i sum_k P(z_i = k) f_i(y_i | k): the
program is solved once a value, for all rows together, and not once a combination of values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.dependence import Dependence
from storax.logprob.deriving.laws import is_known
from storax.logprob.deriving.measures import Density, combine, slim
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.tracking import track

MOST = 32  # values, each of which has its own program


def settle(solver: Any) -> bool:
    """Sum over one draw of several numbers, if it is known to have rows."""
    draws = {d for o in solver.left for d in solver.walk(o.node).deps}
    for draw in sorted(draws, key=lambda d: d.order):
        size = int(np.prod(draw.shape))
        if size < 2 or draw.stand_in is not None or any(isinstance(solver.walk(n), Random) for n in draw.inputs):
            continue
        law = solver.walk(draw).law
        few = law.finite if law is not None and law.is_discrete else None
        if few is None or len(few.values) > MOST or not all(map(is_known, few.values)):
            continue
        try:
            terms, shape = _summed(solver, draw, few)
        except NotMeasurable as error:
            for o in solver.left:
                solver.whys_of.setdefault(o.node, str(error))
            continue
        hidden = [(o, dataclasses.replace(solver.walk(o.node), gaussian=None)) for o in solver.left]
        solver.hide(hidden)
        if shape is not None and len(solver.left) == 1:
            solver.place_of[solver.left[0].node] = len(solver.terms), shape
        solver.terms += terms
        solver.left = []
        return True
    return False


def _summed(solver: Any, draw: Any, few: Any) -> tuple[list[Density], tuple[int, ...] | None]:
    """The densities, and the shape of the one term that has all rows, in their order; None if there is none."""
    size = int(np.prod(draw.shape))

    def terms_at(value: Any) -> list[Density]:
        return type(solver)(solver.left, {**solver.walk.known, draw: value}, solver.call).run()

    closed = jax.make_jaxpr(lambda z: [jnp.asarray(s) for s, _ in terms_at(z)])(
        jax.ShapeDtypeStruct(draw.shape, draw.aval.dtype)
    )
    ids = Dependence({draw: np.arange(size).reshape(*draw.shape, 1)})
    shapes = [v.aval.shape for v in closed.jaxpr.outvars]
    rows = [rows_of(d, draw, s) for d, s in zip(track(closed, [ids]), shapes, strict=True)]
    solved = []
    for v in few.values:
        with jax.ensure_compile_time_eval():
            value = jnp.full(draw.shape, slim(v), draw.aval.dtype) if not np.ndim(slim(v)) else jnp.asarray(v)
        terms = terms_at(value)
        if [jnp.shape(s) for s, _ in terms] != shapes:
            raise NotMeasurable("has a density that is another program for another value of a draw behind it")
        solved.append(terms)
    mass = [jnp.broadcast_to(m, draw.shape).reshape(size) for m in few.mass]
    each = [by_row(terms, rows, size) for terms in solved]
    density = combine([(score + m, dim) for (score, dim), m in zip(each, mass, strict=True)])
    one = len(rows) == 1 and len(rows[0]) == size and bool((rows[0] == np.arange(size)).all())
    return [density, *without(solved[0], rows)], shapes[0] if one else None


def rows_of(found: Dependence, draw: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The row of each entry, flat; -1 where it depends on none.

    Raises:
        NotMeasurable: it depends on several.
    """
    if draw not in found.of:
        return np.full(int(np.prod(shape)), -1)
    ids = found.of[draw].reshape(-1, found.of[draw].shape[-1])
    rows = ids.max(-1)
    if not ((ids == rows[:, None]) | (ids == -1)).all():
        raise NotMeasurable("depends on several numbers of an anonymous draw at once, so that its density is no "
                            "product over them")  # fmt: skip
    return rows


def by_row(terms: Sequence[Density], rows: Sequence[Any], size: int) -> Density:
    """The log density of each row, and its dimension."""
    score, impossible, fixed, dims = jnp.zeros(size), jnp.zeros(size, bool), 0, []
    for (s, d), at in zip(terms, rows, strict=True):
        here = at >= 0
        if not here.any():
            continue
        flat = jnp.ravel(s)
        if len(at) == size and (at == np.arange(size)).all():
            score, impossible = score + flat, impossible | (flat == -jnp.inf)
        else:
            place = at[here]
            score = score.at[place].add(flat[here])
            impossible = impossible.at[place].max(flat[here] == -jnp.inf)
        counts = np.bincount(at[here], minlength=size)
        if isinstance(d, int) and (counts == counts[0]).all():
            fixed += d * int(counts[0])
        else:
            d = jnp.broadcast_to(jnp.asarray(d), jnp.shape(s)).reshape(-1)[here]
            dims.append(jnp.zeros(size, int).at[at[here]].add(d))
    return jnp.where(impossible, -jnp.inf, score), sum(dims, fixed)


def without(terms: Sequence[Density], rows: Sequence[Any]) -> list[Density]:
    """What does not depend on the draw, and counts once."""
    out = []
    for (s, d), at in zip(terms, rows, strict=True):
        left = np.flatnonzero(at < 0)
        if len(left) == len(at):
            out.append((s, d))
        elif len(left):
            flat = d if isinstance(d, int) else jnp.broadcast_to(jnp.asarray(d), jnp.shape(s)).reshape(-1)[left]
            out.append((jnp.ravel(s)[left], flat))
    return out
