"""What has no closed form and is a sum or an integral: judged by SciPy, by series, and by adding up all there is."""

import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import optimize, special, stats

import storax as sx


def loss(d, values):
    """-sum of p log p."""
    score = np.asarray(d.log_prob(values), float)
    return -np.sum(np.exp(score) * np.where(score > -np.inf, score, 0.0))


@pytest.mark.parametrize("rate", [1e-8, 3.7, 200.0, 1e6, 1e12])
def test_entropy_of_poisson_counts_of_every_size(rate, x64):
    if rate > 500:  # Evans and Boersma (1988)
        expected = 0.5 * np.log(2 * np.pi * np.e * rate) - 1 / (12 * rate) - 1 / (24 * rate**2)
    else:
        expected = loss(sx.Poisson(rate), np.arange(1000))
    entropy = sx.Poisson(rate).entropy
    np.testing.assert_allclose(entropy(), expected, rtol=1e-12)
    if rate == 3.7:
        slope = jax.grad(lambda rate: sx.Poisson(rate).entropy())(rate)
        step = (sx.Poisson(rate + 1e-5).entropy() - sx.Poisson(rate - 1e-5).entropy()) / 2e-5
        np.testing.assert_allclose(slope, step, rtol=1e-8)


@pytest.mark.long
def test_a_stride_misses_nothing(x64):
    """Binomial and hypergeometric counts whose terms are added one in seven, or one in forty."""
    for d, last in ((sx.Binomial(1500, 0.4), 1500), (sx.HyperGeometric(200_000, 80_000, 60_000), 60_000)):
        np.testing.assert_allclose(d.entropy(), loss(d, np.arange(last + 1)), rtol=1e-12)


@pytest.mark.long
def test_vectors_of_counts(x64):
    counts = np.array([c for c in itertools.product(range(8), repeat=3) if sum(c) == 7])
    for d in (sx.Multinomial(7, np.array([0.2, 0.5, 0.3])), sx.DirichletMultinomial(np.array([0.8, 2.0, 3.5]), 7)):
        np.testing.assert_allclose(d.entropy(), loss(d, counts), rtol=1e-12)
    d = sx.Multinomial(np.array([7, 1000]), np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]))
    np.testing.assert_array_equal(d.mode, [[1, 4, 2], [100, 100, 800]])


@pytest.mark.long
def test_a_hurdle_is_highest_at_an_end_or_at_the_mode(x64):
    for d in (
        sx.Hurdle(sx.Poisson(2.5), 0.35),
        sx.Hurdle(sx.Poisson(0.1), 0.1),
        sx.Hurdle(sx.Poisson(7.5), 0.01),
        sx.Hurdle(sx.BetaBinomial(0.1, 0.1, 5), 0.1),
    ):
        k = np.arange(100)
        assert d.mode == np.argmax(d.log_prob(k))
        np.testing.assert_allclose(d.entropy(), loss(d, k), rtol=1e-10)


@pytest.mark.long
@pytest.mark.parametrize(("q", "beta"), [(0.8, 1.3), (0.001, 0.9), (0.999999, 2.0), (1 - 1e-12, 5.0), (0.5, 30.0)])
def test_moments_of_the_discrete_weibull(q, beta, x64):
    k = np.arange(1.0, 20_000.0)
    above = np.exp(np.log(q) * np.minimum(k**beta, 1e290))
    mean = above.sum()
    d = sx.DiscreteWeibull(q, beta)
    np.testing.assert_allclose(d.mean, mean, rtol=1e-11)
    np.testing.assert_allclose(d.variance, np.sum((2 * k - 1) * above) - mean**2, rtol=1e-9)
    assert d.mode == np.argmax(d.log_prob(np.arange(2000)))


