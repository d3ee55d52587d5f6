"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
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

_covariance = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.2], [0.0, -0.2, 0.5]])

REAL: list[Distribution] = [  # on the whole line, and functions of such
    Normal(0.5, 2.0),
    LogNormal(-0.3, 0.7),
    HalfNormal(1.5),
    Cauchy(1.0, 0.5),
    HalfCauchy(2.0),
    StudentT(4.5, -1.0, 2.0),
    Laplace(0.7, 1.2),
    HalfStudentT(3.5, 1.3),
    TruncatedNormal(0.5, 1.2, low=-1.0, high=2.0),
    TruncatedNormal(0.0, 1.0, low=1.5),
    TruncatedNormal(0.0, 2.0, high=-5.0),
    SkewNormal(0.3, 1.5, -2.5),
    LogitNormal(-0.4, 1.1),
    ExGaussian(-0.5, 0.8, 0.6),
    Levy(-0.5, 1.2),
    Gumbel(0.4, 1.3),
    Moyal(-0.2, 0.9),
    Logistic(0.6, 1.4),
    LogLogistic(1.5, 5.5),
    AsymmetricLaplace(0.2, 1.1, 1.6),
    SoftLaplace(-0.3, 0.9),
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
]

VECTORS: list[Distribution] = [
    MultivariateNormal(np.array([1.0, 0.0, -1.0]), scale_tril=np.linalg.cholesky(_covariance)),
    Dirichlet(np.array([0.8, 2.0, 3.5])),
]

MATRICES: list[Distribution] = []

SERIES: list[Distribution] = []  # processes in time and space

COMBINED: list[Distribution] = []  # made from others

ALL: list[Distribution] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *MATRICES, *SERIES, *COMBINED]
