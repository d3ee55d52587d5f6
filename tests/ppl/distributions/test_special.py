"""The functions that log densities are made of, against mpmath and SciPy, in both precisions, with their slopes."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special

from storax.distributions import Beta, Burr, Dagum, Dirichlet, Gamma, InverseGamma
from storax.distributions.gamma_density import log_gamma_density
from storax.distributions.log_gamma import LARGE, digamma, log_factorial, log_gamma, slope_of_log_factorial
from storax.distributions.radial import log_moment, moment_ratio
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


@pytest.mark.parametrize("kind", [Gamma, InverseGamma])
@pytest.mark.parametrize("a", [0.3, *[pytest.param(a, marks=pytest.mark.long) for a in (1.0, 4.0, 50.0)], 1e6])
def test_gammas_of_many_numbers(kind, a):
    """Many numbers are given the formula of their size: it is that of one number, also in a batch, and in a program."""
    y = np.concatenate([np.geomspace(1e-3, 1e3, 1100) * a, a * (1 + np.linspace(-1, 1, 1100) / np.sqrt(a) / 2)])
    x = (y if kind is Gamma else 1 / y).astype(np.float32)
    rate = np.float32(2.0)
    y = x * 2.0 if kind is Gamma else 2.0 / x.astype(np.float64)
    of_y = special.xlogy(a - 1, y) - y - special.gammaln(a)
    exact = of_y + (np.log(2.0) if kind is Gamma else np.log(2.0) - 2 * np.log(x.astype(np.float64)))
    of_x = ((a - 1 - y) if kind is Gamma else (y - a - 1)) / x
    slopes = jax.value_and_grad(lambda a, x, rate: kind(a, rate).log_prob(x).sum(), (0, 1, 2))
    for f in (
        slopes,
        jax.jit(slopes),
        lambda *p: jax.tree.map(lambda z: z[0], jax.vmap(slopes)(*(q[None] for q in p))),
    ):
        total, (slope_a, slope_x, slope_rate) = f(jnp.float32(a), jnp.asarray(x), jnp.asarray(rate))
        np.testing.assert_allclose(total, exact.sum(), rtol=1e-5)
        np.testing.assert_allclose(slope_a, (np.log(y) - special.digamma(a)).sum(), rtol=1e-5, atol=1e-5 * y.size)
        np.testing.assert_allclose(
            slope_x * x, of_x * x, rtol=1e-5, atol=1e-6 * (a + 1) if a < 10 else 1e-5 * np.sqrt(a)
        )
        np.testing.assert_allclose(slope_rate, ((a - y) / 2).sum(), rtol=1e-5, atol=1e-5 * y.size)
    scores = jax.jit(lambda a, x: kind(a, rate).log_prob(x))(jnp.float32(a), jnp.asarray(x))
    close(scores, exact, 64)


@pytest.mark.parametrize("many", [1, 1000])
def test_gamma_at_the_end_of_its_support(many):
    """The limits at 0, -inf outside, without a nan in any slope, of few numbers and of many."""
    x = jnp.tile(jnp.asarray([0.0, -1.0, np.inf], jnp.float32), many)
    slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda a, x, rate: Gamma(a, rate).log_prob(x).sum(), (0, 1, 2))))
    a = jnp.asarray([0.5, 1.0, 3.0, 1e6], jnp.float32)
    scores = jax.jit(lambda a: Gamma(a, 2.0).log_prob(x[:3]))
    for i, limit in enumerate([np.inf, np.log(2.0), -np.inf, -np.inf]):
        np.testing.assert_allclose(scores(a[i]), [limit, -np.inf, -np.inf], rtol=1e-6)
    _, found = slopes(a, jnp.broadcast_to(x, (4, x.size)), jnp.full(4, 2.0, jnp.float32))
    assert not any(np.isnan(s).any() for s in found) and (found[1][:, 1:3] == 0).all() and (found[1][1, 0] == -2).all()
    assert np.isnan(jax.jit(scores)(jnp.float32(-1.0))[0])


@pytest.mark.parametrize("a, b", [(1.0, 1.0), (1.0, 3.0), (4.0, 1e6), (1e-5, 2.0), (5e7, 5e7), (30.0, 2e4)])
def test_slopes_of_beta(a, b):
    """Near the mode and far out; at 1e-6, where (a - 1) / x is large, a = 1 has none of it."""
    mode = np.clip((a - 1) / max(a + b - 2, 1e-3), 1e-6, 0.9)
    x = np.concatenate([mode * np.array([0.5, 1.0, 1.0 + 1e-4, 1.1]), [1e-6, 0.25, 0.75]]).astype(np.float32)
    wide = x.astype(np.float64)
    slope_a, slope_x, slope_b = jax.vmap(jax.grad(lambda a, x, b: Beta(a, b).log_prob(x), (0, 1, 2)), (None, 0, None))(
        jnp.float32(a), jnp.asarray(x), jnp.float32(b)
    )
    total = special.digamma(a + b)
    np.testing.assert_allclose(slope_a, np.log(wide) + total - special.digamma(a), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope_b, np.log1p(-wide) + total - special.digamma(b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope_x, (a - 1) / wide - (b - 1) / (1 - wide), rtol=1e-5, atol=2e-6)


def test_dirichlet_of_many_vectors():
    """As of one vector, of small concentrations and of large ones, on the simplex and beyond it."""
    x = jnp.asarray(np.random.default_rng(0).dirichlet([2.0, 3.0, 4.0], 1000), jnp.float32)
    x = x.at[0].set(jnp.asarray([0.0, 0.5, 0.5])).at[1].set(jnp.asarray([-0.5, 0.5, 1.0]))
    slopes = jax.value_and_grad(lambda a, x: Dirichlet(a).log_prob(x), (0, 1))

    def of_all(a, x):
        return Dirichlet(a).log_prob(x[2:]).sum()

    for a in ([0.5, 1.0, 3.0], [2.0, 20.0, 3e4]):
        a = jnp.asarray(a, jnp.float32)
        each, (of_a, of_x) = jax.jit(jax.vmap(slopes, (None, 0)))(a, x)
        total, (sum_of_a, all_of_x) = jax.jit(
            jax.value_and_grad(lambda a, x: Dirichlet(a).log_prob(x[2:]).sum(), (0, 1))
        )(a, x)
        np.testing.assert_allclose(total, each[2:].sum(), rtol=2e-5)
        np.testing.assert_allclose(sum_of_a, of_a[2:].sum(0), rtol=1e-4)
        np.testing.assert_allclose(all_of_x[2:], of_x[2:], rtol=1e-5)
        assert each[1] == -np.inf and not np.isnan(of_a).any() and not np.isnan(of_x).any()


@pytest.mark.parametrize("k", [1, 2, 20])
@pytest.mark.parametrize("dtype, ulps", [("float32", 16), ("float64", 20000)])  # the way upwards loses 3 digits there
def test_radial_moments(k, dtype, ulps, x64):
    """J_k(t) = k! exp(-t^2 / 4) U(k + 1/2, -t), a parabolic cylinder function (DLMF 12.5.1)."""
    t = np.array([-1e4, -30, -7.1, -6.9, -4, -2.6, -2.4, -1.8, -1.7, -0.6, -0.5, 0, 1, 8, 30], dtype)
    with mpmath.workdps(40):
        moments = [
            [mpmath.factorial(j) * mpmath.exp(-y * y / 4) * mpmath.pcfu(j + mpmath.mpf(1) / 2, -y) for j in (k - 1, k)]
            for y in map(mpmath.mpf, t.tolist())
        ]
        logs, ratios = [float(mpmath.log(b)) for _, b in moments], [float(b / a) for a, b in moments]
    t = jnp.asarray(t)
    close(log_moment(k, t), logs, ulps)
    np.testing.assert_allclose(moment_ratio(k, t), ratios, rtol=ulps * np.finfo(dtype).eps)
