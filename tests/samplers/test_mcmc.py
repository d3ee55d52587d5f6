"""`mcmc`: from a model to named draws; what it refuses, what it warns about, and what it compiles."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx
from storax.errors import SamplingWarning
from storax.samplers.diagnostics import mcse_mean

N = sx.Normal


def conjugate(y):
    mu = sx.sample("mu", N(0.0, 2.0))
    sx.deterministic("twice", 2 * mu)
    with sx.plate("row", len(y)):
        sx.sample("y", N(mu, 1.0), obs=y)


y = jnp.array([1.0, 2.0, 0.5, 1.5])
POSTERIOR_SD = (1 / 4 + 4) ** -0.5
POSTERIOR_MEAN = POSTERIOR_SD**2 * 5.0
quick = {"num_warmup": 300, "num_samples": 500}


def assert_mean(draws, mean, sds=4.5):
    """The mean of `[chain, draw]` draws, within its own Monte Carlo error."""
    error = mcse_mean(draws)
    assert abs(draws.mean() - mean) < sds * error, (draws.mean(), mean, error)


@pytest.fixture(scope="module")
def post():
    return sx.mcmc(conjugate, **quick)(0, y)


def test_posterior_of_a_conjugate_model(post):
    assert list(post) == ["mu", "twice"] and post["mu"].shape == (4, 500)
    assert_mean(post["mu"], POSTERIOR_MEAN)
    assert_mean((post["mu"] - POSTERIOR_MEAN) ** 2, POSTERIOR_SD**2)
    np.testing.assert_array_equal(post["twice"], 2 * post["mu"])
    thin = post["mu"][:, ::5].ravel()
    assert stats.kstest(thin, stats.norm(POSTERIOR_MEAN, POSTERIOR_SD).cdf).pvalue > 1e-3


def test_stats_have_arviz_names_and_shapes(post):
    names = {
        "lp",
        "energy",
        "energy_error",
        "diverging",
        "undefined",
        "tree_depth",
        "reached_max_treedepth",
        "n_steps",
        "step_size",
        "acceptance_rate",
    }
    assert set(post.stats) == set(post.warmup_stats) == names
    assert all(x.shape == (4, 500) for x in post.stats.values())
    assert all(x.shape == (4, 300) for x in post.warmup_stats.values())
    assert post.stats["diverging"].dtype == bool and (post.stats["n_steps"] <= 2 ** post.stats["tree_depth"]).all()
    f = sx.unconstrain(conjugate)(y).log_density
    np.testing.assert_allclose(post.stats["lp"][1, 7], f({"mu": post["mu"][1, 7]}), rtol=1e-5)
    assert np.ptp(post.stats["step_size"]) < 0.3 * post.stats["step_size"].mean()  # jitter, by 10 % either way
    assert 0.7 < post.stats["acceptance_rate"].mean() < 0.97


def test_summary(post):
    summary = post.summary()
    row = summary["mu"]
    np.testing.assert_allclose(row["mean"], post["mu"].mean(), rtol=1e-5)
    np.testing.assert_allclose(row["5%"], np.quantile(post["mu"], 0.05), rtol=1e-5)
    assert row["rhat"] < 1.02 and row["ess_bulk"] > 200 and row["ess_tail"] > 200
    assert list(row) == ["mean", "sd", "5%", "50%", "95%", "mcse", "ess_bulk", "ess_tail", "rhat"]
    assert "mu" in repr(summary) and "ess_bulk" in repr(summary)
    assert list(post.summary((0.1, 0.9))["mu"])[2:4] == ["10%", "90%"]
    with pytest.raises(KeyError, match="Did you mean 'mu'"):
        summary["mu2"]
    with pytest.raises(sx.errors.SettingsError, match="between 0 and 1"):
        post.summary((95,))
    with pytest.raises(KeyError, match="Did you mean 'mu'"):
        post["muu"]
    assert "4 chains of 500 draws" in repr(post)


def test_dimension_names():
    def model():
        with sx.plate("school", 3):
            sx.sample("a", N(jnp.zeros(2), 1.0).to_event(1))
            lax.scan(lambda c, _: (c, sx.sample("b", N(0.0, 1.0))), 0, None, length=2)

    post = sx.mcmc(model, num_chains=1, num_warmup=100, num_samples=20)(0)
    assert post.dims == {"a": ("school", None), "b": (None, "school")}
    assert "a[2, 1]" in post.summary()


def test_same_key_same_draws_whatever_else(post):
    again = sx.mcmc(conjugate, **quick)(jax.random.key(0), np.asarray(y))
    np.testing.assert_array_equal(again["mu"], post["mu"])
    other = sx.mcmc(conjugate, **quick)(2, y)
    assert not np.any(other["mu"] == post["mu"])


def test_a_second_call_compiles_nothing_and_traces_nothing():
    calls = []

    def model(y):
        calls.append(1)
        mu = sx.sample("mu", N(0.0, 2.0))
        sx.sample("y", N(mu, 1.0), obs=y)

    run = sx.mcmc(model, sx.nuts(step_size=0.3), num_warmup=50, num_samples=20, num_chains=2)
    first = run(0, y)
    traced = len(calls)
    doubled, compiled = 2 * y, []
    listener = lambda event, duration, **_: compiled.append(event) if "backend_compile" in event else None
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        second = run(1, doubled)
        sx.mcmc(model, sx.nuts(step_size=0.3), num_warmup=50, num_samples=20, num_chains=2)(2, np.asarray(y) + 1)
        assert not compiled
        third = sx.mcmc(lambda: model(y), num_warmup=100, num_samples=50, num_chains=2)
        third(0)
        assert compiled  # the listener works
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    assert traced == 2  # once, and once more to see that it is the same program
    assert second["mu"].mean() > first["mu"].mean()


def test_data_edited_in_place_are_new_data():
    data = np.array([0.0, 0.0, 0.0])
    run = sx.mcmc(conjugate, **quick)
    before = run(0, data)["mu"].mean()
    data += 5.0
    assert run(0, data)["mu"].mean() > before + 3


def test_handlers_go_with_the_model():
    def model():
        a = sx.sample("a", N(0.0, 1.0))
        b = sx.sample("b", N(a, 1.0))
        sx.sample("c", N(b, 1.0))

    observed = sx.mcmc(sx.condition(model, c=2.0), **quick)(0)
    assert_mean(observed["a"], 2.0 / 3)
    intervened = sx.mcmc(sx.condition(sx.do(model, b=2.0), c=2.0), **quick)(0)
    assert list(intervened) == ["a"]
    assert_mean(intervened["a"], 0.0)


def test_every_support():
    def model():
        sx.sample("gamma", sx.Gamma(2.0, 2.0))
        sx.sample("beta", sx.Beta(2.0, 3.0))
        sx.sample("uniform", sx.Uniform(-1.0, 3.0))
        sx.sample("simplex", sx.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
        sx.sample("vector", sx.MultivariateNormal(jnp.array([1.0, -1.0]), jnp.array([[2.0, 0.9], [0.9, 1.0]])))
        lax.scan(lambda x, _: (sx.sample("walk", N(x, 1.0)),) * 2, 0.0, None, length=3)

    post = sx.mcmc(model, num_warmup=500, num_samples=1000)(1)
    moments = {
        "gamma": 1.0,
        "beta": 0.4,
        "uniform": 1.0,
        "simplex": [1 / 6, 1 / 3, 1 / 2],
        "vector": [1.0, -1.0],
        "walk": [0.0] * 3,
    }
    for name, mean in moments.items():
        draws = post[name].reshape(4, 1000, -1)
        for i, m in enumerate(np.atleast_1d(mean)):
            assert_mean(draws[..., i], m)
    assert_mean((post["walk"][..., 2]) ** 2, 3.0)


def test_dense_mass_and_float64(x64):
    sd = np.array([1.0, 10.0])
    covariance = np.outer(sd, sd) * np.array([[1.0, 0.99], [0.99, 1.0]])

    def model():
        sx.sample("x", sx.MultivariateNormal(jnp.zeros(2), covariance))

    post = sx.mcmc(model, sx.nuts(dense_mass=True), **quick)(0)
    assert post["x"].dtype == np.float64
    assert post.stats["n_steps"].mean() < 8
    assert_mean(post["x"][..., 0] * post["x"][..., 1], 9.9)


def test_init():
    run = sx.mcmc(conjugate, num_warmup=0, num_samples=1, num_chains=2, init={"mu": 100.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        assert (np.abs(run(0, y)["mu"]) > 1).all()
    with pytest.raises(KeyError, match="Did you mean 'mu'"):
        sx.mcmc(conjugate, init={"muu": 1.0})(0, y)
    with pytest.raises(sx.errors.ShapeError, match="'mu'"):
        sx.mcmc(conjugate, init={"mu": jnp.zeros(2)})(0, y)


# --- what is refused


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"num_chains": 0}, ValueError),
        ({"num_chains": -1}, ValueError),
        ({"num_chains": 2.0}, TypeError),
        ({"num_samples": 0}, ValueError),
        ({"num_samples": -5}, ValueError),
        ({"num_samples": 50.0}, TypeError),
        ({"num_samples": True}, TypeError),
        ({"num_warmup": -1}, ValueError),
        ({"num_warmup": None}, TypeError),
        ({"kernel": 3}, TypeError),
        ({"kernel": sx.nuts}, TypeError),
    ],
)
def test_settings(setting, error):
    with pytest.raises(error, match=next(iter(setting))) as caught:
        sx.mcmc(conjugate, **setting)
    assert isinstance(caught.value, sx.errors.StoraxError)


def test_more_draws_than_any_machine_holds():
    for setting in ({"num_samples": 10**9}, {"num_warmup": 10**9}, {"num_chains": 10**9}):
        with pytest.raises(sx.errors.SettingsError, match="GiB"):
            sx.mcmc(conjugate, **setting)(0, y)
    with pytest.raises(sx.errors.SettingsError, match=r"num_samples must be below 2\*\*30"):
        sx.mcmc(conjugate, num_samples=10**13)


def test_a_missing_key():
    with pytest.raises(sx.errors.ArgumentTypeError, match=r"random key.*None.*jax\.random\.key\(0\)"):
        sx.mcmc(conjugate)(None, y)
    with pytest.raises(sx.errors.ArgumentTypeError, match="random key"):
        sx.mcmc(conjugate)(y)


@pytest.mark.parametrize("model", [lambda: None, lambda: sx.sample("y", N(0.0, 1.0), obs=1.0)])
def test_no_latent_site(model):
    with pytest.raises(sx.errors.InferenceError, match=r"no latent site|called no sx\.sample"):
        sx.mcmc(model)(0)


def test_a_start_with_density_zero_names_the_site():
    def impossible(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        sx.sample("fine", N(mu, 1.0), obs=0.0)
        sx.factor("wall", jnp.where(mu > 1e6, 0.0, -jnp.inf))

    with pytest.raises(
        sx.errors.InitializationError, match=r"site 'wall' \(test_mcmc\.py:\d+\) contributes -inf.*init="
    ):
        sx.mcmc(impossible)(0, y)

    def broken(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", N(jnp.sqrt(-1 - mu**2), 1.0), obs=0.0)

    with pytest.raises(sx.errors.InitializationError, match=r"site 'y'.*contributes nan"):
        sx.mcmc(broken)(0, y)


def test_a_nan_gradient_at_a_finite_density_names_the_site():
    def model():
        mu = sx.sample("mu", N(0.0, 1.0))
        other = sx.sample("other", N(0.0, 1.0))
        sx.factor("f", jnp.where(mu < 1e9, 0.0, jnp.sqrt(mu - 1e9)) + other)

    with pytest.raises(sx.errors.InitializationError, match=r"gradient was not: site 'mu'.*jnp\.where"):
        sx.mcmc(model)(0)


def test_a_hard_start_is_found_by_trying_again():
    def model():
        x = sx.sample("x", N(0.0, 1.0), shape=3)
        sx.factor("corner", jnp.where((x > 0).all(), 0.0, -jnp.inf))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        assert (sx.mcmc(model, num_warmup=200, num_samples=50)(0)["x"] > 0).all()


# --- what is warned about


def test_divergences_and_rhat_are_warned_about_in_words():
    def funnel():
        s = sx.sample("s", N(0.0, 3.0))
        sx.sample("x", N(0.0, jnp.exp(s / 2)), shape=9)

    with pytest.warns(SamplingWarning, match=r"(?s)divergence.*Reparameterise.*target_accept") as caught:
        post = sx.mcmc(funnel, sx.nuts(target_accept=0.6), num_warmup=200, num_samples=300)(0)
    assert post.stats["diverging"].sum() > 0
    assert caught[0].filename == __file__

    def two_modes():
        x = sx.sample("x", N(0.0, 20.0))
        sx.factor("modes", jnp.logaddexp(-0.5 * (x - 15) ** 2, -0.5 * (x + 15) ** 2))

    with pytest.warns(SamplingWarning, match="R-hat is .* for x.*have not mixed"):
        sx.mcmc(two_modes, **quick)(2)


def test_tree_depth_is_warned_about():
    def model():
        sx.sample("x", sx.MultivariateNormal(jnp.zeros(2), jnp.array([[1.0, 0.999], [0.999, 1.0]])))

    with pytest.warns(SamplingWarning, match="max_tree_depth=2"):
        sx.mcmc(model, sx.nuts(max_tree_depth=2), **quick)(0)


def test_a_stuck_chain_is_warned_about():
    def model():
        x = sx.sample("x", N(0.0, 1.0))
        sx.factor("spike", -1e12 * jnp.abs(x - jnp.round(x * 1e3) / 1e3))

    with pytest.warns(SamplingWarning, match="did not move"):
        sx.mcmc(model, sx.nuts(step_size=1.0), num_warmup=0, num_samples=100)(0)


def test_no_warning_about_a_good_run(post):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sx.mcmc(conjugate, num_warmup=500, num_samples=1000)(5, y)


@pytest.mark.long
def test_many_scalar_sites_compile_like_one_vector():
    import time

    n = 200
    unique = 1.0 + 1e-9 * (time.time_ns() % 10**8)  # no compilation is found in a cache

    def scalars():
        tau = sx.sample("tau", sx.HalfNormal(1.0))
        for i in range(n):
            x = sx.sample(f"x{i}", N(0.0, tau))
            sx.sample(f"y{i}", N(x, unique), obs=float(i % 3))

    def vector():
        tau = sx.sample("tau", sx.HalfNormal(1.0))
        x = sx.sample("x", N(0.0, tau), shape=n)
        sx.sample("y", N(x, unique), obs=jnp.arange(n) % 3.0)

    def seconds(model):  # of the first run of a model; its few draws take no time
        begin = time.perf_counter()
        sx.mcmc(model, num_warmup=10, num_samples=10)(0)
        return time.perf_counter() - begin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        seconds(lambda: sx.sample("x", N(0.0, 1.0), shape=n))  # what is compiled once for all models
        one = seconds(vector)
        many = seconds(scalars)
    assert many < 3 * one, (many, one)
