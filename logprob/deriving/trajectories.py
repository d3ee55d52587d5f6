"""The outputs of a `lax.scan` as random arrays: affine functions of all normal draws in it, if they are."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax import jaxprs
from storax.errors import NotMeasurable
from storax.logprob.deriving.algebra import Plain
from storax.logprob.deriving.dependence import Dependence, union
from storax.logprob.deriving.gaussians import Gaussian
from storax.logprob.deriving.graphs import Node, known
from storax.logprob.deriving.laws import Flat
from storax.logprob.deriving.randoms import Random, Step
from storax.logprob.deriving.stepping import Body, stand_in
from storax.logprob.deriving.walking import Walk


def token(node: Node) -> Node:
    """The node that stands for all draws inside of a loop."""
    first = node.siblings[0]
    if not hasattr(first, "loop_token"):
        made = Node("draw", jax.ShapeDtypeStruct((), jnp.result_type(float)), order=first.order)
        ids = Dependence({made: np.zeros(1, int)})
        made.stand_in = Random((), made.aval.dtype, ids, law=Flat((), made.aval.dtype), smooth=True)
        first.loop_token = made  # type: ignore[attr-defined]
    return first.loop_token  # type: ignore[attr-defined]


def scan(step: Step, node: Node, walk: Walk) -> Random:
    """The rule of `lax.scan`: an output of the loop, of which all elements share all draws."""
    inside = Dependence({token(node): np.zeros((*node.shape, 1), int)})
    deps = union([inside, *[r.deps.everywhere(node.shape) for r in step.randoms]], node.shape)
    try:
        path = Path(step, node)
        gaussian, why = path.gaussian(), "has entries that share the draws of a loop"
        smooth = path.smooth()
    except NotMeasurable as error:
        gaussian, smooth, why = None, None, str(error)
    law = None
    if gaussian is not None and int(np.prod(node.shape)) == 1:
        law = _normal(gaussian, node)
    return step.random(deps, law=law, why=why, gaussian=gaussian, affine=gaussian is not None, smooth=smooth)


def _normal(gaussian: Gaussian, node: Node) -> Any:
    import storax.distributions as dist

    sd = jnp.sqrt(jnp.sum(jnp.square(gaussian.matrix()), -1)).reshape(node.shape)
    return Plain(dist.Normal(gaussian.mean, sd), node.shape, node.aval.dtype)


class Path:
    """One output of a loop as a function of its noise."""

    def __init__(self, step: Step, node: Node) -> None:
        self.node, self.body = node, Body(node)
        n, k = len(self.body.consts), self.body.k
        self.consts, self.init, self.xs = step.inputs[:n], step.inputs[n : n + k], step.inputs[n + k :]
        at = node.output
        consts, self.carries, self.slices = self.body.reads([at])
        if any(isinstance(c, Random) and needed for c, needed in zip(self.consts, consts, strict=True)):
            raise NotMeasurable("has a random input that all steps share")
        self.consts = [jnp.zeros(c.shape, c.dtype) if isinstance(c, Random) else c for c in self.consts]
        self.hidden = self._hidden()

    def _nodes(self, carry: Any, xs: Any, hidden: set[int]) -> tuple[list[Node], list[Node], list[Node]]:
        """The nodes of a step: outputs, carries, inputs."""
        avals, inputs = self.body.avals, self.body.closed.in_avals[len(self.consts) + self.body.k :]
        c = [stand_in(avals[j], jnp.zeros(avals[j].shape, avals[j].dtype)) if j in hidden else known(x)
             for j, x in enumerate(carry)]  # fmt: skip
        x = [stand_in(a, jnp.zeros(a.shape, a.dtype)) if isinstance(r, Random) else known(v)
             for r, v, a in zip(self.xs, xs, inputs, strict=True)]  # fmt: skip
        return self.body.graph(self.consts, c, x), c, x

    def _shapes(self) -> tuple[list[Any], list[Any]]:
        carry = self.body.avals[: self.body.k]
        return carry, [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in
                       self.body.closed.in_avals[len(self.consts) + self.body.k :]]  # fmt: skip

    def _look(self, f: Any) -> Any:
        """f(carry, xs) of one step, in shapes only."""
        found: list[Any] = []
        jax.eval_shape(lambda c, x: found.append(f(c, x)), *self._shapes())
        return found[0]

    def _hidden(self) -> set[int]:
        """The carries that are random before some step."""
        hidden = {j for j, r in enumerate(self.init) if self.carries[j] and isinstance(r, Random)}
        while True:

            def more(c: Any, x: Any, now: Any = frozenset(hidden)) -> set[int]:
                outputs, *_ = self._nodes(c, x, set(now))
                walk = Walk({})
                return {j for j in range(self.body.k) if self.carries[j] and isinstance(walk(outputs[j]), Random)}

            new = self._look(more) - hidden
            if not new:
                return hidden
            hidden |= new

    def smooth(self) -> bool | None:
        """Are all elements continuous, given the steps before?"""

        def look(c: Any, x: Any) -> bool | None:
            outputs, *_ = self._nodes(c, x, set())
            r = Walk({})(outputs[self.node.output])
            return r.smooth if isinstance(r, Random) else None

        return self._look(look)

    def gaussian(self) -> Gaussian | None:
        """The output as an affine function of the noise of all steps; None if it is none."""
        used = [r for j, r in enumerate(self.init) if self.carries[j]]
        used += [r for r, needed in zip(self.xs, self.slices, strict=True) if needed]
        outer = [r.gaussian for r in used if isinstance(r, Random)]
        if any(g is None for g in outer) or not self._look(self._is_affine):
            return None
        size = own_size(self.node) // max(self.body.length, 1)
        noise = {d: s for g in outer if g is not None for d, s in g.noise.items()}
        own, length = token(self.node), self.body.length
        own.event_size = size * length  # type: ignore[attr-defined]
        noise[own] = (size * length,)
        fit = lambda r, e: r.gaussian.f(e) if isinstance(r, Random) and r.gaussian is not None else r  # noqa: E731
        blank = lambda r: jnp.zeros(r.shape, r.dtype) if isinstance(r, Random) else r  # noqa: E731

        def f(e: Any) -> Any:
            init = [jnp.asarray(blank(fit(r, e)), a.dtype) for r, a in zip(self.init, self.body.avals, strict=False)]
            xs = [blank(fit(r, e)) for r in self.xs]

            def one(carry: Any, slices: Any) -> Any:
                outs, c, x, values = self._affine(carry, slices[0])
                tokens = {n: v for n, v in zip([*c, *x], [*carry, *slices[0]], strict=True) if n.kind == "draw"}
                return self._advance(outs, values, tokens, carry, slices[1])

            carry, ys = jax.lax.scan(one, init, (xs, e[own].reshape(length, size)), length, self.body.reverse)
            at = self.node.output
            return carry[at] if at < self.body.k else ys

        return Gaussian(noise, f, self.node.aval.dtype)

    def _affine(self, carry: Any, xs: Any) -> Any:
        """Outputs of a step, its carries and inputs, and what the outputs are."""
        outputs, c, x = self._nodes(carry, xs, self.hidden)
        walk = Walk({})
        wanted = [j for j in range(self.body.k) if self.carries[j]] + [self.node.output]
        return outputs, c, x, {i: walk(outputs[i]) for i in wanted}

    def _is_affine(self, carry: Any, xs: Any) -> bool:
        *_, values = self._affine(carry, xs)
        return all(r.gaussian is not None for r in values.values() if isinstance(r, Random))

    def _advance(self, outputs: Any, values: Any, tokens: Any, carry: Any, noise: Any) -> Any:
        e, start = dict(tokens), 0
        for draw, shape in layout(outputs):
            size = int(np.prod(shape))
            e[draw] = noise[start : start + size].reshape(shape)
            start += size
        new = {i: r.gaussian.f(e) if isinstance(r, Random) and r.gaussian is not None else r for i, r in values.items()}
        cast = lambda i, v: jnp.asarray(v, self.body.avals[i].dtype)  # noqa: E731
        at = self.node.output
        return [cast(j, new.get(j, carry[j])) for j in range(self.body.k)], cast(at, new[at])


def layout(outputs: Any) -> list[tuple[Node, tuple[int, ...]]]:
    """The draws of a step with the shapes of their noise, in order: the same for every output of the loop."""
    found: dict[Node, tuple[int, ...]] = {}
    stack, seen = list(outputs), set(outputs)
    while stack:
        n = stack.pop()
        if n.kind == "draw" and n.stand_in is None:
            found[n] = n.shape
        elif n.kind == "equation" and n.equation.primitive.name == "scan" and jaxprs.has_sites(n.equation):
            found[token(n)] = (own_size(n),)
        more = [i for i in n.inputs if i not in seen]
        stack += more
        seen.update(more)
    return sorted(found.items(), key=lambda pair: pair[0].order)


def own_size(node: Node) -> int:
    """How many numbers all steps of a loop draw."""
    body = Body(node)
    n, k = len(body.consts), body.k
    inputs = [stand_in(a) for a in body.closed.in_avals]
    outputs = body.graph([None] * n, inputs[n : n + k], inputs[n + k :])
    return body.length * sum(int(np.prod(shape)) for _, shape in layout(outputs))
