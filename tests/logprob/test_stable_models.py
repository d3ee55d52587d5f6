"""Models whose parameters would overflow: scored as the same model with logits or log rates is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

sigmoid = jax.nn.sigmoid
DATA = jnp.array([0, 1, 0])


def x_():
    return sx.sample("x", sx.Normal(0.0, 1.0))


def plain(x):
    sx.sample("y", sx.Bernoulli(probs=sigmoid(x)), obs=DATA)


def named(x):
    sx.sample("y", sx.Bernoulli(probs=sx.deterministic("p", sigmoid(x))), obs=DATA)


def failure(x):
    sx.sample("y", sx.Bernoulli(probs=1 - 1 / (1 + jnp.exp(x))), obs=DATA)


def across_a_scan(x):
    p = sigmoid(x)
    lax.scan(lambda c, y: (c, sx.sample("y", sx.Bernoulli(probs=p), obs=y)), 0.0, DATA)


def in_a_scan(x):
    lax.scan(lambda c, y: (c, sx.sample("y", sx.Bernoulli(probs=sigmoid(x * c)), obs=y)), 1.0, DATA)


def vmapped(x):
    jax.vmap(lambda k, y: sx.sample("y", sx.Bernoulli(probs=sigmoid(x * k)), obs=y))(jnp.ones(3), DATA)


def kept_lanes(x):
    sx.vmap(lambda k, y: sx.sample("y", sx.Bernoulli(probs=sigmoid(x * k)), obs=y))(jnp.ones(3), DATA)


def in_branches(x):
    p = sigmoid(x)
    lax.cond(
        x > 0,
        lambda: sx.sample("y", sx.Bernoulli(probs=p), obs=DATA),
        lambda: sx.sample("y", sx.Bernoulli(probs=sigmoid(x)), obs=DATA),
    )


def checkpointed(x):
    jax.checkpoint(lambda x: sx.sample("y", sx.Bernoulli(probs=sigmoid(x)), obs=DATA))(x)


def jitted(x):
    p = jax.jit(sigmoid)(x)
    jax.jit(lambda p: sx.sample("y", sx.Bernoulli(probs=p), obs=DATA))(p)


def plate(x):
    p = sigmoid(jnp.stack([x, -x]))
    with sx.plate("n", 3):
        sx.sample("y", sx.Bernoulli(probs=p[jnp.array([0, 0, 0])]), obs=DATA)


def wrapped(x):
    p = jnp.where(jnp.array([True, True, True, False]), sigmoid(x), 0.5)
    d = sx.Bernoulli(probs=p).mask(jnp.array([True, True, True, False])).expand((4,))
    sx.sample("y", d, obs=jnp.array([0, 1, 0, 1]))


def many(x):
    for i in range(3):
        sx.sample(f"y{i}", sx.Bernoulli(probs=sigmoid(x)), obs=DATA[i])


def categories(x):
    sx.sample("y", sx.Categorical(probs=jax.nn.softmax(jnp.stack([x, 0 * x]))), obs=1 - DATA)


def factors(x):
    sx.factor("f", 2 * jnp.log(1 - sigmoid(x)) + jnp.log(sigmoid(x)))


MODELS = [plain, named, failure, across_a_scan, in_a_scan, vmapped, kept_lanes, in_branches, checkpointed, jitted]
MODELS += [plate, wrapped, many, categories, factors]


def logits(x):
    sx.sample("y", sx.Bernoulli(logits=x), obs=DATA)


@pytest.mark.parametrize("body", MODELS, ids=lambda f: f.__name__)
def test_the_density_is_that_of_the_model_with_logits(body):
    f, g = (jax.jit(jax.value_and_grad(sx.log_density(lambda: b(x_())))) for b in (body, logits))
    for x in (-80.0, -17.0, 0.5, 17.0, 80.0):
        values = {"x": jnp.float32(x)}
        for found, wanted in zip(jax.tree.leaves(f(values)), jax.tree.leaves(g(values))):
            np.testing.assert_allclose(found, wanted, rtol=1e-5)
    density = sx.unconstrain(lambda: body(x_()))()
    np.testing.assert_allclose(density.log_density({"x": 80.0}), g({"x": jnp.float32(80.0)})[0], rtol=1e-5)


def test_rates_are_scored_by_their_logarithm():
    def model(k):
        sx.sample("k", sx.Poisson(2.0 * jnp.exp(x_())), obs=k)

    f = jax.value_and_grad(sx.log_density(model))
    for x in (-150.0, -80.0, 3.0):  # exp(-150) is 0
        value, slope = f({"x": x}, jnp.array([2, 0]))
        rate, log_rate = 2 * np.exp(x), np.log(2.0) + x
        wanted = -0.5 * x * x - 0.5 * np.log(2 * np.pi) + 2 * log_rate - 2 * rate - np.log(2)
        np.testing.assert_allclose(value, wanted, rtol=1e-5)
        np.testing.assert_allclose(slope["x"], -x + 2 - 2 * rate, rtol=1e-5)


def test_branches_may_have_different_parameters():
    def model():
        x = x_()
        lax.cond(
            x > 0,
            lambda: sx.sample("y", sx.Bernoulli(probs=sigmoid(x)), obs=DATA),
            lambda: sx.sample("y", sx.Bernoulli(probs=0.25), obs=DATA),
        )

    f = sx.log_density(model)
    np.testing.assert_allclose(f({"x": 80.0}), -3200 - 0.9189385 - 160, rtol=1e-6)
    np.testing.assert_allclose(f({"x": -1.0}), -0.5 - 0.9189385 + np.log(0.25 * 0.75**2), rtol=1e-6)


def test_models_may_close_over_what_is_traced():
    def total(data, scale):
        def model():
            sx.sample("y", sx.Bernoulli(probs=sigmoid(scale * x_())), obs=data)

        return sx.log_density(model)({"x": 40.0})

    for scale in (2.0, -2.0):
        wanted = -800 - 0.9189385 - (160 if scale > 0 else 80)
        np.testing.assert_allclose(jax.jit(total)(DATA, scale), wanted, rtol=1e-6)
        np.testing.assert_allclose(total(DATA, scale), wanted, rtol=1e-6)


def test_weights_and_pointwise_densities():
    weighted = sx.scale(lambda: plate(x_()), 3.0)
    np.testing.assert_allclose(sx.log_density(weighted)({"x": 80.0}), 3 * (-3200 - 0.9189385 - 160), rtol=1e-6)
    np.testing.assert_allclose(sx.log_likelihood(weighted)({"x": 80.0})["y"], [-80.0, 0.0, -80.0], atol=1e-30)


def test_a_quantity_that_is_set_is_what_it_is_set_to():
    model = lambda: named(x_())
    for changed in (sx.do(model, p=0.25), sx.do(sx.scope(model, "s"), {"s/p": 0.25})):
        (name,) = (n for n in ("x", "s/x") if n in sx.check(changed)())
        found = sx.log_density(changed)({name: 1.0})
        np.testing.assert_allclose(found, -0.5 - 0.9189385 + np.log(0.25 * 0.75**2), rtol=1e-6)


def test_distributions_of_users_are_seen_through():
    class Failures(sx.distributions.Distribution):
        p: object
        parameters = {"p": sx.supports.unit_interval}
        support = sx.supports.nonnegative_integer
        is_discrete = True

        def sample(self, key, shape=()):
            return sx.Geometric(self.p).sample(key, shape)

        def log_prob(self, value):
            return value * jnp.log(1 - self.p) + jnp.log(self.p)

    def model():
        sx.sample("k", Failures(sigmoid(x_())), obs=2)

    np.testing.assert_allclose(sx.log_density(model)({"x": 80.0}), -3200 - 0.9189385 - 160, rtol=1e-6)


def test_stabilising_a_model_twice_is_stabilising_it_once():
    model = lambda: plain(x_())
    assert sx.log_density(sx.logprob.stabilize(model))({"x": 80.0}) == sx.log_density(model)({"x": 80.0})


def test_scalar_sites_with_a_pattern_are_still_scored_together():
    def program(n):
        def model():
            for i in range(n):
                sx.sample(f"y{i}", sx.Bernoulli(probs=sigmoid(sx.sample(f"x{i}", sx.Normal(0.0, 1.0)))), obs=i % 2)

        density = sx.unconstrain(model)()
        text = jax.jit(jax.grad(density.of_vector)).lower(jnp.zeros(n)).compile().as_text()
        return text.count(" exponential(")

    assert program(12) == program(4)


def test_posteriors_of_separated_data_are_sampled():
    def model(x, y):
        w = sx.sample("w", sx.Normal(0.0, 50.0))
        sx.sample("y", sx.Bernoulli(probs=sigmoid(w * x)), obs=y)

    x, y = jnp.array([-2.0, -1.0, 1.0, 2.0]), jnp.array([0, 0, 1, 1])
    density = sx.unconstrain(model)(x, y)
    z = {"w": -60.0}  # each datum on the wrong side: probs round to 0 and 1
    assert np.isfinite(density.log_density(z))
    np.testing.assert_allclose(jax.grad(density.log_density)(z)["w"], 6 + 60 / 2500, rtol=1e-5)
