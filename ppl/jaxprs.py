"""All that storax knows about the inside of a jaxpr, and about what differs between versions of JAX.

Equations are told apart by the *name* of their primitive: some primitives have no public object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core as jex
from jax.interpreters import partial_eval as pe

from storax.primitives import PRIMITIVES
from storax.sources import in_library

_FOLDERS = {"ppl", "handlers", "logprob", "samplers", "storax"}  # where the library's own frames are


def has_sites(jaxpr_or_equation: Any) -> bool:
    """Is there a random choice inside, at any depth?  JAX has already propagated the answer as an effect."""
    return any(getattr(e, "prim", None) in PRIMITIVES for e in jaxpr_or_equation.effects)


def equations(closed: Any) -> Sequence[Any]:
    return getattr(closed, "jaxpr", closed).eqns


def sub_jaxprs(equation: Any) -> Iterator[Any]:
    return iter(jex.jaxprs_in_params(equation.params))


CONDITION, BODY = "c", "b"  # of a while_loop


def parts(equation: Any) -> Iterator[tuple[str, Any]]:
    """The jaxprs inside of an equation, and what tells them apart in the place of an anonymous draw.

    The branches of a cond share their places, as they may share names: only one of them runs.
    """
    if equation.primitive.name == "while":
        yield CONDITION, equation.params["cond_jaxpr"]
        yield BODY, equation.params["body_jaxpr"]
    else:
        yield from (("", sub) for sub in sub_jaxprs(equation))


def user_line_of(equation: Any) -> str:
    """`"model.py:12"`: the user's line that an equation comes from, "" if it is not known."""
    traceback = getattr(equation.source_info, "traceback", None)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = os.path.join(here, "")
    for frame in traceback.frames if traceback is not None else ():
        name = frame.file_name
        ours = name.startswith(own) and os.path.relpath(name, here).split(os.sep)[0] in _FOLDERS
        if not ours and not in_library(name):
            return f"{os.path.basename(name)}:{frame.line_num}"
    return ""


def is_literal(atom: Any) -> bool:
    return isinstance(atom, jex.Literal)


def read(values: dict[Any, Any], atom: Any) -> Any:
    """The value of a variable, or a literal's own."""
    return atom.val if is_literal(atom) else values[atom]


class Environment:
    """The values of a jaxpr's variables while it is interpreted.

    `fixed` are the variables that follow from constants and, if these are `arguments` of the whole program, from the
    inputs: they are no draws, and what is wrong with them is wrong with the program or its data.
    """

    def __init__(self, closed: Any, args: Sequence[Any], arguments: bool = False) -> None:
        # From jax 0.11 on a ClosedJaxpr is a Jaxpr: `.jaxpr` returns it and `.consts` stays.
        self.jaxpr = closed.jaxpr
        self.values = dict(zip(self.jaxpr.constvars, closed.consts, strict=True))
        self.values |= dict(zip(self.jaxpr.invars, args, strict=True))
        self.fixed = {*self.jaxpr.constvars, *(self.jaxpr.invars if arguments else ())}

    def read(self, atom: Any) -> Any:
        return read(self.values, atom)

    def inputs(self, equation: Any) -> list[Any]:
        return [self.read(v) for v in equation.invars]

    def are_fixed(self, atoms: Sequence[Any]) -> bool:
        return all(isinstance(v, jex.Literal) or v in self.fixed for v in atoms)

    def write(self, equation: Any, outputs: Sequence[Any], fixed: bool = False) -> None:
        self.values.update(zip(equation.outvars, outputs, strict=True))
        if fixed:
            self.fixed.update(equation.outvars)

    def outputs(self) -> list[Any]:
        return [self.read(v) for v in self.jaxpr.outvars]


