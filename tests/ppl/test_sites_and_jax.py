"""Sites where JAX would lose, double or mix them up: found by trying to break it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx

N = sx.Normal
norm = stats.norm.logpdf


def test_data_in_one_branch_and_a_choice_in_the_other_are_not_one_site():
    def model(flag):
        return lax.cond(flag, lambda: sx.sample("x", N(0.0, 1.0), obs=3.0), lambda: sx.sample("x", N(0.0, 1.0)))

    for ask in (
        lambda: sx.log_density(model)({"x": 1.0}, True),
        lambda: sx.check(model)(True),
        lambda: sx.seed(sx.condition(model, x=1.0), 0)(True),
    ):
        with pytest.raises(sx.errors.ModelError, match=r"'x'.*in one branch.*in another.*different names"):
            ask()


@pytest.mark.parametrize("shape", [2, 3])
@pytest.mark.parametrize("in_plate", [True, False])
def test_weights_with_axes_over_lanes_of_several_copies(shape, in_plate):
    def model(mu):
        def lane(a):
            if in_plate:
                with sx.plate("n", shape):
                    return sx.sample("x", N(a, 1.0))
            return sx.sample("x", N(a, 1.0), shape=shape)

        return jax.vmap(lane)(mu)

    mu, w = jnp.arange(3.0), jnp.arange(3.0 * shape).reshape(3, shape)
    x = np.linspace(-1, 1, 3 * shape).reshape(3, shape)
    expected = (np.asarray(w) * norm(x, np.arange(3.0)[:, None])).sum()
    np.testing.assert_allclose(sx.log_density(sx.scale(model, w))({"x": x}, mu), expected, rtol=1e-5)
    masked = sx.log_density(sx.mask(model, w > 1))({"x": x}, mu)
    np.testing.assert_allclose(masked, norm(x, np.arange(3.0)[:, None])[np.asarray(w) > 1].sum(), rtol=1e-5)


def test_one_weight_for_lanes_with_a_batch():
    model = lambda: jax.vmap(lambda a: sx.sample("x", N(a, jnp.ones(2))))(jnp.arange(3.0))
    np.testing.assert_array_equal(sx.seed(sx.scale(model, 2.0), 0)(), sx.seed(model, 0)())
    x = np.zeros((3, 2))
    twice = sx.log_density(sx.scale(model, 2.0))({"x": x})
    np.testing.assert_allclose(twice, 2 * norm(x, np.arange(3.0)[:, None]).sum(), rtol=1e-6)
    inner = lambda: jax.vmap(lambda a: sx.sample("x", N(a, jnp.ones(2)).mask(jnp.array([True, False]))))(
        jnp.arange(3.0)
    )
    both = sx.log_density(sx.condition(sx.mask(inner, True), x=x))({})
    np.testing.assert_allclose(both, norm(0.0, np.arange(3.0)).sum(), rtol=1e-6)


def test_a_scale_inside_of_a_model_and_of_jit():
    sub = lambda: sx.sample("x", N(0.0, 1.0))
    inside = lambda: sx.scale(sub, 2.0)()
    assert sx.seed(inside, 0)() == jax.jit(lambda: sx.seed(sx.scale(sub, 2.0), 0)())() == sx.seed(sub, 0)()
    np.testing.assert_allclose(sx.log_density(inside)({"x": 1.0}), 2 * norm(1.0), rtol=1e-6)


def test_nothing_is_compiled_and_all_steps_still_differ():
    def model():
        step = lambda c, s: (c + sx.sample("x", N(c, s)),) * 2
        return lax.scan(step, 0.0, jnp.array([1.0, 2.0, 3.0]))[0]

    z = {"x": jnp.array([0.1, 0.2, 0.3])}
    expected = norm(0.1, 0, 1) + norm(0.2, 0.1, 2) + norm(0.3, 0.3, 3)
    density = sx.unconstrain(model)()
    with jax.disable_jit():
        np.testing.assert_allclose(density.log_density(z), expected, rtol=1e-6)
    np.testing.assert_allclose(density.log_density(z), expected, rtol=1e-6)


def test_a_handled_part_of_a_model_keeps_its_lanes_apart():
    def lane(flag):
        return lax.cond(flag, lambda: sx.sample("x", sx.HalfNormal(1.0)), lambda: sx.sample("x", N(-9.0, 1.0)))

    part = lambda: sx.vmap(lane)(jnp.array([True, False]))
    expected = sx.seed(sx.scope(part, "a"), 0)()
    np.testing.assert_array_equal(sx.seed(lambda: sx.scope(part, "a")(), 0)(), expected)
    assert expected[0] > 0 > expected[1]
    walk = lambda: sx.vmap(lambda s: lax.scan(lambda c, _: (c, sx.sample("x", N(s, 1.0))), 0, None, 2)[1])(
        jnp.arange(3.0)
    )
    shapes = [
        np.shape(sx.trace(sx.seed(f, 0))()[1]["a/x"].value)
        for f in (sx.scope(walk, "a"), lambda: sx.scope(walk, "a")())
    ]
    assert shapes[0] == shapes[1] == (3, 2)


def test_names_and_data_inside_of_an_inner_gradient():
    def model():
        q = sx.sample("q", N(0.0, 1.0))
        return jax.grad(lambda s: sx.deterministic("e", s**3))(q)

    slope, trace = sx.trace(sx.seed(model, 0))()
    q = trace["q"].value
    np.testing.assert_allclose([slope, trace["e"].value], [3 * q**2, q**3], rtol=1e-6)
    conditioned = lambda a: sx.condition(lambda a: jax.jit(lambda a: a * sx.sample("x", N(a, 1.0)))(a), x=2.0)(a)
    assert jax.grad(conditioned)(3.0) == 2.0


def test_an_observation_in_a_loop_counts_at_every_step_also_when_differentiated():
    def model(a):
        return lax.scan(lambda c, _: (c, sx.sample("y", N(a, 1.0), obs=1.0)), 0, None, 3)[1]

    f = lambda a: sx.log_density(model)({}, a)
    np.testing.assert_allclose([f(0.5), jax.grad(f)(0.5)], [3 * norm(1.0, 0.5), 3 * 0.5], rtol=1e-6)


def test_a_checkpoint_inside_of_an_inner_gradient_is_refused_in_words():
    model = lambda: jax.grad(jax.checkpoint(lambda q: jnp.sin(q * sx.sample("x", N(0.0, 1.0)))))(2.0)
    with pytest.raises(sx.errors.ControlFlowError, match=r"'x'.*jax\.checkpoint.*outside"):
        sx.seed(model, 0)()


@pytest.mark.parametrize("vmap", [jax.vmap, sx.vmap])
def test_a_while_loop_with_another_end_in_every_lane(vmap):
    def lane(n):
        step = lambda s: (s[0] + 1, s[1] + sx.sample("w", N(10.0, 0.01)))
        return lax.while_loop(lambda s: s[0] < n, step, (0, 0.0))[1]

    total = sx.seed(lambda: vmap(lane)(jnp.array([0, 1, 3])), 0)()
    np.testing.assert_allclose(total, [0, 10, 30], atol=0.2)


def test_draws_of_a_condition_and_of_its_body_differ():
    def model():
        return lax.while_loop(
            lambda c: sx.rv(N(0.0, 1.0)) + 0 * c[0] < 1.0, lambda c: (sx.rv(N(0.0, 1.0)), c[1] + 1), (0.0, 0)
        )

    draws = jax.vmap(lambda k: jnp.stack(sx.seed(model, k)()))(jax.random.split(jax.random.key(0), 4000))
    last, steps = draws[:, 0], draws[:, 1]
    p = stats.norm.sf(1.0)  # the number of steps is geometric
    assert abs(steps.mean() - (1 - p) / p) < 4 * np.sqrt((1 - p) / p**2 / 4000)
    assert abs(last[steps > 0].mean()) < 4 / np.sqrt((steps > 0).sum())  # the body's draws are not cut off at 1


def test_block_reaches_past_loops_and_scope_past_hidden_sites():
    def model():
        mean = sx.sample("mean", N(0.0, 1.0))
        return lax.scan(lambda c, _: (c, sx.sample("x", N(mean, 1.0))), 0, None, length=3)[1]

    expected = sx.seed(model, 0)()
    np.testing.assert_array_equal(sx.seed(sx.block(model, ["mean"]), 0)(), expected)
    with pytest.raises(sx.errors.UnknownNameError, match="Did you mean 'mean'"):
        sx.seed(sx.block(model, ["maen"]), 0)()
    sub = lambda: sx.sample("x", N(0.0, 1.0))
    assert sx.seed(sx.scope(sx.block(sub, ["x"]), "a"), 0)() == sx.seed(sub, 0)()


def test_a_trace_says_what_there_was_inside_of_it():
    sub = lambda: sx.sample("x", N(0.0, 1.0))
    assert list(sx.seed(sx.scope(sx.trace(sub), "a"), 0)()[1]) == ["x"]
    _, trace = sx.block(sx.trace(sx.substitute(sub, x=1.0)), ["x"])()
    assert trace["x"].value == 1.0


def test_traces_are_in_program_order():
    def both(c=0, _=None):
        return c, sx.sample("z", N(0.0, 1.0)) + sx.sample("a", N(0.0, 1.0))

    for f in (
        lambda: lax.scan(both, 0, None, 2)[1],
        lambda: lax.cond(True, lambda: both()[1], lambda: 0.0),
        lambda: sx.vmap(lambda i: both()[1])(jnp.arange(2)),
        lambda: jax.checkpoint(lambda: both()[1])(),
    ):
        assert list(sx.trace(sx.seed(f, 0))()[1]) == ["z", "a"]


def test_no_lanes_at_all_and_lanes_as_a_distribution():
    none = sx.trace(sx.seed(lambda: jax.vmap(lambda x: sx.sample("x", N(x, 1.0)))(jnp.zeros(0)), 0))()[1]["x"]
    assert none.value.shape == none.log_prob.shape == (0,)
    lanes = sx.trace(sx.seed(lambda: jax.vmap(lambda a: sx.sample("x", N(a, 1.0)))(jnp.arange(3.0)), 0))()[1]["x"]
    again = sx.trace(sx.seed(lambda: sx.sample("z", lanes.distribution), 1))()[1]["z"]
    np.testing.assert_allclose(again.log_prob, norm(again.value, np.arange(3.0)), rtol=1e-5)
    assert repr(lanes.distribution).endswith("in lanes (3,)")


def test_a_batch_size_that_does_not_divide_says_so():
    with pytest.raises(sx.errors.ModelError, match="batch_size must divide"):
        sx.seed(lambda: lax.map(lambda x: sx.sample("x", N(x, 1.0)), jnp.arange(10.0), batch_size=4), 0)()
    x = sx.seed(lambda: lax.map(lambda x: sx.sample("x", N(x, 1.0)), jnp.arange(8.0), batch_size=4), 0)()
    assert len(set(x.tolist())) == 8


def test_a_plate_may_be_entered_again():
    def model(**settings):
        p = sx.plate("n", 3, **settings)
        with p:
            a = sx.sample("a", N(0.0, 1.0))
        with p:
            return a, sx.sample("b", N(0.0, 1.0))

    assert [x.shape for x in sx.seed(model, 0)()] == [(3,), (3,)]
    with pytest.raises(sx.errors.ModelError, match="one block"):
        sx.seed(lambda: model(subsample_size=2), 0)()
    empty = lambda y: sx.sample("y", N(0.0, 1.0), obs=y)
    assert sx.log_density(lambda y: sx.vmap(empty)(y))({}, jnp.zeros(0)) == 0


def test_replay_refuses_a_derived_name():
    with pytest.raises(sx.errors.ModelError, match="'d'.*computed"):
        sx.replay(lambda: sx.deterministic("d", 1.0), {"d": 50.0})()


def test_a_loop_with_a_traced_length_is_called_by_its_name():
    model = lambda n: lax.fori_loop(0, n, lambda i, c: c + sx.sample("x", N(0.0, 1.0)), 0.0)
    with pytest.raises(sx.errors.ControlFlowError, match=r"'x'.*while_loop.*Python ints"):
        sx.log_density(model)({"x": np.zeros(3)}, np.array(3))
