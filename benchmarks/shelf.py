"""The entries of the table: every distribution that both libraries have, with one example of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as nd

import storax.distributions as sd
from storax import bijections


class Entry(NamedTuple):
    """One line of the table.

    Attributes:
        name: what the table calls it.
        parameters: the numbers that gradients are asked for.
        ours: parameters -> distribution of storax.
        theirs: parameters -> distribution of NumPyro.
        plain: is each parameter one number, so that a parameter for each of 1e6 lanes makes sense?
    """

    name: str
    parameters: tuple[Any, ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    plain: bool = True


def same(name: str, *parameters: Any, plain: bool = True) -> Entry:
    """Of one name and one order of parameters in both."""
    return Entry(name, parameters, getattr(sd, name), getattr(nd, name), plain)


def named(name: str, parameters: tuple[Any, ...], ours: Any, theirs: Any, plain: bool = True) -> Entry:
    return Entry(name, parameters, ours, theirs, plain)


REAL = [
    same("Normal", 0.5, 2.0),
    same("LogNormal", -0.3, 0.7),
    same("HalfNormal", 1.5),
    same("Cauchy", 1.0, 0.5),
    same("HalfCauchy", 2.0),
    same("StudentT", 4.5, -1.0, 2.0),
    same("Laplace", 0.7, 1.2),
    same("AsymmetricLaplace", 0.2, 1.1, 1.6),
    same("SoftLaplace", -0.3, 0.9),
    same("Logistic", 0.6, 1.4),
    same("Gumbel", 0.4, 1.3),
    same("Levy", -0.5, 1.2),
    named(
        "TruncatedNormal, one side",
        (0.5, 1.2),
        lambda loc, scale: sd.TruncatedNormal(loc, scale, low=-1.0),
        lambda loc, scale: nd.TruncatedNormal(loc, scale, low=-1.0),
    ),
    named(
        "TruncatedNormal, both sides",
        (0.5, 1.2),
        lambda loc, scale: sd.TruncatedNormal(loc, scale, low=-1.0, high=2.0),
        lambda loc, scale: nd.TruncatedNormal(loc, scale, low=-1.0, high=2.0),
    ),
]

POSITIVE = [
    same("Exponential", 0.4),
    same("Gamma", 2.5, 1.5),
    named("Gamma, large shape", (250.0, 1.5), sd.Gamma, nd.Gamma),
    same("InverseGamma", 5.5, 3.0),
    named("ChiSquared", (3.5,), sd.ChiSquared, nd.Chi2),
    same("Beta", 2.0, 3.5),
    named("Beta, large shapes", (200.0, 350.0), sd.Beta, nd.Beta),
    same("BetaProportion", 0.3, 6.0),
    same("Kumaraswamy", 1.8, 2.6),
    same("Uniform", -1.0, 3.0),
    same("LogUniform", 0.2, 7.0),
    named("Weibull", (2.2, 1.5), sd.Weibull, nd.Weibull),
    same("Gompertz", 0.3, 1.2),
    same("Pareto", 1.5, 4.5),
    named("PowerLaw", (-1.7, 0.5, 4.0), sd.PowerLaw, nd.DoublyTruncatedPowerLaw),
    same("LowerTruncatedPowerLaw", -6.0, 1.2),
    same("VonMises", 0.7, 2.5),
    same("Dagum", 1.5, 4.5, 1.2),
]

DISCRETE = [
    named("Bernoulli, probs", (0.3,), sd.Bernoulli, nd.BernoulliProbs),
    named("Bernoulli, logits", (1.2,), lambda x: sd.Bernoulli(logits=x), nd.BernoulliLogits),
    named("Binomial, probs", (0.35,), lambda p: sd.Binomial(40, p), lambda p: nd.BinomialProbs(p, 40)),
    named("Binomial, logits", (-0.6,), lambda x: sd.Binomial(40, logits=x), lambda x: nd.BinomialLogits(x, 40)),
    named("Poisson", (3.7,), sd.Poisson, nd.Poisson),
    named("Poisson, large rate", (1e4,), sd.Poisson, nd.Poisson),
    named("Geometric, probs", (0.3,), sd.Geometric, nd.GeometricProbs),
    named("Geometric, logits", (0.4,), lambda x: sd.Geometric(logits=x), nd.GeometricLogits),
    named("NegativeBinomial, probs", (3.5, 0.4), sd.NegativeBinomial, nd.NegativeBinomialProbs),
    named(
        "NegativeBinomial, logits",
        (2.0, -0.3),
        lambda n, x: sd.NegativeBinomial(n, logits=x),
        nd.NegativeBinomialLogits,
    ),
    same("NegativeBinomial2", 4.0, 0.8),
    same("GammaPoisson", 2.5, 0.7),
    named("BetaBinomial", (2.0, 3.5), lambda a, b: sd.BetaBinomial(a, b, 12), lambda a, b: nd.BetaBinomial(a, b, 12)),
    same("BetaNegativeBinomial", 1.5, 8.0, 3.0),
    named("DiscreteUniform", (), lambda: sd.DiscreteUniform(-2, 5), lambda: nd.DiscreteUniform(-2, 5)),
    named("Categorical, probs", (np.array([0.2, 0.5, 0.3]),), sd.Categorical, nd.CategoricalProbs, plain=False),
    named(
        "Categorical, logits",
        (np.array([0.1, -1.0, 0.7, 0.0]),),
        lambda x: sd.Categorical(logits=x),
        nd.CategoricalLogits,
        plain=False,
    ),
    same("OrderedLogistic", 0.4, np.array([-1.0, 0.2, 1.5]), plain=False),
    named(
        "ZeroInflated Poisson",
        (3.0, 0.25),
        lambda r, g: sd.ZeroInflated(sd.Poisson(r), gate=g),
        lambda r, g: nd.ZeroInflatedPoisson(g, r),
    ),
    named(
        "Hurdle Poisson",
        (2.5, 0.35),
        lambda r, g: sd.Hurdle(sd.Poisson(r), gate=g),
        lambda r, g: nd.HurdlePoisson(g, r),
    ),
]


def spread(dim: int) -> np.ndarray:
    """A well-conditioned covariance matrix."""
    i = np.arange(dim)
    return np.exp(-np.abs(i[:, None] - i) / 2.0) * np.sqrt(1.0 + i[:, None]) * np.sqrt(1.0 + i)


_tril = np.linalg.cholesky(spread(10))
_ring = np.roll(np.eye(10), 1, 0) + np.roll(np.eye(10), -1, 0)
_row = np.exp(-np.minimum(np.arange(16), 16 - np.arange(16)) / 2.0)
_turn = np.array([[0.8, 0.3], [-0.2, 0.9]])
_times = np.linspace(0.0, 1.0, 11)


def _pull(x: Any, t: Any) -> Any:
    return -x, 0.5 + 0.1 * x**2


VECTORS = [
    named(
        "MultivariateNormal, covariance",
        (np.zeros(10), spread(10)),
        sd.MultivariateNormal,
        nd.MultivariateNormal,
        plain=False,
    ),
    named(
        "MultivariateNormal, precision",
        (np.zeros(10), np.linalg.inv(spread(10))),
        lambda m, p: sd.MultivariateNormal(m, precision_matrix=p),
        lambda m, p: nd.MultivariateNormal(m, precision_matrix=p),
        plain=False,
    ),
    named(
        "MultivariateNormal, scale_tril",
        (np.zeros(10), _tril),
        lambda m, t: sd.MultivariateNormal(m, scale_tril=t),
        lambda m, t: nd.MultivariateNormal(m, scale_tril=t),
        plain=False,
    ),
    same(
        "LowRankMultivariateNormal", np.zeros(10), np.ones((10, 2)) * [1.0, -0.5], np.linspace(0.5, 2, 10), plain=False
    ),
    same("MultivariateStudentT", 9.5, np.zeros(10), _tril, plain=False),
    same("MatrixNormal", np.zeros((2, 5)), np.eye(2) + np.tri(2), np.linalg.cholesky(spread(5)), plain=False),
    same("Dirichlet", np.linspace(0.8, 3.5, 10), plain=False),
    named(
        "Multinomial, probs",
        (np.arange(1, 11) / 55.0,),
        lambda p: sd.Multinomial(20, p),
        lambda p: nd.MultinomialProbs(p, 20),
        plain=False,
    ),
    named(
        "Multinomial, logits",
        (np.linspace(-1, 1, 10),),
        lambda x: sd.Multinomial(20, logits=x),
        lambda x: nd.MultinomialLogits(x, 20),
        plain=False,
    ),
    named(
        "DirichletMultinomial",
        (np.linspace(0.8, 3.5, 10),),
        lambda a: sd.DirichletMultinomial(a, 20),
        lambda a: nd.DirichletMultinomial(a, 20),
        plain=False,
    ),
    named("LKJCholesky", (1.5,), lambda c: sd.LKJCholesky(4, c), lambda c: nd.LKJCholesky(4, c), plain=False),
    named("LKJ", (2.0,), lambda c: sd.LKJ(4, c), lambda c: nd.LKJ(4, c), plain=False),
    same("WishartCholesky", 7.5, spread(4), plain=False),
    same("Wishart", 7.5, spread(4), plain=False),
    same("InverseWishartCholesky", 9.5, spread(4), plain=False),
    same("InverseWishart", 9.5, spread(4), plain=False),
    named(
        "CAR",
        (np.zeros(10), 0.6, 2.0),
        lambda m, r, p: sd.CAR(m, r, p, _ring),
        lambda m, r, p: nd.CAR(m, r, p, jnp.asarray(_ring)),
        plain=False,
    ),
    named(
        "ZeroSumNormal", (1.5,), lambda s: sd.ZeroSumNormal(s, (10,)), lambda s: nd.ZeroSumNormal(s, (10,)), plain=False
    ),
    named(
        "GaussianRandomWalk",
        (1.5,),
        lambda s: sd.GaussianRandomWalk(s, 10),
        lambda s: nd.GaussianRandomWalk(s, 10),
        plain=False,
    ),
    named(
        "GaussianStateSpace",
        (spread(2),),
        lambda c: sd.GaussianStateSpace(10, _turn, c),
        lambda c: nd.GaussianStateSpace(10, jnp.asarray(_turn), c),
        plain=False,
    ),
    named(
        "EulerMaruyama",
        (1.0,),
        lambda s: sd.EulerMaruyama(_times, _pull, sd.Normal(0.0, s)),
        lambda s: nd.EulerMaruyama(jnp.asarray(_times), _pull, nd.Normal(0.0, s)),
        plain=False,
    ),
    same("CirculantNormal", np.zeros(16), _row, plain=False),
    same("ProjectedNormal", np.array([0.5, 0.3, 1.5]), plain=False),
    named(
        "GaussianCopula",
        (2.0, spread(2) / np.sqrt(np.outer([1.0, 2.0], [1.0, 2.0]))),
        lambda s, r: sd.GaussianCopula(sd.Normal(np.array([1.0, -1.0]), s), r),
        lambda s, r: nd.GaussianCopula(nd.Normal(jnp.array([1.0, -1.0]), s), r),
        plain=False,
    ),
    named(
        "SineBivariateVonMises",
        (0.5, -1.0, 2.0, 3.0, 0.6),
        lambda *p: sd.SineBivariateVonMises(*p[:4], weighted_correlation=p[4]),
        lambda *p: nd.SineBivariateVonMises(*p[:4], weighted_correlation=p[4]),
        plain=False,
    ),
]

COMBINED = [
    named("Delta", (2.0,), sd.Delta, nd.Delta),
    named(
        "Transformed, exp",
        (0.5, 0.7),
        lambda m, s: sd.Transformed(sd.Normal(m, s), bijections.Exp()),
        lambda m, s: nd.TransformedDistribution(nd.Normal(m, s), nd.transforms.ExpTransform()),
    ),
    named(
        "Folded Normal",
        (0.5, 2.0),
        lambda m, s: sd.Folded(sd.Normal(m, s)),
        lambda m, s: nd.FoldedDistribution(nd.Normal(m, s)),
    ),
    named(
        "Truncated Cauchy",
        (0.5, 2.0),
        lambda m, s: sd.Truncated(sd.Cauchy(m, s), -1.0, 3.0),
        lambda m, s: nd.TruncatedDistribution(nd.Cauchy(m, s), -1.0, 3.0),
    ),
    named(
        "Mixture",
        (np.array([0.3, -0.5]), -1.0, 0.5, 4.5),
        lambda w, m, s, df: sd.Mixture(sd.Categorical(logits=w), [sd.Normal(m, s), sd.StudentT(df, 1.0, 2.0)]),
        lambda w, m, s, df: nd.MixtureGeneral(nd.CategoricalLogits(w), [nd.Normal(m, s), nd.StudentT(df, 1.0, 2.0)]),
        plain=False,
    ),
    named(
        "MixtureSameFamily",
        (np.array([0.1, -1.0, 0.7]), np.array([-2.0, 0.0, 1.5]), 0.6),
        lambda w, m, s: sd.MixtureSameFamily(sd.Categorical(logits=w), sd.Normal(m, s)),
        lambda w, m, s: nd.MixtureSameFamily(nd.CategoricalLogits(w), nd.Normal(m, s)),
        plain=False,
    ),
]

SHELF: list[Entry] = [*REAL, *POSITIVE, *DISCRETE, *VECTORS, *COMBINED]
