"""The loop of many chains: what it draws, and that chains do not disturb one another."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.errors import SettingsError
from storax.samplers.diagnostics import ess_bulk, mcse_mean, rhat
from storax.samplers.driving.driver import run
from storax.samplers.kernels.nuts import nuts

STATS = [
    "lp",
    "energy",
    "energy_error",
    "diverging",
    "undefined",
    "tree_depth",
    "reached_max_treedepth",
    "n_steps",
    "step_size",
    "acceptance_rate",
]


def normal(q):
    return -0.5 * q @ q


def keys(chains, seed=0):
    return jax.random.split(jax.random.key(seed), chains)


@partial(jax.jit, static_argnums=(0, 3, 4, 5, 6))
def drawn(log_density, keys, initial, kernel, num_warmup, num_samples, driver="sequential"):
    return run(log_density, keys, initial, kernel=kernel, num_warmup=num_warmup, num_samples=num_samples, driver=driver)


def correlated(d):
    rng = np.random.default_rng(d)
    factor = rng.normal(size=(d, d)) / np.sqrt(d) + np.diag(np.linspace(0.5, 2, d))
    covariance, mean = factor @ factor.T, np.arange(d) / 2
    precision, mean32 = jnp.asarray(np.linalg.inv(covariance), jnp.float32), jnp.asarray(mean, jnp.float32)

    def log_density(q):
        return -0.5 * (q - mean32) @ precision @ (q - mean32)

    return log_density, mean, covariance


METRICS = {"diagonal": nuts(), "dense": nuts(dense_mass=True), "low rank": nuts(low_rank_mass=True)}


@pytest.mark.parametrize(
    "driver, d, metric",
    [
        ("batched", 2, "diagonal"),
        pytest.param("batched", 10, "dense", marks=pytest.mark.long),
        pytest.param("batched", 10, "low rank", marks=pytest.mark.long),
        ("sequential", 10, "diagonal"),
        ("sequential", 2, "dense"),
        ("sequential", 2, "low rank"),
    ],
)
def test_moments_of_a_correlated_normal(driver, d, metric):
    log_density, mean, covariance = correlated(d)
    result = drawn(log_density, keys(4), jnp.zeros((4, d)), METRICS[metric], 500, 1000, driver)
    x = np.asarray(result.positions, float)
    assert (rhat(x) < 1.02).all() and (ess_bulk(x) > 400).all()
    assert (np.abs(x.mean((0, 1)) - mean) < 4 * mcse_mean(x)).all()
    squares = (x - mean)[..., :, None] * (x - mean)[..., None, :]
    assert (np.abs(squares.mean((0, 1)) - covariance) < 4.5 * mcse_mean(squares)).all()
    assert not result.stats["diverging"].any()


@pytest.mark.parametrize("metric", METRICS)
def test_the_metric_becomes_the_covariance(metric):
    """The diagonal one becomes sqrt(var x / var gradient), for a normal sqrt(C_ii / (C^-1)_ii)."""
    log_density, _, covariance = correlated(3)
    result = drawn(log_density, keys(2), jnp.zeros((2, 3)), METRICS[metric], 1000, 1)
    found = np.asarray(result.metric.inverse)
    scale = np.sqrt(np.diag(covariance))
    if metric == "diagonal":
        expected = scale / np.sqrt(np.diag(np.linalg.inv(covariance)))
        np.testing.assert_allclose(found, expected, rtol=0.15)
    else:
        assert (np.abs(found - covariance) / np.outer(scale, scale)).max() < 0.3


@pytest.mark.parametrize("wanted", [0.65, 0.9])
def test_the_acceptance_becomes_the_wanted_one(wanted):
    log_density, _, _ = correlated(10)
    result = drawn(log_density, keys(4), jnp.zeros((4, 10)), nuts(target_accept=wanted), 3000, 1000)
    assert abs(result.warmup_stats["acceptance_rate"][:, 2000:].mean() - wanted) < 0.05
    kept = result.walks.step_size
    assert (kept == kept[0]).all()  # one for all chains, of which each trajectory has its own share
    ratio = result.stats["step_size"] / kept[0]
    assert ratio.min() >= 0.9 and ratio.max() <= 1.1 and ratio.std() > 0.05


def test_statistics_have_names_shapes_types_and_agree():
    result = drawn(normal, keys(3), jnp.ones((3, 2)), nuts(max_tree_depth=5), 60, 40)
    for stats, draws in ((result.stats, 40), (result.warmup_stats, 60)):
        assert sorted(stats) == sorted(STATS)  # jax.jit returns a dict in the order of its keys
        assert {x.shape for x in stats.values()} == {(3, draws)}
        assert (stats["n_steps"] <= 2 ** stats["tree_depth"] - 1).all()
        assert (stats["n_steps"] >= 2 ** (stats["tree_depth"] - 1)).all()
        assert (stats["tree_depth"] <= 5).all()
        assert ((stats["acceptance_rate"] >= 0) & (stats["acceptance_rate"] <= 1)).all()
        assert (stats["energy"] > -stats["lp"]).all()
    assert result.stats["diverging"].dtype == result.stats["reached_max_treedepth"].dtype == bool
    assert result.stats["n_steps"].dtype == result.stats["tree_depth"].dtype == jnp.int32
    np.testing.assert_allclose(result.stats["lp"], -0.5 * (result.positions**2).sum(-1), rtol=1e-5)


def test_depth_is_limited_and_said():
    result = drawn(normal, keys(2), jnp.ones((2, 2)), nuts(step_size=1e-3, max_tree_depth=3), 0, 20)
    assert result.stats["reached_max_treedepth"].all() and (result.stats["n_steps"] == 7).all()
    assert result.warmup_stats["lp"].shape == (2, 0)


def test_a_funnel_diverges():
    def funnel(q):
        return -0.5 * (q[0] / 3) ** 2 - 0.5 * jnp.sum((q[1:] * jnp.exp(-q[0] / 2)) ** 2) - 0.5 * 9 * q[0]

    result = drawn(funnel, keys(4), jnp.zeros((4, 10)), nuts(0.8), 0, 500)  # far too long for the neck
    assert result.stats["diverging"].sum() > 5
    assert np.isfinite(result.positions).all()


@pytest.mark.parametrize("driver", ["batched", "sequential"])
def test_a_chain_does_not_see_its_neighbours_after_the_warmup(driver):
    log_density, _, _ = correlated(3)
    initial = jnp.linspace(-1, 1, 12).reshape(4, 3)
    together = drawn(log_density, keys(4), initial, nuts(0.3), 0, 30, driver).positions
    for c in range(4):
        alone = drawn(log_density, keys(4)[c : c + 1], initial[c : c + 1], nuts(0.3), 0, 30, driver).positions
        np.testing.assert_allclose(together[c], alone[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("num_warmup, num_samples", [(0, 100), (30, 20)])
def test_one_after_another_is_side_by_side(num_warmup, num_samples, x64):
    """With 64 bits rounding stays small for long enough to compare a whole run, adaptation included."""
    initial = jnp.linspace(-1, 1, 12).reshape(4, 3)
    kernel = nuts(None if num_warmup else 0.4)
    runs = [drawn(normal, keys(4), initial, kernel, num_warmup, num_samples, d) for d in ("batched", "sequential")]
    assert runs[0].positions.dtype == jnp.float64
    np.testing.assert_allclose(runs[0].positions, runs[1].positions, rtol=1e-5, atol=1e-7)
    for name, x in runs[0].stats.items():
        np.testing.assert_allclose(x, runs[1].stats[name], rtol=1e-5, atol=1e-7, err_msg=name)
    assert (runs[0].walks.trips == runs[1].walks.trips).all()


def test_same_key_same_draws_other_key_other_draws():
    runs = [drawn(normal, keys(2, seed), jnp.ones((2, 2)), nuts(), 50, 20).positions for seed in (0, 0, 1)]
    assert (runs[0] == runs[1]).all() and (runs[0] != runs[2]).all()
    assert (runs[0][0] != runs[0][1]).all()


def test_old_style_keys_work():
    old = jax.random.key_data(keys(2))
    np.testing.assert_array_equal(
        drawn(normal, old, jnp.ones((2, 2)), nuts(), 30, 20).positions,
        drawn(normal, keys(2), jnp.ones((2, 2)), nuts(), 30, 20).positions,
    )


def test_a_second_run_traces_nothing():
    traces = []

    def log_density(q):
        traces.append(q.shape)
        return -0.5 * q @ q

    drawn(log_density, keys(2), jnp.ones((2, 2)), nuts(), 30, 20)
    assert 1 <= len(traces) <= 3  # the start's, and one in the loop
    seen = len(traces)
    drawn(log_density, keys(2, 1), jnp.zeros((2, 2)), nuts(), 30, 20)
    assert len(traces) == seen


def test_one_gradient_a_step():
    calls = []

    def log_density(q):
        jax.debug.callback(lambda: calls.append(1))
        return -0.5 * q @ q

    result = drawn(log_density, keys(1), jnp.ones((1, 2)), nuts(0.5), 0, 20)
    jax.effects_barrier()
    assert len(calls) == result.stats["n_steps"].sum() + 1  # and one at the start
    assert result.walks.trips[0] == result.stats["n_steps"].sum()


def test_warmup_costs_few_gradients_beside_its_steps():
    result = drawn(normal, keys(3), jnp.ones((3, 2)), nuts(), 200, 50)
    steps = sum(stats["n_steps"].sum(1) for stats in (result.stats, result.warmup_stats))
    extra = result.walks.trips - steps
    assert (extra >= 1).all() and (extra <= 30).all()  # two searches for a step size


@pytest.mark.parametrize("num_warmup", [0, 1, 5, 19, 20, 30])
def test_short_warmups_work(num_warmup):
    """However short the warm-up, the leapfrog is stable: its step is below two standard deviations (Neal 2011, 5.2)."""
    result = drawn(lambda q: -0.5 * jnp.sum((100 * q) ** 2), keys(2), jnp.ones((2, 2)) / 100, nuts(), num_warmup, 50)
    assert np.isfinite(result.positions).all()
    step = result.walks.step_size[0] * jnp.sqrt(result.metric.inverse)
    assert (step < 2 * 0.01).all() and (step > 1e-4).all()
    assert (result.stats["acceptance_rate"].mean(1) > 0.3).all()
    assert ((result.positions[:, 1:] != result.positions[:, :-1]).any(-1).mean(1) > 0.5).all()


def test_given_settings_are_used_without_warmup():
    kernel = nuts(0.25, [1.0, 4.0], jitter=0.0)
    result = drawn(normal, keys(2), jnp.ones((2, 2)), kernel, 0, 20)
    assert (result.stats["step_size"] == 0.25).all()
    np.testing.assert_array_equal(result.metric.inverse, [1.0, 4.0])
    with pytest.raises(SettingsError, match="positions have 3 numbers"):
        drawn(normal, keys(2), jnp.ones((2, 3)), kernel, 0, 20)


def test_bad_starts_end_in_finite_numbers():
    result = drawn(lambda q: jnp.nan * q.sum(), keys(2), jnp.ones((2, 2)), nuts(), 30, 20)
    assert result.stats["diverging"].all() and np.isfinite(result.positions).all()


def test_sixty_four_bits(x64):
    result = drawn(normal, keys(2), jnp.ones((2, 2)), nuts(), 100, 100)
    assert result.positions.dtype == result.stats["lp"].dtype == jnp.float64


def test_thirty_two_bits_survive_a_large_constant():
    """Energies near 1e6, of which 32 bits keep one digit after the point: differences decide, not sums."""
    result = drawn(lambda q: -0.5 * q @ q - 1e6, keys(4), jnp.ones((4, 2)), nuts(), 300, 500)
    x = np.asarray(result.positions, float)
    assert np.abs(x.var((0, 1)) - 1).max() < 0.25 and not result.stats["diverging"].any()
