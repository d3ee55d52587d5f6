"""Plates and `sx.vmap`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx

N = sx.Normal
normal = stats.norm.logpdf


def traced(f, *args):
    return sx.trace(sx.seed(f, 0))(*args)[1]


def test_a_plate_makes_independent_copies_with_a_dimension_name():
    def model():
        mu = sx.sample("mu", N(0.0, 1.0))
        with sx.plate("school", 4) as i:
            theta = sx.sample("theta", N(mu, 1.0))
            sx.sample("pair", N(jnp.zeros(2), 1.0).to_event(1))
        return i, theta

    t = traced(model)
    assert t["theta"].value.shape == (4,) and len(np.unique(t["theta"].value)) == 4
    assert t["theta"].dims == ("school",) and t["mu"].dims == ()
    assert t["pair"].value.shape == (4, 2) and t["pair"].log_prob.shape == (4,)
    np.testing.assert_allclose(t["theta"].log_prob, normal(t["theta"].value, t["mu"].value), rtol=1e-5)
    np.testing.assert_array_equal(sx.seed(model, 0)()[0], np.arange(4))


def test_plates_nest_from_the_right():
    def model():
        with sx.plate("column", 3):
            a = sx.sample("a", N(0.0, 1.0))
            with sx.plate("row", 2):
                sx.sample("b", N(a, 1.0))
        with sx.plate("front", 5, dim=-2):
            sx.sample("c", N(0.0, 1.0))

    t = traced(model)
    assert t["a"].value.shape == (3,) and t["b"].value.shape == (2, 3) and t["c"].value.shape == (5, 1)
    assert t["b"].dims == ("row", "column") and len(np.unique(t["b"].value)) == 6


def test_observations_in_a_plate():
    def model(y):
        with sx.plate("n", 3):
            sx.sample("y", N(0.5, 1.0), obs=y)

    y = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(sx.log_density(model)({}, y), normal(y, 0.5).sum(), rtol=1e-6)
    for wrong in (jnp.zeros(4), jnp.zeros((3, 1)), 1.0):
        with pytest.raises(sx.errors.ShapeError, match="'y'"):
            sx.log_density(model)({}, wrong)


def test_subsampling_scales_and_is_unbiased():
    y = jnp.arange(6.0)

    def model(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        with sx.plate("row", 6, subsample_size=2) as i:
            sx.sample("y", N(mu, 1.0), obs=y[i])

    t = traced(model, y)
    assert len(set(np.asarray(t["row"].value))) == 2
    f = sx.log_density(model)
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    scores = [float(f({"mu": 0.3, "row": jnp.array(p)}, y)) for p in pairs]
    np.testing.assert_allclose(scores[0], normal(0.3) + 3 * (normal(0.0, 0.3) + normal(1.0, 0.3)), rtol=1e-5)
    np.testing.assert_allclose(np.mean(scores), normal(0.3) + normal(y, 0.3).sum(), rtol=1e-5)
    with pytest.raises(sx.errors.InferenceError, match="'row'.*subsample"):
        sx.unconstrain(model)(y)
    assert sx.unconstrain(sx.condition(model, row=jnp.array([0, 1])))(y).shapes == {"mu": ()}


def test_subsampling_inside_of_another_plate_is_one_subsample():
    def model():
        with sx.plate("outer", 3), sx.plate("inner", 10, subsample_size=4) as i:
            sx.sample("x", N(0.0, 1.0))
        return i

    assert sx.seed(model, 0)().shape == (4,)
    t = traced(model)
    assert t["x"].value.shape == (4, 3)
    np.testing.assert_allclose(t["x"].log_prob, 2.5 * normal(t["x"].value), rtol=1e-5)


def test_a_factor_in_a_plate():
    def model(w):
        with sx.plate("n", 3):
            sx.factor("f", w)

    assert sx.log_density(model)({}, jnp.array([1.0, 2.0, 3.0])) == 6.0
    with pytest.raises(sx.errors.ShapeError, match="'f'.*plate"):
        sx.log_density(model)({}, jnp.array(1.0))


def test_a_jitted_function_is_traced_again_inside_of_a_plate():
    f = jax.jit(lambda: sx.sample("x", N(0.0, 1.0)))

    def model():
        with sx.plate("n", 3):
            return f()

    assert sx.seed(f, 0)().shape == () and sx.seed(model, 0)().shape == (3,) and sx.seed(f, 0)().shape == ()


def test_what_a_plate_refuses():
    def inside(*plates, d=None):
        def model():
            with plates[0]() as _:
                if len(plates) > 1:
                    with plates[1]():
                        pass
                sx.sample("x", d if d is not None else N(0.0, 1.0))

        return lambda: sx.seed(model, 0)()

    p = lambda *a, **k: lambda: sx.plate(*a, **k)
    with pytest.raises(sx.errors.ShapeError, match=r"'x'.*plate 'n' of size 3.*\(4,\)"):
        inside(p("n", 3), d=N(jnp.zeros(4), 1.0))()
    with pytest.raises(sx.errors.ModelError, match="'n' is already open"):
        inside(p("n", 3), p("n", 3))()
    with pytest.raises(sx.errors.ModelError, match="batch axis -1"):
        inside(p("n", 3), p("m", 3, dim=-1))()
    for wrong, error in [
        (2.0, TypeError),
        (-1, ValueError),
        (True, TypeError),
        (jnp.array(3), TypeError),
    ]:
        with pytest.raises(error, match="'n'"):
            inside(p("n", wrong))()
    with pytest.raises(sx.errors.SettingsError, match="4 of 3"):
        inside(p("n", 3, subsample_size=4))()
    with pytest.raises(sx.errors.InvalidNameError):
        inside(p("a/b", 3))()


# --- sx.vmap


@pytest.mark.parametrize(
    ("in_axes", "out_axes"),
    [(0, 0), ((0, 0), 0), ((0, None), 1), ((1, 0), 0), (({"a": 0, "b": None},) * 2, (0, 1))],
)
def test_vmap_agrees_with_jax(in_axes, out_axes):
    matrix, vector = jnp.arange(9.0).reshape(3, 3), jnp.arange(3.0)
    args = (matrix, vector) if not isinstance(in_axes, tuple) or not isinstance(in_axes[0], dict) else None
    if args is None:
        args = ({"a": matrix, "b": vector}, {"a": vector, "b": matrix})
        f = lambda x, z: (x["a"] + x["b"], z["a"] * z["b"])
    else:
        f = lambda x, z: x * 2 + z
    got, expected = (v(f, in_axes, out_axes)(*args) for v in (sx.vmap, jax.vmap))
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_vmap_draws_as_jax_vmap_does():
    f = lambda m: sx.sample("x", N(m, 1.0))
    m = jnp.arange(4.0)
    ours, raw = sx.seed(lambda: sx.vmap(f)(m), 0)(), sx.seed(lambda: jax.vmap(f)(m), 0)()
    np.testing.assert_allclose(ours, raw, rtol=1e-6)
    assert sx.seed(lambda: sx.vmap(lambda: f(0.0), axis_size=3)(), 0)().shape == (3,)


def test_vmap_under_jax_vmap_and_itself():
    def lane(flag, m):
        return lax.cond(flag, lambda: sx.sample("x", N(m, 1.0)), lambda: sx.sample("x", N(-m, 0.1)))

    flags, ms = jnp.array([True, False, True]), jnp.array([10.0, 20.0])
    nested = {
        "raw outside": lambda: jax.vmap(lambda m: sx.vmap(lane, (0, None))(flags, m))(ms),
        "both": lambda: sx.vmap(lambda m: sx.vmap(lane, (0, None))(flags, m))(ms),
    }
    out = {n: sx.trace(sx.seed(f, 0))() for n, f in nested.items()}
    for x, t in out.values():
        assert x.shape == (2, 3)
        np.testing.assert_allclose(x, t["x"].value)
        scale, sign = np.where(flags, 1.0, 0.1)[None], np.where(flags, 1.0, -1.0)[None]
        loc = sign * np.asarray(ms)[:, None]
        assert (np.abs(x - loc) < 6 * scale).all()
        f = sx.log_density(nested["both"])
        np.testing.assert_allclose(f({"x": x}), normal(x, loc, scale).sum(), rtol=1e-4)
    np.testing.assert_allclose(out["both"][0], out["raw outside"][0], rtol=1e-6)


def test_vmap_in_scan_and_scan_in_vmap_with_values():
    def lane(flag):
        step = lambda c, _: (
            c,
            lax.cond(flag, lambda: sx.sample("x", N(1.0, 1.0)), lambda: sx.sample("x", N(5.0, 1.0))),
        )
        return lax.scan(step, 0, None, length=3)[1]

    model = lambda: sx.vmap(lane)(jnp.array([True, False]))
    x = sx.seed(model, 0)()
    assert x.shape == (2, 3) and len(np.unique(x)) == 6
    expected = normal(x, np.array([[1.0], [5.0]])).sum()
    np.testing.assert_allclose(sx.log_density(model)({"x": x}), expected, rtol=1e-5)
    np.testing.assert_array_equal(sx.seed(sx.condition(model, x=2 * x), 1)(), 2 * x)


def test_vmap_refuses_as_jax_does():
    with pytest.raises(sx.errors.ShapeError, match="one size for the lanes"):
        sx.vmap(lambda a, b: a + b)(jnp.zeros(3), jnp.zeros(4))
    with pytest.raises(sx.errors.ShapeError, match="no mapped argument"):
        sx.vmap(lambda a: a, None)(jnp.zeros(3))
    with pytest.raises(sx.errors.ArgumentTypeError, match="out_axes"):
        sx.vmap(lambda a: a, 0, None)(jnp.zeros(3))
    with pytest.raises(sx.errors.ArgumentTypeError, match="in_axes"):
        sx.vmap(lambda a, b: a, (0, 0, 0))(jnp.zeros(3), jnp.zeros(3))


def test_vmap_without_sites_differentiates_and_compiles():
    f = lambda x: sx.vmap(jnp.sin)(x).sum()
    x = jnp.arange(3.0)
    np.testing.assert_allclose(jax.jit(jax.grad(f))(x), jnp.cos(x), rtol=1e-6)


def test_a_program_in_a_plate_is_the_one_outside():
    """Its draws are its own: one that all copies share stays shared."""

    @sx.distribution
    def inflated(zero, rate):
        return jnp.where(sx.rv(sx.Bernoulli(zero)), 0, sx.rv(sx.Poisson(rate)))

    rate, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([0, 0, 4])

    def model(share):
        zero = sx.sample("zero", sx.Beta(1.0, 1.0))
        with sx.plate("i", 3):
            sx.sample("y", inflated(zero if share else jnp.full(3, zero), rate), obs=y)

    with pytest.raises(sx.errors.ShapeError):  # one vector of three, three times
        sx.check(model)(True)
    expected = inflated(jnp.full(3, 0.4), rate).log_prob(y).sum()
    np.testing.assert_allclose(sx.log_density(model)({"zero": 0.4}, False), expected, rtol=1e-6)
