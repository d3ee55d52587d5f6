"""Checks of what users hand in: names, data, observations.  Each says which site, and what would be right."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import first, is_concrete
from storax.effects import Effect
from storax.errors import ArgumentTypeError, InvalidNameError, ObservationError, StoraxError


def check_name(name: Any, call: str) -> str:
    """A site's name: a non-empty string without "/", which `scope` puts between its prefix and the name."""
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"{call} needs a name first, a string, and got {name!r} of type {type(name).__name__}: "
            f'sx.sample("mu", sx.Normal(0.0, 1.0)).'
        )
    if not name:
        raise InvalidNameError(f"{call} got an empty name. Names appear in results: give one that says what it is.")
    if "/" in name or name.startswith("#"):
        raise InvalidNameError(
            f"{call} got the name {name!r}: '/' is reserved for scopes and a leading '#' for anonymous draws. "
            f"For a prefix use sx.scope(f, {name.split('/')[0]!r})."
        )
    return name


def as_shape(shape: Any, what: str) -> tuple[int, ...]:
    """A shape: an int or a sequence of ints, none negative.

    Raises:
        ArgumentTypeError: something else; a traced number, for one.
    """
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for n in sizes:
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise ArgumentTypeError(f"{what} must be Python ints, none negative, and got {shape!r}.")
    return tuple(int(n) for n in sizes)


def validate_at(label: str, d: Any) -> None:
    """Refuse parameters outside of their range, as far as their numbers are known, and say at which site.

    Raises:
        ParameterError: see `Distribution.validate`.
    """
    try:
        d.validate()
    except StoraxError as error:
        error.args = (f"{label}: {error}",)
        raise


def check_answer(effect: Effect) -> None:
    """Refuse an observation that no draw could take, as soon as its numbers are known."""
    if effect.kind == "sample" and effect.value is not None and effect.site.observed:
        check_observation(effect.site, effect.value, effect.leaves)


def check_observation(site: Any, value: Any, leaves: Any) -> None:
    """Is every observed number in the support, and none of them nan?  What is not concrete is not checked.

    Raises:
        ObservationError: with the index and the value of the first that is not, and how many there are.
    """
    if not is_concrete(value) or np.size(value) == 0:
        return
    with jax.ensure_compile_time_eval():
        numbers = np.asarray(value)
        counted = _counted(site, leaves, numbers)
        if counted is None:
            return
        nan = np.isnan(numbers) & counted if np.issubdtype(numbers.dtype, np.inexact) else np.zeros(1, bool)
        if nan.any():
            index, _ = first(numbers, nan)
            raise ObservationError(
                f"{site.label} was given nan as an observation: value{index}, {int(nan.sum())} in all. Drop the "
                f"missing entries, or leave them out of the density with sx.mask(f, ~jnp.isnan(y))."
            )
        if not is_concrete(site.distribution(leaves).support):
            return
        inside = site.over_lanes(lambda v, *ls: site.distribution(ls).support(v), 1)(numbers, *known_or_ones(leaves))
        outside = ~np.asarray(inside) & _reduced(counted, np.shape(inside))
        if outside.any():
            index, bad = first(numbers, outside)
            support = site.distribution(leaves).support
            raise ObservationError(
                f"{site.label} was given an observation outside of the support of its distribution: value{index} = "
                f"{bad}, {int(outside.sum())} in all; the support is {support}."
            )


def known_or_ones(leaves: Any) -> list[Any]:
    """The leaves for a question that does not depend on those whose numbers are not known."""
    return [x if is_concrete(x) else np.ones(x.shape, x.dtype) for x in leaves]


def _counted(site: Any, leaves: Any, numbers: np.ndarray) -> np.ndarray | None:
    """Which entries count: all, but for those a concrete mask leaves out; None if a mask is not known yet."""
    mask = site.distribution(leaves).counted
    if mask is None:
        return np.ones(numbers.shape, bool)
    if not is_concrete(mask):
        return None

    def one_flag_a_number(value: Any, *leaves: Any) -> Any:
        d = site.distribution(leaves)
        flags = jnp.broadcast_to(d.counted, (*site.shape, *d.batch_shape))
        return jnp.broadcast_to(flags.reshape(flags.shape + (1,) * d.event_dim), value.shape)

    return np.asarray(site.over_lanes(one_flag_a_number, 1)(numbers, *known_or_ones(leaves)))


def _reduced(counted: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """From one flag a number to one flag a draw: the trailing event axes are all alike."""
    return counted.reshape(*shape, -1)[..., 0] if counted.ndim > len(shape) else counted
