"""What a model sees besides its arguments, and whether that is still what it was when the model was traced.

A model is traced once.  `data = np.load(...)` at the top of a notebook, changed and run again, must not score the old
data: so the numbers, arrays, containers, objects and functions that a model names are remembered, and a change asks
for a new trace.  What belongs to a library is taken to stay what it is; where something is found whose inside cannot
be seen (a generator of random numbers, a lock, a tracer), the trace is not kept at all.
"""

from __future__ import annotations

import array
import contextlib
import functools
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from storax.lasting import CONTAINERS, COPIED, has_hidden_state, is_lasting, is_table, same_value
from storax.sources import is_own_module, is_users_module

DEPTH = 60  # what is nested deeper, and what has more parts, is not followed: its trace is not kept
PARTS = 100_000


class Surroundings:
    """The closure of a function, the globals it names, those of the user's functions among them, and so on.

    `arguments` are further objects to look into, which a model is given rather than finds.
    """

    def __init__(self, f: Callable[..., Any] | None, arguments: Sequence[Any] = ()) -> None:
        look = _Look(f, copy=True)
        self.seen = look.all_of(f, arguments)
        self.can_be_cached = look.complete

    def still_hold(self, f: Callable[..., Any] | None, arguments: Sequence[Any] = ()) -> bool:
        if not self.can_be_cached:
            return False
        look = _Look(f, copy=False)
        return _same(self.seen, look.all_of(f, arguments)) and look.complete


class _Look:
    """One look around, as a tree of tuples with the values that may change.

    What is met again (shared, or a cycle) is written down once.
    """

    def __init__(self, f: Any, copy: bool) -> None:
        self.copy = copy
        self.complete = True
        self.depth = 0
        self.met: dict[Any, int] = {}
        while isinstance(f, functools.partial):
            f = f.func
        self.home = str(getattr(f, "__module__", None)).split(".")[0]  # an installed package of models is its own user

    def all_of(self, f: Any, arguments: Sequence[Any]) -> Any:
        self.met[id(f)] = 0  # f itself is not written down: what a cache remembers must not keep it alive
        return (self.root(f), *(self.at(x) for x in arguments))

    def root(self, f: Any) -> Any:
        if is_lasting(f):
            return None
        return self.method(f) if isinstance(f, types.MethodType) else self.opened(f, ())

    def at(self, x: Any, names: tuple[str, ...] = ()) -> Any:
        """What there is to remember of `x`, which code with these names refers to."""
        if is_lasting(x):
            return x
        if isinstance(x, jax.core.Tracer):  # belongs to a trace that will end; must not outlive it
            self.complete = False
            return None
        if isinstance(x, (types.ModuleType, type)) and not self.is_users(x):
            return x
        if isinstance(x, COPIED):
            return self.numbers(x)
        if isinstance(x, types.MethodType):  # made anew each time it is asked for
            return self.method(x)
        # Of a module, each function sees what it names.
        place: Any = (id(x), id(names)) if isinstance(x, types.ModuleType) else id(x)
        if place in self.met:
            return (_Again, self.met[place])
        if self.depth > DEPTH or len(self.met) > PARTS:
            self.complete = False
            return None
        self.met[place] = len(self.met)
        self.depth += 1
        inside = self.opened(x, names)
        self.depth -= 1
        return x if inside is None else (x, inside)

    def is_users(self, x: Any) -> bool:
        name = x.__name__ if isinstance(x, types.ModuleType) else getattr(x, "__module__", None)
        return is_own_module(name) or (is_users_module(name) and str(name).split(".")[0] == self.home)

    def opened(self, x: Any, names: tuple[str, ...]) -> Any:
        """The inside of `x`; None if there is nothing to see."""
        if isinstance(x, types.FunctionType):
            return self.function(x)
        if isinstance(x, functools.partial):
            return (self.at(x.func), self.named(x.keywords), *map(self.at, x.args))
        if isinstance(x, types.ModuleType):
            there = {n: vars(x)[n] for n in names or list(vars(x)) if n in vars(x) and not _is_dunder(n)}
            return self.named(there, names)
        if isinstance(x, type):
            return tuple(self.named(_members(c)) for c in x.__mro__ if self.is_users(c))
        if isinstance(x, types.BuiltinFunctionType):  # `data.append`
            return self.at(x.__self__)
        if type(x).__module__.split(".")[0] in ("jax", "jaxlib") or isinstance(x, _CACHED):
            return self.wrapped(x)
        if is_table(x):
            return self.table(x)
        return self.instance(x)

    def named(self, values: Any, names: tuple[str, ...] = ()) -> Any:
        return tuple((n, self.at(v, names)) for n, v in values.items())

    def method(self, f: types.MethodType) -> Any:
        return (types.MethodType, self.at(f.__self__), self.at(f.__func__))

    def function(self, f: types.FunctionType) -> Any:
        """The values that a function names; of a library's function, those that it was made with."""
        module = f.__globals__.get("__name__")
        if not is_users_module(module) and "<locals>" not in f.__qualname__ and f.__module__ == module:
            return None
        names = names_in(f.__code__)
        seen = []
        if is_own_module(module) or (is_users_module(module) and str(module).split(".")[0] == self.home):
            seen += [(n, self.at(v, names)) for n, v in _globals(f, names)]
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a variable that is not bound yet
                seen.append((name, self.at(cell.cell_contents, names)))
        own = {n: v for n, v in vars(f).items() if n in names or n == "__wrapped__"}
        return (*seen, self.at(f.__code__), self.at(f.__defaults__), self.at(f.__kwdefaults__), self.named(own))

    def wrapped(self, x: Any) -> Any:
        """Of a function that JAX (or `functools.cache`) has wrapped, the function; all else of JAX stays what it is."""
        inside = getattr(x, "__wrapped__", None)
        is_its_own = str(getattr(inside, "__module__", "jax")).split(".")[0] in ("jax", "jaxlib")
        return None if is_its_own else self.at(inside)

    def instance(self, x: Any) -> Any:
        """Of an object: its class, if that is the user's, its attributes, and its items if it is a container."""
        kind: Any = type(x)
        parts: list[Any] = []
        if isinstance(x, (dict, types.MappingProxyType)):
            parts.append((dict, *((k, self.at(v)) for k, v in x.items())))
        elif isinstance(x, CONTAINERS):
            parts.append((kind, *map(self.at, x)))
        elif has_hidden_state(kind):
            self.complete = False
        if kind.__module__ != "builtins":
            parts += [self.at(kind), self.named(getattr(x, "__dict__", {}))]
            parts += [self.slots(x, c) for c in kind.__mro__ if "__slots__" in vars(c)]
        return tuple(parts)

    def slots(self, x: Any, kind: type) -> Any:
        filled = {n: getattr(x, m.__name__, None) for n, m in vars(kind).items()
                  if isinstance(m, types.MemberDescriptorType) and not _is_dunder(n)}  # fmt: skip
        return self.named(filled)

    def numbers(self, x: Any) -> Any:
        if isinstance(x, (array.array, bytearray)):
            return (type(x), bytes(x))
        if isinstance(x, np.ma.MaskedArray):
            return (type(x), self.numbers(np.asarray(x)), self.numbers(np.ma.getmaskarray(x)))
        if x.dtype == object:
            return (type(x), x.shape, *map(self.at, x.ravel()))
        return np.array(x) if self.copy else np.asarray(x)

    def table(self, x: Any) -> Any:
        """A pandas object as the arrays it is made of."""
        columns = [x] if getattr(x, "ndim", 1) == 1 else [x.iloc[:, i] for i in range(x.shape[1])]
        labels = [a for a in (getattr(x, "index", None), getattr(x, "columns", None)) if hasattr(a, "to_numpy")]
        return tuple(self.numbers(np.asarray(a.to_numpy())) for a in [*columns, *labels])


