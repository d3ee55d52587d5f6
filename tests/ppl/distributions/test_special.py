"""The functions that log densities are made of, against mpmath and SciPy, in both precisions, with their slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from storax.distributions import Burr, Dagum, Dirichlet
from storax.distributions.gamma_density import log_gamma_density
from storax.distributions.log_gamma import LARGE, digamma, log_factorial, log_gamma, slope_of_log_factorial
from storax.distributions.special import log1p_minus

POSITIVE = np.concatenate([np.geomspace(1e-30, 1e30, 2001), np.linspace(0.01, 12, 2001)]).astype(np.float32)


def close(got, want, ulps):
    """To so many units in the last place of the larger of 1 and the number."""
    got, want = np.asarray(got), np.asarray(want, np.float64)
    eps = np.finfo(got.dtype).eps
    np.testing.assert_array_less(np.abs(got - want) / np.maximum(1, np.abs(want)), ulps * eps)


def test_log_gamma_and_its_slopes():
    x = POSITIVE.astype(np.float64)
    close(log_gamma(jnp.asarray(POSITIVE)), special.gammaln(x), 8)
    close(jax.vmap(jax.grad(log_gamma))(jnp.asarray(POSITIVE)), special.digamma(x), 8)
    curved = jax.vmap(jax.grad(digamma))(jnp.asarray(POSITIVE))
    np.testing.assert_allclose(curved[x > 1e-15], special.polygamma(1, x[x > 1e-15]), rtol=2e-5)
    assert log_gamma(jnp.float32(0)) == np.inf and log_gamma(jnp.float32(np.inf)) == np.inf
    assert np.isnan(log_gamma(jnp.float32(-0.5))) and np.isnan(digamma(jnp.float32(-0.5)))
    assert log_gamma(jnp.bfloat16(3.0)).dtype == jnp.bfloat16


def test_log_factorial_near_zero():
    u = jnp.asarray(POSITIVE[POSITIVE <= LARGE])
    close(log_factorial(u), special.gammaln(1 + np.asarray(u, np.float64)), 8)
    close(slope_of_log_factorial(u), special.digamma(1 + np.asarray(u, np.float64)), 8)
    tiny = jnp.asarray([1e-30, 1e-10, 1e-6], jnp.float32)  # log Gamma(1 + u) = -euler_gamma u + pi^2 u^2 / 12
    np.testing.assert_allclose(log_factorial(tiny), -np.euler_gamma * np.asarray(tiny), rtol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log1p_minus(dtype, x64):
    v = np.concatenate([np.linspace(-0.95, 3, 400), [1e-10, -1e-10, 1e-4, 0.3, -0.3, 0.299999, 50.0]]).astype(dtype)
    wide = v.astype(np.longdouble)
    small = np.abs(wide) < 1e-2
    series = sum(-((-np.where(small, wide, 0)) ** n) / n for n in range(2, 12))
    exact = np.where(small, series, np.log1p(wide) - wide).astype(np.float64)
    # XLA's log1p of 64 bits is off by 8e-15 near -0.4.
    rtol = 40 * np.finfo(dtype).eps if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(log1p_minus(jnp.asarray(v)), exact, rtol=rtol)
    np.testing.assert_allclose(jax.vmap(jax.grad(log1p_minus))(jnp.asarray(v)), -v / (1 + v), rtol=1e-6)


def test_slopes_of_the_gamma_density_at_the_ends():
    """At y = 0, beyond it and at infinity no slope is nan; at 0 the one in y is -1 for a = 1."""
    slopes = jax.vmap(jax.grad(log_gamma_density, (0, 1)), (None, 0))
    for a in (0.5, 1.0, 3.0, 1e6):
        of_a, of_y = slopes(jnp.float32(a), jnp.asarray([0.0, -1.0, np.inf], jnp.float32))
        assert not np.isnan(of_a).any() and np.isfinite(of_y).all() and (np.asarray(of_y[1:]) == 0).all()
    assert slopes(jnp.float32(1.0), jnp.zeros(1, jnp.float32))[1][0] == -1


def test_gamma_density_where_the_quotient_underflows():
    a, y = np.float32(1e6), np.float32(1e-36)
    exact = (float(a) - 1) * np.log(float(y)) - float(y) - special.gammaln(float(a))
    np.testing.assert_allclose(log_gamma_density(a, y), exact, rtol=1e-6)


@pytest.mark.parametrize("d", [Dagum(1.5, 4.5, 1.25), Burr(2.5, 2.0, 1.25)], ids=repr)
def test_the_slope_where_the_value_is_the_scale(d, x64):
    """There the two forms of the density meet, and each of them bends."""
    h = 1e-6
    middle = (d.log_prob(1.25 + h) - d.log_prob(1.25 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(lambda x: d.log_prob(x))(jnp.float64(1.25)), middle, rtol=1e-7)


@pytest.mark.parametrize("a", [[0.5, 1.0, 3.0], [1e-4, 2.0, 5.0], [30.0, 1.0, 2.0], [1e4, 2e4, 0.1]])
def test_dirichlet_of_every_size_traced_or_not(a):
    """Which formula is used is a question to the numbers, inside of a program, too."""
    x = np.array([0.25, 0.625, 0.125])
    exact = special.gammaln(np.sum(a)) - special.gammaln(a).sum() + special.xlogy(np.array(a) - 1, x).sum()
    of_a = special.digamma(np.sum(a)) - special.digamma(a) + np.log(x)
    f = lambda a, x: Dirichlet(a).log_prob(x)
    inputs = jnp.asarray(a, jnp.float32), jnp.asarray(x, jnp.float32)
    for g in (f, jax.jit(f), lambda a, x: jax.vmap(f)(a[None], x[None])[0]):
        np.testing.assert_allclose(g(*inputs), exact, rtol=1e-5)
        slope_a, slope_x = jax.grad(g, (0, 1))(*inputs)
        np.testing.assert_allclose(slope_a, of_a, rtol=1e-5, atol=2e-6)
        # The sum of a, the largest term, cancels: within 2 units in its last place.
        np.testing.assert_allclose(slope_x, (np.array(a) - 1) / x, rtol=1e-5, atol=2.4e-7 * np.sum(a) + 1e-6)
