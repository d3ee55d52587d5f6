"""Divergences in closed form, beside the mean of log q - log p over draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx
from storax.samplers.variational.divergences import divergence

PAIRS = [
    (sx.Normal(0.3, 0.7), sx.Normal(-0.5, 1.3)),
    (sx.LogNormal(0.3, 0.7), sx.LogNormal(-0.5, 1.3)),
    (sx.HalfNormal(0.7), sx.HalfNormal(1.3)),
    (sx.Laplace(0.3, 0.7), sx.Laplace(-0.5, 1.3)),
    (sx.Exponential(2.0), sx.Exponential(0.7)),
    (sx.Gamma(2.0, 3.0), sx.Gamma(1.2, 0.7)),
    (sx.InverseGamma(2.0, 3.0), sx.InverseGamma(1.2, 0.7)),
    (sx.Poisson(2.0), sx.Poisson(3.5)),
    (sx.Beta(2.0, 3.0), sx.Beta(1.2, 0.7)),
    (sx.Dirichlet([1.0, 2.0, 3.0]), sx.Dirichlet([2.0, 0.7, 1.0])),
    (sx.Bernoulli(0.3), sx.Bernoulli(0.6)),
    (sx.Categorical([0.2, 0.3, 0.5]), sx.Categorical(logits=jnp.array([0.1, 0.5, -1.0]))),
    (
        sx.MultivariateNormal([0.3, 1.0], scale_tril=jnp.array([[0.7, 0.0], [0.2, 0.5]])),
        sx.MultivariateNormal([0.0, 0.0], scale_tril=jnp.array([[1.0, 0.0], [-0.3, 0.8]])),
    ),
]


@pytest.mark.parametrize(("q", "p"), PAIRS, ids=lambda d: d.name)
def test_a_divergence_is_the_mean_difference_of_log_densities(q, p):
    x = q.sample(jax.random.key(0), (20_000,))
    difference = np.asarray(q.log_prob(x) - p.log_prob(x), float)
    assert abs(difference.mean() - divergence(q, p)) < 4 * difference.std() / np.sqrt(len(difference)) + 1e-5
    assert abs(divergence(q, q)) < 1e-5
    assert divergence(q, sx.Cauchy(0.0, 1.0)) is None


def test_weights_of_subsamples_count_in_divergences_as_in_log_densities():
    def local(size=None):
        with sx.plate("copy", 6, subsample_size=size):
            sx.sample("z", sx.Normal(0.0, 1.0))

    def guide(size=None):
        scale = sx.param("scale", 0.5, support=sx.supports.positive)
        with sx.plate("copy", 6, subsample_size=size):
            sx.sample("z", sx.Normal(1.0, scale))

    loss = sx.elbo(local, guide, estimator="analytic_kl")
    exact = 6 * (0.5 * (0.25 + 1.0 - 1.0) - np.log(0.5))
    for size in (None, 2):
        np.testing.assert_allclose(loss(loss.init(0, size=size), 1, size=size), exact, rtol=1e-5)