@pytest.mark.parametrize("k", [1e-3, 0.3, 1.0, 10.0, 99.0, 101.0, 1e4])
def test_mode_of_the_exponentially_modified_gaussian(k, x64):
    """z = u + k, where the hazard phi(u) / Phi(u) of the normal part is k; by mpmath, as z is small for large k."""
    with mpmath.workdps(40):
        near = 1 / mpmath.mpf(k) if k > 5 else 1 + k
        z = float(mpmath.findroot(lambda z: mpmath.npdf(z - k) / mpmath.ncdf(z - k) - k, near))
    np.testing.assert_allclose(sx.ExGaussian(2.0, 3.0, k / 3).mode, 2 + 3 * z, rtol=1e-12)


@pytest.mark.parametrize(("b", "mode"), [(0.0, 1.0), (1.875, None), (20.0, None), (1000.0, None)])
def test_mode_and_entropy_of_rice(b, mode, x64):
    judge = stats.rice(b)
    slope = lambda z: 1 / z - z + b * special.i1e(b * z) / special.i0e(b * z)
    mode = mode or optimize.brentq(slope, 1.0, b + 2, xtol=1e-13)
    d = sx.Rice(2 * b, 2.0)
    np.testing.assert_allclose(d.mode, 2 * mode, rtol=1e-11)
    if b < 30:  # SciPy's own integral
        np.testing.assert_allclose(d.entropy(), judge.entropy() + np.log(2.0), rtol=1e-7)


@pytest.mark.long
@pytest.mark.parametrize(("loc", "scale"), [(-0.4, 1.1), (1.0, 3.9), (1.0, 4.1), (-30.0, 2.0)])
def test_moments_of_the_logit_normal(loc, scale, x64):
    """At 4 one sum takes over from another."""
    z = np.linspace(-14, 14, 20001)
    weight = stats.norm.pdf(z) * (z[1] - z[0])
    p = special.expit(loc + scale * z)
    d = sx.LogitNormal(loc, scale)
    np.testing.assert_allclose(d.mean, np.sum(weight * p), rtol=1e-12)
    np.testing.assert_allclose(d.variance, np.sum(weight * (p - np.sum(weight * p)) ** 2), rtol=1e-11)
    x = loc + scale * z
    entropy = 0.5 + 0.5 * np.log(2 * np.pi) + np.log(scale) + np.sum(weight * (x - 2 * np.logaddexp(0.0, x)))
    np.testing.assert_allclose(d.entropy(), entropy, rtol=1e-11, atol=1e-12)


BETAS = [(167.0, 3181663.0, 5.3125e-5), (6631886.0, 161.5, 0.99997509), (0.5, 1e6, 1e-7), (3e6, 3e6, 0.5001)]


@pytest.mark.parametrize(("a", "b", "x"), BETAS)
def test_distribution_functions_of_betas_of_unlike_shapes(a, b, x):
    """In float32 the two shapes' product with the exponent cancelled; counts have the same functions."""
    a, b, x = (float(np.float32(v)) for v in (a, b, x))
    judge = stats.beta(a, b)
    d = sx.Beta(*map(jnp.float32, (a, b)))
    near = np.spacing(np.float32(max(a, b))) * 1e-1 + 1e-5  # what the rounding of x and of 1 - x leaves
    np.testing.assert_allclose(d.log_cdf(jnp.float32(x)), judge.logcdf(x), rtol=near)
    np.testing.assert_allclose(d.log_survival(jnp.float32(x)), judge.logsf(x), rtol=near)


@pytest.mark.long
def test_distribution_functions_of_large_counts(x64):
    """Where a continued fraction takes thousands of terms."""
    k = np.array([999_000.0, 1_000_000.0, 1_002_000.0])
    for d, judge in (
        (sx.Poisson(1e6), stats.poisson(1e6)),
        (sx.Binomial(10**10, 1e-4), stats.binom(10**10, 1e-4)),
        (sx.NegativeBinomial2(1e6, 1e9), stats.nbinom(1e9, 1e9 / (1e9 + 1e6))),
    ):
        np.testing.assert_allclose(d.log_cdf(k), judge.logcdf(k), rtol=1e-8)
        np.testing.assert_allclose(d.log_survival(k), judge.logsf(k), rtol=1e-8)
