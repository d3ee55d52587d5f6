"""What is found in runs whose flaws are known; labels; and the numbers of ArviZ, of either world."""

import re

import numpy as np
import pytest

import storax as sx
from storax.samplers.diagnosing import bfmi
from storax.samplers.diagnostics import ess_bulk, ess_tail, mcse_mean, mcse_sd, rhat

RNG = np.random.default_rng(0)


def clean(chains=4, draws=500):
    rng = np.random.default_rng(1)
    samples = {"mu": rng.normal(size=(chains, draws)), "theta": rng.normal(size=(chains, draws, 3))}
    stats = {
        "diverging": np.zeros((chains, draws), bool),
        "undefined": np.zeros((chains, draws), bool),
        "reached_max_treedepth": np.zeros((chains, draws), bool),
        "tree_depth": np.full((chains, draws), 3),
        "energy": rng.normal(size=(chains, draws)),
        "step_size": np.full((chains, draws), 0.5),
    }
    return samples, stats


def with_change(change):
    samples, stats = clean()
    change(samples, stats)
    return sx.Posterior(samples, stats).diagnose()


def test_nothing_is_wrong_with_independent_draws():
    found = sx.Posterior(*clean()).diagnose()
    assert found.ok and not found.complaints and len(found) == 9
    assert all(f.ok is True for f in found.values())


def diverge_in_the_neck(samples, stats):
    samples["theta"][..., 1] = np.exp(samples["theta"][..., 1])
    stats["diverging"][:, ::10] = True
    samples["theta"][:, ::10, 1] *= 0.01
    stats["diverging"][2, 1] = True


def stick(samples, stats):
    for x in samples.values():
        x[1] = x[1, :1]


def shift(samples, stats):
    samples["theta"][3, :, 2] += 9.0


def drift(samples, stats):
    stats["energy"][:] = stats["energy"].cumsum(1)


def saturate(samples, stats):
    stats["reached_max_treedepth"][:, ::4] = True
    stats["tree_depth"][:, ::4] = 10


def correlate(samples, stats):
    samples["mu"] = samples["mu"].repeat(50, axis=1)[:, :500]


def undefine(samples, stats):
    stats["undefined"][0, :7] = stats["diverging"][0, :7] = True


def tails(samples, stats):
    """Long stays in one tail: the bulk hardly notices."""
    x = samples["mu"]
    x[:, 100:130] = 5.0 + 0.001 * x[:, 100:130]


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (diverge_in_the_neck, "divergences", r"201 of 2000 .*\(by chain: 50, 50, 51, 50\).*theta\[1\] is small"),
        (stick, "chains that move", r"did not move: 1 \(step size 0.5\)"),
        (shift, "chains that agree", r"chain 3 has mean 8.89 of theta\[2\], the others"),
        (shift, "R-hat", r"for theta\[2\] \(1 of 4 numbers"),
        (drift, "E-BFMI", r"0\.\d\d in chain 0.*Reparameterise"),
        (saturate, "saturated trees", "25% of the draws reached max_tree_depth=10"),
        (correlate, "bulk ESS", "of mu is .* below 400"),
        (undefine, "densities of nan", "7 of 2000 draws"),
        (tails, "tail ESS", "of mu is .* below 400"),
    ],
)
def test_each_flaw_is_found_and_said(change, check, words):
    found = with_change(change)
    assert found[check].ok is False and not found.ok
    (text,) = [t for t in found.complaints if t == found[check].text]
    assert re.search(words, text), text
    assert text in repr(found) and "look" in repr(found)


def test_one_flaw_is_not_blamed_for_others():
    found = with_change(undefine)
    assert [n for n, f in found.items() if f.ok is False] == ["densities of nan"]
    found = with_change(saturate)
    assert [n for n, f in found.items() if f.ok is False] == ["saturated trees"]


def test_short_runs_and_bare_draws_leave_checks_open():
    samples, stats = clean(draws=20)
    found = sx.Posterior(samples, stats).diagnose()
    assert found.ok and found["R-hat"].ok is None and found["E-BFMI"].ok is None
    assert sx.Posterior(clean()[0]).diagnose()["divergences"].ok is None


def test_unknown_checks_are_refused():
    with pytest.raises(sx.errors.UnknownNameError, match="Did you mean 'R-hat'"):
        sx.Posterior(clean()[0]).diagnose()["Rhat"]


# --- summaries


def test_constants_are_known_exactly():
    samples, _ = clean()
    samples["one"] = np.ones((4, 500), np.float32)
    samples["almost"] = np.float32(0.1) * (1 + np.float32(1e-7) * RNG.integers(0, 2, (4, 500)).astype(np.float32))
    samples["matrix"] = np.stack([np.stack([np.ones((4, 500)), samples["mu"]], -1)] * 2, -1)
    samples["count"] = np.full((4, 500), 7)
    summary = sx.Posterior(samples).summary()
    for name in ("one", "almost", "matrix[0, 0]", "count"):
        row = summary[name]
        assert (row["sd"], row["mcse"], row["rhat"], row["ess_bulk"]) == (0.0, 0.0, 1.0, 2000), name
    assert all(np.isfinite(x).all() for x in summary.columns.values())
    assert summary["matrix[1, 0]"]["sd"] > 0.9


