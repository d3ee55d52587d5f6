"""How the logarithm of an expression is computed without the expression.

A *view* of a node v is another node, that neither overflows nor cancels where v does, and is equal to

    "log"    log v               "log1p"  log(1 + v)           "logit"  log(v / (1 - v))
    "log_neg"  log -v            "log1m"  log(1 - v)           "rest"   1 - v

Only what is made of exponentials has views: for anything else there is none, and the program stays as it is.  Every
rule is exact on the whole domain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax.distributions.special import log1mexp, log_ndtr
from storax.logprob.stabilizing.functions import guarded_log, log_softmax, logsumexp, sigmoid
from storax.logprob.stabilizing.nodes import DEEPEST, Node, call
from storax.logprob.stabilizing.signs import MOVES, is_bounded, is_nonnegative, is_square, is_tame, same

View = Callable[[Node], Node | None]

OPPOSITE = {"log": "log_neg", "log_neg": "log", "log1p": "log1m", "log1m": "log1p"}
PLAIN: dict[str, Callable[[Any], Any]] = {
    "log": lambda v: guarded_log(v, 0),
    "log_neg": lambda v: guarded_log(-v, 0),
    "log1p": lambda v: guarded_log(v, 1),
    "log1m": lambda v: guarded_log(-v, 1),
    "rest": lambda v: 1 - v,
    "logit": lambda v: guarded_log(v, 0) - guarded_log(-v, 1),
}

_OF_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "log": np.log,
    "log_neg": lambda v: np.log(-v),
    "log1p": np.log1p,
    "log1m": lambda v: np.log1p(-v),
    "rest": lambda v: 1 - v,
    "logit": lambda v: np.log(v) - np.log1p(-v),
}


def view(kind: str, node: Node) -> Node | None:
    """The view of a node, None if it has none."""
    node = node.deep
    if kind not in node.views:
        node.views[kind] = _view(kind, node)
    return node.views[kind]


def _view(kind: str, v: Node) -> Node | None:
    if v.number is not None or v.depth > DEEPEST or not jnp.issubdtype(v.aval.dtype, jnp.floating):
        return None
    if v.op in MOVES and v.params.get("fill_value") is None:
        inner = view(kind, v.operands[0])
        return None if inner is None else Node(v.op, (inner, *v.operands[1:]), v.aval, v.run, v.params)
    if v.op in ("select_n", "concatenate"):
        first = int(v.op == "select_n")
        parts = [view(kind, x) for x in v.operands[first:]]
        if all(p is None for p in parts):
            return None
        known = [plain(kind, x) if p is None else p for p, x in zip(parts, v.operands[first:], strict=True)]
        return Node(v.op, (*v.operands[:first], *known), v.aval, v.run, v.params)
    if v.op == "neg" and kind in OPPOSITE:
        return view(OPPOSITE[kind], v.operands[0])
    rule = _VIEWS.get((kind, v.op)) or _VIEWS.get((kind, ""))
    return None if rule is None else rule(v)


def plain(kind: str, v: Node) -> Node:
    """As written."""
    if v.number is not None:
        with np.errstate(all="ignore"):
            number = np.asarray(_OF_NUMBERS[kind](np.float64(v.number)), v.aval.dtype)
        return Node("constant", (), v.aval, lambda: jnp.broadcast_to(number, v.aval.shape), number=float(number))
    return call("plain_" + kind, PLAIN[kind], [v], v)


def _log_tanh(v: Node) -> Node | None:
    """log tanh x = log(1 - exp(-2x)) - log(1 + exp(-2x)), for x that cannot be negative."""
    if not is_nonnegative(v.operands[0]):
        return None
    return call("log_tanh", lambda x: log1mexp(2 * x) - jax.nn.softplus(-2 * x), v.operands, v)


def _normal_logit(x: Any) -> jax.Array:
    return log_ndtr(x) - log_ndtr(-x)


def _of_factors(v: Node) -> Node | None:
    """log(1 - x^2) = log(1 - x) + log(1 + x)."""
    parts = [view(kind, v.operands[0]) for kind in ("log1m", "log1p")] if is_square(v) else [None]
    found = [p for p in parts if p is not None]
    return call("log1m_square", _log1m_square, [*found, v.operands[0]], v) if len(found) == 2 else None


def _log1m_square(log1m: Any, log1p: Any, x: Any) -> jax.Array:
    small = jnp.abs(x) < 0.5  # where both are nearly opposite
    return jnp.where(small, jnp.log1p(-jnp.square(jnp.where(small, x, 0.0))), log1m + log1p)


def _rest_of_tanh(v: Node) -> Node:
    """1 - tanh x = 2 sigmoid(-2x)."""
    share = Node("logistic", [call("mul", lambda x: -2 * x, v.operands, v)], v.aval, sigmoid)
    two = Node("constant", (), v.aval, lambda: jnp.full(v.aval.shape, 2, v.aval.dtype), number=2.0)
    return call("mul", jnp.multiply, [two, share], v)


def _log(v: Node) -> Node:
    seen = view("log", v)
    return plain("log", v) if seen is None else seen


def is_one(v: Node) -> bool:
    return v.number == 1


def _exp(v: Node) -> Node | None:
    return v.operands[0]


def _sigmoid(v: Node) -> Node | None:
    return call("log_sigmoid", jax.nn.log_sigmoid, v.operands, v)


def _failure(v: Node) -> Node | None:
    return call("log_sigmoid", lambda x: jax.nn.log_sigmoid(-x), v.operands, v)


def _two(v: Node) -> tuple[Node, Node] | None:
    """The logarithms of two factors that cannot be negative, where one of them has a view."""
    a, b = v.operands
    if (view("log", a) is None and view("log", b) is None) or not (is_nonnegative(a) and is_nonnegative(b)):
        return None
    return _log(a), _log(b)


def _product(v: Node) -> Node | None:
    logs = _two(v)
    return None if logs is None else call("add", jnp.add, logs, v)


def _quotient(v: Node) -> Node | None:
    share = _log_share(v)
    if share is not None:
        return share
    logs = _two(v)
    return None if logs is None else call("sub", jnp.subtract, logs, v)


def _sum_of_two(v: Node) -> Node | None:
    a, b = v.operands
    if 0.0 in (a.number, b.number) or all(is_tame(x) or x.number is not None for x in (a, b)):
        return None
    logs = _two(v)
    return None if logs is None else call("logaddexp", jnp.logaddexp, logs, v)


def _sum(v: Node) -> Node | None:
    inner = view("log", v.operands[0])
    if inner is None or is_tame(v.operands[0]) or not is_nonnegative(v.operands[0]):
        return None
    axes = tuple(v.params["axes"])
    return call("logsumexp", lambda x: logsumexp(x, axes), [inner], v) if axes else inner


def _of_operand(v: Node, kind: str = "log") -> Node | None:
    """The same primitive on logarithms or logits: a maximum or minimum."""
    parts = [view(kind, x) for x in v.operands]
    # The logarithm of a negative number is nan, and would be the maximum.
    if all(p is None for p in parts) or not all(is_nonnegative(x) for x in v.operands):
        return None
    parts = [
        plain(kind, x) if p is None and x.number is not None else p for p, x in zip(parts, v.operands, strict=True)
    ]
    found = [p for p in parts if p is not None]
    return Node(v.op, found, v.aval, v.run, v.params) if len(found) == len(parts) else None


def _logit_of_gap(v: Node) -> Node | None:
    """Of -expm1(y) = 1 - exp(y), whose complement is exp(y)."""
    x = v.operands[0].deep
    return call("logit", lambda y: log1mexp(-y) - y, x.operands, v) if x.op == "expm1" else None


def _scaled(v: Node, power: float) -> Node | None:
    inner = view("log", v.operands[0])
    return None if inner is None else call("mul", lambda x: power * x, [inner], v)


def _difference(a: Node, b: Node, like: Node) -> Node | None:
    """log(a - b), nan where b is the larger."""
    if is_one(a):
        return view("log1m", b)
    log_a = view("log", a)
    # Of what may be negative the logarithm may be nan, and its derivative, where a `where` has left that out.
    if log_a is None or is_tame(a) or not is_nonnegative(a):
        return None
    if is_one(b):
        return call("log_expm1", log_expm1, [log_a], like)
    log_b = view("log", b)
    if log_b is None or is_tame(b) or not is_nonnegative(b):
        return None
    return call("log_difference", log_difference, [log_a, log_b], like)


def _from_zero(x: Any) -> jax.Array:
    return 0 - x  # and not -x: 1 - exp(0) is 0, not -0


def log_expm1(x: Any) -> jax.Array:
    """log(exp(x) - 1)."""
    return x + log1mexp(x)


def log_difference(x: Any, y: Any) -> jax.Array:
    """log(exp(x) - exp(y))."""
    return x + log1mexp(jnp.where(x == y, 0.0, x - y))


def _log1p(v: Node) -> Node | None:
    if v.op == "sub" and is_one(v.operands[1]):
        return view("log", v.operands[0])
    inner = view("log", v)
    if inner is None or is_bounded(inner) or not is_nonnegative(v):
        return None
    return call("softplus", jax.nn.softplus, [inner], v)


def _log1m(v: Node) -> Node | None:
    if v.op == "sub" and is_one(v.operands[0]):
        return view("log", v.operands[1])
    if (factors := _of_factors(v)) is not None:
        return factors
    inner = view("log", v)
    # The logarithm of a share that is nearly 1 may round to more than 0, and log(1 - v) would be nan.
    if inner is None or v.op in ("div", "add", "reduce_sum") or not is_nonnegative(v):
        return None
    return call("log1mexp", lambda x: log1mexp(-x), [inner], v)


def _other(v: Node) -> Node | None:
    """b, where this is a / (a + b)."""
    a, total = v.operands[0], v.operands[1].deep
    if total.op != "add" or not (is_nonnegative(total.operands[0]) and is_nonnegative(total.operands[1])):
        return None
    first, second = total.operands
    return second if same(a, first) else first if same(a, second) else None


def _log_share(v: Node, flipped: bool = False) -> Node | None:
    """log(a / (a + b)), and flipped log(b / (a + b)): a sigmoid of the difference of the logarithms."""
    other = _other(v)
    if other is None or (view("log", v.operands[0]) is None and view("log", other) is None):
        return None
    logs = [_log(v.operands[0]), _log(other)]
    return call("log_sigmoid", lambda x, y: jax.nn.log_sigmoid(x - y), logs[::-1] if flipped else logs, v)


def _other_share(v: Node) -> Node | None:
    """1 - a / (a + b) = b / (a + b)."""
    other = _other(v)
    if other is None or view("log", v.operands[1]) is None:
        return None
    return Node("div", [other, v.operands[1]], v.aval, v.run)


def _softmax(v: Node) -> Node | None:
    axes = v.params["axes"]
    return call("log_softmax", lambda x: log_softmax(x, axes), v.operands, v)


_VIEWS: dict[tuple[str, str], View] = {
    ("log", "exp"): _exp,
    ("log", "exp2"): lambda v: call("mul", lambda x: x * math.log(2), v.operands, v),
    ("log", "logistic"): _sigmoid,
    ("log", "softmax"): _softmax,
    ("log", "tanh"): _log_tanh,
    ("log1m", "tanh"): lambda v: call("log1m", lambda x: math.log(2) + jax.nn.log_sigmoid(-2 * x), v.operands, v),
    ("log1p", "tanh"): lambda v: call("log1p", lambda x: math.log(2) + jax.nn.log_sigmoid(2 * x), v.operands, v),
    ("rest", "tanh"): _rest_of_tanh,
    ("log", "ndtr"): lambda v: call("log_ndtr", log_ndtr, v.operands, v),
    ("log1m", "ndtr"): lambda v: call("log_ndtr", lambda x: log_ndtr(-x), v.operands, v),
    ("logit", "ndtr"): lambda v: call("logit", _normal_logit, v.operands, v),
    ("rest", "ndtr"): lambda v: call("ndtr", jax.scipy.special.ndtr, [call("neg", lax.neg, v.operands, v)], v),
    ("log", "mul"): _product,
    ("log", "div"): _quotient,
    ("log", "add"): _sum_of_two,
    ("log", "sub"): lambda v: _difference(v.operands[0], v.operands[1], v),
    ("log_neg", "sub"): lambda v: _difference(v.operands[1], v.operands[0], v),
    ("log", "expm1"): lambda v: call("log_expm1", log_expm1, v.operands, v),
    ("log_neg", "expm1"): lambda v: call("log1mexp", lambda x: log1mexp(-x), v.operands, v),
    ("log", "reduce_sum"): _sum,
    ("log", "reduce_prod"): lambda v: (
        None
        if (x := view("log", v.operands[0])) is None or not is_nonnegative(v.operands[0])
        else call("sum", lambda y: jnp.sum(y, tuple(v.params["axes"])), [x], v)
    ),
    ("log", "reduce_max"): _of_operand,
    ("log", "reduce_min"): _of_operand,
    ("log", "max"): _of_operand,
    ("log", "min"): _of_operand,
    ("log", "sqrt"): lambda v: _scaled(v, 0.5),
    ("log", "rsqrt"): lambda v: _scaled(v, -0.5),
    ("log", "square"): lambda v: _scaled(v, 2.0) if is_nonnegative(v.operands[0]) else None,
    ("log", "integer_pow"): lambda v: _scaled(v, v.params["y"]) if is_nonnegative(v.operands[0]) else None,
    ("log", "abs"): lambda v: view("log", v.operands[0]) if is_nonnegative(v.operands[0]) else None,
    ("logit", "logistic"): _exp,
    ("logit", "neg"): _logit_of_gap,
    ("logit", "max"): lambda v: _of_operand(v, "logit"),
    ("logit", "min"): lambda v: _of_operand(v, "logit"),
    ("log1p", "expm1"): _exp,
    ("log1p", ""): _log1p,
    ("log1m", "logistic"): _failure,
    ("log1m", ""): _log1m,
    ("log1m", "div"): lambda v: _log_share(v, flipped=True),
    ("rest", "div"): _other_share,
    ("rest", "logistic"): lambda v: Node("logistic", [call("neg", lax.neg, v.operands, v)], v.aval, sigmoid),
    ("rest", "exp"): lambda v: Node("neg", [Node("expm1", v.operands, v.aval, jnp.expm1)], v.aval, _from_zero),
}
