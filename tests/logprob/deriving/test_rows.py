"""Draws of few values behind rows of what is observed, by several sites too: against sums by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import storax as sx
from storax.errors import NotMeasurable

rv, n = sx.rv, stats.norm.logpdf
Y, X = np.array([0.3, -1.0, 2.0]), np.array([1.0, 0.0, -1.0])
PAIRS = np.array([[0.1, -0.1], [0.6, 0.1], [-0.5, 0.4]])
MU, WEIGHTS = np.array([-1.0, 1.0]), np.array([0.7, 0.3])
MUS, COV = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 0.3], [0.3, 2.0]])
COVS = np.stack([COV, 2 * COV])


def coins(*shape):
    return rv(sx.Bernoulli(0.3), shape=shape)


def summed(score):
    """sum_i log sum_k P(k) exp(score(k)_i)"""
    return np.logaddexp(*[np.log(WEIGHTS[k]) + score(k) for k in (0, 1)]).sum()


def two_sites(y, x):
    z = coins(3)
    sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0), obs=y)
    sx.sample("x", sx.Normal(z * 2.0, 0.5), obs=x)


def in_lanes(y, x):
    def one(y, x):
        z = coins()
        sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0), obs=y)
        sx.sample("x", sx.Normal(z * 2.0, 0.5), obs=x)

    jax.vmap(one)(y, x)


def vectors(y, x):
    sx.sample("y", sx.MultivariateNormal(jnp.asarray(MUS)[coins(3)], covariance_matrix=jnp.asarray(COV)), obs=PAIRS)


def vectors_and_covariances(y, x):
    z = coins(3)
    d = sx.MultivariateNormal(jnp.asarray(MUS)[z], covariance_matrix=jnp.asarray(COVS)[z])
    sx.sample("y", d, obs=PAIRS)


def groups(y, x):
    sx.sample("y", sx.Normal(jnp.asarray(MU)[coins(3)][:, None], jnp.ones((3, 2))), obs=PAIRS)


def seen_elsewhere(y, x):
    z = coins(3)
    sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0), obs=y)
    sx.sample("x", sx.Normal(jnp.roll(z, 1) * 1.0, 1.0), obs=x)


def two_parameters(y, x):
    z = coins(3)
    sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0 + z), obs=y)


def masked(y, x):
    d = sx.Normal(jnp.asarray(MU)[coins(3)], 1.0)
    sx.sample("y", d.mask(jnp.array([True, False, True])), obs=y)


RIGHT = {
    two_sites: summed(lambda k: n(Y, MU[k]) + n(X, 2.0 * k, 0.5)),
    in_lanes: summed(lambda k: n(Y, MU[k]) + n(X, 2.0 * k, 0.5)),
    vectors: summed(lambda k: stats.multivariate_normal(MUS[k], COV).logpdf(PAIRS)),
    vectors_and_covariances: summed(lambda k: stats.multivariate_normal(MUS[k], COVS[k]).logpdf(PAIRS)),
    groups: summed(lambda k: n(PAIRS, MU[k]).sum(1)),
    seen_elsewhere: summed(lambda k: n(Y, MU[k]) + n(np.roll(X, -1), k)),
    two_parameters: summed(lambda k: n(Y, MU[k], 1.0 + k)),
    masked: summed(lambda k: np.where([True, False, True], n(Y, MU[k]), 0.0)),
}


LONG = [vectors_and_covariances]


@pytest.mark.parametrize("model", [pytest.param(m, marks=pytest.mark.long) if m in LONG else m for m in RIGHT])
def test_rows(model, x64):
    got = jax.jit(lambda y, x: sx.log_density(model)({}, y, x))(Y, X)
    np.testing.assert_allclose(got, RIGHT[model], rtol=1e-12)


@pytest.mark.long
def test_rows_of_rows(x64):
    def model(y):
        z = coins(3)
        w = rv(sx.Bernoulli(jnp.array([0.2, 0.9])[z]))
        sx.sample("y", sx.Normal(jnp.asarray(MU)[w], 1.0 + z), obs=y)
        sx.sample("x", sx.Normal(w * 1.0, 1.0), obs=2 * y)

    p = np.array([[0.8, 0.2], [0.1, 0.9]])
    each = [np.log(WEIGHTS[k] * p[k, j]) + n(Y, MU[j], 1 + k) + n(2 * Y, j)
            for k, j in itertools.product((0, 1), repeat=2)]  # fmt: skip
    np.testing.assert_allclose(sx.log_density(model)({}, Y), np.logaddexp.reduce(each).sum(), rtol=1e-12)


def test_a_mass_in_some_rows(x64):
    def model(y, x):
        z = coins(3)
        sx.deterministic("b", z * rv(sx.Normal(0.0, 1.0), shape=(3,)), obs=y)
        sx.sample("x", sx.Normal(z * 1.0, 1.0), obs=x)

    y = np.array([0.0, 1.2, 0.0])
    expected = 2 * np.log(0.7) + np.log(0.3) + n(1.2) + n(X, [0, 1, 0]).sum()
    np.testing.assert_allclose(sx.log_density(model)({}, y, X), expected, rtol=1e-12)


def total(y, x):
    z = coins(3)
    sx.sample("y", sx.Normal(jnp.asarray(MU)[z] + z.sum(), 1.0), obs=y)


def neighbours(y, x):
    z = coins(4)
    sx.sample("y", sx.Normal((z[1:] + z[:-1]) * 1.0, 1.0), obs=y)
    sx.sample("x", sx.Normal(z[1:] * 1.0, 1.0), obs=x)


def weighted(y, x):
    z = coins(3)
    sx.scale(lambda: sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0), obs=y), 2.0)()


def weighted_by_one(y, x):
    z = coins()
    sx.scale(lambda: sx.sample("y", sx.Normal(jnp.asarray(MU)[z], 1.0), obs=y), 2.0)()


@pytest.mark.parametrize(
    ("model", "match"),
    [(total, "no product"), (neighbours, "site 'y'"), (weighted, "has a weight"), (weighted_by_one, "has a weight")],
)
def test_what_has_no_rows_is_refused(model, match, x64):
    with pytest.raises(NotMeasurable, match=match):
        sx.log_density(model)({}, Y, X)


def test_data_that_the_model_makes(x64):
    def of_data(y):
        sx.sample("y", sx.Normal(jnp.asarray(MU)[coins(3)], 1.0), obs=y**2)

    expected = summed(lambda k: n(Y**2, MU[k]))
    np.testing.assert_allclose(jax.jit(lambda y: sx.log_density(of_data)({}, y))(Y), expected, rtol=1e-12)

    def of_choices(y):
        sx.sample("y", sx.Normal(0.0, 1.0), obs=rv(sx.Normal(0.0, 1.0)) + y[0])

    with pytest.raises(NotMeasurable, match="observes what the model has computed"):
        sx.log_density(of_choices)({}, Y)
