"""Models with draws that are integrated out: their density, on R^n too, and what samplers and users see of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import storax as sx

Y = np.array([-2.3, 1.7, 2.2, -1.9, 0.4])


def clusters(y):
    mu = sx.sample("mu", sx.Normal(jnp.array([-1.0, 1.0]), 1.0))
    weight = sx.sample("weight", sx.Beta(2.0, 2.0))
    sx.deterministic("gap", mu[1] - mu[0])
    which = sx.rv(sx.Bernoulli(weight), shape=y.shape)
    sx.deterministic("count", which.sum())
    sx.sample("y", sx.Normal(mu[which], 1.0), obs=y)


def by_hand(mu, weight):
    each = np.logaddexp(np.log1p(-weight) + stats.norm.logpdf(Y, mu[0]), np.log(weight) + stats.norm.logpdf(Y, mu[1]))
    return stats.norm.logpdf(mu, [-1, 1]).sum() + stats.beta.logpdf(weight, 2, 2) + each.sum()


def test_a_mixture_is_summed_over(x64):
    values = {"mu": jnp.array([-1.5, 1.2]), "weight": 0.3}
    np.testing.assert_allclose(sx.log_density(clusters)(values, Y), by_hand([-1.5, 1.2], 0.3), rtol=1e-12)
    density = sx.unconstrain(clusters)(Y)
    z = density.unconstrain(values)
    np.testing.assert_allclose(density.log_density(z), by_hand([-1.5, 1.2], 0.3) + np.log(0.3 * 0.7), rtol=1e-12)
    found = density.constrain(z)
    assert list(found) == ["mu", "weight", "gap"]  # the count depends on what is summed over
    np.testing.assert_allclose(found["gap"], 2.7, rtol=1e-12)
    gradient = jax.grad(density.log_density)(z)
    step = 1e-6
    up, down = (density.log_density({**z, "weight": z["weight"] + s}) for s in (step, -step))
    np.testing.assert_allclose(gradient["weight"], (up - down) / (2 * step), rtol=1e-6)


def test_nuts_on_what_is_left():
    """mu given the data, its parents integrated out, is normal in closed form."""

    def model(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.deterministic("y", sx.rv(sx.Normal(mu, 1.0), shape=y.shape), obs=y)

    post = sx.mcmc(model, num_chains=4, num_warmup=400, num_samples=1000)(0, Y)
    draws = post["mu"].ravel()
    mean, sd = Y.sum() / 6, np.sqrt(1 / 6)
    error = 4 * sd / np.sqrt(float(post.summary()["mu"]["ess_bulk"]))
    assert abs(draws.mean() - mean) < error and abs(draws.std() / sd - 1) < 0.1


def test_what_is_given_must_fit():
    def model(y):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        sx.deterministic("double", 2 * mu)
        sx.sample("y", sx.Normal(sx.rv(sx.Normal(mu, 1.0)), 1.0), obs=y)

    density = sx.log_density(model)
    solved = density({"double": 0.6}, 1.0)  # mu is 0.3
    np.testing.assert_allclose(solved, density({"mu": 0.3}, 1.0) - np.log(2), rtol=1e-5)
    for values, error, match in [
        ({"mu": 0.3, "double": 0.6}, sx.errors.NotMeasurable, "site 'double' is derived from what else"),
        ({"mu": 0.3, "y": 1.0}, sx.errors.ModelError, "site 'y' has a value already"),
        ({"mu": 0.3, "nu": 1.0}, sx.errors.UnknownNameError, "no site named 'nu'"),
        ({"mu": jnp.zeros(2)}, sx.errors.ShapeError, r"'mu' has shape \(\)"),
        ({}, sx.errors.UnknownNameError, "no value was given for 'mu'"),
    ]:
        with pytest.raises(error, match=match):
            density(values, 1.0)
    with pytest.raises(sx.errors.NotMeasurable, match="has a weight or a mask"):
        sx.log_density(sx.scale(lambda: sx.deterministic("e", jnp.exp(sx.rv(sx.Normal(0.0, 1.0)))), 2.0))({"e": 2.0})


def test_a_derived_distribution_is_a_prior():
    @sx.distribution
    def shifted(a):
        return a + jnp.exp(sx.rv(sx.Normal(0.0, 1.0)))

    def model():
        a = sx.sample("a", sx.Normal(0.0, 1.0))
        sx.sample("x", shifted(a))

    density = sx.unconstrain(model)()
    z = {"a": jnp.array(0.4), "x": jnp.array(-0.3)}
    values = density.constrain(z)
    assert values["x"] > values["a"]
    expected = stats.norm.logpdf(0.4) + stats.lognorm.logpdf(values["x"] - values["a"], 1.0)
    np.testing.assert_allclose(sx.log_density(model)(values), expected, rtol=1e-5)
    assert all(np.isfinite(g) for g in jax.grad(density.log_density)(z).values())


@pytest.mark.parametrize(
    "arguments", [("exp", 3.0), (3.0, jnp.log), ("exp", []), ("exp", [jnp.log]), ("exp", sx.logprob.Branch(jnp.log))]
)
def test_what_is_no_rule_is_refused(arguments):
    with pytest.raises(sx.errors.ArgumentTypeError, match=r"register\('exp', jnp.log\)"):
        sx.logprob.register(*arguments)
