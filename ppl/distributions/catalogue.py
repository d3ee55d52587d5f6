"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.bijections import Affine, Exp, StickBreaking
from storax.distributions.base import Distribution
from storax.distributions.bounded import Beta, Uniform
from storax.distributions.cauchy import Cauchy, HalfCauchy, StudentT
from storax.distributions.discrete import Bernoulli, Binomial, Categorical, Poisson
from storax.distributions.gamma import Exponential, Gamma, InverseGamma
from storax.distributions.laplace import Laplace
from storax.distributions.mixtures import Mixture, MixtureSameFamily
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.transformed import Transformed
from storax.distributions.truncated import Censored, Folded, Truncated

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
    Dirichlet(np.array([0.8, 2.0, 3.5])),
]

MATRICES: list[Distribution] = []

SERIES: list[Distribution] = []  # processes in time and space

COMBINED: list[Distribution] = [  # made from others
    Transformed(Normal(0.5, 0.7), Exp()),
    Transformed(StudentT(4.5, 0.0, 1.0), Affine(1.0, -2.0)),
    Transformed(Normal(np.array([0.3, -0.2]), 0.8), StickBreaking()),
    Truncated(Normal(0.5, 2.0), -1.0, 3.0),
    Truncated(Gamma(2.5, 1.5), low=1.0),
    Truncated(Poisson(3.7), low=2),
    Truncated(Normal(0.5, 2.0), high=2.5),
    Censored(Poisson(3.7), 2, 6),
    Folded(Normal(0.5, 2.0)),
    Mixture(Categorical(logits=np.array([0.3, -0.5])), [Normal(-1.0, 0.5), Normal(1.0, 2.0)]),
    Mixture(np.array([0.5, 0.5]), [Normal(-1.0, 0.5), StudentT(4.5, 1.0, 2.0)]),
    Mixture(Categorical(logits=np.array([0.3, -0.5])), [HalfNormal(0.5), Gamma(2.5, 1.5)]),
    Mixture(np.array([0.25, 0.75]), [Poisson(3.7), Binomial(7, 0.35)]),
    MixtureSameFamily(Categorical(logits=np.array([0.1, -1.0, 0.7])), Normal(np.array([-2.0, 0.0, 1.5]), 0.6)),
    MixtureSameFamily(np.array([0.3, 0.7]), Normal(np.array([[0.0, 1.0, -1.0], [0.5, -2.0, 0.0]]), 1.0).to_event(1)),
]

ALL: list[Distribution] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *MATRICES, *SERIES, *COMBINED]
