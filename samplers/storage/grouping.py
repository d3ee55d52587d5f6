"""The groups of a posterior, as ArviZ names them: draws and data beside the posterior's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from storax.errors import ArgumentTypeError, ShapeError, UnknownNameError, nearest

SAMPLED = ("log_likelihood", "prior", "prior_predictive", "posterior_predictive", "predictions")
DATA = ("observed_data", "constant_data", "predictions_constant_data")

Group = dict[str, np.ndarray]


def as_groups(groups: Mapping[str, Any], observed: tuple[str, ...] | None) -> dict[str, Group]:
    """The groups with draws `[chain, draw, *shape]` and data as they are.

    Those that `sx.prior` gives are split: what is, or would be, observed is the "prior_predictive".

    Raises:
        UnknownNameError: a group that there is not.
        ArgumentTypeError: a group that is no mapping.
        ShapeError: draws without axes for chains and draws.
    """
    out: dict[str, Group] = {}
    for group, values in groups.items():
        if group not in (*SAMPLED, *DATA):
            raise UnknownNameError(f"There is no group {group!r}. {nearest(group, (*SAMPLED, *DATA))}")
        if not isinstance(values, Mapping):
            raise ArgumentTypeError(f"The group {group!r} must be arrays by name, and is {type(values).__name__}.")
        arrays = {n: np.asarray(x) for n, x in values.items()}
        if group in SAMPLED:
            arrays = _with_chains(group, arrays, getattr(values, "sample_dims", ("chain", "draw")))
        if group == "prior":
            data = {*getattr(values, "predicted", ()), *(observed or ())}
            if predicted := {n: x for n, x in arrays.items() if n in data}:
                out.setdefault("prior_predictive", predicted)
            arrays = {n: x for n, x in arrays.items() if n not in data}
        out[group] = arrays
    return out


def _with_chains(group: str, arrays: Group, sample_dims: tuple[str, ...]) -> Group:
    arrays = {n: x[None] if sample_dims == ("draw",) else x for n, x in arrays.items()}
    leading = {n: x.shape[:2] for n, x in arrays.items()}
    for name, shape in leading.items():
        if len(shape) < 2 or shape != next(iter(leading.values())):
            raise ShapeError(
                f"The group {group!r} needs arrays [chain, draw, ...] with the same numbers of draws, and {name!r} has "
                f"shape {arrays[name].shape}."
            )
    return arrays


def dims_in(groups: Mapping[str, Any]) -> dict[str, tuple[str | None, ...]]:
    """The names of axes that the groups bring with them."""
    found: dict[str, tuple[str | None, ...]] = {}
    for values in groups.values():
        found |= {n: d for n, d in getattr(values, "dims", {}).items() if any(d)}
    return found
