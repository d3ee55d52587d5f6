"""From a Python function and its arguments to a jaxpr, once per (function, shapes).

Arrays among the arguments become inputs of the jaxpr; everything else (Python numbers, strings, None, callables,
tuples of them) stays what it is and is part of the program.  So another array of the same shape needs no new trace,
and `jnp.zeros(n)` works for a Python `n`.  Lists of numbers and pandas objects are data: they become arrays.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from storax.data import as_data
from storax.errors import ControlFlowError, StoraxError
from storax.sources import last_user_line, reached
from storax.surroundings import IMMUTABLE, Surroundings


class Staged(NamedTuple):
    """A program and the arrays to run it with: `out_tree` is the structure of the function's return value."""

    closed: Any
    arrays: list[Any]
    out_tree: Any

    def output(self, leaves: Sequence[Any]) -> Any:
        """What the function returns, given the outputs of the program."""
        output = jax.tree.unflatten(self.out_tree, leaves)
        is_opaque = lambda x: isinstance(x, Opaque)  # noqa: E731
        return jax.tree.map(lambda x: x.value if is_opaque(x) else x, output, is_leaf=is_opaque)


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


@jax.tree_util.register_pytree_node_class
class Opaque:
    """What a model returns that is no array, a string say: part of the tree of its output."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tree_flatten(self) -> tuple[tuple[()], Any]:
        return (), self.value

    @classmethod
    def tree_unflatten(cls, value: Any, _: Any) -> Opaque:
        return cls(value)


def _is_number(x: Any) -> bool:
    return _is_array(x) or isinstance(x, (bool, int, float, complex))


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


class Memory:
    """What is kept of a user's function: JAX's tracing cache goes by the identity of a function, so there must be one
    for each choice of static arguments, as long as the surroundings stay what they were."""

    def __init__(self) -> None:
        self.surroundings: Surroundings | None = None
        self.of_arrays: dict[Any, Callable[..., Any]] = {}

    def holds(self, f: Callable[..., Any]) -> bool:
        return self.surroundings is None or self.surroundings.still_hold(f)


_memories: weakref.WeakKeyDictionary[Callable[..., Any], Memory] = weakref.WeakKeyDictionary()


def _memory_of(f: Callable[..., Any]) -> tuple[Memory, Callable[[], Any]]:
    """The function's memory, and a reference to the function that does not keep it alive."""
    try:
        memory = _memories.get(f)
        if memory is None or not memory.holds(f):
            memory = _memories[f] = Memory()
        return memory, weakref.ref(f)
    except TypeError:  # not hashable, or cannot be referenced weakly
        return Memory(), lambda: f


def _of_arrays(f: Callable[..., Any], parts: Split, fresh: bool) -> Callable[..., Any]:
    """`f` as a function of the arrays alone, the same object for the same static arguments and surroundings."""
    memory, ref = _memory_of(f)
    if not fresh and parts.key is not None and parts.key in memory.of_arrays:
        return memory.of_arrays[parts.key]
    structure = parts._replace(arrays=[])

    def of_arrays(*arrays: Any) -> Any:
        args, kwargs = structure.merge(arrays)
        function = ref()
        output = function(*args, **kwargs)
        memory.surroundings = Surroundings(function)  # now, as the function itself may have changed some
        return jax.tree.map(lambda x: x if _is_number(x) else Opaque(x), output)

    of_arrays.__name__ = getattr(f, "__name__", "model")
    if not fresh and parts.key is not None and Surroundings(f).can_be_cached:
        memory.of_arrays[parts.key] = of_arrays
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
    token = reached.set(())
    try:
        closed, shape = jax.make_jaxpr(_of_arrays(f, parts, fresh), return_shape=True)(*parts.arrays)
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
