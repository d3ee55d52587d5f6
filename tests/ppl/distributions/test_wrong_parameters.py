"""A parameter that leaves its range while the sampler walks has no density: nan, a rejection, and no number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

CASES = {
    "Normal": (lambda p: sx.Normal(0.0, p), 0.5),
    "LogNormal": (lambda p: sx.LogNormal(0.0, p), 0.5),
    "HalfNormal": (lambda p: sx.HalfNormal(p), 0.5),
    "Cauchy": (lambda p: sx.Cauchy(0.0, p), 0.5),
    "HalfCauchy": (lambda p: sx.HalfCauchy(p), 0.5),
    "StudentT": (lambda p: sx.StudentT(p, 0.0, 1.0), 0.5),
    "Laplace": (lambda p: sx.Laplace(0.0, p), 0.5),
    "Exponential": (lambda p: sx.Exponential(p), 0.5),
    "Gamma": (lambda p: sx.Gamma(p, 1.0), 0.5),
    "Gamma rate": (lambda p: sx.Gamma(1.0, p), 0.5),
    "InverseGamma": (lambda p: sx.InverseGamma(p, 1.0), 0.5),
    "Beta": (lambda p: sx.Beta(p, 2.0), 0.5),
    "Beta both": (lambda p: sx.Beta(p, p), 0.5),
    "Dirichlet": (lambda p: sx.Dirichlet(jnp.stack([p, 2.0])), np.array([0.5, 0.5])),
    "MultivariateNormal": (lambda p: sx.MultivariateNormal(jnp.zeros(2), p * jnp.eye(2)), np.zeros(2)),
    "Poisson": (lambda p: sx.Poisson(p), 0),
    "Bernoulli": (lambda p: sx.Bernoulli(1 - p), 1),
    "Binomial": (lambda p: sx.Binomial(5, 1 - p), 5),
    "Categorical": (lambda p: sx.Categorical(jnp.stack([p, 1 - p])), 1),
    "Categorical sum": (lambda p: sx.Categorical(jnp.stack([-p, -p, -p])), 1),
}


@pytest.mark.parametrize("build, x", CASES.values(), ids=CASES)
def test_no_density_where_there_is_no_distribution(build, x):
    assert np.isnan(jax.jit(lambda p: build(p).log_prob(x))(-0.5))


def test_the_sampler_stays_where_there_is_one():
    def model(y):
        a = sx.sample("a", sx.Normal(0.0, 3.0))
        sx.sample("y", sx.Gamma(a, 1.0), obs=y)

    with pytest.warns(sx.errors.SamplingWarning):
        post = sx.mcmc(model, num_chains=2, num_warmup=200, num_samples=200)(0, jnp.array([0.5, 0.4]))
    assert (post["a"] > 0).all()


def test_rare_events_among_many_keep_their_digits():
    """scipy.stats.beta(657.58, 84689).logpdf(0.0075355), at the float32-rounded inputs, in 64 bits."""
    a, b, x = np.float32(657.58), np.float32(84689.0), np.float32(0.0075355)
    from scipy import stats

    expected = stats.beta(np.float64(a), np.float64(b)).logpdf(np.float64(x))
    np.testing.assert_allclose(sx.Beta(a, b).log_prob(x), expected, rtol=1e-4)
