"""`check`, and what bad input gets: an error of ours that names the site, the user's line and the fix."""

import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

N = sx.Normal


def regression(y, scale=1.0):
    mu = sx.sample("mu", N(0.0, 5.0))
    a = sx.sample("a", sx.Gamma(2.0, 1.0), shape=2)
    sx.deterministic("both", mu + a)
    with sx.plate("n", len(y)):
        sx.sample("y", N(mu, scale), obs=y)
    sx.factor("f", -mu)


def test_report_is_a_table_of_the_sites():
    report = sx.check(regression)(jnp.zeros(3))
    assert [(r.name, r.kind, r.shape) for r in report.values()] == [
        ("mu", "latent", ()),
        ("a", "latent", (2,)),
        ("both", "derived", (2,)),
        ("y", "observed", (3,)),
        ("f", "factor", (0,)),
    ]
    assert repr(report["a"].support) == "nonnegative" and report["y"].dims == ("n",)
    lines = repr(report).splitlines()
    assert lines[0].split() == ["site", "kind", "distribution", "shape", "support"]
    assert lines[2].split() == ["a", "latent", "Gamma", "(2,)", "nonnegative"]


def test_check_sees_loops_lanes_and_branches():
    def model(flag):
        lax.scan(lambda c, _: (c, sx.sample("a", N(0.0, 1.0))), 0, None, length=3)
        jax.vmap(lambda _: sx.sample("b", sx.Dirichlet(jnp.ones(4))))(jnp.arange(2))
        lax.cond(flag, lambda: sx.sample("c", N(0.0, 1.0)), lambda: 0.0)

    report = sx.check(model)(jnp.array(True))
    assert {n: r.shape for n, r in report.items()} == {"a": (3,), "b": (2, 4), "c": ()}


def test_check_compiles_nothing_heavy_and_draws_nothing():
    def model():
        x = sx.sample("x", N(0.0, 1.0), shape=1000)
        big = jnp.outer(x, x) @ jnp.outer(x, x)  # would take a while
        sx.sample("y", N(big.sum(), 1.0), obs=0.0)

    with jax.log_compiles(False):
        assert sx.check(model)()["y"].kind == "observed"


# --- data

GOOD = np.array([0.5, 1.0, 2.0])


def with_entry(value):
    data = GOOD.copy()
    data[1] = value
    return data


DATA = {
    "nan": (N(0.0, 1.0), with_entry(np.nan), r"nan.*value\[1\].*1 in all.*\.mask\(~jnp\.isnan"),
    "inf": (N(0.0, 1.0), with_entry(np.inf), r"outside.*value\[1\] = inf"),
    "negative": (sx.Gamma(1.0, 1.0), with_entry(-1.0), r"outside.*value\[1\] = -1\.0, 1 in all.*nonnegative"),
    "two": (sx.Bernoulli(0.5), np.array([0, 1, 2]), r"value\[2\] = 2"),
    "fraction": (sx.Poisson(1.0), with_entry(0.5), r"value\[0\] (=|is) 0\.5"),
    "too many": (sx.Binomial(3, 0.5), np.array([0, 4, 1]), r"value\[1\] = 4.*from 0 to 3"),
    "category": (sx.Categorical(jnp.ones(3) / 3), np.array([0, 3, -1]), r"value\[1\] = 3, 2 in all"),
    "simplex": (sx.Dirichlet(jnp.ones(2)), np.array([[0.5, 0.5], [0.5, 0.6]]), r"value\[1\] = \[0\.5, 0\.6"),
    "interval": (sx.Uniform(0.0, 1.0), with_entry(7.0), r"interval\(0\.0, 1\.0\)"),
}


@pytest.mark.parametrize("case", DATA)
@pytest.mark.parametrize("ask", ["check", "mcmc", "condition", "closure"])
def test_bad_data_is_refused_before_anything_is_compiled(case, ask):
    d, data, match = DATA[case]

    def model(y=None):
        sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", d, obs=y, shape=() if y is not None else len(data))

    run = {
        "check": lambda: sx.check(model)(data),
        "mcmc": lambda: sx.mcmc(model)(0, data),
        "condition": lambda: sx.check(sx.condition(model, y=data))(),
        "closure": lambda: sx.log_density(lambda: model(data))({"mu": 0.0}),
    }[ask]
    with pytest.raises(sx.errors.ObservationError, match=r"site 'y' \(test_checking\.py:\d+\).*" + match) as caught:
        run()
    assert isinstance(caught.value, ValueError)


