"""Supports: which values a distribution can take.

A support is asked like a function, `support(x)`, and answers without the event axes.  Those without parameters are
equal to each other, and can be keys of a dictionary.  nan is in no support, and neither is an infinity.
"""

from storax.supports.base import Independent, Nothing
from storax.supports.base import Support as Support
from storax.supports.base import show as show
from storax.supports.integers import Boolean, IntegerInterval, NonNegativeInteger, Subset
from storax.supports.intervals import (
    Between,
    Circular,
    GreaterThan,
    Interval,
    LessThan,
    NonNegative,
    Positive,
    Real,
    UnitInterval,
)
from storax.supports.matrices import Correlation, CorrelationCholesky, LowerCholesky, PositiveDefinite
from storax.supports.vectors import RealVector, Simplex, Sphere, ZeroSum

real = Real()
positive = Positive()
nonnegative = NonNegative()
unit_interval = UnitInterval()
circular = Circular()
boolean = Boolean()
nonnegative_integer = NonNegativeInteger()
real_vector = RealVector()
simplex = Simplex()
sphere = Sphere()
positive_definite = PositiveDefinite()
lower_cholesky = LowerCholesky()
correlation = Correlation()
correlation_cholesky = CorrelationCholesky()
nothing = Nothing()
greater_than = GreaterThan
less_than = LessThan
interval = Interval
between = Between
integer_interval = IntegerInterval
independent = Independent
subset = Subset
zero_sum = ZeroSum
