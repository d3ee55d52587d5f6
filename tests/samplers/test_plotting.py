"""Every figure is made, by the ArviZ that is installed, and shows the names it should."""

import sys

import matplotlib
import numpy as np
import pytest

import storax as sx
from storax.errors import InferenceError, MissingExtraError, UnknownNameError

matplotlib.use("agg")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Estimated shape parameter"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:arviz.*"),
]
FIGURES = ["trace", "forest", "pair", "posterior", "energy", "rank", "ppc", "loo"]
Y = np.array([0.5, 1.5, 2.5], np.float32)


def model(y=None):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    with sx.plate("school", 3):
        sx.sample("y", sx.Normal(mu, 1.0), obs=y)


@pytest.fixture(scope="module")
def post():
    rng = np.random.default_rng(0)
    diverging = np.zeros((2, 100), bool)
    diverging[0, ::9] = True
    bare = sx.Posterior(
        {"mu": rng.normal(size=(2, 100)).astype(np.float32)},
        {"energy": rng.normal(size=(2, 100)), "diverging": diverging},
    )
    full = sx.with_data(model, bare)(Y).with_groups(posterior_predictive=sx.predictive(model, bare)(0, Y))
    samples = {**full.samples, "theta": rng.normal(size=(2, 100, 3)).astype(np.float32)}
    return full.replaced(samples=samples).labelled({"school": ["Ann", "Bob", "Cyd"]}, {"theta": ("school",)})


def texts(figure):
    return " ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", FIGURES)
def test_figures(post, name, tmp_path):
    figure = getattr(post.plot, name)()
    figure.savefig(tmp_path / "figure.png", dpi=30)
    assert (tmp_path / "figure.png").stat().st_size > 1000
    if name in ("forest", "trace", "rank", "posterior"):
        assert "Bob" in texts(figure) and "mu" in texts(figure)
    matplotlib.pyplot.close("all")


def test_names_are_chosen_and_refused(post):
    figure = post.plot.posterior("mu")
    assert "Bob" not in texts(figure)
    with pytest.raises(UnknownNameError, match="Did you mean 'theta'"):
        post.plot.trace(["thet"])
    matplotlib.pyplot.close("all")


def test_divergences_are_marked(post):
    """As many points more as there are divergences, two numbers against each other."""
    marks = {}
    for flags in (True, False):
        stats = {"diverging": post.stats["diverging"] & flags}
        figure = post.replaced(stats=stats).plot.pair(["mu", "theta"], coords={"school": ["Ann"]})
        points = [len(c.get_offsets()) for ax in figure.axes for c in ax.collections if hasattr(c, "get_offsets")]
        lines = [len(line.get_xdata()) for ax in figure.axes for line in ax.lines]
        marks[flags] = sum(points) + sum(lines)
        matplotlib.pyplot.close("all")
    assert marks[True] - marks[False] == post.stats["diverging"].sum()


def test_what_is_missing_is_named(post, monkeypatch):
    bare = sx.Posterior(post.samples)
    for name, message in (("ppc", "sx.with_data"), ("loo", "log_likelihood"), ("energy", "sample_stats")):
        with pytest.raises(InferenceError, match=message):
            getattr(bare.plot, name)()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"storax\[plot\]"):
        post.plot.trace()


def test_ranks_of_a_calibration_have_a_figure():
    ranks = {"mu": np.random.default_rng(0).integers(0, 100, 200)}
    figure = sx.samplers.workflow.Calibration(ranks, 99, 0).plot()
    assert "mu" in texts(figure)
    matplotlib.pyplot.close("all")
