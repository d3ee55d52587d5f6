"""Sites under `jax.vmap`, against hand-written densities and hand-written sampling."""

import jax
import jax.numpy as jnp
import numpy as np
from by_hand import N, density, draw, normal, values
from scipy import stats

import storax as sx


def test_vmap_without_a_mapped_parameter_is_eight_draws():
    def model():
        mu = sx.sample("mu", N(0.0, 1.0))
        return jax.vmap(lambda _: sx.sample("theta", N(mu, 1.0)))(jnp.arange(8))

    v = values(model)
    assert v["theta"].shape == (8,) and len(np.unique(v["theta"])) == 8
    np.testing.assert_allclose(density(model, v), normal(v["mu"]) + normal(v["theta"], v["mu"]).sum(), rtol=1e-5)
    assert sx.unconstrain(model)().shapes == {"mu": (), "theta": (8,)}
    key = jax.random.key(0)
    by_hand = [draw(key, "mu") + draw(key, "theta", i) for i in range(8)]
    np.testing.assert_allclose(v["theta"], by_hand, rtol=1e-5)


def test_vmap_with_batched_and_unbatched_parameters():
    loc, scale = jnp.arange(3.0), 2.0

    def model():
        return jax.vmap(lambda m: sx.sample("x", N(m, scale)))(loc)

    v = values(model)
    np.testing.assert_allclose(density(model, v), normal(v["x"], loc, 2.0).sum(), rtol=1e-5)
    np.testing.assert_allclose(v["x"], [m + 2 * draw(jax.random.key(0), "x", i) for i, m in enumerate(loc)], rtol=1e-5)


def test_nested_vmap_with_axes():
    table = jnp.arange(6.0).reshape(2, 3)

    def model(table):
        inner = jax.vmap(lambda m, s: sx.sample("x", N(m, s)), in_axes=(0, None), out_axes=0)
        return jax.vmap(inner, in_axes=(1, None), out_axes=1)(table, 0.5)

    out, trace = sx.trace(sx.seed(model, 0))(table)
    assert out.shape == (2, 3)
    np.testing.assert_array_equal(trace["x"].value, out.T)  # lanes outermost first: [3, 2]
    np.testing.assert_allclose(trace["x"].log_prob, normal(out.T, table.T, 0.5), rtol=1e-4)
    by_hand = [[table[j, i] + 0.5 * draw(jax.random.key(0), "x", i, j) for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(out.T, by_hand, rtol=1e-5)


def test_vmap_with_axis_size_only():
    v = values(lambda: jax.vmap(lambda: sx.sample("x", N(0.0, 1.0)), axis_size=4)())
    assert v["x"].shape == (4,) and len(np.unique(v["x"])) == 4


def test_vmap_of_a_multivariate_site_with_shared_matrix():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])

    def model(locs):
        return jax.vmap(lambda m: sx.sample("x", sx.MultivariateNormal(m, covariance), shape=5))(locs)

    locs = jnp.arange(6.0).reshape(3, 2)
    v = values(model, locs)
    assert v["x"].shape == (3, 5, 2)
    expected = sum(stats.multivariate_normal(np.asarray(m), covariance).logpdf(x).sum() for m, x in zip(locs, v["x"]))
    np.testing.assert_allclose(density(model, v, locs), expected, rtol=1e-5)


def test_vmapped_observations():
    def model(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        jax.vmap(lambda y: sx.sample("y", N(mu, 1.0), obs=y))(y)
        jax.vmap(lambda _: sx.sample("same", N(mu, 1.0), obs=0.5))(y)

    y = jnp.array([1.0, 2.0])
    expected = normal(0.3) + normal(y, 0.3).sum() + 2 * normal(0.5, 0.3)
    np.testing.assert_allclose(density(model, {"mu": 0.3}, y), expected, rtol=1e-5)
