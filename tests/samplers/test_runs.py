"""Runs that go wrong, or nearly: which settings are used, where chains start, and what is said afterwards."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

N = sx.Normal
SHORT = {"num_warmup": 100, "num_samples": 100, "num_chains": 2}


def two_scales():
    sx.sample("x", N(0.0, 1.0))
    sx.sample("z", N(0.0, 100.0))


def test_every_kernel_brings_its_own_mass_matrix():
    kernels = [sx.nuts(0.5, np.array([1.0, v]), max_tree_depth=4) for v in (1.0, 1e4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        steps = [np.abs(np.diff(sx.mcmc(two_scales, k, num_warmup=0, num_samples=100)(0)["z"])).mean() for k in kernels]
    assert steps[0] < 10 and steps[1] > 50  # at most 15 steps of 0.5, or of 50


def test_a_wrong_mass_matrix_spoils_no_later_run():
    with pytest.raises(sx.errors.SettingsError, match=r"\(2,\)"):
        sx.mcmc(two_scales, sx.nuts(inverse_mass_matrix=np.ones(5)), **SHORT)(0)
    post = sx.mcmc(two_scales, sx.nuts(inverse_mass_matrix=np.ones(2)), num_samples=500)(0)
    assert post["x"].shape == (4, 500)
    with pytest.raises(sx.errors.SettingsError, match="no numbers"):
        sx.nuts(inverse_mass_matrix=np.zeros((0, 0)))


def test_a_start_outside_of_the_support_is_refused_at_once():
    def model(y=None):
        s = sx.sample("s", sx.HalfNormal(1.0))
        sx.deterministic("twice", 2 * s)
        sx.sample("y", N(0.0, s), obs=1.0)

    for init, error, words in [
        ({"s": -1.0}, sx.errors.ObservationError, r"init=.*site 's'.*not inside of its support"),
        ({"twice": 1.0}, sx.errors.UnknownNameError, "'twice' .*derived"),
        ({"y": 1.0}, sx.errors.UnknownNameError, "'y' .*observed"),
        ({"t": 1.0}, sx.errors.UnknownNameError, "'t'"),
        ({"s": [1.0, 2.0]}, sx.errors.ShapeError, r"site 's' .*\(2,\)"),
        ([1.0], sx.errors.ArgumentTypeError, r"init=\{'mu': 1\.0\}"),
    ]:
        with pytest.raises(error, match=words):
            sx.mcmc(model, init=init, **SHORT)(0)


@pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")  # the posterior ends at a cliff
def test_a_start_whose_support_depends_on_the_rest_is_tried_again():
    def model(y):
        h = sx.sample("h", sx.HalfNormal(10.0))
        sx.sample("u", sx.Uniform(0.0, h))
        sx.sample("y", sx.Uniform(0.0, h), obs=y)

    post = sx.mcmc(model, sx.nuts(target_accept=0.95), init={"h": 20.0}, num_samples=500)(0, np.array([5.0]))
    assert (post["h"] > 5).all() and (post["u"] < post["h"]).all()


def test_a_start_that_moves_the_support_of_another_site():
    def model():
        x = sx.sample("x", sx.LogNormal(0.0, 1.0))
        sx.sample("u", sx.Uniform(0.0, x))

    density = sx.unconstrain(model)()
    for key in range(20):
        vector = density.moved(density.flatten(density.init(key)), {"x": 0.01})
        values = density.constrain(density.unflatten(vector))
        assert abs(values["x"] - 0.01) < 1e-6 and 0 < values["u"] < 0.01
        assert density.unflatten(vector)["u"] == density.init(key)["u"]


def test_a_dense_metric_of_too_few_draws_is_no_nan():
    model = lambda: sx.sample("x", N(0.0, 100.0), shape=(30,))
    post = sx.mcmc(model, sx.nuts(dense_mass=True), num_chains=2, num_warmup=300, num_samples=600)(0)
    assert (post.stats["step_size"] > 0.05).all() and not post.stats["diverging"].any()
    assert abs(post["x"].std() / 100 - 1) < 0.1


def test_single_precision_in_a_double_world(x64):
    model = lambda: sx.sample("mu", N(jnp.float32(0), jnp.float32(1)))
    post = sx.mcmc(model, num_samples=500)(0)
    assert post["mu"].dtype == jnp.float32 and abs(post["mu"].std() - 1) < 0.15
    kernel = sx.nuts(step_size=0.5)
    target = lambda q: -0.5 * jnp.sum(q.astype(jnp.float64) ** 2)
    state, _ = kernel.step(jax.random.key(0), kernel.init(jnp.zeros(2, jnp.float32), target), target)
    assert state.position.dtype == state.log_density.dtype == jnp.float32


def test_complex_and_infinite_quantities_have_rows():
    def model():
        x = sx.sample("x", N(0.0, 1.0))
        sx.deterministic("c", 1j * x + 1)
        sx.deterministic("inf", x + jnp.inf)

    summary = sx.mcmc(model, num_samples=500)(0).summary()
    assert {"c.real", "c.imag", "inf"} <= set(summary)
    assert summary["c.real"]["mean"] == 1 and abs(summary["c.imag"]["sd"] - 1) < 0.15


def test_a_site_without_numbers():
    def model():
        sx.sample("none", N(0.0, 1.0), shape=0)
        sx.sample("a", N(0.0, 1.0))

    post = sx.mcmc(model, num_samples=500)(0)
    assert post["none"].shape == (4, 500, 0) and post["a"].shape == (4, 500)
    assert list(post.summary()) == ["a"]


def test_half_precision_moves():
    model = lambda: sx.sample("x", N(jnp.bfloat16(0), jnp.bfloat16(1)))
    post = sx.mcmc(model, num_samples=500)(0)
    assert post["x"].dtype == jnp.bfloat16
    assert abs(np.asarray(post["x"], float).std() - 1) < 0.15


def test_nan_densities_are_counted_apart_from_divergences():
    def model():
        a = sx.sample("a", N(0.0, 1.0))
        sx.factor("f", jnp.sqrt(a + 0.5))

    with pytest.warns(sx.errors.SamplingWarning, match=r"\d+ of 400 draws met a density of nan") as caught:
        post = sx.mcmc(model, num_warmup=200, num_samples=200, num_chains=2)(0)
    assert post.stats["undefined"].sum() > 10 and (post["a"] >= -0.5).all()
    assert (post.stats["undefined"] <= post.stats["diverging"]).all()
    assert "ended in a divergence" not in str(caught[0].message)


def test_an_improper_posterior_is_called_improper():
    def model():
        a = sx.sample("a", N(0.0, 1.0))
        sx.factor("flat", -N(0.0, 1.0).log_prob(a))

    with pytest.warns(sx.errors.SamplingWarning, match="looks improper"):
        sx.mcmc(model, **SHORT)(0)


def test_no_observations_and_no_warm_up_are_said():
    def model(y):
        m = sx.sample("m", N(0.0, 1.0))
        sx.sample("y", N(m, 1.0), obs=y)

    with pytest.warns(sx.errors.SamplingWarning, match="no observations of site 'y'"):
        sx.mcmc(model)(0, np.zeros(0))
    with pytest.warns(sx.errors.SamplingWarning, match="no warm-up"):
        sx.mcmc(model, num_warmup=0)(0, np.zeros(3))


@pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")
def test_one_draw_has_a_summary():
    post = sx.mcmc(lambda: sx.sample("x", N(0.0, 1.0)), num_chains=1, num_samples=1)(0)
    row = post.summary()["x"]
    assert row["mean"] == post["x"][0, 0] and np.isnan(row["sd"]) and "-" in repr(post.summary())
    for probs in ("mu", 0.5, None, [1.5], ["a"]):
        with pytest.raises((sx.errors.ArgumentTypeError, sx.errors.SettingsError), match="quantiles"):
            post.summary(probs)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: sx.nuts(taget_accept=0.9), "Did you mean 'target_accept'"),
        (lambda: sx.mcmc(two_scales, num_sample=10), "Did you mean 'num_samples'"),
        (lambda: sx.mcmc(two_scales)(), "random key"),
        (lambda: sx.seed(two_scales, 0, 1), "seed"),
        (lambda: sx.sample(), "name"),
    ],
)
def test_a_call_that_does_not_fit_says_what_would(call, words):
    with pytest.raises(sx.errors.ArgumentTypeError, match=words) as caught:
        call()
    assert isinstance(caught.value, TypeError)


@pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")  # the wall is steep
def test_a_start_where_no_energy_can_be_told_from_another_is_left(x64):
    """At a log density of -1e99, rounding takes more than a run is about: it would be the end of all chains."""

    def model():
        x = sx.sample("x", N(0.0, 1.0))
        sx.factor("wall", -jnp.exp(300 * x))

    post = sx.mcmc(model, num_chains=8, num_warmup=300, num_samples=200)(0)
    assert (post.stats["step_size"] > 0.1).all() and (post["x"].max() < 0.5).all() and (post["x"].std(1) > 0.2).all()
