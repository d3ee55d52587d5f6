"""A seeded model and a density are pure functions."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
from by_hand import N, walk
from jax import lax

import storax as sx


def test_seeded_model_is_pure_in_its_key():
    def model(m):
        x = sx.sample("x", N(m, 1.0))
        return lax.scan(lambda c, _: (c, sx.sample("y", N(x, 1.0))), 0, None, length=2)[1]

    f = lambda key, m: sx.seed(model, key)(m)
    keys = jax.random.split(jax.random.key(0), 5)
    one_by_one = jnp.stack([f(k, 1.0) for k in keys])
    assert len(np.unique(one_by_one)) == 10
    np.testing.assert_allclose(jax.vmap(f, (0, None))(keys, 1.0), one_by_one, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(f)(keys[0], 1.0), one_by_one[0], rtol=1e-6)
    np.testing.assert_allclose(lax.map(lambda k: f(k, 1.0), keys), one_by_one, rtol=1e-6)
    results = {}
    threads = [threading.Thread(target=lambda i=i: results.__setitem__(i, f(keys[i], 1.0))) for i in range(5)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    np.testing.assert_allclose(jnp.stack([results[i] for i in range(5)]), one_by_one, rtol=1e-6)


def test_no_tracer_leaks():
    def model(y):
        x = sx.sample("x", N(0.0, 1.0))
        sx.scope(lambda: sx.sample("z", N(x, 1.0)), "inner")()
        lax.scan(lambda c, y: (c, sx.sample("y", N(x, 1.0), obs=y)), 0, y)

    with jax.checking_leaks():
        sx.trace(sx.seed(model, 0))(jnp.zeros(2))
        jax.jit(jax.grad(lambda v: sx.log_density(model)(v, jnp.zeros(2))))({"x": 0.0, "inner/z": 0.0})


def test_density_is_a_pure_function():
    y = jnp.array([0.5, -0.5, 1.0])
    f = lambda x: sx.log_density(walk)({"x": x}, y)
    x = jnp.array([0.1, 0.2, 0.3])
    by_hand = lambda x: (
        sum(jax.scipy.stats.norm.logpdf(x, 0.9 * jnp.concatenate([jnp.ones(1), x[:-1]])))
        + sum(jax.scipy.stats.norm.logpdf(y, x, 0.5))
    )
    np.testing.assert_allclose(jax.jit(f)(x), by_hand(x), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(f)(x), jax.grad(by_hand)(x), rtol=1e-4)
    np.testing.assert_allclose(jax.hessian(f)(x), jax.hessian(by_hand)(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(jax.vmap(f)(jnp.stack([x, 2 * x])), [by_hand(x), by_hand(2 * x)], rtol=1e-5)
