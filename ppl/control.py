"""How handlers travel through JAX's control flow.

A rule gets `run(contexts, jaxpr, args) -> (outputs, records)`, which interprets a jaxpr under all handlers, and
rebuilds its control-flow equation around it: contexts flow in as extra inputs, records flow out as extra outputs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax import jaxprs, recurrences
from storax.effects import Context, Handler, Record
from storax.errors import ControlFlowError, ModelError
from storax.surveying import survey, views

Outcome = tuple[list[Any], list[dict[str, Any]]]  # ordered dicts: JAX sorts the keys of plain ones
Rule = Callable[[Callable[..., Outcome], Sequence[Handler], Sequence[Context], Any, Sequence[Any]], Outcome]


def given_inside(handlers: Sequence[Handler], contexts: Sequence[Context], body: Any) -> list[dict[str, Any]]:
    """Per handler, the given values that belong to sites of this loop body."""
    seen = views(handlers, survey(body))
    return [{n: c.given[n] for n in sites if n in c.given} for sites, c in zip(seen, contexts, strict=True)]


def scan_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    loop = jaxprs.Scan.read(equation.params, inputs)
    fixed = [True] * len(loop.consts) + [False] * (len(loop.carry) + len(loop.xs))
    moved, body = jaxprs.hoist_invariants(loop.body, fixed, loop.consts)
    given = given_inside(handlers, contexts, body)
    invariant = Invariants([*moved, *loop.consts])

    def step(carry: Any, x: Any) -> Any:
        i, xs, given = x
        inner = [c.step(i, g) for c, g in zip(contexts, given, strict=True)]
        outputs, records = run(inner, body, [*moved, *loop.consts, *carry, *xs])
        return outputs[: len(carry)], (outputs[len(carry) :], invariant.remove(records, i))

    scan = lax.scan if any(h.draws for h in handlers) else recurrences.scan
    carry, (ys, records) = scan(
        step, loop.carry, (jnp.arange(loop.length), loop.xs, given), loop.length, loop.reverse, loop.unroll
    )
    return [*carry, *ys], invariant.restore(records, loop.length)


class Invariants:
    """Parameters that no iteration changes: kept out of what a loop stacks.

    Stacking them would hold, and later factorise, one covariance matrix a time step.
    """

    def __init__(self, consts: Sequence[Any]) -> None:
        self.consts = consts
        self.kept: dict[tuple[int, str], list[Any]] = {}

    def is_invariant(self, leaf: Any, index: Any) -> bool:
        if any(leaf is c for c in self.consts):
            return True
        # What is known while the loop is traced is the same in all iterations; under jax.disable_jit nothing is traced.
        return isinstance(index, jax.core.Tracer) and not isinstance(leaf, jax.core.Tracer)

    def remove(self, records: list[dict[str, Any]], index: Any) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for level, named in enumerate(records):
            out.append(OrderedDict())
            for name, r in named.items():
                kept = [leaf if self.is_invariant(leaf, index) else None for leaf in r.leaves]
                self.kept[level, name] = kept
                varying = [leaf for leaf, k in zip(r.leaves, kept, strict=True) if k is None]
                out[level][name] = r.replace(leaves=varying)
        return out

    def restore(self, records: list[dict[str, Any]], length: int) -> list[dict[str, Any]]:
        def one(level: int, name: str, r: Record) -> Record:
            varying, kept = iter(r.leaves), self.kept[level, name]
            leaves = [next(varying) if k is None else k for k in kept]
            return r.replace(leaves=leaves).lifted(length, tuple(k is None for k in kept))

        return [OrderedDict((n, one(level, n, r)) for n, r in named.items()) for level, named in enumerate(records)]


def while_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    loop = jaxprs.While.read(equation.params, inputs)

    by_lane = bool(jaxprs.avals(loop.condition)[0].shape)  # jax.vmap went over the loop: one flag a lane

    def goes_on(state: Any) -> Any:
        i, carry = state
        inner = [c.step(i, {}) for c in contexts]
        return run(inner, loop.condition, [*loop.condition_consts, *carry], part=jaxprs.CONDITION)[0][0]

    def body(state: Any) -> Any:
        i, carry = state
        inner = [c.step(i, {}) for c in contexts]
        new = run(inner, loop.body, [*loop.body_consts, *carry], part=jaxprs.BODY)[0]
        if by_lane:  # those that have ended stay as they are
            active = goes_on(state)
            lanes = [active.reshape(active.shape + (1,) * (jnp.ndim(x) - active.ndim)) for x in new]
            new = [jnp.where(a, x, y) for a, x, y in zip(lanes, new, carry, strict=True)]
        return i + 1, new

    _, carry = lax.while_loop(lambda state: jnp.any(goes_on(state)), body, (0, loop.carry))
    return carry, [{} for _ in contexts]


def cond_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    index, branches, operands = jaxprs.Branches.read(equation.params, inputs)

    def taken(branch: Any) -> Callable[..., Outcome]:
        def f(contexts: Any, operands: Any) -> Outcome:
            outputs, records = run(contexts, branch, operands)
            return outputs, [OrderedDict((n, r.in_branch()) for n, r in named.items()) for named in records]

        return f

    functions = [taken(b) for b in branches]
    everything: list[dict[str, Any]] = [OrderedDict() for _ in contexts]
    for f in functions:
        for all_, named in zip(everything, jax.eval_shape(f, contexts, operands)[1], strict=True):
            for name, r in named.items():
                first = all_.setdefault(name, r)
                if not alike(first, r):
                    raise ModelError(
                        f"{r.site.label} is not alike in all branches of a lax.cond or lax.switch (at "
                        f"{first.site.source} and {r.site.source}): the value's shape and dtype, the shape of its "
                        f"log density and whether it is observed must agree. Give the two sites different names."
                    )

    def padded(f: Callable[..., Outcome]) -> Callable[..., Outcome]:
        def g(contexts: Any, operands: Any) -> Outcome:
            outputs, records = f(contexts, operands)
            absent = [  # in a branch without the site: zeros, and False in `active`
                OrderedDict((n, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), r)) for n, r in all_.items())
                for all_ in everything
            ]
            return outputs, [a | named for a, named in zip(absent, records, strict=True)]

        return g

    return lax.switch(index, [padded(f) for f in functions], contexts, operands)


def alike(first: Any, second: Any) -> bool:
    """The same tree with leaves of the same shapes and dtypes?"""
    signature = lambda tree: [(x.shape, x.dtype) for x in jax.tree.leaves(tree)]  # noqa: E731
    trees: list[Any] = [jax.tree.structure(first), jax.tree.structure(second)]
    return bool(trees[0] == trees[1]) and signature(first) == signature(second)


def call_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    return run(contexts, jaxprs.callee(equation.params), inputs)


def remat_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    remat = jaxprs.Remat.read(equation.params)

    def body(contexts: Any, inputs: Any) -> Outcome:
        return run(contexts, remat.body, inputs)

    return jax.checkpoint(body, policy=remat.policy, prevent_cse=remat.prevent_cse)(contexts, inputs)


def custom_derivative_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    """Values pass; derivatives do not: the user's rule is for the body, and the handled body is another function."""

    @jax.custom_jvp
    def body(contexts: Any, inputs: Any) -> Outcome:
        return run(contexts, jaxprs.callee(equation.params), inputs)

    @body.defjvp
    def refuse(primals: Any, tangents: Any) -> Any:
        names = ", ".join(repr(n) for n in survey(jaxprs.callee(equation.params)))
        raise ControlFlowError(
            f"The sites {names} are inside a function with a custom derivative rule (jax.custom_jvp or "
            f"jax.custom_vjp), which says nothing of how their densities change. Sample outside of that function and "
            f"pass the values in."
        )

    return body(contexts, inputs)


