"""Distribution functions, quantiles, moments, modes and entropies, against integrals of the density."""

import jax
import jax.numpy as jnp
import numpy as np
from specimens import COUNTS, LINES, SCALARS, ask, double, draws, each, has, table


@each([d for d in SCALARS if has(d, "log_cdf", 0.5)])
def test_distribution_functions_are_integrals_of_the_density(d, x64):
    d = double(d)
    t = table(d)
    below = np.cumsum(t.weight) - (0 if d.is_discrete else 0.5) * t.weight
    above = 1 - below
    cdf, survival = (np.exp(np.asarray(ask(f, d, t.x))) for f in ("log_cdf", "log_survival"))
    tolerance = 1e-9 if d.is_discrete else 3e-4 * t.weight.max() / t.weight.mean() / 100 + 1e-6
    np.testing.assert_allclose(cdf, below, atol=tolerance + 2e-6)
    np.testing.assert_allclose(survival, above, atol=tolerance + 2e-6)
    np.testing.assert_allclose(cdf + survival, 1, atol=1e-9)
    assert (np.diff(cdf) >= -1e-12).all() and (np.diff(survival) <= 1e-12).all()


@each([d for d in LINES if has(d, "log_cdf", 0.5)])
def test_the_density_is_the_slope_of_the_distribution_function(d, x64):
    d = double(d)
    x = jnp.sort(draws(d, 50))
    slope = jax.vmap(jax.grad(lambda x: jnp.exp(d.log_cdf(x))))(x)
    np.testing.assert_allclose(slope, np.exp(ask("log_prob", d, x)), rtol=1e-6, atol=1e-9)


@each([d for d in SCALARS if has(d, "icdf", 0.5)])
def test_quantiles_invert_the_distribution_function(d, x64):
    d = double(d)
    if d.is_discrete:
        x = draws(d, 200)
        cdf = np.exp(np.asarray(ask("log_cdf", d, x)))
        np.testing.assert_array_equal(ask("icdf", d, cdf * (1 - 1e-9)), x)
        assert (np.asarray(ask("icdf", d, np.minimum(cdf * (1 + 1e-9), 1.0))) >= x).all()
        return
    q = jnp.concatenate([jnp.linspace(1e-3, 1 - 1e-3, 101), jnp.array([1e-10, 1e-5, 1 - 1e-5])])
    x = ask("icdf", d, q)
    assert (np.diff(x[:101]) > 0).all() and np.asarray(d.support(x)).all()
    lower = q < 0.5
    got = jnp.where(lower, jnp.exp(d.log_cdf(x)) / q, jnp.exp(d.log_survival(x)) / (1 - q))
    np.testing.assert_allclose(got, 1, rtol=1e-5)
    slope = jax.vmap(jax.grad(d.icdf))(q[:101])
    np.testing.assert_allclose(slope * np.exp(ask("log_prob", d, x[:101])), 1, rtol=1e-4)


@each([d for d in SCALARS if has(d, "icdf", 0.5)])
def test_quantiles_at_the_ends_and_beyond(d):
    ends = np.asarray(ask("icdf", d, jnp.array([0.0, 1.0])), float)
    assert not np.isnan(ends).any() and ends[0] <= ends[1]
    if not d.is_discrete:
        assert np.isnan(np.asarray(ask("icdf", d, jnp.array([-0.1, 1.1, jnp.nan])), float)).all()


@each(SCALARS)
def test_moments_are_integrals(d, x64):
    d = double(d)
    t = table(d)
    for name, f in (("mean", t.x), ("variance", None)):
        if not has(d, name):
            continue
        value = np.asarray(getattr(d, name), float)
        if not np.isfinite(value):
            continue
        f = np.where(t.weight > 0, t.x - t.mean(t.x), 0.0) ** 2 if f is None else f
        np.testing.assert_allclose(value, t.mean(f), rtol=2e-5, atol=1e-8)


@each([d for d in SCALARS if has(d, "entropy")])
def test_entropy_is_an_integral(d, x64):
    d = double(d)
    t = table(d)
    np.testing.assert_allclose(d.entropy(), t.mean(-np.where(t.weight > 0, t.log_p, 0.0)), rtol=1e-5, atol=1e-6)


@each([d for d in SCALARS if has(d, "mode")])
def test_the_mode_is_the_highest_point(d, x64):
    d = double(d)
    t = table(d)
    at_mode = float(ask("log_prob", d, jnp.asarray(d.mode)))
    assert at_mode >= t.log_p.max() - 1e-7
    assert np.asarray(d.support(jnp.asarray(d.mode))).all()


@each(SCALARS)
def test_there_are_moments_or_a_reason(d):
    """What is not there says so, and never returns another number in its place."""
    for name in ("mean", "variance", "mode"):
        if has(d, name):
            assert np.shape(getattr(d, name)) == d.shape
    if has(d, "entropy"):
        assert d.entropy().shape == d.batch_shape


@each([d for d in LINES if has(d, "log_survival", 0.5)])
def test_tails_stay_finite_and_steep(d, x64):
    """Far out, the log survival of a density that is not cut off is finite and falls."""
    d = double(d)
    x = jnp.sort(draws(d, 1000))[-1] * jnp.array([1.0, 1.5, 2.0])
    score = np.asarray(ask("log_survival", d, x))
    inside = np.asarray(d.support(x)) & np.isfinite(ask("log_prob", d, x))
    assert np.isfinite(score[inside & (np.asarray(x) > 0)][:-1]).all()


@each(COUNTS)
def test_counts_have_no_mass_between(d):
    assert (np.asarray(ask("log_prob", d, jnp.array([0.5, 1.25]))) == -np.inf).all()


@each([d for d in LINES if has(d, "log_cdf", 0.5) and has(d, "log_survival", 0.5)])
def test_all_is_below_infinity_and_nothing_below_minus_infinity(d):
    ends = jnp.array([-jnp.inf, jnp.inf])
    np.testing.assert_array_equal(ask("log_cdf", d, ends), [-np.inf, 0.0])
    np.testing.assert_array_equal(ask("log_survival", d, ends), [0.0, -np.inf])
