"""From functions to jaxprs: what models may take and return, and what is said when Python needs a number."""

import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax import lax

import storax as sx

N = sx.Normal


def draw(name="x", shape=()):
    return sx.sample(name, N(0.0, 1.0), shape=shape)


def seeded(model, *args, **kwargs):
    return sx.seed(model, 0)(*args, **kwargs)


# --- Python needs a number


def into_numpy():
    x = np.zeros(2)
    x[0] = draw()


def by_boolean_index():
    y = draw(shape=3)
    return y[y > 0]


NUMBERS = {
    "NumPy entry": into_numpy,
    "boolean index": by_boolean_index,
    "format": lambda: f"{draw():.2f}",
    "SciPy": lambda: scipy.special.gammaln(draw()),
    "deep in SciPy": lambda: scipy.stats.norm.logpdf(draw()),
    "a shape": lambda: jnp.zeros(draw().astype(int)),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_python_that_needs_a_number(kind):
    with pytest.raises(sx.errors.ControlFlowError, match=r"at test_staging\.py:\d+.*'x'.*jnp\.where") as caught:
        seeded(NUMBERS[kind])
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert any(f.name == NUMBERS[kind].__name__ and f.filename == __file__ for f in frames)


def test_pandas_of_a_draw_blames_the_users_line():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    with pytest.raises(sx.errors.ControlFlowError, match=r"at test_staging\.py"):
        seeded(lambda: pandas.Series([draw(), 1.0]).mean())


@pytest.mark.parametrize("use", [jnp.zeros, lambda n: jnp.zeros((n, 2)), jnp.arange, range])
def test_a_numpy_integer_is_no_python_int(use):
    with pytest.raises(sx.errors.ControlFlowError, match="Python ints"):
        seeded(lambda n: use(n), np.int64(3))


@pytest.mark.parametrize("error", [ValueError("mine"), TypeError("mine"), AttributeError("mine")])
def test_errors_of_the_user_are_left_alone(error):
    def model():
        raise error

    with pytest.raises(type(error), match="^mine"):
        seeded(model)
    with pytest.raises(ValueError, match="inhomogeneous"):
        seeded(lambda: np.array([[1.0], [1.0, 2.0]]))


def test_if_in_vmap_without_a_handler():
    with pytest.raises(sx.errors.ControlFlowError, match=r"at test_staging\.py.*jnp\.where"):
        sx.vmap(lambda x: 1.0 if x > 0 else 2.0)(jnp.arange(3.0))


def test_a_draw_of_an_earlier_trace():
    kept = []
    seeded(lambda: kept.append(draw()))
    with pytest.raises(sx.errors.ControlFlowError, match="earlier trace.*Return what you need"):
        seeded(lambda: sx.sample("y", N(kept[0], 1.0)))


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.hessian])
def test_a_site_inside_of_a_forward_derivative(derivative):
    with pytest.raises(sx.errors.ControlFlowError, match=r"test_staging\.py.*'x'.*Move the site out"):
        seeded(lambda: derivative(lambda a: a * draw())(1.0))


def test_a_frame_used_by_column():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    df = pandas.DataFrame({"y": [1.0, 2.0]})
    for use in (lambda d: d["y"], lambda d: d.y):
        with pytest.raises(sx.errors.ArgumentTypeError, match=r"DataFrame.*test_staging\.py.*df\['y'\]"):
            seeded(use, df)
    np.testing.assert_array_equal(seeded(lambda d: d["y"], {"y": df["y"]}), [1.0, 2.0])


def test_staging_under_disable_jit():
    def model():
        return lax.scan(lambda c, _: (c, draw()), 0.0, None, length=3)[1]

    usual = seeded(model)
    with jax.disable_jit():
        closed = sx.models.Model.of(model, "").stage().closed
    assert [e.primitive.name for e in closed.jaxpr.eqns] == ["scan"]
    assert usual.shape == (3,)


# --- what goes in and comes out


@pytest.mark.parametrize(
    "values", [[np.float32(1), np.float32(2)], [jnp.float32(1), 2.0], [np.array(1.0), 2], [1, 2]], ids=repr
)
def test_lists_of_numbers_are_arrays(values):
    np.testing.assert_array_equal(seeded(lambda y: y * 2, values), [2.0, 4.0])


def test_a_list_of_draws_is_an_array_and_a_list_of_arrays_a_list():
    def model():
        twice = sx.scope(lambda v: v * 2, "inner")([draw("a"), draw("b"), 1.0])
        return twice, draw("c")

    values, _ = seeded(model)
    assert values.shape == (3,) and values[2] == 2.0
    out = seeded(lambda y: [2 * v for v in y], [jnp.ones(2), jnp.ones(3)])
    assert [x.shape for x in out] == [(2,), (3,)]


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        ((1.0, np.array(["a"])), {}, r"'y'"),
        ((1.0, {"k": [np.array(["a"])]}), {}, r"'y'\['k'\]\[0\]"),
        ((), {"y": np.array(["a"]), "x": 2.0}, r"'y'"),
        (([[1.0], [1.0, 2.0]], 1.0), {}, r"'x'"),
    ],
)
def test_arguments_that_are_no_data_are_named(args, kwargs, name):
    with pytest.raises(sx.errors.ArgumentTypeError, match=f"The argument {name} of the model"):
        seeded(lambda x, y: x, *args, **kwargs)


