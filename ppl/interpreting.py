"""The one interpreter.  A handler is a jaxpr run again with a few equations reread.

However many handlers are nested, the model is staged once and walked once: `interpret` asks them at every site,
innermost first.  How they travel through `jit`, `scan`, `while_loop`, `cond`, ... is written once, in `control`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from storax.control import CONTROL, not_supported
from storax.effects import Context, Effect, Handler
from storax.errors import ShapeError
from storax.jaxprs import Environment, equations, evaluate, has_sites
from storax.primitives import PRIMITIVES
from storax.validation import check_answer

Records = list[dict[str, Any]]


def interpret(
    handlers: Sequence[Handler], contexts: Sequence[Context], closed: Any, args: Sequence[Any], place: str | None = None
) -> tuple[list[Any], Records]:
    """Evaluate a jaxpr under handlers (innermost first): its outputs, and one dict of records per handler.

    `place` says where in the program this jaxpr is, None if it is the whole; an anonymous draw has no other name.
    """
    env, effectful = Environment(closed, args, arguments=place is None), 0
    place = place or ""
    records: Records = [OrderedDict() for _ in handlers]
    for equation in equations(closed):
        inputs = env.inputs(equation)
        if equation.primitive in PRIMITIVES:
            effectful += not equation.params["site"].name
            effect = Effect.read(equation, inputs, f"{place}#{effectful}")
            effect = effect._replace(fixed=env.are_fixed(equation.invars[len(inputs) - len(effect.leaves) :]))
            answer = perform(handlers, contexts, records, effect, 0)
            env.write(equation, [conform(answer, equation.outvars[0].aval)])
        elif has_sites(equation):
            effectful += 1
            rule = CONTROL.get(equation.primitive.name, not_supported)
            outputs, new = rule(_inner(handlers, f"{place}#{effectful}"), handlers, contexts, equation, inputs)
            for record, more in zip(records, new, strict=True):
                record.update(more)
            env.write(equation, outputs)
        else:
            env.write(equation, evaluate(equation, inputs), env.are_fixed(equation.invars))
    return env.outputs(), records


def _inner(handlers: Sequence[Handler], place: str) -> Callable[..., tuple[list[Any], Records]]:
    """`run(contexts, jaxpr, args)` for the rules of `control`; `part` tells the sub-programs of one equation apart."""

    def run(contexts: Sequence[Context], jaxpr: Any, args: Sequence[Any], part: str = "") -> tuple[list[Any], Records]:
        return interpret(handlers, contexts, jaxpr, args, place + part)

    return run


def perform(
    handlers: Sequence[Handler], contexts: Sequence[Context], records: Records, effect: Effect, level: int
) -> Effect:
    """Ask handler number `level` and those further out."""
    while level < len(handlers) and effect.site.hidden and not handlers[level].sees_hidden:
        level += 1
    if level == len(handlers):
        check_answer(effect)
        return effect.ground()
    further_out = lambda e: perform(handlers, contexts, records, e, level + 1)  # noqa: E731
    return handlers[level](effect, further_out, contexts[level], records[level])


def conform(answer: Effect, aval: Any) -> Any:
    """The answer with the dtype that the rest of the program was traced with."""
    value = jnp.asarray(answer.value, aval.dtype)
    if value.shape != aval.shape:
        raise ShapeError(f"{answer.site.label} has shape {aval.shape}, but was given a value of shape {value.shape}.")
    return value