def test_numbers_that_are_small_or_close_together_are_not_constants():
    samples = {"tiny": 1e-30 * clean()[0]["mu"], "close": 1e6 + 1e-3 * clean()[0]["mu"]}
    summary = sx.Posterior(samples).summary()
    assert summary["tiny"]["sd"] > 0 and summary["close"]["sd"] > 0 and summary["close"]["ess_bulk"] < 3000


def test_labels():
    samples, _ = clean()
    samples["w"] = RNG.normal(size=(4, 500, 2, 3))
    post = sx.Posterior(samples, dims={"theta": ("school",)})
    named = post.labelled({"school": ["A", "B", "C"], "year": [1999, 2001]}, {"w": ("year", "school")})
    assert list(named.summary(names="theta")) == ["theta[A]", "theta[B]", "theta[C]"]
    assert "w[2001, B]" in named.summary() and list(post.summary(names=["mu"])) == ["mu"]
    assert named.summary()["w[2001, B]"] == post.summary()["w[1, 1]"]
    assert named.labelled(dims={"w": (None, "school")}).labels("w", (1, 2)) == (1, "C")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"school": ["A", "B"]},), "ShapeError", "has 3 entries, and got 2 labels"),
        (({"scool": ["A", "B", "C"]},), "UnknownNameError", "Did you mean 'school'"),
        (({}, {"thet": ("school",)}), "UnknownNameError", "Did you mean 'theta'"),
        (({}, {"theta": ("a", "b")}), "ShapeError", "2 names"),
        (({}, {"theta": (3,)}), "ArgumentTypeError", "strings or None"),
        (({"school": "ABC"},), "ArgumentTypeError", "list of strings"),
        ((["A"],), "ArgumentTypeError", "labels by axis"),
        (({}, ["theta"]), "ArgumentTypeError", "axis names by quantity"),
    ],
)
def test_labels_that_do_not_fit(arguments, error, message):
    post = sx.Posterior(clean()[0], dims={"theta": ("school",)})
    with pytest.raises(getattr(sx.errors, error), match=message):
        post.labelled(*arguments)


def test_tables_escape_names():
    post = sx.Posterior({"<b>": RNG.normal(size=(2, 200))})
    assert "&lt;b&gt;" in post.summary()._repr_html_() and "<b>" not in post.summary()._repr_html_()
    shifted = sx.Posterior({"<b>": RNG.normal(size=(2, 200)) + np.array([[0.0], [9.0]])})
    assert "<b>" not in shifted.diagnose()._repr_html_()


def test_long_tables_are_cut_when_printed():
    text = repr(sx.Posterior({"x": RNG.normal(size=(1, 10, 1000))}).summary())
    assert "... 800 rows more" in text and "x[999]" in text and len(text.splitlines()) == 202


# --- ArviZ


def chains():
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(4, 400))
    walk = np.zeros_like(noise)
    for t in range(1, 400):
        walk[:, t] = 0.8 * walk[:, t - 1] + noise[:, t]
    return {
        "independent": rng.normal(size=(4, 400)),
        "autoregressive": walk,
        "odd": walk[:, :333],
        "one chain": walk[:1],
        "heavy": rng.standard_cauchy(size=(3, 250)),
        "counts": rng.poisson(1.5, size=(4, 400)).astype(float),
        "apart": walk + np.arange(4)[:, None],
    }


@pytest.mark.parametrize("name", chains())
def test_diagnostics_are_those_of_the_installed_arviz(name):
    import arviz as az

    x = chains()[name]
    ess = [az.ess(x, method="bulk"), az.ess(x, method="tail", prob=(0.05, 0.95))]
    expected = [az.rhat(x), *ess, az.mcse(x, method="mean"), az.mcse(x, method="sd")]
    found = [rhat(x), ess_bulk(x), ess_tail(x), mcse_mean(x), mcse_sd(x)]
    skip = 1 if len(x) == 1 else 0  # ArviZ gives no R-hat for one chain, where ours compares its halves
    np.testing.assert_allclose(found[skip:], np.asarray(expected, float)[skip:], rtol=1e-6)
    np.testing.assert_allclose(bfmi(x), np.ravel(az.bfmi(x)), rtol=1e-6)


def test_statistics_without_draws_are_looked_at():
    _, stats = clean()
    stats["diverging"][0, :5] = True
    found = sx.Posterior({}, stats).diagnose()
    assert [n for n, f in found.items() if f.ok is False] == ["divergences"] and found["R-hat"].ok is None