_CACHED = type(functools.cache(len))


class _Again:
    """Marks what was met before."""


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> tuple[str, ...]:
    """Of globals and attributes, also those in functions that are defined inside."""
    inner = (n for c in code.co_consts if isinstance(c, types.CodeType) for n in names_in(c))
    return tuple(dict.fromkeys((*code.co_names, *inner)))


def _globals(f: types.FunctionType, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The globals it names, and the modules that it imports itself."""
    for n in names:
        if n in f.__globals__:
            yield n, f.__globals__[n]
        elif n in sys.modules and is_own_module(n):
            yield n, sys.modules[n]


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _members(kind: type) -> dict[str, Any]:
    """What the body of a class has defined, without the machinery of classes."""
    found = {}
    for name, value in vars(kind).items():
        value = _function_of(value)
        if isinstance(value, types.FunctionType) or not (_is_dunder(name) or name == "_abc_impl"):
            found[name] = value
    return found


def _function_of(member: Any) -> Any:
    """The function of a property or of another descriptor."""
    if isinstance(member, (staticmethod, classmethod)):
        return member.__func__
    if isinstance(member, property):
        return member.fget
    return member.func if isinstance(member, functools.cached_property) else member


def _same(before: Any, now: Any) -> bool:
    if before is now:
        return True
    if type(before) is not type(now):
        return False
    if isinstance(before, tuple):
        return len(before) == len(now) and all(map(_same, before, now))
    if isinstance(before, np.ndarray):
        return before.dtype == now.dtype and before.shape == now.shape and before.tobytes() == now.tobytes()
    return same_value(before, now)
