"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  The smallest, `laplace.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from storax.distributions.base import Distribution
from storax.distributions.bernoulli import Bernoulli
from storax.distributions.beta_binomial import BetaBinomial, BetaNegativeBinomial
from storax.distributions.binomial import Binomial
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.catalogue import ALL as ALL
from storax.distributions.categorical import Categorical
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.delta import Delta
from storax.distributions.discrete_uniform import DiscreteUniform
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.geometric import DiscreteWeibull, Geometric
from storax.distributions.hypergeometric import HyperGeometric
from storax.distributions.laplace import Laplace
from storax.distributions.multinomial import DirichletMultinomial, Multinomial
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.negative_binomial import GammaPoisson, NegativeBinomial, NegativeBinomial2
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.ordered import OrderedLogistic, OrderedProbit
from storax.distributions.poisson import Poisson
from storax.distributions.skellam import Skellam
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit
from storax.distributions.zeros import Hurdle, ZeroInflated, ZeroInflatedNegativeBinomial2, ZeroInflatedPoisson

__all__ = [
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "BetaNegativeBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Delta",
    "Dirichlet",
    "DirichletMultinomial",
    "DiscreteUniform",
    "DiscreteWeibull",
    "Distribution",
    "Expanded",
    "Exponential",
    "Gamma",
    "GammaPoisson",
    "Geometric",
    "HalfCauchy",
    "HalfNormal",
    "Hurdle",
    "HyperGeometric",
    "Independent",
    "InverseGamma",
    "Laplace",
    "LogNormal",
    "Masked",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "NegativeBinomial2",
    "Normal",
    "OrderedLogistic",
    "OrderedProbit",
    "Poisson",
    "Scaled",
    "Skellam",
    "StudentT",
    "Subsample",
    "Uniform",
    "Unit",
    "ZeroInflated",
    "ZeroInflatedNegativeBinomial2",
    "ZeroInflatedPoisson",
]
