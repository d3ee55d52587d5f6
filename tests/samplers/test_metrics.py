"""Metrics, and what they are estimated from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.samplers.driving.estimating import LARGEST_SPAN, Sample, dense, diagonal, first_guess, low_rank
from storax.samplers.kernels.metrics import LowRank, Metric

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


def test_a_low_rank_metric_is_its_dense_one():
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(5, 2)))[0].astype(np.float32)
    metric = LowRank(jnp.array([1.0, 2.0, 0.5, 1.0, 3.0]), jnp.asarray(vectors), jnp.array([10.0, 0.1]))
    factor = np.asarray(jax.vmap(metric.momentum, out_axes=1)(jnp.eye(5)))
    np.testing.assert_allclose(factor @ factor.T, np.linalg.inv(metric.inverse), rtol=1e-3, atol=1e-4)
    noise = jnp.asarray(rng.normal(size=5), jnp.float32)
    np.testing.assert_allclose(metric.velocity(noise), metric.inverse @ noise, rtol=1e-4)
    np.testing.assert_allclose(metric.kinetic(metric.momentum(noise)), 0.5 * noise @ noise, rtol=1e-4)
    np.testing.assert_allclose(metric.variances, jnp.diagonal(metric.inverse), rtol=1e-5)


def sample_of(covariance, n, seed=0, mean=0.0):
    """Draws of a normal, and their gradients; the last row is none."""
    x = np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, size=n) + mean
    rows = np.vstack([x, np.full(len(covariance), np.nan)])
    gradients = -(rows - mean) @ np.linalg.inv(covariance)
    return Sample(*(jnp.asarray(r, jnp.float32) for r in (rows, gradients, np.arange(n + 1) < n)))


def test_the_diagonal_is_that_of_the_fisher_divergence():
    """For a normal of independent coordinates exactly their variances, however few the draws."""
    found = diagonal(sample_of(np.diag([4.0, 0.25]), 3, mean=10.0), jnp.ones(2))
    np.testing.assert_allclose(found, [4.0, 0.25], rtol=1e-4)


def test_what_does_not_vary_keeps_its_variance():
    x = jnp.array([[1.0, 1.0, 0.0], [1.0, 2.0, 1.0]])
    found = diagonal(Sample(x, jnp.array([[1.0, 3.0, 2.0], [2.0, 3.0, 1.0]]), jnp.ones(2)), jnp.array([7.0, 8.0, 9.0]))
    np.testing.assert_allclose(found, [7.0, 8.0, 1.0])
    np.testing.assert_allclose(first_guess(jnp.array([[0.0, 3.0], [0.0, 4.0]])), [1.0, 12.5**-0.5], rtol=1e-5)


def test_the_dense_one_is_a_shrunk_covariance():
    sample = sample_of(COVARIANCE, 200, mean=1e3)
    expected = 200 / 205 * np.cov(np.asarray(sample.positions[:-1], float).T) + 1e-3 * 5 / 205 * np.eye(2)
    np.testing.assert_allclose(dense(sample, jnp.eye(2)), expected, rtol=1e-3)


def test_too_few_draws_for_a_dense_one_give_a_diagonal_one():
    found = dense(sample_of(1e6 * np.eye(30), 5), jnp.eye(30))
    assert np.isfinite(found).all() and np.count_nonzero(found) == 30


@pytest.mark.parametrize("d", [20, LARGEST_SPAN + 20])
def test_low_rank_finds_the_long_and_the_short_direction(d):
    """From fewer draws than dimensions: what is left is much rounder than the condition number of 1e4."""
    rng = np.random.default_rng(1)
    vectors = np.linalg.qr(rng.normal(size=(d, 2)))[0]
    covariance = np.eye(d) + vectors @ np.diag([99.0, -0.99]) @ vectors.T
    metric = low_rank(sample_of(covariance, 15 if d < 30 else 200), jnp.ones(d), 4)
    whitened = np.linalg.inv(np.linalg.cholesky(np.asarray(metric.inverse, float)))
    values = np.linalg.eigvalsh(whitened @ covariance @ whitened.T)
    assert values.max() / values.min() < 100