def test_a_model_may_return_anything_in_any_order():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame({"a": [1.0, 2.0]})
    text = np.array(["a"])
    assert seeded(lambda: "a") == "a"
    assert seeded(lambda: table) is table
    assert seeded(lambda: text) is text
    assert seeded(lambda: {"t": table, "s": "b"})["t"] is table
    assert jax.jit(lambda x: x)(seeded(lambda: draw())).shape == ()


def test_generators_and_async_functions_are_no_models():
    def generator():
        yield draw()

    async def coroutine():
        return draw()

    for f in (generator, coroutine):
        with pytest.raises(sx.errors.ArgumentTypeError, match=f"{f.__name__} is a generator or an async"):
            sx.seed(f, 0)


def test_methods_of_a_model_are_suggested_and_no_others():
    m = sx.model(lambda: draw())
    with pytest.raises(AttributeError, match="Did you mean 'seed'") as caught:
        m.sede(0)
    for name in ("handled_by", "walk", "sites", "stage", "'of'"):
        assert name not in str(caught.value)


def test_a_model_as_a_method():
    class Owner:
        loc = 3.0

        @sx.model
        def model(self, scale):
            return sx.sample("x", N(self.loc, scale))

    owner = Owner()
    expected = scipy.stats.norm.logpdf(1.0, 3.0, 2.0)
    np.testing.assert_allclose(owner.model.log_density()({"x": 1.0}, 2.0), expected, rtol=1e-6)
    np.testing.assert_allclose(sx.log_density(owner.model)({"x": 1.0}, scale=2.0), expected, rtol=1e-6)
    np.testing.assert_allclose(Owner.model.log_density()({"x": 1.0}, owner, 2.0), expected, rtol=1e-6)


# --- two traces are one program


def changing(make):
    calls = []

    def model():
        calls.append(1)
        return make(len(calls))

    return model


def wired(n):
    a, b = draw("a"), draw("b")
    sx.sample("y", N(a if n % 2 else b, 1.0), obs=1.0)


CHANGES = {
    "shape": (lambda n: draw(shape=n), r"the distribution or the shape of site 'x'"),
    "family": (lambda n: sx.sample("x", (N if n % 2 else sx.Cauchy)(0.0, 1.0)), r"the distribution .* of site 'x'"),
    "wiring": (wired, r"the parameters of site 'y'"),
    "number": (lambda n: sx.sample("x", N(float(n), 1.0)), r"a number \(1.0, then 2.0\) in .* of site 'x'"),
    "scan": (
        lambda n: lax.scan(lambda c, _: (c, sx.sample("x", N(c, 1.0))), 0.0, None, length=n),
        "the length of the operation scan around site 'x'",
    ),
    "loop": (lambda n: lax.fori_loop(0, n, lambda i, c: c * 2, draw()), "the length of the operation scan"),
    "slice": (lambda n: draw(shape=4)[n : n + 1], "slice"),
    "type": (lambda n: draw(shape=3).astype(jnp.float16 if n % 2 else jnp.int32), "convert_element_type"),
    "branches": (lambda n: lax.switch(draw().astype(int), [lambda: 1.0] * (n + 1)), "clamp|cond"),
    "output": (lambda n: (draw("a"), draw("b"))[n % 2], "what the model returns"),
    "length": (lambda n: sum([draw()] * n), "the number of equations|operation"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_sites_that_change_from_call_to_call(kind):
    make, match = CHANGES[kind]
    with pytest.raises(sx.errors.ModelError, match=f"not the same program from call to call: .*({match})"):
        sx.check(changing(make))()


@jax.custom_jvp
def with_rule(x):
    return x


with_rule.defjvp(lambda p, t: (p[0], t[0]))

SAME = {
    "jit": lambda: jax.jit(lambda x: x * 2)(draw()),
    "vmapped cond": lambda: draw() * jax.vmap(lambda i: lax.cond(i > 0, lambda: 1.0, lambda: 2.0))(jnp.arange(3)),
    "custom rules": lambda: with_rule(jax.nn.softmax(jnp.linalg.cholesky(jnp.eye(3) * jnp.exp(draw())))),
    "random": lambda: jax.random.normal(jax.random.key(0)) + draw(),
    "checkpoint": lambda: jax.checkpoint(lambda x: jax.scipy.special.gammaln(x) + jax.nn.relu(x))(draw()),
    "sx.vmap": lambda: sx.vmap(lambda i: sx.sample("x", N(i, 1.0)))(jnp.arange(3.0)),
    "convolution": lambda: jnp.sort(jnp.convolve(draw(shape=5), jnp.ones(3))),
    "nan": lambda: draw() + jnp.array([jnp.nan, 1.0]),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_program_twice_is_no_change(kind):
    assert list(sx.check(lambda: SAME[kind]())()) == ["x"]
