"""Long validation: posteriors of posteriordb (Magnusson et al. 2023), and simulation-based calibration.

Run with `pytest -m long`.  The reference values lie beside the repository, in `../shared/posteriordb`.
"""

import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx
from storax.samplers.diagnostics import mcse_mean

pytestmark = pytest.mark.long
N = sx.Normal
norm = jax.scipy.stats.norm.logpdf


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


def ordered_pair(loc, scale):
    """Two numbers in order, each with this normal prior, up to a constant."""
    low = sx.sample("low", N(loc[0], scale))
    gap = sx.sample("gap", sx.HalfNormal(100.0))
    high = low + gap
    sx.factor("high", norm(high, loc[1], scale) - sx.HalfNormal(100.0).log_prob(gap))
    return sx.deterministic("mu", jnp.stack([low, high]))


def mixture(y):
    mu = ordered_pair((0.0, 0.0), 2.0)
    sigma = sx.sample("sigma", sx.HalfNormal(2.0), shape=2)
    theta = sx.sample("theta", sx.Beta(5.0, 5.0))
    parts = norm(y[:, None], mu[None], sigma[None]) + jnp.log(jnp.stack([theta, 1 - theta]))[None]
    sx.factor("y", jax.nn.logsumexp(parts, axis=1))


def hidden_markov(y):
    theta = jnp.stack([sx.sample(f"theta{k}", sx.Dirichlet(jnp.ones(2))) for k in (1, 2)])
    mu = ordered_pair((3.0, 10.0), 1.0)
    sx.factor("positive", jnp.where(mu[0] > 0, 0.0, -jnp.inf))
    emission = norm(y[:, None], mu[None], 1.0)

    def step(log_weight, e):
        return jax.nn.logsumexp(log_weight[:, None] + jnp.log(theta), axis=0) + e, None

    log_weight, _ = lax.scan(step, emission[0], emission[1:])
    sx.factor("y", jax.nn.logsumexp(log_weight))


def regression(X, y):
    beta = sx.sample("beta", N(0.0, 10.0), shape=X.shape[1])
    sigma = sx.sample("sigma", sx.HalfNormal(10.0))
    sx.sample("y", N(X @ beta, sigma), obs=y)


MODELS = {
    "arK-arK": (ar, lambda d: (np.array(d["y"]), d["K"])),
    "arma-arma11": (arma, lambda d: (np.array(d["y"]),)),
    "eight_schools-eight_schools_noncentered": (
        eight_schools,
        lambda d: (np.array(d["y"], float), np.array(d["sigma"], float)),
    ),
    "gp_pois_regr-gp_regr": (gaussian_process, lambda d: (np.array(d["x"], float), np.array(d["y"]))),
    "low_dim_gauss_mix-low_dim_gauss_mix": (mixture, lambda d: (np.array(d["y"]),)),
    "hmm_example-hmm_example": (hidden_markov, lambda d: (np.array(d["y"]),)),
    "sblrc-blr": (regression, lambda d: (np.array(d["X"]), np.array(d["y"]))),
}


@pytest.mark.parametrize("name", MODELS)
def test_reference_posterior(name, shared, x64):
    model, arguments = MODELS[name]
    folder = shared / "posteriordb" / name
    reference = json.loads((folder / "reference.json").read_text())["summary"]
    arguments = arguments(json.loads((folder / "data.json").read_text()))
    kernel = sx.nuts(target_accept=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        post = sx.mcmc(model, kernel, num_samples=2000)(0, *arguments)
    assert post.stats["diverging"].mean() < 0.01
    summary = post.summary()
    for column, want in reference.items():
        base, _, index = column.partition("[")
        draws = post[base][..., int(index[:-1]) - 1] if index else post[base]
        error = np.hypot(mcse_mean(draws), want["sd"] / np.sqrt(want["ess_mean"]))
        assert abs(draws.mean() - want["mean"]) < 4 * error, (column, draws.mean(), want, error)
        np.testing.assert_allclose(draws.std(), want["sd"], rtol=0.1, err_msg=column)
    assert np.nanmax(summary.columns["rhat"]) < 1.01


def calibrated(y=None):
    """A scan, a vmap, and supports of several kinds."""
    scale = sx.sample("scale", sx.Gamma(3.0, 3.0))
    p = sx.sample("p", sx.Beta(2.0, 2.0))

    def step(level, y):
        level = p * level + sx.sample("shock", N(0.0, scale))
        return level, sx.sample("y", N(level, 0.5), obs=y)

    return lax.scan(step, 0.0, y, length=10)[1]


def test_simulation_based_calibration():
    """Ranks of the prior draws among the posterior's are uniform (Talts et al. 2018)."""
    runs, draws = 200, 99
    infer = sx.mcmc(calibrated, sx.nuts(target_accept=0.9), num_chains=1, num_warmup=500, num_samples=10 * draws)
    ranks = {"scale": [], "p": [], "shock": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        for i in range(runs):
            y, trace = sx.trace(sx.seed(calibrated, jax.random.key(1000 + i)))()
            post = infer(jax.random.key(i), y)
            for name, found in ranks.items():
                pick = (lambda x: x[..., 4]) if name == "shock" else (lambda x: x)
                found.append(int((pick(post[name])[0, ::10] < pick(np.asarray(trace[name].value))).sum()))
    for name, found in ranks.items():
        counts = np.histogram(found, bins=10, range=(0, draws + 1))[0]
        assert stats.chisquare(counts).pvalue > 1e-3, (name, counts)
