"""`Draws`: named draws as a dict of NumPy arrays, made a few at a time so that they fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.effects import Sites
from storax.errors import ArgumentTypeError, ControlFlowError, SettingsError
from storax.handlers.tracing import TracedSite

BATCH_BYTES = 2**25  # of results, at a time


class Draws(dict[str, np.ndarray]):
    """name -> `[*sample, *shape]`.

    Attributes:
        sample_dims: names of the leading axes, ("chain", "draw") or ("draw",).
        dims: name -> names of the axes of one draw, None for those without.
        predicted: names of the sites that data are, or would be, observed at.
    """

    def __init__(
        self,
        values: Mapping[str, np.ndarray],
        sample_dims: Sequence[str],
        dims: Mapping[str, tuple[str | None, ...]],
        predicted: Sequence[str] = (),
    ) -> None:
        super().__init__(values)
        self.sample_dims, self.dims, self.predicted = tuple(sample_dims), dict(dims), tuple(predicted)


def axis_names(sites: Sites, names: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    return {n: sites[n].axis_names for n in names}


def value_or_nan(site: TracedSite) -> jax.Array:
    """The value; nan for a float in a branch of a `lax.cond` that was not taken."""
    if site.active is None or not jnp.issubdtype(site.value.dtype, jnp.inexact):
        return site.value
    return jnp.where(site.active.reshape(site.active.shape + (1,) * (site.value.ndim - site.active.ndim)),
                     site.value, jnp.nan)  # fmt: skip


def refuse_while(sites: Sites, call: str) -> None:
    """
    Raises:
        ControlFlowError: a site in a `lax.while_loop`, of which there is no array.
    """
    for info in sites.values():
        if info.uncounted and info.visible:
            raise ControlFlowError(
                f"{call}: {info.site.label} is in a lax.while_loop, where the number of draws is known only when the "
                f"program runs, so that there is no array of them. Use lax.scan, or sx.block(model, [name]) to leave "
                f"it out of the results."
            )


def check_batch_size(batch_size: Any, call: str) -> int | None:
    return None if batch_size is None else check_number("batch_size", batch_size, call)


def check_number(what: str, value: Any, call: str, least: int = 1) -> int:
    """A Python int.

    Raises:
        ArgumentTypeError: no int.
        SettingsError: too small.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ArgumentTypeError(f"{call}: {what} must be an int, got {value!r} of type {type(value).__name__}.")
    if value < least:
        raise SettingsError(f"{call}: {what} must be at least {least}, got {value}.")
    return int(value)


def in_batches(
    program: Callable[..., Any], values: Mapping[str, np.ndarray], count: int, batch_size: int | None
) -> dict[str, np.ndarray]:
    """`program(index, values)` for each of `count` rows, a batch at a time.

    Args:
        program: compiled; takes `[batch]` indices and the rows of the values, returns a dict of `[batch, ...]`.
        values: name -> `[count, ...]`.
        count: number of rows, at least 1.
        batch_size: rows at a time; default: as many as make some 30 MB.

    Returns:
        name -> `[count, ...]`; what is drawn at an index does not depend on the size of the batches.
    """
    one = jax.eval_shape(program, np.zeros(1, np.uint32), {n: x[:1] for n, x in values.items()})
    size = sum(x.size * x.dtype.itemsize for x in one.values())
    batch = min(count, batch_size or max(1, BATCH_BYTES // max(size, 1)))
    out = {n: np.empty((count, *x.shape[1:]), x.dtype) for n, x in one.items()}
    for start in range(0, count, batch):
        rows = np.minimum(np.arange(start, start + batch), count - 1)  # the last batch is filled up
        result = program(rows.astype(np.uint32), {n: x[rows] for n, x in values.items()})
        kept = min(batch, count - start)
        for name, array in jax.device_get(result).items():
            out[name][start : start + kept] = array[:kept]
    return out


def in_rows(
    values: Mapping[str, np.ndarray], names: Sequence[str], leading: int
) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """These draws with one axis for all, and the axes that they had: `[count, ...]` from `[chain, draw, ...]`."""
    shape = next(iter(values.values())).shape[:leading]
    return {n: values[n].reshape(-1, *values[n].shape[leading:]) for n in names}, shape
