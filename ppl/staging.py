"""From a Python function and its arguments to a jaxpr, once per (function, shapes).

Arrays among the arguments become inputs of the jaxpr; everything else (Python numbers, strings, None, callables,
tuples of them) stays what it is and is part of the program.  So another array of the same shape needs no new trace,
and `jnp.zeros(n)` works for a Python `n`.  Lists of numbers and pandas objects are data: they become arrays.
"""

from __future__ import annotations

import contextvars
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from storax.errors import ControlFlowError, StoraxError
from storax.primitives import Site
from storax.sources import last_user_line
from storax.surroundings import IMMUTABLE, Surroundings
from storax.validation import as_data

# The sites reached so far by the trace that is running; only for error messages.
reached: contextvars.ContextVar[tuple[str, ...] | None] = contextvars.ContextVar("reached", default=None)


def note(site: Site) -> None:
    """Remember that the running trace has reached this site."""
    before = reached.get()
    if before is not None:
        reached.set((*before, site.label.removeprefix("site ")))


class Staged(NamedTuple):
    """A program and the arrays to run it with: `out_tree` is the structure of the function's return value."""

    closed: Any
    arrays: list[Any]
    out_tree: Any


class Split(NamedTuple):
    """Arguments taken apart: `arrays` are traced, `static` (hashable, or None if it must not be cached) is not."""

    arrays: list[Any]
    rest: list[Any]
    tree: Any
    key: Any

    def merge(self, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """`(args, kwargs)` with these arrays."""
        remaining = iter(arrays)
        leaves = [next(remaining) if x is _HOLE else x for x in self.rest]
        return jax.tree.unflatten(self.tree, leaves)


class _Hole:
    def __repr__(self) -> str:
        return "array"


_HOLE = _Hole()


def split(args: Any, kwargs: Any) -> Split:
    leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=_is_data)
    leaves = [as_data(x, "An argument of the model") if _is_data(x) else x for x in leaves]
    arrays = [x for x in leaves if _is_array(x)]
    rest = [_HOLE if _is_array(x) else x for x in leaves]
    cacheable = all(x is _HOLE or isinstance(x, IMMUTABLE) for x in rest)
    key = (tree, tuple((type(x), x) for x in rest)) if cacheable else None
    return Split(arrays, rest, tree, key)


def _is_array(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray, np.generic))


def _is_data(x: Any) -> bool:
    """NumPy and pandas objects, and lists of numbers."""
    if isinstance(x, list):
        return bool(x) and all(isinstance(e, (int, float)) or (isinstance(e, list) and _is_data(e)) for e in x)
    if isinstance(x, (np.ndarray, np.generic)):
        return True
    return hasattr(x, "__array__") and not isinstance(x, jax.Array) and type(x).__module__.startswith("pandas")


# JAX's tracing cache goes by the identity of the function: keep one per (function, static arguments), and let it go
# together with the user's function.
_functions: weakref.WeakKeyDictionary[Callable[..., Any], dict[Any, Any]] = weakref.WeakKeyDictionary()


def _of_arrays(f: Callable[..., Any], parts: Split) -> Callable[..., Any]:
    """`f` as a function of the arrays alone, the same object for the same static arguments and surroundings."""
    around = Surroundings(f)
    try:
        known = _functions.setdefault(f, {}) if parts.key is not None and around.can_be_cached else {}
        if parts.key in known and known[parts.key][0].still_hold(f):
            return known[parts.key][1]
        ref: Callable[[], Any] = weakref.ref(f)
    except TypeError:  # not hashable, or cannot be referenced weakly
        known, ref = {}, lambda: f
    structure = parts._replace(arrays=[])

    def of_arrays(*arrays: Any) -> Any:
        args, kwargs = structure.merge(arrays)
        return ref()(*args, **kwargs)

    of_arrays.__name__ = getattr(f, "__name__", "model")
    known[parts.key] = around, of_arrays
    return of_arrays


_NEEDS_A_NUMBER = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def stage(f: Callable[..., Any], args: Any, kwargs: Any, fresh: bool = False) -> Staged:
    """Trace `f`, or find the trace made before; `fresh` asks for a new one.

    Raises:
        ControlFlowError: Python needed the value of a traced array.
    """
    parts = split(args, kwargs)
    if fresh:
        parts = parts._replace(key=None)
    token = reached.set(())
    try:
        closed, shape = jax.make_jaxpr(_of_arrays(f, parts), return_shape=True)(*parts.arrays)
    except _NEEDS_A_NUMBER as error:
        raise _needs_a_number(error) from None
    finally:
        reached.reset(token)
    return Staged(closed, parts.arrays, jax.tree.structure(shape))


def _needs_a_number(error: Exception) -> StoraxError:
    line = last_user_line(error.__traceback__)
    draws = reached.get()
    seen = f"The sites drawn before it: {', '.join(draws)}. " if draws else ""
    return ControlFlowError(
        f"Python needed the number behind a traced array at {line} (an `if`, `while`, int(), float() or a NumPy call). "
        f"{seen}A draw, and an array given to the model, has no value while the model is traced. Choose with "
        f"jnp.where, jax.lax.cond or a mixture, compute with jnp instead of np, and pass numbers that decide the "
        f"model's structure as Python ints."
    )
