"""A program as a graph: nodes are draws, equations and known arrays; calls are taken apart."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core as jex

from storax import jaxprs
from storax.errors import NotMeasurable
from storax.logprob.deriving import naming
from storax.primitives import Site, mark_p, observe_p, sample_p
from storax.surveying import survey

_order = itertools.count()


@dataclasses.dataclass(eq=False)
class Node:
    """One array of the program.

    Args:
        kind: "known", "draw" or "equation".
        aval: shape and dtype.
        inputs: the nodes it is computed from; of a draw, the leaves of its distribution.
        value: of a known node.
        equation: of an equation, or of a call that is not taken apart.
        output: which output of the equation.
        site: of a draw.
        order: its place in the program.
        siblings: the nodes of all outputs of the equation.
        stand_in: of a draw that stands for the input of a loop's body: the `Random` that it is.
    """

    kind: str
    aval: Any
    inputs: Sequence[Node] = ()
    value: Any = None
    equation: Any = None
    output: int = 0
    site: Site | None = None
    order: int = dataclasses.field(default_factory=lambda: next(_order))
    siblings: Sequence[Node] = ()
    stand_in: Any = None

    def __lt__(self, other: Node) -> bool:
        return self.order < other.order

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.aval.shape)

    @property
    def label(self) -> str:
        """What the node is, in an error message."""
        if self.site is not None:
            return self.site.label
        return describe(self.equation) if self.equation is not None else "a known array"


def known(value: Any) -> Node:
    return Node("known", jax.ShapeDtypeStruct(jnp.shape(value), jnp.result_type(value)), value=value)


@dataclasses.dataclass
class Graph:
    """`outputs`: the nodes of the program's outputs; `marks`: those with a name; `observed`: (node, value)."""

    outputs: list[Node]
    marks: dict[str, Node]
    observed: list[tuple[Node, Any]]
    draws: dict[str, Node]


def read(closed: Any, arguments: Sequence[Node], named: Iterable[str] = ()) -> Graph:
    """The graph of a program.

    Args:
        closed: its jaxpr.
        arguments: one node an input.
        named: calls that are kept whole because there is a rule of that name, as `jit:softplus`.
    """
    graph = Graph([], {}, [], {})
    graph.outputs = _Reader(graph, frozenset(named)).run(closed, list(arguments))
    return graph


