"""What is known of the carries of a loop between two steps, and how a step changes it.

A carry is known, or jointly Gaussian with others, or has a few values; "open" is a random one from before the loop
whose value has to follow from the first step, and "dead" one that nothing observed depends on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import NotMeasurable
from storax.logprob.deriving.dependence import Dependence
from storax.logprob.deriving.filtering import condition
from storax.logprob.deriving.graphs import Node, known
from storax.logprob.deriving.laws import is_known
from storax.logprob.deriving.measures import log_sum, lowest, slim
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.rows import by_row, rows_of, without
from storax.logprob.deriving.solving import total
from storax.logprob.deriving.stepping import Body, Solved, stand_in
from storax.logprob.deriving.tracking import track
from storax.logprob.deriving.walking import Walk

MOST_STATES = 256
Values = tuple[Any, ...]


class Kinds(NamedTuple):
    """`of`: a word a carry; `values`: what the carries of few values are jointly, one tuple a state."""

    of: tuple[str, ...]
    values: tuple[Values, ...] = ((),)

    def places(self, kind: str) -> list[int]:
        return [j for j, k in enumerate(self.of) if k == kind]


class State(NamedTuple):
    """`known`: arrays, in order; `mean`, `cov`: of the Gaussian ones, flat; `score`, `dim`: of each joint value.

    `dim` is None as long as it is the same for all: then it is a part of the density of each step.
    """

    known: list[Any]
    mean: Any
    cov: Any
    score: Any
    dim: Any


class Stepper:
    """Steps of one body, of which the outputs `observed` have values."""

    def __init__(self, body: Body, consts: Sequence[Any], observed: Sequence[int], finals: Sequence[int],
                 rest: Sequence[int], make: Any, call: str) -> None:  # fmt: skip
        self.body, self.consts, self.observed, self.rest = body, consts, list(observed), list(rest)
        self.make, self.call = make, call
        self.needs = body.reads([*[body.k + i for i in observed], *finals])

    # --- the inputs of a step

    def _inputs(self, kinds: Kinds, few: Sequence[Any], state: State, xs: Sequence[Any]) -> Any:
        carry: list[Node] = []
        given, values, start, tokens = iter(state.known), iter(few), 0, []
        for kind, aval in zip(kinds.of, self.body.avals, strict=False):
            if kind == "known":
                carry.append(known(next(given)))
            elif kind == "few":
                value = next(values)
                value = value if isinstance(value, jax.Array) else np.asarray(value, aval.dtype)  # stays known
                carry.append(known(value if value.shape == aval.shape else np.broadcast_to(value, aval.shape)))
            elif kind == "gauss":
                size = int(np.prod(aval.shape))
                carry.append(stand_in(aval, state.mean[start : start + size].reshape(aval.shape)))
                start += size
                tokens.append(carry[-1])
            else:
                carry.append(stand_in(aval))
        avals = self.body.closed.in_avals[len(self.consts) + self.body.k :]
        nodes = [stand_in(a) if x is None else known(x) for x, a in zip(xs, avals, strict=True)]
        return self.body.graph(self.consts, carry, nodes), carry, nodes, tokens

    def solve(self, kinds: Kinds, few: Sequence[Any], state: State, xs: Sequence[Any], ys: Sequence[Any],
              after: dict[int, Any]) -> Any:  # fmt: skip
        outputs, carry, nodes, tokens = self._inputs(kinds, few, state, xs)
        observed = {self.body.k + i: y for i, y in zip(self.observed, ys, strict=True)} | after
        return Solved(outputs, self.body.k, observed, self.make, self.call), carry, nodes, tokens

    # --- what the carries are after a step

    def plan(self, kinds: Kinds, state: State, xs: Sequence[Any], ys: Sequence[Any]) -> Kinds:
        """What the carries are after a step.

        Raises:
            NotMeasurable: none of the kinds.
        """
        found: dict[int, list[Any]] = {}
        why: NotMeasurable | None = None
        try:
            step, *_ = self.solve(kinds, kinds.values[0], state, xs, ys, {})
        except NotMeasurable as error:
            why = error
        few_before = set(kinds.places("few"))
        out: list[str] = []
        for j in range(self.body.k):
            if not self.needs[1][j]:
                out.append("dead")
                continue
            r = step[j] if why is None else None
            if why is None and not isinstance(r, Random) and not self._reads(j, few_before):
                out.append("known")
            elif why is None and isinstance(r, Random) and r.gaussian is not None:
                out.append("gauss")
            else:
                values = self._values(j, kinds, state, xs)
                follows = not isinstance(r, Random) if why is None else self._is_given(j, kinds, state, xs)
                if values is None and follows:
                    out.append("known")
                elif values is None:
                    raise why or NotMeasurable(f"has a carry (number {j}) that does not follow from what is observed, "
                                               f"is not Gaussian and does not have few values")  # fmt: skip
                else:
                    found[j] = values
                    out.append("few")
        if (found or few_before) and "gauss" in (*out, *kinds.of):
            raise NotMeasurable("has carries without values of which some are Gaussian and some have few values")
        joint = tuple(itertools.product(*[found[j] for j in sorted(found)]))
        if len(joint) > MOST_STATES:
            raise NotMeasurable(f"has carries with more than {MOST_STATES} values")
        return Kinds(tuple(out), joint)

    def _reads(self, j: int, others: set[int]) -> bool:
        from storax import jaxprs

        n = len(self.consts)
        flags = [i - n in others for i in range(len(self.body.closed.jaxpr.invars))]
        return bool(others) and jaxprs.depends_on(self.body.closed, j, flags)

    def _is_given(self, j: int, kinds: Kinds, state: State, xs: Sequence[Any]) -> bool:
        """Is the carry one of the observed outputs, or does it follow from known carries?"""
        outputs, *_ = self._inputs(kinds, kinds.values[0], state, xs)
        at = {outputs[self.body.k + i]: jnp.zeros(outputs[self.body.k + i].shape) for i in self.observed}
        return not isinstance(Walk(at)(outputs[j]), Random)

    def _values(self, j: int, kinds: Kinds, state: State, xs: Sequence[Any]) -> list[Any] | None:
        found: list[Any] = []
        for few in kinds.values:
            outputs, *_ = self._inputs(kinds, few, state, xs)
            r = Walk({})(outputs[j])
            if isinstance(r, Random):
                law = r.law.finite if r.law is not None and r.law.is_discrete else None
                new = law.values if law is not None else None
            else:
                new = [r]
            new = None if new is None else [slim(v) for v in new]
            if new is None or not all(is_known(v) and np.size(v) == 1 for v in new):
                return None
            found += [np.asarray(v).reshape(()).item() for v in new]
        return list(dict.fromkeys(found))

    # --- a step

    def step(self, before: Kinds, after: Kinds, state: State, xs: Sequence[Any], ys: Sequence[Any]) -> Any:
        """The state after it, (log density, dimension), values of open inputs, outputs that follow."""
        if before.values == after.values == ((),):
            state, density, opened, rest = self._one(before, after, state, xs, ys)
            return state, density, opened, rest
        return self._few(before, after, state, xs, ys)

    def _one(self, before: Kinds, after: Kinds, state: State, xs: Any, ys: Any) -> Any:
        step, carry, nodes, tokens = self.solve(before, (), state, xs, ys, {})
        hidden = [step[j] for j in after.places("gauss")]
        given = self._given(step, after)
        mean = cov = None
        if hidden or tokens:
            density, mean, cov = self._filtered(step, tokens, state.cov, hidden)
        else:
            density = total(step.solver.terms)
        opened = self._opened(step, before, carry, nodes)
        rest = [step[self.body.k + i] for i in self.rest]
        follow = [None if isinstance(r, Random) else r for r in rest]
        return State(given, mean, cov, state.score, state.dim), density, opened, follow

    def _filtered(self, step: Any, tokens: Any, cov: Any, hidden: list[Any]) -> Any:
        hidden = [r if isinstance(r, Random) else _certain(r) for r in hidden]
        density, mean, cov = condition(step, tokens, cov, hidden)
        return (density, mean, cov) if hidden else (density, None, None)

    def _given(self, step: Solved, after: Kinds) -> list[Any]:
        values = [step[j] for j in after.places("known")]
        if any(isinstance(v, Random) for v in values):
            raise NotMeasurable("has a carry that follows from what is observed only in some steps")
        return [jnp.asarray(v, self.body.avals[j].dtype) for j, v in zip(after.places("known"), values, strict=True)]

    def _opened(self, step: Solved, before: Kinds, carry: Sequence[Node], nodes: Sequence[Node]) -> dict[str, Any]:
        """Values found for what came in without one: ("carry", j), ("xs", i)."""
        out = {}
        open_carry = [("carry", j, carry[j], self.needs[1][j]) for j in before.places("open")]
        open_xs = [("xs", i, n, self.needs[2][i]) for i, n in enumerate(nodes) if n.kind == "draw"]
        for kind, i, node, needed in [*open_carry, *open_xs]:
            if needed:
                value = step.walk(node)
                if isinstance(value, Random):
                    raise NotMeasurable("has a random input whose value does not follow from what is observed")
                out[f"{kind}{i}"] = value
        return out

    def _few(self, before: Kinds, after: Kinds, state: State, xs: Any, ys: Any) -> Any:
        """The forward algorithm: from each joint value to each."""
        places = after.places("few")

        fixed: list[Any] = []

        rows, size = self._rows(before, after, state, xs, ys)

        def pair(few: Any, to: Any) -> Any:
            step, carry, nodes, _ = self.solve(before, few, state, xs, ys, dict(zip(places, to, strict=True)))
            score, dim = total(step.solver.terms) if size == 1 else by_row(step.solver.terms, rows, size)
            fixed.append(dim)
            dim = None if isinstance(dim, int) else dim
            others = total(without(step.solver.terms, rows)) if size > 1 else (jnp.zeros(()), 0)
            return (
                (score, dim),
                [jnp.asarray(x) for x in others],
                self._given(step, after),
                self._opened(step, before, carry, nodes),
            )

        many = pair
        if after.values != ((),):
            many = jax.vmap(many, in_axes=(None, 0), out_axes=(0, None, None, None))
        else:
            many = jax.vmap(lambda few, _: pair(few, ()), in_axes=(None, 0), out_axes=(0, None, None, None))
        many = jax.vmap(many, in_axes=(0, None), out_axes=(0, None, None, None))
        try:
            (score, dim), others, given, opened = many(self._arrays(before), self._arrays(after))
        except ValueError as error:
            if "out_axes" not in str(error):
                raise
            raise NotMeasurable("has a carry that depends on another one of few values that are not given") from None
        old = state.score[:, None] if state.score.ndim == score.ndim - 1 else state.score[:, None, None]
        score = old + score
        if dim is None and state.dim is None:
            new = State(given, None, None, log_sum(score), None)
            density = others[0], fixed[0] * size + others[1]
            return new, density, opened, [None] * len(self.rest)
        zero = jnp.zeros((len(before.values), 1), int) if size == 1 else jnp.zeros((len(before.values), 1, size), int)
        dims = (zero if state.dim is None else state.dim[:, None]) + (fixed[0] if dim is None else dim)
        new = State(given, None, None, *lowest(score, dims))
        return new, tuple(others), opened, [None] * len(self.rest)

    def _size(self, *kinds: Kinds) -> int:
        """How many chains of states run side by side, each with a row of the arrays."""
        sizes = {int(np.prod(self.body.avals[j].shape)) for k in kinds for j in k.places("few")} or {1}
        if len(sizes) > 1:
            raise NotMeasurable("has carries of few values of which some have more rows than others")
        return sizes.pop()

    def _rows(self, before: Kinds, after: Kinds, state: State, xs: Any, ys: Any) -> tuple[list[Any], int]:
        """Which chain each entry of a step's log densities belongs to.

        Raises:
            NotMeasurable: to several.
        """
        size = self._size(before, after)
        if size == 1:
            return [], 1
        shapes = [[jax.ShapeDtypeStruct(self.body.avals[j].shape, self.body.avals[j].dtype) for j in k.places("few")]
                  for k in (before, after)]  # fmt: skip
        blank = lambda xs: [None if x is None else jnp.asarray(x) for x in xs]  # noqa: E731

        def terms(few: Any, to: Any) -> list[Any]:
            after_ = dict(zip(after.places("few"), to, strict=True))
            step, *_ = self.solve(before, few, state, blank(xs), blank(ys), after_)
            return [jnp.asarray(s) for s, _ in step.solver.terms]

        closed = jax.make_jaxpr(terms)(*shapes)
        chains = object()
        ids = [Dependence({chains: np.arange(size).reshape(*v.aval.shape, 1)}) for v in closed.jaxpr.invars]
        out = zip(track(closed, ids), closed.jaxpr.outvars, strict=True)
        return [rows_of(d, chains, v.aval.shape) for d, v in out], size

    def _arrays(self, kinds: Kinds) -> list[Any]:
        if not kinds.places("few"):
            return [jnp.zeros(1)]
        columns = zip(*kinds.values, strict=True)
        spread = lambda c, a: jnp.broadcast_to(c.reshape(-1, *[1] * len(a.shape)), (len(c), *a.shape))  # noqa: E731
        return [spread(jnp.asarray(np.array(c), self.body.avals[j].dtype), self.body.avals[j])
                for j, c in zip(kinds.places("few"), columns, strict=True)]  # fmt: skip


def _certain(value: Any) -> Random:
    """A known array as a Gaussian one."""
    from storax.logprob.deriving.dependence import Dependence
    from storax.logprob.deriving.gaussians import Gaussian

    value = jnp.asarray(value)
    return Random(value.shape, value.dtype, Dependence({}), gaussian=Gaussian({}, lambda e: value, value.dtype))
