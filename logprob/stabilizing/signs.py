"""What is known of an expression without its numbers: its sign, and whether it has been made safe by hand already."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import numpy as np

from storax.logprob.stabilizing.nodes import DEEPEST, Node

Fact = Callable[[Node], bool]

_POSITIVE = {"exp", "exp2", "logistic", "ndtr", "softmax", "abs", "square", "sqrt", "rsqrt", "cosh", "erfc"}
RESHAPES = frozenset({"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "copy"})
# What only moves elements, of its first operand.
MOVES = RESHAPES | {"transpose", "rev", "slice", "dynamic_slice", "gather", "stop_gradient", "convert_element_type"}
_KEEP = MOVES | {"reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "cumsum", "cumprod", "integer_pow", "mul"}
_KEEP |= {"div", "add", "min", "concatenate", "select_n", "pow", "reduce_precision"}


def fact(f: Fact) -> Fact:
    """A question about what a node means, asked once; False where it would take too long to find out."""

    @functools.wraps(f)
    def known(node: Node) -> bool:
        v = node.deep
        if f.__name__ not in v.facts:
            v.facts[f.__name__] = v.depth <= DEEPEST and f(v)
        return v.facts[f.__name__]

    return known


@fact
def is_nonnegative(v: Node) -> bool:
    """Is it surely not negative (or nan)?"""
    if v.number is not None:
        return v.number >= 0
    if v.op == "constant":
        assert v.run is not None
        value = v.run()
        return not isinstance(value, jax.core.Tracer) and bool((np.asarray(value) >= 0).all())
    if v.op in _POSITIVE or (v.op == "integer_pow" and v.params["y"] % 2 == 0):
        return True
    if v.op == "max" and any(is_nonnegative(x) for x in v.operands):
        return True
    if is_square(v):
        return True
    if v.op == "neg":
        return is_nonpositive(v.operands[0])
    first = {"select_n": 1}.get(v.op, 0)
    last = 1 if v.op in ("gather", "dynamic_slice", "pow") else None
    return v.op in _KEEP and all(is_nonnegative(x) for x in v.operands[first:last])


@fact
def is_nonpositive(v: Node) -> bool:
    """Is it surely not positive (or nan)?"""
    if v.number is not None:
        return v.number <= 0
    return (v.op == "neg" and is_nonnegative(v.operands[0])) or v.op == "log_sigmoid"


@fact
def is_bounded(v: Node) -> bool:
    """Is it not positive, or x minus a maximum over x?  An exponential of it does not overflow."""
    if is_nonpositive(v):
        return True
    if v.op == "select_n":
        return all(is_bounded(x) for x in v.operands[1:])
    if v.op != "sub":
        return False
    tops = [x for x in _sources(v.operands[1]) if x.op in ("max", "reduce_max")]
    inner = [y for top in tops for y in _beneath(top)]
    return any(same(x, y) for x in _sources(v.operands[0]) for y in inner)


def _beneath(top: Node, depth: int = 8) -> list[Node]:
    """What a maximum is one of, also through other maxima."""
    found = [y for x in top.operands for y in _sources(x)]
    return found + [z for y in found if y.op == "max" and depth for z in _beneath(y, depth - 1)]


def _sources(node: Node) -> list[Node]:
    """The nodes whose elements these may be: through movements, choices and maxima with numbers."""
    found: list[Node] = []
    left = [node]
    while left and len(found) < 32:
        v = left.pop().deep
        found.append(v)
        if v.op == "select_n":
            left.extend(v.operands[1:])
        elif v.op in (*RESHAPES, "stop_gradient", "convert_element_type"):
            left.append(v.operands[0])
        elif v.op == "max" and any(x.deep.number is not None for x in v.operands):
            left.extend(v.operands)
    return [v for v in found if v.number is None]


@fact
def is_tame(v: Node) -> bool:
    """Are the exponentials in it at most 1, and one of them 1, as in a log-sum-exp written by hand?"""
    if v.op in ("exp", "exp2"):
        return is_bounded(v.operands[0])
    if v.op == "select_n":
        return any(is_tame(x) for x in v.operands[1:])
    if v.op in ("mul", "div", "convert_element_type", "broadcast_in_dim", "reshape"):
        return any(is_tame(x) for x in v.operands)
    return False


def same(a: Node, b: Node, depth: int = 6) -> bool:
    """Are these surely equal: one node, or the same function of the same nodes?"""
    a, b = a.deep, b.deep
    if a is b or (a.number is not None and a.number == b.number):
        return True
    if depth == 0 or not a.operands or a.op != b.op or len(a.operands) != len(b.operands) or a.aval != b.aval:
        return False
    try:
        alike = bool(a.params == b.params)
    except (TypeError, ValueError):
        return False
    return alike and all(same(x, y, depth - 1) for x, y in zip(a.operands, b.operands, strict=True))


def is_square(v: Node) -> bool:
    """Is it x^2, or x x?"""
    return (
        v.op == "square"
        or (v.op == "integer_pow" and v.params["y"] == 2)
        or (v.op == "mul" and same(v.operands[0], v.operands[1]))
    )
