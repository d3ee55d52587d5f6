"""Handlers around models with anonymous draws: a number that is right, or a refusal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import storax as sx

MU, Y = 0.4, jnp.array([0.5, 2.0, -1.0])
MASK = jnp.array([True, False, True])


def model(y, mask=True):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    with sx.plate("row", len(y)):
        z = sx.rv(sx.Bernoulli(0.3))
        sx.sample("y", sx.Normal(mu + 3 * z, 1.0).mask(jnp.broadcast_to(mask, y.shape)), obs=y)


def by_hand(y):
    parts = [np.log(p) + stats.norm.logpdf(y, MU + 3 * z) for p, z in ((0.7, 0), (0.3, 1))]
    return np.logaddexp(*parts).sum()


PRIOR = stats.norm.logpdf(MU)


@pytest.mark.parametrize(
    "handled, values, expected",
    [
        (model, {"mu": MU}, PRIOR + by_hand(Y)),
        (sx.condition(model, mu=MU), {}, PRIOR + by_hand(Y)),
        (sx.substitute(model, mu=MU), {}, PRIOR + by_hand(Y)),
        (sx.do(model, mu=MU), {}, by_hand(Y)),
        (sx.scope(model, "group"), {"group/mu": MU}, PRIOR + by_hand(Y)),
        (lambda y: model(y, MASK), {"mu": MU}, PRIOR + by_hand(Y[np.array([0, 2])])),
    ],
    ids=["plain", "condition", "substitute", "do", "scope", "masked rows"],
)
def test_the_density_is_that_of_the_sum_over_the_draws(handled, values, expected):
    np.testing.assert_allclose(sx.log_density(handled)(values, Y), expected, rtol=1e-6)


def test_data_of_another_shape_are_another_program():
    f = sx.log_density(model)
    for n in (2, 5):
        y = jnp.linspace(-1.0, 2.0, n)
        np.testing.assert_allclose(f({"mu": MU}, y), PRIOR + by_hand(y), rtol=1e-6)


def subsampled(y):
    with sx.plate("row", 6, subsample_size=3):
        z = sx.rv(sx.Bernoulli(0.3))
        sx.sample("y", sx.Normal(3.0 * z, 1.0), obs=y)


@pytest.mark.parametrize(
    "handled, values, words",
    [
        (sx.scale(model, 2.0), {"mu": MU}, "has a weight"),
        (subsampled, {}, "has a weight"),
        (sx.block(model, hide=["mu"]), {}, "site 'mu' .*is hidden by sx.block"),
    ],
    ids=["scale", "subsample", "block"],
)
def test_what_would_be_another_number_is_refused(handled, values, words):
    with pytest.raises(sx.NotMeasurable, match=words):
        sx.log_density(handled)(values, Y)


def test_a_program_is_read_once_a_trace():
    calls = []

    @sx.distribution
    def program(rate):
        calls.append(1)
        return jnp.minimum(sx.rv(sx.Exponential(rate)), 2.0)

    density = jax.jit(jax.value_and_grad(lambda rate, y: program(rate).log_prob(y)))
    for rate in (1.0, 2.0, 3.0):
        density(rate, jnp.float32(0.5))
    assert len(calls) == 1
