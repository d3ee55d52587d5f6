"""Patterns are judged by mpmath, with 150 digits: value and derivative, in float32, for x from -80 to 80."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax import lax
from mpmath import mp

import storax as sx
from storax.logprob import stabilize
from storax.logprob.stabilizing.rewriting import inputs_of, rewrite

mp.dps = 150
POINTS = [-80.0, -33.0, -17.0, -1.0, -0.25, 0.25, 1.0, 17.0, 33.0, 80.0]
POSITIVE = [x for x in POINTS if x > 0]

exp, log = mpmath.exp, mpmath.log
sigmoid = jax.nn.sigmoid


def s(x):
    return 1 / (1 + exp(-x))


def three(x):  # the logits of three categories
    return jnp.stack([x, jnp.zeros_like(x), -x / 2])


def share(x, k):
    weights = [exp(x), mpmath.mpf(1), exp(-x / 2)]
    return weights[k] / sum(weights)


def by_hand(x):
    return jnp.exp(three(x)) / jnp.sum(jnp.exp(three(x)))


PATTERNS = {
    "log sigmoid": (lambda x: jnp.log(sigmoid(x)), lambda x: log(s(x))),
    "log(1 - sigmoid)": (lambda x: jnp.log(1 - sigmoid(x)), lambda x: log(s(-x))),
    "log1p(-sigmoid)": (lambda x: jnp.log1p(-sigmoid(x)), lambda x: log(s(-x))),
    "sigmoid by hand": (lambda x: jnp.log(1 / (1 + jnp.exp(-x))), lambda x: log(s(x))),
    "sigmoid by hand, value": (lambda x: 1 / (1 + jnp.exp(-x)), s),
    "sigmoid as a quotient": (lambda x: jnp.exp(2 * x) / (1 + jnp.exp(2 * x)), lambda x: s(2 * x)),
    "its complement": (lambda x: jnp.log(1 - jnp.exp(x) / (jnp.exp(x) + 1)), lambda x: log(s(-x))),
    "1 - sigmoid": (lambda x: 1 - sigmoid(x), lambda x: s(-x)),
    "softplus": (lambda x: jnp.log(1 + jnp.exp(2 * x)), lambda x: log(1 + exp(2 * x))),
    "log1p(exp)": (lambda x: jnp.log1p(jnp.exp(x)), lambda x: log(1 + exp(x))),
    "log(exp)": (lambda x: jnp.log(jnp.exp(3 * x)), lambda x: 3 * x),
    "log(exp + c)": (lambda x: jnp.log(jnp.exp(2 * x) + 0.5), lambda x: log(exp(2 * x) + mpmath.mpf("0.5"))),
    "logaddexp": (lambda x: jnp.log(jnp.exp(2 * x) + jnp.exp(-x)), lambda x: log(exp(2 * x) + exp(-x))),
    "log sum exp": (lambda x: jnp.log(jnp.sum(jnp.exp(2 * three(x)))), lambda x: log(exp(2 * x) + 1 + exp(-x))),
    "weighted sum": (
        lambda x: jnp.log(jnp.sum(jnp.array([0.5, 2.0, 1.0]) * jnp.exp(2 * three(x)))),
        lambda x: log(exp(2 * x) / 2 + 2 + exp(-x)),
    ),
    "log softmax, first": (lambda x: jnp.log(jax.nn.softmax(three(x)))[0], lambda x: log(share(x, 0))),
    "log softmax, last": (lambda x: jnp.log(jax.nn.softmax(three(x)))[2], lambda x: log(share(x, 2))),
    "softmax by hand": (lambda x: jnp.log(by_hand(2 * x))[1], lambda x: log(share(2 * x, 1))),
    "1 - softmax": (lambda x: jnp.log1p(-jax.nn.softmax(three(x)))[0], lambda x: log(1 - share(x, 0))),
    "two classes": (
        lambda x: jnp.log(jnp.exp(2 * x) / (jnp.exp(2 * x) + jnp.exp(-x))),
        lambda x: log(s(3 * x)),
    ),
    "the other of two": (
        lambda x: jnp.log(1 - jnp.exp(x) / (jnp.exp(x) + jnp.exp(-x))),
        lambda x: log(s(-2 * x)),
    ),
    "product": (lambda x: jnp.log(sigmoid(x) * jnp.exp(2 * x)), lambda x: log(s(x)) + 2 * x),
    "product of many": (lambda x: jnp.log(jnp.prod(sigmoid(three(x)))), lambda x: log(s(x) / 2 * s(-x / 2))),
    "quotient": (lambda x: jnp.log(jnp.exp(2 * x) / sigmoid(x)), lambda x: 2 * x - log(s(x))),
    "ratio": (lambda x: jnp.exp(x) / jnp.exp(0.5 * x), lambda x: exp(x / 2)),
    "power": (lambda x: jnp.log(sigmoid(x) ** 3), lambda x: 3 * log(s(x))),
    "root": (lambda x: jnp.log(jnp.sqrt(jnp.exp(3 * x))), lambda x: 3 * x / 2),
    "log of a square": (lambda x: jnp.log((1e15 * x) ** 2 * 1.0), lambda x: 2 * log(abs(mpmath.mpf(1e15) * x))),
    "log of x x": (lambda x: jnp.log((1e20 * x) * (1e20 * x)), lambda x: 2 * log(abs(mpmath.mpf(1e20) * x))),
    "root of a square": (lambda x: jnp.sqrt(jnp.square(1e20 * x)), lambda x: abs(mpmath.mpf(1e20) * x)),
    "guarded log": (
        lambda x: jnp.where(sigmoid(x) == 0, -jnp.inf, jnp.log(jnp.where(sigmoid(x) == 0, 1.0, sigmoid(x)))),
        lambda x: log(s(x)),
    ),
    "clipped": (
        lambda x: jnp.log(jnp.clip(sigmoid(x), 1e-30, 1.0)),
        lambda x: log(max(s(x), mpmath.mpf(1e-30))),
    ),
    "moved": (
        lambda x: jnp.log(1 - sigmoid(jnp.stack([x, x])).reshape(2, 1)[jnp.array([1])].T[0, 0]),
        lambda x: log(s(-x)),
    ),
}
ON_THE_POSITIVE = {
    "log(1 - exp(-x))": (lambda x: jnp.log(1 - jnp.exp(-x)), lambda x: log(1 - exp(-x))),
    "log1p(-exp(-x))": (lambda x: jnp.log1p(-jnp.exp(-x)), lambda x: log(1 - exp(-x))),
    "log(-expm1(-x))": (lambda x: jnp.log(-jnp.expm1(-x)), lambda x: log(1 - exp(-x))),
    "log(expm1(x))": (lambda x: jnp.log(jnp.expm1(2 * x)), lambda x: log(exp(2 * x) - 1)),
    "log(exp(x) - 1)": (lambda x: jnp.log(jnp.exp(2 * x) - 1), lambda x: log(exp(2 * x) - 1)),
    "log(exp - exp)": (lambda x: jnp.log(jnp.exp(2 * x) - jnp.exp(-x)), lambda x: log(exp(2 * x) - exp(-x))),
    "1 - exp(-x)": (lambda x: 1 - jnp.exp(-x / 1024), lambda x: 1 - exp(-x / 1024)),
}
DENSITIES = {
    "Bernoulli 0": (lambda x: sx.Bernoulli(probs=sigmoid(x)).log_prob(0), lambda x: log(s(-x))),
    "Bernoulli 1": (lambda x: sx.Bernoulli(probs=sigmoid(x)).log_prob(1), lambda x: log(s(x))),
    "cloglog": (
        lambda x: sx.Bernoulli(probs=1 - jnp.exp(-jnp.exp(x / 40))).log_prob(1),
        lambda x: log(1 - exp(-exp(x / 40))),
    ),
    "Binomial": (
        lambda x: sx.Binomial(10, probs=sigmoid(x)).log_prob(3),
        lambda x: log(120 * s(x) ** 3 * s(-x) ** 7),
    ),
    "Geometric": (lambda x: sx.Geometric(probs=sigmoid(x)).log_prob(3), lambda x: log(s(x) * s(-x) ** 3)),
    "NegativeBinomial": (
        lambda x: sx.NegativeBinomial(3.0, probs=sigmoid(x)).log_prob(4),
        lambda x: log(15 * s(x) ** 4 * s(-x) ** 3),
    ),
    "Categorical 0": (lambda x: sx.Categorical(probs=jax.nn.softmax(three(x))).log_prob(0), lambda x: log(share(x, 0))),
    "Categorical 1": (lambda x: sx.Categorical(probs=by_hand(x)).log_prob(1), lambda x: log(share(x, 1))),
    "Categorical 2": (lambda x: sx.Categorical(probs=jax.nn.softmax(three(x))).log_prob(2), lambda x: log(share(x, 2))),
    "Poisson": (lambda x: sx.Poisson(jnp.exp(x)).log_prob(3), lambda x: 3 * x - exp(x) - log(6)),
    "Exponential": (lambda x: sx.Exponential(jnp.exp(x)).log_prob(0.5), lambda x: x - exp(x) / 2),
}


def agree(f, exact, points):
    """Is the stabilised function right, in value and derivative?"""
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(stabilize(f))))(jnp.array(points, jnp.float32))
    assert value.dtype == jnp.float32
    for x, v, d in zip(points, np.asarray(value), np.asarray(slope)):
        for found, wanted in ((v, exact(mpmath.mpf(x))), (d, mpmath.diff(exact, mpmath.mpf(x)))):
            # Below 1e-37 are float32's subnormal numbers, which XLA takes for 0.
            np.testing.assert_allclose(found, float(wanted), rtol=1e-5, atol=1e-37, err_msg=f"at {x}")


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_is_accurate(name):
    agree(*PATTERNS[name], POINTS)


@pytest.mark.parametrize("name", ON_THE_POSITIVE)
def test_patterns_of_positive_numbers_are_accurate_there_and_nan_elsewhere(name):
    f, exact = ON_THE_POSITIVE[name]
    agree(f, exact, POSITIVE)
    x = jnp.array([-80.0, -1.0])
    np.testing.assert_array_equal(jnp.isnan(stabilize(f)(x)), jnp.isnan(f(x)))


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_of_distributions_are_accurate(name):
    agree(*DENSITIES[name], POINTS)


STABLE = {
    "logsumexp": jax.nn.logsumexp,
    "log_softmax": lambda x: jax.nn.log_softmax(x),
    "softmax": lambda x: jax.nn.softmax(x),
    "softplus": lambda x: jax.nn.softplus(x) + jnp.logaddexp(x, -x) + jax.nn.log_sigmoid(x),
    "by hand": lambda x: jnp.log(jnp.sum(jnp.exp(x - x.max()))) + x.max() + jnp.log1p(jnp.exp(-jnp.abs(x))),
    "nothing to find": lambda x: jnp.log(1 + x**2) + jnp.sin(x) / jnp.exp(x) - jnp.sqrt(x + 3),
    "densities": lambda x: sx.Bernoulli(logits=x).log_prob(1) + sx.Normal(x, 1.0).log_prob(0.5),
}


@pytest.mark.parametrize("name", STABLE)
def test_what_is_stable_already_stays_bit_by_bit(name):
    f, x = STABLE[name], jnp.array([0.3, -1.2, 2.0])
    closed = jax.make_jaxpr(f)(x)
    assert not rewrite(closed, inputs_of(closed)).found
    assert str(jax.make_jaxpr(stabilize(f))(x)) == str(closed)
    np.testing.assert_array_equal(jax.jit(stabilize(f))(x), jax.jit(f)(x))


def test_a_model_without_a_pattern_is_the_same_program():
    def model():
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.sample("y", sx.Normal(mu, 2.0), obs=jnp.arange(3.0))

    model = sx.Model.of(model, "a test")
    staged = model.stage()
    assert sx.logprob.stabilizing.stabilized(model, staged) is staged


def test_infinite_and_undefined_operands_mean_what_they_meant():
    x = jnp.array([-jnp.inf, -1.0, 0.0, 1.0, jnp.inf, jnp.nan])
    for f, wanted in (
        (lambda x: jnp.log(sigmoid(x)), [-jnp.inf, -1.3132616, -0.6931472, -0.3132617, 0.0, jnp.nan]),
        (lambda x: jnp.log(1 - jnp.exp(-x)), [jnp.nan, jnp.nan, -jnp.inf, -0.4586751, 0.0, jnp.nan]),
        (lambda x: jnp.log(jnp.expm1(x)), [jnp.nan, jnp.nan, -jnp.inf, 0.5413249, jnp.inf, jnp.nan]),
        (lambda x: jnp.log(jnp.sum(jnp.exp(jnp.stack([x, x])), 0)), x + np.log(2)),
        (lambda x: jnp.log(jnp.exp(x) + jnp.exp(x)), x + np.log(2)),
        (lambda x: 1 / (1 + jnp.exp(-x)), [0.0, 0.2689414, 0.5, 0.7310586, 1.0, jnp.nan]),
        (lambda x: jnp.log(x**2), [jnp.inf, 0.0, -jnp.inf, 0.0, jnp.inf, jnp.nan]),
    ):
        np.testing.assert_allclose(stabilize(f)(x), jnp.array(wanted), rtol=1e-6)
        np.testing.assert_allclose(jax.jit(jax.vmap(stabilize(f)))(x), jnp.array(wanted), rtol=1e-6)
    beside = stabilize(lambda x: jnp.log(jnp.exp(x) / jnp.sum(jnp.exp(x))))(jnp.array([jnp.inf, 0.0]))
    np.testing.assert_array_equal(beside, [jnp.nan, -jnp.inf])


def test_what_may_be_negative_is_not_taken_apart():
    x = jnp.array([-0.5, 0.5])
    for f in (
        lambda x: jnp.log(jnp.maximum(jnp.expm1(x), 1e-6)),  # log(expm1(-0.5)) is nan
        lambda x: jnp.log(sigmoid(x) - (jnp.exp(x) - 1)),
        lambda x: jnp.log((x - 1) * (jnp.exp(x) - 2)),
    ):
        np.testing.assert_allclose(stabilize(f)(x), f(x), rtol=1e-6)
        gradients = [jax.grad(lambda x: jnp.nansum(g(x)))(x) for g in (stabilize(f), f)]
        np.testing.assert_allclose(*gradients, rtol=1e-5)


def test_a_choice_guards_the_derivative_as_before():
    def f(x, w):
        return jnp.log(jnp.where(x > 0, 1 - jnp.exp(-x), w))

    for x, w in ((0.0, 2.0), (-1.0, 2.0), (1.0, 0.0), (1.0, -1.0), (1.0, jnp.nan)):
        found, wanted = (jax.grad(g, (0, 1))(x, w) for g in (stabilize(f), f))
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_derivatives_that_users_set_stay():
    @jax.custom_jvp
    def reversed_gradient(x):
        return jnp.log(1 - sigmoid(x))

    reversed_gradient.defjvp(lambda p, t: (reversed_gradient(*p), -t[0]))
    assert jax.grad(stabilize(reversed_gradient))(0.5) == -1.0

    def stopped(x):
        return jnp.log(jnp.exp(x) / lax.stop_gradient(jnp.sum(jnp.exp(x))))[0]

    np.testing.assert_allclose(jax.grad(stabilize(stopped))(jnp.zeros(2)), [1.0, 0.0])
    assert jax.grad(stabilize(lambda x: jnp.log(lax.stop_gradient(sigmoid(x))) + x))(1.0) == 1.0


def test_effects_happen_once_and_in_order():
    seen = []

    see = lambda x: jax.debug.callback(lambda v: seen.append(float(v)), x, ordered=True)

    def f(x):
        see(x)
        y = jax.jit(lambda x: (see(x + 1), jnp.exp(x))[1])(x)
        see(x + 2)
        return jnp.log(y)

    jax.block_until_ready(jax.jit(stabilize(f))(100.0))
    jax.effects_barrier()
    assert seen == [100.0, 101.0, 102.0]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_dtypes_and_shapes_stay(dtype):
    x = jnp.ones((2, 3), dtype)
    for f in (
        lambda x: jnp.log(jnp.sum(jnp.exp(x), 0, keepdims=True)),
        lambda x: jnp.log(1 - sigmoid(x)),
        lambda x: jnp.log(jax.nn.softmax(x, (0, 1))),
        lambda x: jnp.log(2 * jnp.exp(x.astype(jnp.float32))).astype(dtype),
    ):
        one, other = (jax.eval_shape(g, x) for g in (stabilize(f), f))
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(*(np.asarray(g(x), np.float32) for g in (stabilize(f), f)), rtol=0.02)
    assert jax.eval_shape(stabilize(lambda x: jnp.log(jnp.exp(x))), 1.0).weak_type


def test_softmax_is_that_of_the_axis_it_was_divided_along():
    x = jnp.array([[0.1, 0.2], [0.7, -0.4]])
    for f in (
        lambda x: jnp.log(jnp.exp(x) / jnp.exp(x).sum(0)),
        lambda x: jnp.log(jnp.exp(x) / jnp.exp(x).sum(1)),  # not the sum of its own row
        lambda x: jnp.log(jnp.exp(x) / jnp.exp(x).sum(1, keepdims=True)),
        lambda x: jnp.log(jnp.exp(x) / jnp.exp(x).sum()),
    ):
        with jax.numpy_rank_promotion("allow"):
            np.testing.assert_allclose(stabilize(f)(x), f(x), rtol=1e-5)


def test_patterns_in_and_across_control_flow():
    def looped(x):
        p = sigmoid(x)
        _, ys = lax.scan(lambda c, k: (c, jnp.log(1 - p) + k), 0.0, jnp.arange(2.0))
        total = lax.fori_loop(0, 2, lambda i, c: c + jnp.log(1 - p), 0.0)
        branch = lax.cond(x > 0, lambda p: jnp.log(1 - p), lambda p: 0.0 * p, p)
        kept = jax.checkpoint(lambda x: jnp.log(1 - sigmoid(x)))(x)
        return ys.sum() - 1 + total + branch + kept

    assert stabilize(looped)(80.0) == jax.jit(stabilize(looped))(80.0) == -6 * 80.0
    p = lambda x: lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] + jnp.log(1 - sigmoid(x)), c[1] + 1), (0.0, 0))[0]
    assert stabilize(p)(80.0) == -240.0
    differentiable = lambda x: lax.scan(lambda c, k: (c + jnp.log(1 - sigmoid(x)), None), 0.0, jnp.arange(2))[0]
    assert jax.grad(stabilize(differentiable))(80.0) == -2.0


def test_long_chains_are_no_deep_recursion():
    def f(x):
        p = sigmoid(x)
        for _ in range(2000):
            p = p * 1.0001
        return jnp.log(p)

    np.testing.assert_allclose(jax.jit(stabilize(f))(1.0), jax.jit(f)(1.0), rtol=1e-6)


def test_arguments_are_those_of_the_function():
    f = stabilize(lambda tree, /, how, *, axis=0: {"v": how(tree["x"], axis)})
    assert f({"x": jnp.array([100.0, 100.0])}, lambda x, axis: jnp.log(jnp.exp(x).sum(axis)))["v"] == 100 + np.log(2.0)
