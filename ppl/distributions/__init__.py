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
from storax.distributions.kronecker import KroneckerNormal
from storax.distributions.laplace import Laplace
from storax.distributions.lkj import LKJ, LKJCholesky
from storax.distributions.lkj_covariance import LKJCovariance, LKJCovarianceCholesky
from storax.distributions.multivariate import Dirichlet, MultivariateNormal, MvNormal
from storax.distributions.multivariate_t import MultivariateStudentT
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.normals import LowRankMultivariateNormal, MatrixNormal
from storax.distributions.wishart import InverseWishartCholesky, WishartCholesky
from storax.distributions.wishart_matrices import InverseWishart, Wishart
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit

__all__ = [
    "LKJ",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "Expanded",
    "Exponential",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "InverseGamma",
    "InverseWishart",
    "InverseWishartCholesky",
    "KroneckerNormal",
    "LKJCholesky",
    "LKJCovariance",
    "LKJCovarianceCholesky",
    "Laplace",
    "LogNormal",
    "LowRankMultivariateNormal",
    "Masked",
    "MatrixNormal",
    "MultivariateNormal",
    "MultivariateStudentT",
    "MvNormal",
    "Normal",
    "Poisson",
    "Scaled",
    "StudentT",
    "Subsample",
    "Uniform",
    "Unit",
    "Wishart",
    "WishartCholesky",
]
