"""Metrics, and their estimation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.samplers.metrics import Metric, Moments

COVARIANCE = np.array([[2.0, 0.6], [0.6, 0.5]])


@pytest.mark.parametrize("inverse", [np.array([2.0, 0.5]), COVARIANCE], ids=["diagonal", "dense"])
def test_momenta_have_the_mass_matrix_as_covariance(inverse):
    metric = Metric.of(jnp.asarray(inverse))
    factor = np.asarray(jax.vmap(metric.momentum, out_axes=1)(jnp.eye(2)))
    mass = np.linalg.inv(np.diag(inverse) if inverse.ndim == 1 else inverse)
    np.testing.assert_allclose(factor @ factor.T, mass, rtol=1e-5)


@pytest.mark.parametrize("inverse", [np.array([2.0, 0.5]), COVARIANCE], ids=["diagonal", "dense"])
def test_kinetic_energy_is_half_the_squared_noise(inverse):
    metric, noise = Metric.of(jnp.asarray(inverse)), jnp.array([0.3, -1.2])
    np.testing.assert_allclose(metric.kinetic(metric.momentum(noise)), 0.5 * noise @ noise, rtol=1e-5)


@pytest.mark.parametrize("dense", [False, True])
def test_moments_are_those_of_numpy_also_far_from_zero(dense):
    draws = 1e3 + np.random.default_rng(0).multivariate_normal(np.zeros(2), COVARIANCE, size=200).astype(np.float32)
    moments = Moments.none(jnp.zeros((2, 2) if dense else 2))
    for x in jnp.asarray(draws):
        moments = moments.add(x)
    covariance = np.cov(draws.astype(float).T)
    n = len(draws)
    expected = n / (n + 5) * covariance + 1e-3 * 5 / (n + 5) * np.eye(2)
    np.testing.assert_allclose(moments.inverse_mass(), expected if dense else np.diag(expected), rtol=1e-3)


def test_without_draws_the_metric_is_small_but_valid():
    np.testing.assert_allclose(Moments.none(jnp.zeros(2)).inverse_mass(), [1e-3, 1e-3])
