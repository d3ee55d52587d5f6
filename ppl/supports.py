"""Supports: which values a distribution can take.

A support is asked like a function, `support(x)`, and answers without the event axes.  Those without parameters are
equal to each other, and can be keys of a dictionary.  nan is in no support, and neither is an infinity.
"""

from __future__ import annotations

import abc
import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.pytrees import Pytree, static


class Support(Pytree, abc.ABC):
    """A set of values; `event_dim` trailing axes make up one of them."""

    event_dim: ClassVar[int] = 0
    is_discrete: ClassVar[bool] = False
    text: ClassVar[str] = ""

    @abc.abstractmethod
    def __call__(self, x: Any) -> jax.Array:
        """Is x in the set?  A boolean array without the event axes."""

    def safe(self) -> Any:
        """One number such that an array full of it is inside, where there is one."""
        return 0.0

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        """A value of the set, of this shape with its event axes."""
        return jnp.broadcast_to(jnp.asarray(self.safe(), dtype), shape)

    def __eq__(self, other: object) -> bool:  # those with leaves, which may be traced, equal only themselves
        mine: Any = jax.tree.structure(self)
        return self is other or bool(mine.num_leaves == 0 and mine == jax.tree.structure(other))

    def __hash__(self) -> int:
        return hash(jax.tree.structure(self))

    def __repr__(self) -> str:
        return self.text


class Real(Support):
    """Finite numbers."""

    text: ClassVar[str] = "real"

    def __call__(self, x: Any) -> jax.Array:
        return _xp(x).isfinite(x)


class Positive(Support):
    """Finite numbers above 0."""

    text: ClassVar[str] = "positive"

    def __call__(self, x: Any) -> jax.Array:
        return (x > 0) & _xp(x).isfinite(x)

    def safe(self) -> Any:
        return 1.0


class NonNegative(Support):
    """Finite numbers, 0 included."""

    text: ClassVar[str] = "nonnegative"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & _xp(x).isfinite(x)

    def safe(self) -> Any:
        return 1.0


class UnitInterval(Support):
    """From 0 to 1, both included."""

    text: ClassVar[str] = "unit_interval"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & (x <= 1)

    def safe(self) -> Any:
        return 0.5


class Interval(Support):
    """From `low` to `high`, both included; their shapes broadcast to the value's."""

    low: Any
    high: Any

    def __call__(self, x: Any) -> jax.Array:
        low, high, x = _aligned(self.low, self.high, x)
        return (x >= low) & (x <= high)

    def safe(self) -> Any:
        low, high = _aligned(self.low, self.high)
        return low + (high - low) / 2

    def __repr__(self) -> str:
        return f"interval({show(self.low)}, {show(self.high)})"


class Boolean(Support):
    """0 and 1, of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "boolean"

    def __call__(self, x: Any) -> jax.Array:
        return (x == 0) | (x == 1)


class NonNegativeInteger(Support):
    """0, 1, 2, ..., of any dtype."""

    is_discrete: ClassVar[bool] = True
    text: ClassVar[str] = "nonnegative_integer"

    def __call__(self, x: Any) -> jax.Array:
        return (x >= 0) & _whole(x)


class IntegerInterval(Support):
    """Whole numbers from `low` to `high`, both included."""

    low: Any
    high: Any

    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        low, high, x = _aligned(self.low, self.high, x)
        return (x >= low) & (x <= high) & _whole(x)

    def safe(self) -> Any:
        return self.low

    def __repr__(self) -> str:
        return f"integers from {show(self.low)} to {show(self.high)}"


class RealVector(Support):
    """Vectors of finite numbers."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "real_vector"

    def __call__(self, x: Any) -> jax.Array:
        return _xp(x).isfinite(x).all(-1)


