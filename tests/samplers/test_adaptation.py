"""What a warm-up learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.samplers.driving.adaptation import DualAveraging, schedule, search


@pytest.mark.parametrize("wanted", [0.6, 0.8, 0.95])
def test_dual_averaging_reaches_the_wanted_acceptance(wanted):
    def accept(log_step):  # falls from 1 to 0 around a step size of 0.2
        return jax.nn.sigmoid(-3 * (log_step - jnp.log(0.2)))

    state = DualAveraging.start(jnp.array(1.0))
    state = jax.lax.fori_loop(0, 2000, lambda _, s: s.update(accept(s.log_step), wanted), state)
    assert abs(accept(state.log_average) - wanted) < 0.01


def test_dual_averaging_by_hand():
    """Hoffman & Gelman 2014, algorithm 5, first iteration."""
    state = DualAveraging.start(jnp.array(0.5)).update(jnp.array(0.3), 0.8)
    shortfall = (0.8 - 0.3) / 11
    np.testing.assert_allclose(state.log_step, np.log(5.0) - shortfall / 0.05, rtol=1e-5)
    np.testing.assert_allclose(state.log_average, state.log_step)  # the first one counts fully


@pytest.mark.parametrize("first", [1e-4, 0.3, 1e4])
def test_search_ends_where_the_acceptance_crosses(first):
    def log_ratio(step):
        return -(step**2)

    step, direction, done = jnp.array(first), jnp.array(0), jnp.array(False)
    trials = 0
    while not done:
        step, direction, done = search(step, direction, log_ratio(step))
        trials += 1
    crossing = np.sqrt(-np.log(0.8))
    assert crossing / 2 < step < crossing * 2
    assert trials < 20


@pytest.mark.parametrize("log_ratio", [0.0, -np.inf])
def test_search_ends_on_a_flat_density_and_on_a_cliff(log_ratio):
    step, direction, done = jnp.array(1.0), jnp.array(0), jnp.array(False)
    for _ in range(60):
        if not done:
            step, direction, done = search(step, direction, jnp.array(log_ratio))
    assert done and np.isfinite(step) and step > 0


@pytest.mark.parametrize("n", [*range(400), 1000, 5000])
def test_stages_fill_the_warmup_and_leave_room_for_the_step_size(n):
    stages = schedule(n)
    assert sum(stage.draws for stage in stages) == n and all(stage.draws > 0 for stage in stages)
    if n >= 20:
        assert stages[-1].used == 0 and stages[-1].draws >= 10 and all(stage.used for stage in stages[:-1])
    seen = 0
    for stage in stages:
        seen += stage.draws
        assert stage.used <= seen  # no draws before the first


def test_pooled_chains_agree():
    states = jax.vmap(DualAveraging.start)(jnp.array([0.1, 0.4]))
    pooled = states.pooled()
    np.testing.assert_allclose(jnp.exp(pooled.log_step), [0.2, 0.2], rtol=1e-6)
    assert (pooled.count == 0).all()
