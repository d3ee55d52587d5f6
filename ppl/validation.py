"""Checks of what users hand in: names, data, observations.  Each says which site, and what would be right."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import first, is_concrete
from storax.effects import Effect
from storax.errors import ArgumentTypeError, InvalidNameError, ObservationError, StoraxError
from storax.sources import user_line

_EXAMPLES = {
    "sx.sample": 'sx.sample("mu", sx.Normal(0.0, 1.0))',
    "sx.deterministic": 'sx.deterministic("total", a + b)',
    "sx.factor": 'sx.factor("penalty", -x**2)',
    "sx.param": 'sx.param("scale", 1.0)',
    "sx.plate": 'sx.plate("school", 8)',
    "sx.scope": 'sx.scope(model, "rows")',
}


def check_name(name: Any, call: str) -> str:
    """A site's name: a non-empty string without "/", which `scope` puts between its prefix and the name."""
    where = f"{call} ({user_line()})"
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"{where} needs a name, a string, and got {name!r} of type {type(name).__name__}: {_EXAMPLES[call]}."
        )
    if not name.strip():
        raise InvalidNameError(f"{where} got an empty name. Names appear in results: give one that says what it is.")
    if "/" in name or name.startswith("#"):
        prefix = name.strip("#/").split("/")[0] or "group"
        raise InvalidNameError(
            f"{where} got the name {name!r}: '/' is reserved for scopes and a leading '#' for anonymous draws. "
            f"For a prefix use sx.scope(f, {prefix!r})."
        )
    if not name.isprintable() or name != name.strip():
        raise InvalidNameError(f"{where} got the name {name!r}: names are printed, without spaces around them.")
    return name


def as_shape(shape: Any, what: str) -> tuple[int, ...]:
    """A shape: an int or a sequence of ints, none negative.

    Raises:
        ArgumentTypeError: something else; a traced number, for one.
    """
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for n in sizes:
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise ArgumentTypeError(
                f"{what} must be Python ints, none negative, and got {shape!r}. A NumPy integer that is an argument of "
                f"the model is traced: pass int(n)."
            )
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


CHECKED_LANES = 1000  # of a vmapped site, whose parameters are looked at


def validate_site(site: Any, leaves: Any) -> None:
    """`validate_at`, lane by lane where the site went through `jax.vmap`."""
    if not site.lanes:
        return validate_at(site.label, site.distribution(leaves))
    known = [np.asarray(x) if is_concrete(x) else None for x in leaves]
    shapes = site.one_lane(leaves)
    for lane in itertools.islice(np.ndindex(*site.lane_shape), CHECKED_LANES):
        mine = [
            s if x is None else x[tuple(i for i, (_, mapped) in zip(lane, site.lanes, strict=True) if mapped[k])]
            for k, (x, s) in enumerate(zip(known, shapes, strict=True))
        ]
        validate_at(site.label, site.distribution(mine))


def check_answer(effect: Effect) -> None:
    """Refuse an observation that no draw could take and a parameter that is none, as soon as their numbers are known.

    Where a parameter or the support depends on draws they are not refused: at other draws they may be right, and at
    these the density is 0.
    """
    if effect.kind != "sample" or effect.site.is_factor:
        return
    if effect.fixed and is_concrete(effect.leaves):
        validate_site(effect.site, effect.leaves)
    if effect.value is not None and effect.site.observed:
        check_observation(effect.site, effect.value, effect.leaves, effect.fixed)


def check_observation(site: Any, value: Any, leaves: Any, fixed: bool = True) -> None:
    """Is every observed number in the support, and none of them nan?  What is not concrete is not checked.

    Args:
        site: the site.
        value: the data.
        leaves: of the site's distribution.
        fixed: do the leaves not depend on draws?  Else only nan is looked for.

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
        refuse_nan(site, numbers, counted)
        if not fixed or not is_concrete(site.distribution(leaves).support):
            return

        def is_inside(value: Any, counted: Any, *leaves: Any) -> Any:  # what does not count may be anything
            support = site.distribution(leaves).support
            return support(jnp.where(counted, value, support.feasible(value.shape, value.dtype)))

        outside = ~np.asarray(site.over_lanes(is_inside, 2)(numbers, counted, *known_or_ones(leaves)))
        if outside.any():
            index, bad = first(numbers, outside)
            support = site.distribution(leaves).support
            raise ObservationError(
                f"{site.label} was given an observation outside of the support of its distribution: value{index} = "
                f"{bad}, {int(outside.sum())} in all; the support is {support}."
            )


def refuse_nan(site: Any, numbers: np.ndarray, counted: np.ndarray) -> None:
    """Is any number that counts nan?"""
    if not jnp.issubdtype(numbers.dtype, jnp.inexact):
        return
    nan = np.isnan(numbers) & counted
    if nan.any():
        index, _ = first(numbers, nan)
        raise ObservationError(
            f"{site.label} was given nan as an observation: value{index}, {int(nan.sum())} in all. Drop the missing "
            f"entries, make them latent, missing='impute', or leave them out of the density: "
            f"sx.sample({site.name!r}, d.expand(y.shape).mask(~jnp.isnan(y)), obs=y)."
        )


def known_or_ones(leaves: Any) -> list[Any]:
    """The leaves for a question that does not depend on those whose numbers are not known."""
    return [x if is_concrete(x) else np.ones(x.shape, x.dtype) for x in leaves]


def _counted(site: Any, leaves: Any, numbers: np.ndarray) -> np.ndarray | None:
    """Which entries count: all, but for those a concrete mask leaves out; None if a mask is not known yet."""
    if site.distribution(site.one_lane(leaves)).counted is None:
        return np.ones(numbers.shape, bool)
    if not is_concrete(leaves) and (site.lanes or not is_concrete(site.distribution(leaves).counted)):
        return None

    def one_flag_a_number(value: Any, *leaves: Any) -> Any:
        d = site.distribution(leaves)
        flags = d.counted
        behind = len(d.shape) - flags.ndim
        return jnp.broadcast_to(flags.reshape((1,) * len(site.shape) + flags.shape + (1,) * behind), value.shape)

    return np.asarray(site.over_lanes(one_flag_a_number, 1)(numbers, *known_or_ones(leaves)))
