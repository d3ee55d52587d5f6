"""What users hand in as numbers, as arrays: nothing is broadcast, rounded, wrapped around or cut off to make it fit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import ArgumentTypeError, ObservationError, ShapeError


def is_concrete(tree: Any) -> bool:
    """Are the numbers known now, rather than when a compiled program runs?"""
    return not any(isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct)) for x in jax.tree.leaves(tree))


def as_data(value: Any, what: str) -> Any:
    """Lists, NumPy arrays, pandas objects and scalars as one numeric array, a copy; JAX arrays and tracers as they are.

    Raises:
        ArgumentTypeError: not numeric (objects, strings, ragged lists), or too large for the type it would get.
    """
    if isinstance(value, jax.Array):
        if value.dtype != bool and not jnp.issubdtype(value.dtype, jnp.number):
            raise ArgumentTypeError(f"{what} has dtype {value.dtype}, and numbers are needed.")
        return value
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any() for x in parts):
        raise ArgumentTypeError(
            f"{what} is a masked array. Hand over its data and leave the masked entries out of the density: "
            f"sx.sample(name, d.expand(y.shape).mask(~y.mask), obs=y.data)."
        )
    if isinstance(value, (list, tuple)) and any(isinstance(x, jax.Array) for x in jax.tree.leaves(value)):
        return _stacked(value, what)
    array = _one_array(value, what)
    return _fitting(array, jax.dtypes.canonicalize_dtype(array.dtype), what)


def _stacked(values: Any, what: str) -> jax.Array:
    """A list with JAX arrays or tracers in it."""
    parts = [jnp.asarray(as_data(x, what)) for x in values]
    shapes = sorted({x.shape for x in parts})
    if len(shapes) > 1:
        raise ArgumentTypeError(f"{what} is a list of arrays of different shapes, {shapes}, and cannot be made one.")
    return jnp.stack(parts)


def _one_array(value: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(jax.tree.map(np.asarray, value) if isinstance(value, (list, tuple)) else value)
    except (ValueError, TypeError) as error:
        raise ArgumentTypeError(f"{what} cannot be made one array of numbers: {error}.") from None
    if array.dtype == object and all(isinstance(x, (int, float, bool, np.number)) for x in array.ravel()):
        array = array.astype(float)  # pandas columns of plain numbers
    if array.dtype.kind not in "biufc" and not jnp.issubdtype(array.dtype, jnp.inexact):
        if value is None:
            raise ArgumentTypeError(f"{what} is None, and numbers are needed.")
        raise ArgumentTypeError(
            f"{what} has dtype {array.dtype}, and numbers are needed. Missing values must be handled first: drop "
            f"them, or mask them with sx.mask; strings and categories must be coded as integers."
        )
    return array


def _fitting(array: np.ndarray, dtype: Any, what: str) -> np.ndarray:
    """A copy of this dtype.

    Raises:
        ArgumentTypeError: a number that the dtype has no room for.
    """
    with np.errstate(all="ignore"):
        cast = np.array(array, dtype)
        if jnp.issubdtype(dtype, jnp.integer):
            info = jnp.iinfo(dtype)
            lost = (array < info.min) | (array > info.max)
        elif jnp.issubdtype(array.dtype, jnp.inexact):
            lost = np.isinf(cast) & ~np.isinf(array)
        else:
            return cast
    if array.dtype != dtype and lost.any():
        index, bad = first(array, lost)
        raise ArgumentTypeError(
            f"{what}: value{index} = {bad} does not fit {np.dtype(dtype).name}. Rescale it, pass floats "
            f"(y.astype(float)) for whole numbers, or turn on 64 bits: jax.config.update('jax_enable_x64', True)."
        )
    return cast


def as_real(value: Any, what: str) -> Any:
    """`as_data`, without complex numbers."""
    value = as_data(value, what)
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        raise ArgumentTypeError(f"{what} is complex, and real numbers are needed. Take y.real, y.imag or abs(y).")
    return value


def as_value(value: Any, shape: tuple[int, ...], dtype: Any, label: str) -> Any:
    """A value for a site of this shape and dtype: nothing is broadcast, nothing is rounded.

    Raises:
        ShapeError: another shape.
        ObservationError: numbers with a fraction for an integer site.
        ArgumentTypeError: complex numbers for a site of real ones.
    """
    what = f"The value of {label}"
    value = as_data(value, what) if jnp.issubdtype(dtype, jnp.complexfloating) else as_real(value, what)
    if value.shape != shape:
        raise ShapeError(
            f"{label} has shape {shape}, but was given a value of shape {value.shape}; nothing is broadcast. "
            f"{_shape_advice(value.shape, shape)}"
        )
    return as_dtype(value, dtype, label)


def as_dtype(value: Any, dtype: Any, label: str) -> Any:
    integer = not jnp.issubdtype(dtype, jnp.inexact)
    if not integer or not jnp.issubdtype(value.dtype, jnp.inexact):
        return value if value.dtype == dtype else value.astype(dtype)
    if not is_concrete(value):
        return value  # scored as it is: a fraction has density zero
    numbers = np.asarray(value)
    wrong = numbers != np.round(numbers)
    if wrong.any():
        index, bad = first(numbers, wrong)
        raise ObservationError(f"{label} takes whole numbers, but its value{index} is {bad}.")
    return _fitting(numbers, dtype, f"The value of {label}") if np.isfinite(numbers).all() else value


def _shape_advice(came: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if int(np.prod(came)) == int(np.prod(expected)):
        return f"Reshape it: value.reshape({expected})."
    extra = len(came) - len(expected)
    if extra > 0 and came[extra:] == expected:
        return f"For {came[:extra]} independent copies write sx.sample(name, distribution, shape={came[:extra]})."
    return "Give the site the shape of the data with sx.sample(..., shape=...), sx.plate or jax.vmap."


def first(values: np.ndarray, wrong: np.ndarray) -> tuple[str, Any]:
    """The first wrong entry, as text for its index and its value."""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    text = f"[{', '.join(map(str, index))}]" if index else ""
    entry = values[index]
    return text, entry.item() if np.ndim(entry) == 0 else np.asarray(entry).tolist()
