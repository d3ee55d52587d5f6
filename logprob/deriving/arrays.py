"""Rules of equations that move, join, reduce or linearly combine the entries of arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions.base import Distribution
from storax.logprob.deriving import degrees, trajectories
from storax.logprob.deriving import elementwise as _primitives  # noqa: F401  (the table of primitives)
from storax.logprob.deriving import orders as _orders  # noqa: F401  (its rules)
from storax.logprob.deriving.cutting import SPECIAL
from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Finite, Law, at_once, close, is_of_numbers, point
from storax.logprob.deriving.measures import slim
from storax.logprob.deriving.randoms import Random, Step, is_one_place
from storax.logprob.deriving.registry import ELEMENTWISE, RULES, STRETCHES, refuse, rule
from storax.logprob.deriving.scalars import elementwise, gaussian_of, mixed
from storax.logprob.deriving.walking import LOOPS


def install() -> None:
    """Every elementwise primitive has the same rule; loops have theirs."""
    LOOPS["scan"] = trajectories.scan
    RULES[ELEMENTWISE] = elementwise
    both = ["max", "min", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "xor", "rem", "nextafter", "atan2"]
    for name in {*SPECIAL, *both} - STRETCHES.keys():
        RULES.setdefault(name, elementwise)


@rule("reshape", "squeeze", "transpose", "rev", "slice", "dynamic_slice", "gather", "broadcast_in_dim", "split",
      "unstack", "expand_dims", "tile")  # fmt: skip
def _(step: Step) -> Random:
    if len(step.places) > 1:
        return _mixed_index(step)
    place, r = step.one()
    if place != 0:
        return _random_index(step)
    deps = step.moved()
    gaussian = gaussian_of(step)
    law, why = _moved_law(step, r)
    size = int(np.prod(step.shape))
    push, free, smooth = None, None, r.smooth
    if size == int(np.prod(r.shape)) and (size == 1 or _permutes(step, r)):
        push = lambda y: ([(place, _fill(step, r, y))], 0.0)  # noqa: E731
        free = degrees.moved(r.free, positions(step, r), step.shape) if r.free is not None and size > 1 else None
    elif r.free is not None:
        smooth = None
    return step.random(deps, law=law, why=why or r.why, gaussian=gaussian, push=push, affine=r.affine, smooth=smooth,
                       alike=r.alike, free=free)  # fmt: skip


def _mixed_index(step: Step) -> Random:
    """Random components at one random index of few values, which they are independent of."""
    deps = step.everywhere()
    law = None
    if int(np.prod(step.shape)) == 1:
        law = mixed(step)
    why = "" if law is not None else "has a random index that several entries share"
    return step.random(deps, law=law, why=why, smooth=None)


def positions(step: Step, r: Random) -> np.ndarray[Any, Any] | None:
    """Where in the flat input each entry of the output comes from; None if an index is traced."""
    if any(isinstance(x, jax.core.Tracer) for i, x in enumerate(step.inputs) if i):
        return None
    with jax.ensure_compile_time_eval():
        ids = jnp.arange(int(np.prod(r.shape)), dtype=jnp.int32).reshape(r.shape)
        return np.asarray(step.evaluate([ids, *step.inputs[1:]])[step.output])


def _permutes(step: Step, r: Random) -> bool:
    """Is every entry moved to one place, for sure?"""
    where = positions(step, r)
    return where is not None and len(np.unique(where)) == where.size == int(np.prod(r.shape))


def _fill(step: Step, r: Random, y: Any) -> Any:
    """An array of the input's shape that is moved to y; entries that are not moved anywhere are y's first."""
    where = positions(step, r)
    size = int(np.prod(r.shape))
    if where is None:
        return jnp.broadcast_to(jnp.ravel(y)[0], r.shape)
    flat = where.ravel()
    if size == len(flat) and (np.sort(flat) == np.arange(size)).all():
        if step.name in ("reshape", "squeeze", "expand_dims"):
            return jnp.reshape(y, r.shape)
        if (flat == np.arange(size)).all():
            return jnp.reshape(y, r.shape)
        return jnp.ravel(y)[np.argsort(flat)].reshape(r.shape)
    back = np.zeros(size, int)
    back[flat] = np.arange(len(flat))
    return jnp.ravel(y)[back].reshape(r.shape) if len(flat) else jnp.zeros(r.shape, jnp.result_type(y))


def _moved_law(step: Step, r: Random) -> tuple[Law | None, str]:
    if r.law is None:
        return None, r.why
    where = positions(step, r)
    if where is None and int(np.prod(step.shape)) != 1:
        if step.name == "gather" and not is_one_place(step.inputs[1]):
            return None, "takes entries of several places that are not known when the program is compiled"
        return _windowed(step, r), ""
    f = lambda x: step.run(jnp.broadcast_to(x, r.shape), *step.inputs[1:])  # noqa: E731
    return r.law.move(f, lambda y: _fill(step, r, y), step.shape), ""


def _windowed(step: Step, r: Random) -> Law:
    """A window at a traced place: y is written there, and read again."""
    assert r.law is not None
    like = jax.ShapeDtypeStruct(r.shape, jnp.result_type(float))
    f = lambda x: step.run(jnp.broadcast_to(x, r.shape), *step.inputs[1:])  # noqa: E731

    def fill(y: Any) -> Any:
        g = lambda x: step.evaluate([x, *step.inputs[1:]])[step.output]  # noqa: E731
        (x,) = jax.linear_transpose(g, like)(jnp.asarray(y, like.dtype))
        return x.astype(r.dtype) if jnp.issubdtype(r.dtype, jnp.floating) else x

    return r.law.move(f, fill, step.shape)


def _random_index(step: Step) -> Random:
    """A known table, or independent components, at an index of few values."""
    place, r = step.one()
    few = r.law.finite if r.law is not None else None
    if few is None:
        refuse(r.why or "has a random index that is not known to have few values")
    assert few is not None
    if int(np.prod(r.shape)) != 1 and not r.deps.aligned:
        refuse("has random indices that are not independent of each other")
    values = []
    for v in few.values:
        at = [jnp.asarray(v) if i == place else x for i, x in enumerate(step.inputs)]
        values.append(_run_at(step, place, at))
    deps, mass = _index_deps(step, r, few)
    return step.random(deps, law=Finite(values, mass, step.shape, step.aval.dtype, few.states), smooth=False)


def _run_at(step: Step, place: int, at: list[Any]) -> Any:
    """The equation at known indices; where they are all the same, one entry is taken, and repeated."""
    index = slim(at[place])
    if step.name != "gather" or place != 1 or np.ndim(index) or at[1].ndim < 2:
        return step.run(*at)
    if step.params["dimension_numbers"].start_indices_batching_dims:
        return step.run(*at)
    one = at[1][(slice(0, 1),) * (at[1].ndim - 1)]
    return jnp.broadcast_to(step.run(at[0], one, *at[2:]), step.shape)


def _index_deps(step: Step, r: Random, few: Finite) -> Any:
    """Which index each entry of the output depends on, and the mass of each index there."""
    if int(np.prod(r.shape)) == 1 or step.name == "dynamic_slice":
        return r.deps.everywhere(step.shape), few.mass.reshape(len(few.values), -1)[:, 0]
    # gather: the batch axes of the indices are those axes of the output that are no offsets
    numbers = step.params["dimension_numbers"]
    offset = set(numbers.offset_dims)
    batch = [a for a in range(len(step.shape)) if a not in offset]
    inner = r.shape[:-1]
    if int(np.prod(inner)) != int(np.prod(r.shape)):
        refuse("has several random indices for one entry")
    view = [step.shape[a] if a in batch else 1 for a in range(len(step.shape))]
    spread = lambda x: np.broadcast_to(np.asarray(x).reshape(view), step.shape)  # noqa: E731
    mass = few.mass
    if mass.ndim > 1:
        mass = jnp.stack([jnp.broadcast_to(m.reshape(view), step.shape) for m in mass])
    return r.deps.map(lambda ids: spread(ids.reshape(inner))), mass


@rule("concatenate", "stack", "pad", "dynamic_update_slice", "scatter")
def _(step: Step) -> Random:
    entries = {"dynamic_update_slice": (0, 1), "scatter": (0, 2)}.get(step.name, tuple(range(len(step.inputs))))
    if any(p not in entries for p in step.places):
        refuse("has a random index")
    if any(isinstance(x, jax.core.Tracer) for i, x in enumerate(step.inputs) if i not in entries):
        refuse("writes at a place that is not known when the program is compiled")
    deps = step.moved()
    which, where = _sources(step, entries)
    laws: list[Any] = [x.law if isinstance(x, Random) else point(x) for i, x in enumerate(step.inputs) if i in entries]
    why = next((x.why for x in step.randoms if x.law is None), "")
    law = Joined(which, where, laws, step.shape, step.aval.dtype) if all(v is not None for v in laws) else None
    kinds = {x.smooth if isinstance(x, Random) else False for i, x in enumerate(step.inputs) if i in entries}

    def push(y: Any) -> Any:
        flat, out = jnp.ravel(y), []
        for k, i in enumerate(entries):
            x = step.inputs[i]
            shape = x.shape if isinstance(x, Random) else jnp.shape(x)
            back = np.full(int(np.prod(shape)), -1)
            here = np.flatnonzero(which == k)
            back[where[here]] = here
            if (back < 0).any():
                if isinstance(x, Random):
                    refuse("overwrites some entries of a random array")
                continue
            out.append((i, flat[back].reshape(shape)))
        return out, 0.0

    affine, smooth = all(r.affine for r in step.randoms), kinds.pop() if len(kinds) == 1 else None
    smooth = None if any(r.free is not None for r in step.randoms) else smooth
    return step.random(deps, law=law, why=why, gaussian=join_gaussian(step, entries), push=push, affine=affine,
                       smooth=smooth)  # fmt: skip


def join_gaussian(step: Step, entries: tuple[int, ...]) -> Any:
    # A constant among them is no Gaussian: a joint density would be singular.
    if all(isinstance(step.inputs[i], Random) for i in entries):
        return gaussian_of(step)
    return None


def _sources(step: Step, entries: tuple[int, ...]) -> tuple[Any, Any]:
    """For each entry of the output: which of the inputs it comes from, and its place there."""
    marks = []
    with jax.ensure_compile_time_eval():
        start = 1
        for i, x in enumerate(step.inputs):
            if i not in entries:
                marks.append(x)
                continue
            shape = x.shape if isinstance(x, Random) else jnp.shape(x)
            size = int(np.prod(shape))
            marks.append(jnp.arange(start, start + size, dtype=jnp.float32).reshape(shape))
            start += size
        out = np.asarray(step.evaluate(marks)[step.output]).astype(int).ravel() - 1
    sizes = [int(np.prod(step.inputs[i].shape if isinstance(step.inputs[i], Random) else jnp.shape(step.inputs[i])))
             for i in entries]  # fmt: skip
    edges = np.cumsum([0, *sizes])
    which = np.searchsorted(edges, out, "right") - 1
    return which, out - edges[which]


def _cast(y: Any, dtype: Any) -> Any:
    """2.5 is no whole number, and stays what it is."""
    return y.astype(dtype) if jnp.issubdtype(dtype, jnp.floating) else y


class Joined(Law):
    """Entries of several laws side by side: entry i is number `where[i]` of part `which[i]`."""

    def __init__(self, which: Any, where: Any, parts: list[Law], shape: tuple[int, ...], dtype: Any) -> None:
        self.which, self.where, self.parts = which, where, parts
        self.shape, self.dtype = tuple(shape), jnp.dtype(dtype)
        self.is_discrete = all(p.is_discrete for p in parts)
        self.smooth = all(map(is_smooth, parts))

    def name(self, positive: bool = False) -> Any:
        """The family of all entries, if they are of one."""
        names = [p.name(positive) for p in self.parts]
        kinds = {jax.tree.structure(d) for d in names}
        if len(kinds) > 1 or not all(isinstance(d, Distribution) and is_of_numbers(d) for d in names):
            return None

        def side_by_side(*leaves: Any) -> Any:
            out = jnp.zeros(len(self.which), jnp.result_type(*leaves))
            for k, (x, p) in enumerate(zip(leaves, self.parts, strict=True)):
                here = np.flatnonzero(self.which == k)
                out = out.at[here].set(jnp.broadcast_to(x, p.shape).ravel()[self.where[here]])
            return out.reshape(self.shape)

        with at_once(*jax.tree.leaves(names)):
            return jax.tree.map(side_by_side, *names)

    def _over(self, f: Any, y: Any) -> Any:
        flat = jnp.ravel(y)
        out: Any = None
        for k, p in enumerate(self.parts):
            here = np.flatnonzero(self.which == k)
            if not len(here):
                continue
            back = np.full(int(np.prod(p.shape)), here[0])
            back[self.where[here]] = here
            got = jnp.ravel(jnp.broadcast_to(f(p, _cast(flat[back].reshape(p.shape), p.dtype)), p.shape))
            if out is None:
                out = jnp.zeros(len(self.which), got.dtype)
            out = out.at[here].set(got[self.where[here]])
        return out.reshape(self.shape)

    def density(self, y: Any) -> Any:
        return self._over(lambda p, v: p.density(v)[0], y), self._over(lambda p, v: jnp.asarray(p.density(v)[1]), y)

    def snap(self, x: Any, error: Any) -> Any:
        error = jnp.max(jnp.broadcast_to(error, x.shape))
        return self._over(lambda p, v: p.snap(v, error), x)

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        return self._over(lambda p, v: p.tail(v, upper, strict), y)


@rule("scatter-mul")
def _(step: Step) -> Random:
    return _with_known(step, "mul", jnp.ones)


def _with_known(step: Step, name: str, empty: Any) -> Random:
    """x.at[i].add(c), the same as x + zeros.at[i].add(c); products with ones."""
    if step.places != [0]:
        refuse("changes a random array by a random number, or at a random place")
    other = step.run(empty(step.shape, step.aval.dtype), *step.inputs[1:])
    f = {"add": jnp.add, "mul": jnp.multiply}[name]
    inner = Step(name, {}, [step.inputs[0], other], step.aval, 0, lambda xs: [f(*xs)])
    return RULES[ELEMENTWISE](inner)


@rule("scatter-add")
def _(step: Step) -> Random:
    if step.places == [0]:
        return _with_known(step, "add", jnp.zeros)
    if step.places == [0, 2]:
        zeros = jnp.zeros(step.shape, step.aval.dtype)
        more = RULES[step.name](dataclasses.replace(step, inputs=[zeros, *step.inputs[1:]]))
        both = Step("add", {}, [step.inputs[0], more], step.aval, 0, lambda xs: [jnp.add(*xs)])
        return RULES[ELEMENTWISE](both)
    if step.places != [2] or any(isinstance(x, jax.core.Tracer) for x in step.inputs[1:2]):
        refuse("adds at places that are random or not known")
    operand, _, r = step.inputs
    deps = step.moved()
    where = _landing(step, r)

    def push(y: Any) -> Any:
        if where is None:
            refuse("adds several numbers at one place")
        gap = jnp.ravel(y - operand)
        others = np.setdiff1d(np.arange(gap.size), where)
        fits = jnp.all(close(jnp.ravel(y)[others], jnp.ravel(operand)[others]))
        return [(2, gap[where].reshape(r.shape))], jnp.where(fits, 0.0, -jnp.inf)

    return step.random(deps, why="adds to known entries", push=push, affine=r.affine, smooth=None)


def _landing(step: Step, r: Random) -> Any:
    """Where in the flat output each of the updates goes, if they go to different places."""
    n = int(np.prod(r.shape))
    with jax.ensure_compile_time_eval():
        marks = jnp.arange(1, n + 1, dtype=r.dtype).reshape(r.shape)
        out = step.evaluate([jnp.zeros(step.shape, step.aval.dtype), step.inputs[1], marks.astype(step.aval.dtype)])
        flat = np.asarray(out[step.output]).ravel()
    where = [np.flatnonzero(flat == i + 1) for i in range(n)]
    return np.array([w[0] for w in where]) if all(len(w) == 1 for w in where) else None
