"""Programs within programs: the bodies of loops and branches are rewritten, and their equation is built again.

What a body is given from around it keeps its meaning: `p = sigmoid(x)` outside of a loop is one inside, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax import jaxprs
from storax.logprob.stabilizing.nodes import Node, conform, outside, several

Rule = Callable[[Callable[..., Any], Any, Sequence[Node], int], "list[Node] | None"]


class Body:
    """A rewritten body.

    Args:
        rewrite: of a jaxpr.
        closed: the body.
        operands: what it is given, None for what changes from step to step.
        level: of the equation that it belongs to.
    """

    def __init__(self, rewrite: Any, closed: Any, operands: Sequence[Node | None], level: int) -> None:
        self.avals = [v.aval for v in closed.jaxpr.outvars]
        self.inputs = [Node("", (), v.aval, level=level + 1) for v in closed.jaxpr.invars]
        for node, operand in zip(self.inputs, operands, strict=True):
            if operand is not None:
                node.meaning, node.number = operand.deep if operand.deep.op else None, operand.deep.number
        self.program = rewrite(closed, self.inputs, level + 1)
        self.taken = outside([*self.program.roots, *self.program.outputs], level + 1)

    @property
    def found(self) -> bool:
        return bool(self.program.found)

    def __call__(self, taken: dict[Node, Any], arguments: Sequence[Any]) -> list[Any]:
        outputs = self.program.run({**taken, **dict(zip(self.inputs, arguments, strict=True))})
        return [conform(x, a) for x, a in zip(outputs, self.avals, strict=True)]


def _again(
    bodies: Sequence[Body], equation: Any, operands: Sequence[Node], level: int, build: Any
) -> list[Node] | None:
    """The nodes of the results, by `build(taken, inputs)`."""
    if not any(b.found for b in bodies):
        return None
    taken = list(dict.fromkeys(node for b in bodies for node in b.taken))
    count = len(operands)

    def run(*values: Any) -> Any:
        return build(dict(zip(taken, values[count:], strict=True)), values[:count])

    avals = [v.aval for v in equation.outvars]
    return several(equation.primitive.name, [*operands, *taken], avals, run, level)


def scan(rewrite: Any, equation: Any, operands: Sequence[Node], level: int) -> list[Node] | None:
    loop = jaxprs.Scan.read(equation.params, operands)
    body = Body(rewrite, loop.body, [*loop.consts, *[None] * (len(loop.carry) + len(loop.xs))], level)

    def build(taken: dict[Node, Any], values: Sequence[Any]) -> list[Any]:
        loop = jaxprs.Scan.read(equation.params, values)

        def step(carry: Any, xs: Any) -> Any:
            outputs = body(taken, [*loop.consts, *carry, *xs])
            return outputs[: len(carry)], outputs[len(carry) :]

        carry, ys = lax.scan(step, loop.carry, loop.xs, loop.length, loop.reverse, loop.unroll)
        return [*carry, *ys]

    return _again([body], equation, operands, level, build)


def while_loop(rewrite: Any, equation: Any, operands: Sequence[Node], level: int) -> list[Node] | None:
    loop = jaxprs.While.read(equation.params, operands)
    if jaxprs.avals(loop.condition)[0].shape:  # jax.vmap went over the loop: one flag a lane
        return None
    changing = [None] * len(loop.carry)
    condition = Body(rewrite, loop.condition, [*loop.condition_consts, *changing], level)
    body = Body(rewrite, loop.body, [*loop.body_consts, *changing], level)

    def build(taken: dict[Node, Any], values: Sequence[Any]) -> list[Any]:
        loop = jaxprs.While.read(equation.params, values)
        return lax.while_loop(
            lambda carry: condition(taken, [*loop.condition_consts, *carry])[0],
            lambda carry: body(taken, [*loop.body_consts, *carry]),
            loop.carry,
        )

    return _again([condition, body], equation, operands, level, build)


def cond(rewrite: Any, equation: Any, operands: Sequence[Node], level: int) -> list[Node] | None:
    _, branches, given = jaxprs.Branches.read(equation.params, operands)
    bodies = [Body(rewrite, b, given, level) for b in branches]

    def build(taken: dict[Node, Any], values: Sequence[Any]) -> list[Any]:
        index, _, given = jaxprs.Branches.read(equation.params, values)
        return lax.switch(index, [lambda xs, b=b: b(taken, xs) for b in bodies], given)

    return _again(bodies, equation, operands, level, build)


def remat(rewrite: Any, equation: Any, operands: Sequence[Node], level: int) -> list[Node] | None:
    params = jaxprs.Remat.read(equation.params)
    body = Body(rewrite, params.body, operands, level)

    def build(taken: dict[Node, Any], values: Sequence[Any]) -> list[Any]:
        def f(given: Any, values: Any) -> list[Any]:
            return body(dict(zip(taken, given, strict=True)), values)

        f = jax.checkpoint(f, policy=params.policy, prevent_cse=params.prevent_cse)
        return f(list(taken.values()), list(values))

    return _again([body], equation, operands, level, build)


def lanes(rewrite: Any, equation: Any, operands: Sequence[Node], level: int) -> list[Node] | None:
    """`sx.vmap`: the lanes stay apart, so its body stays a jaxpr."""
    params = equation.params
    body = Body(rewrite, params["jaxpr"], [None] * len(operands), level)

    def build(taken: dict[Node, Any], values: Sequence[Any]) -> list[Any]:
        one = [jax.ShapeDtypeStruct(x.aval.shape, x.aval.dtype) for x in body.inputs]
        closed = jax.make_jaxpr(lambda *xs: body({}, xs))(*one)
        shared, closed = jaxprs.hoist_constants(closed)
        mapped = (False,) * len(shared) + tuple(params["mapped"])
        values = [jnp.asarray(x) for x in values]
        return list(equation.primitive.bind(*shared, *values, jaxpr=closed, mapped=mapped, size=params["size"]))

    return None if body.taken else _again([body], equation, operands, level, build)


LOOPS: dict[str, Rule] = {
    "scan": scan,
    "while": while_loop,
    "cond": cond,
    "remat2": remat,
    "checkpoint": remat,
    "storax_vmap": lanes,
}
