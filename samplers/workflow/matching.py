"""Do these draws belong to this model?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from storax.effects import Sites
from storax.errors import ArgumentTypeError, ShapeError, UnknownNameError, nearest


def check_draws(posterior: Any, call: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The draws as NumPy arrays with the same leading axes, and the names of those.

    Raises:
        ArgumentTypeError: no mapping of arrays.
        ShapeError: different numbers of draws, or none.
    """
    if not isinstance(posterior, Mapping):
        raise ArgumentTypeError(
            f"{call} needs draws by name, an sx.Posterior or {{'mu': array}} with arrays [chain, draw, ...], and got "
            f"{type(posterior).__name__}."
        )
    sample_dims = getattr(posterior, "sample_dims", ("chain", "draw"))
    values = {n: np.asarray(x) for n, x in posterior.items()}
    if not values:
        raise ShapeError(f"{call}: there are no draws: the posterior is empty.")
    shapes = {n: x.shape[: len(sample_dims)] for n, x in values.items()}
    name, first = next(iter(shapes.items()))
    for other, shape in shapes.items():
        if len(shape) < len(sample_dims) or shape != first or 0 in shape:
            raise ShapeError(
                f"{call}: draws must be arrays [{', '.join(sample_dims)}, ...] with the same numbers of draws; "
                f"{name!r} has {first}, and {other!r} has shape {values[other].shape}. For one chain: x[None]."
            )
    return values, sample_dims


def match(
    before: Sites, sites: Sites, values: Mapping[str, np.ndarray], redraw: Iterable[str], leading: int, call: str
) -> list[str]:
    """The latent sites to be given their draws.

    Args:
        before: the model's sites, with its data.
        sites: without.
        values: the posterior.
        redraw: names not to be taken from it.
        leading: axes of the draws in front of those of a value.
        call: whose errors these are.

    Raises:
        UnknownNameError, ShapeError: see `predictive`.
    """
    known = [n for n, i in sites.items() if i.visible]
    for name in (*values, *redraw):
        if name not in known and name not in redraw and _is_imputed(name, sites):
            continue  # entries of data that are not among these arguments
        if name not in known:
            what = "redraw names" if name not in values else "the posterior has draws of"
            raise UnknownNameError(
                f"{call}: {what} {name!r}, and the model has no such site: is it the posterior of another model? "
                f"{nearest(name, known)}"
            )
    for name in redraw:
        if not sites[name].is_open:
            raise UnknownNameError(f"{call}: {name!r} in redraw is computed from other sites, and always is anew.")
    given = [n for n in values if n in sites and sites[n].is_open and n not in redraw]
    for name in given:
        info, came = sites[name], values[name].shape[leading:]
        if before[name].site.observed:
            raise UnknownNameError(
                f"{call}: the posterior has draws of {info.site.label}, which is observed here. Call it without those "
                f"data, or name it to be drawn anew: redraw=[{name!r}]."
            )
        if came != info.shape:
            raise ShapeError(
                f"{call}: {info.site.label} has shape {info.shape} with these arguments, and shape {came} in the "
                f"posterior. Pass the arguments of the run; or for new groups, draw it anew from the model: "
                f"sx.predictive(model, posterior, redraw=[{name!r}])."
            )
    return given


def _is_imputed(name: str, sites: Sites) -> bool:
    """Is it `y_missing`, and `y` an open site?"""
    data = name.removesuffix("_missing")
    return data != name and data in sites and sites[data].is_open
