"""From a Python function and its arguments to a jaxpr, once per (function, shapes).

Arrays among the arguments become inputs of the jaxpr; everything else (Python numbers, strings, None, callables,
tuples of them) stays what it is and is part of the program.  So another array of the same shape needs no new trace,
and `jnp.zeros(n)` works for a Python `n`.  Lists of numbers and pandas objects are data: they become arrays.
"""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import as_data
from storax.errors import StoraxError
from storax.lasting import VALUES, is_table, same_value
from storax.patterns import Patterns, PatternWanted, filled, masked_entries, nan_entries, told
from storax.sources import reached
from storax.surroundings import Surroundings
from storax.translating import in_words


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
    """Arguments taken apart: `arrays` are traced, `rest` is part of the program (with holes for the arrays).

    `key` tells choices of the rest apart, by identity for `changeable` objects, whose inside may change;
    `tables`: pandas objects are among the arrays.
    """

    arrays: list[Any]
    rest: list[Any]
    tree: Any
    key: Any
    changeable: list[Any]
    tables: bool
    masks: list[Any]  # of each array: which entries are missing, None if none are or that is not known
    complete: bool = False  # was nan looked for?

    def with_nan(self) -> Split:
        """The same with the entries that are nan counted as missing."""
        masks = [nan_entries(x) if m is None else m for x, m in zip(self.arrays, self.masks, strict=True)]
        return self._replace(masks=masks, complete=True, key=(self.key, _mask_key(masks)))

    def merge(self, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """`(args, kwargs)` with these arrays."""
        remaining = iter(arrays)
        leaves = [next(remaining) if x is _HOLE else x for x in self.rest]
        return jax.tree.unflatten(self.tree, leaves)


class _Hole:
    def __repr__(self) -> str:
        return "array"


_HOLE = _Hole()


def split(args: Any, kwargs: Any, f: Callable[..., Any] | None = None) -> Split:
    """The arguments of `f`, whose signature is for error messages alone."""
    leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=is_data)
    tables = False
    masks = [masked_entries(x) for x in leaves]
    for i, x in enumerate(leaves):
        if masks[i] is not None:
            leaves[i] = x = filled(x)
        if is_data(x):
            tables = tables or is_table(x)
            leaves[i] = _as_argument(x, i, args, kwargs, f)
    arrays = [x for x in leaves if _is_array(x)]
    rest = [_HOLE if _is_array(x) else x for x in leaves]
    masks = [m for m, x in zip(masks, leaves, strict=True) if _is_array(x)]
    key = (tree, tuple(_key(x) for x in rest), _mask_key(masks))
    return Split(arrays, rest, tree, key, [x for x in rest if not isinstance(x, (_Hole, *VALUES))], tables, masks)


def _mask_key(masks: Sequence[Any]) -> Any:
    return tuple(None if m is None else (m.shape, m.tobytes()) for m in masks)


def _key(x: Any) -> Any:
    """0.0 and -0.0 are different numbers, 1 and 1.0 different types, and nan is nan."""
    if isinstance(x, (float, complex)):
        return type(x), repr(x)
    return (type(x), x) if isinstance(x, (_Hole, *VALUES)) else id(x)


def _as_argument(x: Any, position: int, args: Any, kwargs: Any, f: Any) -> Any:
    try:
        return as_data(x, "An argument of the model")
    except StoraxError as error:
        paths = jax.tree_util.tree_flatten_with_path((args, kwargs), is_leaf=is_data)[0]
        what = f"The argument {argument_name(paths[position][0], f)} of the model"
        error.args = (str(error).replace("An argument of the model", what),)
        raise


def argument_name(path: Sequence[Any], f: Any) -> str:
    """`'y'`, or `'y'['height'][0]`: an argument of f by its name, given its path in `(args, kwargs)`."""
    which, (first, *rest) = path[0].idx, path[1:]
    name = repr(first.key) if which else str(first.idx)
    with contextlib.suppress(TypeError, ValueError):
        names = [p.name for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
        name = repr(names[first.idx]) if not which and first.idx < len(names) else name
    return name + jax.tree_util.keystr(tuple(rest))


def _is_array(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray, np.generic))


def is_data(x: Any) -> bool:
    """NumPy and pandas objects, and lists of numbers (a draw is one, too).  A list of arrays stays a list."""
    if isinstance(x, list):
        return bool(x) and all(_is_scalar(e) or (isinstance(e, list) and is_data(e)) for e in x)
    return isinstance(x, (np.ndarray, np.generic)) or is_table(x)


