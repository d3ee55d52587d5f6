"""The models of posteriordb's posteriors (Magnusson et al. 2023), from their formulas, and their data as arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax as sx
from storax import supports

N = sx.Normal
norm = jax.scipy.stats.norm.logpdf
Arguments = tuple[Any, ...]


def flat(support: Any = supports.real, **shape: Any) -> Any:
    return sx.Improper(support, **shape)


def ar(y, K):
    alpha = sx.sample("alpha", N(0.0, 10.0))
    beta = sx.sample("beta", N(0.0, 10.0), shape=K)
    sigma = sx.sample("sigma", sx.HalfCauchy(2.5))
    past = jnp.stack([y[K - k - 1 : len(y) - k - 1] for k in range(K)])
    sx.sample("y", N(alpha + beta @ past, sigma), obs=y[K:])


def arma(y):
    mu = sx.sample("mu", N(0.0, 10.0))
    phi = sx.sample("phi", N(0.0, 2.0))
    theta = sx.sample("theta", N(0.0, 2.0))
    sigma = sx.sample("sigma", sx.HalfCauchy(2.5))

    def step(carry, y):
        previous, error = carry
        mean = mu + phi * previous + theta * error
        sx.sample("y", N(mean, sigma), obs=y)
        return (y, y - mean), None

    lax.scan(step, (mu, jnp.zeros_like(mu)), y)


def eight_schools(y, sigma):
    mu = sx.sample("mu", N(0.0, 5.0))
    tau = sx.sample("tau", sx.HalfCauchy(5.0))

    def school(y, sigma):
        theta = sx.deterministic("theta", mu + tau * sx.sample("eta", N(0.0, 1.0)))
        sx.sample("y", N(theta, sigma), obs=y)

    jax.vmap(school)(y, sigma)


def gaussian_process(x, y):
    rho = sx.sample("rho", sx.Gamma(25.0, 4.0))
    alpha = sx.sample("alpha", sx.HalfNormal(2.0))
    sigma = sx.sample("sigma", sx.HalfNormal(1.0))
    gap = x[:, None] - x[None, :]
    covariance = alpha**2 * jnp.exp(-(gap**2) / (2 * rho**2)) + sigma * jnp.eye(len(x))
    sx.sample("y", sx.MultivariateNormal(0.0, covariance), obs=y)


def mixture(y):
    mu = sx.sample("mu", flat(supports.ordered, event_shape=(2,)))
    sx.factor("prior of mu", norm(mu, 0.0, 2.0))
    sigma = sx.sample("sigma", sx.HalfNormal(2.0), shape=2)
    theta = sx.sample("theta", sx.Beta(5.0, 5.0))
    parts = norm(y[:, None], mu[None], sigma[None]) + jnp.log(jnp.stack([theta, 1 - theta]))[None]
    sx.factor("y", jax.nn.logsumexp(parts, axis=1))


def hidden_markov(y):
    theta = jnp.stack([sx.sample(f"theta{k}", sx.Dirichlet(jnp.ones(2))) for k in (1, 2)])
    mu = sx.sample("mu", flat(supports.positive_ordered, event_shape=(2,)))
    sx.factor("prior of mu", norm(mu, jnp.array([3.0, 10.0]), 1.0))
    emission = norm(y[:, None], mu[None], 1.0)

    def step(log_weight, e):
        return jax.nn.logsumexp(log_weight[:, None] + jnp.log(theta), axis=0) + e, None

    log_weight, _ = lax.scan(step, emission[0], emission[1:])
    sx.factor("y", jax.nn.logsumexp(log_weight))


def lotka_volterra(y_init, y, steps=20):
    """Hare and lynx, by Runge-Kutta steps of fourth order, `steps` of them a year."""
    priors = [(1.0, 0.5), (0.05, 0.05)] * 2
    rate = [sx.sample(f"rate{i}", sx.TruncatedNormal(*p, low=0.0)) for i, p in enumerate(priors, 1)]
    sx.deterministic("theta", jnp.stack(rate))
    z_init = sx.sample("z_init", sx.LogNormal(np.log(10.0), 1.0), shape=2)
    sigma = sx.sample("sigma", sx.LogNormal(-1.0, 1.0), shape=2)
    a, b, c, d = rate

    def slope(log_z):  # of the logarithms, which cannot become negative
        u, v = jnp.exp(log_z)
        return jnp.stack([a - b * v, -c + d * u])

    def step(log_z, _):
        h = 1 / steps
        k1 = slope(log_z)
        k2 = slope(log_z + h / 2 * k1)
        k3 = slope(log_z + h / 2 * k2)
        k4 = slope(log_z + h * k3)
        return log_z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    def year(log_z, _):
        log_z, _ = lax.scan(step, log_z, None, length=steps)
        return log_z, log_z

    _, log_z = lax.scan(year, jnp.log(z_init), None, length=len(y))
    sx.sample("y_init", sx.LogNormal(jnp.log(z_init), sigma), obs=y_init)
    sx.sample("y", sx.LogNormal(log_z, sigma[None]), obs=y)


def shrunk_regression(X, y):
    beta = sx.sample("beta", N(0.0, 10.0), shape=X.shape[1])
    sigma = sx.sample("sigma", sx.HalfNormal(10.0))
    sx.sample("y", N(X @ beta, sigma), obs=y)


def trend(x, y, prior):
    alpha = sx.sample("alpha", N(prior[0], prior[1]))
    beta = sx.sample("beta", N(prior[2], prior[3]))
    sigma = sx.sample("sigma", flat(supports.positive))
    sx.sample("y", N(alpha + beta * x, sigma), obs=y)


def regression(X, y, sigma_prior=None):
    """Flat coefficients, and a flat scale unless there is a prior of it."""
    beta = sx.sample("beta", flat(batch_shape=(X.shape[1],)))
    sigma = sx.sample("sigma", flat(supports.positive) if sigma_prior is None else sx.HalfCauchy(sigma_prior))
    sx.sample("y", N(X @ beta, sigma), obs=y)


def columns(*of_data: Callable[..., Any], y: Callable[..., Any], prior: Any = ()) -> Any:
    """A regression of `y` on a constant and these columns, functions of the data as a dict of arrays."""

    def arguments(d: dict[str, Any]) -> Arguments:
        constant = np.ones(int(d["N"]))
        return np.stack([constant, *(f(d) for f in of_data)], 1), np.asarray(y(d)), *prior

    return regression, arguments


def field(name: str) -> Callable[..., Any]:
    return lambda d: d[name]


def product(*factors: Callable[..., Any]) -> Callable[..., Any]:
    return lambda d: np.prod([f(d) for f in factors], axis=0)


def logarithm(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda d: np.log(f(d))


def standardised(name: str) -> Callable[..., Any]:
    """By two standard deviations."""
    return lambda d: (d[name] - d[name].mean()) / (2 * d[name].std(ddof=1))


def _arguments(*names: str) -> Callable[..., Arguments]:
    return lambda d: tuple(d[n] for n in names)


KID = {"y": field("kid_score")}
MESQUITE = [field(n) for n in ("diam1", "diam2", "canopy_height", "total_height", "density", "group")]
DIAM1, DIAM2, CANOPY, TOTAL, DENSITY, GROUP = MESQUITE
LOG_WEIGHT = {"y": logarithm(field("weight"))}
NES = columns(
    field("real_ideo"), field("race_adj"),
    *(lambda d, code=code: (d["age_discrete"] == code).astype(float) for code in (2, 3, 4)),
    field("educ1"), field("gender"), field("income"), y=field("partyid7"),
)  # fmt: skip

MODELS: dict[str, tuple[Callable[..., Any], Callable[..., Arguments]]] = {
    "arK-arK": (ar, lambda d: (d["y"], int(d["K"]))),
    "arma-arma11": (arma, _arguments("y")),
    "hmm_example-hmm_example": (hidden_markov, _arguments("y")),
    "low_dim_gauss_mix-low_dim_gauss_mix": (mixture, _arguments("y")),
    "eight_schools-eight_schools_noncentered": (eight_schools, _arguments("y", "sigma")),
    "gp_pois_regr-gp_regr": (gaussian_process, _arguments("x", "y")),
    "hudson_lynx_hare-lotka_volterra": (lotka_volterra, _arguments("y_init", "y")),
    "sblrc-blr": (shrunk_regression, _arguments("X", "y")),
    "kilpisjarvi_mod-kilpisjarvi": (
        trend,
        lambda d: (d["x"], d["y"], np.array([d[n] for n in ("pmualpha", "psalpha", "pmubeta", "psbeta")])),
    ),
    "earnings-earn_height": columns(field("height"), y=field("earn")),
    "earnings-logearn_interaction": columns(
        field("height"), field("male"), product(field("height"), field("male")), y=logarithm(field("earn"))
    ),
    "kidiq-kidscore_momhs": columns(field("mom_hs"), **KID, prior=(2.5,)),
    "kidiq-kidscore_interaction": columns(
        field("mom_hs"), field("mom_iq"), product(field("mom_hs"), field("mom_iq")), **KID, prior=(2.5,)
    ),
    "kidiq_with_mom_work-kidscore_interaction_z": columns(
        standardised("mom_hs"), standardised("mom_iq"), product(standardised("mom_hs"), standardised("mom_iq")), **KID
    ),
    "mesquite-mesquite": columns(*MESQUITE, y=field("weight")),
    "mesquite-logmesquite_logvas": columns(
        logarithm(product(DIAM1, DIAM2, CANOPY)),
        logarithm(product(DIAM1, DIAM2)),
        lambda d: np.log(d["diam1"] / d["diam2"]),
        logarithm(TOTAL),
        logarithm(DENSITY),
        GROUP,
        **LOG_WEIGHT,
    ),
    "mesquite-logmesquite_logvolume": columns(logarithm(product(DIAM1, DIAM2, CANOPY)), **LOG_WEIGHT),
    "nes1972-nes": NES,
    "nes1984-nes": NES,
    "nes2000-nes": NES,
}
