"""Hard values of the distributions on the line: far tails, extreme parameters, cuts far out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from extremes_real import CASES, FUNCTIONS
from judges import error

import storax as sx

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions


# Name, parameters, value, log density, and its gradient with respect to the value and to each parameter.
def density_and_gradient(name, parameters, x, dtype):
    names = list(parameters)

    def f(x, *values):
        return getattr(sx, name)(**dict(zip(names, values, strict=True))).log_prob(x)

    arguments = [jnp.asarray(v, dtype) for v in (x, *parameters.values())]
    return jax.value_and_grad(f, tuple(range(len(arguments))))(*arguments)


CASE = pytest.mark.parametrize(("name", "parameters", "x", "log_prob", "gradient"), CASES)


@CASE
def test_in_double_precision(name, parameters, x, log_prob, gradient, x64):
    value, slopes = density_and_gradient(name, parameters, x, jnp.float64)
    assert error(value, log_prob) < 1e-10
    assert (error(slopes, gradient) < 1e-10).all()


@CASE
def test_in_single_precision(name, parameters, x, log_prob, gradient):
    value, slopes = density_and_gradient(name, parameters, x, jnp.float32)
    assert error(value, log_prob) < 1e-5
    unit = 4 * np.finfo(np.float32).eps * np.max(np.abs(gradient))  # of the largest term: those of two ends may cancel
    assert ((error(slopes, gradient) < 1e-5) | (np.abs(np.asarray(slopes) - gradient) < unit)).all()


def ask(name, parameters, function, x, dtype):
    d = getattr(sx, name)(**{k: jnp.asarray(v, dtype) for k, v in {"scale": 1.0, **parameters}.items()})
    f = getattr(d, function)
    return f if function in ("mean", "variance") else f() if x is None else jax.jit(f)(jnp.asarray(x, dtype))


FUNCTION = pytest.mark.parametrize(("name", "parameters", "function", "x", "truth"), FUNCTIONS)


@FUNCTION
def test_functions_in_double_precision(name, parameters, function, x, truth, x64):
    np.testing.assert_allclose(ask(name, parameters, function, x, jnp.float64), truth, rtol=1e-10)


@FUNCTION
def test_functions_in_single_precision(name, parameters, function, x, truth):
    np.testing.assert_allclose(ask(name, parameters, function, x, jnp.float32), truth, rtol=1e-5)
