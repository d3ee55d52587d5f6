"""The handlers: what each means, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats
from two_levels import GIVEN, N, model, normal, traced, y

import storax as sx

# --- seed


def test_seed_accepts_every_kind_of_key():
    draws = [sx.seed(model, key)() for key in (jax.random.key(7), jax.random.PRNGKey(7), 7, np.int64(7))]
    for other in draws[1:]:
        np.testing.assert_array_equal(draws[0], other)
    np.testing.assert_array_equal(jax.jit(lambda i: sx.seed(model, i)())(7), draws[0])


@pytest.mark.parametrize("key", [None, "0", 1.5, jnp.zeros(3), jax.random.split(jax.random.key(0), 2), True])
def test_seed_refuses_what_is_no_key(key):
    with pytest.raises(sx.errors.ArgumentTypeError, match=r"sx\.seed needs"):
        sx.seed(model, key)


def test_a_draw_does_not_depend_on_other_sites():
    def more(y=None):
        sx.sample("extra", N(0.0, 1.0))
        return model(y)

    few, many = traced(sx.seed(model, 0)), traced(sx.seed(more, 0))
    fixed = traced(sx.seed(sx.condition(model, tau=2.0), 0))
    for name in ("mu", "tau", "theta", "y"):
        np.testing.assert_array_equal(few[name].value, many[name].value)
    np.testing.assert_array_equal(few["mu"].value, fixed["mu"].value)
    standard = (few["theta"].value - few["mu"].value) / few["tau"].value
    np.testing.assert_allclose((fixed["theta"].value - fixed["mu"].value) / 2.0, standard, rtol=1e-5)


def test_seed_and_trace_commute():
    out, trace = sx.trace(sx.seed(model, 0))(y)
    out2, trace2 = sx.seed(sx.trace(model), 0)(y)
    np.testing.assert_array_equal(out, out2)
    assert list(trace) == list(trace2) == ["mu", "tau", "theta", "total", "y"]
    jax.tree.map(np.testing.assert_array_equal, trace, trace2)


def test_draws_follow_the_distributions():
    keys = jax.random.split(jax.random.key(1), 4000)
    x = jax.vmap(lambda k: sx.seed(lambda: sx.sample("x", sx.Gamma(2.0, 3.0)), k)())(keys)
    assert stats.kstest(np.asarray(x), stats.gamma(2.0, 0, 1 / 3.0).cdf).pvalue > 1e-3


# --- trace


def test_trace_holds_values_distributions_and_scores():
    t = traced(sx.seed(model, 0), y)
    assert t["y"].observed and not t["mu"].observed
    np.testing.assert_array_equal(t["y"].value, y)
    np.testing.assert_allclose(t["theta"].log_prob, normal(t["theta"].value, t["mu"].value, t["tau"].value), rtol=1e-5)
    np.testing.assert_allclose(t["y"].log_prob, normal(y, t["theta"].value), rtol=1e-5)
    assert t["total"].log_prob is None and t["total"].distribution is None
    np.testing.assert_allclose(t["total"].value, t["theta"].value.sum())
    assert t["mu"].distribution.loc == 0.0
    assert t["theta"].distribution.shape == (3,)
    np.testing.assert_allclose(t["theta"].distribution.log_prob(t["theta"].value), t["theta"].log_prob)
    assert set(t.latent) == {"mu", "tau", "theta"}
    with pytest.raises(KeyError, match="Did you mean 'theta'"):
        t["thetas"]
    assert "theta" in repr(t) and "observed" in repr(t)


def test_a_trace_is_a_pytree_that_jits_and_vmaps():
    t = jax.jit(lambda k: traced(sx.seed(model, k)))(jax.random.key(0))
    np.testing.assert_allclose(t["theta"].value, traced(sx.seed(model, 0))["theta"].value, rtol=1e-6)
    many = jax.vmap(lambda k: traced(sx.seed(model, k)))(jax.random.split(jax.random.key(0), 4))
    assert many["theta"].value.shape == (4, 3) and list(many) == list(t)


# --- condition, substitute, do


def test_condition_observes():
    t = traced(sx.seed(sx.condition(model, {"mu": 1.0}, y=y), 0))
    assert t["mu"].observed and t["y"].observed and t["mu"].value == 1.0


def test_substitute_keeps_a_choice_a_choice():
    t = traced(sx.seed(sx.substitute(model, mu=1.0), 0))
    assert not t["mu"].observed and t["mu"].value == 1.0
    np.testing.assert_allclose(t["mu"].log_prob, normal(1.0), rtol=1e-6)
    rest = {"tau": 1.2, "theta": y}
    both = sx.log_density(model)({**rest, "mu": 1.0}, y)
    np.testing.assert_allclose(sx.log_density(sx.substitute(model, mu=1.0))(rest, y), both, rtol=1e-6)


def test_do_cuts_the_site_out():
    cut = sx.do(model, mu=1.0, total=5.0)
    t = traced(sx.seed(cut, 0), y)
    assert "mu" not in t and "total" not in t
    given = {"tau": 1.3, "theta": jnp.array([0.1, 0.2, 0.3])}
    expected = stats.halfnorm.logpdf(1.3) + normal(given["theta"], 1.0, 1.3).sum() + normal(y, given["theta"]).sum()
    np.testing.assert_allclose(sx.log_density(cut)(given, y), expected, rtol=1e-5)
    conditioned = sx.log_density(sx.condition(model, mu=1.0))(given, y)
    np.testing.assert_allclose(conditioned, expected + normal(1.0), rtol=1e-5)


def in_loops(flag=True):
    a = lax.scan(lambda c, _: (c, sx.sample("a", N(0.0, 1.0))), 0, None, length=3)[1]
    b = jax.vmap(lambda m: sx.sample("b", N(m, 1.0), shape=2))(a)
    c = lax.cond(flag, lambda: sx.sample("c", N(0.0, 1.0)), lambda: 0.0)
    d = sx.vmap(lambda m: lax.scan(lambda s, _: (s, sx.sample("d", N(m, 1.0))), 0, None, length=2)[1])(a)
    return a, b, c, d


VALUES = {"a": np.arange(3.0), "b": np.arange(6.0).reshape(3, 2), "c": 7.0, "d": np.arange(6.0).reshape(3, 2)}


@pytest.mark.parametrize("give", [sx.condition, sx.substitute, sx.do])
def test_values_reach_sites_in_loops_lanes_and_branches(give):
    for got, value in zip(sx.seed(give(in_loops, VALUES), 0)(), VALUES.values(), strict=True):
        np.testing.assert_array_equal(got, value)
    for name, value in VALUES.items():
        partly = sx.seed(give(in_loops, {name: value}), 0)()
        np.testing.assert_array_equal(partly["abcd".index(name)], value)


@pytest.mark.parametrize("give", [sx.condition, sx.substitute, sx.do, sx.replay])
def test_unknown_names_are_refused_with_the_nearest(give):
    with pytest.raises(sx.errors.UnknownNameError, match="'thta'.*Did you mean 'theta'") as caught:
        sx.seed(give(model, {"thta": jnp.zeros(3)}), 0)()
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("give", [sx.condition, sx.substitute, sx.do, sx.replay])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (4,)])
def test_shapes_are_not_broadcast(give, shape):
    with pytest.raises(
        sx.errors.ShapeError, match=r"'theta'.*\(3,\).*" + str(shape).replace("(", r"\(").replace(")", r"\)")
    ):
        sx.seed(give(model, {"theta": jnp.zeros(shape)}), 0)()


def test_what_is_observed_is_not_observed_again():
    with pytest.raises(sx.errors.ModelError, match="'y'.*observed already"):
        sx.seed(sx.condition(model, y=y), 0)(y)
    with pytest.raises(sx.errors.ModelError, match="'y'.*sx.do"):
        sx.seed(sx.substitute(model, y=y), 0)(y)
    with pytest.raises(sx.errors.ModelError, match="'total'.*computed"):
        sx.seed(sx.substitute(model, total=1.0), 0)()
    np.testing.assert_array_equal(sx.seed(sx.do(model, y=2 * y), 0)(y), 2 * y)


@pytest.mark.parametrize("values", [3.0, [1.0], "mu"])
def test_values_come_by_name(values):
    with pytest.raises(sx.errors.ArgumentTypeError, match="by name"):
        sx.condition(model, values)


def test_a_name_given_twice_or_none():
    with pytest.raises(sx.errors.ArgumentTypeError, match="two values for 'mu'"):
        sx.condition(model, {"mu": 1.0}, mu=2.0)
    with pytest.raises(sx.errors.ArgumentTypeError, match="None for 'mu'"):
        sx.condition(model, mu=None)


def test_observed_derived_quantity_is_data():
    t = traced(sx.seed(sx.condition(model, total=9.0), 0))
    assert t["total"].observed and t["total"].value == 9.0
    with pytest.raises(sx.errors.NotMeasurable, match="'total'"):
        sx.log_density(sx.condition(model, total=9.0))({"mu": 0.0, "tau": 1.0, "theta": y, "y": y})


# --- block, scope, replay


def test_block_hides_from_what_is_further_out():
    t = traced(sx.seed(sx.block(model, ["theta"]), 0))
    np.testing.assert_array_equal(t["y"].value, traced(sx.seed(model, 0))["y"].value)
    assert list(t) == ["mu", "tau", "total", "y"]
    assert list(traced(sx.seed(sx.block(model, expose=["mu"]), 0))) == ["mu"]
    assert list(traced(sx.seed(sx.block(model), 0))) == []
    with pytest.raises(sx.errors.UnknownNameError, match="'theta'"):
        sx.seed(sx.condition(sx.block(model, "theta"), theta=y), 0)()
    with pytest.raises(sx.errors.UnknownNameError, match="Did you mean 'theta'"):
        sx.seed(sx.block(model, ["thet"]), 0)()
    with pytest.raises(sx.errors.NotMeasurable, match="sx.block"):
        sx.log_density(sx.block(model, "theta"))({"mu": 0.0, "tau": 1.0, "y": y})


def test_two_blocked_sub_models_draw_differently():
    sub = lambda: sx.sample("x", N(0.0, 1.0))

    def twice():
        return sx.block(sub)(), sx.block(sub)(), sx.sample("x", N(0.0, 1.0))

    draws = sx.seed(twice, 0)()
    assert len(np.unique(draws)) == 3
    assert list(traced(sx.seed(twice, 0))) == ["x"]


def test_scope_prefixes_and_nests():
    sub = lambda: sx.sample("x", N(0.0, 1.0)) + sx.rv(N(0.0, 1.0))

    def outer():
        return sx.scope(sub, "a")() + sx.scope(lambda: sx.scope(sub, "c")(), "b")()

    t = traced(sx.seed(outer, 0))
    assert list(t) == ["a/x", "b/c/x"] and t["a/x"].value != t["b/c/x"].value
    assert sx.seed(sx.condition(outer, {"b/c/x": 2.0}), 0)() != sx.seed(outer, 0)()
    for prefix in ("", "a/b"):
        with pytest.raises(sx.errors.InvalidNameError):
            sx.scope(sub, prefix)


def test_replay_repeats_the_choices():
    t = traced(sx.seed(model, 0))
    again = traced(sx.seed(sx.replay(model, t), 1))
    for name in t:
        np.testing.assert_array_equal(t[name].value, again[name].value)
    with_data = traced(sx.seed(sx.replay(model, traced(sx.seed(model, 0), y)), 1), 2 * y)
    np.testing.assert_array_equal(with_data["y"].value, 2 * y)
    np.testing.assert_array_equal(with_data["theta"].value, t["theta"].value)


# --- mask, scale


def test_scale_multiplies_everything():
    whole = sx.log_density(model)(GIVEN, y)
    np.testing.assert_allclose(sx.log_density(sx.scale(model, 2.5))(GIVEN, y), 2.5 * whole, rtol=1e-6)
    assert sx.log_density(sx.mask(model, False))(GIVEN, y) == 0.0
    np.testing.assert_allclose(sx.log_density(sx.mask(model, True))(GIVEN, y), whole, rtol=1e-6)


def test_a_mask_with_axes_leaves_out_nan():
    data = jnp.array([1.0, jnp.nan, 2.0])

    def likelihood(mu, data):
        sx.sample("y", N(mu, 1.0), obs=data)
        lax.scan(lambda c, v: (c, sx.sample("z", N(mu, 1.0), obs=v)), 0, data)
        jax.vmap(lambda v: sx.sample("w", N(mu, 1.0), obs=v))(data)

    masked = sx.mask(likelihood, ~jnp.isnan(data))
    expected = 3 * (normal(1.0, 0.5) + normal(2.0, 0.5))
    np.testing.assert_allclose(sx.log_density(masked)({}, 0.5, data), expected, rtol=1e-5)
    slope = jax.grad(lambda m: sx.log_density(masked)({}, m, data))(0.5)
    np.testing.assert_allclose(slope, 3 * (0.5 + 1.5), rtol=1e-5)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(sx.errors.ShapeError, match=r"sx\.mask: site 'mu'.*\(\).*\(3,\)"):
        sx.log_density(sx.mask(model, jnp.ones(3, bool)))(GIVEN, y)
    with pytest.raises(sx.errors.ArgumentTypeError, match="booleans"):
        sx.mask(model, 1.0)
    with pytest.raises(sx.errors.ParameterError, match="not negative"):
        sx.scale(model, -1.0)


def test_scale_with_one_weight_a_row():
    weights = jnp.array([1.0, 2.0, 0.0])
    likelihood = lambda: sx.sample("y", N(0.0, 1.0), obs=y)
    np.testing.assert_allclose(
        sx.log_density(sx.scale(likelihood, weights))({}), (weights * normal(y)).sum(), rtol=1e-6
    )
