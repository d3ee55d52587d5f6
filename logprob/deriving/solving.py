"""The joint density of what is observed: settled one observation after another.

An observation is a node and its value.  It is settled if its density is known by itself, because no other observation
shares a draw with it; else its value is pushed back to the operands of its equation, until a draw itself is known, and
with it everything that is computed from it.  What is left are Gaussian observations, scored together, and draws of few
values that several observations share, which are summed out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax import jaxprs
from storax.errors import NotMeasurable, ShapeError
from storax.logprob.deriving import branching, gaussians, loops, parents, preimages, ranges, rows
from storax.logprob.deriving.graphs import Node
from storax.logprob.deriving.laws import Flat, Given, close, is_known
from storax.logprob.deriving.measures import Density, combine
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.walking import Walk, is_scaled, is_weighted

UNROLLED = 32  # values of a shared draw, each of which has its own program
MOST = 4096  # joint values of shared draws that are summed over


class Observation(NamedTuple):
    """A node and its value; `name` is that of the user."""

    node: Node
    value: Any
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or self.node.label


class Settled(NamedTuple):
    """An observation whose draws are not known for it: its density is in `terms[place]`."""

    observation: Observation
    random: Random
    place: int


class Solver:
    """One joint density.

    Args:
        observations: what has a value.
        known: draw -> value, of draws that are scored elsewhere.
        determine: find the values of draws where they follow, also if the density is known without.
    """

    def __init__(
        self, observations: Sequence[Observation], known: dict[Node, Any], call: str, determine: bool = False
    ) -> None:
        self.determine, self.settled = determine, list[Settled]()
        self.loop_whys: dict[int, str] = {}
        self.whys_of: dict[Node, str] = {}
        self.walk = Walk(known)
        self.call = call
        self.terms: list[Density] = []
        self.place_of: dict[Node, tuple[int, tuple[int, ...]]] = {}  # where a term has the density of each entry
        self.left = [self._whole(o) for o in observations]

    def run(self) -> list[Density]:
        """(log density, dimension) in arrays, whose entries sum to the joint log density and its dimension."""
        while self.left:
            if not (
                self._settle_draw()
                or self._settle_known()
                or (self.determine and self._push())
                or self._settle_alone()
                or self._push()
                or self._by_branches()
                or loops.settle(self)
                or parents.settle(self)
                or ranges.settle(self)
                or self._gaussian()
                or (not self._has_scaled() and (preimages.settle(self) or self._sum_out() or rows.settle(self)))
            ):
                self._refuse()
        return self.terms

    def _whole(self, o: Observation) -> Observation:
        """A whole number that is observed as a float is one, or has no density."""
        value, dtype = jnp.asarray(o.value), o.node.aval.dtype
        if jnp.issubdtype(dtype, jnp.floating) or not jnp.issubdtype(value.dtype, jnp.floating):
            return o
        self.terms.append((jnp.where(value == value.astype(dtype), 0.0, -jnp.inf), 0))
        return Observation(o.node, value.astype(dtype))

    def learn(self, draw: Node, value: Any) -> None:
        """The value of a draw is known from here on."""
        self.walk = Walk({**self.walk.known, draw: value}, self.walk)

    def _settle_known(self) -> bool:
        for o in self.left:
            x = self.walk(o.node)
            if isinstance(x, Random):
                continue
            self._drop(o)
            if _depends_on_draws(o.node) and jnp.issubdtype(o.node.aval.dtype, jnp.floating):
                raise NotMeasurable(
                    f"{self.call}: {o.label} is derived from what else has a value, so that both have no joint "
                    f"density. Leave one of them out."
                )
            self.terms.append((jnp.where(close(o.value, x), 0.0, -jnp.inf), 0))
            return True
        return False

    def _settle_draw(self) -> bool:
        for o in sorted(self.left, key=lambda o: o.node.order):
            if o.node.kind != "draw" or o.node in self.walk.known:
                continue
            r = self.walk(o.node)
            if isinstance(r.law, (Given, Flat)):
                if isinstance(r.law, Flat):
                    self.settled.append(Settled(o, r, len(self.terms)))
                self._done(o, r.law.density(jnp.asarray(o.value, r.dtype)), entries=True)
                self.learn(o.node, jnp.asarray(o.value, r.dtype))
                return True
            if _is_plain_draw(o.node, self.walk):
                self._done(o, _score_draw(o, self.walk), entries=True)
                self.learn(o.node, jnp.asarray(o.value, r.dtype))
                return True
        return False

    def _settle_alone(self) -> bool:
        for o in self.left:
            r = self.walk(o.node)
            rest = [self.walk(other.node) for other in self.left if other is not o]
            shared = not all(r.deps.disjoint(x.deps) for x in rest if isinstance(x, Random))
            if not shared and r.joint is not None and not r.deps.independent:
                self.settled.append(Settled(o, r, len(self.terms)))
                self._done(o, r.joint(jnp.asarray(o.value, r.dtype)))
                return True
            if shared or r.law is None or not r.deps.independent:
                continue
            self.settled.append(Settled(o, r, len(self.terms)))
            self._done(o, r.law.density(jnp.asarray(o.value, r.law.dtype)), entries=True)
            return True
        return False

    def hide(self, gone: Sequence[tuple[Observation, Random]]) -> None:
        """These are about to be settled, by the next term."""
        self.settled += [Settled(o, r, len(self.terms)) for o, r in gone]

    def _done(self, o: Observation, density: Density, entries: bool = False) -> None:
        self._drop(o)
        if entries:
            self.place_of[o.node] = len(self.terms), jnp.shape(density[0])
        self.terms.append(density)

    def _drop(self, o: Observation) -> None:
        self.left = [x for x in self.left if x is not o]

    def _by_branches(self) -> bool:
        before, place = [(o, self.walk(o.node)) for o in self.left], len(self.terms)
        if not branching.settle(self):
            return False
        gone = [(o, r) for o, r in before if not any(o is x for x in self.left)]
        self.settled += [Settled(o, dataclasses.replace(r, gaussian=None), place) for o, r in gone]
        return True

    def settle_loop(
        self, group: Sequence[Observation], terms: Sequence[Density], pushed: Sequence[Observation], learned: Any
    ) -> None:
        """Observed outputs of a loop have these densities, and others are known from here on."""
        gone = [(o, dataclasses.replace(self.walk(o.node), gaussian=None)) for o in group]
        self.settled += [Settled(o, r, len(self.terms)) for o, r in gone]
        for o in group:
            self._drop(o)
        self.terms += terms
        self.left += pushed
        self.walk = Walk({**self.walk.known, **learned, **{o.node: jnp.asarray(o.value, r.dtype) for o, r in gone}})

    def settle_together(self, group: Sequence[Observation], density: Density) -> None:
        """Observations have one density together."""
        self.settled += [
            Settled(o, dataclasses.replace(self.walk(o.node), gaussian=None), len(self.terms)) for o in group
        ]
        for o in group:
            self._drop(o)
        self.terms.append(density)

    def _push(self) -> bool:
        whys = []
        for o in self.left:
            r = self.walk(o.node)
            if r.push is None or (r.gaussian is not None and self._is_better_joint(o, r)):
                continue
            try:
                operands, score = r.push(jnp.asarray(o.value, r.dtype))
            except NotMeasurable as error:
                whys.append((o, str(error)))
                continue
            self._done(o, (score, 0))
            self.left += [Observation(operand(o.node, i), v) for i, v in operands]
            return True
        self.whys = whys
        return False

    def _is_better_joint(self, o: Observation, r: Random) -> bool:
        """A Gaussian that is not a bijection of one draw is scored with the others."""
        operands = [self.walk(n) for n in o.node.inputs]
        return sum(isinstance(x, Random) for x in operands) > 1

    def _gaussian(self) -> bool:
        group = [o for o in self.left if self.walk(o.node).gaussian is not None]
        if not group:
            return False
        rest = [self.walk(o.node) for o in self.left if o not in group]
        if not all(self.walk(o.node).deps.disjoint(x.deps) for o in group for x in rest):
            return False
        parts = [(self.walk(o.node).gaussian, o.value) for o in group]
        try:
            score = gaussians.joint_log_prob(parts)
        except NotMeasurable as error:
            labels = ", ".join(dict.fromkeys(o.node.label for o in group))
            raise NotMeasurable(f"{self.call}: {labels} {error}.") from None
        for o in group:
            self.settled.append(Settled(o, self.walk(o.node), len(self.terms)))
            self._drop(o)
        self.terms.append((score, sum(int(np.prod(o.node.shape)) for o in group)))
        return True

    def _has_scaled(self) -> bool:
        """Is a weight among what is left?  A power of a density inside of a sum is not that of the sum."""
        scaled = [o for o in self.left if o.node.kind == "draw" and is_scaled(o.node.site)]
        for o in scaled:
            self.whys_of.setdefault(o.node, f"{o.node.label} has a weight (sx.scale, or the subsample "
                                      f"of a plate), and what it depends on would be summed over")  # fmt: skip
        return bool(scaled)

    def _sum_out(self) -> bool:
        """A draw of one number with few values, behind what is left: sum over them."""
        draws = {d for o in self.left for d in self.walk(o.node).deps}
        for draw in sorted(draws, key=lambda d: d.order):
            if int(np.prod(draw.shape)) != 1 or any(isinstance(self.walk(n), Random) for n in draw.inputs):
                continue
            law = self.walk(draw).law
            few = law.finite if law is not None and law.is_discrete else None
            if few is None or len(few.values) > MOST:
                continue
            values = jnp.stack([jnp.asarray(v) for v in few.values])

            def given(value: Any, draw: Node = draw) -> Any:
                inner = Solver(self.left, {**self.walk.known, draw: value}, self.call)
                return total(inner.run())

            if len(few.values) <= UNROLLED and all(map(is_known, few.values)):  # the rules see the numbers, as 0
                with jax.ensure_compile_time_eval():
                    numbers = [jnp.asarray(v) for v in few.values]
                scores, dims = map(list, zip(*map(given, numbers), strict=True))  # type: Any, Any
            else:
                scores, dims = jax.vmap(lambda v, given=given: [jnp.asarray(x) for x in given(v)])(values)
            mass = few.mass.reshape(-1)
            hidden = [(o, dataclasses.replace(self.walk(o.node), gaussian=None)) for o in self.left]
            self.hide(hidden)
            self.terms.append(combine([(s + m, d) for s, d, m in zip(scores, dims, mass, strict=True)]))
            self.left = []
            return True
        return False

    def _refuse(self) -> None:
        o = self.left[0]
        r = self.walk(o.node)
        why = (
            self.whys_of.get(o.node)
            or (self.loop_whys.get(id(o.node.siblings)) if o.node.siblings else "")
            or r.why
            or next((w for other, w in getattr(self, "whys", []) if other is o), "")
        )
        shared = [x for x in self.left[1:] if not r.deps.disjoint(self.walk(x.node).deps)]
        if not why and shared:
            why = f"shares draws with {shared[0].node.label}, and does not determine them"
        elif not why:
            why = "has entries that are made of the same draws"
        text = why if why.startswith(("`", "an anonymous", "site")) else f"{o.node.label} {why}"
        raise NotMeasurable(
            f"{self.call}: the density cannot be derived: {text}. Give the latent quantity a name with sx.sample, so "
            f"that it is inferred; or integrate it out by hand; or add a rule, sx.logprob.register."
        )


def operand(node: Node, place: Any) -> Node:
    """An operand of an equation, or with several places one of an operand of its own."""
    for i in place if isinstance(place, tuple) else (place,):
        node = node.inputs[i]
    return node


def total(terms: Sequence[Density]) -> Density:
    """The sum of all log densities, -inf where one is, also beside a nan; and the sum of the dimensions.

    A sum of dimensions that are all known is a plain number.
    """
    sums = [jnp.where(jnp.any(t == -jnp.inf), -jnp.inf, jnp.sum(t)) if jnp.ndim(t) else t for t, _ in terms]
    fixed = sum(d * jnp.size(t) for t, d in terms if isinstance(d, int))
    dims = [jnp.sum(jnp.broadcast_to(d, jnp.shape(t))) for t, d in terms if not isinstance(d, int)]
    dim = sum(dims, fixed) if terms else 0
    if len(sums) == 1:
        return sums[0], dim
    impossible: Any = False
    for s in sums:
        impossible = (s == -jnp.inf) | impossible
    return jnp.where(impossible, -jnp.inf, sum(sums, jnp.zeros(()))), dim


def _depends_on_draws(node: Node) -> bool:
    stack, seen = [node], {node}
    while stack:
        n = stack.pop()
        if n.kind == "draw" or (n.kind == "equation" and jaxprs.has_sites(n.equation)):
            return True
        for i in n.inputs:
            if i not in seen:
                seen.add(i)
                stack.append(i)
    return False


def _is_plain_draw(node: Node, walk: Walk) -> bool:
    return node.kind == "draw" and not any(isinstance(walk(n), Random) for n in node.inputs)


def _score_draw(o: Observation, walk: Walk) -> Density:
    site, leaves = o.node.site, [walk(n) for n in o.node.inputs]
    assert site is not None
    f = lambda v, *ls: site.distribution(ls).log_prob(v)  # noqa: E731
    score = site.over_lanes(f, 1)(jnp.asarray(o.value, o.node.aval.dtype), *leaves)
    d = site.distribution(leaves if not site.lanes else site.one_lane(leaves))
    if is_weighted(d) and not o.name and (is_scaled(site) or not site.observed):
        raise NotMeasurable(f"{site.label} has a weight or a mask, which means nothing for a draw whose value follows "
                            f"from another quantity. Take sx.scale and sx.mask off it.")  # fmt: skip
    return score, 0 if d.is_discrete else math.prod(d.event_shape)


def check_shape(value: Any, node: Node, what: str) -> Any:
    """The value in the node's dtype.

    Raises:
        ShapeError: it has another shape.
    """
    value = jnp.asarray(value)
    if value.shape != node.shape:
        raise ShapeError(f"{what} has shape {node.shape}, but was given a value of shape {value.shape}; nothing is "
                         f"broadcast.")  # fmt: skip
    if jnp.issubdtype(node.aval.dtype, jnp.floating) and not jnp.issubdtype(value.dtype, jnp.floating):
        return value.astype(node.aval.dtype)
    return value
