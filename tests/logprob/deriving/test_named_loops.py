"""Named and observed sites inside of loops, beside anonymous draws: against dense Gaussians and enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from looping import N, Y, norm, normal, rv
from scipy import stats
from test_hidden_states import level_moments

import storax as sx
from storax.errors import NotMeasurable

P, MU, WEIGHTS = np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([-1.0, 1.0]), np.array([0.7, 0.3])
A = np.array([0.1, -0.2, 0.3, 0.5, 0.0])
ROWS = np.array([[0.3, -0.6, 1.1], [0.4, -0.2, 0.7]])


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def density(model, values, *args):
    return jax.jit(lambda v, *args: sx.log_density(model)(v, *args))(values, *args)


def level(x, y):
    x = rv(N(0.9 * x, 0.7))
    return x, sx.sample("y", N(x, 0.4), obs=y)


def chain(z, y, scale=1.0):
    z = rv(sx.Categorical(probs=jnp.asarray(P)[z]))
    return z, sx.sample("y", N(jnp.asarray(MU)[z], scale), obs=y)


def paths(y, emit=lambda z, v: norm(v, MU[z]), start=(1.0, 0.0), table=lambda *z: P[z[-1]]):
    """log sum over all hidden paths, by hand."""
    scores = []
    for z0, *z in itertools.product((0, 1), repeat=len(y) + 1):
        p, before = (np.log(start[z0]) if start[z0] else -np.inf), (0, z0)
        for b, v in zip(z, y, strict=True):
            p, before = p + np.log(table(*before)[b]) + emit(b, v), (before[-1], b)
        scores.append(p)
    return np.logaddexp.reduce(scores)


def coin_sum(score):
    return np.logaddexp(*[np.log(WEIGHTS[k]) + score(k) for k in (0, 1)]).sum()


@pytest.mark.long
def test_kalman_filter_with_names():
    def model(y):
        q = sx.sample("q", sx.HalfNormal(1.0))

        def step(x, y):
            a = sx.sample("a", N(0.0, 1.0))
            x = rv(N(x + a, q))
            sx.sample("y", N(x, 0.4), obs=y)
            return x, None

        lax.scan(step, 0.3, y)

    mean, _, cov = level_moments(1.0, 0.7, 0.4, 5)
    expected = stats.halfnorm.logpdf(0.7) + norm(A).sum() + normal(Y, mean + np.cumsum(A), cov)
    values = {"q": 0.7, "a": A}
    np.testing.assert_allclose(density(model, values, Y), expected, rtol=1e-12)
    f = sx.unconstrain(model)(Y)
    np.testing.assert_allclose(f.log_density(f.unconstrain(values)), expected + np.log(0.7), rtol=1e-12)


@pytest.mark.long
def test_hidden_markov_model_with_names():
    def model(y):
        mu = sx.sample("mu", N(jnp.zeros(2), 1.0))

        def step(z, y):
            z = rv(sx.Categorical(probs=jnp.asarray(P)[z]))
            sx.factor("f", jnp.where(z == 1, 0.5, -0.5))
            sx.sample("y", N(mu[z], 1.0), obs=y)
            return z, None

        lax.scan(step, 0, y)

    emit = lambda z, v: norm(v, MU[z]) + (0.5 if z else -0.5)
    np.testing.assert_allclose(density(model, {"mu": MU}, Y), norm(MU).sum() + paths(Y, emit), rtol=1e-12)


def test_draws_of_a_step_alone():
    def model(y):
        lax.map(lambda y: sx.sample("y", N(jnp.asarray(MU)[rv(sx.Bernoulli(0.3))], 1.0), obs=y), y)

    np.testing.assert_allclose(density(model, {}, Y), coin_sum(lambda k: norm(Y, MU[k])), rtol=1e-12)


def test_lanes_with_names():
    def model(y):
        def one(y):
            a = sx.sample("a", N(0.0, 1.0))
            z = rv(sx.Bernoulli(0.3))
            sx.sample("y", N(jnp.asarray(MU)[z] + a, 1.0), obs=y)

        sx.vmap(one)(y)

    expected = norm(A).sum() + coin_sum(lambda k: norm(Y, MU[k] + A))
    np.testing.assert_allclose(density(model, {"a": A}, Y), expected, rtol=1e-12)


def test_derived_quantity_inside():
    def model(y):
        def step(x, y):
            x = rv(N(x, 1.0))
            sx.deterministic("e", jnp.exp(x))
            sx.sample("y", N(x, 0.4), obs=y)
            return x, None

        lax.scan(step, 0.3, y)

    expected = norm(A, [0.3, *A[:-1]]).sum() - A.sum() + norm(Y, A, 0.4).sum()
    np.testing.assert_allclose(density(model, {"e": np.exp(A)}, Y), expected, rtol=1e-12)


@pytest.mark.long
def test_loops_in_loops_and_counted_ones():
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 6)
    nested = lambda y: lax.scan(lambda x, y: (lax.scan(level, x, y)[0], None), 0.3, y)
    np.testing.assert_allclose(density(nested, {}, ROWS), normal(ROWS.ravel(), mean, cov), rtol=1e-12)
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 5)
    counted = lambda y: lax.fori_loop(0, 5, lambda i, x: level(x, y[i])[0], 0.3)
    np.testing.assert_allclose(density(counted, {}, Y), normal(Y, mean, cov), rtol=1e-12)


@pytest.mark.parametrize("lanes", [jax.vmap, pytest.param(sx.vmap, marks=pytest.mark.long)])
def test_series_side_by_side(lanes):
    mean, _, cov = level_moments(0.9, 0.7, 0.4, 3)
    expected = sum(normal(row, mean, cov) for row in ROWS)
    model = lambda y: lanes(lambda y: lax.scan(level, 0.3, y))(y)
    np.testing.assert_allclose(density(model, {}, ROWS), expected, rtol=1e-12)


@pytest.mark.long
def test_chains_side_by_side():
    model = lambda y: jax.vmap(lambda y: lax.scan(chain, 0, y))(y)
    np.testing.assert_allclose(density(model, {}, ROWS), paths(ROWS[0]) + paths(ROWS[1]), rtol=1e-12)

    def with_starts(y, scales):
        z0 = rv(sx.Categorical(probs=jnp.asarray(WEIGHTS)), shape=(2,))
        jax.vmap(lambda z0, y, s: lax.scan(lambda z, y: chain(z, y, s), z0, y))(z0, y, scales)

    each = [paths(y, lambda z, v, s=s: norm(v, MU[z], s), WEIGHTS) for y, s in zip(ROWS, (1.0, 0.5), strict=True)]
    np.testing.assert_allclose(density(with_starts, {}, ROWS, np.array([1.0, 0.5])), sum(each), rtol=1e-12)

    def one_start(y):
        z0 = rv(sx.Bernoulli(0.3))
        jax.vmap(lambda y: lax.scan(chain, z0, y))(y)

    both = [np.log(WEIGHTS[k]) + sum(paths(y, start=np.eye(2)[k]) for y in ROWS) for k in (0, 1)]
    np.testing.assert_allclose(density(one_start, {}, ROWS), np.logaddexp(*both), rtol=1e-12)


def test_a_chain_of_order_two():
    table = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.5, 0.5], [0.2, 0.8]]])

    def model(y):
        def step(c, y):
            z = rv(sx.Categorical(probs=jnp.asarray(table)[c]))
            sx.sample("y", N(jnp.asarray(MU)[z], 1.0), obs=y)
            return (c[1], z), None

        lax.scan(step, (0, 0), y)

    np.testing.assert_allclose(density(model, {}, Y), paths(Y, table=lambda a, b: table[a, b]), rtol=1e-12)


@pytest.mark.long
def test_hidden_vectors():
    a, q = np.array([[0.9, 0.1], [0.0, 0.8]]), np.array([[0.5, 0.1], [0.1, 0.3]])

    def model(y):
        def step(x, y):
            x = rv(sx.MultivariateNormal(jnp.asarray(a) @ x, covariance_matrix=jnp.asarray(q)))
            sx.sample("y", N(x[0], 0.4), obs=y)
            return x, None

        lax.scan(step, jnp.zeros(2), y)

    cov, now = np.zeros((5, 5)), np.zeros((2, 2))
    for s in range(5):
        now = a @ now @ a.T + q
        for t in range(s, 5):
            cov[s, t] = cov[t, s] = (np.linalg.matrix_power(a, t - s) @ now)[0, 0]
    np.testing.assert_allclose(density(model, {}, Y), normal(Y, 0.0, cov + 0.16 * np.eye(5)), rtol=1e-12)


def test_data_that_are_missing_in_a_hidden_markov_model():
    seen = np.array([True, False, True, True, False])

    def model(y):
        def step(z, ys):
            z = rv(sx.Categorical(probs=jnp.asarray(P)[z]))
            sx.sample("y", N(jnp.asarray(MU)[z], 1.0).mask(ys[1]), obs=ys[0])
            return z, None

        lax.scan(step, 0, (y, seen))

    emit = lambda z, v: norm(v[0], MU[z]) if v[1] else 0.0
    expected = paths(list(zip(Y, seen, strict=True)), emit)
    np.testing.assert_allclose(density(model, {}, Y), expected, rtol=1e-12)


def own_data(y):
    lax.scan(lambda x, _: level(x, 2 * x), rv(N(0.0, 1.0)), None, length=5)


def in_a_branch(y):
    lax.scan(
        lambda x, y: (rv(N(x, 1.0)), lax.cond(y > 0, lambda: sx.sample("y", N(x, 1.0), obs=y), lambda: 0.0)), 0.0, y
    )


def coupled(y):
    def step(z, y):
        z = rv(sx.Categorical(probs=jnp.asarray(P)[jnp.roll(z, 1)]))
        return z, sx.sample("y", N(jnp.asarray(MU)[z], 1.0), obs=y)

    lax.scan(step, jnp.zeros(2, int), jnp.stack([y, y], 1))


def weighted(y):
    def step(z, y):
        z = rv(sx.Categorical(probs=jnp.asarray(P)[z]))
        sx.scale(lambda: sx.sample("y", N(jnp.asarray(MU)[z], 1.0), obs=y), 2.0)()
        return z, None

    lax.scan(step, 0, y)


REFUSED = {own_data: "computed from its own choices", in_a_branch: "inside of a `cond`"}
REFUSED_AFTER_LONG = {coupled: "no product", weighted: "weight"}


@pytest.mark.parametrize("model", [*REFUSED, *(pytest.param(m, marks=pytest.mark.long) for m in REFUSED_AFTER_LONG)])
def test_what_is_refused(model):
    with pytest.raises(NotMeasurable, match=(REFUSED | REFUSED_AFTER_LONG)[model]):
        sx.log_density(model)({}, jnp.asarray(Y))
