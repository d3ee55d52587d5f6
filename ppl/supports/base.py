"""The interface of a support, and what all of them share."""

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


def array_module(x: Any) -> Any:
    """NumPy for numbers that are known: looking at data must not wait for a compiler."""
    return jnp if isinstance(x, jax.Array) else np


def whole(x: Any) -> Any:
    return (array_module(x).floor(x) == x) & array_module(x).isfinite(x)


def aligned(*arrays: Any) -> list[Any]:
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
