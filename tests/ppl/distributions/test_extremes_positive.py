"""Hard cases of the distributions on half-lines, intervals and the circle: far tails, tiny and huge parameters."""

import jax
import jax.numpy as jnp
import pytest
from extremes_positive import CASES
from judges import error

from storax import distributions

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions


def score_and_gradient(name, parameters, x, dtype):
    kind = getattr(distributions, name)
    point = [jnp.asarray(v, dtype) for v in (x, *parameters)]
    return jax.jit(jax.value_and_grad(lambda p: kind(*p[1:]).log_prob(p[0])))(point)


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_double_precision(case, x64):
    name, parameters, x, score, gradient = case
    got, slopes = score_and_gradient(name, parameters, x, jnp.float64)
    assert error(got, score) < 1e-10
    assert (error(slopes, gradient) < 1e-10).all(), error(slopes, gradient)


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_single_precision(case):
    name, parameters, x, score, gradient = case
    got, slopes = score_and_gradient(name, parameters, x, jnp.float32)
    assert error(got, score) < 1e-5
    assert (error(slopes, gradient) < 1e-5).all(), error(slopes, gradient)
