"""The examples on real problems, each at a small size: they find what made their data, or what others have found."""

import importlib
import pathlib
import sys

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")
ROOT = pathlib.Path(__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning", "ignore::DeprecationWarning")


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Runs `main` of an example with a figure, two chains, and few draws."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))

    def run(name, num_samples=300, **settings):
        module = importlib.import_module(name)
        figure = tmp_path / "figure.png"
        result = module.main(num_samples=num_samples, num_chains=2, figure=figure, **settings)
        matplotlib.pyplot.close("all")
        assert figure.stat().st_size > 5000
        return module, result

    yield run
    for name in list(sys.modules):
        if getattr(sys.modules[name], "__file__", None) and str(ROOT / "examples") in str(sys.modules[name].__file__):
            del sys.modules[name]


def covered(draws, truth, prob=0.98):
    """The share of true values inside of central intervals."""
    low, high = np.quantile(draws.reshape(-1, *np.shape(truth)), ((1 - prob) / 2, (1 + prob) / 2), axis=0)
    return np.mean((low <= truth) & (truth <= high))


def test_the_drug_keeps_leukaemia_in_remission(example):
    _, post = example("survival")
    # The maximum likelihood fit (Cox & Oakes 1984, ch. 4): shape 1.37, effect on log time 1.27 with standard error 0.31
    assert abs(post["shape"].mean() - 1.35) < 0.1 and abs(post["effect"].mean() - 1.2) < 0.2
    assert post["effect"].std() == pytest.approx(0.31, rel=0.2)


@pytest.mark.long
def test_missing_measurements_are_covered(example):
    _, (post, lost) = example("missing_data")
    assert covered(post["y_missing"], lost) > 0.8 and covered(post["correlation"], 0.8) == 1.0


@pytest.mark.long
def test_fish_and_those_who_do_not(example):
    _, (post, check) = example("zero_inflated")
    assert covered(post["idle"], 0.4) and covered(post["base"], 0.3) and covered(post["slope"], 0.8)
    assert 0.02 < check["fish: zeros"]["p"] < 0.98


@pytest.mark.long
def test_the_year_of_the_change(example):
    module, (post, p) = example("change_point")
    assert abs(module.years[p.argmax()] - 1891) <= 2  # Raftery & Akman 1986: 1890
    assert abs(post["early"].mean() - 3.1) < 0.2 and abs(post["late"].mean() - 0.9) < 0.1


@pytest.mark.long
def test_difficulty_of_questions(example):
    _, (post, truth) = example("item_response")
    assert covered(post["difficulty"], np.asarray(truth)) > 0.7


@pytest.mark.long
def test_a_network_doubts_where_there_are_no_data(example):
    _, (_, x, draws) = example("neural_network")
    sd = draws["mean"].std((0, 1))
    near = (np.abs(np.abs(x) - 1.2) < 0.3, np.abs(x) > 2.7)
    assert sd[near[1]].mean() > 3 * sd[near[0]].mean()
    assert np.abs(draws["mean"].mean((0, 1)) - np.sin(2 * x))[near[0]].max() < 0.25


@pytest.mark.long
def test_a_curve_of_unknown_shape(example):
    _, (post, mean, sd) = example("gaussian_process")
    x = np.linspace(-1.0, 9.0, 80)
    inside = (x > 0) & (x < 8)
    total = np.sqrt(np.asarray(sd**2).mean(0) + np.asarray(mean).var(0))
    assert (np.abs(np.asarray(mean).mean(0) - np.sin(x)) < 3 * total)[inside].mean() > 0.95
    assert covered(post["noise"], 0.2) == 1.0


@pytest.mark.long
def test_regimes_are_found(example):
    _, (post, states, chance) = example("hidden_markov")
    assert ((chance > 0.5) == states).mean() > 0.9 and covered(post["means"], np.array([-1.0, 1.5])) == 1.0


@pytest.mark.long
def test_hares_and_lynxes(example):
    _, post = example("lotka_volterra")
    # Carpenter 2018, "Predator-Prey Population Dynamics", Stan case studies: posterior means.
    np.testing.assert_allclose(post["rates"].mean((0, 1)), [0.55, 0.028, 0.80, 0.024], rtol=0.1)
    np.testing.assert_allclose(post["noise"].mean((0, 1)), [0.25, 0.25], rtol=0.15)


@pytest.mark.long
def test_the_nerves_of_a_market(example):
    _, (post, sd) = example("stochastic_volatility", days=100)
    assert covered(post["sd"], np.asarray(sd)) > 0.85 and post["memory"].mean() > 0.8
