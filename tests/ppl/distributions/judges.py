"""SciPy's counterpart of a distribution, by the name of its class; and what an error is."""

import numpy as np
from gaussians import BY_HAND
from scipy import stats


def error(got, truth):
    """Relative to the truth, or to 1 where that is smaller."""
    got, truth = np.asarray(got, float), np.asarray(truth, float)
    return np.abs(got - truth) / np.maximum(1, np.abs(truth))


def probs(d):
    return np.asarray(d.mean)


class GriffithsEngenMcCloskey:
    """Fractions of what is left of a stick, each a Beta(1, alpha), and the Jacobian of what was left before each."""

    def __init__(self, alpha):
        self.alpha = alpha

    def logpdf(self, x):
        left = 1 - np.cumsum(x[..., :-1], -1) + x[..., :-1]
        return (stats.beta(1, self.alpha).logpdf(x[..., :-1] / left) - np.log(left)).sum(-1)


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
    "ChiSquared": lambda d: stats.chi2(d.df),
    "Chi": lambda d: stats.chi(d.df),
    "GeneralizedGamma": lambda d: stats.gengamma(d.concentration, d.power, scale=1 / d.rate),
    "Weibull": lambda d: stats.weibull_min(d.concentration, scale=d.scale),
    "Gompertz": lambda d: stats.gompertz(d.concentration, scale=1 / d.rate),
    "Rayleigh": lambda d: stats.rayleigh(scale=d.scale),
    "Rice": lambda d: stats.rice(d.nu / d.sigma, scale=d.sigma),
    "BetaProportion": lambda d: stats.beta(d.mean * d.concentration, (1 - d.mean) * d.concentration),
    "LogUniform": lambda d: stats.loguniform(d.low, d.high),
    "Triangular": lambda d: stats.triang((d.peak - d.low) / (d.high - d.low), d.low, d.high - d.low),
    "Pareto": lambda d: stats.pareto(d.alpha, scale=d.scale),
    "GeneralizedPareto": lambda d: stats.genpareto(d.concentration, d.loc, d.scale),
    "PowerLaw": lambda d: (
        stats.truncpareto(-1 - d.alpha, d.high / d.low, scale=d.low)
        if d.alpha != -1
        else stats.loguniform(d.low, d.high)
    ),
    "LowerTruncatedPowerLaw": lambda d: stats.pareto(-1 - d.alpha, scale=d.low),
    "Wald": lambda d: stats.invgauss(d.loc / d.concentration, scale=d.concentration),
    "VonMises": lambda d: stats.vonmises(d.concentration, d.loc),
    "Dagum": lambda d: stats.burr(d.sharpness, d.concentration, scale=d.scale),
    "Burr": lambda d: stats.burr12(d.c, d.k, scale=d.scale),
    "Dirichlet": lambda d: Transposed(stats.dirichlet(d.concentration)),
    "MultivariateNormal": lambda d: stats.multivariate_normal(d.loc, np.linalg.inv(d.precision_matrix)),
    "LowRankMultivariateNormal": lambda d: stats.multivariate_normal(d.loc, d.covariance),
    "KroneckerNormal": lambda d: stats.multivariate_normal(d.loc, d.covariance),
    "MultivariateStudentT": lambda d: stats.multivariate_t(d.loc, d.scale_tril @ d.scale_tril.T, d.df),
    "MatrixNormal": lambda d: stats.matrix_normal(
        d.loc, d.scale_tril_row @ d.scale_tril_row.T, d.scale_tril_column @ d.scale_tril_column.T
    ),
    "StickBreakingWeights": lambda d: GriffithsEngenMcCloskey(d.alpha),
    **{n: (lambda d, f=f: stats.multivariate_normal(*f(d))) for n, f in BY_HAND.items() if n != "GaussianStateSpace"},
    "Geometric": lambda d: stats.geom(1 / (1 + d.mean), loc=-1),
    "NegativeBinomial": lambda d: stats.nbinom(d.total_count, d.total_count / (d.total_count + d.mean)),
    "NegativeBinomial2": lambda d: stats.nbinom(d.concentration, d.concentration / (d.concentration + d.mean)),
    "GammaPoisson": lambda d: stats.nbinom(d.concentration, d.rate / (1 + d.rate)),
    "BetaBinomial": lambda d: stats.betabinom(d.total_count, d.concentration1, d.concentration0),
    "BetaNegativeBinomial": lambda d: stats.betanbinom(d.n, d.concentration0, d.concentration1),
    "HyperGeometric": lambda d: stats.hypergeom(d.population, d.marked, d.draws),
    "DiscreteUniform": lambda d: stats.randint(d.low, d.high + 1),
    "Skellam": lambda d: stats.skellam(d.rate1, d.rate2),
    "DirichletMultinomial": lambda d: stats.dirichlet_multinomial(np.asarray(d.concentration), d.total_count),
    "Wishart": lambda d: Transposed(stats.wishart(float(d.concentration), d.scale_matrix)),
    "InverseWishart": lambda d: Transposed(stats.invwishart(float(d.concentration), d.scale_matrix)),
}


class Transposed:
    """SciPy has draws in the last axis here."""

    def __init__(self, judge):
        self.judge = judge

    def logpdf(self, x):
        return self.judge.logpdf(np.moveaxis(x, 0, -1))
