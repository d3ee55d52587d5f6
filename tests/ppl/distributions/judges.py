"""SciPy's counterpart of a distribution, by the name of its class."""

import numpy as np
from scipy import stats


def probs(d):
    return np.asarray(d.mean)


JUDGES = {
    "Normal": lambda d: stats.norm(d.loc, d.scale),
    "LogNormal": lambda d: stats.lognorm(d.scale, scale=np.exp(d.loc)),
    "HalfNormal": lambda d: stats.halfnorm(scale=d.scale),
    "Cauchy": lambda d: stats.cauchy(d.loc, d.scale),
    "HalfCauchy": lambda d: stats.halfcauchy(scale=d.scale),
    "StudentT": lambda d: stats.t(d.df, d.loc, d.scale),
    "Exponential": lambda d: stats.expon(scale=1 / d.rate),
    "Gamma": lambda d: stats.gamma(d.concentration, scale=1 / d.rate),
    "InverseGamma": lambda d: stats.invgamma(d.concentration, scale=d.rate),
    "Beta": lambda d: stats.beta(d.concentration1, d.concentration0),
    "Uniform": lambda d: stats.uniform(d.low, d.high - d.low),
    "Laplace": lambda d: stats.laplace(d.loc, d.scale),
    "Bernoulli": lambda d: stats.bernoulli(probs(d)),
    "Binomial": lambda d: stats.binom(d.total_count, probs(d) / d.total_count),
    "Poisson": lambda d: stats.poisson(d.rate),
    "Geometric": lambda d: stats.geom(1 / (1 + d.mean), loc=-1),
    "NegativeBinomial": lambda d: stats.nbinom(d.total_count, d.total_count / (d.total_count + d.mean)),
    "NegativeBinomial2": lambda d: stats.nbinom(d.concentration, d.concentration / (d.concentration + d.mean)),
    "GammaPoisson": lambda d: stats.nbinom(d.concentration, d.rate / (1 + d.rate)),
    "BetaBinomial": lambda d: stats.betabinom(d.total_count, d.concentration1, d.concentration0),
    "BetaNegativeBinomial": lambda d: stats.betanbinom(d.n, d.concentration0, d.concentration1),
    "HyperGeometric": lambda d: stats.hypergeom(d.population, d.marked, d.draws),
    "DiscreteUniform": lambda d: stats.randint(d.low, d.high + 1),
    "Skellam": lambda d: stats.skellam(d.rate1, d.rate2),
    "Multinomial": lambda d: stats.multinomial(d.total_count, np.asarray(d.mean) / d.total_count),
    "DirichletMultinomial": lambda d: stats.dirichlet_multinomial(np.asarray(d.concentration), d.total_count),
}
