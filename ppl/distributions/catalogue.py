"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.kronecker import KroneckerNormal
from storax.distributions.laplace import Laplace
from storax.distributions.lkj import LKJ, LKJCholesky
from storax.distributions.lkj_covariance import LKJCovariance, LKJCovarianceCholesky
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.multivariate_t import MultivariateStudentT
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.normals import LowRankMultivariateNormal, MatrixNormal
from storax.distributions.wishart import InverseWishartCholesky, WishartCholesky
from storax.distributions.wishart_matrices import InverseWishart, Wishart

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
]

VECTORS: list[Distribution] = [
    MultivariateNormal(np.array([1.0, 0.0, -1.0]), scale_tril=np.linalg.cholesky(_covariance)),
    MultivariateNormal(np.array([0.5, -1.0, 2.0]), precision_matrix=_covariance),
    LowRankMultivariateNormal(np.array([1.0, 0.0, -1.0]), np.array([[1.0], [0.5], [-2.0]]), np.array([0.1, 1.0, 2.0])),
    MultivariateStudentT(9.5, np.array([1.0, -1.0]), np.array([[1.5, 0.0], [0.5, 0.7]])),
    KroneckerNormal(0.5, [np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[0.5, 0.1], [0.1, 1.0]])]),
    Dirichlet(np.array([0.8, 2.0, 3.5])),
]

MATRICES: list[Distribution] = [
    MatrixNormal(np.array([[0.0, 1.0, 2.0], [0.5, 0.0, -1.0]]), np.eye(2) + np.tri(2), np.linalg.cholesky(_covariance)),
    LKJCholesky(3, 1.5),
    LKJCholesky(2, 0.5),
    LKJ(3, 2.0),
    WishartCholesky(4.5, _covariance),
    WishartCholesky(4.5, rate_matrix=_covariance[:2, :2]),
    InverseWishartCholesky(9.5, _covariance),
    InverseWishartCholesky(9.5, rate_matrix=_covariance[:2, :2]),
    Wishart(7.5, _covariance[:2, :2]),
    InverseWishart(13.5, _covariance[:2, :2]),
    LKJCovarianceCholesky(2, LogNormal(np.array([0.0, 0.3]), 0.4), 1.5),
    LKJCovariance(2, LogNormal(0.0, 0.4), 2.0),
]

SERIES: list[Distribution] = []  # processes in time and space

COMBINED: list[Distribution] = []  # made from others

ALL: list[Distribution] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *MATRICES, *SERIES, *COMBINED]
