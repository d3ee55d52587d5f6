"""The patterns: what an equation is replaced by, given where its operands came from.  One small function a pattern."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.logprob.stabilizing import functions
from storax.logprob.stabilizing.nodes import Node, call
from storax.logprob.stabilizing.signs import RESHAPES, is_bounded, is_square, is_tame, same
from storax.logprob.stabilizing.views import is_one, view

Pattern = Callable[[Node], Node | None]


def unmoved(v: Node) -> Node:
    """The node whose elements these are, each of them perhaps several times."""
    v = v.deep
    while v.op in RESHAPES:
        v = v.operands[0].deep
    return v


def logarithm(kind: str) -> Pattern:
    """log v and log1p v, where v is made of exponentials: see `views`."""

    def pattern(v: Node) -> Node | None:
        return view(kind, v.operands[0])

    return pattern


def log_of_square(v: Node) -> Node | None:
    """log(x^2) = 2 log |x|, whose square may overflow; so for every even power."""
    x = v.operands[0].deep
    power = 2 if is_square(x) else x.params["y"] if x.op == "integer_pow" else 1
    if power % 2:
        return None
    return call("mul", lambda y: power * jnp.log(jnp.abs(y)), x.operands[:1], v)


def root_of_square(v: Node) -> Node | None:
    """sqrt(x^2) = |x|."""
    x = v.operands[0].deep
    return Node("abs", x.operands[:1], v.aval, jnp.abs) if is_square(x) else None


def rest(v: Node) -> Node | None:
    """1 - sigmoid(x) = sigmoid(-x), and 1 - exp(x) = -expm1(x)."""
    return view("rest", v.operands[1]) if is_one(v.operands[0]) else None


def normal_cdf(v: Node) -> Node | None:
    """0.5 (1 + erf(w)) near 0, and erfc beyond: `jax.scipy.special.ndtr`, and with it `stats.norm.cdf`.

    It is written well, and only its logarithm is not.
    """
    half, y = (
        (v.operands[0], v.operands[1].deep) if v.operands[0].number == 0.5 else (v.operands[1], v.operands[0].deep)
    )
    if half.number != 0.5 or y.op != "select_n" or len(y.operands) != 3 or y.operands[2].deep.op != "add":
        return None
    near = [x.deep for x in y.operands[2].deep.operands if not is_one(x)]
    if len(near) != 1 or near[0].op != "erf":
        return None
    w = near[0].operands[0].deep
    far, test = y.operands[1].deep, y.operands[0].deep
    if far.op != "select_n" or len(far.operands) != 3 or test.op != "lt" or test.operands[0].deep.op != "abs":
        return None
    above, low, high = (x.deep for x in far.operands)
    is_there = (
        above.op == "gt" and above.operands[1].number == 0 and same(above.operands[0], w)
        and same(test.operands[0].deep.operands[0], w) and low.op == "erfc" and same(low.operands[0], test.operands[0])
        and high.op == "sub" and high.operands[0].number == 2 and same(high.operands[1], low)
    )  # fmt: skip
    if is_there:
        x = _unscaled(w) or call("mul", lambda w: w * math.sqrt(2), [w], v)
        v.meaning = call("ndtr", jax.scipy.special.ndtr, [x], v)
    return None


def _unscaled(w: Node) -> Node | None:
    """x, where w is x sqrt(1/2): nothing is rounded twice."""
    if w.op != "mul":
        return None
    others = [x for x in w.operands if x.number is None or abs(x.number - math.sqrt(0.5)) > 1e-7]
    return others[0] if len(others) == 1 and others[0].aval.shape == w.aval.shape else None


def exp_minus_one(v: Node) -> Node | None:
    """exp(x) - 1 = expm1(x); at -0, where that is -0, it is 0."""
    x = v.operands[0].deep
    if x.op != "exp" or not is_one(v.operands[1]):
        return None
    return Node("expm1", x.operands, v.aval, lambda y: jnp.expm1(y) + 0)


def sigmoid(v: Node) -> Node | None:
    """1 / (1 + exp(-x)) and exp(x) / (1 + exp(x)), which is nan where exp(x) overflows."""
    a, total = (x.deep for x in v.operands)
    if total.op != "add":
        return None
    others = [x for x in total.operands if not is_one(x)]
    if len(others) != 1 or others[0].deep.op != "exp":
        return None
    x = others[0].deep.operands[0]
    if a.op == "exp" and same(a, others[0]):
        return Node("logistic", [x], v.aval, functions.sigmoid)
    if is_one(a) and not is_bounded(x):
        return Node("logistic", [call("neg", lax.neg, [x], x)], v.aval, functions.sigmoid)
    return None


def softmax(v: Node) -> Node | None:
    """exp(x) / sum(exp(x))."""
    a, total = v.operands[0].deep, unmoved(v.operands[1])
    if a.op != "exp" or total.op != "reduce_sum" or not same(a, total.operands[0]):
        return None
    axes = tuple(total.params["axes"])
    if not axes or not _is_beside(v.operands[1].deep, total, axes):
        return None
    x = _unshifted(a.operands[0], axes)
    node = call("softmax", lambda y: functions.softmax(y, axes), [x], v, {"axes": axes})
    if is_tame(a):  # it is written well, and only its logarithm is not
        v.meaning = node
        return None
    return node


def _is_beside(moved: Node, total: Node, axes: tuple[int, ...]) -> bool:
    """Is every sum beside the entries it is of?  Judged by where numbers of one's own place go."""
    size = int(np.prod(total.aval.shape, dtype=int))
    if int(np.prod(total.operands[0].aval.shape, dtype=int)) > 2**22:  # looking would take longer than it is worth
        return False
    path, v = [], moved
    while v is not total:
        if v.op not in RESHAPES:
            return False
        path.append(v)
        v = v.operands[0].deep
    ids = np.arange(size).reshape(total.aval.shape)
    entries = total.operands[0].aval.shape
    wanted = np.broadcast_to(np.expand_dims(ids, axes), entries)
    for step in reversed(path):
        if step.op == "broadcast_in_dim":
            shape = np.ones(len(step.aval.shape), int)
            shape[list(step.params["broadcast_dimensions"])] = ids.shape
            ids = np.broadcast_to(ids.reshape(shape), step.aval.shape)
        elif step.op != "copy":
            ids = ids.reshape(step.aval.shape)
    return bool(np.broadcast_shapes(ids.shape, entries) == entries and (ids == wanted).all())


