"""Supports: which values a distribution can take.

A support is asked like a function, `support(x)`, and answers without the event axes.  Those without parameters are
equal to each other, and can be keys of a dictionary.  nan is in no support, and neither is an infinity.
"""

from storax.supports.base import Independent, Nothing
from storax.supports.base import Support as Support
from storax.supports.base import show as show
from storax.supports.clipped import Clipped
from storax.supports.ends import clip as clip
from storax.supports.ends import ends as ends
from storax.supports.ends import infinite as infinite
from storax.supports.ends import intersection as intersection
from storax.supports.ends import larger as larger
from storax.supports.ends import range_between as range_between
from storax.supports.ends import smaller as smaller
from storax.supports.free import Free as Free
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
from storax.supports.orderings import Ordered, PositiveOrdered
from storax.supports.planes import Complex, ExtendedReal
from storax.supports.products import Image, Product
from storax.supports.vectors import LogWeights, RealVector, Simplex, Sphere, ZeroSum

real = Real()
positive = Positive()
nonnegative = NonNegative()
unit_interval = UnitInterval()
boolean = Boolean()
integer = Integer()
nonnegative_integer = NonNegativeInteger()
positive_integer = PositiveInteger()
real_vector = RealVector()
simplex = Simplex()
log_weights = LogWeights()
positive_definite = PositiveDefinite()
lower_cholesky = LowerCholesky()
correlation = Correlation()
correlation_cholesky = CorrelationCholesky()
nothing = Nothing()
ordered = Ordered()
positive_ordered = PositiveOrdered()
sphere = Sphere()
circular = Circular()
complex = Complex()
extended_real = ExtendedReal()
greater_than = GreaterThan
less_than = LessThan
interval = Interval
between = Between
integer_interval = IntegerInterval
integer_greater_than = IntegerGreaterThan
integer_less_than = IntegerLessThan
multinomial = Multinomial
exactly = Exactly
cat = Product
clipped = Clipped
image = Image
independent = Independent
subset = Subset
zero_sum = ZeroSum
