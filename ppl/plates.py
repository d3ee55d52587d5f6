"""`plate`: independent copies along an axis of the batch, for models written with batched parameters.

The open plates are a value of JAX's own trace context: a jitted function called inside of a plate is traced for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.distributions import Distribution, Scaled, Subsample
from storax.errors import ArgumentTypeError, ModelError, SettingsError, ShapeError
from storax.primitives import Site, bind_sample
from storax.sources import note, plain_errors, user_line
from storax.validation import check_name


class Frame(NamedTuple):
    """One open plate: `size` copies at batch axis `dim` (negative), whose log densities count `scale` times."""

    name: str
    size: int
    dim: int
    scale: float


_open = jax.make_user_context(default_value=())


def plate(
    name: str, size: int, *, subsample_size: int | None = None, dim: int | None = None
) -> contextlib.AbstractContextManager[Any]:
    """Independent copies: sites in the block get `size` of them along batch axis `dim`.

    Args:
        name: names the axis in the results; and the site of the subsample, if there is one.
        size: number of copies, a Python int, not negative.
        subsample_size: take only that many, chosen at random without replacement; log densities inside are multiplied
            by `size / subsample_size`, so that their sum is unbiased for all copies.
        dim: the batch axis, counted from the right: -1, -2, ...  Default: the rightmost one that is free.

    Returns:
        A context manager, which may be entered again; `with ... as indices` gives the copies' indices, an integer
        array.

    Raises:
        ShapeError: a site inside whose batch has another size at that axis.
        ModelError: the plate is already open, or its axis is taken.

    >>> import storax as sx
    >>> def model(y):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     with sx.plate("school", 8):
    ...         theta = sx.sample("theta", sx.Normal(mu, 1.0))
    ...         sx.sample("y", sx.Normal(theta, 1.0), obs=y)
    """
    return plain_errors(_checked)(name, size, subsample_size, dim)


def _checked(name: Any, size: Any, subsample_size: Any, dim: Any) -> _Plate:
    check_name(name, "sx.plate")
    for what, n in (("size", size), ("subsample_size", subsample_size)):
        if n is None and what == "subsample_size":
            continue
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
            raise ArgumentTypeError(
                f"plate {name!r} needs a Python int as its {what}, and got {n!r}: the number of copies is part of the "
                f"program. For an array's length use y.shape[0] or len(y); a NumPy integer that is an argument of the "
                f"model is traced, so pass int(n)."
            )
        least = 0 if what == "size" else 1
        if n < least:
            raise SettingsError(f"plate {name!r} needs a {what} of at least {least}, and got {n}.")
    if subsample_size is not None and subsample_size > size:
        raise SettingsError(f"plate {name!r} cannot take {subsample_size} of {size} copies without replacement.")
    if dim is not None and (not isinstance(dim, int) or dim >= 0):
        raise SettingsError(f"plate {name!r}: `dim` counts batch axes from the right, -1, -2, ..., and got {dim!r}.")
    return _Plate(name, int(size), int(subsample_size or size), dim)


class _Plate(contextlib.AbstractContextManager[jax.Array]):
    """May be entered again, after it was left."""

    def __init__(self, *settings: Any) -> None:
        self._settings = settings
        self._entered = threading.local()  # a model may run in several threads at once

    @plain_errors
    def __enter__(self) -> jax.Array:
        block = _opened(*self._settings)
        indices = block.__enter__()
        self._entered.blocks = [*getattr(self._entered, "blocks", []), block]
        return indices

    def __exit__(self, *exception: Any) -> bool | None:
        return self._entered.blocks.pop().__exit__(*exception)


@contextlib.contextmanager
def _opened(name: str, size: int, taken: int, dim: int | None) -> Iterator[jax.Array]:
    outer = _open.value
    if any(f.name == name for f in outer):
        raise ModelError(f"plate {name!r} is already open here. Name the inner one differently.")
    used = {f.dim: f.name for f in outer}
    if dim in used:
        raise ModelError(f"plate {name!r} wants batch axis {dim}, which plate {used[dim]!r} has. Leave `dim` out.")
    if dim is None:
        dim = next(-i for i in range(1, len(used) + 2) if -i not in used)
    if taken == size:
        indices = jnp.arange(size)
    else:
        with _open(()):  # one subsample, not one for each copy of the outer plates
            leaves, tree = jax.tree.flatten(Subsample(size, taken))
            site = Site(name, tree, source=user_line())
            note(site.label)
            indices = bind_sample(leaves, site)
    with _open((*outer, Frame(name, taken, dim, size / taken if size else 1.0))):
        yield indices


def outside() -> contextlib.AbstractContextManager[Any]:
    """As if no plate were open: a program that is a distribution of its own means the same wherever it is used."""
    return _open(())


def within(d: Distribution, copies: tuple[int, ...], label: str) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
    """A site's distribution and copies inside of the open plates, and the names of its axes."""
    frames = _open.value
    if not frames:
        return d, copies, ()
    batch = [*copies, *d.batch_shape]
    for frame in frames:
        batch = [1] * (-frame.dim - len(batch)) + batch
        here = batch[frame.dim]
        if here not in (1, frame.size):
            raise ShapeError(
                f"{label} is in plate {frame.name!r} of size {frame.size} at batch axis {frame.dim}, but its batch "
                f"shape {(*copies, *d.batch_shape)} has {here} there. Give the plate that size, or index the "
                f"parameters with the plate's indices."
            )
        batch[frame.dim] = frame.size
    own = len(batch) - len(d.batch_shape)
    if tuple(batch[own:]) == tuple(d.batch_shape):
        copies = tuple(batch[:own])
    else:
        d, copies = d.expand(tuple(batch)), ()
    scale = float(np.prod([f.scale for f in frames]))
    return (Scaled(d, scale) if scale != 1 else d), copies, dims_of(tuple(batch))


def dims_of(batch: tuple[int, ...]) -> tuple[str | None, ...]:
    """The plates' names for the axes of a batch, None for an axis that no plate has."""
    names = {f.dim: f.name for f in _open.value if -f.dim <= len(batch) and batch[f.dim] == f.size}
    return tuple(names.get(i - len(batch)) for i in range(len(batch))) if names else ()