def test_data_are_checked_where_parameters_are_latent_and_inside_loops():
    def model(y):
        a = sx.sample("a", sx.HalfNormal(1.0))
        lax.scan(lambda c, v: (c, sx.sample("y", sx.Gamma(a, 1.0), obs=v)), 0, y)
        jax.vmap(lambda v: sx.sample("z", sx.Beta(a, 1.0), obs=v))(y / 10)

    sx.check(model)(GOOD)
    with pytest.raises(sx.errors.ObservationError, match=r"'y'.*value\[1\] = -1"):
        sx.check(model)(with_entry(-1.0))
    with pytest.raises(sx.errors.ObservationError, match=r"'z'.*value\[1\] = 5"):
        sx.check(model)(with_entry(50.0))


@pytest.mark.parametrize("data", [["a", "b"], np.array(["a"]), np.array([1.0, None]), [[1.0], [1.0, 2.0]], object()])
def test_data_that_are_no_numbers(data):
    with pytest.raises(sx.errors.ArgumentTypeError, match="'y'"):
        sx.seed(lambda: sx.sample("y", N(0.0, 1.0), obs=data), 0)()


def test_object_columns_of_numbers_are_numbers():
    data = np.array([1, 2.5, True], dtype=object)
    np.testing.assert_array_equal(sx.sample("y", N(0.0, 1.0), obs=data), [1.0, 2.5, 1.0])


def test_masked_nan_is_not_bad_data():
    data = with_entry(np.nan)

    def model(y):
        sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", N(jnp.zeros(3), 1.0).mask(~jnp.isnan(y)), obs=y)

    assert sx.check(model)(data)["y"].kind == "observed"
    value = sx.log_density(model)({"mu": 0.0}, data)
    np.testing.assert_allclose(value, -1.5 * np.log(2 * np.pi) - 0.5 * (0.25 + 4.0), rtol=1e-6)


# --- parameters

