"""Draws of every distribution, against its distribution function, its moments, and the gradient of a path of draws."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from specimens import ALL, COUNTS, LINES, ask, double, draws, each, has, is_float, table

N = 20000
RARE = 1e-4  # a test at a fixed key fails by chance with this probability: once, when it is written


@each(LINES)
def test_draws_follow_the_distribution_function(d, x64):
    d = double(d)
    t = table(d)
    cdf = np.cumsum(t.weight) - 0.5 * t.weight
    x = np.asarray(draws(d, N, seed=1))
    assert stats.kstest(x, lambda v: np.clip(np.interp(v, t.x, cdf), 0, 1)).pvalue > RARE


@each(LINES)
def test_draws_in_single_precision_follow_it_too(d):
    x = np.asarray(draws(d, N, seed=2), float)
    with jax.enable_x64(True):
        t = table(double(d))
    cdf = np.cumsum(t.weight) - 0.5 * t.weight
    assert np.isfinite(x).all()
    assert stats.kstest(x, lambda v: np.clip(np.interp(v, t.x, cdf), 0, 1)).pvalue > RARE


@each(COUNTS)
def test_counts_follow_the_mass_function(d, x64):
    d = double(d)
    t = table(d)
    x = np.asarray(draws(d, N, seed=1)).astype(int)
    expected = t.weight * N
    many = expected >= 10
    seen = np.array([(x == v).sum() for v in t.x[many]] + [(~np.isin(x, t.x[many])).sum()])
    expected = np.append(expected[many], max(N - expected[many].sum(), 0.0))
    if expected[-1] < 1:
        seen, expected = seen[:-1], expected[:-1] * seen[:-1].sum() / expected[:-1].sum()
        assert len(seen) < 2 or stats.chisquare(seen, expected).pvalue > RARE
    else:
        assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > RARE


@each([d for d in ALL if has(d, "mean")])
def test_draws_have_the_mean_and_variance(d, x64):
    d = double(d)
    x = np.asarray(draws(d, N, seed=4), float)
    mean, variance = np.asarray(d.mean, float), np.asarray(d.variance, float) if has(d, "variance") else None
    assert mean.shape == d.shape and (variance is None or variance.shape == d.shape)
    if variance is None:
        error = x.std(0) / np.sqrt(N)
    else:
        finite = np.isfinite(variance)
        error = np.sqrt(np.where(finite, variance, 0.0) / N)
        squares = np.where(finite & np.isfinite(mean), x - mean, 0.0) ** 2
        heavy = squares.max(0) > 0.02 * squares.sum(0)  # a few draws make up the variance: they say nothing
        near = np.abs(squares.mean(0) - variance) < 5 * squares.std(0) / np.sqrt(N) + 1e-9
        assert (near | ~finite | heavy).all()
        mean = np.where(finite, mean, np.nan)
    near = np.abs(x.mean(0) - mean) < 4.5 * error + 1e-9
    assert (near | ~np.isfinite(mean)).all()


@each([d for d in ALL if d.event_dim == 1 and has(d, "covariance")])
def test_draws_have_the_covariance(d, x64):
    d = double(d)
    x = np.asarray(draws(d, N, seed=5), float)
    covariance = np.asarray(d.covariance, float)
    assert covariance.shape == (*d.shape, d.shape[-1])
    centred = x - np.asarray(d.mean)
    products = centred[..., :, None] * centred[..., None, :]
    assert (np.abs(products.mean(0) - covariance) < 5 * products.std(0) / np.sqrt(N) + 1e-9).all()
    np.testing.assert_allclose(np.diagonal(covariance, axis1=-2, axis2=-1), d.variance, rtol=1e-9)


@each([d for d in LINES if d.reparameterized])
def test_the_gradient_of_a_draw_is_that_of_its_quantile(d, x64):
    """x(q; theta) = F^-1(q; theta) moves by dx/dtheta = -(dF/dtheta) / p(x) (Figurnov et al. 2018, eq. 5).

    True for every sampler that is a monotone path; for the others the mean gradient is tested below.
    """
    d = double(d)
    leaves, tree = jax.tree.flatten(d)
    moving = [i for i, v in enumerate(leaves) if is_float(v)]
    values = [jnp.asarray(leaves[i]) for i in moving]

    def build(values):
        full = list(leaves)
        for i, v in zip(moving, values, strict=True):
            full[i] = v
        return jax.tree.unflatten(tree, full)

    # E f(X) with f bounded, so that its Monte Carlo error is known: d/dtheta of the mean of tanh.
    t = table(d)
    middle, width = np.interp([0.5, 0.8], np.cumsum(t.weight), t.x)
    f = lambda x: jnp.tanh((x - middle) / (width - middle + 1e-3))

    x = jnp.asarray(t.x)
    keep = t.weight > 0

    def scores(values):
        return build(values).log_prob(x)

    for k in range(len(values)):
        # Probabilities keep their sum.
        ones = [1 - 2.0 * (jnp.arange(v.size) % 2) if v.ndim == 1 and abs(v.sum() - 1) < 1e-6 else jnp.ones_like(v)
                for v in values]  # fmt: skip
        unit = [ones[i] if i == k else jnp.zeros_like(v) for i, v in enumerate(values)]
        _, slopes = jax.jvp(lambda v: f(build(v).sample(jax.random.key(6), (N,))), (values,), (unit,))
        slopes = np.asarray(slopes)
        # By parts: d/dtheta of the integral of f p, for a support that does not move; else of the quantiles themselves.
        _, score = jax.jvp(scores, (values,), (unit,))
        expected = np.sum(np.where(keep, np.asarray(f(x)) * np.nan_to_num(np.asarray(score)) * t.weight, 0.0))
        if jax.tree.leaves(d.support):
            continue
        assert abs(slopes.mean() - expected) < 5 * slopes.std() / np.sqrt(N) + 1e-7, (tree, k)


@each([d for d in ALL if d.event_dim and not d.is_discrete and not d.batch_shape])
def test_draws_of_arrays_differ_and_lie_in_the_support(d):
    x = draws(d, 200, seed=7)
    assert np.asarray(d.support(x)).all() and np.isfinite(np.asarray(ask("log_prob", d, x))).all()
    assert (np.asarray(x)[1:] != np.asarray(x)[:-1]).reshape(199, -1).any(1).all()
