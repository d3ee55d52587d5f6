"""All steps of a loop: the first ones alone, while its carries become what they stay, the others as a scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import recurrences
from storax.errors import NotMeasurable
from storax.logprob.deriving.filtering import moments
from storax.logprob.deriving.gaussians import log_normal
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import close, is_known
from storax.logprob.deriving.measures import Density, log_sum, lowest, slim
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.solving import Observation, Solver
from storax.logprob.deriving.states import MOST_STATES, Kinds, State, Stepper
from storax.logprob.deriving.stepping import Body


class Run:
    """The density of the observed outputs of a loop.

    Args:
        solver: of the program around the loop.
        group: the observations.
        open_start: must the values of random carries before the loop follow from the first step?

    `terms`: densities; `pushed`: observations of the loop's inputs; `learned`: outputs that follow; `consumed`: draws
    before the loop that are integrated out.
    """

    def __init__(self, solver: Solver, group: Sequence[Observation], open_start: bool) -> None:
        self.body, self.walk, self.open_start = Body(group[0].node), solver.walk, open_start
        k = self.body.k
        if len({o.node.output for o in group}) < len(group):
            raise NotMeasurable("has an output that is observed twice")
        self.finals = {o.node.output: o.value for o in group if o.node.output < k}
        ys = {o.node.output - k: o.value for o in group if o.node.output >= k}
        rest = [i for i in range(len(self.body.avals) - k) if i not in ys]
        self.ys = [self._turn(jnp.asarray(v)) for v in ys.values()]
        self.terms: list[Density] = []
        self.pushed: list[Observation] = []
        self.learned: dict[Node, Any] = {}
        self.consumed: set[Node] = set()
        values = [self.walk(n) for n in self.body.consts]
        consts = [None if isinstance(v, Random) else v for v in values]
        self.stepper = Stepper(self.body, consts, list(ys), list(self.finals), rest, type(solver), solver.call)
        if any(isinstance(v, Random) and needed for v, needed in zip(values, self.stepper.needs[0], strict=True)):
            raise NotMeasurable("has a random input that all steps share")
        xs = [self.walk(n) for n in self.body.xs]
        self.xs = [None if isinstance(x, Random) else self._turn(x) for x in xs]

    def _turn(self, x: Any) -> Any:
        return jnp.flip(x, 0) if self.body.reverse else x

    def run(self) -> None:
        if self.body.length == 0:
            self.pushed = [Observation(self.body.carry[j], v) for j, v in self.finals.items()]
            return
        kinds, state = self._start()
        t, done, closed = 0, [], False
        while t < self.body.length:
            planned = kinds if closed else self._planned(kinds, state, t)
            if _is_stable(planned, kinds):
                state, out = self._rest(kinds, state, t)
                done.append(out)
                break
            if t > self.body.k + 2:
                raise NotMeasurable("has carries that are known in some steps and random in others")
            planned, closed = self._closed(planned, t)
            xs, ys = self._slices(t)
            state, *out = self.stepper.step(kinds, planned, state, xs, ys)
            done.append(jax.tree.map(lambda x: jnp.asarray(x)[None], out))
            kinds, t = planned, t + 1
        self._collect(done)
        self._finish(kinds, state)

    # --- before the loop

    def _start(self) -> tuple[Kinds, State]:
        kinds, given, gauss, few = [], [], [], []
        for j, node in enumerate(self.body.carry):
            r, aval = self.walk(node), self.body.avals[j]
            law = r.law.finite if isinstance(r, Random) and r.law is not None and r.law.is_discrete else None
            if not self.stepper.needs[1][j]:
                kinds.append("dead")
            elif not isinstance(r, Random):
                kinds.append("known")
                given.append(np.asarray(r, aval.dtype) if is_known(r) else jnp.asarray(r, aval.dtype))
            elif self.open_start:
                kinds.append("open")
            elif r.gaussian is not None and not any(d.stand_in is not None for d in r.deps):
                kinds.append("gauss")
                gauss.append(r)
            elif law is not None and _has_states(r, law):
                kinds.append("few")
                few.append((r, law))
            else:
                kinds.append("open")
        self.consumed = {d for r in [*gauss, *[r for r, _ in few]] for d in r.deps}
        if len(few) > 1 or (few and gauss):
            raise NotMeasurable("starts from several random carries")
        mean = cov = None
        if gauss:
            mean, _, a = moments(gauss)
            cov = a @ a.T
        values: tuple[Any, ...] = ((),)
        score = jnp.zeros(1)
        if few:
            ((_, law),) = few
            values = tuple((np.asarray(slim(v)).item(),) for v in law.values)
            score = law.log_mass.reshape(len(values), -1)
            score = score[:, 0] if score.shape[1] == 1 else score
            if len(set(values)) < len(values):
                raise NotMeasurable("starts from a carry whose values are listed twice")
        return Kinds(tuple(kinds), values), State(given, mean, cov, score, None)

    # --- steps

    def _slices(self, t: int) -> tuple[list[Any], list[Any]]:
        return [None if x is None else x[t] for x in self.xs], [y[t] for y in self.ys]

    def _planned(self, kinds: Kinds, state: State, t: int) -> Kinds:
        try:
            planned = self._plan(kinds, state, t)
        except NotMeasurable:
            if t:
                raise
            planned = None
        if t == 0 and (planned is None or not _is_stable(planned, kinds)):
            found: list[Kinds] = []  # a known start shows more than one that is traced
            look = lambda ys: found.append(self.stepper.plan(kinds, state, self._slices(0)[0], ys))  # noqa: E731
            jax.eval_shape(look, self._slices(0)[1])
            (planned,) = found
        assert planned is not None
        return planned

    def _plan(self, kinds: Kinds, state: State, t: int) -> Kinds:
        found: list[Kinds] = []
        look = lambda s, xs, ys: found.append(self.stepper.plan(kinds, s, xs, ys))  # noqa: E731
        jax.eval_shape(look, state, *self._slices(t))
        return found[0]

    def _closed(self, kinds: Kinds, t: int) -> tuple[Kinds, bool]:
        """With all values that later steps can reach, and whether the kinds stay what they are."""
        if not kinds.places("few"):
            return kinds, False
        sizes = [self.body.avals[j] for j in kinds.places("known")]
        blank = State([jnp.zeros(a.shape, a.dtype) for a in sizes], None, None, None, None)
        reached = new = dict.fromkeys(kinds.values)
        for _ in range(t + 1, self.body.length):
            later = self._plan(kinds._replace(values=tuple(new)), blank, t + 1)
            if later.of != kinds.of:
                return kinds, False
            new = {v: None for v in later.values if v not in reached}
            if not new:
                break
            reached = reached | new
            if len(reached) > MOST_STATES:
                raise NotMeasurable(f"has carries with more than {MOST_STATES} values")
        return kinds._replace(values=tuple(reached)), True

    def _rest(self, kinds: Kinds, state: State, t: int) -> tuple[State, Any]:
        if state.dim is None and kinds.places("few"):
            after = jax.eval_shape(
                lambda s, xs, ys: self.stepper.step(kinds, kinds, s, xs, ys)[0], state, *self._slices(t)
            )
            if after.dim is not None:
                state = state._replace(dim=jnp.zeros(state.score.shape, int))
        leaves, tree = jax.tree.flatten(state)

        def one(carry: Any, slices: Any) -> Any:
            new, *out = self.stepper.step(kinds, kinds, jax.tree.unflatten(tree, carry), *slices)
            same = [jnp.asarray(a, b.dtype) for a, b in zip(jax.tree.leaves(new), carry, strict=True)]
            return same, out

        xs = [None if x is None else x[t:] for x in self.xs], [y[t:] for y in self.ys]
        last, out = recurrences.scan(one, leaves, xs, self.body.length - t, False, 1)
        return jax.tree.unflatten(tree, last), out

    # --- after the loop

    def _collect(self, done: Sequence[Any]) -> None:
        join = lambda parts: self._turn(jnp.concatenate([jnp.asarray(p) for p in parts]))  # noqa: E731
        self.terms.append((join([d[0][0] for d in done]), join([d[0][1] for d in done])))
        first = done[0][1]
        for name in first:
            if name.startswith("carry"):
                self.pushed.append(Observation(self.body.carry[int(name[5:])], first[name][0]))
            else:
                self.pushed.append(Observation(self.body.xs[int(name[2:])], join([d[1][name] for d in done])))
        for n, i in enumerate(self.stepper.rest):
            if all(d[2][n] is not None for d in done):
                self.learned[self.body.siblings[self.body.k + i]] = join([d[2][n] for d in done])

    def _finish(self, kinds: Kinds, state: State) -> None:
        """What is known of the last carries, and the density of those that are observed."""
        for j, value in zip(kinds.places("known"), state.known, strict=True):
            if j in self.finals and jnp.issubdtype(value.dtype, jnp.floating):
                raise NotMeasurable("has a last carry that is observed, but follows from what else is observed")
            if j in self.finals:
                self.terms.append((jnp.where(close(self.finals[j], value), 0.0, -jnp.inf), 0))
            else:
                self.learned[self.body.siblings[j]] = value
        gauss = [j for j in kinds.places("gauss")]
        sizes = [int(np.prod(self.body.avals[j].shape)) for j in gauss]
        starts = np.cumsum([0, *sizes])
        at = [i for n, j in enumerate(gauss) if j in self.finals for i in range(starts[n], starts[n + 1])]
        if at:
            y = jnp.concatenate([jnp.ravel(jnp.asarray(self.finals[j], state.mean.dtype)) for j in gauss
                                 if j in self.finals])  # fmt: skip
            self.terms.append((log_normal(y, state.mean[np.array(at)], state.cov[np.ix_(at, at)]), len(at)))
        hit = jnp.ones(state.score.shape, bool)
        for n, j in enumerate(kinds.places("few")):
            if j in self.finals:
                column = np.array([v[n] for v in kinds.values]).astype(self.body.avals[j].dtype)
                column = column.reshape(-1, *[1] * (state.score.ndim - 1))
                hit = hit & close(jnp.ravel(jnp.asarray(self.finals[j])), column)
        score = jnp.where(hit, state.score, -jnp.inf)
        self.terms.append((log_sum(score), 0) if state.dim is None else lowest(score, state.dim))


def _has_states(r: Random, law: Any) -> bool:
    """Has each of its numbers, if there are several independent ones, the same few values?"""
    alone = int(np.prod(r.shape)) == 1 or r.deps.independent
    return alone and all(is_known(v) and np.size(slim(v)) == 1 for v in law.values)


def _is_stable(planned: Kinds, kinds: Kinds) -> bool:
    return planned.of == kinds.of and set(planned.values) <= set(kinds.values)
