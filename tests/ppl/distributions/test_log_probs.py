"""The density of every distribution, against integrals, SciPy, finite differences, and its bijection's Jacobian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from judges import JUDGES
from specimens import ALL, ARRAYS, CONTINUOUS, SCALARS, ask, double, draws, each, has, is_float, table

import storax as sx
from storax.bijections import biject_to


@each(SCALARS, short=True)
def test_integrates_or_sums_to_one(d, x64):
    total = table(double(d))
    np.testing.assert_allclose(total.weight.sum(), 1, rtol=2e-6)


@each([d for d in ARRAYS if not d.is_discrete and not d.batch_shape])
def test_weights_of_a_wider_density_average_to_one(d, x64):
    """In R^n: the mean of p / q over draws of q is 1, with q a Student t around the distribution's own draws."""
    d = double(d)
    bijection = biject_to(d.support)
    z = np.asarray(bijection.inverse(draws(d, 4000))).reshape(4000, -1)
    shape, n = bijection.inverse_shape(d.shape), z.shape[1]
    rng, df, m = np.random.default_rng(0), 7.0, 20000
    factor = np.linalg.cholesky(np.cov(z.T).reshape(n, n) * 1.3 + 1e-9 * np.eye(n))
    noise = rng.normal(size=(m, n)) / np.sqrt(rng.chisquare(df, size=(m, 1)) / df)
    from scipy import stats

    log_q = stats.multivariate_t(np.zeros(n), np.eye(n), df).logpdf(noise) - np.log(np.diag(factor)).sum()
    x, log_det = bijection.forward_and_log_det(jnp.asarray(z.mean(0) + noise @ factor.T).reshape(m, *shape))
    weights = np.exp(np.asarray(ask("log_prob", d, x) + log_det) - log_q)
    error = weights.std() / np.sqrt(m)
    assert error < 0.05 and abs(weights.mean() - 1) < 4.5 * error


@each([d for d in ALL if type(d).__name__ in JUDGES], short=True)
def test_is_scipys(d, x64):
    d = double(d)
    judge = JUDGES[type(d).__name__](d)
    x = np.asarray(draws(d, 20))
    expected = judge.logpdf(x) if hasattr(judge, "logpdf") else judge.logpmf(x)
    np.testing.assert_allclose(ask("log_prob", d, x), expected, rtol=1e-8, atol=1e-8)
    if not d.event_dim:
        if has(d, "mean"):
            np.testing.assert_allclose(d.mean, judge.mean(), rtol=1e-7, atol=1e-9)
        if has(d, "variance"):
            np.testing.assert_allclose(d.variance, judge.var(), rtol=1e-6, atol=1e-9)


def derivative_and_difference(f, x, direction):
    """The directional derivative by autodiff and by central differences."""
    step = 1e-6
    shifted = [jax.tree.map(lambda a, b, s=s: a + s * step * b, x, direction) for s in (-1, 1)]
    return jax.jvp(f, (x,), (direction,))[1], (f(shifted[1]) - f(shifted[0])) / (2 * step)


@each([d for d in ALL if d.name != "Delta"])  # a mass at one point, beside which there is nothing
def test_gradients_are_those_of_finite_differences(d, x64):
    d = double(d)
    leaves, tree = jax.tree.flatten(d)
    moving = [i for i, x in enumerate(leaves) if is_float(x)]
    x = draws(d, 8, seed=3)
    rng = np.random.default_rng(0)

    def of_parameters(values):
        full = list(leaves)
        for i, v in zip(moving, values, strict=True):
            full[i] = v
        return jax.tree.unflatten(tree, full).log_prob(x)

    values = [jnp.asarray(leaves[i]) for i in moving]
    direction = [jnp.asarray(rng.normal(size=v.shape) * np.minimum(1, np.abs(v)) * (v != 0)) for v in values]
    if values:
        got, expected = jax.jit(lambda v, w: derivative_and_difference(of_parameters, v, w))(values, direction)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
    if not d.is_discrete:
        bijection = biject_to(d.support)
        z = bijection.inverse(x)  # a step in R^n stays in the support
        f = lambda z: d.log_prob(bijection.forward(z))
        direction = jnp.asarray(rng.normal(size=z.shape))
        got, expected = jax.jit(lambda z, w: derivative_and_difference(f, z, w))(z, direction)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


@each(CONTINUOUS)
def test_unconstrained_is_the_density_times_the_jacobian(d, x64):
    d = double(d)
    density = sx.unconstrain(lambda: sx.sample("x", d))()
    z = density.init(1)

    x = density.constrain(z)["x"]
    rest = density.log_density(z) - jnp.sum(d.log_prob(x))
    np.testing.assert_allclose(rest, jnp.sum(biject_to(d.support).log_det(z["x"])), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(density.unconstrain({"x": x})["x"], z["x"], rtol=1e-6, atol=1e-6)
    if z["x"].shape == x.shape:
        jacobian = jax.jacfwd(lambda z: density.constrain({"x": z})["x"])(z["x"]).reshape(x.size, x.size)
        np.testing.assert_allclose(rest, np.linalg.slogdet(jacobian)[1], rtol=1e-8, atol=1e-8)


@each(SCALARS)
@pytest.mark.parametrize("far", [-1e4, -3.5, 1e4 + 0.5, np.inf, -np.inf])
def test_outside_is_minus_infinity_and_nan_stays(d, far):
    x = jnp.asarray(far, jnp.float32)
    inside = np.asarray(d.support(x))
    score = np.asarray(ask("log_prob", d, x))
    assert (score[~inside] == -np.inf).all() and not np.isnan(score).any()
    gradient = jax.grad(lambda x: jnp.sum(d.log_prob(x)))(x)
    # A slope of a density that is finite, or of what is outside; inside, both may be beyond the largest float.
    assert np.isinf(far) or np.isfinite(gradient) or (inside.all() and (score == gradient).all())
    assert np.isnan(ask("log_prob", d, jnp.float32(jnp.nan))).all()


@each()
def test_gradients_outside_of_the_support_are_no_nan(d):
    """A parameter's gradient must survive an impossible value: 0 * nan is nan, and one such lane spoils a batch."""
    x = jnp.full(d.shape, -3.5, jnp.float32)
    leaves, tree = jax.tree.flatten(d)
    moving = [i for i, v in enumerate(leaves) if is_float(v)]

    def f(values):
        full = list(leaves)
        for i, v in zip(moving, values, strict=True):
            full[i] = v
        return jnp.sum(jax.tree.unflatten(tree, full).log_prob(x))

    gradients = jax.jit(jax.grad(f))([jnp.asarray(leaves[i], jnp.float32) for i in moving])
    assert not any(np.isnan(g).any() for g in gradients)
