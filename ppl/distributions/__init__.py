"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  The smallest, `laplace.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from storax.distributions.autoregressive import AR
from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.car import CAR, ICAR
from storax.distributions.catalogue import ALL as ALL
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.circulant import CirculantNormal
from storax.distributions.copula import GaussianCopula
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.garch import GARCH11
from storax.distributions.kronecker import KroneckerNormal
from storax.distributions.laplace import Laplace
from storax.distributions.lkj import LKJ, LKJCholesky
from storax.distributions.lkj_covariance import LKJCovariance, LKJCovarianceCholesky
from storax.distributions.multivariate import Dirichlet, MultivariateNormal, MvNormal
from storax.distributions.multivariate_t import MultivariateStudentT
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.normals import LowRankMultivariateNormal, MatrixNormal
from storax.distributions.projected import ProjectedNormal
from storax.distributions.random_walk import GaussianRandomWalk
from storax.distributions.sde import EulerMaruyama
from storax.distributions.sine_von_mises import SineBivariateVonMises
from storax.distributions.state_space import GaussianStateSpace
from storax.distributions.stick_breaking import StickBreakingWeights
from storax.distributions.wishart import InverseWishartCholesky, WishartCholesky
from storax.distributions.wishart_matrices import InverseWishart, Wishart
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit
from storax.distributions.zero_sum import ZeroSumNormal

__all__ = [
    "AR",
    "CAR",
    "GARCH11",
    "ICAR",
    "LKJ",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "CirculantNormal",
    "Dirichlet",
    "Distribution",
    "EulerMaruyama",
    "Expanded",
    "Exponential",
    "Gamma",
    "GaussianCopula",
    "GaussianRandomWalk",
    "GaussianStateSpace",
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
    "ProjectedNormal",
    "Scaled",
    "SineBivariateVonMises",
    "StickBreakingWeights",
    "StudentT",
    "Subsample",
    "Uniform",
    "Unit",
    "Wishart",
    "WishartCholesky",
    "ZeroSumNormal",
]
