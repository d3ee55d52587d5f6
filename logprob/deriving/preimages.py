"""From the value of an elementwise equation to that of its argument, or to all that it may have come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.laws import close
from storax.logprob.deriving.measures import combine
from storax.logprob.deriving.pieces import Branch, apply, known_all, through, whole
from storax.logprob.deriving.randoms import Step
from storax.logprob.deriving.registry import STRETCHES, refuse

MOST = 1024  # points that the values of an array may come from, together


def constant_where(step: Step, place: int) -> list[Any]:
    """Where an equation with a traced number is constant or not defined, so that there is no density."""
    c = step.inputs[1 - place] if len(step.inputs) == 2 else None
    if not isinstance(c, jax.core.Tracer):
        return []
    if step.name in ("mul", "div"):
        return [c == 0]
    if step.name == "pow":
        return [c == 0] if place == 0 else [(c <= 0) | (c == 1)]
    return []


def _reached(branches: Sequence[Branch], low: Any, high: Any) -> Sequence[Branch]:
    """Those that numbers from `low` to `high` may lie in."""
    found = [b for b in branches if not known_all(lambda v, e: v <= e, high, b.low)
             and not known_all(lambda v, e: v >= e, low, b.high)]  # fmt: skip
    return found or branches


def pusher(step: Step) -> Any:
    """From the value of a bijection to that of its argument, with the Jacobian."""
    place, _ = step.one()

    def push(y: Any) -> Any:
        (branch, *more) = _branches(step)
        if more:
            refuse("takes the same value at several points, and its argument has dependent elements")
        x, score = _back(step, branch, y)
        return [(place, x)], score

    return push


def forker(step: Step) -> Any:
    """From the value of a function to all that its argument may be: entry by entry one x on each stretch."""
    place, _ = step.one()

    def fork(y: Any) -> Any:
        branches = _branches(step)
        if len(branches) ** int(np.prod(step.shape)) > MOST:
            refuse(f"takes each value at {len(branches)} points, so that {int(np.prod(step.shape))} dependent entries "
                   f"may come from more than {MOST}")  # fmt: skip
        xs, scores = zip(*[_back(step, b, y) for b in branches], strict=True)
        return place, jnp.stack(xs), jnp.stack(scores)

    return fork


def _branches(step: Step) -> Sequence[Branch]:
    place, r = step.one()
    if r.shape != step.shape:
        refuse("repeats a random quantity, so that its entries are linearly dependent")
    if r.smooth is None:
        refuse("has an argument with dependent elements, some of which have no density of their own")
    branches: Sequence[Branch] = STRETCHES[step.name](step, place)
    if r.free is not None and len(branches) > 1:
        refuse("takes the same value at several points, and the entries of its argument depend on each other")
    branches = branches if r.law is None else _reached(branches, *r.law.ends)
    if r.smooth is False and any(_is_pole(step, end) for b in branches for end in (b.low, b.high)):
        refuse("may be infinite with a positive probability")
    return branches


def _is_pole(step: Step, x: Any) -> bool:
    """Is the function infinite at a finite x that its argument may have as a value?"""
    place, r = step.one()
    low, high = r.law.ends if r.law is not None else (-np.inf, np.inf)
    beyond = known_all(lambda v, e: v > e, low, x) or known_all(lambda v, e: v < e, high, x)
    if not np.isfinite(x) or beyond:
        return False
    f = lambda v: step.run(*[jnp.asarray(v, r.dtype) if i == place else c for i, c in enumerate(step.inputs)])  # noqa: E731
    return not known_all(lambda v, _: np.isfinite(v), apply(f, np.float32(x)), 0.0)


def _back(step: Step, branch: Branch, y: Any) -> tuple[Any, Any]:
    """The x of y on one stretch, and log |dx/dy|, or 0 for masses; -inf if there is none."""
    place, r = step.one()
    f = lambda x: step.run(*[x if i == place else v for i, v in enumerate(step.inputs)])  # noqa: E731
    (doubt,) = constant_where(step, place) or [False]
    y = jnp.asarray(y)
    if jnp.issubdtype(r.dtype, jnp.integer):
        x, score = _back_to_whole(f, branch, y, r.dtype)
        return x, jnp.where(doubt, jnp.nan, score)
    p = through(whole(-np.inf, np.inf), f, branch)
    if r.smooth is False:
        x, ok = p.find(y)
        return x, jnp.where(doubt, jnp.nan, jnp.where(ok & _on(branch, x), 0.0, -jnp.inf))
    x, slope, ok = jax.jvp(p.find, (y,), (jnp.ones_like(y),), has_aux=True)
    if r.free is not None:  # the other entries only have to be possible
        slope = jnp.where(r.free, slope, 1.0)
    ok = ok & (slope != 0)
    score = jnp.where(ok, jnp.log(jnp.abs(jnp.where(ok, slope, 1.0))), -jnp.inf)
    return x, jnp.where(doubt, jnp.nan, score)


def _on(branch: Branch, x: Any) -> Any:
    """Where two stretches meet, the point is of the second."""
    return (x >= branch.low) & ((x < branch.high) | jnp.isinf(branch.high))


def _back_to_whole(f: Any, branch: Branch, y: Any, dtype: Any) -> Any:
    """The same for whole numbers: the one next to the inverse, if it is one."""
    inverse = branch.inverse
    if inverse is None:
        return refuse("has no inverse on whole numbers")
    near = jnp.round(inverse(y.astype(jnp.result_type(float))))
    sound = jnp.isfinite(near) & (jnp.abs(near) < 2.0**31) & _on(branch, near)
    x = jnp.where(sound, near, 0).astype(dtype)
    return x, jnp.where(sound & (f(x) == y), 0.0, -jnp.inf)


def cast(step: Step) -> Any:
    """From a number in another dtype to the number, where none are changed or meet."""
    place, r = step.one()
    old, new = jnp.dtype(r.dtype), jnp.dtype(step.aval.dtype)
    if jnp.issubdtype(new, jnp.floating) and jnp.issubdtype(old, jnp.floating):
        return lambda y: ([(place, jnp.asarray(y, old))], 0.0)
    if jnp.issubdtype(old, jnp.floating) or new == np.bool_ or (new.itemsize < 4 and old != np.bool_):
        return None

    def push(y: Any) -> Any:
        x = jnp.round(y).astype(old) if jnp.issubdtype(new, jnp.floating) else jnp.asarray(y).astype(old)
        return [(place, x)], jnp.where(close(y, x.astype(new)), 0.0, -jnp.inf)

    return push


def settle(solver: Any) -> bool:
    """|x| = 1: sum over x = 1 and x = -1, together with all that is left."""
    from storax.logprob.deriving.solving import Observation, total

    for o in solver.left:
        r = solver.walk(o.node)
        if r.fork is None or (r.law is not None and r.deps.independent and len(solver.left) == 1):
            continue
        rest = [x for x in solver.left if x is not o]
        try:
            place, xs, scores = r.fork(jnp.asarray(o.value, r.dtype))

            def given(x: Any, node: Any = o.node.inputs[place], rest: Any = rest) -> list[Any]:
                inner = type(solver)([*rest, Observation(node, x)], solver.walk.known, solver.call)
                return [jnp.asarray(part) for part in total(inner.run())]

            points, chances = each(xs, scores)
            found, dims = jax.vmap(given)(points)
        except NotMeasurable as error:
            solver.whys = [*getattr(solver, "whys", []), (o, str(error).removeprefix(f"{solver.call}: "))]
            continue
        solver.settle_together(solver.left, combine(list(zip(found + chances, dims, strict=True))))
        return True
    return False


def each(xs: Any, scores: Any) -> tuple[Any, Any]:
    """From k candidates for each of n entries, `[k, *shape]`, to all `k^n` arrays, and the sums of their scores."""
    k, shape = len(xs), xs.shape[1:]
    n = int(np.prod(shape))
    which = np.indices((k,) * n).reshape(n, -1).T
    pick = lambda v: v.reshape(k, n)[which, np.arange(n)]  # noqa: E731
    return pick(xs).reshape(-1, *shape), pick(scores).sum(1)
