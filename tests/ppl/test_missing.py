"""Missing data against the conditional and marginal distributions of statistics, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import storax as sx
from storax.errors import ArgumentTypeError, NotMeasurable, ObservationError, SettingsError, ShapeError

Y = np.array([1.0, np.nan, 3.0, np.nan])


def model(y, scale=2.0):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    return sx.sample("y", sx.Normal(mu, scale), obs=y, missing="impute")


def joint(mu, y, scale=2.0):
    return scipy.stats.norm.logpdf(mu) + scipy.stats.norm(mu, scale).logpdf(y).sum()


@pytest.mark.parametrize(
    "y", [Y, jnp.asarray(Y), np.ma.masked_invalid(Y), list(Y)], ids=["numpy", "jax", "masked", "list"]
)
def test_the_density_is_that_of_the_whole_data(y):
    values = {"mu": 0.3, "y_missing": jnp.array([0.5, -1.0])}
    found = sx.log_density(model)(values, y)
    np.testing.assert_allclose(found, joint(0.3, [1.0, 0.5, 3.0, -1.0]), rtol=1e-6)
    likelihood = sx.log_likelihood(model)(values, y)
    np.testing.assert_allclose(
        likelihood["y"], scipy.stats.norm(0.3, 2.0).logpdf([1, 0, 3, 0]) * [1, 0, 1, 0], rtol=1e-6
    )


def test_the_result_is_the_data_filled_in():
    filled, trace = sx.trace(sx.substitute(model, mu=0.0, y_missing=[7.0, 8.0]))(Y)
    assert filled.tolist() == [1.0, 7.0, 3.0, 8.0] and trace["y"].observed and not trace["y_missing"].observed


def test_nothing_missing_is_an_observation():
    full = np.array([1.0, 2.0, 3.0, 4.0])
    assert list(sx.check(model)(full)) == ["mu", "y"]
    np.testing.assert_allclose(sx.log_density(model)({"mu": 0.3}, full), joint(0.3, full), rtol=1e-6)


def test_other_patterns_are_other_programs_and_other_numbers_are_not():
    count = 0

    def counted(y):
        nonlocal count
        count += 1
        model(y)

    shapes = lambda y: sx.unconstrain(counted)(y).shapes["y_missing"]
    assert shapes(Y) == (2,) and shapes(np.array([np.nan, 1.0, 2.0, 3.0])) == (1,)
    before = count
    assert shapes(Y) == (2,) and shapes(Y + 1.0) == (2,) and count == before


def test_data_that_the_model_closes_over_and_masked_integers():
    def counts():
        rate = sx.sample("rate", sx.Gamma(2.0, 1.0))
        sx.sample("n", sx.Poisson(rate), obs=np.ma.array([3, 99, 1], mask=[0, 1, 0]))

    found = sx.log_density(counts)({"rate": 1.5, "n_missing": [4]})
    expected = scipy.stats.gamma(2.0).logpdf(1.5) + scipy.stats.poisson(1.5).logpmf([3, 4, 1]).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    as_argument = lambda n: sx.sample("n", sx.Poisson(1.5), obs=n)
    np.testing.assert_allclose(
        sx.log_density(as_argument)({"n_missing": [4]}, np.ma.array([3, 99, 1], mask=[0, 1, 0])),
        scipy.stats.poisson(1.5).logpmf([3, 4, 1]).sum(), rtol=1e-6,
    )  # fmt: skip


def test_parameters_of_the_missing_entries_are_theirs_also_in_plates():
    x = np.array([1.0, 2.0, 3.0, 4.0])

    def regression(y):
        with sx.plate("i", 4):
            sx.sample("y", sx.Normal(10 * x, 0.1), obs=y, missing="impute")

    trace = sx.trace(sx.seed(regression, 0))(Y)[1]
    assert np.abs(trace["y_missing"].value - np.array([20.0, 40.0])).max() < 1.0
    assert sx.show(regression)(Y)["y"].dims == ("i",)


def test_whole_vectors_that_are_missing():
    y = np.array([[0.2, 0.3, 0.5], [np.nan] * 3])
    f = lambda y: sx.sample("y", sx.Dirichlet(jnp.array([1.0, 2.0, 3.0])), obs=y, missing="impute")
    p = jnp.array([[0.1, 0.6, 0.3]])
    expected = sum(scipy.stats.dirichlet([1, 2, 3]).logpdf(v) for v in ([0.2, 0.3, 0.5], [0.1, 0.6, 0.3]))
    np.testing.assert_allclose(sx.log_density(f)({"y_missing": p}, y), expected, rtol=1e-5)


def test_independent_entries_of_a_vector():
    y = np.array([[1.0, np.nan], [2.0, 3.0]])
    f = lambda y: sx.sample("y", sx.Normal(jnp.array([0.0, 5.0]), 1.0).to_event(1), obs=y, missing="impute")
    expected = scipy.stats.norm([0, 5], 1).logpdf([[1.0, 4.0], [2.0, 3.0]])
    np.testing.assert_allclose(sx.log_density(f)({"y_missing": [4.0]}, y), expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(
        sx.log_likelihood(f)({"y_missing": [4.0]}, y)["y"], [expected[0, 0], expected[1].sum()], rtol=1e-6
    )


# --- normal vectors

MEAN = np.array([1.0, -1.0, 0.5])
ROOT = np.array([[2.0, 0.0, 0.0], [0.7, 1.5, 0.0], [-0.4, 0.9, 0.8]])
COVARIANCE = ROOT @ ROOT.T
ROWS = np.array([[1.0, np.nan, 0.0], [np.nan, 2.0, np.nan], [0.5, 0.1, -0.3], [np.nan, np.nan, np.nan]])


def vectors(y, d=None):
    d = sx.MultivariateNormal(jnp.array(MEAN.tolist()), scale_tril=jnp.array(ROOT.tolist())) if d is None else d
    return sx.sample("y", d, obs=y, missing="impute")


def exact_conditional(row):
    m = np.isnan(row)
    o = ~m
    gain = COVARIANCE[np.ix_(m, o)] @ np.linalg.inv(COVARIANCE[np.ix_(o, o)])
    return MEAN[m] + gain @ (row[o] - MEAN[o]), COVARIANCE[np.ix_(m, m)] - gain @ COVARIANCE[np.ix_(o, m)]


@pytest.mark.parametrize("low_rank", [False, True])
def test_joint_marginal_and_conditional_of_normal_vectors(x64, low_rank):
    d = None
    if low_rank:
        d = sx.LowRankMultivariateNormal(jnp.asarray(MEAN), jnp.asarray(ROOT[:, :2]), jnp.full(3, 0.64))
        covariance = ROOT[:, :2] @ ROOT[:, :2].T + 0.64 * np.eye(3)
    else:
        covariance = COVARIANCE
    filled = ROWS.copy()
    filled[np.isnan(ROWS)] = missing = np.array([0.3, -0.2, 0.8, 1.0, 2.0, -2.0])
    joint = scipy.stats.multivariate_normal(MEAN, covariance).logpdf(filled).sum()
    found = sx.log_density(lambda y: vectors(y, d))({"y_missing": missing}, ROWS)
    np.testing.assert_allclose(found, joint, rtol=1e-9)
    seen = sx.log_likelihood(lambda y: vectors(y, d))({"y_missing": missing}, ROWS)["y"]
    for value, row in zip(seen, ROWS, strict=True):
        o = ~np.isnan(row)
        marginal = scipy.stats.multivariate_normal(MEAN[o], covariance[np.ix_(o, o)]).logpdf(row[o]) if o.any() else 0.0
        np.testing.assert_allclose(value, marginal, rtol=1e-9, atol=1e-12)


def test_missing_entries_are_drawn_from_their_conditional_distribution():
    draws = np.asarray(jax.vmap(lambda k: sx.seed(vectors, k)(ROWS))(jax.random.split(jax.random.key(0), 4000)))
    for i, row in enumerate(ROWS[:2]):
        m = np.isnan(row)
        mean, covariance = exact_conditional(row)
        x = draws[:, i, m]
        error = np.sqrt(np.diag(covariance) / len(x))
        assert (np.abs(x.mean(0) - mean) < 4 * error).all()
        np.testing.assert_allclose(np.cov(x.T).reshape(covariance.shape), covariance, atol=0.12)
        np.testing.assert_allclose(draws[0, i, ~m], row[~m], rtol=1e-6)


def test_the_posterior_of_missing_entries_learns_from_the_others():
    """y2 = y1 + noise: a missing y2 follows its y1; NUTS finds the conditional."""
    y = np.array([[3.0, np.nan], [np.nan, -2.0]])
    pair = lambda y: sx.sample(
        "y", sx.MultivariateNormal(jnp.zeros(2), jnp.array([[1.0, 0.9], [0.9, 1.0]])), obs=y, missing="impute"
    )
    post = sx.mcmc(pair, num_chains=2, num_warmup=200, num_samples=500)(0, y)
    sd = (1 - 0.81) ** 0.5
    assert (np.abs(post["y_missing"].mean((0, 1)) - [2.7, -1.8]) < 0.1).all()
    np.testing.assert_allclose(post["y_missing"].std((0, 1)), sd, rtol=0.15)


# --- afterwards


def test_predictions_from_a_posterior_with_imputed_data():
    post = {"mu": np.zeros((1, 50)), "y_missing": np.zeros((1, 50, 2))}
    open_model = lambda y=None: model(y, 1.0) if y is not None else sx.sample("y", sx.Normal(
        sx.sample("mu", sx.Normal(0.0, 1.0)), 1.0), shape=3)  # fmt: skip
    assert sx.predictive(open_model, post)(0)["y"].shape == (1, 50, 3)
    draws = sx.predictive(open_model, post)(0, Y)
    assert list(draws) == ["y"] and draws["y"].shape == (1, 50, 4)


# --- refused


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda y: sx.sample("y", sx.Normal(0.0, 1.0), obs=y), ObservationError, "missing='impute'"),
        (lambda y: sx.sample("y", sx.Normal(0.0, 1.0), obs=y, missing="drop"), SettingsError, "None or 'impute'"),
        (lambda y: sx.sample("y", sx.Normal(0.0, 1.0), obs=y[1:], missing="impute"), ArgumentTypeError, "hand it on"),
        (lambda y: sx.sample("y", sx.Normal(jnp.zeros(3), 1.0), obs=y, missing="impute"), ShapeError, r"3,.*4,"),
        (lambda y: sx.sample("y", sx.MultivariateStudentT(3.0, jnp.zeros(4), jnp.eye(4)), obs=y, missing="impute"),
         NotMeasurable, "some entries of a vector of MultivariateStudentT"),
        (lambda y: [model(y), sx.sample("y_missing", sx.Normal(0.0, 1.0))], sx.errors.ModelError, "y_missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_imputed(f, error, message):
    with pytest.raises(error, match=message):
        sx.check(f)(Y)


def test_under_jit_the_pattern_is_not_known():
    f = jax.jit(lambda y: sx.log_density(model)({"mu": 0.0, "y_missing": jnp.zeros(2)}, y))
    with pytest.raises(ArgumentTypeError, match=r"outside of\s+jax.jit"):
        f(Y)
    closed = jax.jit(lambda mu: sx.log_density(lambda: model(Y))({"mu": mu, "y_missing": jnp.zeros(2)}))
    np.testing.assert_allclose(closed(0.3), joint(0.3, [1, 0, 3, 0]), rtol=1e-6)
