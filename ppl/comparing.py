"""Are two jaxprs the same program?  If not, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from storax.jaxprs import close, equations, has_sites, sub_jaxprs
from storax.primitives import PRIMITIVES


def difference(first: Any, second: Any) -> str | None:
    """What differs between two traces of one function, in words; None if they are the same program."""
    found = list(_differences(first, second, "what the model returns"))
    at_a_site = [d for d in found if "site " in d]  # that says most, wherever the difference begins
    return next(iter([*at_a_site, *found]), None)


def _differences(first: Any, second: Any, outputs: str) -> Iterator[str]:
    """In two closed jaxprs, equation by equation; `outputs` is what the outputs of these are called."""
    if first is second:
        return
    for a, b in zip(first.consts, second.consts, strict=False):
        if a is not b and not _same(a, b):
            yield f"an array of shape {jnp.shape(a)} that the model closes over"
    one, two = first.jaxpr, second.jaxpr
    partner: dict[Any, Any] = {}

    def bound(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
        partner.update(zip(xs, ys, strict=False))
        return [_signature(x) for x in xs] == [_signature(y) for y in ys]

    def differing(xs: Sequence[Any], ys: Sequence[Any], what: str) -> Iterator[str]:
        for x, y in zip(xs, ys, strict=False):
            if isinstance(x, jex.Literal) and isinstance(y, jex.Literal):
                if not _same(x.val, y.val):
                    yield f"a number ({x.val}, then {y.val}) in {what}"
            elif isinstance(x, jex.Literal) or isinstance(y, jex.Literal) or partner.get(x) is not y:
                yield what
        if len(xs) != len(ys):
            yield what

    if not bound([*one.constvars, *one.invars], [*two.constvars, *two.invars]):
        yield "the shapes of the arrays"
    for e, f in zip(one.eqns, two.eqns, strict=False):
        if e.primitive is not f.primitive:
            yield f"the operation {e.primitive} (now {f.primitive})"
            return
        name = _name(e)
        yield from differing(e.invars, f.invars, f"the parameters of {name}")
        yield from _differences_within(e, f, name)
        if not bound(e.outvars, f.outvars):
            yield f"the shape of {name}"
    if len(one.eqns) != len(two.eqns):
        yield "the number of equations"
    yield from differing(one.outvars, two.outvars, outputs)


def _name(equation: Any) -> str:
    if equation.primitive in PRIMITIVES:
        label: str = equation.params["site"].label
        return label
    inside = [_name(e) for sub in sub_jaxprs(equation) for e in equations(sub) if has_sites(e)]
    return f"the operation {equation.primitive}{' around ' + inside[0] if inside else ''}"


def _signature(variable: Any) -> Any:
    aval = variable.aval
    return getattr(aval, "shape", None), str(getattr(aval, "dtype", aval))


def _differences_within(e: Any, f: Any, name: str) -> Iterator[str]:
    """In the parameters of two equations of one primitive."""
    if e.primitive in PRIMITIVES:
        if e.params["site"] != f.params["site"]:
            yield f"the distribution or the shape of {name}"
        return
    bodies = list(sub_jaxprs(e)), list(sub_jaxprs(f))
    if len(bodies[0]) != len(bodies[1]):
        yield f"the number of branches of {name}"
    for x, y in zip(*bodies, strict=False):
        yield from _differences(close(x), close(y), f"the result of {name}")
    for key, x in e.params.items():
        if not _same_parameter(x, f.params.get(key)):
            yield f"the {key} of {name}"


def _same_parameter(x: Any, y: Any) -> bool:
    """Plain values and tuples of them; jaxprs and functions are not compared here."""
    if isinstance(x, (tuple, list)) and isinstance(y, (tuple, list)):
        return len(x) == len(y) and all(map(_same_parameter, x, y))
    plain = (bool, int, float, str, type(None), np.dtype, jax.ShapeDtypeStruct, jax.core.ShapedArray)
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return _same(x, y)
    return bool(x == y) if isinstance(x, plain) and isinstance(y, plain) else type(x) is type(y)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, jax.core.Tracer) or isinstance(b, jax.core.Tracer):
        return True  # belongs to a trace further out; not ours to compare
    if jnp.shape(a) != jnp.shape(b) or jnp.result_type(a) != jnp.result_type(b):
        return False
    if jnp.issubdtype(jnp.result_type(a), jax.dtypes.prng_key):
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=jnp.issubdtype(jnp.result_type(a), jnp.inexact))
