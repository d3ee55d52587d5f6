"""Where a bijection takes a support, and whether it keeps the order of numbers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from storax import supports
from storax.bijections.base import Bijection, Lifted
from storax.bijections.composing import Compose
from storax.bijections.elementwise import Beyond, Exp, Identity, Sigmoid
from storax.bijections.isometric import IsometricSimplex
from storax.bijections.matrices import CholeskyToMatrix, FillCholesky
from storax.bijections.ordering import Ordered, PositiveOrdered
from storax.bijections.rotations import Permute, RealFFT, ToComplex
from storax.bijections.scaling import Affine, Power, Softplus
from storax.bijections.sphere import Stereographic
from storax.bijections.stick_breaking import StickBreaking
from storax.bijections.zero_sum import ZeroSumIsometry
from storax.supports import Support

_OF_REALS: dict[type[Bijection], Support] = {
    Exp: supports.positive,
    Softplus: supports.positive,
    Identity: supports.real,
    Affine: supports.real,
    ToComplex: supports.complex,
    Permute: supports.real_vector,
    RealFFT: supports.real_vector,
    StickBreaking: supports.simplex,
    IsometricSimplex: supports.simplex,
    Ordered: supports.ordered,
    PositiveOrdered: supports.positive_ordered,
    Stereographic: supports.sphere,
    ZeroSumIsometry: supports.zero_sum(),
    FillCholesky: supports.lower_cholesky,
    CholeskyToMatrix: supports.positive_definite,
}


def image(bijection: Bijection, support: Support) -> Support:
    """The support of x = bijection(z) for z in `support`, of as many event axes as the bijection.

    >>> image(Exp(), supports.real), image(Affine(1.0, -2.0), supports.nonnegative)
    (positive, less_than(1))
    """
    match bijection, support:
        case Compose(parts=parts), _:
            for part in parts:
                support = image(part, support)
            return support
        case Lifted(base=base, count=count), supports.Independent(base=inner, count=n) if n >= count:
            return supports.independent(image(base, _independent(inner, n - count)), count)
        case Lifted(base=base, count=count), supports.RealVector() if count == 1 and not base.z_event_dim:
            return supports.independent(image(base, supports.real), 1)
        case Identity(), _:
            return support
        case Sigmoid(low=low, high=high), supports.Real():
            return supports.interval(low, high)
        case Beyond(end=end, below=below), supports.Real():
            return supports.less_than(end) if below else supports.greater_than(end)
        case Power(), supports.Positive():
            return support
    if is_everything(support) and type(bijection) in _OF_REALS:
        return _OF_REALS[type(bijection)]
    ends = supports.ends(support)
    if isinstance(bijection, Affine) and ends is not None:
        a, b = (bijection.forward(jnp.asarray(e)) for e in ends)
        return supports.range_between(jnp.minimum(a, b), jnp.maximum(a, b))
    return supports.image(support, bijection)


def _independent(support: Support, count: int) -> Support:
    return supports.independent(support, count) if count else support


def is_everything(support: Support) -> bool:
    """Is it R^n?"""
    if isinstance(support, supports.Independent):
        return is_everything(support.base)
    return isinstance(support, (supports.Real, supports.RealVector))


def direction(bijection: Bijection) -> Any:
    """Of a map of one number at a time: 1 where x grows with z, -1 where it falls; None if that is not known."""
    match bijection:
        case Exp() | Softplus() | Identity() | Sigmoid():
            return 1.0
        case Beyond(below=below):
            return -1.0 if below else 1.0
        case Affine(scale=factor) | Power(exponent=factor):
            return jnp.sign(factor)
        case Compose(parts=parts):
            total = 1.0
            for part in parts:
                d = direction(part)
                if d is None:
                    return None
                total = total * d
            return total
    return None
