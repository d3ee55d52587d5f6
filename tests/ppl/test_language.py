"""The language: what a site is, prints as, and says outside of any handler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx


def coin(flips):
    p = sx.sample("p", sx.Beta(2.0, 3.0))
    return sx.sample("flips", sx.Bernoulli(p), obs=flips)


def test_a_model_prints_as_a_jaxpr_with_its_sites_by_name():
    text = str(jax.make_jaxpr(coin)(jnp.array([0, 1])))
    assert "sample[site=p] 2.0" in text
    assert "observe[site=flips]" in text
    assert [e.primitive.name for e in jax.make_jaxpr(coin)(jnp.array([0, 1])).jaxpr.eqns] == ["sample", "observe"]


def test_a_vmapped_site_prints_its_lanes():
    jaxpr = jax.make_jaxpr(lambda: jax.vmap(lambda _: sx.sample("z", sx.Normal(0.0, 1.0)))(jnp.arange(5)))()
    assert "sample[site=z*5]" in str(jaxpr)


@pytest.mark.parametrize(
    "run",
    [
        lambda f: f(),
        lambda f: jax.jit(f)(),
        lambda f: jax.jit(lambda: lax.scan(lambda c, _: (c, f()), 0, None, length=3))(),
        lambda f: lax.scan(lambda c, _: (c, f()), 0, None, length=3),
        lambda f: jax.vmap(lambda _: f())(jnp.arange(3)),
    ],
    ids=["plain", "jit", "jit scan", "scan", "vmap"],
)
def test_unhandled_sample_names_the_site_and_shows_the_call(run):
    with pytest.raises(sx.errors.UnhandledSiteError, match=r"'height'.*test_language.py.*sx\.seed\(model") as caught:
        run(lambda: sx.sample("height", sx.Normal(0.0, 1.0)))
    assert isinstance(caught.value, RuntimeError)
    assert "MLIR" not in str(caught.value)


def test_observed_and_derived_values_need_no_handler():
    assert sx.sample("y", sx.Normal(0.0, 1.0), obs=2.0) == 2.0
    assert sx.deterministic("d", 3.0) == 3.0


@pytest.mark.parametrize(
    ("shape", "expected"), [((), (3,)), (4, (4, 3)), ((5, 4), (5, 4, 3)), ([2], (2, 3)), ((0,), (0, 3))]
)
def test_shape_puts_copies_in_front(shape, expected):
    d = sx.Normal(jnp.zeros(3), 1.0)
    assert sx.seed(lambda: sx.sample("x", d, shape=shape), 0)().shape == expected
    assert sx.seed(lambda: sx.rv(d, shape), 0)().shape == expected


def test_copies_are_independent():
    x = sx.seed(lambda: sx.sample("x", sx.Normal(0.0, 1.0), shape=1000), 0)()
    assert len(np.unique(x)) == 1000


def test_leading_axes_of_an_observation_are_copies():
    y = np.zeros((5, 4, 3))
    _, trace = sx.trace(lambda: sx.sample("y", sx.Normal(jnp.zeros(3), 1.0), obs=y))()
    assert trace["y"].log_prob.shape == (5, 4, 3)


@pytest.mark.parametrize("shape", [(10, 1), (1,), (), (9,), (3, 9), (1, 10, 1)])
def test_trailing_axes_of_an_observation_are_not_broadcast(shape):
    with pytest.raises(sx.errors.ShapeError, match=r"'y'.*test_language.py.*\(10,\)"):
        sx.sample("y", sx.Normal(jnp.zeros(10), 1.0), obs=np.zeros(shape))


def test_shape_and_observation_must_agree():
    with pytest.raises(sx.errors.ShapeError, match=r"'y'.*\(4, 3\)"):
        sx.sample("y", sx.Normal(jnp.zeros(3), 1.0), obs=np.zeros((5, 3)), shape=4)


def test_anonymous_draws_differ_and_are_reproducible():
    def model():
        return jnp.stack([sx.rv(sx.Normal(0.0, 1.0)), sx.rv(sx.Normal(0.0, 1.0)), sx.sample("x", sx.Normal(0.0, 1.0))])

    draws = sx.seed(model, 0)()
    assert len(np.unique(draws)) == 3
    np.testing.assert_array_equal(draws, sx.seed(model, 0)())
    assert not np.any(draws == sx.seed(model, 1)())


def test_anonymous_draws_in_loops_and_branches_differ():
    def model():
        _, xs = lax.scan(lambda c, _: (c, sx.rv(sx.Normal(0.0, 1.0))), 0, None, length=4)
        inner = jax.jit(lambda: sx.rv(sx.Normal(0.0, 1.0)))
        return jnp.concatenate([xs, jnp.stack([inner(), inner()])])

    assert len(np.unique(sx.seed(model, 0)())) == 6


def test_factor_adds_all_its_entries():
    def model():
        x = sx.sample("x", sx.Normal(0.0, 1.0))
        sx.factor("w", x * jnp.array([1.0, 2.0]))

    x = 0.7
    expected = -0.5 * x**2 - 0.5 * np.log(2 * np.pi) + 3 * x
    np.testing.assert_allclose(sx.log_density(model)({"x": x}), expected, rtol=1e-6)


def test_model_decorator_adds_methods_that_are_the_functions():
    @sx.model
    def m(loc):
        "Documentation."
        x = sx.sample("x", sx.Normal(loc, 1.0))
        return sx.sample("y", sx.Normal(x, 1.0))

    assert m.__name__ == "m" and m.__doc__ == "Documentation."
    assert m.seed(3)(1.0) == sx.seed(m, 3)(1.0)
    assert m.condition(y=2.0).log_density()({"x": 1.0}, 0.0) == sx.log_density(sx.condition(m, {"y": 2.0}))(
        {"x": 1.0}, 0.0
    )
    for name in [
        "seed",
        "trace",
        "condition",
        "substitute",
        "do",
        "block",
        "scope",
        "mask",
        "scale",
        "replay",
        "log_density",
        "log_likelihood",
    ]:
        assert callable(getattr(m, name))
    with pytest.raises(AttributeError, match="has no method 'sed'"):
        m.sed(0)


@pytest.mark.parametrize("data", [[1.0, 2.0], np.array([1.0, 2.0]), np.array([1, 2]), (1.0, 2.0)], ids=type)
def test_data_of_many_kinds(data):
    got = sx.seed(lambda y: sx.sample("y", sx.Normal(0.0, 1.0), obs=y), 0)
    closed = sx.log_density(lambda: sx.sample("y", sx.Normal(0.0, 1.0), obs=data))({})
    np.testing.assert_allclose(closed, -0.5 * (1 + 4) - np.log(2 * np.pi), rtol=1e-6)
    if not isinstance(data, tuple):  # a tuple argument is a tuple of arguments
        np.testing.assert_array_equal(got(data), [1.0, 2.0])
        assert got(data).dtype == jnp.float32


def test_pandas_data():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})

    def model(column, table):
        sx.sample("column", sx.Normal(0.0, 1.0), obs=column)
        return sx.sample("table", sx.Normal(0.0, 1.0), obs=table)

    np.testing.assert_array_equal(sx.seed(model, 0)(frame["a"], frame), [[1.0, 3.0], [2.0, 4.0]])
    np.testing.assert_array_equal(sx.seed(lambda: sx.sample("y", sx.Normal(0.0, 1.0), obs=frame["b"]), 0)(), [3.0, 4.0])
