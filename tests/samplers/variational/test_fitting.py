"""The loop finds posteriors that are known, says when it fails, and compiles once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import storax as sx
from storax import errors

X = jnp.array([[1.0, 0.2], [0.3, -1.0], [-0.7, 0.5], [1.5, 1.0]])
Y = jnp.array([1.0, -0.5, 0.3, 2.0])


def regression(x, y):
    w = sx.sample("w", sx.Normal(0.0, 2.0), shape=2)
    sx.sample("y", sx.Normal(x @ w, 0.5), obs=y)


def exact():
    x, y = np.asarray(X, float), np.asarray(Y, float)
    precision = x.T @ x / 0.25 + np.eye(2) / 4
    evidence = sx.MultivariateNormal(0.0, 4 * X @ X.T + 0.25 * jnp.eye(4)).log_prob(Y)
    return np.linalg.solve(precision, x.T @ y / 0.25), precision, float(evidence)


def test_mean_field_finds_the_means_and_the_conditional_variances():
    mean, precision, _ = exact()
    seen = []
    fit = sx.svi(regression)(0, X, Y, num_steps=2000, progress=lambda *news: seen.append(news))
    np.testing.assert_allclose(fit.params["loc"], mean, atol=0.005)
    # The best independent normals have the precisions' diagonal (Bishop 2006, eq. 10.12 to 10.15).
    np.testing.assert_allclose(jnp.exp(-2 * fit.params["log_scale"]), np.diag(precision), rtol=0.02)
    assert fit.converged and fit.losses.shape == (2000,)
    assert [s[:2] for s in seen] == [(100 * i, 2000) for i in range(1, 21)]
    posterior = fit.posterior(1, 2000)
    assert posterior["w"].shape == (1, 2000, 2) and posterior.khat < 0.7
    assert set(posterior.summary()) == {"w[0]", "w[1]"}


def test_a_multivariate_normal_is_the_posterior_and_nothing_is_compiled_twice():
    mean, precision, evidence = exact()
    infer = sx.svi(regression, "multivariate_normal")
    fit = infer(0, X, Y, num_steps=1000)
    factor = jnp.exp(fit.params["log_scale"])[:, None] * (jnp.eye(2) + jnp.tril(fit.params["lower"], -1))
    np.testing.assert_allclose(fit.params["loc"], mean, atol=0.005)
    np.testing.assert_allclose(factor @ factor.T, np.linalg.inv(precision), rtol=0.02, atol=1e-4)
    assert abs(fit.loss + evidence) < 0.005
    fit.posterior(1, 200)
    with pytest.MonkeyPatch.context() as patch:
        compiled = []
        patch.setattr(jax.stages.Lowered, "compile", lambda *a, **k: compiled.append(a))
        infer(5, X + 1.0, Y, num_steps=1000).posterior(2, 200)
    assert not compiled


@pytest.mark.long
def test_a_guide_by_hand_with_parameters_of_the_model():
    def model(y):
        noise = sx.param("noise", 1.0, support=sx.supports.positive)
        mu = sx.sample("mu", sx.Normal(0.0, 100.0))
        sx.sample("y", sx.Normal(mu, noise), obs=y)

    def guide(y):
        loc = sx.param("loc", sx.Normal(0.0, 1.0))
        scale = sx.param("scale", 0.5, support=sx.supports.positive)
        sx.sample("mu", sx.Normal(loc, scale))

    y = jnp.array([4.0, 5.0, 6.5, 3.5, 6.0, 5.0])
    fit = sx.svi(model, guide, optax.adam(0.05))(0, y, num_steps=1500)
    # The maximum of the marginal likelihood over the noise: with a flat prior of mu, sum of squares / (n - 1).
    np.testing.assert_allclose(fit.values["noise"], np.asarray(y).std(ddof=1), rtol=0.03)
    np.testing.assert_allclose(fit.values["loc"], y.mean(), atol=0.03)
    np.testing.assert_allclose(fit.values["scale"], fit.values["noise"] / np.sqrt(6), rtol=0.03)
    again = sx.svi(model, guide, optax.adam(0.05))(1, y, num_steps=1, params=fit.params)
    np.testing.assert_allclose(again.values["loc"], fit.values["loc"], atol=0.06)


def test_nan_is_reported_with_its_step_and_site_and_nothing_is_lost():
    def cliff(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.sample("y", sx.Normal(mu, jnp.where(mu > 1.5, jnp.nan, 1.0)), obs=y)

    with pytest.raises(errors.InferenceError, match=r"at step \d+: y contributes nan") as caught:
        sx.svi(cliff)(0, Y + 2.0, num_steps=400)
    fit = caught.value.fit
    assert np.isfinite(fit.losses).all() and f"step {len(fit.losses)}:" in str(caught.value)


def test_bad_input_is_refused():
    with pytest.raises(errors.ArgumentTypeError, match="optax"):
        sx.svi(regression, optimizer=3)
    with pytest.raises(errors.SettingsError, match="num_steps"):
        sx.svi(regression)(0, X, Y, num_steps=0)
    with pytest.raises(errors.ArgumentTypeError, match=r"jax\.jit"):
        jax.jit(lambda y: sx.svi(regression)(0, X, y).loss)(Y)
    with pytest.raises(errors.ArgumentTypeError, match="'low_rank'"):
        sx.svi(regression, "lowrank")


@pytest.mark.long
def test_an_ensemble_of_guides_is_one_vmap():
    loss = sx.elbo(regression, "normal", num_particles=8)
    optimizer = optax.adam(0.1)
    data = (X, Y)

    @jax.jit
    def train(key):
        params = loss.init(key, *data)

        def step(carry, key):
            params, state = carry
            value, gradient = jax.value_and_grad(jax.checkpoint(loss))(params, key, *data)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), value

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(key, 200))
        return params["loc"]

    locs = jax.vmap(train)(jax.random.split(jax.random.key(0), 5))
    np.testing.assert_allclose(locs, np.broadcast_to(exact()[0], (5, 2)), atol=0.15)
    np.testing.assert_allclose(train(jax.random.split(jax.random.key(0), 5)[2]), locs[2], atol=1e-4)
