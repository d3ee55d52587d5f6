"""Which bijection belongs to which support."""

from __future__ import annotations

import functools

import numpy as np

from storax import supports
from storax.bijections.base import Bijection, Lifted
from storax.bijections.between import Within
from storax.bijections.composing import Compose, Concatenate
from storax.bijections.correlations import CorrelationFactor, FactorToCorrelation
from storax.bijections.elementwise import Beyond, Exp, Identity, Sigmoid
from storax.bijections.matrices import CholeskyToMatrix, FillCholesky
from storax.bijections.ordering import Ordered, PositiveOrdered
from storax.bijections.rotations import ToComplex
from storax.bijections.sphere import Stereographic
from storax.bijections.stick_breaking import StickBreaking
from storax.bijections.uncounted import Uncounted
from storax.bijections.zero_sum import ZeroSumIsometry
from storax.errors import ArgumentTypeError


@functools.singledispatch
def biject_to(support: supports.Support) -> Bijection:
    """The bijection from R^n to a support.  Extend it with `@biject_to.register`.

    Args:
        support: a continuous support.

    Raises:
        ArgumentTypeError: a discrete support has none.

    >>> from storax import supports
    >>> biject_to(supports.positive)
    Exp()
    """
    why = "its values are discrete" if getattr(support, "is_discrete", False) else "none is registered"
    raise ArgumentTypeError(f"There is no bijection from R^n to {support!r}: {why}.")


@biject_to.register(supports.Real)
@biject_to.register(supports.ExtendedReal)
def _(support: supports.Support) -> Bijection:
    return Identity()


@biject_to.register
def _(support: supports.RealVector) -> Bijection:
    return Lifted(Identity(), 1)


@biject_to.register(supports.Positive)
@biject_to.register(supports.NonNegative)
def _(support: supports.Support) -> Bijection:
    return Exp()


@biject_to.register
def _(support: supports.UnitInterval) -> Bijection:
    return Sigmoid(0.0, 1.0)


@biject_to.register
def _(support: supports.Interval) -> Bijection:
    return Sigmoid(support.low, support.high)


@biject_to.register
def _(support: supports.Between) -> Bijection:
    return Within(support.low, support.high)


@biject_to.register
def _(support: supports.GreaterThan) -> Bijection:
    return Beyond(support.low)


@biject_to.register
def _(support: supports.LessThan) -> Bijection:
    return Beyond(support.high, below=True)


@biject_to.register
def _(support: supports.Simplex) -> Bijection:
    return StickBreaking()


@biject_to.register
def _(support: supports.Circular) -> Bijection:
    return Sigmoid(-np.pi, np.pi)


@biject_to.register
def _(support: supports.ZeroSum) -> Bijection:
    return ZeroSumIsometry(support.count)


@biject_to.register
def _(support: supports.Sphere) -> Bijection:
    return Stereographic()


@biject_to.register
def _(support: supports.LowerCholesky) -> Bijection:
    return FillCholesky()


@biject_to.register
def _(support: supports.CorrelationCholesky) -> Bijection:
    return CorrelationFactor()


@biject_to.register
def _(support: supports.Correlation) -> Bijection:
    return FactorToCorrelation()


@biject_to.register
def _(support: supports.PositiveDefinite) -> Bijection:
    return CholeskyToMatrix()


@biject_to.register
def _(support: supports.Ordered) -> Bijection:
    return Ordered()


@biject_to.register
def _(support: supports.PositiveOrdered) -> Bijection:
    return PositiveOrdered()


@biject_to.register
def _(support: supports.Complex) -> Bijection:
    return ToComplex()


@biject_to.register
def _(support: supports.Product) -> Bijection:
    return Concatenate(tuple(biject_to(s) for s in support.parts), support.sizes)


@biject_to.register
def _(support: supports.Clipped) -> Bijection:
    raise ArgumentTypeError(
        f"There is no bijection from R^n to {support!r}: its bounds have a probability of their own. A censored value "
        f"can be observed, and not be latent."
    )


@biject_to.register
def _(support: supports.Image) -> Bijection:
    return Compose((biject_to(support.base), support.bijection))


@biject_to.register
def _(support: supports.Independent) -> Bijection:
    if support.is_discrete:
        return biject_to(support.base)
    return Lifted(biject_to(support.base), support.count)


@biject_to.register
def _(support: supports.Free) -> Bijection:
    return Uncounted(biject_to(support.base), support.rank)
