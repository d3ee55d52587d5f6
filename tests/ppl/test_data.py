"""Numbers as users hand them in: taken as they are, or refused; never wrapped around, cut off or broadcast."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

N = sx.Normal


def density(**kwargs):
    return sx.log_density(lambda: sx.sample("y", **kwargs))({})


@pytest.mark.parametrize(
    "d, obs, words",
    [
        (N(5e9, 1e3), [5_000_000_000], r"value\[0\] = 5000000000 does not fit int32.*y\.astype\(float\)"),
        (sx.Poisson(3.0), 2**32 + 3, r"4294967299 does not fit int32"),
        (sx.Poisson(3.0), np.array([1.0, 1e12]), r"value\[1\] = 999999995904.0 does not fit int32"),
        (N(0.0, 1.0), np.array([0.0, 1e300]), r"value\[1\] = 1e\+300 does not fit float32"),
        (N(0.0, 1.0), [1j], "is complex.*y.real"),
        (N(0.0, 1.0), jnp.array([1j]), "is complex"),
        (N(0.0, 1.0), [np.ma.array([1.0, 99.0], mask=[0, 1]), [2.0, 3.0]], "masked array.*mask"),
        (N(0.0, 1.0), ["a"], "dtype"),
        (N(0.0, 1.0), [[1.0], [1.0, 2.0]], "one array"),
        (N(0.0, 1.0), jax.random.key(0), "dtype key"),
    ],
)
def test_what_does_not_fit_is_refused(d, obs, words):
    with pytest.raises((sx.errors.ArgumentTypeError, sx.errors.ObservationError), match=rf"site 'y' \(.*{words}"):
        density(d=d, obs=obs)


def test_whole_numbers_at_the_edge_fit():
    y = 2**31 - 1
    assert sx.trace(lambda: sx.sample("y", sx.Poisson(1.0), obs=y))()[1]["y"].value == y
    assert density(d=N(0.0, 1.0), obs=np.array([3], np.int64)) == density(d=N(0.0, 1.0), obs=[3.0])


def test_a_mask_within_an_event_leaves_out_what_it_says():
    mask = jnp.array([True, False, True])
    d = sx.Bernoulli(jnp.array([0.2, 0.3, 0.4])).mask(mask).to_event(1)
    for third in (0, -1):  # no value that counts is outside
        np.testing.assert_allclose(density(d=d, obs=np.array([1, third, 0])), np.log(0.2 * 0.6), rtol=1e-6)
    with pytest.raises(sx.errors.ObservationError, match="outside of the support"):
        density(d=d, obs=np.array([-1, 1, 0]))
    two = sx.Normal(jnp.zeros((1, 3)), 1.0).mask(mask[None]).to_event(1).expand((2,)).mask(jnp.array([True, False]))
    y = np.array([[1.0, np.nan, 2.0], [np.nan] * 3])
    np.testing.assert_allclose(density(d=two, obs=y), -2.5 - np.log(2 * np.pi), rtol=1e-6)
    y[0, 2] = np.nan
    with pytest.raises(sx.errors.ObservationError, match=r"value\[0, 2\], 1 in all"):
        density(d=two, obs=y)


def test_none_is_called_none():
    with pytest.raises(sx.errors.ArgumentTypeError, match="value of site 'd' .* is None"):
        sx.seed(lambda: sx.deterministic("d", None), 0)()


def test_complex_weights_are_refused_and_complex_quantities_are_not():
    with pytest.raises(sx.errors.ArgumentTypeError, match="complex"):
        sx.log_density(lambda: sx.factor("f", 1j))({})
    with pytest.raises(sx.errors.ArgumentTypeError, match="complex"):
        sx.scale(lambda: None, 1j)
    assert sx.trace(lambda: sx.deterministic("d", jnp.array(1j)))()[1]["d"].value == 1j


def test_lists_may_hold_draws():
    def model():
        a = sx.sample("a", N(0.0, 1.0))
        return a, sx.deterministic("d", [a, 1.0])

    a, d = sx.seed(model, 0)()
    np.testing.assert_array_equal(d, [a, 1.0])
    with pytest.raises(sx.errors.ArgumentTypeError, match="different shapes"):
        sx.seed(lambda: sx.deterministic("d", [jnp.zeros(2), 1.0]), 0)()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_that_were_bound_do_not_change_with_the_users_array(dtype):
    """Of either type: one would be copied by the conversion, the other shared."""
    y = np.zeros(3, dtype)
    f = sx.log_density(sx.condition(lambda: sx.sample("y", N(0.0, 1.0), shape=3), y=y))
    bound = sx.unconstrain(lambda y: (sx.sample("m", N(0.0, 1.0)), sx.sample("y", N(0.0, 1.0), obs=y)))(y)
    before = f({}), bound.log_density({"m": 0.0})
    y[:] = 3.0
    assert (f({}), bound.log_density({"m": 0.0})) == before


def test_support_that_depends_on_a_draw_scores_and_does_not_raise():
    def model(y):
        h = sx.sample("h", sx.HalfNormal(10.0))
        sx.sample("y", sx.Uniform(0.0, h), obs=y)

    y = np.array([5.0])
    f = sx.log_density(model)
    assert f({"h": 1.0}, y) == jax.jit(f)({"h": 1.0}, y) == -jnp.inf
    scores = [sx.trace(sx.seed(model, k))(y)[1]["y"].log_prob[0] for k in range(8)]
    assert {bool(np.isfinite(s)) for s in scores} == {True, False}
    with pytest.raises(sx.errors.ObservationError, match=r"value\[0\] = 5.0"):  # a fixed support is looked at
        sx.log_density(lambda y: sx.sample("y", sx.Uniform(0.0, 1.0), obs=y))({}, y)


def test_bad_parameters_are_refused_as_soon_as_they_are_known():
    model = lambda s: sx.sample("y", N(0.0, s))
    with pytest.raises(sx.errors.ParameterError, match=r"site 'y' .*scale must be positive, and scale is -1"):
        sx.seed(model, 0)(np.array(-1.0))
    with pytest.raises(sx.errors.ParameterError, match=r"site 'y' .*scale"):
        sx.seed(lambda s: jax.vmap(model)(s), 0)(np.array([1.0, -1.0]))
    lanes = lambda low: jax.vmap(lambda a: sx.sample("y", sx.Uniform(a, jnp.array([5.0, 1.5]))))(low)
    with pytest.raises(sx.errors.ParameterError, match=r"site 'y' .*high must be above low"):
        sx.check(lanes)(jnp.arange(3.0))
    assert len(sx.check(lanes)(jnp.array([0.0, 1.0]))) == 1


def test_keys_that_are_none():
    model = lambda: sx.sample("x", N(0.0, 1.0))
    for key, words in [(None, "got None"), (2**70, "64 bits"), (jnp.zeros(3, jnp.uint32), r"shape \(3,\)")]:
        with pytest.raises(sx.errors.ArgumentTypeError, match=words):
            sx.seed(model, key)
    with pytest.raises(sx.errors.ArgumentTypeError, match="got None"):
        sx.seed(model)
    with pytest.raises(sx.errors.ArgumentTypeError, match="values by name"):
        sx.log_density(model)()


@pytest.mark.parametrize("name", ["a\nb", " a", "\x00", "  "])
def test_names_are_printed(name):
    with pytest.raises(sx.errors.InvalidNameError, match=r"sx\.sample \(test_data\.py:\d+\)"):
        sx.seed(lambda: sx.sample(name, N(0.0, 1.0)), 0)()


@pytest.mark.parametrize("call", [sx.plate, sx.deterministic, sx.factor])
def test_a_name_that_is_none_says_which_call(call):
    with pytest.raises(sx.errors.ArgumentTypeError, match=rf"sx\.{call.__name__} \(.*sx\.{call.__name__}\(\""):
        call(1, 3)


def test_suggested_prefixes_are_allowed():
    for name in ("#x", "/x", "a/b"):
        with pytest.raises(sx.errors.InvalidNameError) as caught:
            sx.seed(lambda name=name: sx.sample(name, N(0.0, 1.0)), 0)()
        prefix = str(caught.value).rsplit("'", 2)[1]
        sx.scope(lambda: None, prefix)


@pytest.mark.parametrize(
    "d", [lambda s: N(0.0, s), lambda s: sx.MultivariateNormal(jnp.zeros(2), s * jnp.eye(2)), lambda s: sx.Gamma(s, s)]
)
def test_lanes_over_numpy_arrays_inside_of_jit(d):
    """`jax.vmap` hands these on as they are, and custom derivatives used to refuse them."""
    s, x = np.array([1.0, 4.0], np.float32), 0.5
    score = lambda s: d(s).log_prob(jnp.full(d(1.0).shape, x))
    np.testing.assert_allclose(jax.jit(lambda: jax.vmap(score)(s))(), [score(1.0), score(4.0)], rtol=1e-5)
    model = lambda: jax.vmap(lambda s: sx.sample("x", d(s)))(s)
    draw = jax.jit(lambda: sx.seed(model, 0)())()
    np.testing.assert_allclose(
        jax.jit(sx.log_density(model))({"x": draw}), sx.log_density(model)({"x": draw}), rtol=1e-5
    )
