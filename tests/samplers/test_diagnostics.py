"""Diagnostics against ArviZ 0.23.4.

The numbers of REFERENCE were made, once, by

    import arviz, warnings
    for name, x in sequences().items():
        print(name, arviz.rhat(x), arviz.ess(x, method="bulk"), arviz.ess(x, method="tail"),
              arviz.mcse(x, method="mean"), arviz.mcse(x, method="sd"))
"""

import warnings

import numpy as np
import pytest

import storax as sx
from storax.samplers.diagnostics import ess_bulk, ess_tail, mcse_mean, mcse_sd, nested_rhat, rhat

FUNCTIONS = {"rhat": rhat, "ess_bulk": ess_bulk, "ess_tail": ess_tail, "mcse_mean": mcse_mean, "mcse_sd": mcse_sd}

REFERENCE = {
    "independent": (
        1.0013115932295817, 1928.7134225783495, 1934.046160351275, 0.006478691942432247, 0.0029480081328343353,
    ),
    "sticky": (1.0950191363074084, 38.4399956783782, 56.388899339415794, 0.1729830193681814, 0.07514037109073113),
    "antithetic": (1.013004238842789, 1666.890750230186, 481.3621906960803, 0.009249114784147234, 0.013391111737436828),
    "shifted": (1.6463240989805001, 7.018882184820151, 29.147919939129512, 0.19561587165340502, 0.07486824759928529),
    "ties": (1.0070629359507122, 274.8750407523098, 400.0228790023618, 0.07369904278166617, 0.028130549228502968),
    "short": (0.9400652360194868, 12.9501749525715, 12.9501749525715, 0.08401014860382754, 0.039415701475345774),
    "four": (1.1181722599725068, 19.265919722494797, 19.265919722494797, 0.060080610754252695, 0.034955759308008434),
    "scaled": (1.1788977838024433, 326.4009486735495, 41.31318284767802, 0.03364213692582491, 0.16381825288374768),
}  # fmt: skip


def sequences():
    """Chains of the same numbers on every machine."""

    def uniform(chains, draws):
        i, j = np.arange(1, chains + 1)[:, None], np.arange(1, draws + 1)[None, :]
        return np.sin(12.9898 * i * j) * 43758.5453 % 1

    def autoregressive(u, a):
        x = np.zeros_like(u)
        for t in range(1, u.shape[1]):
            x[:, t] = a * x[:, t - 1] + u[:, t] - 0.5
        return x

    return {
        "independent": uniform(4, 500),
        "sticky": autoregressive(uniform(4, 501), 0.95),
        "antithetic": autoregressive(uniform(3, 200), -0.7),
        "shifted": autoregressive(uniform(4, 100), 0.5) + np.arange(4)[:, None] * 0.3,
        "ties": np.floor(autoregressive(uniform(2, 300), 0.3) * 4),
        "short": uniform(2, 7),
        "four": uniform(4, 4),
        "scaled": autoregressive(uniform(4, 250), 0.5) * np.array([1.0, 1.0, 1.0, 3.0])[:, None],
    }


@pytest.mark.parametrize("name", REFERENCE)
def test_numbers_are_those_of_arviz(name):
    draws = sequences()[name]
    np.testing.assert_allclose([f(draws) for f in FUNCTIONS.values()], REFERENCE[name], rtol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_trailing_axes_are_looked_at_one_by_one(name):
    f, x = FUNCTIONS[name], np.random.default_rng(0).normal(size=(3, 50, 2, 4)).cumsum(1)
    table = f(x)
    assert table.shape == (2, 4)
    np.testing.assert_allclose(table[1, 2], f(x[:, :, 1, 2]), rtol=1e-10)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_chunks_do_not_show(name, monkeypatch):
    f, x = FUNCTIONS[name], np.random.default_rng(0).normal(size=(3, 50, 7))
    whole = f(x)
    monkeypatch.setattr("storax.samplers.diagnostics.CHUNK", 320)
    np.testing.assert_allclose(f(x), whole, rtol=1e-10)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "draws",
    [np.ones((2, 100)), np.full((2, 100), 0.1), np.zeros((2, 3)), np.zeros((2, 0)), np.zeros((0, 10))],
    ids=["constant", "constant with rounding", "three draws", "no draws", "no chains"],
)
def test_nothing_to_say_is_nan(name, draws):
    assert np.isnan(FUNCTIONS[name](draws))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_nan_spoils_its_own_column_only(name):
    x = np.random.default_rng(0).normal(size=(2, 100, 3))
    x[0, 3, 1] = np.nan
    assert np.isnan(FUNCTIONS[name](x)).tolist() == [False, True, False]


def test_one_chain_is_enough_and_its_drift_is_seen():
    x = np.random.default_rng(0).normal(size=(1, 400))
    assert abs(rhat(x) - 1) < 0.02 and 200 < ess_bulk(x) < 800
    assert rhat(x + np.linspace(0, 3, 400)[None]) > 1.1


def test_chains_that_are_stuck_at_different_places():
    x = np.repeat(np.array([[0.0], [1.0]]), 100, axis=1)
    assert rhat(x) > 10


def test_bulk_does_not_mind_heavy_tails_or_scale():
    x = np.random.default_rng(0).standard_cauchy(size=(4, 500))
    np.testing.assert_allclose(ess_bulk(np.arctan(x)), ess_bulk(x))
    np.testing.assert_allclose(ess_bulk(1e-30 * x), ess_bulk(x))


def test_error_of_the_mean_covers_it():
    means = np.random.default_rng(0).normal(size=(2, 200, 300))
    within = np.abs(means.mean((0, 1))) < 1.96 * mcse_mean(means)
    assert 0.9 < within.mean() < 0.99


def test_two_axes_are_needed():
    with pytest.raises(ValueError, match=r"rhat: draws must be \[chain, draw"):
        rhat(np.zeros(10))


@pytest.mark.parametrize("shape", [(), (2,)])
def test_nested_rhat_by_its_definition(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 5, *shape)) + rng.normal(size=(12, 1, *shape))
    k, m, n = 4, 3, 5
    groups = x.reshape(k, m, n, *shape)
    of_group = groups.mean((1, 2))
    between = ((of_group - of_group.mean(0)) ** 2).sum(0) / (k - 1)
    within = 0.0
    for g in groups:
        of_chain = g.mean(1)
        within = within + ((of_chain - of_chain.mean(0)) ** 2).sum(0) / (m - 1)
        within = within + ((g - of_chain[:, None]) ** 2).sum(1).mean(0) / (n - 1)
    np.testing.assert_allclose(nested_rhat(x, k), np.sqrt(1 + between / (within / k)))
    with pytest.raises(ValueError, match="5 superchains do not divide"):
        nested_rhat(x, 5)


def test_many_short_chains_in_groups():
    """A few draws of many chains tell that groups that started elsewhere have met, or have not."""
    model = lambda: sx.sample("x", sx.Normal(0.0, 1.0))
    settings = {"num_chains": 64, "superchains": 8, "num_samples": 5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        short = sx.mcmc(model, sx.nuts(0.01, max_tree_depth=1), num_warmup=0, **settings)(0)["x"]
        long = sx.mcmc(model, num_warmup=50, **settings)(0)["x"]
    first = short[:, 0].reshape(8, 8)
    assert np.ptp(first, 1).max() < 0.2 and np.ptp(first[:, 0]) > 1  # one start a group
    assert nested_rhat(short, 8) > 2 and nested_rhat(long, 8) < 1.1
    with pytest.raises(sx.errors.SettingsError, match="superchains=7 does not divide"):
        sx.mcmc(model, num_chains=64, superchains=7)
