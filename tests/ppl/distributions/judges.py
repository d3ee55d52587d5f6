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
    "Dirichlet": lambda d: Transposed(stats.dirichlet(d.concentration)),
    "MultivariateNormal": lambda d: stats.multivariate_normal(d.loc, np.linalg.inv(d.precision_matrix)),
    "LowRankMultivariateNormal": lambda d: stats.multivariate_normal(d.loc, d.covariance),
    "KroneckerNormal": lambda d: stats.multivariate_normal(d.loc, d.covariance),
    "MultivariateStudentT": lambda d: stats.multivariate_t(d.loc, d.scale_tril @ d.scale_tril.T, d.df),
    "MatrixNormal": lambda d: stats.matrix_normal(
        d.loc, d.scale_tril_row @ d.scale_tril_row.T, d.scale_tril_column @ d.scale_tril_column.T
    ),
    "Wishart": lambda d: Transposed(stats.wishart(float(d.concentration), d.scale_matrix)),
    "InverseWishart": lambda d: Transposed(stats.invwishart(float(d.concentration), d.scale_matrix)),
}


class Transposed:
    """SciPy has draws in the last axis here."""

    def __init__(self, judge):
        self.judge = judge

    def logpdf(self, x):
        return self.judge.logpdf(np.moveaxis(x, 0, -1))
