"""`lax.scan`, of which only what truly recurs is done step by step.

Once the values of its sites are given, the body of a loop has few ways left for one step to reach the next.  For

    x = sample("x", Normal(a * x, s)); h = b * h + x**2; return (x, h)

the carry x is the given values, shifted by one step; only h depends on itself, and stays in a scan of one multiply-add;
whatever else the body computes is done for all steps at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax import jaxprs
from storax.jaxprs import is_literal


def scan(
    step: Callable[..., Any], carry: Sequence[Any], xs: Any, length: int, reverse: bool, unroll: int
) -> tuple[list[Any], Any]:
    """`lax.scan(step, carry, xs, length, reverse, unroll)`, for a list of carries.

    The result is the same up to rounding.  A body with effects stays a scan, as their order means something.
    """
    carry, (leaves, tree) = [jnp.asarray(c) for c in carry], jax.tree.flatten(xs)
    one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in leaves]
    old = [jax.ShapeDtypeStruct(c.shape, c.dtype) for c in carry]
    body = jax.make_jaxpr(lambda c, *x: step(c, jax.tree.unflatten(tree, x)), return_shape=True)
    closed, shape = body(old, *one)
    if closed.effects or length == 0:
        return lax.scan(step, carry, xs, length, reverse, unroll)
    loop = Loop(closed, carry, leaves, length, reverse, unroll)
    loop.find_carries()
    return loop.last, jax.tree.unflatten(jax.tree.structure(shape[1]), loop.outputs())


class Loop:
    """The variables of a loop's body, as far as they are known: `same` in all steps, or `each` with the steps in front.

    `last` are the carries after the loop, None as long as a carry is not known.
    """

    def __init__(
        self, closed: Any, carry: list[Any], xs: Sequence[Any], length: int, reverse: bool, unroll: int
    ) -> None:
        jaxpr, k = closed.jaxpr, len(carry)
        self.closed, self.first, self.length, self.reverse, self.unroll = closed, carry, length, reverse, unroll
        self.same = dict(zip(jaxpr.constvars, closed.consts, strict=True))
        self.each = dict(zip(jaxpr.invars[k:], xs, strict=True))
        self.old, self.new, self.results = jaxpr.invars[:k], jaxpr.outvars[:k], jaxpr.outvars[k:]
        self.last: list[Any] = [None] * k

    def find_carries(self) -> None:
        """Write down what every carry is at the beginning of each step."""
        reads = [self._carries_read_by(j) for j in range(len(self.old))]
        left = {j for j in range(len(self.old)) if not (self._never_changes(j) or self._counts(j))}
        while left:
            ready = [j for j in left if not reads[j] & left]
            for j in ready:
                self._shift(j)
            group = ready or _first_cycles(left, reads)
            if not ready:
                self._recur(group, left)
            left -= set(group)

    def outputs(self) -> list[Any]:
        self.evaluate(self.closed.jaxpr.eqns, self.results)
        return [self._stack(v) for v in self.results]

    def _carries_read_by(self, j: int) -> set[int]:
        _, needed = jaxprs.needed_for(self.closed, [j])
        return {i for i in range(len(self.old)) if needed[i]}

    # --- four kinds of carries

    def _never_changes(self, j: int) -> bool:
        if self.new[j] is not self.old[j]:
            return False
        self.same[self.old[j]] = self.last[j] = self.first[j]
        return True

    def _counts(self, j: int) -> bool:
        """An integer to which every step adds the same: exact, as integers wrap around."""
        stride = jaxprs.stride(self.closed, self.old[j], self.new[j])
        if stride is None or not (is_literal(stride) or stride in self.same):
            return False
        first, by = self.first[j], self._read(stride)
        i = lax.broadcasted_iota(first.dtype, (self.length, *first.shape), 0)
        self.each[self.old[j]] = first + by * (self.length - 1 - i if self.reverse else i)
        self.last[j] = first + by * self.length
        return True

    def _shift(self, j: int) -> None:
        """A carry that follows from what is known already."""
        self.evaluate(jaxprs.needed_for(self.closed, [j])[0], [self.new[j]])
        after, first, n = self._stack(self.new[j]), self.first[j][None], self.length
        begin, end = (1, n) if self.reverse else (0, n - 1)
        kept = lax.slice_in_dim(after, begin, end)
        self.each[self.old[j]] = lax.concatenate([kept, first] if self.reverse else [first, kept], 0)
        self.last[j] = lax.index_in_dim(after, 0 if self.reverse else n - 1, keepdims=False)

    def _recur(self, group: Sequence[int], left: Iterable[int]) -> None:
        """Carries that depend on themselves: a scan over the equations between them, and no others."""
        waiting = {self.old[j] for j in left}
        ready = [e for e in self.closed.jaxpr.eqns if not _spreads(waiting, e)]
        later = [e for e in self.closed.jaxpr.eqns if any(v in waiting for v in e.outvars)]
        made = {v for e in ready for v in e.outvars}
        self.evaluate(ready, [v for v in _free(later, []) if v in made])

        old, new = [self.old[j] for j in group], [self.new[j] for j in group]
        needed, _ = jaxprs.needed_for(self.closed, group)
        inside = set(old)
        before = [e for e in needed if not _spreads(inside, e)]
        recurring = [e for e in needed if any(v in inside for v in e.outvars)]
        self.evaluate(before, [v for v in _free(recurring, new) if v not in inside])
        self._take_along(recurring, inside)

        wanted = self._read_outside(inside, [self.new[j] for j in left if j not in group])
        free = [v for v in _free(recurring, new) if v in self.each]

        def step(carry: Any, slices: Any) -> Any:
            env = {**self.same, **dict(zip(free, slices, strict=True)), **dict(zip(old, carry, strict=True))}
            jaxprs.evaluate_all(recurring, env)
            return [jaxprs.read(env, v) for v in new], [env[v] for v in wanted]

        xs = [self.each[v] for v in free]
        last, stacked = lax.scan(step, [self.first[j] for j in group], xs, self.length, self.reverse, self.unroll)
        self.each.update(zip(wanted, stacked, strict=True))
        for j, value in zip(group, last, strict=True):
            self.last[j] = value

    def _take_along(self, recurring: list[Any], inside: set[Any]) -> None:
        """Equations that make less of what recurs, x[i - 1] of an array x: else x would be kept of every step."""
        for e in self.closed.jaxpr.eqns:
            within = [v for v in e.invars if not is_literal(v) and v in inside]
            if all(v in inside for v in e.outvars) or not within:
                continue
            reachable = all(self._knows(v) or v in inside for v in e.invars)
            if reachable and sum(map(_size, e.outvars)) < max(map(_size, within)):
                recurring.append(e)
                inside.update(e.outvars)

    def _read_outside(self, inside: set[Any], later: Sequence[Any]) -> list[Any]:
        """What the rest of the body, and carries found later, read of these variables."""
        rest = [e for e in self.closed.jaxpr.eqns if not all(v in inside or self._knows(v) for v in e.outvars)]
        read = [*(v for e in rest for v in e.invars), *self.results, *later]
        read = [v for v in read if not is_literal(v) and v in inside]
        return list(dict.fromkeys(read))

    # --- evaluation of all steps at once

    def _knows(self, atom: Any) -> bool:
        return is_literal(atom) or atom in self.same or atom in self.each

    def _read(self, atom: Any) -> Any:
        return jaxprs.read(self.each if not is_literal(atom) and atom in self.each else self.same, atom)

    def _stack(self, atom: Any) -> Any:
        """The variable with the steps in front."""
        value = self._read(atom)
        if not is_literal(atom) and atom in self.each:
            return value
        return jnp.broadcast_to(jnp.asarray(value, atom.aval.dtype), (self.length, *atom.aval.shape))

    def evaluate(self, equations: Sequence[Any], targets: Sequence[Any]) -> None:
        """Find the targets, by the equations that are still needed for them."""
        needed = {v for v in targets if not self._knows(v)}
        todo = []
        for e in reversed(equations):
            if any(v in needed for v in e.outvars):
                todo.append(e)
                needed.update(v for v in e.invars if not self._knows(v))
        # Blocks in turns, all steps at once and one by one, as few as there can be: level 0, 1, 2, ...
        level = dict.fromkeys(self.each, 0)
        blocks: dict[int, list[Any]] = {}
        for e in reversed(todo):
            flags = [not is_literal(v) and v in level for v in e.invars]
            if not any(flags):
                jaxprs.evaluate_all([e], self.same)
                continue
            own = max(level[v] for v, flag in zip(e.invars, flags, strict=True) if flag)
            own += own % 2 != jaxprs.is_sequential(e, flags)
            level.update(dict.fromkeys(e.outvars, own))
            blocks.setdefault(own, []).append(e)
        for own in sorted(blocks):
            self._evaluate_block(blocks[own], one_by_one=own % 2 == 1)

    def _evaluate_block(self, block: Sequence[Any], one_by_one: bool) -> None:
        free = [v for v in _free(block, []) if v in self.each]
        ids = {id(e) for e in block}
        others = [e for e in self.closed.jaxpr.eqns if id(e) not in ids]
        read = {v for e in others for v in e.invars if not is_literal(v)}
        read.update(v for v in (*self.new, *self.results) if not is_literal(v))
        wanted = [v for e in block for v in e.outvars if v in read]

        def step(slices: Any) -> Any:
            env = {**self.same, **dict(zip(free, slices, strict=True))}
            jaxprs.evaluate_all(block, env)
            return [env[v] for v in wanted]

        xs = [self.each[v] for v in free]
        if one_by_one:
            values = lax.scan(lambda _, x: (None, step(x)), None, xs, self.length, unroll=self.unroll)[1]
        else:
            values = jax.vmap(step)(xs)
        self.each.update(zip(wanted, values, strict=True))


def _size(v: Any) -> int:
    return math.prod(v.aval.shape)


def _spreads(tainted: set[Any], equation: Any) -> bool:
    """Does the equation read a tainted variable?  Then what it writes is tainted, too."""
    if not any(not is_literal(v) and v in tainted for v in equation.invars):
        return False
    tainted.update(equation.outvars)
    return True


def _free(equations: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """The variables that come from outside of the equations."""
    made = {v for e in equations for v in e.outvars}
    read = [v for v in (*(v for e in equations for v in e.invars), *outputs) if not is_literal(v)]
    return list(dict.fromkeys(v for v in read if v not in made))


def _first_cycles(left: set[int], reads: Sequence[set[int]]) -> list[int]:
    """Those that depend only on carries that depend on them.

    >>> _first_cycles({0, 1, 2}, [{0, 1}, {0}, {2, 0}])
    [0, 1]
    """
    reach = {j: reads[j] & left for j in left}
    for _ in left:
        reach = {j: r.union(*(reach[i] for i in r)) for j, r in reach.items()}
    return [j for j in sorted(left) if all(j in reach[i] for i in reach[j])]
