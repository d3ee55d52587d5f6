"""Does this guide fit this model?  Refused before anything is optimised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from storax import supports
from storax.data import is_concrete
from storax.effects import Sites
from storax.errors import ModelError, NotMeasurable, ShapeError, UnknownNameError, nearest
from storax.samplers.variational.walking import Seen
from storax.supports import ends


def check_guide(sites: Sites, call: str) -> None:
    """A guide is a program of named draws and parameters.

    Raises:
        NotMeasurable, ModelError: a draw without a name, data, or a factor.
    """
    for info in sites.values():
        if info.is_open and not info.visible:
            raise NotMeasurable(
                f"{call}: the guide draws {info.site.label}, which has no name (or is hidden): its density would have "
                f"to be integrated out. Name it as the site of the model that it stands for."
            )
        if info.site.observed and info.visible and info.kind == "observe":
            raise ModelError(
                f"{call}: the guide observes {info.site.label}. A guide is a distribution of latent sites alone: leave "
                f"out its obs= and factors."
            )


def check_pair(
    model_sites: Sites, model: Mapping[str, Seen], guide_sites: Sites, guide: Mapping[str, Seen], call: str
) -> None:
    """The guide draws exactly what the model leaves open, of the same shapes, inside of the model's supports.

    Raises:
        ModelError, UnknownNameError, ShapeError: names the site, what the model has, and what the guide has.
    """
    check_guide(guide_sites, call)
    latent = {n: s for n, s in model.items() if not s.is_parameter}
    for name, seen in guide.items():
        if seen.is_parameter:
            if name in model:
                raise ModelError(
                    f"{call}: the model and the guide have a site named {name!r} each, and in the guide it is a "
                    f"parameter. Give them different names."
                )
            continue
        info = model_sites.get(name)
        if name not in latent and info is not None and info.visible:
            what = "derived from others" if info.is_derived else "observed" if info.site.observed else "a parameter"
            raise ModelError(f"{call}: the guide samples {seen.label}, which in the model is {what}. Leave it out.")
        if name not in latent:
            raise UnknownNameError(
                f"{call}: the guide samples {seen.label}, which the model does not have. {nearest(name, latent)}"
            )
        _check_site(latent[name], seen, call)
    drawn = [n for n, s in guide.items() if not s.is_parameter]
    missing = [s.label for n, s in latent.items() if n not in drawn]
    if missing:
        raise UnknownNameError(
            f"{call}: the guide has no {', '.join(missing)}, which the model leaves open. It has {drawn}. Add "
            f"sx.sample({next(n for n in latent if n not in drawn)!r}, ...) to the guide, or condition the model on it."
        )


def _check_site(model: Seen, guide: Seen, call: str) -> None:
    name = model.info.site.name
    if model.info.shape != guide.info.shape:
        raise ShapeError(
            f"{call}: {model.label} has shape {model.info.shape} in the model, and {guide.info.shape} in the guide "
            f"({guide.info.site.source}); nothing is broadcast. Give the guide's site the shape: "
            f"sx.sample({name!r}, ..., shape=...)."
        )
    if not covers(model.support, guide.support):
        raise ModelError(
            f"{call}: {model.label} has the support {model.support} in the model, and the guide draws it from "
            f"{guide.support} ({guide.info.site.source}): draws outside have density 0. Use a distribution on the same "
            f"support, such as sx.LogNormal for positive numbers."
        )


def covers(outer: Any, inner: Any) -> bool:
    """Is every value of `inner` one of `outer`?  True where it cannot be known before there are numbers."""
    outer, inner = _entry(outer), _entry(inner)
    if outer.is_discrete != inner.is_discrete:
        return False
    if outer == inner or type(outer) is type(inner) is not supports.Interval:
        return True
    a, b = ends(outer), ends(inner)
    if a is None or b is None:
        # sets of vectors: a vector of free numbers is in none but its own
        return a is None and b is None and not isinstance(inner, supports.RealVector)
    if not is_concrete([a, b]):
        return True
    return bool(np.all(np.asarray(a[0]) <= np.asarray(b[0])) and np.all(np.asarray(b[1]) <= np.asarray(a[1])))


def _entry(support: Any) -> Any:
    while isinstance(support, supports.Independent):
        support = support.base
    return supports.real if isinstance(support, supports.RealVector) else support
