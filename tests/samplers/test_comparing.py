"""LOO, WAIC, stacking, calibration and sensitivity against closed forms and against ArviZ of either world."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import storax as sx
from storax.errors import InferenceError, ModelError, SamplingWarning, SettingsError, UnknownNameError
from storax.samplers.workflow.comparing import stacking_weights
from storax.samplers.workflow.sensitivity import distance_to_weighted
from storax.samplers.workflow.smoothing import fit_pareto, smooth


def normal(y, sd=1.0):
    mu = sx.sample("mu", sx.Normal(0.0, 10.0))
    sx.sample("y", sx.Normal(mu, sd), obs=y)


Y = np.random.default_rng(3).normal(2.0, 1.0, size=25)


def exact(y=Y, sd=1.0, draws=1000, seed=0):
    variance = 1 / (1 / 100 + len(y) / sd**2)
    loc = variance * y.sum() / sd**2
    return {"mu": np.random.default_rng(seed).normal(loc, variance**0.5, size=(4, draws))}


@pytest.fixture(scope="module")
def fitted():
    return {sd: sx.with_data(normal, exact(sd=sd))(Y, sd) for sd in (1.0, 2.0)}


def test_loo_is_that_of_the_conjugate_model(fitted):
    out = []
    for i in range(len(Y)):
        rest = np.delete(Y, i)
        variance = 1 / (1 / 100 + len(rest))
        out.append(scipy.stats.norm(variance * rest.sum(), (1 + variance) ** 0.5).logpdf(Y[i]))
    found = sx.loo(fitted[1.0])
    np.testing.assert_allclose(found.pointwise, out, atol=0.02)
    assert abs(found.elpd - np.sum(out)) < 0.05 and found.bad == 0 and 0.5 < found.p < 1.5
    assert abs(sx.waic(fitted[1.0]).elpd - np.sum(out)) < 0.1


@pytest.fixture
def arviz(monkeypatch):
    """The installed ArviZ.  1.x fits the tail of importance weights to one draw fewer (it rounds down) than 0.23, the R
    package loo, and we do; here it fits as many."""
    import arviz as az

    if not az.__version__.startswith("0."):
        from arviz_stats.base.diagnostics import _DiagnosticsBase

        tail = lambda n, r_eff, tail: np.ceil(min(0.2 * n, 3 * (n / r_eff) ** 0.5))
        monkeypatch.setattr(_DiagnosticsBase, "_get_ps_tails", staticmethod(tail))
    return az


@pytest.mark.filterwarnings("ignore:For one or more samples the posterior variance")
def test_loo_is_arviz_s(fitted, arviz):
    az = arviz
    for post in fitted.values():
        post = post.with_groups(log_likelihood={"y": post.groups["log_likelihood"]["y"].astype(float)})
        ours, theirs = sx.loo(post), az.loo(post.to_arviz(), pointwise=True)
        old = az.__version__.startswith("0.")
        pointwise = theirs.loo_i if old else theirs.elpd_i
        np.testing.assert_allclose(ours.pointwise, np.asarray(pointwise), rtol=1e-6)
        np.testing.assert_allclose(ours.pareto_k, np.asarray(theirs.pareto_k), rtol=1e-6)
        degrees = len(Y) / (len(Y) - 1) if old else 1.0  # 0.23 divides by n, not n - 1
        np.testing.assert_allclose(ours.se, theirs.se * degrees**0.5, rtol=1e-6)
        np.testing.assert_allclose(ours.p, theirs.p_loo if old else theirs.p, rtol=1e-6)
        if old:
            waic = az.waic(post.to_arviz())
            np.testing.assert_allclose([sx.waic(post).elpd, sx.waic(post).p], [waic.elpd_waic, waic.p_waic], rtol=1e-6)


def test_weights_of_heavy_tails_are_arviz_s(arviz):
    ratios = np.random.default_rng(0).standard_t(2, size=2000)
    found = smooth(ratios)
    if arviz.__version__.startswith("0."):
        expected, k = arviz.psislw(ratios, reff=1.0)
    else:
        from arviz_stats.base import array_stats

        expected, k = array_stats.psislw(-ratios, r_eff=1.0)  # which takes them for log likelihoods
    np.testing.assert_allclose(found.log_weights, expected, rtol=1e-6)
    np.testing.assert_allclose(found.pareto_k, k, rtol=1e-6)


def test_pareto_shape_is_recovered():
    for k in (0.2, 0.6, 1.0):
        x = np.sort(scipy.stats.genpareto(k, scale=2.0).rvs(20000, random_state=1))
        found, scale = fit_pareto(x)
        assert abs(found - k) < 0.05 and abs(scale - 2.0) < 0.15


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # ArviZ 0.23 with a newer pandas
def test_the_better_model_comes_first(fitted, arviz):
    table = sx.compare({"wide": fitted[2.0], "right": fitted[1.0]})
    assert list(table) == ["right", "wide"] and table["right"]["elpd_diff"] == 0.0
    difference = sx.loo(fitted[1.0]).pointwise - sx.loo(fitted[2.0]).pointwise
    assert table["wide"]["elpd_diff"] == pytest.approx(difference.sum())
    assert table["wide"]["dse"] == pytest.approx(len(Y) ** 0.5 * difference.std(ddof=1))
    assert table["right"]["weight"] > 0.7 and table["right"]["weight"] + table["wide"]["weight"] == pytest.approx(1.0)
    weights = arviz.compare(
        {n: arviz.loo(fitted[sd].to_arviz(), pointwise=True) for n, sd in (("right", 1.0), ("wide", 2.0))}
    )
    assert abs(weights.loc["right", "weight"] - table["right"]["weight"]) < 0.01
    with pytest.warns(SamplingWarning, match="variance of the log likelihood above 0.4"):
        assert list(sx.compare({"wide": fitted[2.0], "right": fitted[1.0]}, ic="waic")) == ["right", "wide"]


def test_stacking_weights_are_the_best_mixture():
    rng = np.random.default_rng(0)
    pointwise = np.log(rng.gamma(1.0, size=(60, 3)))
    pointwise[:20, 0] += 2.0
    pointwise[20:, 1] += 1.0
    weights = stacking_weights(pointwise)
    loss = lambda w: -np.log(np.exp(pointwise) @ np.append(w, 1 - w.sum())).mean()
    best = scipy.optimize.minimize(loss, [1 / 3, 1 / 3], method="SLSQP", bounds=[(0, 1)] * 2, tol=1e-12,
                                   constraints={"type": "ineq", "fun": lambda w: 1 - w.sum()})  # fmt: skip
    np.testing.assert_allclose(weights[:2], best.x, atol=1e-3)
    assert loss(weights[:2]) <= best.fun + 1e-8


def test_entries_that_are_not_to_be_trusted_are_said():
    y = np.append(Y, 30.0)
    post = sx.with_data(normal, exact(y))(y)
    with pytest.warns(SamplingWarning, match="1 of 26 entries in 'a'"):
        assert sx.compare({"a": post})["a"]["bad"] == 1


def test_what_cannot_be_compared(fitted):
    with pytest.raises(InferenceError, match=r"sx.with_data\(model, post\)"):
        sx.loo(sx.Posterior(exact()))
    with pytest.raises(ModelError, match="other data in 'b'"):
        sx.compare({"a": fitted[1.0], "b": sx.with_data(normal, exact())(Y + 1)})
    with pytest.raises(ModelError, match="other data"):
        sx.compare({"a": fitted[1.0], "b": sx.with_data(normal, exact())(Y[:-1])})
    with pytest.raises(SettingsError, match="'loo' or 'waic'"):
        sx.compare({"a": fitted[1.0]}, ic="aic")
    with pytest.raises(UnknownNameError, match="no log likelihood of 'z'"):
        sx.loo(fitted[1.0], "z")
    with pytest.raises(sx.errors.ArgumentTypeError, match="posteriors by name"):
        sx.compare([fitted[1.0]])


# --- calibration


def conjugate(y=None):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    sx.sample("y", sx.Normal(mu, 1.0), shape=3, obs=y)


def inference(scale=1.0, shift=0.0):
    def of(given):
        def f(key):
            y = np.asarray(sx.trace(sx.seed(given, 0))()[1]["y"].value)
            noise = np.random.default_rng(int(jax.random.randint(key, (), 0, 2**30))).normal(size=(1, 99))
            return {"mu": y.sum() / 4 + shift + scale * 0.5 * noise}

        return f

    return of


def test_a_right_inference_is_calibrated_and_wrong_ones_are_not():
    right = sx.sbc(conjugate, 200, data="y", inference=inference())(0)
    assert right.ranks["mu"].shape == (200,) and right.summary()["mu"]["p"] > 0.01
    assert abs(right.summary()["mu"]["mean"] - 0.5) < 4 * 0.289 / 200**0.5
    assert right.histogram("mu").sum() == 200
    for wrong in (inference(scale=0.5), inference(scale=2.0), inference(shift=0.4)):
        assert sx.sbc(conjugate, 200, data="y", inference=wrong)(0).summary()["mu"]["p"] < 1e-3
    assert "|" in repr(right) and "mu" in repr(right)


def test_ranks_of_discrete_quantities_are_uniform_too():
    def coin(y=None):
        p = sx.sample("p", sx.Bernoulli(0.5))
        sx.sample("y", sx.Normal(0.0 * p, 1.0), obs=y)

    guess = lambda given: lambda key: {"p": np.random.default_rng(
        int(jax.random.randint(key, (), 0, 2**30))).integers(0, 2, size=(1, 99))}  # fmt: skip
    assert sx.sbc(coin, 300, data="y", inference=guess)(1).summary()["p"]["p"] > 0.01


def test_calibration_needs_data_and_draws():
    with pytest.raises(InferenceError, match="no site is data"):
        sx.sbc(conjugate, 2)(0)
    with pytest.raises(UnknownNameError, match="no site named 'z'"):
        sx.sbc(conjugate, 2, data="z")(0)
    with pytest.raises(InferenceError, match="gave 99 draws"):
        sx.sbc(conjugate, 2, num_draws=199, data="y", inference=inference())(0)
    found = sx.sbc(conjugate, 20, data="y", inference=inference())(0)
    with pytest.raises(SettingsError, match="do not divide"):
        found.histogram("mu", 7)


@pytest.mark.long
def test_nuts_is_calibrated():
    """Eight schools without data: the default inference, on a hierarchical model."""

    def model(y=None):
        mu = sx.sample("mu", sx.Normal(0.0, 5.0))
        tau = sx.sample("tau", sx.HalfNormal(5.0))
        eta = sx.sample("eta", sx.Normal(0.0, 1.0), shape=4)
        sx.sample("y", sx.Normal(mu + tau * eta, 8.0), obs=y)

    summary = sx.sbc(model, 200, data="y")(0).summary()
    assert min(summary.columns["p"]) > 0.01 / len(summary)


# --- sensitivity


def test_sensitivity_of_a_conjugate_model_is_that_of_the_scaled_posteriors():
    """Raising the prior to the power a moves N(m, v) to a closed form; so does its distribution function."""
    y, prior_var, power = np.array([4.0]), 1.0, 1.01
    draws = np.random.default_rng(0).normal(2.0, 0.5**0.5, size=(4, 20000))

    def moved(a, b):
        v = 1 / (a / prior_var + b)
        return scipy.stats.norm(v * b * y[0], v**0.5)

    def distance(p, q):
        x = np.linspace(-6, 10, 20001)
        P, Q = p.cdf(x), q.cdf(x)
        side = lambda P, Q: (
            np.trapezoid(P * np.log2(P / ((P + Q) / 2)) + Q * np.log2(Q / ((P + Q) / 2)), x) / np.trapezoid(P + Q, x)
        )
        lower, upper = draws.min(), draws.max()
        keep = (x > lower) & (x < upper)
        x, P, Q = x[keep], P[keep], Q[keep]
        return max(side(P, Q), side(1 - P, 1 - Q)) ** 0.5

    expected = {
        "prior": np.mean([distance(moved(1, 1), moved(a, 1)) for a in (power, 1 / power)]) / np.log2(power),
        "likelihood": np.mean([distance(moved(1, 1), moved(1, a)) for a in (power, 1 / power)]) / np.log2(power),
    }

    def model(y):
        mu = sx.sample("mu", sx.Normal(0.0, prior_var**0.5))
        sx.sample("y", sx.Normal(mu, 1.0), obs=y)

    row = sx.prior_sensitivity(model, {"mu": draws})(y)["mu"]
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=0.1), name


def test_a_flat_prior_decides_nothing_and_a_narrow_one_does():
    wide = sx.prior_sensitivity(normal, exact())(Y)
    assert wide["mu"]["prior"] < 0.05 < wide["mu"]["likelihood"] and wide.verdict("mu") == "-"

    def narrow(y):
        mu = sx.sample("mu", sx.Normal(2.0, 0.01))
        sx.sample("y", sx.Normal(mu, 1.0), obs=y)

    draws = {"mu": np.random.default_rng(0).normal(2.0, 0.01, size=(4, 1000))}
    table = sx.prior_sensitivity(narrow, draws)(Y[:3])
    assert "the prior is strong" in repr(table) and table["mu"]["prior"] > 0.05


def test_factors_count_as_data_and_scales_count():
    def model(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.factor("likelihood", -0.5 * jnp.sum((y - mu) ** 2))

    def plain(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.sample("y", sx.Normal(mu, 1.0), obs=y)

    draws = {"mu": np.random.default_rng(0).normal(2.0, 0.5, size=(2, 1000))}
    a, b = (sx.prior_sensitivity(m, draws)(np.array([4.0]))["mu"] for m in (model, plain))
    assert a["prior"] == pytest.approx(b["prior"], rel=1e-3) and a["likelihood"] == pytest.approx(
        b["likelihood"], rel=1e-3
    )


def test_the_distance_is_zero_for_equal_weights_and_for_constants():
    x = np.random.default_rng(0).normal(size=500)
    assert distance_to_weighted(x, np.ones(500)) < 1e-6
    assert distance_to_weighted(np.ones(5), np.arange(5.0)) == 0.0


def test_sensitivity_needs_data():
    with warnings.catch_warnings(), pytest.raises(InferenceError, match="no site is observed"):
        sx.prior_sensitivity(conjugate, {"mu": np.zeros((1, 5))})()
