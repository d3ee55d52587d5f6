"""An example of every distribution: adding one buys the whole test suite (`tests/ppl/distributions/`)."""

import numpy as np

from storax.bijections import Affine, Exp, StickBreaking
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
from storax.distributions.gamma_kin import Chi, ChiSquared, GeneralizedGamma
from storax.distributions.garch import GARCH11
from storax.distributions.geometric import DiscreteWeibull, Geometric
from storax.distributions.gumbel import Gumbel, Moyal
from storax.distributions.hypergeometric import HyperGeometric
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
from storax.distributions.multivariate import Dirichlet, MultivariateNormal
from storax.distributions.multivariate_t import MultivariateStudentT
from storax.distributions.negative_binomial import GammaPoisson, NegativeBinomial, NegativeBinomial2
from storax.distributions.normal import HalfNormal, LogNormal, Normal
from storax.distributions.normals import LowRankMultivariateNormal, MatrixNormal
from storax.distributions.ordered import OrderedLogistic, OrderedProbit
from storax.distributions.pareto import GeneralizedPareto, Pareto
from storax.distributions.poisson import Poisson
from storax.distributions.polya_gamma import PolyaGamma
from storax.distributions.power_law import LowerTruncatedPowerLaw, PowerLaw
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
from storax.distributions.wald import Wald
from storax.distributions.weibull import Gompertz, Rayleigh, Weibull
from storax.distributions.wishart import InverseWishartCholesky, WishartCholesky
from storax.distributions.wishart_matrices import InverseWishart, Wishart
from storax.distributions.zero_sum import ZeroSumNormal
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
    MultivariateNormal(np.array([0.5, -1.0, 2.0]), precision_matrix=_covariance),
    LowRankMultivariateNormal(np.array([1.0, 0.0, -1.0]), np.array([[1.0], [0.5], [-2.0]]), np.array([0.1, 1.0, 2.0])),
    MultivariateStudentT(9.5, np.array([1.0, -1.0]), np.array([[1.5, 0.0], [0.5, 0.7]])),
    KroneckerNormal(0.5, [np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[0.5, 0.1], [0.1, 1.0]])]),
    Dirichlet(np.array([0.8, 2.0, 3.5])),
    Multinomial(7, np.array([0.2, 0.5, 0.3])),
    Multinomial(5, logits=np.array([0.1, -1.0, 0.7, 0.0])),
    DirichletMultinomial(np.array([0.8, 2.0, 3.5]), 6),
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

_path = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
_parts = np.kron(np.eye(2), np.array([[0, 2.0], [2.0, 0]]))
_turn = np.array([[0.8, 0.3], [-0.2, 0.9]])


def _pull(x, t):  # type: ignore[no-untyped-def]
    return -x + np.array([0.0, 1.0]), 0.5 + 0.1 * x**2


SERIES: list[Distribution] = [  # processes in time and space
    CAR(np.array([1.0, 0.0, -1.0, 2.0]), 0.6, 2.0, _path),
    CAR(0.5, -0.9, 0.3, _path),
    ICAR(_path, 0.7, zero_sum_stdev=0.1),
    ICAR(_parts, 1.5, zero_sum_stdev=0.5),
    ZeroSumNormal(1.5, (4,)),
    ZeroSumNormal(0.4, (3, 2)),
    GaussianRandomWalk(1.5, 4),
    GaussianRandomWalk(0.5, 3, Normal(1.0, 2.0)),
    AR(np.array([0.6, -0.3]), 1.5, 4, constant=0.5, init=np.array([1.0, 2.0])),
    AR(np.array([0.9]), 0.7, 3, init_dist=Normal(np.array([1.0]), 2.0).to_event(1)),
    GaussianStateSpace(3, _turn, _covariance[:2, :2], initial_value=np.array([1.0, -2.0])),
    EulerMaruyama(np.array([0.0, 0.1, 0.4]), _pull, Normal(np.array([0.0, 1.0]), 1.0).to_event(1)),
    GARCH11(0.5, 0.3, 0.4, 1.2, 4),
    StickBreakingWeights(2.5, 3),
    CirculantNormal(np.array([1.0, 0.0, -1.0, 2.0]), np.array([2.0, 0.5, 0.25, 0.5])),
    ProjectedNormal(np.array([0.5, 0.3, 1.5])),
    ProjectedNormal(np.array([-0.5, 1.0])),
    GaussianCopula(Normal(np.array([1.0, -1.0]), 2.0), np.array([[1.0, 0.6], [0.6, 1.0]])),
    GaussianCopula(LogNormal(np.array([0.5, -0.3]), 0.5), np.array([[1.0, -0.4], [-0.4, 1.0]])),
    SineBivariateVonMises(0.5, -1.0, 2.0, 3.0, weighted_correlation=0.6),
    SineBivariateVonMises(-0.3, 2.0, 0.8, 0.5, 1.5),
    CirculantNormal(np.array([1.0, 0.0, -1.0]), covariance_rfft=np.array([2.0, 0.5])),
]

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
