"""The fit of the tail finds the shape that draws have, and smoothing helps."""

import numpy as np
import pytest
import scipy.stats

from storax.samplers.pareto import generalised_pareto, psis


@pytest.mark.parametrize("k", [-0.3, 0.0, 0.4, 0.9])
def test_the_fit_agrees_with_maximum_likelihood(k):
    draws = np.sort(scipy.stats.genpareto(k, scale=2.0).rvs(4000, random_state=1))
    fitted, scale = generalised_pareto(draws)
    shape, _, width = scipy.stats.genpareto.fit(draws, floc=0.0)
    assert abs(fitted - shape) < 0.02 and abs(scale - width) < 0.05
    assert abs(fitted - k) < 4 * (1 + k) / np.sqrt(4000) + 0.01


@pytest.mark.parametrize("k", [0.2, 0.5, 0.8, 1.2])
def test_khat_is_the_shape_of_heavy_weights(k):
    khats = [psis(np.log(scipy.stats.genpareto(k).rvs(5000, random_state=s))).khat for s in range(20)]
    assert abs(np.mean(khats) - k) < 0.1


def test_smoothed_weights_have_less_error_than_plain_ones():
    # Proposal N(0, 1) for the target N(0, 1.4): the mean of x^2 is 1.96.
    errors = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=500)
        log_weights = scipy.stats.norm.logpdf(x, 0, 1.4) - scipy.stats.norm.logpdf(x)
        plain, smooth = np.exp(log_weights), np.exp(psis(log_weights).log_weights)
        errors.append([(w * x**2).sum() / w.sum() - 1.96 for w in (plain, smooth)])
    plain, smooth = (np.asarray(errors) ** 2).mean(0)
    assert smooth < plain


def test_weights_that_say_nothing():
    assert psis(np.zeros(100)).khat == -np.inf  # all equal: the proposal is the target
    np.testing.assert_allclose(psis(np.zeros(100)).log_weights, -np.log(100))
    assert np.isnan(psis(np.array([0.0, np.nan] * 50)).khat)
    assert np.isnan(psis(np.zeros(10)).khat)
    assert psis(np.full(100, -np.inf)).khat == np.inf
    assert psis(np.r_[np.zeros(99), 50.0]).khat == np.inf  # one draw counts
    with pytest.raises(ValueError, match="shape"):
        psis(np.zeros((2, 3)))


def test_weights_may_be_minus_infinite_and_the_scale_does_not_matter():
    rng = np.random.default_rng(3)
    x = rng.normal(size=1000)
    x[:100] = -np.inf
    a, b = psis(x), psis(x + 700.0)
    np.testing.assert_allclose(a.khat, b.khat)
    np.testing.assert_allclose(a.log_weights, b.log_weights, atol=1e-9)
    assert (a.log_weights[:100] == -np.inf).all()
