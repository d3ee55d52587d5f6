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
    "TruncatedNormal": lambda d: stats.truncnorm(
        -np.inf if d.low is None else (d.low - d.loc) / d.scale,
        np.inf if d.high is None else (d.high - d.loc) / d.scale,
        d.loc,
        d.scale,
    ),
    "SkewNormal": lambda d: stats.skewnorm(d.skewness, d.loc, d.scale),
    "AsymmetricLaplace": lambda d: stats.laplace_asymmetric(d.asymmetry, d.loc, d.scale),
    "SoftLaplace": lambda d: stats.hypsecant(d.loc, d.scale),
    "Logistic": lambda d: stats.logistic(d.loc, d.scale),
    "LogLogistic": lambda d: stats.fisk(d.concentration, scale=d.scale),
    "Gumbel": lambda d: stats.gumbel_r(d.loc, d.scale),
    "Moyal": lambda d: stats.moyal(d.loc, d.scale),
    "Levy": lambda d: stats.levy(d.loc, d.scale),
    "ExGaussian": lambda d: stats.exponnorm(1 / (d.scale * d.rate), d.loc, d.scale),
    "Exponential": lambda d: stats.expon(scale=1 / d.rate),
    "Gamma": lambda d: stats.gamma(d.concentration, scale=1 / d.rate),
    "InverseGamma": lambda d: stats.invgamma(d.concentration, scale=d.rate),
    "Beta": lambda d: stats.beta(d.concentration1, d.concentration0),
    "Uniform": lambda d: stats.uniform(d.low, d.high - d.low),
    "Laplace": lambda d: stats.laplace(d.loc, d.scale),
    "Bernoulli": lambda d: stats.bernoulli(probs(d)),
    "Binomial": lambda d: stats.binom(d.total_count, probs(d) / d.total_count),
    "Poisson": lambda d: stats.poisson(d.rate),
}
