"""Distributions: immutable pytrees whose leaves are their parameters.

Each says how to draw from it (`sample`), how likely a value is (`log_prob`), and where its values live (`support`).
Names and parameters are NumPyro's.  The smallest, `laplace.py`, shows all that a new one needs; adding an example of
it to `ALL` (`catalogue.py`) buys the whole test suite.
"""

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.burr import Burr, Dagum
from storax.distributions.catalogue import ALL as ALL
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.gamma_kin import Chi, Chi2, ChiSquared, GeneralizedGamma
from storax.distributions.interpolated import Interpolated
from storax.distributions.kumaraswamy import BetaProportion, Kumaraswamy
from storax.distributions.laplace import Laplace
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.pareto import GeneralizedPareto, Pareto
from storax.distributions.polya_gamma import PolyaGamma
from storax.distributions.power_law import DoublyTruncatedPowerLaw, LowerTruncatedPowerLaw, PowerLaw
from storax.distributions.rice import Rice
from storax.distributions.triangular import LogUniform, Triangular
from storax.distributions.von_mises import VonMises
from storax.distributions.wald import InverseGaussian, Wald
from storax.distributions.weibull import Gompertz, Rayleigh, Weibull
from storax.distributions.wrappers import Expanded, Independent, Masked, Scaled, Subsample, Unit

__all__ = [
    "Bernoulli",
    "Beta",
    "BetaProportion",
    "Binomial",
    "Burr",
    "Categorical",
    "Cauchy",
    "Chi",
    "Chi2",
    "ChiSquared",
    "Dagum",
    "Dirichlet",
    "Distribution",
    "DoublyTruncatedPowerLaw",
    "Expanded",
    "Exponential",
    "Gamma",
    "GeneralizedGamma",
    "GeneralizedPareto",
    "Gompertz",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "Interpolated",
    "InverseGamma",
    "InverseGaussian",
    "Kumaraswamy",
    "Laplace",
    "LogNormal",
    "LogUniform",
    "LowerTruncatedPowerLaw",
    "Masked",
    "MultivariateNormal",
    "Normal",
    "Pareto",
    "Poisson",
    "PolyaGamma",
    "PowerLaw",
    "Rayleigh",
    "Rice",
    "Scaled",
    "StudentT",
    "Subsample",
    "Triangular",
    "Uniform",
    "Unit",
    "VonMises",
    "Wald",
    "Weibull",
]
