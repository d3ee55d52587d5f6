"""What is scored together is scored right: impossible points, weights, branches, and how many programs it takes."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import stats

import storax as sx

N = sx.Normal
norm = stats.norm.logpdf


def test_an_impossible_site_makes_the_whole_impossible_whoever_else_is_undefined():
    def model():
        a = sx.sample("a", sx.HalfNormal(1.0))
        sx.sample("b", sx.HalfNormal(a))

    f = sx.log_density(model)
    values = {"a": -1.0, "b": 1.0}
    assert f(values) == jax.jit(f)(values) == -jnp.inf


def test_pointwise_densities_have_no_weights():
    y = jnp.arange(4.0)

    def model(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        with sx.plate("n", 8, subsample_size=4):
            sx.sample("y", N(mu, 1.0), obs=y)
        jax.vmap(lambda v: sx.sample("z", N(mu, 1.0).mask(v < 2), obs=v))(y)

    whole = sx.scale(sx.condition(model, {"n": jnp.arange(4)}), 0.5)
    pointwise = sx.log_likelihood(whole)({"mu": 0.5}, y)
    np.testing.assert_allclose(pointwise["y"], norm(y, 0.5), rtol=1e-6)
    np.testing.assert_allclose(pointwise["z"], np.where(y < 2, norm(y, 0.5), 0.0), rtol=1e-6)
    expected = 0.5 * (norm(0.5) + 2 * norm(y, 0.5).sum() + norm(y[:2], 0.5).sum())
    np.testing.assert_allclose(sx.log_density(whole)({"mu": 0.5}, y), expected, rtol=1e-6)


def test_data_of_a_branch_that_was_not_taken_have_no_density():
    def model(flag):
        mu = sx.sample("mu", N(0.0, 1.0))
        return lax.cond(flag, lambda: sx.sample("y", N(mu, 1.0), obs=1.0), lambda: 0.0)

    f = sx.log_likelihood(model)
    np.testing.assert_allclose(f({"mu": 0.0}, True)["y"], norm(1.0), rtol=1e-6)
    assert np.isnan(f({"mu": 0.0}, False)["y"])
    np.testing.assert_allclose(sx.log_density(model)({"mu": 0.0}, False), norm(0.0), rtol=1e-6)


def test_a_weight_of_zero_forgets_what_is_impossible():
    model = lambda: sx.sample("x", sx.HalfNormal(1.0))
    tempered = lambda x, w: sx.log_density(sx.scale(model, w))({"x": x})
    assert tempered(-1.0, 0.0) == tempered(1.0, 0.0) == 0.0
    assert jax.grad(tempered, 0)(-1.0, 0.0) == 0.0


def test_constant_intervals_are_constrained_in_one_call():
    """So that 100 scalar sites of `Uniform(0, 1)` do not take 100 sigmoids to compile."""

    def size(n, d):
        def model():
            for i in range(n):
                sx.sample(f"x{i}", d)

        density = sx.unconstrain(model)()
        closed = jax.make_jaxpr(density.of_vector)(jnp.zeros(n))
        return str(closed).count("\n")

    uniform, normal = (size(60, d) - size(30, d) for d in (sx.Uniform(0.0, 1.0), N(0.0, 1.0)))
    assert uniform <= normal + 60

    def mixed():
        a = sx.sample("a", sx.Uniform(0.0, 1.0))
        b = sx.sample("b", sx.Uniform(0.0, 2.0))
        return sx.sample("c", sx.Uniform(a, 3.0)), b, sx.sample("d", sx.Uniform(0.0, 1.0))

    density = sx.unconstrain(mixed)()
    z = density.init(3)
    x = density.constrain(z)
    assert 0 < x["a"] < 1 and 0 < x["b"] < 2 and x["a"] < x["c"] < 3
    jacobian = jax.jacfwd(lambda v: jnp.stack([density.quantities(v)[n] for n in "abcd"]))(density.flatten(z))
    order = [list(density.shapes).index(n) for n in "abcd"]
    log_det = np.linalg.slogdet(np.asarray(jacobian)[:, order])[1]
    scored = sx.log_density(mixed)({n: x[n] for n in "abcd"})
    np.testing.assert_allclose(density.log_density(z), scored + log_det, rtol=1e-4)
