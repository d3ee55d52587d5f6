"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  A small one, `levy.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from typing import Any

from storax.distributions.autoregressive import AR
from storax.distributions.base import Distribution
from storax.distributions.bernoulli import Bernoulli
from storax.distributions.beta_binomial import BetaBinomial, BetaNegativeBinomial
from storax.distributions.binomial import Binomial
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.burr import Burr, Dagum
from storax.distributions.car import CAR, ICAR
from storax.distributions.categorical import Categorical
from storax.distributions.cauchy import Cauchy, HalfCauchy
from storax.distributions.circulant import CirculantNormal
from storax.distributions.copula import GaussianCopula
from storax.distributions.delta import Delta
from storax.distributions.discrete_uniform import DiscreteUniform
from storax.distributions.exgaussian import ExGaussian
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.gamma_kin import Chi, Chi2, ChiSquared, GeneralizedGamma
from storax.distributions.garch import GARCH11
from storax.distributions.geometric import DiscreteWeibull, Geometric
from storax.distributions.gumbel import Gumbel, Moyal
from storax.distributions.hypergeometric import HyperGeometric
from storax.distributions.improper import Improper
from storax.distributions.interpolated import Interpolated
from storax.distributions.kronecker import KroneckerNormal
from storax.distributions.kumaraswamy import BetaProportion, Kumaraswamy
from storax.distributions.laplace import AsymmetricLaplace, Laplace, SoftLaplace
from storax.distributions.levy import Levy
from storax.distributions.lkj import LKJ, LKJCholesky
from storax.distributions.lkj_covariance import LKJCovariance, LKJCovarianceCholesky
from storax.distributions.logistic import Logistic, LogLogistic
from storax.distributions.logit_normal import LogitNormal
from storax.distributions.mixtures import Mixture, MixtureSameFamily
from storax.distributions.multinomial import DirichletMultinomial, Multinomial
from storax.distributions.multivariate import Dirichlet, MultivariateNormal, MvNormal
from storax.distributions.multivariate_t import MultivariateStudentT
from storax.distributions.negative_binomial import GammaPoisson, NegativeBinomial, NegativeBinomial2
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.normals import LowRankMultivariateNormal, MatrixNormal
from storax.distributions.ordered import OrderedLogistic, OrderedProbit
from storax.distributions.pareto import GeneralizedPareto, Pareto
from storax.distributions.poisson import Poisson
from storax.distributions.polya_gamma import PolyaGamma
from storax.distributions.power_law import DoublyTruncatedPowerLaw, LowerTruncatedPowerLaw, PowerLaw
from storax.distributions.projected import ProjectedNormal
from storax.distributions.random_walk import GaussianRandomWalk
from storax.distributions.rice import Rice
from storax.distributions.sde import EulerMaruyama
from storax.distributions.sine_von_mises import SineBivariateVonMises
from storax.distributions.skellam import Skellam
from storax.distributions.skew_normal import SkewNormal
from storax.distributions.state_space import GaussianStateSpace
from storax.distributions.stick_breaking import StickBreakingWeights
from storax.distributions.student import HalfStudentT, StudentT
from storax.distributions.transformed import Transformed
from storax.distributions.triangular import LogUniform, Triangular
from storax.distributions.truncated import Censored, Folded, Truncated
from storax.distributions.truncated_normal import TruncatedNormal
from storax.distributions.von_mises import VonMises
from storax.distributions.wald import InverseGaussian, Wald
from storax.distributions.weibull import Gompertz, Rayleigh, Weibull
from storax.distributions.wishart import InverseWishartCholesky, WishartCholesky
from storax.distributions.wishart_matrices import InverseWishart, Wishart
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit
from storax.distributions.zero_sum import ZeroSumNormal
from storax.distributions.zeros import Hurdle, ZeroInflated, ZeroInflatedNegativeBinomial2, ZeroInflatedPoisson

__all__ = [
    "AR",
    "CAR",
    "GARCH11",
    "ICAR",
    "LKJ",
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "BetaNegativeBinomial",
    "BetaProportion",
    "Binomial",
    "Burr",
    "Categorical",
    "Cauchy",
    "Censored",
    "Chi",
    "Chi2",
    "ChiSquared",
    "CirculantNormal",
    "Dagum",
    "Delta",
    "Dirichlet",
    "DirichletMultinomial",
    "DiscreteUniform",
    "DiscreteWeibull",
    "Distribution",
    "DoublyTruncatedPowerLaw",
    "EulerMaruyama",
    "ExGaussian",
    "Expanded",
    "Exponential",
    "Folded",
    "Gamma",
    "GammaPoisson",
    "GaussianCopula",
    "GaussianRandomWalk",
    "GaussianStateSpace",
    "GeneralizedGamma",
    "GeneralizedPareto",
    "Geometric",
    "Gompertz",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "Hurdle",
    "HyperGeometric",
    "Improper",
    "Independent",
    "Interpolated",
    "InverseGamma",
    "InverseGaussian",
    "InverseWishart",
    "InverseWishartCholesky",
    "KroneckerNormal",
    "Kumaraswamy",
    "LKJCholesky",
    "LKJCovariance",
    "LKJCovarianceCholesky",
    "Laplace",
    "Levy",
    "LogLogistic",
    "LogNormal",
    "LogUniform",
    "Logistic",
    "LogitNormal",
    "LowRankMultivariateNormal",
    "LowerTruncatedPowerLaw",
    "Masked",
    "MatrixNormal",
    "Mixture",
    "MixtureSameFamily",
    "Moyal",
    "Multinomial",
    "MultivariateNormal",
    "MultivariateStudentT",
    "MvNormal",
    "NegativeBinomial",
    "NegativeBinomial2",
    "Normal",
    "OrderedLogistic",
    "OrderedProbit",
    "Pareto",
    "Poisson",
    "PolyaGamma",
    "PowerLaw",
    "ProjectedNormal",
    "Rayleigh",
    "Rice",
    "Scaled",
    "SineBivariateVonMises",
    "Skellam",
    "SkewNormal",
    "SoftLaplace",
    "StickBreakingWeights",
    "StudentT",
    "Subsample",
    "Transformed",
    "Triangular",
    "Truncated",
    "TruncatedNormal",
    "Uniform",
    "Unit",
    "VonMises",
    "Wald",
    "Weibull",
    "Wishart",
    "WishartCholesky",
    "ZeroInflated",
    "ZeroInflatedNegativeBinomial2",
    "ZeroInflatedPoisson",
    "ZeroSumNormal",
]


def __getattr__(name: str) -> Any:
    if name != "ALL":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The examples compute, which starts JAX's backend: not before somebody asks for them.
    from storax.distributions.catalogue import ALL

    return ALL
