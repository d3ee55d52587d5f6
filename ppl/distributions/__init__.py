"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  The smallest, `laplace.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.catalogue import ALL as ALL
from storax.distributions.cauchy import Cauchy, HalfCauchy
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.exgaussian import ExGaussian
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.gumbel import Gumbel, Moyal
from storax.distributions.laplace import AsymmetricLaplace, Laplace, SoftLaplace
from storax.distributions.levy import Levy
from storax.distributions.logistic import Logistic, LogLogistic
from storax.distributions.logit_normal import LogitNormal
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.skew_normal import SkewNormal
from storax.distributions.student import HalfStudentT, StudentT
from storax.distributions.truncated_normal import TruncatedNormal
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit

__all__ = [
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "ExGaussian",
    "Expanded",
    "Exponential",
    "Gamma",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "Independent",
    "InverseGamma",
    "Laplace",
    "Levy",
    "LogLogistic",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "Masked",
    "Moyal",
    "MultivariateNormal",
    "Normal",
    "Poisson",
    "Scaled",
    "SkewNormal",
    "SoftLaplace",
    "StudentT",
    "Subsample",
    "TruncatedNormal",
    "Uniform",
    "Unit",
]
