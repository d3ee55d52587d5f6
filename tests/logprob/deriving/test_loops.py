"""Loops with random choices inside, whose carries follow from what is observed; and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from looping import N, Y, joint, log_prob, norm, run, rv
from scipy import stats

import storax as sx
from storax.errors import NotMeasurable


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


# --- carries that follow


def garch(a, b):
    def step(s2, _):
        y = rv(N(0.0, jnp.sqrt(s2)))
        return 0.2 + a * y**2 + b * s2, y

    return run(step, 1.0)[1]


def by_hand_garch(a, b):
    s2, total = 1.0, 0.0
    for y in Y:
        total += norm(y, 0, np.sqrt(s2))
        s2 = 0.2 + a * y**2 + b * s2
    return total


def test_garch_and_its_gradient():
    np.testing.assert_allclose(log_prob(garch, Y, 0.3, 0.5), by_hand_garch(0.3, 0.5), rtol=1e-12)
    check_grads(lambda a, b, y: log_prob(garch, y, a, b), (0.3, 0.5, jnp.asarray(Y)), 1, ["rev"], rtol=1e-6)


def test_values_of_draws_found_through_a_map_are_the_next_carry():
    def f(rho):
        def step(x, _):
            x = rho * x + rv(N(0.0, 0.5))
            return x, jnp.exp(x)

        return run(step, 0.2)[1]

    x = np.array([0.2, *Y])
    expected = norm(x[1:], 0.7 * x[:-1], 0.5).sum() - Y.sum()
    np.testing.assert_allclose(log_prob(f, np.exp(Y), 0.7), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda y, r: log_prob(f, y, r))(np.exp(Y), 0.7), expected, rtol=1e-12)
    assert log_prob(f, np.array([1.0, -0.1, 1.0, 1.0, 1.0]), 0.7) == -np.inf


@pytest.mark.parametrize("reverse", [False, True])
def test_inputs_that_change_from_step_to_step(reverse):
    mu, sd = np.linspace(-1, 1, 5), np.linspace(0.5, 2, 5)

    def f(mu, sd):
        def step(x, c):
            x = rv(N(0.5 * x + c[0], c[1]))
            return x, x

        return run(step, 0.1, xs=(mu, sd), reverse=reverse)[1]

    order = slice(None, None, -1 if reverse else 1)
    y = Y[order]
    before = np.array([0.1, *y[:-1]])
    expected = norm(y, 0.5 * before + mu[order], sd[order]).sum()
    np.testing.assert_allclose(log_prob(f, Y, jnp.asarray(mu), jnp.asarray(sd)), expected, rtol=1e-12)


def test_counts_with_a_known_carry_beside_them():
    def f():
        def step(c, _):
            y, t = c
            y = rv(sx.Poisson(1 + 0.5 * y + 0.1 * t))
            return (y, t + 1), y

        return run(step, (2, 0), n=3)[1]

    expected = sum(stats.poisson(1 + 0.5 * a + 0.1 * t).logpmf(b) for t, (a, b) in enumerate([(2, 3), (3, 1), (1, 0)]))
    np.testing.assert_allclose(log_prob(f, [3, 1, 0]), expected, rtol=1e-12)


def test_atoms_and_mixtures_in_every_step():
    def f():
        def step(x, _):
            y = jnp.where(rv(sx.Bernoulli(0.3)), 0.0, jnp.clip(rv(N(0.8 * x, 1.0)), -1.0, 1.0))
            return y, y

        return run(step, 0.5, n=3)[1]

    above = stats.norm(0.8 * 0.5).sf(1.0)
    expected = np.log(0.7 * above) + np.log(0.3) + np.log(0.7) + norm(0.2)  # 1 is a bound, 0 an atom
    np.testing.assert_allclose(log_prob(f, [1.0, 0.0, 0.2]), expected, rtol=1e-12)


def test_several_outputs_and_a_derived_one():
    def f():
        def step(x, _):
            a = rv(N(x, 1.0))
            b = rv(N(a, 2.0))
            return a + b, (a, jnp.exp(b))

        (a, b) = run(step, 0.0, n=3)[1]
        return {"a": a, "b": b}

    a, b = Y[:3], Y[2:]
    before = np.array([0.0, *(a + b)[:-1]])
    expected = norm(a, before).sum() + norm(b, a, 2).sum() - b.sum()
    np.testing.assert_allclose(joint(f, {"a": a, "b": np.exp(b)}), expected, rtol=1e-12)


def test_vectors_and_vmapped_loops():
    def walk(scale):
        def step(x, _):
            x = rv(N(x, scale))
            return x, x

        return run(step, jnp.zeros(()), n=3)[1]

    def many(scales):
        return jax.vmap(walk)(scales)

    def vectors(scales):
        return run(lambda x, _: 2 * (rv(N(x, scales)),), jnp.zeros(2), n=3)[1].T

    y = np.stack([Y[:3], Y[2:]])
    expected = norm(np.diff(y, prepend=0.0), 0, np.array([[0.5], [1.5]])).sum()
    for f in (many, vectors):
        np.testing.assert_allclose(log_prob(f, y, jnp.array([0.5, 1.5])), expected, rtol=1e-12)


def test_no_step_and_one():
    def f(n):
        return run(lambda x, _: 2 * (rv(N(x, 1.0)),), 0.5, n=n)[1]

    np.testing.assert_allclose(log_prob(lambda: f(1), Y[:1]), norm(Y[0], 0.5), rtol=1e-12)
    assert log_prob(lambda: f(0), Y[:0]) == 0.0
    assert log_prob(lambda: run(lambda x, _: (x, None), rv(N(0.0, 1.0)), n=0)[0], 0.0) == pytest.approx(norm(0.0))


def test_a_loop_in_a_loop():
    def f(rho):
        def outer(x, _):
            x, ys = run(lambda x, _: 2 * (rv(N(rho * x, 1.0)),), x, n=3)
            return x * 0.5, ys

        return jax.jit(lambda: run(outer, 1.0, n=2)[1])()

    y = np.stack([Y[:3], Y[2:]])
    before = np.array([1.0, *y[0, :2], 0.5 * y[0, 2], *y[1, :2]])
    np.testing.assert_allclose(log_prob(f, y, 0.9), norm(y.ravel(), 0.9 * before).sum(), rtol=1e-12)


# --- random inputs


def test_draws_from_before_the_loop_are_consumed_step_by_step():
    def gamma_increments():
        e = rv(sx.Gamma(2.0, 3.0), shape=(4,))
        return run(lambda x, e: 2 * (0.5 * x + e,), 1.0, xs=e)[1]

    y = np.array([1.0, 0.9, 2.0, 1.3])
    e = y - 0.5 * np.array([1.0, *y[:-1]])
    np.testing.assert_allclose(log_prob(gamma_increments, y), stats.gamma(2, scale=1 / 3).logpdf(e).sum(), rtol=1e-12)
    assert log_prob(gamma_increments, np.array([1.0, 0.4, 2.0, 1.3])) == -np.inf


def test_inputs_known_and_random():
    def f():
        e = jnp.exp(rv(N(0.0, 1.0), shape=(5,)))
        return run(lambda x, e: (x + e[1], x + e[0] * e[1]), 0.0, xs=(e, jnp.arange(1.0, 6.0)), reverse=True)[1]

    x = np.array([14.0, 12.0, 9.0, 5.0, 0.0])
    e = np.exp(Y)
    expected = norm(Y).sum() - Y.sum() - np.log(np.arange(1, 6)).sum()
    np.testing.assert_allclose(log_prob(f, x + e * np.arange(1, 6)), expected, rtol=1e-12)


def test_random_start_that_is_observed():
    def f():
        x0 = rv(sx.Exponential(1.0))
        return {"x0": x0, "y": run(lambda x, _: 2 * (rv(N(x, 1.0)),), x0, n=2)[1]}

    expected = -1.5 + norm(np.diff([1.5, 1.0, 0.5])).sum()
    np.testing.assert_allclose(joint(f, {"x0": 1.5, "y": [1.0, 0.5]}), expected, rtol=1e-12)


def test_random_start_that_the_first_step_shows():
    def f():
        x0 = jnp.log(rv(sx.Exponential(1.0)))
        return run(lambda x, _: (rv(N(x, 1.0)), x), x0, n=5)[1]

    expected = Y[0] - np.exp(Y[0]) + norm(np.diff(Y)).sum()
    np.testing.assert_allclose(log_prob(f, Y), expected, rtol=1e-12)


def test_what_comes_after_the_loop_uses_its_last_carry():
    def f():
        last, y = run(lambda x, _: 2 * (rv(N(x, 1.0)),), 0.0)
        return {"y": y, "z": rv(N(2 * last, 1.0))}

    expected = norm(np.diff(Y, prepend=0.0)).sum() + norm(0.7, 2 * Y[-1])
    np.testing.assert_allclose(joint(f, {"y": Y, "z": 0.7}), expected, rtol=1e-12)


# --- what is refused


def nonlinear_state():
    def step(x, _):
        x = rv(N(jnp.sin(x), 1.0))
        return x, rv(N(x, 1.0))

    return run(step, 0.0)[1]


def censored_state():
    def step(x, _):
        x = rv(N(x, 1.0))
        return x, jnp.clip(x, -1.0, 1.0)

    return run(step, 0.0)[1]


def squared_state():
    def step(x, _):
        x = rv(N(x, 1.0))
        return x, x**2

    return run(step, 0.0)[1]


def same_state_shown_every_time():
    return run(lambda x, _: (x, x), rv(N(0.0, 1.0)))[1]


def start_is_shown():
    return run(lambda x, _: (rv(N(x, 1.0)), x), 0.0)[1]


def shared_coefficient():
    a = rv(N(0.0, 1.0))
    return run(lambda x, _: 2 * (rv(N(a * x, 1.0)),), 1.0)[1]


def switching_state_space():
    def step(c, _):
        x, z = c
        z = rv(sx.Bernoulli(jnp.where(z, 0.9, 0.2))) == 1
        x = rv(N(jnp.where(z, 0.9, -0.5) * x, 1.0))
        return (x, z), rv(N(x, 1.0))

    return run(step, (0.7, False))[1]


def sums_of_hidden_states():
    def step(s, _):
        s = 0.5 * s + rv(sx.Poisson(0.4))
        return s, rv(N(s, 1.0))

    return run(step, 0.1)[1]


def entries_of_one_vector_repeated():
    return rv(sx.MultivariateNormal(jnp.zeros(5), jnp.eye(5)))[jnp.array([0, 0, 2, 3, 4])]


def entries_repeated():
    return run(lambda x, _: 2 * (rv(sx.Cauchy(x, 1.0)),), 0.0)[1][jnp.array([0, 0, 2, 3, 4])]


PROGRAMS = [nonlinear_state, censored_state, squared_state, same_state_shown_every_time, start_is_shown,
            shared_coefficient, switching_state_space, sums_of_hidden_states, entries_repeated]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS)
def test_what_cannot_be_derived_is_refused(f):
    with pytest.raises(NotMeasurable, match=r"(looping|test_loops)\.py:\d+"):
        log_prob(f, Y)


def test_numbers_that_are_linearly_dependent():
    with pytest.raises(NotMeasurable):
        sx.distribution(entries_of_one_vector_repeated)().log_prob(jnp.asarray(Y))
    with pytest.raises(NotMeasurable):
        log_prob(entries_of_one_vector_repeated, Y)


def test_a_last_carry_that_follows_is_not_observed_beside_the_rest():
    def f():
        x, y = run(lambda x, _: 2 * (rv(N(x, 1.0)),), 0.0)
        return {"x": x, "y": y}

    with pytest.raises(NotMeasurable):
        joint(f, {"x": Y[-1], "y": Y})
