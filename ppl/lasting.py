"""Which Python objects stay what they are, and which may change without anyone seeing it."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import logging
import operator
import pathlib
import re
import types
from typing import Any

import jax
import numpy as np

VALUES = (
    bool, int, float, complex, str, bytes, np.dtype, range, slice, datetime.date, datetime.time, datetime.timedelta,
    decimal.Decimal, fractions.Fraction, pathlib.PurePath, re.Pattern,
)  # fmt: skip
"""Immutable, and compared with ==."""

_NAMEDTUPLE_FIELD: Any = type(vars(collections.namedtuple("_One", "a"))["a"])

_THINGS = (
    type(None), type(Ellipsis), type(NotImplemented), enum.Enum, enum.EnumMeta, np.ufunc, types.CodeType,
    types.GenericAlias, types.UnionType, types.MemberDescriptorType, types.GetSetDescriptorType,
    types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType, _NAMEDTUPLE_FIELD,
    operator.itemgetter, operator.attrgetter, operator.methodcaller, logging.Logger,
)  # fmt: skip
"""Immutable, and compared by identity."""

CONTAINERS = (list, tuple, set, frozenset, collections.deque)
COPIED = (np.ndarray, np.generic, array.array, bytearray)


def is_lasting(x: Any) -> bool:
    """Can it not change?  (Nor anything inside.)"""
    if isinstance(x, VALUES) and not isinstance(x, np.generic):
        return True
    if isinstance(x, types.BuiltinFunctionType):
        return x.__self__ is None or isinstance(x.__self__, (types.ModuleType, type))
    if isinstance(x, jax.Array):
        return not isinstance(x, jax.core.Tracer)
    return isinstance(x, _THINGS) or type(x) is object or type(x).__module__ == "typing"


def same_value(before: Any, now: Any) -> bool:
    """Is it the same value?  0.0 is not -0.0, and nan is nan."""
    if isinstance(now, (float, complex)):
        return repr(before) == repr(now)
    return isinstance(now, VALUES) and bool(before == now)


def has_hidden_state(kind: type) -> bool:
    """Do objects of this class hold more than their attributes, in memory that only C code sees?"""
    for c in kind.__mro__[:-1]:
        own = vars(c)
        members = sum(isinstance(m, types.MemberDescriptorType) for m in own.values())
        room = c.__basicsize__ - c.__base__.__basicsize__  # type: ignore[union-attr]
        if room > 8 * (members + ("__dict__" in own) + ("__weakref__" in own)):
            return True
    return False


def is_table(x: Any) -> bool:
    """Is it a pandas object?"""
    return type(x).__module__.split(".")[0] == "pandas" and hasattr(x, "to_numpy")
