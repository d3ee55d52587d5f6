"""The second kernel: what it leaves invariant, how long its trajectories are, and what it is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import storax as sx
from storax.errors import ArgumentTypeError, SettingsError
from storax.samplers.diagnostics import mcse_mean
from storax.samplers.driving.driver import run
from storax.samplers.kernels.hmc import hmc
from storax.samplers.kernels.integrators import Point, leapfrog
from storax.samplers.kernels.metrics import Metric


def log_density(x):
    """Logistic in one coordinate, normal in the other."""
    return -x["a"] - 2 * jnp.logaddexp(0.0, -x["a"]) - 0.5 * (x["b"] / 3) ** 2


@pytest.mark.parametrize("random_steps", [True, False])
def test_a_step_leaves_the_density_invariant(random_steps):
    """Independent exact draws are exact draws still after two coarse steps (Kolmogorov-Smirnov, 1 in 1000)."""
    kernel, n = hmc(step_size=0.9, num_steps=5, random_steps=random_steps), 20_000
    of_a, of_b, of_steps = jax.random.split(jax.random.key(0), 3)
    start = {"a": jax.random.logistic(of_a, (n,)), "b": 3 * jax.random.normal(of_b, (n,))}

    @jax.jit
    @jax.vmap
    def two_steps(key, position):
        state = kernel.init(position, log_density)
        infos = []
        for k in jax.random.split(key):
            state, info = kernel.step(k, state, log_density)
            infos.append(info)
        return state, infos[0]

    state, info = two_steps(jax.random.split(of_steps, n), start)
    assert stats.kstest(np.asarray(state.position["a"], float), "logistic").pvalue > 1e-3
    assert stats.kstest(np.asarray(state.position["b"], float) / 3, "norm").pvalue > 1e-3
    assert 0.5 < info.acceptance_rate.mean() < 0.99  # coarse enough to reject now and then
    counts = np.bincount(info.n_steps, minlength=6)[1:]
    if random_steps:
        assert stats.chisquare(counts).pvalue > 1e-3
    else:
        assert counts[4] == n


def test_a_step_is_leapfrogs_and_one_decision():
    kernel = hmc(step_size=0.3, num_steps=4, random_steps=False)
    f = lambda q: -0.5 * jnp.sum((q / jnp.array([1.0, 2.0])) ** 2)
    state = kernel.init(jnp.array([0.5, -1.0]), f)
    for seed in range(5):
        key = jax.random.key(seed)
        new, info = kernel.step(key, state, f)
        momentum = jax.random.normal(jax.random.split(key)[0], (2,))
        metric, point = Metric.of(jnp.ones(2)), Point(state.position, momentum, state.gradient)
        for _ in range(4):
            point, value = leapfrog(jax.value_and_grad(f), metric, point, 0.3)
        error = value - state.log_density + metric.kinetic(momentum) - metric.kinetic(point.momentum)
        np.testing.assert_allclose(info.energy_error, -error, atol=1e-6)
        end = point.position if (new.position != state.position).any() else state.position
        np.testing.assert_allclose(new.position, end, rtol=1e-6)
        np.testing.assert_allclose(info.acceptance_rate, min(1.0, np.exp(error)), rtol=1e-5)


@pytest.mark.parametrize("driver", ["sequential", "batched"])
def test_moments_of_a_correlated_normal(driver):
    rho = 0.9
    f = lambda q: -0.5 * (q[0] ** 2 - 2 * rho * q[0] * q[1] + q[1] ** 2) / (1 - rho**2)
    keys = jax.random.split(jax.random.key(1), 4)
    go = jax.jit(lambda k: run(f, k, jnp.zeros((4, 2)), kernel=hmc(num_steps=10), num_warmup=500, num_samples=2000,
                               driver=driver))  # fmt: skip
    result = go(keys)
    x = np.asarray(result.positions, float)
    for y, truth in [(x, 0.0), (x**2, 1.0), (x[..., 0] * x[..., 1], rho)]:
        assert (np.abs(y.mean((0, 1)) - truth) < 4.5 * mcse_mean(y)).all()
    assert abs(result.stats["acceptance_rate"].mean() - 0.8) < 0.1
    assert set(result.stats) == {"lp", "energy", "energy_error", "diverging", "undefined", "n_steps", "step_size",
                                 "acceptance_rate"}  # fmt: skip


def test_drivers_agree(x64):
    f = lambda q: -0.5 * q @ q
    runs = [
        jax.jit(lambda k, d=d: run(f, k, jnp.ones((3, 2)), kernel=hmc(num_steps=6), num_warmup=40, num_samples=30,
                                   driver=d))(jax.random.split(jax.random.key(0), 3))
        for d in ("sequential", "batched")
    ]  # fmt: skip
    np.testing.assert_allclose(runs[0].positions, runs[1].positions, rtol=1e-6, atol=1e-8)


def test_far_too_long_steps_diverge_and_stay():
    kernel = hmc(step_size=50.0, num_steps=3, random_steps=False)
    f = lambda q: -0.5 * q @ q
    state = kernel.init(jnp.ones(2), f)
    new, info = kernel.step(jax.random.key(0), state, f)
    assert info.diverging and (new.position == 1).all() and info.n_steps < 3


def test_settings_out_of_range_are_refused():
    for settings, error, words in [
        ({"num_steps": 0}, SettingsError, "hmc: num_steps must be between 1"),
        ({"num_steps": 2.5}, ArgumentTypeError, "hmc: num_steps must be an int"),
        ({"random_steps": "yes"}, ArgumentTypeError, "random_steps must be True or False"),
        ({"step_size": -1.0}, SettingsError, "hmc: step_size must be a positive number"),
        ({"inverse_mass_matrix": [1.0, 0.0]}, SettingsError, "hmc: the variances"),
    ]:
        with pytest.raises(error, match=words):
            hmc(**settings)
    assert hmc() == hmc() and hmc() != hmc(num_steps=3) and hmc() != sx.nuts()
