"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  The smallest, `laplace.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.catalogue import ALL as ALL
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.improper import Improper
from storax.distributions.laplace import Laplace
from storax.distributions.mixtures import Mixture, MixtureSameFamily
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.transformed import Transformed
from storax.distributions.truncated import Censored, Folded, Truncated
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "Dirichlet",
    "Distribution",
    "Expanded",
    "Exponential",
    "Folded",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "Improper",
    "Independent",
    "InverseGamma",
    "Laplace",
    "LogNormal",
    "Masked",
    "Mixture",
    "MixtureSameFamily",
    "MultivariateNormal",
    "Normal",
    "Poisson",
    "Scaled",
    "StudentT",
    "Subsample",
    "Transformed",
    "Truncated",
    "Uniform",
    "Unit",
]
