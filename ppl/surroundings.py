"""What a model sees besides its arguments, and whether that is still what it was when the model was traced."""

from __future__ import annotations

import contextlib
import enum
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

IMMUTABLE = (int, float, complex, str, bytes, enum.Enum, np.dtype, type, types.FunctionType, types.BuiltinFunctionType)


class Surroundings:
    """What a function sees besides its arguments: its closure, and the globals it names.

    `data = np.load(...)` at the top of a notebook, changed and run again, must not score the old data.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.seen = {name: _snapshot(x) for name, x in _around(f).items()}

    @property
    def can_be_cached(self) -> bool:
        return not any(isinstance(x, jax.core.Tracer) for x in self.seen.values())

    def still_hold(self, f: Callable[..., Any]) -> bool:
        now = _around(f)
        return now.keys() == self.seen.keys() and all(_unchanged(self.seen[n], x) for n, x in now.items())


def _around(f: Callable[..., Any]) -> dict[str, Any]:
    code = getattr(f, "__code__", None)
    if code is None:
        return {}
    around = {n: f.__globals__[n] for n in code.co_names if n in f.__globals__}
    for name, cell in zip(code.co_freevars, f.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # a variable that is not bound yet
            around[f"closure {name}"] = cell.cell_contents
    return around


def _snapshot(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x


def _unchanged(before: Any, now: Any) -> bool:
    if before is now:
        return True
    if isinstance(before, np.ndarray) and isinstance(now, np.ndarray):
        return before.dtype == now.dtype and before.tobytes() == now.tobytes() and before.shape == now.shape
    return type(before) is type(now) and isinstance(now, IMMUTABLE) and before == now