def _is_scalar(x: Any) -> bool:
    return isinstance(x, (int, float, complex, np.generic)) or (_is_array(x) and x.ndim == 0)


@jax.tree_util.register_pytree_node_class
class Opaque:
    """What a model returns that is no array, a string say: part of the tree of its output."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tree_flatten(self) -> tuple[tuple[()], Any]:
        return (), _Comparable(self.value)

    @classmethod
    def tree_unflatten(cls, aux: Any, _: Any) -> Opaque:
        return cls(aux.value)


class _Comparable:
    """Anything, in a tree's structure: JAX compares those, and `==` of a DataFrame is no truth value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: Any) -> bool:
        same = isinstance(other, _Comparable) and type(self.value) is type(other.value)
        return same and (self.value is other.value or same_value(self.value, other.value))

    def __hash__(self) -> int:
        return hash(type(self.value))


def is_number(x: Any) -> bool:
    """May it be an output of a jaxpr?"""
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind in "biufc" or bool(jnp.issubdtype(x.dtype, jnp.inexact))
    return isinstance(x, (jax.Array, bool, int, float, complex))


class Memory:
    """What is kept of a user's function: JAX's tracing cache goes by the identity of a function, so there must be one
    for each choice of static arguments, as long as the surroundings stay what they were."""

    def __init__(self) -> None:
        self.surroundings: Surroundings | None = None
        self.wants_nan = False  # does the function ask which entries of its arguments are nan?
        self.entries: dict[Any, Entry] = {}

    def holds(self, f: Callable[..., Any]) -> bool:
        return self.surroundings is None or self.surroundings.still_hold(f)

    def keep(self, key: Any, entry: Entry) -> None:
        while len(self.entries) >= KEPT:
            self.entries.pop(next(iter(self.entries)), None)
        self.entries[key] = entry


class Entry:
    """A function of the arrays alone, for one choice of the other arguments, and what those had in them."""

    def __init__(self, function: Callable[[], Any], parts: Split, memory: Memory) -> None:
        self.given: Surroundings | None = None
        parts = parts._replace(arrays=[])

        def of_arrays(*arrays: Any) -> Any:
            f = function()
            args, kwargs = parts.merge(arrays)
            with told(Patterns(arrays, parts.masks, parts.complete)):
                output = f(*args, **kwargs)
            memory.surroundings = Surroundings(f)  # now, as the function itself may have changed some
            self.given = Surroundings(None, parts.changeable) if parts.changeable else None
            return jax.tree.map(lambda x: x if is_number(x) else Opaque(x), output)

        of_arrays.__name__ = getattr(function(), "__name__", "model")
        self.of_arrays = of_arrays

    def holds(self, parts: Split) -> bool:
        return self.given is None or self.given.still_hold(None, parts.changeable)


KEPT = 256  # choices of static arguments; the oldest go first

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
    """`f` as a function of the arrays alone: the same object for the same other arguments and surroundings."""
    memory, ref = _memory_of(f)
    known = memory.entries.get(parts.key)
    if known is not None and not fresh and known.holds(parts):
        return known.of_arrays
    entry = Entry(ref, parts, memory)
    if not fresh:
        memory.keep(parts.key, entry)
    return entry.of_arrays


def stage(f: Callable[..., Any], args: Any, kwargs: Any, fresh: bool = False) -> Staged:
    """Trace `f`, or find the trace made before; `fresh` asks for a new one.

    Raises:
        ControlFlowError: Python needed the value of a traced array.
        ArgumentTypeError: an argument that cannot be data, by name.
    """
    parts = split(args, kwargs, f)
    memory, _ = _memory_of(f)
    if memory.wants_nan:
        return _traced(f, parts.with_nan(), fresh)
    try:
        return _traced(f, parts, fresh)
    except PatternWanted:
        memory.wants_nan = True
        return _traced(f, parts.with_nan(), fresh)


def _traced(f: Callable[..., Any], parts: Split, fresh: bool) -> Staged:
    token = reached.set(())
    try:
        # Under jax.disable_jit JAX would run loops step by step, and there would be no program to stage.
        with in_words(parts.tables), jax.disable_jit(False):
            closed, shape = jax.make_jaxpr(_of_arrays(f, parts, fresh), return_shape=True)(*parts.arrays)
    finally:
        reached.reset(token)
    return Staged(closed, parts.arrays, jax.tree.structure(shape))
