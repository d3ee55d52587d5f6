"""Loops with a hidden carry: against dense Gaussians, and enumeration of hidden states."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from looping import N, Y, joint, log_prob, norm, normal, run, rv
from scipy import stats

import storax as sx


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


# --- Gaussian carries


def local_level(a, q, r, n=5):
    def step(x, _):
        x = rv(N(a * x, q))
        return x, rv(N(x, r))

    return run(step, 0.3, n=n)


def level_moments(a, q, r, n, p0=0.0, m0=0.3):
    f = np.array([[a ** (i - j) if j <= i else 0.0 for j in range(n)] for i in range(n)])
    powers = a ** np.arange(1, n + 1)
    x = q**2 * f @ f.T + p0 * np.outer(powers, powers)
    return m0 * powers, x, x + r**2 * np.eye(n)


def test_kalman_filter_and_its_gradient():
    f = lambda a, q, r: local_level(a, q, r)[1]
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 5)
    np.testing.assert_allclose(log_prob(f, Y, 0.9, 0.7, 0.4), normal(Y, mean, cov), rtol=1e-12)
    check_grads(lambda a, q, r, y: log_prob(f, y, a, q, r), (0.9, 0.7, 0.4, jnp.asarray(Y)), 1, ["rev"], rtol=1e-6)


def test_kalman_filter_costs_as_many_steps_as_there_are():
    y = np.cumsum(np.sin(np.arange(400.0)))
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 400)
    f = lambda: local_level(0.9, 0.7, 0.4, n=400)[1]
    np.testing.assert_allclose(log_prob(f, y), normal(y, mean, cov), rtol=1e-9)


def test_random_gaussian_start():
    def f():
        x0 = rv(N(1.0, 2.0))

        def step(x, _):
            x = 0.9 * x + rv(N(0.0, 0.7))
            return x, x + rv(N(0.0, 0.4))

        return run(step, x0)[1]

    mean, _, cov = level_moments(0.9, 0.7, 0.4, 5, p0=4.0, m0=1.0)
    np.testing.assert_allclose(log_prob(f, Y), normal(Y, mean, cov), rtol=1e-12)


def trend(n=5):
    def step(c, _):
        level, slope = c
        slope = slope + rv(N(0.0, 0.2))
        level = level + slope
        return (level, slope), jnp.exp(level + rv(N(0.0, 0.5)))

    return run(step, (rv(N(0.0, 1.0)), 0.1), n=n)


def test_several_hidden_carries_observed_through_a_map():
    n, noise = 5, np.eye(11)  # start, slopes, observations
    level, slope, rows = noise[0], 0 * noise[0], []
    for t in range(n):
        slope = slope + 0.2 * noise[1 + t]
        level = level + slope
        rows.append(level + 0.5 * noise[1 + n + t])
    a = np.array(rows)
    expected = normal(Y, 0.1 * np.arange(1, 6), a @ a.T) - Y.sum()
    np.testing.assert_allclose(log_prob(lambda: trend()[1], np.exp(Y)), expected, rtol=1e-11)


def test_last_carry_of_a_hidden_path():
    last = lambda: local_level(0.9, 0.7, 0.4)[0]
    mean, x, cov = level_moments(0.9, 0.7, 0.4, 5)
    np.testing.assert_allclose(log_prob(last, 0.7), norm(0.7, mean[-1], np.sqrt(x[-1, -1])), rtol=1e-12)
    law = sx.distribution(last)()
    np.testing.assert_allclose(law.log_cdf(0.7), stats.norm(mean[-1], np.sqrt(x[-1, -1])).logcdf(0.7), rtol=1e-12)

    def both():
        x, y = local_level(0.9, 0.7, 0.4)
        return {"x": x, "y": y}

    whole = np.block([[cov, x[:, -1:]], [x[-1:, :], x[-1:, -1:]]])
    expected = normal([*Y, 0.7], [*mean, mean[-1]], whole)
    np.testing.assert_allclose(joint(both, {"x": 0.7, "y": Y}), expected, rtol=1e-12)


def test_parts_of_a_path_and_sums_of_it():
    path = lambda: local_level(0.9, 0.7, 0.4)[1]
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 5)
    np.testing.assert_allclose(log_prob(lambda: path()[1:], Y[1:]), normal(Y[1:], mean[1:], cov[1:, 1:]), rtol=1e-12)
    expected = norm(0.7, mean.sum(), np.sqrt(cov.sum()))
    np.testing.assert_allclose(log_prob(lambda: path().sum(), 0.7), expected, rtol=1e-12)
    expected = normal(np.log(np.exp(Y)), mean, cov) - Y.sum()
    np.testing.assert_allclose(log_prob(lambda: jnp.exp(path()), np.exp(Y)), expected, rtol=1e-12)


def test_a_last_carry_under_maps_and_in_a_sum():
    last = lambda: local_level(0.9, 0.7, 0.4)[0]
    mean, x, _ = level_moments(0.9, 0.7, 0.4, 5)
    m, v = mean[-1], x[-1, -1]
    np.testing.assert_allclose(log_prob(lambda: last() + rv(N(0.0, 2.0)), 0.7), norm(0.7, m, np.sqrt(v + 4)))
    expected = np.logaddexp(norm(0.7, m, np.sqrt(v)), norm(-0.7, m, np.sqrt(v)))
    np.testing.assert_allclose(log_prob(lambda: jnp.abs(last()), 0.7), expected, rtol=1e-12)
    flipped = lambda: jnp.flip(run(lambda x, _: 2 * (rv(sx.Cauchy(x, 1.0)),), 0.0)[1])
    expected = stats.cauchy(np.array([0.0, *Y[:-1]])).logpdf(Y).sum()
    np.testing.assert_allclose(log_prob(flipped, Y[::-1]), expected, rtol=1e-12)


def test_part_of_a_path_beside_its_last_carry():
    def f():
        x, y = local_level(0.9, 0.7, 0.4)
        return {"x": x, "y": y[2:]}

    mean, x, cov = level_moments(0.9, 0.7, 0.4, 5)
    whole = np.block([[cov, x[:, -1:]], [x[-1:, :], x[-1:, -1:]]])
    expected = normal([*Y[2:], 0.7], [*mean[2:], mean[-1]], whole[2:, 2:])
    np.testing.assert_allclose(joint(f, {"x": 0.7, "y": Y[2:]}), expected, rtol=1e-12)


def test_hidden_paths_under_vmap_and_in_a_loop():
    def many():
        return jax.vmap(lambda a: local_level(a, 0.7, 0.4, n=3)[1])(jnp.array([0.9, 0.5]))

    y = np.stack([Y[:3], Y[2:]])
    expected = 0.0
    for row, a in zip(y, (0.9, 0.5), strict=True):
        mean, _, cov = level_moments(a, 0.7, 0.4, 3)
        expected += normal(row, mean, cov)
    np.testing.assert_allclose(log_prob(many, y), expected, rtol=1e-12)

    def inner(x, _):
        x = rv(N(0.9 * x, 0.7))
        return x, rv(N(x, 0.4))

    nested = lambda: run(lambda x, _: run(inner, x, n=3), 0.3, n=2)[1]
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 6)
    np.testing.assert_allclose(log_prob(nested, y), normal(y.ravel(), mean, cov), rtol=1e-12)


def test_observations_made_after_the_loop():
    def f():
        x = run(lambda x, _: 2 * (rv(N(0.9 * x, 0.7)),), 0.3)[1]
        return rv(N(x, 0.4))

    mean, _, cov = level_moments(0.9, 0.7, 0.4, 5)
    np.testing.assert_allclose(log_prob(f, Y), normal(Y, mean, cov), rtol=1e-12)


def test_start_that_something_else_shows_too():
    def f():
        x0 = rv(N(0.0, 1.0))
        return {"y": run(lambda x, _: 2 * (rv(N(x, 1.0)),), x0, n=2)[1], "z": rv(N(x0, 0.5))}

    a = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0.5]])
    expected = normal([0.4, -0.3, 0.9], 0, a @ a.T)
    np.testing.assert_allclose(joint(f, {"y": [0.4, -0.3], "z": 0.9}), expected, rtol=1e-12)


# --- carries of few values

P = np.array([[0.8, 0.15, 0.05], [0.2, 0.7, 0.1], [0.25, 0.25, 0.5]])
MU, START = np.array([-1.0, 0.5, 2.0]), np.array([0.2, 0.5, 0.3])


def hidden(start, emit, n=4):
    def step(z, _):
        z = rv(sx.Categorical(probs=jnp.asarray(P)[z]))
        return z, emit(z)

    return run(step, start, n=n)


def enumerated(start, emit, y):
    scores = []
    for z0, *z in itertools.product(range(3), repeat=len(y) + 1):
        p = np.log(start[z0]) if start[z0] else -np.inf
        for a, b, v in zip([z0, *z], z, y, strict=False):
            p += np.log(P[a, b]) + emit(b, v)
        scores.append(p)
    return np.logaddexp.reduce(scores)


def test_forward_algorithm():
    f = lambda: hidden(0, lambda z: rv(N(jnp.asarray(MU)[z], 0.5 + 0.1 * z)))[1]
    expected = enumerated([1, 0, 0], lambda z, v: norm(v, MU[z], 0.5 + 0.1 * z), Y[:4])
    np.testing.assert_allclose(log_prob(f, Y[:4]), expected, rtol=1e-12)


def test_forward_algorithm_from_a_random_start_and_its_gradient():
    def f(mu):
        return hidden(rv(sx.Categorical(probs=jnp.asarray(START))), lambda z: rv(N(mu[z], 0.5)))[1]

    expected = enumerated(START, lambda z, v: norm(v, MU[z], 0.5), Y[:4])
    np.testing.assert_allclose(log_prob(f, Y[:4], jnp.asarray(MU)), expected, rtol=1e-12)
    check_grads(lambda mu, y: log_prob(f, y, mu), (jnp.asarray(MU), jnp.asarray(Y[:4])), 1, ["rev"], rtol=1e-6)


def test_states_with_an_atom_win_over_those_with_a_density():
    f = lambda: hidden(0, lambda z: jnp.where(z == 1, 0.0, rv(N(0.0, 1.0))), n=3)[1]
    paths = [P[0, a] * P[a, 1] * P[1, c] for a in (0, 2) for c in (0, 2)]
    expected = np.log(sum(paths)) + norm(0.4) + norm(-0.3)
    np.testing.assert_allclose(log_prob(f, [0.4, 0.0, -0.3]), expected, rtol=1e-12)


def test_states_with_an_atom_from_a_random_start():
    start = lambda: rv(sx.Categorical(probs=jnp.asarray(START)))
    f = lambda: hidden(start(), lambda z: jnp.where(z == 1, 0.0, rv(N(0.0, 1.0))), n=3)[1]
    paths = [START @ P[:, a] * P[a, 1] * P[1, c] for a in (0, 2) for c in (0, 2)]
    np.testing.assert_allclose(log_prob(f, [0.4, 0.0, -0.3]), np.log(sum(paths)) + norm(0.4) + norm(-0.3), rtol=1e-12)


def test_last_state():
    last = lambda: hidden(1, lambda z: z)[0]
    np.testing.assert_allclose(log_prob(last, 2), np.log(np.linalg.matrix_power(P, 4)[1, 2]), rtol=1e-12)


def test_hidden_regime_with_an_observed_past():
    def f():
        def step(c, _):
            x, z = c
            z = rv(sx.Bernoulli(jnp.where(z, 0.9, 0.2))) == 1
            x = rv(N(jnp.where(z, 0.9, -0.5) * x, 1.0))
            return (x, z), x

        return run(step, (0.7, False), n=4)[1]

    total = []
    for zs in itertools.product([0, 1], repeat=4):
        p, z, x = 0.0, 0, 0.7
        for new, y in zip(zs, Y, strict=False):
            up = 0.9 if z else 0.2
            p, z = p + np.log(up if new else 1 - up) + norm(y, (0.9 if new else -0.5) * x), new
            x = y
        total.append(p)
    np.testing.assert_allclose(log_prob(f, Y[:4]), np.logaddexp.reduce(total), rtol=1e-12)


def test_state_that_is_drawn_once():
    def f():
        z = rv(sx.Bernoulli(0.3))

        def step(c, _):
            x = rv(N(jnp.where(c[1], 0.9, -0.5) * c[0], 1.0))
            return (x, c[1]), x

        return run(step, (0.7, z))[1]

    before = np.array([0.7, *Y[:-1]])
    both = [np.log(p) + norm(Y, a * before).sum() for p, a in [(0.3, 0.9), (0.7, -0.5)]]
    np.testing.assert_allclose(log_prob(f, Y), np.logaddexp(*both), rtol=1e-12)


def test_counts_of_hidden_events():
    def f():
        def step(k, _):
            k = k + rv(sx.Bernoulli(0.3)).astype(k.dtype)
            return k, rv(N(k * 1.0, 0.5))

        return run(step, 0, n=4)[1]

    total = []
    for b in itertools.product([0, 1], repeat=4):
        total.append(np.log(np.where(b, 0.3, 0.7)).sum() + norm(Y[:4], np.cumsum(b), 0.5).sum())
    np.testing.assert_allclose(log_prob(f, Y[:4]), np.logaddexp.reduce(total), rtol=1e-12)