def vmap_rule(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    body, mapped, size = (equation.params[k] for k in ("jaxpr", "mapped", "size"))
    shared = [x for x, m in zip(inputs, mapped, strict=True) if not m]
    moved, body = jaxprs.hoist_invariants(body, [not m for m in mapped], shared)
    given = given_inside(handlers, contexts, body)
    invariant = Invariants([*moved, *shared])

    def lane(i: Any, given: Any, lanes: Any) -> Outcome:
        remaining = iter(lanes)
        merged = [*moved, *(next(remaining) if m else x for x, m in zip(inputs, mapped, strict=True))]
        outputs, records = run([c.step(i, g) for c, g in zip(contexts, given, strict=True)], body, merged)
        return outputs, invariant.remove(records, i)

    lanes = [x for x, m in zip(inputs, mapped, strict=True) if m]
    outputs, records = _over_lanes(equation.primitive, lane, size, (jnp.arange(size), given, lanes))
    return outputs, invariant.restore(records, size)


def _over_lanes(vmap_p: Any, lane: Callable[..., Any], size: int, operands: Any) -> Any:
    """`jax.vmap(lane)`; while sites are left for handlers further out, the equation that keeps their lanes apart."""
    leaves, tree = jax.tree.flatten(operands)
    leaves = [jnp.asarray(x) for x in leaves]
    one = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in leaves]
    closed, shape = jax.make_jaxpr(lambda *xs: lane(*jax.tree.unflatten(tree, xs)), return_shape=True)(*one)
    if not jaxprs.has_sites(closed):
        return jax.vmap(lane, axis_size=size)(*operands)
    shared, closed = jaxprs.hoist_constants(closed)
    mapped = (False,) * len(shared) + (True,) * len(leaves)
    outputs = vmap_p.bind(*shared, *leaves, jaxpr=closed, mapped=mapped, size=size)
    return jax.tree.unflatten(jax.tree.structure(shape), outputs)


def not_supported(run: Any, handlers: Any, contexts: Any, equation: Any, inputs: Any) -> Outcome:
    names = [i.site.label for sub in jaxprs.sub_jaxprs(equation) for i in survey(sub).values()]
    raise ControlFlowError(
        f"{', '.join(names) or 'A site'} is inside {equation.primitive}, which storax does not look into. Sample "
        f"outside of it and pass the value in."
    )


CONTROL: dict[str, Rule] = {
    "scan": scan_rule,
    "while": while_rule,
    "cond": cond_rule,
    "jit": call_rule,
    "closed_call": call_rule,
    "core_call": call_rule,
    "remat2": remat_rule,
    "checkpoint": remat_rule,
    "custom_jvp_call": custom_derivative_rule,
    "custom_vjp_call": custom_derivative_rule,
    "storax_vmap": vmap_rule,
}
