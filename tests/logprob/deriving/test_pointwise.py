"""`log_likelihood` of models with anonymous draws: where the density of the data is a product, and where it is none."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx
from storax.errors import NotMeasurable

rv, N, n = sx.rv, sx.Normal, stats.norm.logpdf
Y = np.array([0.3, -1.0, 2.0])
MU = np.array([-1.0, 1.0])
PAIRS, MEANS = np.array([[0.1, -0.1], [0.6, 0.1], [-0.5, 0.4]]), np.array([[0.0, 1.0], [2.0, -1.0]])


def clusters(y):
    mu = sx.sample("mu", N(jnp.zeros(2), 1.0))
    sx.sample("y", N(mu[rv(sx.Bernoulli(0.3), shape=(3,))], 1.0), obs=y)


def test_each_entry_has_its_density(x64):
    each = np.logaddexp(np.log(0.7) + n(Y, MU[0]), np.log(0.3) + n(Y, MU[1]))
    for model in (clusters, sx.scale(clusters, 2.0)):  # weights do not count
        np.testing.assert_allclose(sx.log_likelihood(model)({"mu": MU}, Y)["y"], each, rtol=1e-12)

    def intercepts(y):
        sx.sample("y", N(rv(N(0.0, 1.0), shape=(3,)), 1.0), obs=y)

    np.testing.assert_allclose(sx.log_likelihood(intercepts)({}, Y)["y"], n(Y, 0, np.sqrt(2)), rtol=1e-12)

    def vectors(y):
        means = jnp.asarray(MEANS)[rv(sx.Bernoulli(0.3), shape=(3,))]
        sx.sample("y", sx.MultivariateNormal(means, covariance_matrix=jnp.eye(2)), obs=y)

    each = np.logaddexp(*[np.log(p) + n(PAIRS, m).sum(1) for p, m in zip((0.7, 0.3), MEANS, strict=True)])
    np.testing.assert_allclose(sx.log_likelihood(vectors)({}, PAIRS)["y"], each, rtol=1e-12)


def two_sites(y):
    z = rv(sx.Bernoulli(0.3), shape=(3,))
    sx.sample("y", N(z * 1.0, 1.0), obs=y)
    sx.sample("x", N(z * 1.0, 1.0), obs=y)


def one_mean(y):
    sx.sample("y", N(rv(N(0.0, 1.0)) * jnp.ones(3), 1.0), obs=y)


def one_state(y):
    sx.sample("y", N(rv(sx.Bernoulli(0.3)) * jnp.ones(3), 1.0), obs=y)


def filtered(y):
    def step(x, y):
        x = rv(N(x, 1.0))
        return x, sx.sample("y", N(x, 1.0), obs=y)

    lax.scan(step, 0.0, y)


@pytest.mark.parametrize("model", [two_sites, one_mean, one_state, filtered])
def test_what_is_no_product_is_refused(model, x64):
    with pytest.raises(NotMeasurable, match="the entries of site 'y' depend on each other"):
        sx.log_likelihood(model)({}, Y)


def test_what_determines_a_draw_is_no_likelihood(x64):
    def model(y):
        x = rv(N(0.0, 1.0))
        sx.deterministic("e", jnp.exp(x))
        sx.sample("y", N(x * jnp.ones(3), 1.0), obs=y)

    with pytest.raises(NotMeasurable, match="determine anonymous draws"):
        sx.log_likelihood(model)({"e": 1.3}, Y)
