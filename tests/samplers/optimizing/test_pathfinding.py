"""Curvatures from steps, and the Gaussians made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx
from storax import errors
from storax.samplers.optimizing import trajectories

SIGMA = jnp.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
SCHOOLS = jnp.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])


def eight_schools(sigma, y):
    mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    tau = sx.sample("tau", sx.HalfCauchy(5.0))
    with sx.plate("school", len(sigma)):
        eta = sx.sample("eta", sx.Normal(0.0, 1.0))
        theta = sx.deterministic("theta", mu + tau * eta)
        sx.sample("y", sx.Normal(theta, sigma), obs=y)


def banana():
    x = sx.sample("x", sx.Normal(0.0, 1.0))
    sx.sample("y", sx.Normal(0.5 * x**2 - 0.5, 0.5))


@pytest.fixture
def gaussian(x64):
    a = np.random.default_rng(0).normal(size=(8, 8))
    covariance = jnp.asarray(a @ a.T / 8 + 0.2 * np.eye(8))
    precision = jnp.linalg.inv(covariance)

    def log_density(x):
        normal = 4 * jnp.log(2 * jnp.pi) + 0.5 * jnp.linalg.slogdet(covariance)[1]
        return -0.5 * (x - 1) @ precision @ (x - 1) - normal

    return log_density, covariance


def test_every_curvature_obeys_the_secant_equation_and_its_gaussian_has_it_as_covariance(gaussian):
    path = trajectories.trail(lambda x: -gaussian[0](x), jnp.zeros(8), 12, 6)
    found = trajectories.curvatures(path, 6)
    s, z = jnp.diff(path.positions, axis=0), jnp.diff(path.gradients, axis=0)
    noise = jax.random.normal(jax.random.key(0), (8,))

    def dense(c, x, g):
        h = jnp.diag(c.alpha) + c.beta @ c.gamma @ c.beta.T
        local = trajectories.local(c, x, g)
        jacobian = jax.jacobian(lambda e: trajectories.draw(local, e)[0])(noise)
        point, log_q = trajectories.draw(local, noise)
        return h, jacobian @ jacobian.T, trajectories.variances(local), log_q, trajectories.log_density_of(local, point)

    h, covariance, variances, log_q, again = jax.vmap(dense)(found, path.positions[1:], path.gradients[1:])
    taken = np.asarray(path.moved[1:])
    assert taken[:8].all()
    np.testing.assert_allclose(jnp.einsum("nij,nj->ni", h, z)[taken], s[taken], atol=1e-9)
    np.testing.assert_allclose(covariance, h, atol=1e-9)
    np.testing.assert_allclose(variances, jnp.diagonal(h, axis1=1, axis2=2), atol=1e-9)
    np.testing.assert_allclose(log_q, again, atol=1e-9)


def test_with_enough_memory_a_gaussian_is_found(gaussian):
    choice = trajectories.best_of_path(
        gaussian[0], jnp.zeros(8), jax.random.key(0), steps=40, memory=20, num_elbo=50
    )  # fmt: skip
    assert -0.02 < choice.bound <= 1e-6  # of 0, the log of the integral
    np.testing.assert_allclose(trajectories.variances(choice.gaussian), jnp.diagonal(gaussian[1]), rtol=0.1)
    np.testing.assert_allclose(choice.gaussian.mean, 1.0, atol=0.02)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:R-hat:storax.errors.SamplingWarning")
def test_the_banana_is_covered_and_starts_chains():
    fit = sx.pathfinder(banana)(0)
    assert fit.bounds.shape == (8,) and (fit.bounds < 0.05).all()  # the evidence is 1
    posterior = fit.posterior(1, 2000)
    assert posterior.khat < 0.7
    weighted = posterior.resample(2)
    assert abs(weighted["x"].mean()) < 0.15 and abs(weighted["y"].mean()) < 0.15
    starts = fit.starts(3, num_chains=4)
    assert starts["x"].shape == (4,) and len(set(starts["x"].tolist())) == 4
    kernel = sx.nuts(inverse_mass_matrix=fit.inverse_mass)
    assert fit.inverse_mass.shape == (2,)
    first = {n: x[0] for n, x in starts.items()}
    chains = sx.mcmc(banana, kernel, num_chains=2, num_warmup=100, num_samples=200, init=first)
    assert chains(4)["x"].shape == (2, 200)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")
def test_eight_schools_by_importance_weights():
    find = sx.pathfinder(eight_schools, num_paths=16, num_elbo=100)
    posteriors = [find(seed, SIGMA, SCHOOLS).posterior(seed, 4000) for seed in range(8)]
    # The neck of this funnel is where few of the Gaussians are: not every seed is below 0.7.
    assert np.median([p.khat for p in posteriors]) < 0.8
    assert abs(np.mean([p.resample(0)["mu"].mean() for p in posteriors]) - 4.41) < 1.5


def test_a_model_without_a_start_is_refused():
    def impossible():
        x = sx.sample("x", sx.Normal(0.0, 1.0))
        sx.factor("f", jnp.where(x > -jnp.inf, -jnp.inf, 0.0))

    with pytest.raises(errors.InitializationError, match="no path"):
        sx.pathfinder(impossible, num_paths=1, max_steps=2)(0)
    with pytest.raises(errors.SettingsError, match="num_paths"):
        sx.pathfinder(banana, num_paths=0)
