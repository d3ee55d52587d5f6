"""Where the parameters of a site came from, for the score of its distribution.

`Bernoulli(probs=sigmoid(x))` is scored far from the line that computed the sigmoid: after a loop has stacked it, or
together with other sites.  So the site takes its parameter's logit, or logarithm, along.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core as jex

from storax.handlers.giving import Giver
from storax.logprob.stabilizing.nodes import Node
from storax.logprob.stabilizing.rewriting import SiteRule, inputs_of, rewrite
from storax.logprob.stabilizing.signs import MOVES
from storax.logprob.stabilizing.views import view
from storax.models import Model
from storax.primitives import Site, mark_p, observe_p
from storax.staging import Staged


@dataclasses.dataclass(frozen=True)
class Origins:
    """What the operands of a site after its distribution's leaves say.

    Args:
        pairs: for each of them, which leaf it belongs to, the function, "exp" or "logistic", that gives the leaf, and
            whether that is how the program computed it, bit by bit: then the leaf itself need not be computed.
    """

    pairs: tuple[tuple[int, str, bool], ...]

    def keep(self, kept: Sequence[int], leaves: Sequence[Any]) -> tuple[Origins | None, list[int]]:
        """Those of the leaves that are kept, and where they are among the operands."""
        first = len(leaves) - len(self.pairs)
        left = [i for i, pair in enumerate(self.pairs) if pair[0] in kept]
        pairs = tuple((list(kept).index(self.pairs[i][0]), *self.pairs[i][1:]) for i in left)
        return (Origins(pairs) if pairs else None), [first + i for i in left]

    def log_prob(self, site: Site, value: Any, leaves: Sequence[Any]) -> Any:
        """Log density of one lane, computed from what the parameters were computed from."""
        count = site.tree.num_leaves
        own, given = list(leaves[:count]), leaves[count:]
        for (leaf, op, exact), x in zip(self.pairs, given, strict=True):
            own[leaf] = _FUNCTIONS[op](x) if exact else jnp.asarray(own[leaf])
        traced = [i for i, x in enumerate([value, *own]) if isinstance(x, jax.core.Tracer) or i - 1 in self._leaves]

        def score(*arrays: Any) -> Any:
            operands = [value, *own]
            for i, x in zip(traced, arrays, strict=True):
                operands[i] = x
            return site.distribution(operands[1:]).log_prob(operands[0])

        arrays = [[value, *own][i] for i in traced]
        closed = jax.make_jaxpr(score)(*arrays)
        inputs = inputs_of(closed)
        values = dict(zip(inputs, arrays, strict=True))
        for (leaf, op, _), x in zip(self.pairs, given, strict=True):
            node = inputs[traced.index(leaf + 1)]
            source = Node("", (), node.aval)
            node.meaning = Node(op, [source], node.aval, _FUNCTIONS[op])
            values[source] = x
        program = rewrite(closed, inputs)
        if not program.found:
            return jex.jaxpr_as_fun(closed)(*arrays)[0]
        return program.run(values)[0]

    @property
    def _leaves(self) -> frozenset[int]:
        return frozenset(leaf for leaf, *_ in self.pairs)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"exp": lax.exp, "logistic": lax.logistic}


def is_computed_by(op: str, v: Node) -> bool:
    """Are the elements those of such an equation, moved at most?"""
    dtype = v.aval.dtype
    while v.op in MOVES and v.aval.dtype == dtype:
        v = v.operands[0].deep
    return v.op == op and v.aval.dtype == dtype


def origin(leaf: Node) -> tuple[str, Node] | None:
    """("logistic", x) where the leaf is sigmoid(x), ("exp", x) where it is exp(x); None where it is neither."""
    v = leaf.deep
    if not jnp.issubdtype(leaf.aval.dtype, jnp.floating):
        return None
    log_p = view("log", v)
    if log_p is not None:
        logits = view("logit", v)
        return ("exp", log_p) if logits is None else ("logistic", logits)
    logits = view("logit", v)
    return None if logits is None else ("logistic", logits)


def site_rule(is_overridden: Callable[[str], bool]) -> SiteRule:
    """A site with parameters made of exponentials takes along what they were made of; a mark is what it names."""

    def rule(equation: Any, operands: Sequence[Node], node: Node, level: int) -> Node | None:
        site = equation.params["site"]
        primitive, aval = equation.primitive, equation.outvars[0].aval
        if primitive is mark_p and not is_overridden(site.name):
            node.meaning = operands[0].deep if operands[0].deep.op else None
        if site.tree is None:
            return None
        first = int(primitive is observe_p)
        count = site.tree.num_leaves
        if site.origins is not None or not count:
            return None
        found = [(i, o) for i, x in enumerate(operands[first : first + count]) if (o := origin(x)) is not None]
        if not found:
            return None
        pairs = tuple((i, op, is_computed_by(op, operands[first + i].deep)) for i, (op, _) in found)
        lanes = tuple((n, (*mapped, *(mapped[first + i] for i, *_ in pairs))) for n, mapped in site.lanes)
        new = site.replace(origins=Origins(pairs), lanes=lanes)
        return Node(primitive.name, [*operands, *(x for _, (_, x) in found)], aval,
                    lambda *xs: primitive.bind(*xs, site=new), level=level)  # fmt: skip

    return rule


def stabilized(model: Model, staged: Staged) -> Staged:
    """A model's program, rewritten for its density; the same one if there is nothing to rewrite."""
    given = frozenset(name for h in model.handlers if isinstance(h, Giver) for name in h.values)
    if any(isinstance(c, jax.core.Tracer) for c in staged.closed.consts):  # of a trace that will be over
        closed = _rewrite(staged.closed, given)
    else:
        key = given, tuple(map(id, staged.closed.consts))
        known = _rewritten.setdefault(staged.closed.jaxpr, {})
        if key not in known:
            known[key] = list(staged.closed.consts), _rewrite(staged.closed, given)  # kept, so that ids stay theirs
        closed = known[key][1]
    return staged if closed is None else staged._replace(closed=closed)


_rewritten: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


def _rewrite(closed: Any, given: frozenset[str]) -> Any:
    """The program rewritten, None if there is nothing to rewrite."""
    # A scope further out may have put something before the name.
    rule = site_rule(lambda name: any(g.endswith(name) for g in given))
    inputs = inputs_of(closed)
    program = rewrite(closed, inputs, site_rule=rule)
    if not program.found:
        return None
    with jax.disable_jit(False):
        return jax.make_jaxpr(lambda *xs: program.run(dict(zip(inputs, xs, strict=True))))(*closed.in_avals)
