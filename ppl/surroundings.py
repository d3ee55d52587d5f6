"""What a model sees besides its arguments, and whether that is still what it was when the model was traced.

A model is traced once.  `data = np.load(...)` at the top of a notebook, changed and run again, must not score the old
data: so the numbers, arrays, containers and functions that a model names are remembered, and a change asks for a new
trace.  What is deeper inside of objects than `DEPTH` levels is taken to stay what it is.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from storax.sources import is_users_module

DEPTH = 4
IMMUTABLE = (int, float, complex, str, bytes, enum.Enum, np.dtype, type, types.FunctionType, types.BuiltinFunctionType)


class Surroundings:
    """The closure of a function, the globals it names, and those of the user's functions among them."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.seen = _freeze(_look(f), copy=True)

    @property
    def can_be_cached(self) -> bool:
        """A tracer belongs to a trace that will end; what was found with it must not outlive it."""
        return not any(isinstance(x, jax.core.Tracer) for x in _leaves(self.seen))

    def still_hold(self, f: Callable[..., Any]) -> bool:
        return _same(self.seen, _freeze(_look(f), copy=False))


def _look(f: Any) -> Any:
    """A function as the values it names, by name; a method with its object's attributes."""
    if isinstance(f, types.MethodType):
        return {"self": f.__self__, **_look(f.__func__)}
    if not isinstance(f, types.FunctionType):
        return {"": f}
    names = {n: f.__globals__[n] for n in _names(f.__code__) if n in f.__globals__}
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # a variable that is not bound yet
            names[f"closure {name}"] = cell.cell_contents
    return {**names, "defaults": f.__defaults__, "keyword defaults": f.__kwdefaults__}


def _names(code: types.CodeType) -> Iterator[str]:
    """Of globals, also those in functions that are defined inside."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _freeze(x: Any, copy: bool, depth: int = 0, above: tuple[int, ...] = ()) -> Any:
    """A tree of tuples with the values that may change; containers and objects opened, but not the deep and cycles."""
    if isinstance(x, np.ndarray):
        return x.copy() if copy else x
    if depth > DEPTH or id(x) in above:
        return x
    inside = functools.partial(_freeze, copy=copy, depth=depth + 1, above=(*above, id(x)))
    if isinstance(x, dict):
        return (dict, *((k, inside(v)) for k, v in x.items()))
    if isinstance(x, (list, tuple, set)):
        return (type(x), *(inside(v) for v in x))
    if isinstance(x, (types.FunctionType, types.MethodType)):
        return (x, inside(_look(x))) if is_users_module(x.__module__) else x
    if isinstance(x, (type, types.ModuleType, jax.Array)) or not is_users_module(type(x).__module__):
        return x
    return (x, inside(getattr(x, "__dict__", None)))


def _leaves(frozen: Any) -> Iterator[Any]:
    if isinstance(frozen, tuple):
        for x in frozen:
            yield from _leaves(x)
    else:
        yield frozen


def _same(before: Any, now: Any) -> bool:
    if before is now:
        return True
    if type(before) is not type(now):
        return False
    if isinstance(before, tuple):
        return len(before) == len(now) and all(map(_same, before, now))
    if isinstance(before, np.ndarray):
        if before.dtype != now.dtype or before.shape != now.shape:
            return False
        return bool((before == now).all()) if before.dtype == object else before.tobytes() == now.tobytes()
    return isinstance(now, IMMUTABLE) and bool(before == now or (before != before and now != now))  # nan is nan
