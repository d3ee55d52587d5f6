"""Minibatches are unbiased, and chains along noisy gradients have the variance that theory says."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx
from storax import errors

Y = jnp.array([0.5, -1.0, 2.0, 1.5, 0.2])


def model(y, size=None):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    with sx.plate("data", len(y), subsample_size=size) as rows:
        sx.sample("y", sx.Normal(mu, 1.0), obs=y[rows])


def guide(y, size=None):
    loc = sx.param("loc", 0.3)
    scale = sx.param("scale", 0.5, support=sx.supports.positive)
    sx.sample("mu", sx.Normal(loc, scale))


def test_the_average_over_all_batches_is_the_full_gradient():
    full = jax.grad(lambda mu: sx.log_density(model)({"mu": mu}, Y))(0.7)
    batch = jax.grad(lambda mu, rows: sx.log_density(sx.condition(model, data=rows))({"mu": mu}, Y, size=2))
    rows = jnp.array(list(itertools.combinations(range(5), 2)))
    np.testing.assert_allclose(jax.vmap(batch, (None, 0))(0.7, rows).mean(), full, rtol=1e-5)

    def weighted(y):  # the same by sx.scale, for data that come in batches
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.scale(lambda: sx.sample("y", sx.Normal(mu, 1.0), obs=y), 5 / 2)()

    of_batch = jax.vmap(lambda r: jax.grad(lambda mu: sx.log_density(weighted)({"mu": mu}, Y[r]))(0.7))
    np.testing.assert_allclose(of_batch(rows).mean(), full, rtol=1e-5)


def test_the_bound_of_minibatches_is_unbiased():
    whole, parts = sx.elbo(model, guide, estimator="analytic_kl"), sx.elbo(model, guide, estimator="analytic_kl")
    params = whole.init(0, Y)
    keys = jax.random.split(jax.random.key(1), 4000)
    grads = [
        jax.jit(jax.vmap(lambda k: jnp.stack(list(jax.grad(loss)(params, k, Y, size=size).values()))))(keys)
        for loss, size in ((whole, None), (parts, 2))
    ]
    (a, b), (of_a, of_b) = [g.mean(0) for g in grads], [g.std(0) / np.sqrt(4000) for g in grads]
    assert (np.abs(a - b) < 4 * np.hypot(of_a, of_b)).all()
    assert (of_b > 1.2 * of_a).all()  # they were batches


def noisy(precision, variance):
    return lambda key, x: -precision * x + jnp.sqrt(variance) * jax.random.normal(key, x.shape)


def run(kernel, gradients, steps, chains=64, warmup=500):
    """Draws of many coordinates at once."""

    def step(state, t):
        state = kernel.step(jax.random.fold_in(jax.random.key(0), t), state, gradients, t < warmup)
        return state, state.position

    return lax.scan(step, kernel.init(jnp.zeros(chains)), jnp.arange(steps))[1][warmup:]


def test_sgld_has_the_variance_of_its_autoregression():
    eps, precision, variance = 0.05, 4.0, 30.0
    draws = run(sx.sgld(eps), noisy(precision, variance), 20_000)
    # x' = (1 - eps p / 2) x + eps / 2 noise + N(0, eps): stationary in closed form.
    exact = (eps + eps**2 * variance / 4) / (1 - (1 - eps * precision / 2) ** 2)
    np.testing.assert_allclose(draws.var(), exact, rtol=0.02)
    assert abs(draws.mean()) < 0.01


def test_sghmc_takes_the_noise_of_gradients_out_of_its_variance():
    eta, precision, variance = 0.002, 4.0, 60.0
    aware, blind = (
        run(sx.sghmc(eta, friction=0.1, estimate_noise=flag), noisy(precision, variance), 20_000).var()
        for flag in (True, False)
    )
    np.testing.assert_allclose(aware, 1 / precision, rtol=0.03)
    np.testing.assert_allclose(blind, (1 + eta * variance / 2 / 0.1) / precision, rtol=0.05)


def test_steps_that_shrink():
    kernel = sx.sgld(0.1, decay=0.5, offset=10.0)
    np.testing.assert_allclose(kernel.rate(jnp.array([0, 30])), [0.1, 0.05])


def test_the_posterior_of_a_mean_from_minibatches():
    y = jnp.asarray(np.random.default_rng(0).normal(1.0, 1.0, 200), jnp.float32)
    sampler = sx.sgmcmc(model, sx.sghmc(1e-4, friction=0.1), num_warmup=500, num_samples=3000, init={"mu": 1.0})
    post = sampler(0, y, size=20)
    assert post["mu"].shape == (4, 3000) and set(post) == {"mu"} and post.stats["step_size"].shape == (4, 3000)
    np.testing.assert_allclose(post["mu"].mean(), float(y.sum() / 201), atol=0.015)
    np.testing.assert_allclose(post["mu"].std(), 201**-0.5, rtol=0.1)


def test_bad_input_is_refused():
    def local(y):
        with sx.plate("data", 5, subsample_size=2) as rows:
            z = sx.sample("z", sx.Normal(0.0, 1.0))
            sx.sample("y", sx.Normal(z, 1.0), obs=y[rows])

    with pytest.raises(errors.InferenceError, match="'z'.*subsample"):
        sx.sgmcmc(local, sx.sgld(0.01))(0, Y)
    with pytest.raises(errors.InferenceError, match="went to infinity"):
        sx.sgmcmc(model, sx.sgld(100.0), num_chains=1, num_warmup=100, num_samples=10)(0, Y, size=2)
    with pytest.raises(errors.SettingsError, match="cannot take 6 of 5"):
        sx.sgmcmc(model, sx.sgld(0.01))(0, Y, size=6)
    with pytest.raises(errors.ArgumentTypeError, match="kernel"):
        sx.sgmcmc(model, sx.nuts())
    for make in (lambda: sx.sgld(0.0), lambda: sx.sgld(1.0, decay=2.0), lambda: sx.sghmc(0.1, friction=1.0)):
        with pytest.raises(errors.SettingsError):
            make()
