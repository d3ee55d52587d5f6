"""Runs from the host's side: looks change no draw, an interrupt loses nothing, and less may be kept."""

import warnings

import numpy as np
import pytest

import storax as sx
from storax.errors import ArgumentTypeError, SamplingWarning, SettingsError, UnknownNameError
from storax.samplers.moments import Moments
from storax.samplers.running import blocks as host

pytestmark = pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")  # runs are short on purpose
N = sx.Normal
DRIVERS = ["sequential", "batched"]


def model(y):
    mu = sx.sample("mu", N(0.0, 5.0))
    s = sx.sample("s", sx.HalfNormal(2.0))
    sx.deterministic("twice", 2 * mu)
    sx.sample("y", N(mu, s), obs=y)


Y = np.array([1.0, 2.5, 0.5, 3.0], np.float32)


@pytest.fixture
def looks(monkeypatch):
    """How often the host looked, and the patience it may be given."""
    seen = []

    def watched(go_on, *args):
        def counted(*now):
            seen.append(int(now[-1]))
            return go_on(*now)

        return host.blocks(counted, *args)

    monkeypatch.setattr("storax.samplers.running.conducting.blocks", watched)
    return seen


@pytest.mark.parametrize("driver", DRIVERS)
def test_how_often_the_host_looks_changes_no_draw(driver, looks, monkeypatch):
    fit = sx.mcmc(model, num_warmup=150, num_samples=200, driver=driver)
    monkeypatch.setattr(host, "PATIENCE", 1e9)
    rare = fit(0, Y)
    few = len(looks)
    monkeypatch.setattr(host, "PATIENCE", 0.0)
    often = fit(0, Y)
    assert few <= 5 and len(looks) - few > 15
    for name in rare:
        np.testing.assert_array_equal(rare[name], often[name])
    for name in rare.stats:
        np.testing.assert_array_equal(rare.stats[name], often.stats[name])
        np.testing.assert_array_equal(rare.warmup_stats[name], often.warmup_stats[name])


def test_a_longer_run_begins_with_the_draws_of_a_shorter_one():
    short, long = (sx.mcmc(model, num_warmup=100, num_samples=n)(0, Y) for n in (50, 60))
    np.testing.assert_array_equal(short["mu"], long["mu"][:, :50])
    assert {x.shape for x in long.stats.values()} == {(4, 60)}


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_interrupt_keeps_what_was_drawn(driver, monkeypatch):
    whole = sx.mcmc(model, num_warmup=100, num_samples=300, driver=driver)(0, Y)
    monkeypatch.setattr(host, "PATIENCE", 0.0)

    def interrupted(*args):
        for i, found in enumerate(host.blocks(*args)):
            if i == 12:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr("storax.samplers.running.conducting.blocks", interrupted)
    with pytest.warns(SamplingWarning, match=r"Interrupted: \d+ of 300 draws"):
        part = sx.mcmc(model, num_warmup=100, num_samples=300, driver=driver)(0, Y)
    n = part["mu"].shape[1]
    assert 0 < n < 300 and part.attrs["complete"] is False and whole.attrs["complete"] is True
    np.testing.assert_array_equal(part["mu"], whole["mu"][:, :n])
    assert part.stats["lp"].shape == (4, n) and part.warmup_stats["lp"].shape == (4, 100)


