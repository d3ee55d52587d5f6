"""`check` and `unconstrain` look at everything that is known, wherever it is in the program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

N = sx.Normal
NAN = np.array([0.0, np.nan])


def with_while(y):
    sx.sample("y", N(0.0, 1.0), obs=y)
    lax.while_loop(lambda c: c < 1, lambda c: c + jnp.abs(sx.rv(N(0.0, 1.0))), 0.0)


def in_branch(y):
    return lax.cond(True, lambda: sx.sample("y", N(0.0, 1.0), obs=y), lambda: jnp.zeros(2))


def with_hidden(y):
    sx.block(lambda: sx.sample("h", N(0.0, 1.0)))()
    sx.rv(N(0.0, 1.0))
    sx.sample("y", N(0.0, 1.0), obs=y)


@pytest.mark.parametrize("model", [with_while, in_branch, with_hidden])
def test_data_are_looked_at_everywhere(model):
    assert list(sx.check(model)(np.zeros(2))) == ["y"]
    with pytest.raises(sx.errors.ObservationError, match=r"site 'y' .*value\[1\]"):
        sx.check(model)(NAN)


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weights_must_be_below_infinity(weight):
    with pytest.raises(sx.errors.ObservationError, match="site 'f'"):
        sx.check(lambda: sx.factor("f", weight))()
    sx.check(lambda: sx.factor("f", -np.inf))()


def test_a_row_that_is_not_there():
    with pytest.raises(sx.errors.UnknownNameError, match="Did you mean 'mean'"):
        sx.check(lambda: sx.sample("mean", N(0.0, 1.0)))()["maen"]


ANONYMOUS = (lambda: sx.rv(N(0.0, 1.0)), sx.errors.InferenceError, "nothing to infer")
HIDDEN = (sx.block(lambda: sx.sample("h", N(0.0, 1.0))), sx.errors.NotMeasurable, "no value")


@pytest.mark.parametrize("model, error, match", [ANONYMOUS, HIDDEN])
def test_what_has_no_name_outside_is_looked_past_and_not_sampled(model, error, match):
    assert len(sx.check(model)()) == 0
    for ask in (sx.unconstrain(model), lambda: sx.mcmc(model)(0)):
        with pytest.raises(error, match=match):
            ask()


def test_a_model_that_says_nothing():
    with pytest.raises(sx.errors.InferenceError, match=r"called no sx\.sample"):
        sx.unconstrain(lambda: None)()


@pytest.mark.parametrize(
    "d, value",
    [
        (sx.HalfNormal(1.0), -1.0),
        (sx.Uniform(0.0, 2.0), 2.0),
        (sx.Dirichlet(jnp.ones(3)), [0.5, 0.5, 0.5]),
        (sx.Dirichlet(jnp.ones(3)), [0.5, 0.5, 0.0]),
        (N(0.0, 1.0), np.nan),
    ],
)
def test_points_outside_have_no_coordinates(d, value):
    with pytest.raises(sx.errors.ObservationError, match="site 's' .*not inside of its support"):
        sx.unconstrain(lambda: sx.sample("s", d))().unconstrain({"s": value})


def test_unconstrain_looks_at_the_data_first():
    def model(y):
        m = sx.sample("m", N(0.0, 1.0))
        sx.sample("y", N(m, 1.0), obs=y)

    with pytest.raises(sx.errors.ObservationError, match="site 'y'"):
        sx.unconstrain(model)(NAN)
    f = jax.jit(lambda y: sx.unconstrain(model)(y).log_density({"m": 0.0}))
    assert np.isfinite(f(jnp.zeros(2)))


def test_half_precision_is_sampled_in_single():
    density = sx.unconstrain(lambda: sx.sample("x", N(jnp.bfloat16(0), jnp.bfloat16(1))))()
    z = density.init(0)
    assert z["x"].dtype == jnp.float32 and density.constrain(z)["x"].dtype == jnp.bfloat16
