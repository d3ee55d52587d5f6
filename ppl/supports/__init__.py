"""Supports: which values a distribution can take.

A support is asked like a function, `support(x)`, and answers without the event axes.  Those without parameters are
equal to each other, and can be keys of a dictionary.  nan is in no support, and neither is an infinity.
"""

from storax.supports.base import Independent, Nothing
from storax.supports.base import Support as Support
from storax.supports.base import show as show
from storax.supports.integers import (
    Boolean,
    Exactly,
    Integer,
    IntegerGreaterThan,
    IntegerInterval,
    IntegerLessThan,
    Multinomial,
    NonNegativeInteger,
    PositiveInteger,
    Subset,
)
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
from storax.supports.vectors import LogWeights, RealVector, Simplex, Sphere, ZeroSum

real = Real()
positive = Positive()
nonnegative = NonNegative()
unit_interval = UnitInterval()
circular = Circular()
boolean = Boolean()
integer = Integer()
nonnegative_integer = NonNegativeInteger()
positive_integer = PositiveInteger()
real_vector = RealVector()
simplex = Simplex()
sphere = Sphere()
log_weights = LogWeights()
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
integer_greater_than = IntegerGreaterThan
integer_less_than = IntegerLessThan
multinomial = Multinomial
exactly = Exactly
independent = Independent
subset = Subset
zero_sum = ZeroSum
