"""The mode, and the Gaussian around it, where both are known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

import storax as sx
from storax import errors

X = jnp.array([[1.0, 0.2], [0.3, -1.0], [-0.7, 0.5], [1.5, 1.0]])
Y = jnp.array([1.0, -0.5, 0.3, 2.0])


def gamma_poisson(y):
    rate = sx.sample("rate", sx.Gamma(3.0, 1.0))
    sx.sample("y", sx.Poisson(rate), obs=y)


def regression(x, y):
    w = sx.sample("w", sx.Normal(0.0, 2.0), shape=2)
    mean = sx.deterministic("mean", x @ w)
    sx.sample("y", sx.Normal(mean, 0.5), obs=y)


def exact_regression():
    """Mean and covariance of w, and log p(y), by linear algebra."""
    x, y = np.asarray(X, float), np.asarray(Y, float)
    covariance = np.linalg.inv(x.T @ x / 0.25 + np.eye(2) / 4)
    evidence = scipy.stats.multivariate_normal.logpdf(y, np.zeros(4), 4 * x @ x.T + 0.25 * np.eye(4))
    return covariance @ x.T @ y / 0.25, covariance, evidence


@pytest.mark.parametrize(("jacobian", "mode"), [(False, (3 - 1 + 9) / 4), (True, (3 + 9) / 4)])
def test_the_mode_of_a_conjugate_model_with_and_without_the_jacobian(jacobian, mode):
    estimate = sx.map_estimate(gamma_poisson, jacobian=jacobian)(0, jnp.array([2, 4, 3]))
    np.testing.assert_allclose(estimate["rate"], mode, rtol=1e-3)
    assert bool(estimate.converged)


def test_optimisers_agree_by_name_and_as_transformations():
    for optimizer in (None, "adam", optax.adam(0.02), optax.lbfgs()):
        estimate = sx.map_estimate(regression, optimizer)(0, X, Y)
        np.testing.assert_allclose(estimate["w"], exact_regression()[0], atol=2e-3)
        np.testing.assert_allclose(estimate["mean"], X @ estimate["w"], rtol=1e-5)


def test_a_second_call_compiles_nothing_and_jit_and_vmap_agree():
    estimate = sx.map_estimate(regression)
    estimate(0, X, Y)
    with jax.log_compiles(), pytest.MonkeyPatch.context() as patch:
        compiled = []
        patch.setattr(jax.stages.Lowered, "compile", lambda *a, **k: compiled.append(a))
        again = estimate(jax.random.key(5), X + 1.0, Y)
    assert not compiled
    keys = jax.random.split(jax.random.key(5), 3)
    many = jax.jit(jax.vmap(lambda key: estimate(key, X + 1.0, Y)))(keys)
    np.testing.assert_allclose(many["w"], np.broadcast_to(again["w"], (3, 2)), atol=1e-3)


def test_parameters_without_a_prior_are_maximum_likelihood_and_scales_have_no_jacobian():
    def model(y):
        loc = sx.param("loc", 0.0)
        scale = sx.param("scale", 1.0, support=sx.supports.positive)
        sx.sample("y", sx.Normal(loc, scale), obs=y)

    for jacobian in (False, True):
        estimate = sx.map_estimate(model, jacobian=jacobian)(0, Y)
        np.testing.assert_allclose([estimate["loc"], estimate["scale"]], [Y.mean(), Y.std()], rtol=1e-3)


def test_a_start_that_converges_to_nothing_is_followed_by_others():
    def two_modes():
        x = sx.sample("x", sx.Normal(0.0, 100.0))
        sx.factor("f", jnp.where(x > 0, -50 * (x - 1) ** 2, -jnp.inf))

    estimate = sx.map_estimate(two_modes)(0)
    np.testing.assert_allclose(estimate["x"], 1.0, atol=1e-3)


def test_laplace_is_exact_for_a_gaussian_posterior():
    mean, covariance, evidence = exact_regression()
    fit = sx.laplace(regression)(0, X, Y)
    np.testing.assert_allclose(fit.mode["w"], mean, atol=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=0.001, atol=1e-5)
    assert abs(fit.log_evidence - evidence) < 0.001 and fit.converged
    posterior = fit.posterior(1, 4000)
    assert posterior["w"].shape == (1, 4000, 2) and posterior["mean"].shape == (1, 4000, 4)
    draws = posterior["w"][0]
    assert (np.abs(draws.mean(0) - mean) < 4 * np.sqrt(np.diag(covariance) / 4000)).all()
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.1, atol=4e-3)
    np.testing.assert_allclose(posterior.log_weights, evidence, atol=0.01)  # log p - log q is the evidence everywhere


def test_laplace_of_ten_thousand_observations_keeps_its_digits():
    rng = np.random.default_rng(0)
    y = jnp.asarray(rng.normal(100.0, 1.0, 10_000), jnp.float32)

    def model(y):
        mu = sx.sample("mu", sx.Normal(0.0, 100.0))
        sx.sample("y", sx.Normal(mu, 1.0), obs=y)

    fit = sx.laplace(model)(0, y)
    exact = np.asarray(y, float).sum() / (10_000 + 1e-4)
    assert abs(fit.mode["mu"] - exact) < 0.02 * 0.01  # a fiftieth of the posterior's sd, 0.01
    np.testing.assert_allclose(fit.covariance, [[1 / (10_000 + 1e-4)]], rtol=1e-3)


def test_a_direction_that_nothing_holds_back_is_named():
    def model():
        sx.sample("x", sx.Normal(0.0, 1.0))
        sx.sample("free", sx.Improper(sx.supports.real))

    with pytest.raises(errors.InferenceError, match="site 'free'"):
        sx.laplace(model)(0)


def test_a_far_approximation_warns_in_words_and_draws_are_resampled():
    fit = sx.laplace(lambda: sx.sample("x", sx.Cauchy(0.0, 1.0), shape=5))(0)
    with pytest.warns(errors.SamplingWarning, match=r"k-hat is \d"):
        posterior = fit.posterior(0, 500)
    assert posterior.khat > 0.7
    again = posterior.resample(0, 100)
    assert again["x"].shape == (1, 100, 5)
    assert np.isin(again["x"], posterior["x"]).all()


@pytest.mark.parametrize("optimizer", ["adm", 0.1, optax.adam])
def test_what_is_no_optimiser_is_refused(optimizer):
    with pytest.raises(errors.ArgumentTypeError, match="optax"):
        sx.map_estimate(regression, optimizer)


def test_impossible_models_and_settings_are_refused():
    def impossible():
        x = sx.sample("x", sx.Normal(0.0, 1.0))
        sx.factor("f", jnp.where(x > -jnp.inf, -jnp.inf, 0.0))

    with pytest.raises(errors.InitializationError, match="init="):
        sx.map_estimate(impossible)(0)
    with pytest.raises(errors.SettingsError, match="max_steps"):
        sx.map_estimate(regression, max_steps=0)
    with pytest.raises(errors.SettingsError, match="tolerance"):
        sx.map_estimate(regression, tolerance=0.0)
    with pytest.raises(errors.InferenceError, match="sx.param"):
        sx.laplace(lambda: sx.sample("x", sx.Normal(sx.param("m", 0.0), 1.0)))(0)
    with pytest.raises(errors.InferenceError, match="discrete"):
        sx.map_estimate(lambda: sx.sample("x", sx.Poisson(1.0)))(0)