def test_an_interrupt_of_the_warmup_is_one(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("storax.samplers.running.conducting.blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sx.mcmc(model, num_warmup=100, num_samples=300)(0, Y)


def test_less_is_kept_when_less_is_asked_for():
    settings = {"num_warmup": 100, "num_samples": 101}
    whole = sx.mcmc(model, **settings)(0, Y)
    thin = sx.mcmc(model, thin=10, collect=["twice", "mu"], **settings)(0, Y)
    assert list(thin) == ["mu", "twice"] and thin["mu"].shape == (4, 11)
    np.testing.assert_array_equal(thin["mu"], whole["mu"][:, ::10])
    np.testing.assert_array_equal(thin.stats["lp"], whole.stats["lp"][:, ::10])


def test_moments_without_draws():
    settings = {"num_warmup": 200, "num_samples": 400}
    whole = sx.mcmc(model, **settings)(0, Y)
    reduced = sx.mcmc(model, reduce=True, **settings)(0, Y)
    assert not reduced.samples and set(reduced.moments) == {"mu", "s", "twice"}
    assert reduced.stats["lp"].shape == (4, 400)
    assert list(reduced.summary()) == ["mu", "s", "twice"] and list(reduced.summary(names="s")) == ["s"]
    np.testing.assert_allclose(reduced.summary()["mu"]["sd"], whole.summary()["mu"]["sd"], rtol=1e-5)
    assert reduced.diagnose()["bulk ESS"].ok is None and reduced.diagnose()["R-hat"].ok is not None
    with pytest.raises(UnknownNameError, match=r"not kept .*post\.moments\['mu'\]"):
        reduced["mu"]
    with pytest.raises(UnknownNameError, match="nothing of 'nu'"):
        reduced.summary(names=["nu"])
    for name in whole:
        m, x = reduced.moments[name], np.asarray(whole[name], float)
        np.testing.assert_allclose(m.mean, x.mean(), rtol=1e-6)
        np.testing.assert_allclose(m.variance, x.var(ddof=1), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_running_moments_are_those_of_all_draws(shape):
    rng = np.random.default_rng(1)
    x = rng.normal(1e3, 1.0, size=(5, 101, *shape)) + 0.1 * np.arange(5).reshape(5, 1, *(1,) * len(shape))
    m = Moments(5, 101)
    for part in np.split(x, [1, 7, 50, 90], axis=1):
        m.add(part)
    np.testing.assert_allclose(m.mean, x.mean((0, 1)))
    np.testing.assert_allclose(m.variance, x.reshape(-1, *shape).var(0, ddof=1))
    # R-hat by its definition, of halves of 50 and 51 draws
    within = np.mean([h.var(1, ddof=1) for h in (x[:, :50], x[:, 50:])], (0, 1))
    between = np.concatenate([x[:, :50].mean(1), x[:, 50:].mean(1)]).var(0, ddof=1)
    np.testing.assert_allclose(m.rhat, np.sqrt(49 / 50 + between / within), rtol=1e-12)


def test_bad_wishes_are_refused():
    for kwargs, error, words in [
        ({"thin": 0}, SettingsError, "thin must be at least 1"),
        ({"thin": 11, "num_samples": 10}, SettingsError, "keeps none of 10 draws"),
        ({"collect": "mu"}, ArgumentTypeError, r"collect=\['mu'\]"),
        ({"collect": []}, SettingsError, "keeps nothing"),
        ({"reduce": 1}, ArgumentTypeError, "reduce must be True or False"),
        ({"progress": "yes"}, ArgumentTypeError, "progress must be True"),
        ({"num_warmup": "some"}, SettingsError, "'auto'"),
    ]:
        with pytest.raises(error, match=words):
            sx.mcmc(model, **kwargs)
    for name in ("mew", "y"):
        with pytest.raises(UnknownNameError, match=f"collect.*'{name}'"):
            sx.mcmc(model, collect=["mu", name])(0, Y)


def test_a_warmup_that_ends_by_itself():
    post = sx.mcmc(model, num_warmup="auto", num_samples=500)(0, Y)
    length = post.warmup_stats["lp"].shape[1]
    assert 230 <= length <= 800 and post["mu"].shape == (4, 500)
    assert abs(post.stats["acceptance_rate"].mean() - 0.8) < 0.12
    assert (post.stats["step_size"].std(1) > 0).all()  # jitter alone: the step size is settled
    ratio = post.stats["step_size"] / post.stats["step_size"].mean()
    assert ratio.min() > 0.88 and ratio.max() < 1.12


def test_divergences_say_where_they_were():
    def funnel():
        v = sx.sample("v", N(0.0, 3.0))
        sx.sample("x", N(0.0, sx.deterministic("scale", np.e ** (v / 2))), shape=(9,))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        post = sx.mcmc(funnel, num_warmup=300, num_samples=500)(0)
    found, diverging = post.divergences, post.stats["diverging"]
    assert 0 < len(found["v"]) <= diverging.sum() and found["x"].shape == (len(found["v"]), 9)
    assert diverging[found["chain"], found["draw"]].all()
    assert (post.stats["energy_error"][found["chain"], found["draw"]] > 1000).all()
    np.testing.assert_allclose(found["scale"], np.exp(found["v"] / 2), rtol=1e-5)
    assert np.median(found["v"]) < post["v"].mean() - 1  # in the neck


def test_divergences_are_where_the_leapfrog_was():
    """A step of 50 in a standard normal runs away at once."""
    kernel = sx.hmc(50.0, num_steps=3, random_steps=False, jitter=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        post = sx.mcmc(lambda: sx.sample("x", N(0.0, 1.0)), kernel, num_warmup=0, num_samples=20)(0)
    found = post.divergences
    assert len(found["x"]) == post.stats["diverging"].sum() > 40
    np.testing.assert_array_equal(found["x"], post["x"][found["chain"], found["draw"]])  # nothing is accepted there
