"""Rules of order: sort, median, argmax, and cumulative products."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

import storax.distributions as dist
from storax.logprob.deriving.images import is_smooth
from storax.logprob.deriving.laws import Density, Finite, Law, log_sum
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.registry import refuse, rule

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


@rule("sort")
def _(step: Step) -> Random:
    if len(step.inputs) != 1 or step.params["dimension"] != len(step.shape) - 1:
        refuse("sorts several arrays, or along an axis that is not the last")
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


@rule("jit:median")
def _(step: Step) -> Random:
    r = _continuous(step)
    n = int(np.prod(r.shape))
    if step.shape != () or n % 2 == 0 or n > MOST:
        refuse(f"is a median of an even number, of more than {MOST} numbers, or along an axis")
    assert r.law is not None
    flat = r.law.move(jnp.ravel, lambda y: jnp.reshape(y, r.shape), (n,))
    law = Ordered(flat, n // 2, ())
    return step.random(r.deps.everywhere(()), law=law, smooth=True)


@rule("argmax", "argmin")
def _(step: Step) -> Random:
    """Numbers of one law are equally likely; Gumbel numbers race by their locations, exponential ones by rate."""
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