def evaluate(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """Run one equation as it is."""
    with equation.ctx.manager:  # matmul precision, XLA metadata
        out = equation.primitive.bind(*inputs, **equation.primitive.get_bind_params(equation.params))
    return list(out) if equation.primitive.multiple_results else [out]


def evaluate_all(equations: Sequence[Any], values: dict[Any, Any]) -> None:
    """Run equations, and write what they give into `values`."""
    for equation in equations:
        outputs = evaluate(equation, [read(values, v) for v in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))


def close(jaxpr: Any) -> Any:
    return jaxpr if hasattr(jaxpr, "consts") else jex.ClosedJaxpr(jaxpr, ())


class Scan(NamedTuple):
    body: Any
    consts: list[Any]
    carry: list[Any]
    xs: list[Any]
    length: int
    reverse: bool
    unroll: int

    @classmethod
    def read(cls, params: dict[str, Any], inputs: Sequence[Any]) -> Scan:
        if "num_consts" in params:  # jax 0.10
            n, k = params["num_consts"], params["num_carry"]
        else:  # jax 0.11 on: flat trees of (consts, carry, xs)
            consts, carry, _ = params["ft_in"].unpack()
            n, k = len(consts), len(carry)
        inputs = list(inputs)
        return cls(params["jaxpr"], inputs[:n], inputs[n : n + k], inputs[n + k :], params["length"],
                   params["reverse"], params["unroll"])  # fmt: skip


class While(NamedTuple):
    condition: Any
    body: Any
    condition_consts: list[Any]
    body_consts: list[Any]
    carry: list[Any]

    @classmethod
    def read(cls, params: dict[str, Any], inputs: Sequence[Any]) -> While:
        n, k, inputs = params["cond_nconsts"], params["body_nconsts"], list(inputs)
        return cls(params["cond_jaxpr"], params["body_jaxpr"], inputs[:n], inputs[n : n + k], inputs[n + k :])


class Branches(NamedTuple):
    index: Any
    branches: tuple[Any, ...]
    operands: list[Any]

    @classmethod
    def read(cls, params: dict[str, Any], inputs: Sequence[Any]) -> Branches:
        return cls(inputs[0], tuple(params["branches"]), list(inputs[1:]))


class Remat(NamedTuple):
    body: Any
    policy: Any
    prevent_cse: Any

    @classmethod
    def read(cls, params: dict[str, Any]) -> Remat:
        return cls(close(params["jaxpr"]), params["policy"], params["prevent_cse"])


def callee(params: dict[str, Any]) -> Any:
    """The function that a jit, custom_jvp_call or custom_vjp_call equation calls."""
    return close(params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"])


def hoist_invariants(closed: Any, fixed: Sequence[bool], inputs: Sequence[Any]) -> tuple[list[Any], Any]:
    """Take out of a loop's body what no iteration changes.

    Args:
        closed: the body.
        fixed: which of its inputs are the same in all iterations.
        inputs: those inputs.

    Returns:
        Values computed once, and the body with those as its first inputs.
    """
    jaxpr = closed.jaxpr
    names = [v for v, f in zip(jaxpr.invars, fixed, strict=True) if f]
    known = dict(zip(jaxpr.constvars, closed.consts, strict=True)) | dict(zip(names, inputs, strict=True))
    moved: dict[Any, Any] = {}
    rest = []
    for equation in jaxpr.eqns:
        arguments = [v for v in equation.invars if not isinstance(v, jex.Literal)]
        if equation.effects or not all(v in known for v in arguments):
            rest.append(equation)
            continue
        values = evaluate(equation, [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars])
        known.update(zip(equation.outvars, values, strict=True))
        moved.update(zip(equation.outvars, values, strict=True))
    debug_info = jaxpr.debug_info._replace(arg_names=None)
    body = jaxpr.replace(invars=[*moved, *jaxpr.invars], eqns=rest, debug_info=debug_info)
    return list(moved.values()), jex.ClosedJaxpr(body, closed.consts)


def hoist_constants(closed: Any) -> tuple[list[Any], Any]:
    """The constants a jaxpr closes over, and the jaxpr with them as its first inputs."""
    jaxpr = closed.jaxpr
    invars = [*jaxpr.constvars, *jaxpr.invars]
    debug_info = jaxpr.debug_info._replace(arg_names=None)
    return list(closed.consts), jex.ClosedJaxpr(jaxpr.replace(constvars=[], invars=invars, debug_info=debug_info), [])


def _taint(closed: Any, flags: Sequence[bool]) -> list[int]:
    """Per output: 0 does not depend on the flagged inputs, 2 does, 1 went through a loop or a call that may drop it."""
    taint = {v: 2 for v, flag in zip(closed.jaxpr.invars, flags, strict=True) if flag}
    read = lambda atom: 0 if isinstance(atom, jex.Literal) else taint.get(atom, 0)  # noqa: E731
    for equation in closed.jaxpr.eqns:
        worst = max(map(read, equation.invars), default=0)
        worst = min(worst, 1) if any(True for _ in sub_jaxprs(equation)) else worst
        taint |= dict.fromkeys(equation.outvars, worst)
    return [read(v) for v in closed.jaxpr.outvars]


def needed_for(closed: Any, outputs: Sequence[int]) -> tuple[Sequence[Any], list[bool]]:
    """The equations that some outputs need, and which inputs they read.  The variables keep their identity."""
    used = [i in outputs for i in range(len(closed.jaxpr.outvars))]
    jaxpr, needed = pe.dce_jaxpr(closed.jaxpr, used)
    return jaxpr.eqns, needed


def stride(closed: Any, old: Any, new: Any) -> Any:
    """The variable or literal `by` of `new = old + by` in integers of 32 bits or more; None if `new` is no such sum."""
    wide = jnp.issubdtype(new.aval.dtype, jnp.integer) and new.aval.dtype.itemsize >= 4
    for equation in closed.jaxpr.eqns:
        if wide and equation.primitive.name == "add" and new in equation.outvars:
            a, b = equation.invars
            return b if a is old else a if b is old else None
    return None


# These do not become what they are in a loop by jax.vmap: some keys make other bits in a batch, and a callback or a
# rule of the user's own may not know of lanes at all.
_NOT_VMAPPED = ("pure_callback", "ffi_call", "custom_vmap_call", "random_", "rng_")


def is_sequential(equation: Any, varying: Sequence[bool]) -> bool:
    """Must the equation be run step by step, when these of its inputs differ from step to step?

    jax.vmap runs all branches of a `cond` and selects: the derivative of a branch that was not taken, which may be
    nan, is then multiplied by zero, and stays nan.
    """
    name = equation.primitive.name
    if name.startswith(_NOT_VMAPPED):
        return any(varying)
    if name == "cond":
        return varying[0] or any(_sequential_inside(b, varying[1:]) for b in equation.params["branches"])
    subs = [close(sub) for sub in sub_jaxprs(equation)]
    calls = name not in ("scan", "while") and all(len(sub.jaxpr.invars) == len(varying) for sub in subs)
    return any(_sequential_inside(sub, varying if calls else [any(varying)] * len(sub.jaxpr.invars)) for sub in subs)


def _sequential_inside(closed: Any, varying: Sequence[bool]) -> bool:
    differ = {v for v, flag in zip(closed.jaxpr.invars, varying, strict=True) if flag}
    for equation in closed.jaxpr.eqns:
        flags = [not is_literal(v) and v in differ for v in equation.invars]
        if is_sequential(equation, flags):
            return True
        differ.update(equation.outvars if any(flags) else ())
    return False


def depends_on(closed: Any, output: int, inputs: Sequence[bool]) -> bool:
    """Does one output of a jaxpr depend on any of the flagged inputs?"""
    used = [i == output for i in range(len(closed.jaxpr.outvars))]
    _, needed = pe.dce_jaxpr(closed.jaxpr, used)
    return any(n and flag for n, flag in zip(needed, inputs, strict=True))


def is_of_exponents(equation: Any) -> bool:
    """Does it take numbers apart into fraction and exponent, or put them together?  On jax 0.12 one equation does."""
    name = str(equation.params.get("_prim"))
    return equation.primitive.name == "call_hi_primitive" and name.startswith(("Frexp[", "Ldexp["))


def pruned(closed: Any) -> tuple[Any, list[bool]]:
    """The program without what its outputs do not need, and which inputs are left."""
    jaxpr, needed = pe.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return jex.ClosedJaxpr(jaxpr, closed.consts), list(needed)


def evaluate_known(closed: Any, unknown: Sequence[bool], inputs: Sequence[Any]) -> list[Any]:
    """The outputs that do not depend on the unknown inputs, as numbers; the others as `jax.ShapeDtypeStruct`."""
    out: list[Any] = avals(closed)
    known = [not t or (t == 1 and not depends_on(closed, i, unknown)) for i, t in enumerate(_taint(closed, unknown))]
    jaxpr, needed = pe.dce_jaxpr(closed.jaxpr, known)
    given = [x for x, n in zip(inputs, needed, strict=True) if n]
    numbers = iter(jex.jaxpr_as_fun(jex.ClosedJaxpr(jaxpr, closed.consts))(*given))
    return [next(numbers) if k else o for k, o in zip(known, out, strict=True)]


def avals(closed: Any) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.out_avals]


_CALLS = frozenset({"jit", "closed_call", "core_call"})
# Also those whose derivative or memory is another one: what they compute is what they call.
TRANSPARENT = _CALLS | {"custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint"}


def is_call(equation: Any) -> bool:
    """Does it call a function, of the user or of JAX, that may be looked into?

    Of those with a derivative of their own, only JAX's: theirs is that of what they compute.
    """
    name = equation.primitive.name
    return name in _CALLS or (name == "custom_jvp_call" and _is_of_jax(callee(equation.params)))


def has_own_derivative(equation: Any) -> bool:
    return bool(equation.primitive.name == "custom_jvp_call")


def _is_of_jax(closed: Any) -> bool:
    file = getattr(closed.jaxpr.debug_info, "func_filename", None) or ""
    return file.startswith(os.path.dirname(jax.__file__) + os.sep)
