"""The two ends of a set of numbers, and the set between two ends."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.supports.base import Support
from storax.supports.integers import Boolean, IntegerGreaterThan, IntegerInterval, IntegerLessThan, NonNegativeInteger
from storax.supports.intervals import (
    Circular,
    GreaterThan,
    Interval,
    LessThan,
    NonNegative,
    Positive,
    Real,
    UnitInterval,
)

_FIXED: dict[type[Support], tuple[float, float]] = {
    Real: (-np.inf, np.inf),
    Positive: (0.0, np.inf),
    NonNegative: (0.0, np.inf),
    UnitInterval: (0.0, 1.0),
    Boolean: (0.0, 1.0),
    NonNegativeInteger: (0.0, np.inf),
    Circular: (-np.pi, np.pi),
}


def ends(support: Support) -> tuple[Any, Any] | None:
    """The smallest and the largest number, or minus and plus infinity; None for a set of something else.

    >>> from storax import supports
    >>> ends(supports.greater_than(2.0))
    (2.0, inf)
    """
    if support.event_dim:
        return None
    if type(support) in _FIXED:
        return _FIXED[type(support)]
    low, high = getattr(support, "low", None), getattr(support, "high", None)
    if low is None and high is None and not support.is_discrete:
        return None
    return -np.inf if low is None else low, np.inf if high is None else high


def range_between(low: Any, high: Any, is_discrete: bool = False) -> Support:
    """The numbers, or whole numbers, from `low` to `high`, both included; an end that is known to be infinite is none.

    >>> range_between(0.0, np.inf), range_between(1, 4, is_discrete=True)
    (nonnegative, integers from 1 to 4)
    """
    from_below, to_above = not infinite(low), not infinite(high)
    if is_discrete:
        if from_below and to_above:
            return IntegerInterval(low, high)
        if to_above:
            return IntegerLessThan(high)
        return NonNegativeInteger() if _is(low, 0) else IntegerGreaterThan(low)
    if from_below and to_above:
        return Interval(low, high)
    if from_below:
        return NonNegative() if _is(low, 0) else GreaterThan(low)
    return LessThan(high) if to_above else Real()


def infinite(end: Any) -> bool:
    """Is it known to be infinite, wherever it is?"""
    return _known(end) and bool(np.isinf(np.asarray(end, float)).all())


def _is(x: Any, number: float) -> bool:
    return _known(x) and np.ndim(x) == 0 and bool(np.asarray(x) == number)


def _known(x: Any) -> bool:
    return not isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct))


def intersection(low: Any, high: Any, support: Support) -> Support:
    """The part of a set of numbers from `low` to `high`; None is no end."""
    a, b = ends(support) or (-np.inf, np.inf)
    return range_between(
        a if low is None else larger(low, a), b if high is None else smaller(high, b), support.is_discrete
    )


def clip(x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high) of ends; None is no end."""
    x = x if low is None else larger(x, low)
    return x if high is None else smaller(x, high)


def larger(x: Any, y: Any) -> Any:
    """The larger of two ends; numbers stay numbers, and an infinite one is known to be none."""
    for a, b in ((x, y), (y, x)):
        if infinite(a):
            return b if (np.asarray(a) < 0).all() else a if (np.asarray(a) > 0).all() else _extreme(a, b, np.maximum)
    return _extreme(x, y, np.maximum)


def smaller(x: Any, y: Any) -> Any:
    """The smaller of two ends."""
    for a, b in ((x, y), (y, x)):
        if infinite(a):
            return b if (np.asarray(a) > 0).all() else a if (np.asarray(a) < 0).all() else _extreme(a, b, np.minimum)
    return _extreme(x, y, np.minimum)


def _extreme(x: Any, y: Any, f: Any) -> Any:
    if _known(x) and _known(y):
        with jax.ensure_compile_time_eval():
            result = f(np.asarray(x), np.asarray(y))
        return result.item() if isinstance(x, (int, float)) and isinstance(y, (int, float)) else result
    x, y = jnp.asarray(x), jnp.asarray(y)
    rank = max(x.ndim, y.ndim)
    x, y = (v.reshape((1,) * (rank - v.ndim) + v.shape) if v.ndim else v for v in (x, y))
    return (jnp.maximum if f is np.maximum else jnp.minimum)(x, y)
