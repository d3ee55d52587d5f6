"""Automatic guides, made from the supports of a model: all of them are families on R^n."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storax.errors import ArgumentTypeError, nearest
from storax.models import Model
from storax.samplers.variational.amortised import Amortised
from storax.samplers.variational.families import Family
from storax.samplers.variational.flows import AffineCoupling, InverseAutoregressive, NeuralSpline
from storax.samplers.variational.gaussians import Delta, Laplace, LowRankNormal, MeanField, MultivariateNormal
from storax.samplers.variational.structured import Structured

NAMED: dict[str, Callable[[], Family]] = {
    "normal": MeanField,
    "multivariate_normal": MultivariateNormal,
    "low_rank": LowRankNormal,
    "delta": Delta,
    "laplace": Laplace,
    "affine_coupling": AffineCoupling,
    "neural_spline": NeuralSpline,
    "inverse_autoregressive": InverseAutoregressive,
    "structured": Structured,
}

__all__ = [
    "AffineCoupling",
    "Amortised",
    "Delta",
    "Family",
    "InverseAutoregressive",
    "Laplace",
    "LowRankNormal",
    "MeanField",
    "MultivariateNormal",
    "NeuralSpline",
    "Structured",
]


def as_guide(guide: Any, call: str) -> Family | Model:
    """A name, a family, or a model.

    Raises:
        ArgumentTypeError: something else, or a name that is none.

    >>> as_guide("normal", "sx.svi")
    MeanField(scale=0.1)
    """
    if isinstance(guide, str):
        if guide not in NAMED:
            raise ArgumentTypeError(f"{call}: there is no automatic guide {guide!r}. {nearest(guide, NAMED)}")
        return NAMED[guide]()
    if isinstance(guide, type) and issubclass(guide, Family):
        raise ArgumentTypeError(f"{call}: the guide is the class {guide.__name__}: call it, {guide.__name__}().")
    if isinstance(guide, Family):
        return guide
    if not callable(guide):
        raise ArgumentTypeError(
            f"{call}: a guide is a model with the same arguments, the name of an automatic one "
            f"({', '.join(map(repr, NAMED))}), or one of sx.guides, and not {guide!r} of type {type(guide).__name__}."
        )
    return Model.of(guide, call)
