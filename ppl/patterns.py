"""Which entries of the data are missing, as far as that is known while a model is traced."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import is_concrete
from storax.errors import ArgumentTypeError, SettingsError, StoraxError

Mask = np.ndarray


class PatternWanted(StoraxError):
    """Raised to `stage`: the model asks which entries of its arguments are nan."""


class Patterns:
    """The arrays of the trace that is running, each with its missing entries; `complete`: nan was looked for."""

    def __init__(self, arrays: Sequence[Any], masks: Sequence[Mask | None], complete: bool) -> None:
        self.arrays, self.masks, self.complete = arrays, masks, complete


_patterns: contextvars.ContextVar[Patterns | None] = contextvars.ContextVar("patterns", default=None)


@contextmanager
def told(patterns: Patterns) -> Iterator[None]:
    token = _patterns.set(patterns)
    try:
        yield
    finally:
        _patterns.reset(token)


def masked_entries(x: Any) -> Mask | None:
    """Of a masked array; None if no entry is masked."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any():
        return np.asarray(np.ma.getmaskarray(x))
    return None


def filled(x: Any) -> np.ndarray:
    """A masked array with nan (for integers: 0) where it is masked."""
    return np.asarray(x.filled(np.nan if x.dtype.kind in "fc" else 0))


UNKNOWN = np.zeros(0, bool)  # the pattern of an array whose numbers are not known


def nan_entries(x: Any) -> Mask | None:
    """None if no entry is nan, `UNKNOWN` if the numbers are not known."""
    if not jnp.issubdtype(jnp.result_type(x), jnp.inexact):
        return None
    if not is_concrete(x):
        return UNKNOWN
    nan = np.isnan(np.asarray(x))
    return nan if nan.any() else None


def missing_entries(obs: Any, missing: str | None, label: str) -> Mask | None:
    """The entries to be imputed, None if there are none.

    Raises:
        SettingsError: `missing` is neither None nor "impute".
        ArgumentTypeError: it is not known which entries are nan.
    """
    if missing not in (None, "impute"):
        raise SettingsError(f"{label}: missing must be None or 'impute', and is {missing!r}.")
    if obs is None:
        return None
    if not isinstance(obs, jax.core.Tracer):
        mask = masked_entries(obs)
        if mask is None and missing and not isinstance(obs, (list, tuple)):
            mask = nan_entries(np.asarray(obs) if not hasattr(obs, "dtype") else obs)
        elif mask is None and missing:
            mask = nan_entries(np.asarray(obs, float))
        return mask
    patterns = _patterns.get()
    if patterns is not None:
        for array, mask in zip(patterns.arrays, patterns.masks, strict=True):
            if array is obs and mask is not UNKNOWN and (mask is not None or patterns.complete):
                return mask
        if missing and not patterns.complete:
            raise PatternWanted(label)
    if missing:
        raise ArgumentTypeError(
            f"{label}: with missing='impute' it must be known which entries are nan while the model is traced. Pass "
            f"the data as an argument of the model and hand it on as it is, obs=y (not y[1:] or y - 1), outside of "
            f"jax.jit and loops; or let the model close over it."
        )
    return None
