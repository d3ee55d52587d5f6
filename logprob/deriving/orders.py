"""Rules of order: sort, median, argmax, and cumulative products."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

import storax.distributions as dist
from storax.logprob.deriving import sharing
from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Finite, Law
from storax.logprob.deriving.measures import Density, log_sum
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import refuse, rule, rule_of

MOST = 32  # numbers whose order statistics are counted out
PERMUTED = 5  # numbers, not all of one law, all orders of which are summed over


class Ordered(Law):
    """The k-th smallest of independent continuous numbers, along the last axis of `base`, for k = 0, 1, ...

    P(X_(k) <= y) is that of more than k of them being up to y (Poisson-binomial); the density, in the place of which
    one it is, sum_i f_i P(k of the others are below y).

    Args:
        k: which, for each entry: an array that broadcasts to `shape`.
    """

    smooth = True

    def __init__(self, base: Law, k: Any, shape: tuple[int, ...]) -> None:
        self.base, self.shape, self.dtype = base, tuple(shape), base.dtype
        self.k = np.broadcast_to(k, self.shape)

    def _spread(self, y: Any) -> Any:
        """For every number i: y at each entry, in the shape of the base with the numbers in front."""
        return jnp.broadcast_to(jnp.asarray(y), self.shape)

    def _each(self, f: Any, y: Any) -> Any:
        """`f(base, y)` for every y with every number: `[n, *shape]`."""
        n = self.base.shape[-1]
        y = self._spread(y)
        if y.shape == self.base.shape:  # one entry a number: against all numbers
            columns = [f(jnp.broadcast_to(y[..., j : j + 1], self.base.shape)) for j in range(n)]
            return jnp.moveaxis(jnp.stack(columns, -1), -2, 0)
        return jnp.moveaxis(f(jnp.broadcast_to(y[..., None], self.base.shape)), -1, 0)

    def density(self, y: Any) -> Density:
        score = self._each(lambda v: self.base.density(v)[0], y)
        below = self._each(lambda v: self.base.tail(v), y)
        above = self._each(lambda v: self.base.tail(v, upper=True), y)
        n = len(score)
        terms = []
        for i in range(n):
            rest = [j for j in range(n) if j != i]
            terms.append(score[i] + _pick(_counts(below, above, rest), self.k))
        return log_sum(jnp.stack(terms)), 1

    def tail(self, y: Any, upper: bool = False, strict: bool | None = None) -> Any:
        below = self._each(lambda v: self.base.tail(v), y)
        above = self._each(lambda v: self.base.tail(v, upper=True), y)
        counts = _counts(below, above, list(range(len(below))))
        number = np.arange(len(counts)).reshape(-1, *[1] * len(self.shape))
        hit = (number <= self.k) if upper else (number > self.k)
        return log_sum(jnp.where(hit, counts, -jnp.inf))

    @property
    def ends(self) -> tuple[Any, Any]:
        low, high = self.base.ends
        return (low, high) if np.ndim(low) == 0 and np.ndim(high) == 0 else (-np.inf, np.inf)


def _counts(below: Any, above: Any, which: list[int]) -> Any:
    """log P(exactly j of these are below), `[len(which) + 1, *shape]`."""
    shape = below.shape[1:]
    none = jnp.full((1, *shape), -jnp.inf, below.dtype)
    total = jnp.zeros((1, *shape), below.dtype)
    for i in which:
        total = log_sum(
            jnp.stack(
                [jnp.concatenate([total + above[i][None], none]), jnp.concatenate([none, total + below[i][None]])]
            )
        )
    return total


def _pick(counts: Any, k: Any) -> Any:
    number = np.arange(len(counts)).reshape(-1, *[1] * (counts.ndim - 1))
    return log_sum(jnp.where(number == k, counts, -jnp.inf))


def _continuous(step: Step) -> Random:
    _, r = step.one()
    if r.law is None or not r.deps.independent:
        refuse(r.why or "orders numbers that are not independent")
    assert r.law is not None
    if not is_smooth(r.law):
        refuse("orders numbers that may be equal")
    return r


@rule("top_k")
def _(step: Step) -> Random:
    """The k largest of n numbers of one law, the largest first: n! / (n - k)! prod f(y_i) F(y_k)^(n - k)."""
    r = _continuous(step)
    n, k = r.shape[-1], step.shape[-1]
    assert r.law is not None
    law = r.law
    if step.output != 0 or not r.alike or n > MOST or len(r.shape) != 1 or k == 0:
        refuse(f"is a place, or takes the largest of more than {MOST} numbers, or of numbers of different laws")

    def joint(y: Any) -> Density:
        at = spread(y)
        falling = (y[1:] < y[:-1]).all()
        score = law.density(at)[0][:k].sum() + (law.tail(at)[k:].sum() if k < n else 0.0)
        return jnp.where(falling, score + gammaln(n + 1.0) - gammaln(n - k + 1.0), -jnp.inf), k

    spread = lambda y: jnp.broadcast_to(y[-1:], (n,)).at[:k].set(y)  # noqa: E731
    ordered = Ordered(law, n - 1 - np.arange(n), (n,)).move(lambda v: v[:k], spread, (k,))
    return step.random(r.deps.everywhere(step.shape), law=ordered, joint=joint, smooth=True)


def _places(step: Step) -> Random:
    """argsort: every order of numbers of one law is as likely."""
    _, r = step.one()
    n = step.shape[-1]
    index = step.inputs[1]
    counted = not isinstance(index, jax.core.Tracer) and np.array_equal(np.asarray(index), np.arange(n))
    if not (r.alike and len(step.shape) == 1 and counted and step.params["num_keys"] == 1):
        refuse("is an order of numbers that are not known to have one law")

    def joint(y: Any) -> Density:
        return jnp.where((jnp.sort(y) == np.arange(n)).all(), -gammaln(n + 1.0), -jnp.inf), 0

    mass = jnp.full((n, n), -np.log(n))
    law = Finite([np.full(n, i, step.aval.dtype) for i in range(n)], mass, step.shape, step.aval.dtype)
    return step.random(r.deps.everywhere(step.shape), law=law, joint=joint, smooth=False)


@rule("sort")
def _(step: Step) -> Random:
    if len(step.inputs) == 2 and step.places == [0] and step.output == 1:
        _continuous(step)
        return _places(step)
    if len(step.inputs) != 1 or step.params["dimension"] != len(step.shape) - 1:
        refuse("sorts several arrays, or along an axis that is not the last")
    (first,) = step.randoms
    if first.law is not None and first.law.is_discrete and first.alike and first.deps.independent:
        return _sorted_counts(step, first)
    r = _continuous(step)
    n = step.shape[-1]
    assert r.law is not None
    law = Ordered(r.law, np.arange(n), step.shape) if n <= MOST else None

    def joint(y: Any) -> Density:
        assert r.law is not None
        rising = (y[..., 1:] > y[..., :-1]).all(-1)
        if r.alike:
            score = r.law.density(y)[0].sum(-1) + gammaln(n + 1.0)
        elif n <= PERMUTED:
            terms = []
            for order in itertools.permutations(range(n)):
                back = np.argsort(order)
                terms.append(r.law.density(y[..., np.asarray(back)])[0].sum(-1))
            score = log_sum(jnp.stack(terms))
        else:
            return refuse(f"sorts more than {PERMUTED} numbers that are not known to have one law")
        return jnp.where(rising, score, -jnp.inf), n

    why = f"sorts {n} numbers" if law is None else ""
    return step.random(r.deps.everywhere(step.shape), law=law, why=why, joint=joint, smooth=True)


def _sorted_counts(step: Step, r: Random) -> Random:
    """n numbers of one discrete law: n! over the product of m! for each value that is taken m times."""
    n = step.shape[-1]
    if len(step.shape) != 1:
        refuse("sorts several rows of numbers that may be equal")

    def joint(y: Any) -> Density:
        assert r.law is not None
        place = np.arange(n) - jnp.searchsorted(y, y, side="left") + 1  # 1, 2, ... among those that are equal
        score = r.law.density(y)[0].sum() + gammaln(n + 1.0) - jnp.log(place).sum()
        return jnp.where((y[1:] >= y[:-1]).all(), score, -jnp.inf), 0

    why = "sorts numbers that may be equal"
    return step.random(r.deps.everywhere(step.shape), why=why, joint=joint, smooth=False)


@rule("jit:median")
def _(step: Step) -> Random:
    r = _continuous(step)
    axes = _median_axes(step, r)
    n = int(np.prod([r.shape[a] for a in axes or ()]))
    if axes is None or n % 2 == 0 or n > MOST:
        refuse(f"is a median of an even number, or of more than {MOST} numbers")
    assert r.law is not None and axes is not None
    kept = [a for a in range(len(r.shape)) if a not in axes]
    order = (*kept, *axes)
    rows = lambda x: jnp.transpose(x, order).reshape(*step.shape, n)  # noqa: E731
    back = lambda y: jnp.transpose(y.reshape([r.shape[a] for a in order]), np.argsort(order).tolist())  # noqa: E731
    law = Ordered(r.law.move(rows, back, (*step.shape, n)), n // 2, step.shape)
    return step.random(r.deps.merged(axes), law=law, smooth=True)


def _median_axes(step: Step, r: Random) -> tuple[int, ...] | None:
    """All axes, or the one along which it is the median of an example."""
    if step.shape == ():
        return tuple(range(len(r.shape)))
    with jax.ensure_compile_time_eval():
        example = np.cos(np.arange(np.prod(r.shape)) ** 2).reshape(r.shape).astype(r.dtype)
        found = np.asarray(step.of(jnp.asarray(example)))
    fits = [(a,) for a in range(len(r.shape)) if np.array_equal(np.median(example, a), found)]
    return fits[0] if len(fits) == 1 else None


@rule("argmax", "argmin")
def _(step: Step) -> Random:
    """Numbers of one law are equally likely; Gumbel numbers race by their locations, exponential ones by rate."""
    if step.name == "argmax" and step.randoms[0].dtype == np.bool_ and step.shape == ():
        return _first_true(step)
    r = _continuous(step)
    (axis,) = step.params["axes"]
    n = r.shape[axis]
    assert r.law is not None
    d = r.law.name()
    where = lambda x: jnp.moveaxis(jnp.broadcast_to(jnp.asarray(x), r.shape), axis, 0)  # noqa: E731
    if r.alike:
        logits = jnp.zeros((n, *step.shape))
    elif step.name == "argmax" and isinstance(d, dist.Gumbel) and np.ndim(d.scale) == 0:
        logits = where(d.loc) / d.scale
    elif step.name == "argmin" and isinstance(d, dist.Exponential):
        logits = jnp.log(where(d.rate))
    else:
        refuse("is the place of an extreme of numbers of different laws")
    mass = jax.nn.log_softmax(logits, 0)
    values = [np.full(step.shape, i, step.aval.dtype) for i in range(n)]
    return step.random(r.deps.merged((axis,)), law=Finite(values, mass, step.shape, step.aval.dtype), smooth=False)


def _first_true(step: Step) -> Random:
    """The place of the first True, 0 if there is none: of a few truth values of one draw, as in jnp.select."""
    (r,) = step.randoms
    n = int(np.prod(r.shape))
    if r.law is None or n > MOST:
        refuse(r.why or f"looks for the first of more than {MOST} truth values")
    place: Any = np.zeros((), step.aval.dtype)
    select = rule_of("select_n")
    assert select is not None
    for i in reversed(range(n)):
        known = np.asarray(i, step.aval.dtype)
        which = sharing.constant(sharing.apart(r, i))
        if not isinstance(which, Random):
            place = known if which else place
            continue
        inputs = [which, place, known]
        place = select(Step("select_n", {}, inputs, step.aval, 0, lambda xs: [jax.lax.select_n(*xs)]))
    return step.random(r.deps.merged(tuple(step.params["axes"])), law=place.law, why=place.why, smooth=False)


@rule("cumprod")
def _(step: Step) -> Random:
    place, r = step.one()
    axis, back = step.params["axis"], step.params["reverse"]

    def push(y: Any) -> Any:
        if r.smooth is not True or r.free is not None:
            refuse("is a product of numbers that may have masses, or that follow from each other")
        flip = (lambda v: jnp.flip(v, axis)) if back else (lambda v: v)
        y = flip(jnp.asarray(y))
        before = jnp.concatenate([jnp.ones_like(_first(y, axis)), _but_last(y, axis)], axis)
        sound = before != 0
        safe = jnp.where(sound, before, 1.0)
        return [(place, flip(y / safe))], jnp.where(sound, -jnp.log(jnp.abs(safe)), -jnp.inf)

    deps = r.deps.everywhere(step.shape)
    return step.random(deps, why="multiplies entries", push=push, smooth=True if r.smooth else None)


def _first(y: Any, axis: int) -> Any:
    return jax.lax.slice_in_dim(y, 0, 1, axis=axis)


def _but_last(y: Any, axis: int) -> Any:
    return jax.lax.slice_in_dim(y, 0, y.shape[axis] - 1, axis=axis)