class _Reader:
    def __init__(self, graph: Graph, named: frozenset[str]) -> None:
        self.graph, self.named = graph, named
        self.made: dict[Any, list[Node]] = {}

    def run(self, closed: Any, arguments: list[Node]) -> list[Node]:
        jaxpr = closed.jaxpr
        env = dict(zip(jaxpr.constvars, map(known, closed.consts), strict=True))
        env |= dict(zip(jaxpr.invars, arguments, strict=True))
        look = lambda v: known(v.val) if isinstance(v, jex.Literal) else env[v]  # noqa: E731
        for equation in jaxpr.eqns:
            env.update(zip(equation.outvars, self.step(equation, [look(v) for v in equation.invars]), strict=True))
        return [look(v) for v in jaxpr.outvars]

    def step(self, equation: Any, inputs: list[Node]) -> list[Node]:
        primitive, avals = equation.primitive, [v.aval for v in equation.outvars]
        if primitive is mark_p or (primitive is observe_p and equation.params["site"].tree is None):
            return [self.mark(equation, inputs)]
        if primitive in (sample_p, observe_p):
            return [self.draw(equation, inputs, avals[0])]
        if primitive.name == "cond" and not self.is_plain(equation, inputs):
            return self.either(equation, inputs)
        if primitive.name in jaxprs.TRANSPARENT and call_name(equation) not in self.named:
            return self.run(jaxprs.callee(equation.params), inputs)
        if jaxprs.has_sites(equation) and (primitive.name == "storax_vmap" or naming.names_inside(equation)):
            return self.named_inside(equation, inputs)
        key = self._key(equation, inputs)
        if key not in self.made:  # the same equation of the same arrays is one quantity
            nodes = [Node("equation", a, inputs, equation=equation, output=i) for i, a in enumerate(avals)]
            for node in nodes:
                node.siblings = nodes
            if jaxprs.has_sites(equation):
                return nodes
            self.made[key] = nodes
        return self.made[key]

    def named_inside(self, equation: Any, inputs: list[Node]) -> list[Node]:
        """A loop with names inside is one that returns them; `sx.vmap` is one draw for all lanes."""
        found = naming.returned(equation)
        closed, needed = found.data
        data = iter(self.run(closed, [n for n, used in zip(inputs, needed, strict=True) if used]))
        nodes = self.run(found.closed, inputs)
        own = len(equation.outvars)
        for (site, is_draw, is_observed), node in zip(found.sites, nodes[own:], strict=True):
            if is_observed:
                self.graph.observed.append((node, next(data)))
            if site.name:
                (self.graph.draws if is_draw else self.graph.marks)[site.name] = node
        return nodes[:own]

    def is_plain(self, equation: Any, inputs: list[Node]) -> bool:
        return not jaxprs.has_sites(equation) and all(n.kind == "known" for n in inputs)

    def either(self, equation: Any, inputs: list[Node]) -> list[Node]:
        """A cond is a choice among what its branches return: all of them are part of the program."""
        parts = jaxprs.Branches.read(equation.params, inputs)
        names = {s for b in parts.branches for s in survey(b) if not s.startswith("#")}
        if names:
            raise NotMeasurable(f"{describe(equation)} has the named site {sorted(names)[0]!r} in a branch of a "
                                f"lax.cond: beside anonymous draws, names must be outside of branches.")  # fmt: skip
        results = [self.run(b, parts.operands) for b in parts.branches]
        k = len(parts.branches) - 1

        def choose(i: Any, *cases: Any) -> Any:
            return lax.select_n(lax.clamp(np.int32(0), i, np.int32(k)), *cases)

        out: list[Node] = []
        for cases in zip(*results, strict=True):
            nodes = [parts.index, *cases]
            shapes = [jax.ShapeDtypeStruct(n.aval.shape, n.aval.dtype) for n in nodes]
            closed = jax.make_jaxpr(choose)(*shapes)
            out += self.run(closed, nodes) if len(cases) > 1 else [cases[0]]
        return out

    def mark(self, equation: Any, inputs: list[Node]) -> Node:
        site = equation.params["site"]
        if equation.primitive is observe_p:
            value, node = inputs
            self.graph.observed.append((node, value.value))
        else:
            (node,) = inputs
        self.graph.marks[site.name] = node
        return node

    def draw(self, equation: Any, inputs: list[Node], aval: Any) -> Node:
        site = equation.params["site"]
        if equation.primitive is observe_p:
            value, *inputs = inputs
            site = site.drop_value()
        node = Node("draw", aval, inputs, site=site)
        if equation.primitive is observe_p:
            self.graph.observed.append((node, value))
        if site.name:
            self.graph.draws[site.name] = node
        return node

    def _key(self, equation: Any, inputs: list[Node]) -> Any:
        def literal(n: Node) -> Any:
            x = n.value
            small = n.kind == "known" and not isinstance(x, jax.core.Tracer) and np.ndim(x) == 0
            return (str(jnp.result_type(x)), repr(np.asarray(x).item())) if small else id(n)

        try:
            params = tuple(sorted((k, v) for k, v in equation.params.items()))
            hash(params)
        except TypeError:
            params = (id(equation),)  # type: ignore[assignment]
        self.kept = [*getattr(self, "kept", []), inputs]  # ids stay theirs
        return equation.primitive.name, params, tuple(map(literal, inputs))


def call_name(equation: Any) -> str:
    """`exp`; `jit:softplus`, `custom_jvp_call:logit` for the functions of JAX itself."""
    name = equation.primitive.name
    if name not in jaxprs.TRANSPARENT:
        return str(name)
    info = getattr(jaxprs.callee(equation.params).jaxpr.debug_info, "func_src_info", None) or ""
    return f"{name}:{info.split(' ')[0]}" if "/jax/" in info.replace("\\", "/") else str(name)


def describe(equation: Any) -> str:
    """The primitive, and the user's line."""
    where = jaxprs.user_line_of(equation)
    return f"`{call_name(equation)}`" + (f" ({where})" if where else "")
