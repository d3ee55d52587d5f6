"""Immutable classes that JAX can look into: frozen dataclasses registered as pytrees.

Fields are children (arrays, or pytrees of arrays) unless declared with `static`.  Unflattening sets the fields
without calling `__init__`, so that JAX may put tracers, `None` or placeholders where a constructor expects numbers.
"""

from __future__ import annotations

import dataclasses
from typing import Any, dataclass_transform

import jax


def static(**kwargs: Any) -> Any:
    """A dataclass field that is part of the tree's structure: hashable, compared, never traced."""
    return dataclasses.field(metadata={"static": True}, **kwargs)


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
class Pytree:
    """Base class: a subclass is a frozen dataclass and a pytree.

    >>> class Point(Pytree):
    ...     x: float
    ...     label: str = static(default="p")
    >>> jax.tree.map(lambda x: 2 * x, Point(1.0))
    Point(x=2.0, label='p')
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        children = [f.name for f in fields if not f.metadata.get("static")]
        aux = [f.name for f in fields if f.metadata.get("static")]

        def flatten(self: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
            pairs = [(jax.tree_util.GetAttrKey(n), getattr(self, n)) for n in children]
            return pairs, tuple(getattr(self, n) for n in aux)

        def unflatten(meta: tuple[Any, ...], values: Any) -> Any:
            self = object.__new__(cls)
            for name, value in zip([*aux, *children], [*meta, *values], strict=True):
                object.__setattr__(self, name, value)
            return self

        jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)

    def __repr__(self) -> str:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields)})"

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]
