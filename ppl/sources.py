"""Where in the user's program something happened, and tracebacks that show only that."""

from __future__ import annotations

import contextvars
import difflib
import functools
import inspect
import os
import re
import sys
import sysconfig
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar

from storax.errors import ArgumentTypeError, StoraxError

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=BaseException)

_OURS = frozenset({"storax", "jax", "jaxlib", "numpy", "optax", "builtins", "functools", "contextlib"})
_STANDARD_LIBRARY = tuple(sysconfig.get_path(p) + os.sep for p in ("stdlib", "platstdlib"))


# The sites reached so far by the trace that is running, None outside of one; only for error messages.
reached: contextvars.ContextVar[tuple[str, ...] | None] = contextvars.ContextVar("reached", default=None)


def note(label: str) -> None:
    """Remember that the running trace has reached the site of this label."""
    before = reached.get()
    if before is not None:
        reached.set((*before, label.removeprefix("site ")))


def is_users_module(name: Any) -> bool:
    """Does a module of this name belong neither to storax nor to what it stands on?"""
    return str(name or "").split(".")[0] not in _OURS


@functools.cache
def in_library(filename: str) -> bool:
    """Is it a file of the standard library, or of an installed package?"""
    if filename.startswith("<frozen "):
        return True
    if {"site-packages", "dist-packages"} & set(os.path.normpath(filename).split(os.sep)):
        return True
    return filename.startswith(_STANDARD_LIBRARY)


@functools.cache
def is_own_module(name: Any) -> bool:
    """Is it a module that the user writes, rather than one that is installed?"""
    if not is_users_module(name):
        return False
    file = getattr(sys.modules.get(str(name)), "__file__", None)
    if file is not None:
        return not in_library(file)
    return name == "__main__" or str(name).split(".")[0] not in sys.stdlib_module_names


def _is_users(frame: FrameType) -> bool:
    return is_users_module(frame.f_globals.get("__name__"))


def _is_own(frame: FrameType) -> bool:
    return _is_users(frame) and not in_library(frame.f_code.co_filename)


def user_line() -> str:
    """`"model.py:12"`: the innermost line of the call stack that the user has written.

    Without one (a model that is installed), the innermost that belongs neither to storax nor to JAX.
    """
    frame: FrameType | None = sys._getframe(1)
    installed = ""
    while frame is not None:
        if _is_users(frame):
            line = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            if _is_own(frame):
                return line
            installed = installed or line
        frame = frame.f_back
    return installed


def user_stacklevel() -> int:
    """The `stacklevel` with which a warning from the caller points at the user's line."""
    level, frame = 0, sys._getframe(1)
    while frame is not None and not _is_users(frame):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    return level + 1


def last_user_line(traceback: TracebackType | None) -> str:
    """The innermost line of the user's program in a traceback, as `user_line` finds it on the call stack."""
    own, installed = "", ""
    while traceback is not None:
        line = f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"
        own = line if _is_own(traceback.tb_frame) else own
        installed = line if _is_users(traceback.tb_frame) else installed
        traceback = traceback.tb_next
    return own or installed


def _users_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The same traceback without the frames of storax and JAX."""
    if traceback is None:
        return None
    rest = _users_frames(traceback.tb_next)
    if not _is_users(traceback.tb_frame):
        return rest
    return TracebackType(rest, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def plain_errors(f: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: our errors leave it with a traceback of the user's own lines."""

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return f(*args, **kwargs)
        except StoraxError as error:
            raise shown_to_users(error) from None
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # not of this call, but of something that it did
            raise ArgumentTypeError(_call_in_words(f, error)) from None

    return wrapper


def _call_in_words(f: Callable[..., Any], error: TypeError) -> str:
    """What is wrong with a call, and what would be right."""
    signature = inspect.signature(f)
    given = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    close = difflib.get_close_matches(given[1], signature.parameters, n=1) if given else []
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listing = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in signature.parameters.values()
    )
    name = "" if "<locals>" in f.__qualname__ else f.__name__
    return (
        f"{str(error).replace(f.__qualname__, name or 'the call')} ({user_line()}).{hint} It takes {name}({listing})."
    )


def shown_to_users(error: E) -> E:
    """The error with a traceback of the user's own lines."""
    error.__traceback__ = _users_frames(error.__traceback__)
    error.__notes__ = []  # JAX notes there that it has hidden its frames
    return error
