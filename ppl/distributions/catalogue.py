"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.distributions.base import Distribution
from storax.distributions.bernoulli import Bernoulli
from storax.distributions.beta_binomial import BetaBinomial, BetaNegativeBinomial
from storax.distributions.binomial import Binomial
from storax.distributions.bounded import Beta, Uniform
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
from storax.distributions.zeros import Hurdle, ZeroInflated

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
]

DISCRETE: list[Distribution] = [
    Bernoulli(0.3),
    Bernoulli(logits=1.2),
    Binomial(7, 0.35),
    Binomial(40, logits=-0.6),
    Poisson(3.7),
    Categorical(np.array([0.2, 0.5, 0.3])),
    Categorical(logits=np.array([0.1, -1.0, 0.7, 0.0])),
    Geometric(0.3),
    Geometric(logits=0.4),
    DiscreteWeibull(0.8, 1.3),
    NegativeBinomial(3.5, probs=0.4),
    NegativeBinomial(2.0, logits=-0.3),
    NegativeBinomial2(4.0, 0.8),
    GammaPoisson(2.5, 0.7),
    BetaBinomial(2.0, 3.5, 12),
    BetaBinomial(0.6, 0.4, 5),
    BetaNegativeBinomial(1.5, 8.0, 3.0),
    HyperGeometric(30, 12, 9),
    DiscreteUniform(-2, 5),
    Skellam(3.0, 1.7),
    Skellam(40.0, 30.0),
    OrderedLogistic(0.4, np.array([-1.0, 0.2, 1.5])),
    OrderedProbit(-0.3, np.array([-1.0, 0.0, 0.7]), 1.4),
    ZeroInflated(Poisson(3.0), gate=0.25),
    ZeroInflated(NegativeBinomial2(4.0, 2.0), gate_logits=-0.8),
    Hurdle(Poisson(2.5), gate=0.35),
    Hurdle(Binomial(6, 0.3), gate_logits=0.3),
    Delta(3),
    Delta(2.0),
]

VECTORS: list[Distribution] = [
    MultivariateNormal(np.array([1.0, 0.0, -1.0]), scale_tril=np.linalg.cholesky(_covariance)),
    Dirichlet(np.array([0.8, 2.0, 3.5])),
    Multinomial(7, np.array([0.2, 0.5, 0.3])),
    Multinomial(5, logits=np.array([0.1, -1.0, 0.7, 0.0])),
    DirichletMultinomial(np.array([0.8, 2.0, 3.5]), 6),
]

MATRICES: list[Distribution] = []

SERIES: list[Distribution] = []  # processes in time and space

COMBINED: list[Distribution] = []  # made from others

ALL: list[Distribution] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *MATRICES, *SERIES, *COMBINED]
