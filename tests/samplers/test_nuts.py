"""The kernel by hand: settings, pytrees, and invariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from storax.errors import ArgumentTypeError, SettingsError
from storax.samplers.kernels.nuts import Kernel, nuts


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"target_accept": 0}, "target_accept must be a number between 0 and 1"),
        ({"target_accept": 1.0}, "got 1.0"),
        ({"target_accept": 80}, "got 80"),
        ({"target_accept": float("nan")}, "got nan"),
        ({"step_size": 0}, "step_size must be a positive number, got 0"),
        ({"step_size": -0.1}, "got -0.1"),
        ({"step_size": float("inf")}, "got inf"),
        ({"jitter": 1.0}, "from 0 to below 1"),
        ({"dense_mass": True, "low_rank_mass": True}, "not both"),
        ({"max_tree_depth": 0}, "between 1 and 20, got 0"),
        ({"max_tree_depth": 21}, "2\\*\\*max_tree_depth"),
        ({"inverse_mass_matrix": [1.0, -1.0]}, "must be positive"),
        ({"inverse_mass_matrix": np.ones((2, 3))}, r"shape \(d,\) or \(d, d\), got \(2, 3\)"),
        ({"inverse_mass_matrix": [[1.0, 2.0], [2.0, 1.0]]}, "positive definite"),
        ({"inverse_mass_matrix": [[1.0, 0.5], [0.0, 1.0]]}, "symmetric"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        nuts(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_accept": "high"},
        {"target_accept": True},
        {"step_size": [0.1, 0.2]},
        {"max_tree_depth": 10.0},
        {"max_tree_depth": True},
        {"dense_mass": 1},
        {"low_rank_mass": "yes"},
        {"jitter": "some"},
        {"inverse_mass_matrix": "diagonal"},
    ],
)
def test_settings_of_the_wrong_type_are_refused(settings):
    with pytest.raises(ArgumentTypeError, match=next(iter(settings))):
        nuts(**settings)


def test_a_traced_step_size_is_told_where_to_go():
    with pytest.raises(ArgumentTypeError, match=r"state\.replace\(step_size"):
        jax.jit(lambda s: nuts(step_size=s).step_size)(0.1)


def test_equal_settings_are_equal_kernels():
    assert nuts() == nuts() and hash(nuts()) == hash(nuts())
    assert nuts(0.1, [1.0, 2.0]) == nuts(0.1, np.array([1.0, 2.0]))
    assert nuts(0.1, [1.0, 2.0]) != nuts(0.1, [1.0, 3.0])
    assert nuts(target_accept=0.9) != nuts()
    assert nuts() != "nuts"
    assert jax.tree.structure(nuts(0.1)) == jax.tree.structure(nuts(0.1)) != jax.tree.structure(nuts(0.2))
    assert isinstance(jax.tree.unflatten(*jax.tree.flatten(nuts())[::-1]), Kernel)


def test_by_hand_a_step_size_is_needed():
    with pytest.raises(SettingsError, match="needs a step size"):
        nuts().init(jnp.zeros(2), lambda q: -q @ q)


def test_positions_are_floats():
    with pytest.raises(ArgumentTypeError, match=r"position\['n'\] has dtype int"):
        nuts(0.1).init({"n": jnp.zeros(2, int)}, lambda q: 0.0)


def test_the_mass_matrix_must_fit():
    with pytest.raises(SettingsError, match=r"shape \(3,\), but positions have 2 numbers"):
        nuts(0.1, [1.0, 1.0, 1.0]).init(jnp.zeros(2), lambda q: -q @ q)


def test_pytrees_are_moved_as_vectors_are():
    def of_tree(x):
        return -0.5 * (x["a"] ** 2).sum() - 0.5 * (x["b"] - x["a"].sum()) ** 2

    def of_vector(x):
        return of_tree({"a": x[:2].reshape(2, 1), "b": x[2]})

    kernel, key = nuts(0.4, [1.0, 1.0, 2.0]), jax.random.key(0)
    state = kernel.init({"a": jnp.array([[0.1], [0.2]]), "b": jnp.array(0.3)}, of_tree)
    flat = kernel.init(jnp.array([0.1, 0.2, 0.3]), of_vector)
    for i in range(5):
        state, info = kernel.step(jax.random.fold_in(key, i), state, of_tree)
        flat, _ = kernel.step(jax.random.fold_in(key, i), flat, of_vector)
    np.testing.assert_allclose(jnp.concatenate([state.position["a"][:, 0], state.position["b"][None]]), flat.position)
    np.testing.assert_allclose(state.log_density, of_tree(state.position), rtol=1e-5)
    np.testing.assert_allclose(state.gradient["a"], jax.grad(of_tree)(state.position)["a"], rtol=1e-5)
    assert info.energy >= -info.lp  # kinetic energy is positive


def test_jit_vmap_and_scan_of_a_step():
    kernel = nuts(0.5)

    def log_density(q):
        return -0.5 * q @ q

    def step(state, key):
        return kernel.step(key, state, log_density)

    starts = jax.random.normal(jax.random.key(1), (3, 2))
    keys = jax.random.split(jax.random.key(2), (3, 10))
    states = jax.vmap(lambda q: kernel.init(q, log_density))(starts)
    ends, infos = jax.jit(jax.vmap(lambda s, k: jax.lax.scan(step, s, k)))(states, keys)
    assert infos.n_steps.shape == (3, 10)
    alone = kernel.init(starts[1], log_density)
    for key in keys[1]:
        alone, _ = jax.jit(step)(alone, key)
    np.testing.assert_allclose(ends.position[1], alone.position, rtol=1e-4, atol=1e-5)


def normal(key):
    return jax.random.normal(key, (2,)) * jnp.array([1.0, 3.0])


def skewed(key):
    return jnp.log(jax.random.gamma(key, 2.0, (1,)))


def banana(key):
    z = jax.random.normal(key, (2,))
    return jnp.array([z[0], 0.5 * z[1] + z[0] ** 2])


TARGETS = {
    "normal": (normal, lambda q: -0.5 * jnp.sum((q / jnp.array([1.0, 3.0])) ** 2), 0.6),
    "skewed": (skewed, lambda q: jnp.sum(2 * q - jnp.exp(q)), 0.7),
    "banana": (banana, lambda q: -0.5 * q[0] ** 2 - 0.5 * ((q[1] - q[0] ** 2) / 0.5) ** 2, 0.3),
}


@pytest.mark.parametrize("max_tree_depth", [2, 10])
@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_invariant(target, max_tree_depth, chains=8000, steps=4):
    """Exact draws, moved a few times, are exact draws still: as KS tests of coordinates and energy see."""
    exact, log_density, step_size = TARGETS[target]
    kernel = nuts(step_size, max_tree_depth=max_tree_depth)

    @jax.jit
    @jax.vmap
    def move(key):
        of_start, *of_steps = jax.random.split(key, steps + 1)
        state = kernel.init(exact(of_start), log_density)
        for key in of_steps:
            state, _ = kernel.step(key, state, log_density)
        return state.position, state.log_density

    moved, lp = move(jax.random.split(jax.random.key(0), chains))
    fresh = jax.vmap(exact)(jax.random.split(jax.random.key(1), 100_000))
    for i in range(fresh.shape[1]):
        assert stats.ks_2samp(np.asarray(moved[:, i]), np.asarray(fresh[:, i])).pvalue > 1e-3
        t = stats.ttest_ind(np.asarray(moved[:, i]) ** 2, np.asarray(fresh[:, i]) ** 2)
        assert t.pvalue > 1e-3
    assert stats.ks_2samp(np.asarray(lp), np.asarray(jax.vmap(log_density)(fresh))).pvalue > 1e-3


def test_invariance_test_has_teeth():
    """The same test sees a density that is off by a little."""
    exact, _, _ = TARGETS["normal"]
    kernel = nuts(0.6)

    def wrong(q):
        return -0.5 * jnp.sum((q / jnp.array([1.1, 3.0])) ** 2)

    def move(key):
        keys = jax.random.split(key, 5)
        state = kernel.init(exact(keys[0]), wrong)
        for k in keys[1:]:
            state, _ = kernel.step(k, state, wrong)
        return state.position

    moved = jax.jit(jax.vmap(move))(jax.random.split(jax.random.key(0), 8000))
    fresh = jax.vmap(exact)(jax.random.split(jax.random.key(1), 100_000))
    assert stats.ks_2samp(np.asarray(moved[:, 0]), np.asarray(fresh[:, 0])).pvalue < 1e-3


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_invariant_to_three_digits(target):
    test_the_target_is_invariant(target, 10, chains=200_000, steps=8)
