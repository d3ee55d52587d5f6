"""Root finding for quantiles, against inverses that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import storax as sx
from storax.distributions.quantiles import between, increasing_root, quantile

pytestmark = pytest.mark.long  # each case is a program of its own to compile

Q = np.array([1e-30, 1e-8, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-6])


@pytest.mark.parametrize(
    ("d", "judge", "low"),
    [
        (sx.Normal(1e4, 1e-2), stats.norm(1e4, 1e-2), -np.inf),
        (sx.Cauchy(1.0, 3.0), stats.cauchy(1, 3), -np.inf),
        (sx.Gamma(1e6, 1e-4), stats.gamma(1e6, scale=1e4), 0.0),
        (sx.Gamma(0.03, 1.0), stats.gamma(0.03), 0.0),
    ],
)
def test_quantiles_are_scipys(d, judge, low, x64):
    f = jax.jit(lambda q: quantile(d.log_cdf, d.log_survival, q, low, np.inf))
    expected = judge.ppf(Q)
    good = expected > 1e-290  # SciPy gives up below
    np.testing.assert_allclose(np.asarray(f(Q))[good], expected[good], rtol=2e-9)
    slope = jax.vmap(jax.grad(f))(Q)
    np.testing.assert_allclose((slope * judge.pdf(np.asarray(f(Q))))[good], 1, rtol=1e-7)


def test_derivatives_of_the_implicit_function(x64):
    f = lambda rate, q: quantile(sx.Exponential(rate).log_cdf, sx.Exponential(rate).log_survival, q, 0.0, np.inf)
    closed = lambda rate, q: -jnp.log1p(-q) / rate
    for q in (0.01, 0.9):
        for argument in (0, 1):
            np.testing.assert_allclose(jax.grad(f, argument)(1.7, q), jax.grad(closed, argument)(1.7, q), rtol=1e-10)
            for other in (0, 1):
                second = [jax.grad(jax.grad(g, argument), other)(1.7, q) for g in (f, closed)]
                np.testing.assert_allclose(*second, rtol=1e-9)


def test_shapes_types_and_ends():
    d = sx.Normal(jnp.zeros(3), 1.0)
    f = lambda q: quantile(d.log_cdf, d.log_survival, q, -np.inf, np.inf)
    assert f(0.2).shape == (3,) and f(jnp.full((2, 3), 0.2)).shape == (2, 3)
    assert f(0.2).dtype == jnp.float32
    half = sx.Cauchy(jnp.bfloat16(0.0), jnp.bfloat16(1.0))
    assert quantile(half.log_cdf, half.log_survival, jnp.bfloat16(0.2), -np.inf, np.inf).dtype == jnp.bfloat16
    np.testing.assert_array_equal(
        f(jnp.array([[0.0], [1.0], [1.5], [jnp.nan]]))[:, 0], [-np.inf, np.inf, np.nan, np.nan]
    )
    assert jax.vmap(f)(jnp.full((4, 3), 0.1)).shape == (4, 3)


def test_roots_of_every_size(x64):
    target = jnp.array([-600.0, -1.0, 0.0, 1e-10, 3.0, 700.0])
    np.testing.assert_allclose(increasing_root(jnp.log, target, 0.0, np.inf), np.exp(target), rtol=1e-12)
    np.testing.assert_allclose(increasing_root(lambda x: x**3, target, -np.inf, np.inf), np.cbrt(target), rtol=1e-12)


def test_between_halves_the_floats():
    a, b = jnp.float32(-1e30), jnp.float32(2e-30)
    for _ in range(33):
        middle = between(a, b)
        assert a <= middle <= b
        a, b = (middle, b) if middle < 1e-35 else (a, middle)
    assert b == np.nextafter(np.float32(a), np.float32(1))
