"""Names of axes and labels along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storax.errors import ArgumentTypeError, ShapeError, UnknownNameError, nearest

Dims = Mapping[str, tuple[str | None, ...]]
Shapes = Mapping[str, tuple[int, ...]]


def labels_of(dims: Sequence[str | None], coords: Mapping[str, np.ndarray], index: Sequence[int]) -> tuple[Any, ...]:
    """Coordinates where there are some, else positions."""
    names = (*dims, *(None,) * (len(index) - len(dims)))
    return tuple(coords[d][i] if d is not None and d in coords else i for d, i in zip(names, index, strict=True))


def check_dims(dims: Any, shapes: Shapes) -> dict[str, tuple[str | None, ...]]:
    """
    Raises:
        UnknownNameError: a quantity that there is not.
        ShapeError: not as many names as axes.
        ArgumentTypeError: what is no name.
    """
    if not isinstance(dims, Mapping):
        raise ArgumentTypeError(f"dims must be {{'theta': ('school',)}}, axis names by quantity, and is {dims!r}.")
    out: dict[str, tuple[str | None, ...]] = {}
    for name, axes in dims.items():
        if name not in shapes:
            raise UnknownNameError(f"dims names {name!r}, and there is no such quantity. {nearest(name, shapes)}")
        axes = (axes,) if isinstance(axes, str) else tuple(axes)
        if not all(a is None or isinstance(a, str) for a in axes):
            raise ArgumentTypeError(f"dims of {name!r} must be strings or None, and are {axes!r}.")
        if len(axes) != len(shapes[name]):
            raise ShapeError(
                f"dims of {name!r} are {axes!r}, {len(axes)} names, and it has shape {shapes[name]}: give one for each "
                f"axis, None for those without."
            )
        if len({a for a in axes if a}) < sum(a is not None for a in axes):
            raise ShapeError(f"dims of {name!r} are {axes!r}: two axes of one quantity need two names.")
        out[name] = axes
    return out


def check_coords(coords: Any, dims: Dims, shapes: Shapes) -> dict[str, np.ndarray]:
    """
    Raises:
        UnknownNameError: an axis that no quantity has.
        ShapeError: not as many labels as there are along it.
        ArgumentTypeError: what is no list of labels.
    """
    if not isinstance(coords, Mapping):
        raise ArgumentTypeError(f"coords must be {{'school': ['A', 'B']}}, labels by axis, and is {coords!r}.")
    out: dict[str, np.ndarray] = {}
    known = list(dict.fromkeys(d for axes in dims.values() for d in axes if d))
    for axis, labels in coords.items():
        if axis not in known:
            hint = nearest(axis, known) if known else "No axis has a name: use sx.plate in the model, or dims=."
            raise UnknownNameError(f"coords names the axis {axis!r}, and no quantity has it. {hint}")
        array = np.asarray(labels)
        if array.ndim != 1 or (array.dtype == object and not all(isinstance(x, str) for x in array)):
            raise ArgumentTypeError(f"The labels of the axis {axis!r} must be a list of strings, numbers or dates.")
        for name, axes in dims.items():
            for a, size in zip(axes, shapes.get(name, ()), strict=False):
                if a == axis and size != len(array):
                    raise ShapeError(f"The axis {axis!r} of {name!r} has {size} entries, and got {len(array)} labels.")
        out[axis] = array.astype(str) if array.dtype == object else array
    return out
