"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.burr import Burr, Dagum
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.gamma_kin import Chi, ChiSquared, GeneralizedGamma
from storax.distributions.interpolated import Interpolated
from storax.distributions.kumaraswamy import BetaProportion, Kumaraswamy
from storax.distributions.laplace import Laplace
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.pareto import GeneralizedPareto, Pareto
from storax.distributions.polya_gamma import PolyaGamma
from storax.distributions.power_law import LowerTruncatedPowerLaw, PowerLaw
from storax.distributions.rice import Rice
from storax.distributions.triangular import LogUniform, Triangular
from storax.distributions.von_mises import VonMises
from storax.distributions.wald import Wald
from storax.distributions.weibull import Gompertz, Rayleigh, Weibull

_covariance = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.2], [0.0, -0.2, 0.5]])

REAL: list[Distribution] = [  # on the whole line, and functions of such
    Normal(0.5, 2.0),
    LogNormal(-0.3, 0.7),
    HalfNormal(1.5),
    Cauchy(1.0, 0.5),
    HalfCauchy(2.0),
    StudentT(4.5, -1.0, 2.0),
    Laplace(0.7, 1.2),
]

POSITIVE: list[Distribution] = [  # on a half-line, an interval, a circle
    Exponential(0.4),
    Gamma(2.5, 1.5),
    Gamma(0.3, 1.0),
    InverseGamma(5.5, 3.0),
    Beta(2.0, 3.5),
    Beta(0.5, 0.7),
    Uniform(-1.0, 3.0),
    ChiSquared(3.5),
    Chi(2.5),
    GeneralizedGamma(1.7, 0.8, 1.4),
    Weibull(1.5, 2.2),
    Weibull(0.8, 0.9),
    Gompertz(0.3, 1.2),
    Rayleigh(1.3),
    Rice(1.5, 0.8),
    Kumaraswamy(1.8, 2.6),
    BetaProportion(0.3, 6.0),
    LogUniform(0.2, 7.0),
    Triangular(-1.0, 3.0, 0.5),
    Pareto(1.5, 4.5),
    GeneralizedPareto(0.5, 1.2, 0.1),
    GeneralizedPareto(0.5, 1.2, -0.4),
    PowerLaw(-1.7, 0.5, 4.0),
    PowerLaw(-1.0, 0.5, 4.0),
    LowerTruncatedPowerLaw(-6.0, 1.2),
    Wald(1.5, 2.5),
    VonMises(0.0, 2.5),
    VonMises(0.7, 30.0),
    Interpolated(np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.2, 1.0, 0.7, 0.1])),
    PolyaGamma(2.5, 1.2),
    Dagum(1.5, 4.5, 1.2),
    Burr(2.5, 2.2, 1.4),
]

DISCRETE: list[Distribution] = [
    Bernoulli(0.3),
    Bernoulli(logits=1.2),
    Binomial(7, 0.35),
    Binomial(40, logits=-0.6),
    Poisson(3.7),
    Categorical(np.array([0.2, 0.5, 0.3])),
    Categorical(logits=np.array([0.1, -1.0, 0.7, 0.0])),
]

VECTORS: list[Distribution] = [
    MultivariateNormal(np.array([1.0, 0.0, -1.0]), scale_tril=np.linalg.cholesky(_covariance)),
    Dirichlet(np.array([0.8, 2.0, 3.5])),
]

MATRICES: list[Distribution] = []

SERIES: list[Distribution] = []  # processes in time and space

COMBINED: list[Distribution] = []  # made from others

ALL: list[Distribution] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *MATRICES, *SERIES, *COMBINED]