PARAMETERS = {
    "negative scale": (lambda: N(0.0, -1.0), r"scale must be positive, and scale is -1"),
    "one of many": (lambda: N(0.0, jnp.array([1.0, -2.0, 0.0])), r"scale\[1\] is -2.*2 in all"),
    "nan": (lambda: N(np.nan, 1.0), "loc must be finite"),
    "not positive definite": (
        lambda: sx.MultivariateNormal(jnp.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])),
        r"covariance_matrix must be positive definite.*eigenvalue -1",
    ),
    "not symmetric": (
        lambda: sx.MultivariateNormal(jnp.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]])),
        "must be symmetric",
    ),
    "probability": (lambda: sx.Bernoulli(1.5), "between 0 and 1"),
    "simplex": (lambda: sx.Categorical(np.array([0.5, 0.6])), "sum 1"),
    "order": (lambda: sx.Uniform(1.0, 0.0), "high must be above low"),
    "in a wrapper": (lambda: N(jnp.zeros(3), -1.0).to_event(1), "scale must be positive"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_bad_constant_parameters_name_the_site(case):
    make, match = PARAMETERS[case]
    with pytest.raises(sx.errors.ParameterError, match=r"site 'x' \(test_checking\.py:\d+\): .*" + match):
        sx.check(lambda: sx.sample("x", make()))()


def test_bad_parameters_from_arguments_are_found_too():
    def model(scale):
        mu = sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", N(mu, 2 * scale), obs=0.0)

    sx.check(model)(jnp.array(1.0))
    with pytest.raises(sx.errors.ParameterError, match="'y'.*scale must be positive, and scale is -2"):
        sx.check(model)(jnp.array(-1.0))
    with pytest.raises(sx.errors.ParameterError, match="'y'"):
        sx.mcmc(model)(0, jnp.array(-1.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: N(jnp.zeros(3), jnp.ones(4)),
        lambda: sx.MultivariateNormal(jnp.zeros(3), jnp.eye(2)),
        lambda: sx.MultivariateNormal(jnp.zeros(3), jnp.ones((3, 2))),
        lambda: sx.Dirichlet(1.0),
    ],
)
def test_parameters_whose_shapes_do_not_fit(make):
    with pytest.raises(sx.errors.ShapeError, match=r"shape"):
        make()


@pytest.mark.parametrize("make", [lambda: N("0", 1.0), lambda: N(0.0, [1.0, "2"]), lambda: sx.Poisson(object())])
def test_parameters_that_are_no_numbers(make):
    with pytest.raises((sx.errors.ArgumentTypeError, TypeError), match="must be a number"):
        make()


# --- names and programs


@pytest.mark.parametrize(
    "call", [lambda n: sx.sample(n, N(0.0, 1.0)), lambda n: sx.deterministic(n, 1.0), lambda n: sx.factor(n, 1.0)]
)
def test_names(call):
    for name in (1, None, b"x", ("x",)):
        with pytest.raises(sx.errors.ArgumentTypeError, match="needs a name"):
            call(name)
    for name in ("", "a/b", "#1"):
        with pytest.raises(sx.errors.InvalidNameError):
            call(name)
    with pytest.raises(sx.errors.ArgumentTypeError):
        sx.sample(N(0.0, 1.0), "x")


def test_unicode_names_and_spaces_are_fine():
    names = ["μ", "a b", "β[1]"]
    model = lambda: [sx.sample(n, N(0.0, 1.0)) for n in names]
    assert list(sx.trace(sx.seed(model, 0))()[1]) == names


@pytest.mark.parametrize("d", [1.0, jnp.zeros(3), None, "Normal", N, lambda: N(0.0, 1.0)])
def test_an_argument_that_is_no_distribution(d):
    with pytest.raises(sx.errors.ArgumentTypeError, match="'x'.*test_checking.py"):
        sx.sample("x", d)


def test_duplicate_names_say_both_lines():
    def model():
        sx.sample("x", N(0.0, 1.0))
        sx.sample("x", N(0.0, 2.0))

    with pytest.raises(sx.errors.ModelError) as caught:
        sx.check(model)()
    first = model.__code__.co_firstlineno + 1
    assert f"test_checking.py:{first}" in str(caught.value) and f"test_checking.py:{first + 1}" in str(caught.value)
    assert "sx.scope" in str(caught.value)
    for ask in (lambda: sx.seed(model, 0)(), lambda: sx.log_density(model)({}), lambda: sx.mcmc(model)(0)):
        with pytest.raises(sx.errors.ModelError, match="'x' is sampled"):
            ask()
    with pytest.raises(sx.errors.ModelError, match="'x'"):
        sx.check(lambda: (sx.sample("x", N(0.0, 1.0)), sx.deterministic("x", 1.0)))()


BRANCHES = {
    "if": lambda x: 1.0 if x > 0 else 2.0,
    "while": lambda x: next(iter(int, 1)) if x > 0 else 0,
    "float": lambda x: float(x),
    "int": lambda x: int(x),
    "numpy": lambda x: np.sin(x),
    "range": lambda x: range(x.astype(int)),
    "index": lambda x: [1, 2][x.astype(int)],
}


@pytest.mark.parametrize("kind", BRANCHES)
def test_python_that_needs_a_number(kind):
    def model():
        x = sx.sample("x", N(0.0, 1.0))
        return BRANCHES[kind](x)

    for ask in (lambda: sx.seed(model, 0)(), lambda: sx.check(model)(), lambda: sx.log_density(model)({"x": 0.0})):
        with pytest.raises(
            sx.errors.ControlFlowError, match=r"test_checking\.py:\d+.*'x'.*(jnp\.where|lax\.cond)"
        ) as caught:
            ask()
        assert isinstance(caught.value, TypeError)


def test_a_model_that_changes_from_call_to_call():
    calls = []

    def names():
        calls.append(1)
        sx.sample(f"x{len(calls)}", N(0.0, 1.0))

    with pytest.raises(sx.errors.ModelError, match="not the same program.*'x1', 'x2'"):
        sx.check(names)()
    generator = np.random.default_rng(0)

    def constants():
        sx.sample("x", N(generator.normal(), 1.0))

    for ask in (lambda: sx.check(constants)(), lambda: sx.mcmc(constants)(0)):
        with pytest.raises(sx.errors.ModelError, match=r"not the same program.*a number"):
            ask()

    def arrays():
        sx.sample("x", N(0.0, 1.0))
        sx.sample("y", N(jnp.zeros(3), 1.0), obs=generator.normal(size=3))

    with pytest.raises(sx.errors.ModelError, match="not the same program.*shape \\(3,\\)"):
        sx.check(arrays)()


def test_tracebacks_show_the_users_lines_only():
    def model():
        return sx.sample("y", N(jnp.zeros(10), 1.0), obs=np.zeros((10, 1)))

    for ask in (lambda: sx.seed(model, 0)(), lambda: sx.mcmc(model)(0), lambda: sx.log_density(model)({})):
        with pytest.raises(sx.errors.ShapeError) as caught:
            ask()
        frames = traceback.extract_tb(caught.value.__traceback__)
        inside = [f for f in frames if "site-packages/jax" in f.filename]
        assert not inside
        assert any("sx.sample" in (f.line or "") for f in frames)


def test_empty_data_are_no_error():
    assert sx.check(regression)(jnp.zeros(1))["y"].shape == (1,)
    model = lambda y: (sx.sample("mu", N(0.0, 1.0)), sx.sample("y", N(0.0, 1.0), obs=y))
    assert sx.check(model)(jnp.zeros(0))["y"].shape == (0,)
    assert sx.log_density(model)({"mu": 0.0}, jnp.zeros(0)) == sx.Normal(0.0, 1.0).log_prob(0.0)
