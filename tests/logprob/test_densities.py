"""`log_density`, `log_likelihood`, `unconstrain`: against hand-written densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx

N = sx.Normal
normal = stats.norm.logpdf
y = jnp.array([0.5, -0.5, 1.0])


def regression(x, y=None):
    w = sx.sample("w", N(0.0, 2.0), shape=x.shape[1])
    s = sx.sample("s", sx.HalfCauchy(1.0))
    p = sx.sample("p", sx.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
    u = sx.sample("u", sx.Uniform(-s, 2.0 * s))
    sx.deterministic("twice", 2 * w)
    sx.sample("y", N(x @ w + u + p[0], s), obs=y)


X = jnp.arange(6.0).reshape(3, 2) / 10
VALUES = {"w": jnp.array([0.3, -0.2]), "s": 0.8, "p": jnp.array([0.2, 0.5, 0.3]), "u": 0.4}


def by_hand(v):
    s, u = float(v["s"]), float(v["u"])
    prior = normal(v["w"], 0, 2).sum() + stats.halfcauchy.logpdf(s) - np.log(3 * s)
    prior += stats.dirichlet.logpdf(np.asarray(v["p"], float) / np.sum(np.asarray(v["p"], float)), [1.0, 2.0, 3.0])
    return prior + normal(y, X @ v["w"] + u + v["p"][0], s).sum()


def test_log_density_is_the_sum_of_the_sites():
    np.testing.assert_allclose(sx.log_density(regression)(VALUES, X, y), by_hand(VALUES), rtol=1e-5)


def test_log_likelihood_is_pointwise():
    got = sx.log_likelihood(regression)(VALUES, X, y)
    assert list(got) == ["y"]
    np.testing.assert_allclose(got["y"], normal(y, X @ VALUES["w"] + 0.4 + 0.2, 0.8), rtol=1e-5)

    def with_loops(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        lax.scan(lambda c, v: (c, sx.sample("a", N(mu, 1.0), obs=v)), 0, y)
        jax.vmap(lambda v: sx.sample("b", N(mu, jnp.ones(2)).to_event(1), obs=jnp.stack([v, v])))(y)
        sx.factor("f", -1.0)
        lax.cond(y[0] > 0, lambda: sx.sample("c", N(mu, 1.0), obs=2.0), lambda: 0.0)

    got = sx.log_likelihood(with_loops)({"mu": 0.2}, y)
    assert set(got) == {"a", "b", "c"}
    np.testing.assert_allclose(got["a"], normal(y, 0.2), rtol=1e-5)
    np.testing.assert_allclose(got["b"], 2 * normal(y, 0.2), rtol=1e-5)
    np.testing.assert_allclose(got["c"], normal(2.0, 0.2), rtol=1e-5)
    assert np.isnan(sx.log_likelihood(with_loops)({"mu": 0.2}, -y)["c"])  # not taken: there is no datum


def test_latent_outside_of_the_support_has_density_zero():
    assert sx.log_density(regression)({**VALUES, "s": -1.0}, X, y) == -jnp.inf


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda v: v.pop("s"), sx.errors.UnknownNameError, "no value was given for site 's'"),
        (lambda v: v.update(q=1.0), sx.errors.UnknownNameError, "no site named 'q'"),
        (lambda v: v.update(ww=1.0), KeyError, "Did you mean 'w'"),
        (lambda v: v.update(w=jnp.zeros((2, 1))), sx.errors.ShapeError, r"'w'.*\(2,\).*\(2, 1\)"),
        (lambda v: v.update(w=0.0), sx.errors.ShapeError, "nothing is broadcast"),
        (lambda v: v.update(twice=jnp.zeros(2)), sx.errors.NotMeasurable, "'twice'.*derived"),
        (lambda v: v.update(y=jnp.zeros(3)), sx.errors.ModelError, "'y'.*has a value already"),
        (lambda v: v.update(s="a"), sx.errors.ArgumentTypeError, "'s'"),
    ],
)
def test_values_must_fit(change, error, match):
    values = dict(VALUES)
    change(values)
    for ask in (sx.log_density, sx.log_likelihood):
        with pytest.raises(error, match=match):
            ask(regression)(values, X, y)
    with pytest.raises(error, match=match):
        sx.unconstrain(regression)(X, y).unconstrain(values)


def test_values_by_position_are_refused():
    with pytest.raises(sx.errors.ArgumentTypeError, match="by name"):
        sx.log_density(regression)(X, y)


def test_anonymous_draws_are_integrated_out_or_refused():
    def gaussian():
        sx.sample("y", N(sx.rv(N(0.0, 1.0)), 1.0))

    expected = stats.norm.logpdf(1.0, scale=np.sqrt(2))
    np.testing.assert_allclose(sx.log_density(gaussian)({"y": 1.0}), expected, rtol=1e-6)
    np.testing.assert_allclose(sx.unconstrain(gaussian)().log_density({"y": jnp.array(1.0)}), expected, rtol=1e-6)

    def other():
        sx.sample("y", N(jnp.exp(sx.rv(N(0.0, 1.0))), 1.0))

    for ask in (lambda: sx.log_density(other)({"y": 1.0}), lambda: sx.unconstrain(other)()):
        with pytest.raises(sx.errors.NotMeasurable, match=r"\(test_densities.py:\d+\) is a draw whose parameters are"):
            ask()


def test_observed_integer_data_may_be_floats_and_the_other_way_round():
    poisson = lambda y: sx.sample("y", sx.Poisson(2.0), obs=y)
    expected = stats.poisson.logpmf([1, 3], 2.0).sum()
    for data in ([1, 3], [1.0, 3.0], np.array([1, 3], np.int8), np.array([1.0, 3.0])):
        np.testing.assert_allclose(sx.log_density(poisson)({}, data), expected, rtol=1e-6)
    bernoulli = lambda y: sx.sample("y", sx.Bernoulli(0.25), obs=y)
    for data in ([True, False], [1, 0], [1.0, 0.0]):
        np.testing.assert_allclose(sx.log_density(bernoulli)({}, data), np.log(0.25 * 0.75), rtol=1e-6)


# --- unconstrain


def test_unconstrain_round_trip_and_jacobian():
    density = sx.unconstrain(regression)(X, y)
    assert density.shapes == {"w": (2,), "s": (), "p": (2,), "u": ()} and density.size == 6
    z = density.unconstrain(VALUES)
    back = density.constrain(z)
    assert list(back) == ["w", "s", "p", "u", "twice"]
    for name, value in VALUES.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-5)
    np.testing.assert_allclose(back["twice"], 2 * VALUES["w"], rtol=1e-5)
    # The log-determinant is that of autodiff, over a set of coordinates of each support.
    free = lambda v: jnp.concatenate([jnp.ravel(x) for x in (v["w"], v["s"], v["p"][:-1], v["u"])])
    flat = lambda vector: free(density.constrain(density.unflatten(vector)))
    _, log_det = jnp.linalg.slogdet(jax.jacfwd(flat)(density.flatten(z)))
    np.testing.assert_allclose(density.log_density(z), by_hand(VALUES) + log_det, rtol=1e-5)


def test_density_methods_are_pure():
    density = sx.unconstrain(regression)(X, y)
    z = density.init(3)
    assert all((jnp.abs(v) < 2).all() for v in z.values())
    f = density.log_density
    np.testing.assert_allclose(jax.jit(f)(z), f(z), rtol=1e-5)
    slope = jax.grad(f)(z)["u"]
    up, down = ({**z, "u": z["u"] + e} for e in (1e-2, -1e-2))
    np.testing.assert_allclose(slope, (f(up) - f(down)) / 2e-2, rtol=2e-2, atol=1e-2)
    many = jax.vmap(density.init)(jax.random.split(jax.random.key(0), 5))
    assert jax.vmap(f)(many).shape == (5,)
    inside = jax.jit(lambda y, z: sx.unconstrain(regression)(X, y).log_density(z))
    np.testing.assert_allclose(inside(y, z), f(z), rtol=1e-5)


@pytest.mark.parametrize(
    ("z", "error"),
    [({}, KeyError), ({"w": 0.0}, KeyError), (3.0, TypeError), ({"q": 1.0}, KeyError)],
)
def test_points_must_fit(z, error):
    density = sx.unconstrain(regression)(X, y)
    with pytest.raises(error) as caught:
        density.log_density(z)
    assert isinstance(caught.value, sx.errors.StoraxError)
    with pytest.raises(sx.errors.ShapeError, match="'w'"):
        density.log_density({**density.init(0), "w": jnp.zeros(3)})


def test_supports_that_depend_on_other_sites_inside_loops():
    def model():
        s = sx.sample("s", sx.HalfNormal(1.0))
        lax.scan(lambda c, m: (c, sx.sample("a", sx.Uniform(-s * m, s * m))), 0, jnp.array([1.0, 2.0]))
        jax.vmap(lambda m: sx.sample("b", sx.Uniform(0.0, s + m)))(jnp.arange(3.0))

    density = sx.unconstrain(model)()
    z = density.init(1)
    v = density.constrain(z)
    bound = v["s"] * jnp.array([1.0, 2.0])
    assert (jnp.abs(v["a"]) < bound).all() and ((v["b"] > 0) & (v["b"] < v["s"] + jnp.arange(3.0))).all()
    flat = lambda q: jnp.concatenate([jnp.ravel(density.constrain(density.unflatten(q))[n]) for n in "sab"])
    _, log_det = jnp.linalg.slogdet(jax.jacfwd(flat)(density.flatten(z)))
    np.testing.assert_allclose(density.log_density(z), sx.log_density(model)(v) + log_det, rtol=1e-4)
    for name, value in density.unconstrain(v).items():
        np.testing.assert_allclose(value, z[name], rtol=1e-4, atol=1e-4)


def test_a_branch_that_the_data_chose():
    def model(flag):
        a = sx.sample("a", N(0.0, 1.0))
        return lax.cond(flag, lambda: sx.sample("b", sx.HalfNormal(1.0)), lambda: sx.sample("c", N(a, 2.0)))

    density = sx.unconstrain(model)(jnp.array(True))
    z = {"a": jnp.array(0.3), "b": jnp.array(-0.7), "c": jnp.array(1.1)}
    b = np.exp(-0.7)
    expected = normal(0.3) + stats.halfnorm.logpdf(b) - 0.7 + normal(1.1)  # c is free: a standard normal stands in
    np.testing.assert_allclose(density.log_density(z), expected, rtol=1e-5)
    v = density.constrain(z)
    np.testing.assert_allclose(v["b"], b, rtol=1e-6)
    assert jnp.isnan(v["c"])


def test_a_branch_that_depends_on_a_latent_site():
    def model(y=None):
        a = sx.sample("a", N(0.0, 1.0))
        lax.cond(a > 0, lambda: sx.sample("b", N(0.0, 1.0)), lambda: 0.0)

    for ask in (lambda: sx.unconstrain(model)(), lambda: sx.mcmc(model)(0)):
        with pytest.raises(sx.errors.InferenceError, match="'b'.*branch.*depends on another"):
            ask()
    assert sx.unconstrain(sx.do(model, a=1.0))().shapes == {"b": ()}
    assert sx.unconstrain(sx.condition(model, a=1.0))().shapes == {"b": ()}

    def observed_only():
        a = sx.sample("a", N(0.0, 1.0))
        lax.cond(a > 0, lambda: sx.sample("y", N(0.0, 1.0), obs=1.0), lambda: sx.sample("y", N(9.0, 1.0), obs=1.0))

    f = sx.unconstrain(observed_only)().log_density
    np.testing.assert_allclose(f({"a": 0.5}), normal(0.5) + normal(1.0), rtol=1e-5)
    np.testing.assert_allclose(f({"a": -0.5}), normal(0.5) + normal(1.0, 9.0), rtol=1e-5)


@pytest.mark.parametrize(
    "d", [sx.Bernoulli(0.5), sx.Poisson(1.0), sx.Categorical(jnp.ones(3) / 3), sx.Binomial(3, 0.5)]
)
def test_discrete_latents_are_refused(d):
    model = lambda: sx.sample("k", d)
    with pytest.raises(sx.errors.InferenceError, match="'k'.*discrete"):
        sx.unconstrain(model)()


def test_a_model_without_latent_sites():
    for model in (
        lambda: sx.sample("y", N(0.0, 1.0), obs=1.0),
        sx.seed(lambda: sx.sample("x", N(0.0, 1.0)), 0),
    ):
        with pytest.raises(sx.errors.InferenceError, match="no latent site"):
            sx.unconstrain(model)()


# --- one trace, few equations


def test_the_model_is_traced_once_for_one_shape():
    calls = []

    def model(y):
        calls.append(1)
        mu = sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", N(mu, 1.0), obs=y)

    f, g = sx.log_density(model), sx.unconstrain(model)
    f({"mu": 0.0}, y)
    f({"mu": 1.0}, 2 * y)
    jax.jit(jax.vmap(f, (0, None)))({"mu": jnp.zeros(7)}, y)
    g(y).log_density({"mu": 0.0})
    jax.grad(g(3 * y).log_density)({"mu": 0.0})
    assert len(calls) == 1


def test_alike_sites_are_scored_together():
    def scalars(n):
        def model():
            tau = sx.sample("tau", sx.HalfNormal(1.0))
            for i in range(n):
                x = sx.sample(f"x{i}", N(0.0, tau))
                sx.sample(f"y{i}", N(x, 1.0), obs=float(i))

        return model

    def count(n):
        density = sx.unconstrain(scalars(n))()
        z = {"tau": 0.1, **{f"x{i}": 0.01 * i for i in range(n)}}
        expected = stats.halfnorm.logpdf(np.exp(0.1)) + 0.1
        expected += sum(normal(0.01 * i, 0, np.exp(0.1)) + normal(i, 0.01 * i) for i in range(n))
        np.testing.assert_allclose(density.log_density(z), expected, rtol=1e-5)
        jaxpr = jax.make_jaxpr(density.of_vector)(jnp.zeros(n + 1))
        return sum(e.primitive.name in ("log", "exp", "div", "square") for e in jaxpr.jaxpr.eqns)

    assert count(40) == count(3)
