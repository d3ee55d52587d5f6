"""A program as a graph of nodes: every value knows what it was computed from.

A node is evaluated only if an output or an effect needs it, so what a pattern has replaced is never computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

DEEPEST = 64


class Node:
    """One value of a program.

    Attributes:
        op: the name of the primitive, or of the stable function, that computes it; "" for an input.
        operands: the nodes that it is computed from.
        params: of the primitive.
        aval: its shape and dtype.
        run: values of the operands -> its value.
        number: the number that all of its elements are, if that is known.
        meaning: another node that is mathematically equal, and says more of where the value comes from.
        level: how many loop bodies and branches are around it.
        depth: how many operations ago the last exponential was; nothing is said of what is deeper than `DEEPEST`.
        log_of: (view, operand), where the node is a logarithm that a pattern has replaced.
        views, facts: what has been found out already, see `views` and `signs`.
    """

    __slots__ = (
        "aval",
        "depth",
        "facts",
        "level",
        "log_of",
        "meaning",
        "number",
        "op",
        "operands",
        "params",
        "run",
        "views",
    )

    def __init__(
        self,
        op: str,
        operands: Sequence[Node],
        aval: Any,
        run: Callable[..., Any] | None = None,
        params: Any = None,
        level: int = 0,
        number: float | None = None,
    ) -> None:
        self.op, self.operands, self.aval, self.run, self.params = op, operands, aval, run, params or {}
        self.level: int = max([level, *(x.level for x in operands)])
        self.number = number
        self.depth: int = (
            0 if op in ("exp", "logistic", "ndtr", "tanh") else 1 + max((x.deep.depth for x in operands), default=0)
        )
        self.facts: dict[str, bool] = {}
        self.meaning: Node | None = None
        self.log_of: tuple[str, Node] | None = None
        self.views: dict[str, Node | None] = {}

    @property
    def deep(self) -> Node:
        """The node that says most of where the value comes from."""
        node = self
        while node.meaning is not None:
            node = node.meaning
        return node


def call(op: str, f: Callable[..., Any], operands: Sequence[Node], like: Node, params: Any = None) -> Node:
    """A node computed by a Python function, of the shape and dtype of another."""
    aval = like.aval

    def run(*values: Any) -> Any:
        return conform(f(*values), aval)

    return Node(op, operands, aval, run, params)


def several(
    name: str, operands: Sequence[Node], avals: Sequence[Any], run: Callable[..., Any], level: int
) -> list[Node]:
    """The nodes of several results, which `run` computes; the last node is all of them together."""
    whole = Node(name, operands, None, run, level=level)
    return [*(Node(f"{name}[{i}]", [whole], a, lambda xs, i=i: xs[i]) for i, a in enumerate(avals)), whole]


def constant(value: Any, aval: Any) -> Node:
    """A node of a known value."""
    number = None
    if not isinstance(value, jax.core.Tracer) and jnp.issubdtype(aval.dtype, jnp.number) and np.size(value) == 1:
        number = float(np.real(np.asarray(value)).reshape(()))
    return Node("constant", (), aval, lambda: value, number=number)


def conform(x: Any, aval: Any) -> Any:
    """The value with this shape and dtype."""
    x = jnp.asarray(x)
    x = x if x.dtype == aval.dtype else x.astype(aval.dtype)
    return x if x.shape == aval.shape else jnp.broadcast_to(x, aval.shape)


def _in_order(wanted: Sequence[Node], is_known: Callable[[Node], bool]) -> Iterator[Node]:
    """The unknown nodes that the wanted ones need, operands first."""
    seen: set[Node] = set()
    stack = [(node, False) for node in reversed(wanted)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen and not is_known(node):
            seen.add(node)
            stack.append((node, True))
            stack.extend((x, False) for x in node.operands)


def evaluate(wanted: Sequence[Node], values: dict[Node, Any]) -> list[Any]:
    """The values of nodes, given those of the inputs; `values` gets all that were computed on the way."""
    for node in _in_order(wanted, values.__contains__):
        assert node.run is not None
        values[node] = node.run(*(values[x] for x in node.operands))
    return [values[node] for node in wanted]


def outside(wanted: Sequence[Node], level: int) -> list[Node]:
    """The nodes of lower levels that the wanted ones of this level need: what a loop body takes from around it."""
    found: dict[Node, None] = {}

    def is_outside(node: Node) -> bool:
        if node.level < level and node.op != "constant":
            found[node] = None
        return node.level < level and node.op != "constant"

    for _ in _in_order(wanted, is_outside):
        pass
    return list(found)
