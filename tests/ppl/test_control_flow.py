"""JAX control flow in and around sites, against hand-written densities and hand-written sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import N, density, draw, normal, values, walk
from jax import lax
from scipy import stats

import storax as sx

# --- scan, map, fori_loop


def test_scan_draws_afresh_and_scores_the_product():
    y = jnp.array([0.5, -0.5, 1.0])
    v = values(walk, y)
    x = v["x"]
    assert x.shape == (3,) and len(np.unique(x)) == 3
    expected = normal(x, 0.9 * np.r_[1.0, x[:-1]]).sum() + normal(y, x, 0.5).sum()
    np.testing.assert_allclose(density(walk, {"x": x}, y), expected, rtol=1e-5)
    level, by_hand = 1.0, []
    for t in range(3):
        level = 0.9 * level + draw(jax.random.key(0), "x", t)
        by_hand.append(level)
    np.testing.assert_allclose(x, by_hand, rtol=1e-5)


def test_scan_draws_are_prefix_stable():
    short, long = (values(walk, jnp.zeros(n))["x"] for n in (3, 7))
    np.testing.assert_allclose(short, long[:3], rtol=1e-6)


def test_reverse_scan_numbers_steps_by_position():
    def model(xs):
        return lax.scan(lambda c, x: (sx.sample("z", N(c + x, 1.0)),) * 2, 0.0, xs, reverse=True)[1]

    xs = jnp.array([1.0, 2.0, 3.0])
    z = values(model, xs)["z"]
    np.testing.assert_allclose(density(model, {"z": z}, xs), normal(z, np.r_[z[1:], 0.0] + xs).sum(), rtol=1e-5)
    np.testing.assert_allclose(z[2], 3.0 + draw(jax.random.key(0), "z", 2), rtol=1e-5)


def test_nested_scan():
    def model():
        def outer(c, _):
            a = sx.sample("a", N(c, 1.0))
            inner = lambda c, _: (sx.sample("b", N(c, 0.5)),) * 2
            c, bs = lax.scan(inner, a, None, length=3)
            return c, bs

        return lax.scan(outer, 0.0, None, length=2)[1]

    v = values(model)
    a, b = v["a"], v["b"]
    assert a.shape == (2,) and b.shape == (2, 3) and len(np.unique(b)) == 6
    previous = np.concatenate([a[:, None], b[:, :-1]], 1)
    expected = normal(a, np.r_[0.0, b[0, -1]]).sum() + normal(b, previous, 0.5).sum()
    np.testing.assert_allclose(density(model, v), expected, rtol=1e-5)


def test_vmap_of_scan_and_scan_of_vmap():
    def of_scan():
        return jax.vmap(lambda m: lax.scan(lambda c, _: (c, sx.sample("x", N(m, 1.0))), 0, None, length=3)[1])(
            jnp.arange(2.0)
        )

    def of_vmap():
        lane = lambda m: sx.sample("x", N(m, 1.0))
        return lax.scan(lambda c, _: (c, jax.vmap(lane)(jnp.arange(2.0))), 0, None, length=3)[1]

    v, w = values(of_scan), values(of_vmap)
    assert v["x"].shape == w["x"].shape == (3, 2)  # JAX puts the loop outside of the lanes in both
    for model, x in ((of_scan, v["x"]), (of_vmap, w["x"])):
        assert len(np.unique(x)) == 6
        np.testing.assert_allclose(density(model, {"x": x}), normal(x, np.arange(2.0)).sum(), rtol=1e-5)


def test_lax_map_and_vmap_give_the_same_draws():
    f = lambda m: sx.sample("x", N(m, 1.0))
    xs = jnp.arange(4.0)
    mapped, vmapped = values(lambda: lax.map(f, xs)), values(lambda: jax.vmap(f)(xs))
    np.testing.assert_allclose(mapped["x"], vmapped["x"], rtol=1e-6)
    np.testing.assert_allclose(density(lambda: lax.map(f, xs), mapped), normal(mapped["x"], xs).sum(), rtol=1e-5)


def test_fori_loop_with_static_bounds():
    def model():
        return lax.fori_loop(0, 4, lambda i, x: sx.sample("x", N(x + i, 1.0)), 0.0)

    v = values(model)
    x = v["x"]
    assert x.shape == (4,)
    expected = normal(x, np.r_[0.0, x[:-1]] + np.arange(4)).sum()
    np.testing.assert_allclose(density(model, v), expected, rtol=1e-5)


def test_scan_parameters_that_do_not_change_are_not_stacked():
    covariance = jnp.eye(20)

    def model():
        return lax.scan(
            lambda c, _: (c, sx.sample("x", sx.MultivariateNormal(jnp.zeros(20), covariance))), 0, None, 100
        )[1]

    f = lambda x: sx.log_density(model)({"x": x})
    jaxpr = str(jax.make_jaxpr(f)(jnp.zeros((100, 20))))
    assert "100,20,20" not in jaxpr


# --- while


def draws_until_positive():
    state = lax.while_loop(lambda s: s[1] < 1.0, lambda s: (s[0] + 1, sx.sample("w", N(0.0, 1.0))), (0, 0.0))
    return state


def test_while_loop_under_seed():
    count, w = sx.seed(draws_until_positive, 3)()
    key, i = jax.random.key(3), 0
    while draw(key, "w", i) < 1.0:
        i += 1
    assert count == i + 1
    np.testing.assert_allclose(w, draw(key, "w", i), rtol=1e-5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: sx.trace(sx.seed(m, 0))(),
        lambda m: sx.seed(sx.trace(m), 0)(),
        lambda m: sx.log_density(m)({"w": 1.0}),
        lambda m: sx.condition(m, w=1.0)(),
        lambda m: sx.unconstrain(m)(),
        lambda m: sx.mcmc(m)(0),
    ],
    ids=["trace", "seed trace", "log_density", "condition", "unconstrain", "mcmc"],
)
def test_while_loop_is_refused_where_a_density_or_trace_is_asked(ask):
    with pytest.raises(sx.errors.ControlFlowError, match="'w'.*while_loop.*lax.scan"):
        ask(draws_until_positive)


# --- cond, switch


def branching(index):
    a = sx.sample("a", N(0.0, 1.0))
    branches = [
        lambda: sx.sample("b", sx.HalfNormal(2.0)),
        lambda: sx.sample("c", N(a, 1.0)) + sx.sample("d", N(a, 2.0)),
        lambda: a,
    ]
    return lax.switch(index, branches)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_switch_with_different_sites(index):
    v = values(branching, index)
    _, trace = sx.trace(sx.seed(branching, 0))(jnp.array(index))
    assert [bool(trace[n].active) for n in "bcd"] == [index == 0, index == 1, index == 1]
    terms = [
        stats.halfnorm.logpdf(v["b"], 0, 2.0),
        normal(v["c"], v["a"]) + normal(v["d"], v["a"], 2.0),
        0.0,
    ]
    np.testing.assert_allclose(density(branching, v, jnp.array(index)), normal(v["a"]) + terms[index], rtol=1e-5)


def test_branches_that_share_a_name():
    def model(flag):
        return lax.cond(flag, lambda: sx.sample("x", N(5.0, 1.0)), lambda: sx.sample("x", sx.HalfNormal(2.0)))

    for flag, expected in ((True, normal(1.5, 5.0)), (False, stats.halfnorm.logpdf(1.5, 0, 2.0))):
        np.testing.assert_allclose(density(model, {"x": 1.5}, jnp.array(flag)), expected, rtol=1e-5)


def test_cond_inside_scan():
    def model(flags):
        def step(c, flag):
            return c, lax.cond(flag, lambda: sx.sample("x", N(0.0, 1.0)), lambda: 10 + sx.sample("y", N(0.0, 3.0)))

        return lax.scan(step, 0, flags)[1]

    flags = jnp.array([True, False, True])
    v = values(model, flags)
    expected = normal(v["x"][[0, 2]]).sum() + normal(v["y"][1], 0, 3.0)
    np.testing.assert_allclose(density(model, v, flags), expected, rtol=1e-5)


def two_kinds(flag):
    return lax.cond(flag, lambda: sx.sample("x", sx.HalfNormal(1.0)), lambda: sx.sample("x", N(-5.0, 1.0)))


def of_two_names(flag):
    return lax.cond(flag, lambda: sx.sample("x", sx.HalfNormal(1.0)), lambda: sx.sample("q", N(-5.0, 1.0)))


def observed_in_one(flag):
    lax.cond(flag, lambda: sx.sample("x", N(0.0, 1.0), obs=1.0), lambda: 0.0)


@pytest.mark.parametrize("lane", [two_kinds, of_two_names, observed_in_one, jax.jit(two_kinds)])
def test_cond_with_sites_under_raw_vmap_is_refused_with_advice(lane):
    model = lambda: jax.vmap(lane)(jnp.array([True, False]))
    for ask in (lambda: sx.seed(model, 0)(), lambda: sx.log_density(model)({"x": jnp.zeros(2)})):
        with pytest.raises(sx.errors.ModelError, match=r"'x'.*jax.vmap.*sx\.vmap"):
            ask()


def test_raw_vmap_of_a_cond_is_what_it_was_without_sites_or_with_one_predicate():
    out = jax.vmap(lambda p, x: lax.cond(p, jnp.sin, jnp.cos, x))(jnp.array([True, False]), jnp.ones(2))
    np.testing.assert_allclose(out, [np.sin(1.0), np.cos(1.0)], rtol=1e-6)
    x = sx.seed(lambda: jax.vmap(lambda _: two_kinds(True))(jnp.arange(3)), 0)()
    assert len(np.unique(x)) == 3 and (x > 0).all()


def test_vmap_keeps_one_branch_a_lane():
    def lane(flag):
        return lax.cond(flag, lambda: sx.sample("p", sx.HalfNormal(1.0)), lambda: sx.sample("q", N(-5.0, 1.0)))

    flags = jnp.array([True, False])
    x = sx.seed(lambda: sx.vmap(lane)(flags), 0)()
    v = values(lambda: sx.vmap(lane)(flags))
    np.testing.assert_allclose(x, [v["p"][0], v["q"][1]], rtol=1e-6)
    expected = stats.halfnorm.logpdf(v["p"][0]) + normal(v["q"][1], -5.0)
    np.testing.assert_allclose(density(lambda: sx.vmap(lane)(flags), v), expected, rtol=1e-5)


# --- jit, checkpoint, custom derivatives, grad


def test_jit_around_and_inside():
    @jax.jit
    def inner(m):
        return jax.jit(lambda: sx.sample("x", N(m, 1.0)))()

    def model():
        return inner(sx.sample("m", N(0.0, 1.0)))

    v = values(model)
    np.testing.assert_allclose(jax.jit(sx.seed(model, 0))(), v["x"], rtol=1e-6)
    np.testing.assert_allclose(density(model, v), normal(v["m"]) + normal(v["x"], v["m"]), rtol=1e-5)


def test_a_jitted_sub_model_called_twice():
    sub = jax.jit(lambda m: sx.sample("x", N(m, 1.0)))

    def model():
        return sx.scope(sub, "first")(0.0), sx.scope(sub, "second")(0.0)

    v = values(model)
    assert set(v) == {"first/x", "second/x"} and v["first/x"] != v["second/x"]
    assert sx.seed(sub, 0)(0.0) != sx.seed(sub, 1)(0.0)
    with pytest.raises(sx.errors.ModelError, match="'x' is sampled"):
        sx.seed(lambda: (sub(0.0), sub(0.0)), 0)()


@pytest.mark.parametrize("wrap", [jax.checkpoint, jax.remat], ids=["checkpoint", "remat"])
def test_checkpoint(wrap):
    def model(y):
        f = wrap(lambda m: jnp.sin(sx.sample("x", N(m, 1.0))))
        sx.sample("y", N(f(0.3), 1.0), obs=y)

    x = 0.8
    expected = lambda x: normal(x, 0.3) + normal(1.0, np.sin(x))
    np.testing.assert_allclose(density(model, {"x": x}, 1.0), expected(x), rtol=1e-5)
    slope = jax.grad(lambda x: sx.log_density(model)({"x": x}, 1.0))(x)
    np.testing.assert_allclose(slope, (expected(x + 1e-5) - expected(x - 1e-5)) / 2e-5, rtol=1e-3)


def test_custom_derivatives_around_sites_pass_values_and_refuse_gradients():
    @jax.custom_jvp
    def f(m):
        return sx.sample("x", N(m, 1.0))

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))

    def model(m):
        return f(m)

    v = values(model, 0.5)
    np.testing.assert_allclose(density(model, v, 0.5), normal(v["x"], 0.5), rtol=1e-5)
    with pytest.raises(sx.errors.ControlFlowError, match="'x'.*custom derivative"):
        jax.grad(lambda x: sx.log_density(model)({"x": x}, 0.5))(1.0)


def test_custom_derivatives_beside_sites_are_used():
    @jax.custom_vjp
    def f(x):
        return x**2

    f.defvjp(lambda x: (f(x), x), lambda x, g: (100.0 * g,))  # a wrong derivative, to see that it is the one used

    def model():
        x = sx.sample("x", N(0.0, 1.0))
        sx.factor("f", f(x))

    slope = jax.grad(lambda x: sx.log_density(model)({"x": x}))(1.0)
    np.testing.assert_allclose(slope, 100.0 - 1.0, rtol=1e-6)


def test_grad_of_an_inner_function():
    def model():
        x = sx.sample("x", N(0.0, 1.0))
        force = -jax.grad(lambda q: q**4)(x)
        return sx.sample("y", N(force, 1.0))

    v = values(model)
    np.testing.assert_allclose(density(model, v), normal(v["x"]) + normal(v["y"], -4 * v["x"] ** 3), rtol=1e-5)


def test_grad_through_a_seeded_scan_does_not_merge_draws():
    def total(scale):
        f = sx.seed(
            lambda: lax.scan(lambda c, _: (c + scale * sx.sample("x", N(0.0, 1.0)), 0.0), 0.0, None, length=3)[0], 0
        )
        return f()

    key = jax.random.key(0)
    np.testing.assert_allclose(jax.grad(total)(2.0), sum(draw(key, "x", i) for i in range(3)), rtol=1e-5)


def test_grad_inside_of_a_model_that_samples_is_refused():
    with pytest.raises(sx.errors.ControlFlowError, match="'x'.*jax.grad"):
        sx.seed(lambda: jax.grad(lambda m: sx.sample("x", N(m, 1.0)))(0.0), 0)()