def _unshifted(z: Node, axes: tuple[int, ...]) -> Node:
    """x, where z is x minus the maximum over these axes: the softmax of both is the same."""
    v = z.deep
    if v.op != "sub":
        return z
    top = unmoved(v.operands[1])
    top = unmoved(top.operands[0]) if top.op == "stop_gradient" else top
    if top.op == "max":  # of it and -inf
        inner = [x for x in top.operands if x.number != -np.inf]
        top = unmoved(inner[0]) if len(inner) == 1 else top
    if top.op != "reduce_max" or tuple(top.params["axes"]) != axes or not same(top.operands[0], v.operands[0]):
        return z
    return v.operands[0]


def ratio_of_exponentials(v: Node) -> Node | None:
    """exp(x) / exp(y) = exp(x - y): the square of exp(y) overflows in the derivative."""
    a, b = (x.deep for x in v.operands)
    if a.op != "exp" or b.op != "exp":
        return None
    return Node("exp", [call("sub", jnp.subtract, [a.operands[0], b.operands[0]], v)], v.aval, jnp.exp)


def guarded(v: Node) -> Node | None:
    """where(p == 0, -inf, log(where(p == 0, 1, p))) is log p; so is it for log1p(-p) at 1."""
    if len(v.operands) != 3:
        return None
    condition, otherwise, then = v.operands
    test = condition.deep
    if test.op != "eq" or then.deep.number != -np.inf:
        return None
    p, end = test.operands
    p, end = (end, p) if p.number is not None else (p, end)
    end = unmoved(end)
    source = otherwise.deep
    kind, argument = source.log_of if source.log_of else ({"log": "log", "log1p": "log1p"}.get(source.op, ""), None)
    argument = argument or (source.operands[0] if source.operands else None)
    if not kind or argument is None:
        return None
    if argument.deep.op == "neg":
        kind, argument = {"log": "log_neg", "log1p": "log1m"}[kind], argument.deep.operands[0]
    argument = argument.deep
    if argument.op == "select_n" and same(argument.operands[0], test):
        argument = argument.operands[1]
    is_there = {"log": 0.0, "log1m": 1.0}.get(kind) == end.number and same(argument, p)
    return view(kind, argument) if is_there else None


PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "log": (logarithm("log"), log_of_square),
    "log1p": (logarithm("log1p"),),
    "mul": (normal_cdf,),
    "sqrt": (root_of_square,),
    "sub": (rest, exp_minus_one),
    "div": (sigmoid, softmax, ratio_of_exponentials),
    "select_n": (guarded,),
}


def replaced(v: Node) -> Node | None:
    """What the node is replaced by, None if it stays."""
    for pattern in PATTERNS.get(v.op, ()):
        better = pattern(v)
        if better is not None:
            return better
    return None