class Simplex(Support):
    """Vectors of numbers that are not negative and sum to 1, within 1e-5 (float32) or 1e-10."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "simplex"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        return (x >= 0).all(-1) & (abs(x.sum(-1) - 1) <= tolerance)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, 1 / shape[-1], dtype)


class PositiveDefinite(Support):
    """Symmetric matrices with a Cholesky factor."""

    event_dim: ClassVar[int] = 2
    text: ClassVar[str] = "positive_definite"

    def __call__(self, x: Any) -> jax.Array:
        tolerance = 1e-10 if x.dtype == jnp.float64 else 1e-5
        flipped = _xp(x).swapaxes(x, -1, -2)
        symmetric = (abs(x - flipped) <= tolerance * abs(x).max((-1, -2), keepdims=True)).all((-1, -2))
        return symmetric & jnp.isfinite(jnp.linalg.cholesky(x)).all((-1, -2))

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)


class LowerCholesky(Support):
    """Lower triangular matrices with a positive diagonal."""

    event_dim: ClassVar[int] = 2
    text: ClassVar[str] = "lower_cholesky"

    def __call__(self, x: Any) -> jax.Array:
        xp = _xp(x)
        lower = (xp.triu(x, 1) == 0).all((-1, -2))
        return lower & (xp.diagonal(x, axis1=-2, axis2=-1) > 0).all(-1) & xp.isfinite(x).all((-1, -2))

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)


class Subset(Support):
    """`size` different whole numbers from 0 to `total - 1`."""

    total: int = static()

    event_dim: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = True

    def __call__(self, x: Any) -> jax.Array:
        inside = ((x >= 0) & (x < self.total) & _whole(x)).all(-1)
        ordered = _xp(x).sort(x, axis=-1)
        return inside & (ordered[..., 1:] != ordered[..., :-1]).all(-1)

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.arange(shape[-1], dtype=dtype), shape)

    def __repr__(self) -> str:
        return f"subset of range({self.total})"


class Independent(Support):
    """A support whose last `count` batch axes belong to the event."""

    base: Support
    count: int = static()

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base.event_dim + self.count

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base.is_discrete

    def __call__(self, x: Any) -> jax.Array:
        inside = self.base(x)
        return inside.all(tuple(range(-self.count, 0))) if self.count else inside

    def feasible(self, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return self.base.feasible(shape, dtype)

    def __repr__(self) -> str:
        return f"independent({self.base!r}, {self.count})"


class Nothing(Support):
    """The one value without numbers, of `factor`."""

    event_dim: ClassVar[int] = 1
    text: ClassVar[str] = "nothing"

    def __call__(self, x: Any) -> jax.Array:
        return jnp.ones(jnp.shape(x)[:-1], bool)


def _xp(x: Any) -> Any:
    """NumPy for numbers that are known: looking at data must not wait for a compiler."""
    return jnp if isinstance(x, jax.Array) else np


def _whole(x: Any) -> Any:
    return (_xp(x).floor(x) == x) & _xp(x).isfinite(x)


def _aligned(*arrays: Any) -> list[Any]:
    """Broadcast axes in front in the open, as NumPy would do in silence."""
    ndim = max(jnp.ndim(x) for x in arrays)
    missing = [ndim - jnp.ndim(x) if jnp.ndim(x) else 0 for x in arrays]
    return [x.reshape((1,) * m + x.shape) if m else x for x, m in zip(arrays, missing, strict=True)]


def show(x: Any) -> str:
    """A parameter in a `repr`: a number as it is, an array by dtype and shape.

    >>> import numpy as np
    >>> show(1.5), show(np.zeros((3, 2)))
    ('1.5', 'f64[3,2]')
    """
    if x is None or isinstance(x, (bool, str)):
        return repr(x)
    if isinstance(x, (int, float)):
        return repr(float(x)) if isinstance(x, float) else repr(int(x))
    if not isinstance(x, (np.ndarray, np.generic, jax.Array, jax.ShapeDtypeStruct)):
        return "?" if type(x) is object else repr(x)
    if x.shape == () and not isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct)):
        return f"{x.item():g}"
    kind = re.sub(r"(float|int)(?=\d)", lambda m: m[0][0], str(x.dtype))  # bfloat16 is bf16, uint8 is u8
    return f"{kind.replace('ui', 'u')}[{','.join(map(str, x.shape))}]"


real = Real()
positive = Positive()
nonnegative = NonNegative()
unit_interval = UnitInterval()
boolean = Boolean()
nonnegative_integer = NonNegativeInteger()
real_vector = RealVector()
simplex = Simplex()
positive_definite = PositiveDefinite()
lower_cholesky = LowerCholesky()
nothing = Nothing()
interval = Interval
integer_interval = IntegerInterval
independent = Independent
subset = Subset
