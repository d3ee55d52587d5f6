"""Counts where float arithmetic goes wrong, at the edges of their parameters, and vectors of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from extremes_counts import MASSES, TAILS
from scipy import stats
from specimens import draws, vectors_of_counts

import storax as sx
from storax import supports
from storax.errors import ArgumentTypeError, ParameterError, ShapeError

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions


def build(text, p):
    names = {"array": jnp.stack, "jnp": jnp, "p": list(p), "abc": jnp.stack(list(p)) if len(p) else None}
    return eval(text, {**vars(sx), **names, **dict(zip("abcd", p))})


def check(dtype, tolerance, text, p, x, function, value, gradients):
    x = jnp.asarray(np.asarray(x, np.float64), dtype)
    f = lambda p: getattr(build(text, p), function)(x)
    got, slopes = jax.value_and_grad(f)([jnp.asarray(v, dtype) for v in p])
    assert abs(float(got) - value) <= tolerance * max(1, abs(value)), (float(got), value)
    for slope, truth in zip(slopes, gradients, strict=True):
        assert abs(float(slope) - truth) <= tolerance * max(1, abs(truth)), (slopes, gradients)


@pytest.mark.parametrize("text, p, x, value, gradients", MASSES)
def test_masses_in_double_precision(x64, text, p, x, value, gradients):
    check(jnp.float64, 1e-10, text, p, x, "log_prob", value, gradients)


@pytest.mark.parametrize("text, p, x, value, gradients", MASSES)
def test_masses_in_single_precision(text, p, x, value, gradients):
    check(jnp.float32, 1e-5, text, p, x, "log_prob", value, gradients)


@pytest.mark.parametrize("text, p, x, function, value, gradients", TAILS)
def test_tails_in_double_precision(x64, text, p, x, function, value, gradients):
    check(jnp.float64, 1e-10, text, p, x, function, value, gradients)


@pytest.mark.parametrize("text, p, x, function, value, gradients", TAILS)
def test_tails_in_single_precision(text, p, x, function, value, gradients):
    check(jnp.float32, 1e-5, text, p, x, function, value, gradients)


@pytest.mark.parametrize(
    "make, p, inside, outside",
    [
        (sx.Poisson, 0.0, 0, 3),
        (lambda p: sx.Binomial(10, p), 1.0, 10, 9),
        (lambda p: sx.Binomial(10, p), 0.0, 0, 1),
        (lambda p: sx.Binomial(0, p), 0.25, 0, 1),
        (lambda p: sx.Bernoulli(p), 1.0, 1, 0),
        (sx.Geometric, 1.0, 0, 2),
        (lambda p: sx.NegativeBinomial(3.0, probs=p), 0.0, 0, 2),
        (lambda p: sx.BetaBinomial(p, 2.0, 0), 1.0, 0, 1),
        (lambda p: sx.Categorical(jnp.stack([p, 1 - p])), 1.0, 0, 1),
        (lambda p: sx.Multinomial(4, jnp.stack([p, 1 - p])), 1.0, [4, 0], [3, 1]),
        (lambda p: sx.ZeroInflated(sx.Poisson(0.0), p), 0.0, 0, 1),
    ],
)
def test_certain_outcomes(make, p, inside, outside):
    """The mass is 1 there and 0 elsewhere, draws are certain, and no gradient is nan."""
    d = make(jnp.float32(p))
    inside, outside = jnp.asarray(inside), jnp.asarray(outside)
    assert float(d.log_prob(inside)) == 0 and float(d.log_prob(outside)) == -np.inf
    assert (np.asarray(d.sample(jax.random.key(0), (50,))) == np.asarray(inside)).all()
    for x in (inside, outside):
        assert np.isfinite(jax.grad(lambda p: make(p).log_prob(x))(jnp.float32(p)))
    if not d.event_dim:
        assert [float(d.log_cdf(inside)), float(d.log_survival(inside))] == [0, -np.inf]
        assert [float(d.log_cdf(inside - 1)), float(d.log_survival(inside - 1))] == [-np.inf, 0]
        assert int(d.icdf(0.5)) == int(inside) == int(d.mode)


def test_a_category_may_be_impossible():
    logits = jnp.array([0.5, -jnp.inf, 1.0])
    score = lambda x: sx.Categorical(logits=x).log_prob(jnp.array([0, 2]))
    np.testing.assert_allclose(score(logits), jax.nn.log_softmax(logits[::2]), rtol=1e-6)
    assert np.isfinite(jax.jacobian(score)(logits)).all()
    d = sx.Categorical(logits=logits)
    assert d.log_prob(1) == -np.inf and not (draws(d) == 1).any() and np.isfinite(d.entropy())
    np.testing.assert_allclose(
        sx.Multinomial(3, logits=logits).log_prob(jnp.array([3, 0, 0])), 3 * d.log_prob(0), rtol=1e-6
    )
    with pytest.raises(ParameterError, match="logits must be finite or -inf"):
        sx.Categorical(logits=[-np.inf, -np.inf])


@pytest.mark.parametrize(
    "d",
    [
        sx.Multinomial(5, [0.2, 0.5, 0.3]),
        sx.Multinomial(4, logits=[0.1, -1.0, 0.7, 0.0]),
        sx.DirichletMultinomial([0.8, 2.0, 3.5], 5),
        sx.DirichletMultinomial([0.01, 0.02, 0.03], 4),
    ],
)
def test_vectors_of_counts_sum_to_one_and_are_drawn_as_often(d):
    x = jnp.array(list(vectors_of_counts(int(d.total_count), d.event_shape[0])))
    p = np.exp(np.asarray(d.log_prob(x), float))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(p @ np.asarray(x), d.mean, rtol=1e-5)
    n, of = 20000, {tuple(v): i for i, v in enumerate(x.tolist())}
    seen = np.bincount([of[tuple(v)] for v in draws(d, n).tolist()], minlength=len(x))
    many = p * n >= 5
    pooled = lambda v: np.append(v[many], v[~many].sum() + 1e-9)
    expected = pooled(p * n)
    assert stats.chisquare(pooled(seen), expected * pooled(seen).sum() / expected.sum()).pvalue > 1e-4
    assert not d.support(x.at[:, 0].add(1)).any() and d.support(x).all()
    assert (d.log_prob(x + 1) == -np.inf).all()


def test_quantiles_are_exact_for_huge_rates(x64):
    d = sx.Poisson(1e12)
    q = jnp.array([1e-6, 0.5, 0.99])
    k = d.icdf(q)
    assert (d.cdf(k) >= q).all() and (d.cdf(k - 1) < q).all()
    np.testing.assert_allclose(k, stats.norm(1e12, 1e6).ppf(q), rtol=1e-9)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        d.icdf(2.0)
    assert (jax.jit(d.icdf)(jnp.array([2.0, jnp.nan])) == np.iinfo(np.int64).min).all()
    assert abs(float(d.log_cdf(1e12)) - np.log(0.5 + 2 / 3 / np.sqrt(2 * np.pi * 1e12))) < 1e-12


def test_rates_beyond_integers_saturate():
    x = sx.Poisson(jnp.array([1e-30, 1e12], jnp.float32)).sample(jax.random.key(0), (5,))
    assert (x[:, 0] == 0).all() and (x[:, 1] == np.iinfo(np.int32).max).all()
    assert (sx.NegativeBinomial2(1e20, 1.0).sample(jax.random.key(0), (5,)) >= 0).all()


def test_rare_counts_behind_a_hurdle():
    """A rejection sampler would wait for 1e9 draws."""
    x = draws(sx.Hurdle(sx.Poisson(1e-9), 0.0), 500)
    assert (x == 1).all()


def test_negative_binomials_are_one():
    one = sx.NegativeBinomial(mean=6.0, concentration=2.0)
    assert type(one) is sx.NegativeBinomial2
    x = jnp.arange(10)
    for other in (
        sx.NegativeBinomial(2.0, probs=0.75),
        sx.NegativeBinomial(2.0, logits=np.log(3.0)),
        sx.GammaPoisson(2.0, 1 / 3),
    ):
        np.testing.assert_allclose(one.log_prob(x), other.log_prob(x), rtol=1e-5)
    wide = sx.NegativeBinomial2(3.0, jnp.ones(4))
    assert wide.mean.shape == wide.shape == (4,)
    with pytest.raises(ParameterError, match="or mean and concentration"):
        sx.NegativeBinomial(2.0, mean=1.0)
    with pytest.raises(ParameterError, match="both mean and concentration"):
        sx.NegativeBinomial(mean=1.0)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: sx.Geometric(), ParameterError, "one of probs and logits, and got neither"),
        (lambda: sx.Geometric(0.5, 0.0), ParameterError, "one of probs and logits, and got both"),
        (lambda: sx.Geometric([0.5, 0.0]), ParameterError, r"probs must be above 0.*probs\[1\] is 0.0"),
        (lambda: sx.NegativeBinomial(2.0, 1.0), ParameterError, "probs must be below 1.*probs is 1.0"),
        (lambda: sx.DiscreteWeibull(1.0, 2.0), ParameterError, "q must be above 0 and below 1"),
        (lambda: sx.DiscreteUniform(3, 2), ParameterError, "high must not be below low, and low is 3, high is 2"),
        (lambda: sx.DiscreteUniform(0.5, 2), ParameterError, "low must be a whole number, and low is 0.5"),
        (lambda: sx.HyperGeometric(10, 12, 3), ParameterError, "marked is 12, population is 10"),
        (
            lambda: sx.OrderedLogistic(0.0, [1.0, 1.0]),
            ParameterError,
            r"cutpoints\[0\] is 1.0 and cutpoints\[1\] is 1.0",
        ),
        (lambda: sx.OrderedLogistic(0.0, []), ShapeError, "at least 1"),
        (lambda: sx.ZeroInflated(sx.Normal(), 0.5), ArgumentTypeError, "distribution of counts"),
        (lambda: sx.Hurdle(sx.Skellam(1.0, 1.0), 0.5), ArgumentTypeError, "no negative values"),
        (lambda: sx.ZeroInflated(sx.Poisson(1.0)), ParameterError, "one of gate and gate_logits"),
        (
            lambda: sx.ZeroInflated(sx.Poisson(jnp.ones(3)), jnp.full(2, 0.5)),
            ShapeError,
            "does not broadcast with base",
        ),
        (lambda: sx.Multinomial(-1, [0.5, 0.5]), ParameterError, "total_count must be a whole number"),
    ],
)
def test_bad_parameters(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_supports_of_whole_numbers():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 7.0, np.nan])
    told = lambda s: "".join("01"[int(v)] for v in s(x))
    assert told(supports.integer) == "110110" and told(supports.positive_integer) == "000110"
    assert told(supports.integer_greater_than(0)) == "010110" and told(supports.integer_less_than(1)) == "110100"
    assert told(supports.exactly(0.5)) == "001000"
    counts = supports.multinomial(3)
    assert counts(np.array([[1, 2], [3, 1], [4, -1]])).tolist() == [True, False, False]
    assert counts(counts.feasible((2, 4), int)).all()
    weights = supports.log_weights(np.array([[0.0, -np.inf], [-np.inf, -np.inf], [np.nan, 0.0]]))
    assert weights.tolist() == [True, False, False]
