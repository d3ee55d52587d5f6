"""Prior and posterior predictive draws against what theory says of them, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import storax as sx
from storax.errors import ModelError, NotMeasurable, SettingsError, ShapeError, StoraxError, UnknownNameError

N = sx.Normal(0.0, 1.0)


def regression(x, y=None):
    slope = sx.sample("slope", sx.Normal(0.0, 2.0))
    noise = sx.sample("noise", sx.HalfNormal(1.0))
    mean = sx.deterministic("mean", slope * x)
    return sx.sample("y", sx.Normal(mean, noise), obs=y)


def groups(y=None, size=3):
    mu = sx.sample("mu", N)
    with sx.plate("group", size):
        theta = sx.sample("theta", sx.Normal(mu, 0.1))
        sx.sample("y", sx.Normal(theta, 0.01), obs=y)


# --- prior


def test_prior_draws_have_the_distribution_of_the_model():
    draws = sx.prior(regression, 4000)(0, jnp.array([1.0, 2.0]))
    assert list(draws) == ["slope", "noise", "mean", "y"]
    assert draws["y"].shape == (4000, 2) and isinstance(draws["y"], np.ndarray)
    assert scipy.stats.kstest(draws["slope"], scipy.stats.norm(0, 2).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(draws["noise"], scipy.stats.halfnorm.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(draws["mean"][:, 1], 2 * draws["slope"])
    z = (draws["y"] - draws["mean"]) / draws["noise"][:, None]
    assert scipy.stats.kstest(z.ravel(), scipy.stats.norm.cdf).pvalue > 1e-3


def test_prior_draws_observed_sites_anew_and_depends_on_the_index_alone():
    x, y = jnp.arange(3.0), jnp.full(3, 7.0)
    free, with_data = sx.prior(regression, 50)(1, x), sx.prior(regression, 50)(1, x, y)
    np.testing.assert_array_equal(free["y"], with_data["y"])
    assert with_data.predicted == ("y",) and free.predicted == ()
    more = sx.prior(regression, 70, batch_size=16)(1, x)
    np.testing.assert_allclose(more["y"][:50], free["y"], rtol=1e-6)


def test_prior_compiles_once():
    count = 0

    def model(x):
        nonlocal count
        count += 1
        sx.sample("y", sx.Normal(x, 1.0))

    draw = sx.prior(model, 10)
    draw(0, jnp.zeros(2))
    first = count
    draw(1, jnp.ones(2))
    assert count == first


def test_prior_of_what_has_no_array_or_no_name_is_refused():
    with pytest.raises(sx.errors.InferenceError, match="no named site"):
        sx.prior(lambda: None)(0)
    with pytest.raises(SettingsError, match="num_samples"):
        sx.prior(regression, 0)
    with pytest.raises(sx.errors.ArgumentTypeError, match="random key"):
        sx.prior(regression)(None, 1.0)
    loop = lambda: jax.lax.while_loop(lambda x: x < 1.0, lambda x: x + sx.sample("e", sx.Exponential(1.0)), 0.0)
    with pytest.raises(sx.errors.ControlFlowError, match="while_loop"):
        sx.prior(loop)(0)


def test_prior_says_that_it_ignores_factors():
    def model():
        x = sx.sample("x", N)
        sx.factor("tilt", x)

    with pytest.warns(sx.errors.SamplingWarning, match="sx.factor"):
        sx.prior(model, 5)(0)


def test_a_branch_that_is_not_taken_is_nan():
    def model(flag):
        jax.lax.cond(flag, lambda: sx.sample("x", N), lambda: 0.0)

    assert np.isnan(sx.prior(model, 5)(0, False)["x"]).all()
    assert np.isfinite(sx.prior(model, 5)(0, jnp.array(True))["x"]).all()


# --- posterior predictive


def conjugate(y=None, n=4):
    mu = sx.sample("mu", N)
    sx.sample("y", sx.Normal(mu, 1.0), shape=n, obs=y)


def test_posterior_predictive_of_a_conjugate_model():
    y = np.array([1.0, 0.5, 2.0, 1.5])
    mean, variance = y.sum() / 5, 1 / 5  # of mu, given four data of variance 1 and the prior N(0, 1)
    mu = np.random.default_rng(0).normal(mean, variance**0.5, size=(2, 2000))
    for args in ((), (jnp.asarray(y),)):  # the data themselves are not looked at
        draws = sx.predictive(conjugate, {"mu": mu})(0, *args)
        assert list(draws) == ["y"] and draws["y"].shape == (2, 2000, 4) and draws.predicted == ("y",)
        expected = scipy.stats.norm(mean, (1 + variance) ** 0.5)
        assert scipy.stats.kstest(draws["y"][..., 2].ravel(), expected.cdf).pvalue > 1e-3
    correlation = np.corrcoef(draws["y"].reshape(-1, 4).T)[0, 1]
    assert abs(correlation - variance / (1 + variance)) < 0.05  # they share mu


def test_new_data_of_another_size_and_derived_quantities():
    post = {"slope": np.full((1, 300), 3.0), "noise": np.full((1, 300), 1e-3), "mean": np.zeros((1, 300, 2))}
    x = jnp.array([1.0, 2.0, 10.0])
    draws = sx.predictive(regression, post)(0, x)
    np.testing.assert_allclose(draws["mean"], np.broadcast_to(3 * x, (1, 300, 3)), rtol=1e-6)
    np.testing.assert_allclose(draws["y"].mean(1), 3 * x[None], rtol=1e-3)


def test_batches_do_not_show():
    post = {"mu": np.linspace(-1, 1, 21).reshape(3, 7)}
    whole = sx.predictive(conjugate, post)(0)["y"]
    for size in (4, 100):
        np.testing.assert_allclose(sx.predictive(conjugate, post, batch_size=size)(0)["y"], whole, rtol=1e-6)


def test_redrawn_latents_come_from_the_model_given_the_others():
    post = {"mu": np.full((2, 500), 5.0), "theta": np.zeros((2, 500, 3))}
    with pytest.raises(ShapeError, match=r"redraw=\['theta'\]"):
        sx.predictive(groups, post)(0, size=8)
    draws = sx.predictive(groups, post, redraw=["theta"])(0, size=8)
    assert draws["theta"].shape == (2, 500, 8)
    assert abs(draws["theta"].mean() - 5.0) < 4 * 0.1 / 8000**0.5
    assert np.abs(draws["y"] - draws["theta"]).max() < 0.06
    assert draws.dims["theta"] == ("group",)


def test_names_of_another_model_are_refused():
    mu = np.zeros((1, 5))
    with pytest.raises(UnknownNameError, match="no such site.*The names are: 'mu', 'y'"):
        sx.predictive(conjugate, {"mu": mu, "mv": mu})(0)
    with pytest.raises(UnknownNameError, match=r"no draws of site 'noise'"):
        sx.predictive(regression, {"slope": mu})(0, jnp.zeros(2))
    with pytest.raises(UnknownNameError, match=r"no draws of site 'theta'.*redraw=\['theta'\]"):
        sx.predictive(groups, {"mu": mu})(0)
    with pytest.raises(UnknownNameError, match="redraw names 'thet'"):
        sx.predictive(groups, {"mu": mu}, redraw="thet")(0)
    with pytest.raises(UnknownNameError, match="computed from other sites"):
        sx.predictive(regression, {"slope": mu, "noise": mu}, redraw="mean")(0, 1.0)
    with pytest.raises(UnknownNameError, match="observed here"):
        sx.predictive(conjugate, {"mu": mu, "y": np.zeros((1, 5, 4))})(0, jnp.zeros(4))


def test_a_chain_of_data_needs_no_name_when_data_are_passed():
    def model(first=None, second=None):
        mu = sx.sample("mu", N)
        one = sx.sample("first", sx.Normal(mu, 0.01), obs=first)
        sx.sample("second", sx.Normal(one, 0.01), obs=second)

    post = {"mu": np.full((1, 50), 3.0)}
    with pytest.raises(UnknownNameError, match="'first'"):  # it might be a latent site that this posterior lacks
        sx.predictive(model, post)(0)
    draws = sx.predictive(model, post)(0, 100.0, 200.0)
    assert np.abs(draws["second"] - draws["first"]).max() < 0.1 and np.abs(draws["first"] - 3).max() < 0.1


@pytest.mark.parametrize(
    ("post", "message"),
    [
        (3.0, "draws by name"),
        ({}, "empty"),
        ({"mu": np.zeros(5)}, r"\[chain, draw, ...\]"),
        ({"mu": np.zeros((2, 5)), "x": np.zeros((2, 6))}, "same numbers of draws"),
        ({"mu": np.zeros((2, 0))}, "numbers of draws"),
        ({"mu": np.zeros((2, 5, 1))}, r"shape \(\) with these arguments, and shape \(1,\)"),
    ],
)
def test_draws_that_are_none(post, message):
    with pytest.raises(StoraxError, match=message):
        sx.predictive(conjugate, post)(0)


def test_hard_coded_and_conditioned_data_are_drawn_anew():
    def model():
        mu = sx.sample("mu", N)
        sx.sample("y", sx.Normal(mu, 0.01), obs=jnp.array([100.0, 200.0]))
        sx.sample("w", sx.Normal(mu, 0.01))

    draws = sx.predictive(sx.condition(model, w=50.0), {"mu": np.full((1, 40), 3.0)})(0)
    assert np.abs(draws["y"] - 3).max() < 0.1 and np.abs(draws["w"] - 3).max() < 0.1


def test_anonymous_draws_of_single_entries_are_drawn_anew_and_shared_ones_refused():
    def local(y=None):
        mu = sx.sample("mu", N)
        z = sx.rv(sx.Bernoulli(0.25), shape=3)
        sx.sample("y", sx.Normal(mu + 10.0 * z, 0.01), obs=y)

    draws = sx.predictive(local, {"mu": np.zeros((1, 2000))})(0)["y"]
    assert abs((draws > 5).mean() - 0.25) < 4 * (0.25 * 0.75 / 6000) ** 0.5

    def shared(y=None):
        mu = sx.sample("mu", N)
        z = sx.rv(sx.Bernoulli(0.25))
        sx.sample("y", sx.Normal(mu + 10.0 * z, 0.01), shape=3, obs=y)

    with pytest.raises(NotMeasurable, match="cannot be drawn anew"):
        sx.predictive(shared, {"mu": np.zeros((1, 20))})(0)


def test_a_model_that_changes_is_refused():
    numbers = iter(range(1, 10))

    def model():
        mu = sx.sample("mu", N)
        sx.sample("y", sx.Normal(mu + next(numbers), 1.0))

    with pytest.raises(ModelError, match="not the same program"):
        sx.predictive(model, {"mu": np.zeros((1, 20))})(0)


def test_the_posterior_of_a_run_predicts(recwarn):
    y = jnp.array([1.0, 0.5, 2.0, 1.5])
    post = sx.mcmc(conjugate, num_chains=2, num_warmup=200, num_samples=400)(0, y)
    draws = sx.predictive(conjugate, post)(1, n=6)
    assert draws["y"].shape == (2, 400, 6)
    assert abs(draws["y"].mean() - 1.0) < 0.15


def test_predictions_from_the_prior():
    draws = sx.prior(conjugate, 30)(0)
    latent = {"mu": draws["mu"]}
    out = sx.predictive(conjugate, type(draws)(latent, draws.sample_dims, {}))(1)
    assert out["y"].shape == (30, 4) and out.sample_dims == ("draw",)


# --- predictive checks


def test_a_predictive_p_value_is_that_of_the_conjugate_model():
    y = np.array([1.0, 0.5, 2.0, 1.5])
    mu = np.random.default_rng(1).normal(y.sum() / 5, 0.2**0.5, size=(4, 2500))
    table = sx.predictive_check(conjugate, {"mu": mu}, {"mean": np.mean, "first": lambda y: y[0]})(0, y)
    # mean of y_rep given y: N(1, 1/5 + 1/4); first: N(1, 1/5 + 1)
    exact = scipy.stats.norm(1.0, 0.45**0.5).sf(y.mean())
    assert abs(table["y: mean"]["p"] - exact) < 4 * (exact * (1 - exact) / 10000) ** 0.5 * 1.5
    exact = scipy.stats.norm(1.0, 1.2**0.5).sf(1.0)
    assert abs(table["y: first"]["p"] - exact) < 4 * 0.5 / 100
    assert table["y: mean"]["observed"] == y.mean()


def test_what_a_model_cannot_make_shows():
    y = np.concatenate([np.zeros(30), [50.0]])
    table = sx.predictive_check(lambda y: conjugate(y, 31), {"mu": np.full((1, 200), 1.5)})(0, y)
    assert table["y: max"]["p"] == 0.0 and "y: max" in repr(table)


def test_checks_need_data_and_numbers():
    post = {"mu": np.zeros((1, 5))}
    with pytest.raises(sx.errors.InferenceError, match="no site is observed"):
        sx.predictive_check(conjugate, post)(0)
    with pytest.raises(ShapeError, match="must be one number"):
        sx.predictive_check(conjugate, post, {"square": np.square})(0, np.zeros(4))
    with pytest.raises(sx.errors.ArgumentTypeError, match="statistics by name"):
        sx.predictive_check(conjugate, post, [np.mean])
