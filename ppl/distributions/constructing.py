"""What a distribution's constructor says when it is called wrongly: at which line, and what it takes."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from storax.errors import ArgumentTypeError, StoraxError
from storax.sources import shown_to_users, user_line


def explained(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor whose errors say at which of the user's lines, and show no frame of ours."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except StoraxError as error:
            if not hasattr(error, "constructed"):  # by a constructor further in
                error.args, error.constructed = (_with_line(str(error), type(self).__name__),), True  # type: ignore[attr-defined]
            raise shown_to_users(error) from None
        except TypeError as error:
            told = _call_error(type(self).__name__, init, args, kwargs)
            if told is None:
                raise
            raise told.with_traceback(shown_to_users(error).__traceback__) from None

    return __init__


def _with_line(message: str, name: str) -> str:
    line = user_line()
    if not line or line in message:
        return message
    return f"{name} ({line}): {message.removeprefix(f'{name}: ')}"


# What the parameters are called in other libraries.
_ELSEWHERE = {
    "loc": ("mu", "mean", "location", "m"),
    "scale": ("sigma", "sd", "std", "stddev", "s"),
    "rate": ("lam", "lambda_", "lambd", "beta"),
    "concentration": ("alpha", "shape", "a"),
    "probs": ("p", "prob"),
    "total_count": ("n",),
    "df": ("nu",),
    "low": ("lower", "a"),
    "high": ("upper", "b"),
    "covariance_matrix": ("cov", "covariance", "Sigma"),
}


def _call_error(name: str, init: Callable[..., None], args: Any, kwargs: Any) -> StoraxError | None:
    """What is wrong with the call itself; None if nothing is."""
    signature = inspect.signature(init)
    try:
        signature.bind(None, *args, **kwargs)
        return None
    except TypeError as error:
        why = str(error)
    known = list(signature.parameters.values())[1:]
    listing = ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in known)
    hints = [f"Did you mean {best!r}?" for n in kwargs if (best := _nearest_parameter(n, [p.name for p in known]))]
    return ArgumentTypeError(_with_line(f"{' '.join([why + '.', *hints])} The parameters are {name}({listing}).", name))


def _nearest_parameter(given: str, known: list[str]) -> str | None:
    if given in known:
        return None
    elsewhere = [n for n in known if given in _ELSEWHERE.get(n, ())]
    return next(iter([*elsewhere, *difflib.get_close_matches(given, known, n=1)]), None)
