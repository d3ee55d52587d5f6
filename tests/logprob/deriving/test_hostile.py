"""Programs that invite a wrong number: each is right, or refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from jax import lax
from scoring import of

import storax as sx

rv, N, U, E, P, B = sx.rv, sx.Normal, sx.Uniform, sx.Exponential, sx.Poisson, sx.Bernoulli
n = st.norm.logpdf
REFUSED = "refused"


def x(*shape):
    return rv(N(0.0, 1.0), shape=shape)


def b(p=0.3):
    return rv(B(p))


def coin6():
    return rv(sx.DiscreteUniform(-3, 3))


def score(program, value, *args, jitted=False):
    f = lambda v, *xs: jnp.sum(sx.distribution(program)(*xs).log_prob(v))
    return float((jax.jit(f) if jitted else f)(jnp.asarray(value), *map(jnp.asarray, args)))


def joint(program, values, jitted=False):
    def model():
        for name, quantity in program().items():
            sx.deterministic(name, quantity)

    f = lambda v: sx.log_density(model)(v)
    return float((jax.jit(f) if jitted else f)({k: jnp.asarray(v) for k, v in values.items()}))


def said(f, *args, **kwargs):
    try:
        return f(*args, **kwargs)
    except sx.errors.StoraxError:
        return REFUSED


def check(got, wanted):
    if wanted == REFUSED or got == REFUSED:
        assert got == wanted
    else:
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)


def mixed(p, ones, zeros):
    return np.logaddexp(np.log(p) + ones, np.log(1 - p) + zeros)


ARANGE = np.arange(1.0, 4.0)
VECTORS = {  # program, value, log density
    "a spike at several places": (lambda: b() * x(2), [0.0, 0.0], np.log(0.7)),
    "off the spike": (lambda: b() * x(2), [1.0, 2.0], np.log(0.3) + n(1) + n(2)),
    "a spike of many values": (lambda: rv(sx.DiscreteUniform(0, 20)) * x(2), [0.0, 0.0], np.log(1 / 21)),
    "one choice for all": (lambda: jnp.where(b(), x(2), 5 + x(2)), [0.0, 1.0], mixed(0.3, n(0) + n(1), n(-5) + n(-4))),
    "a choice each": (
        lambda: jnp.where(rv(B(0.3), shape=(2,)), x(2), 5 + x(2)),
        [0.0, 1.0],
        mixed(0.3, n(0), n(-5)) + mixed(0.3, n(1), n(-4)),
    ),
    "stacked with itself": (of(lambda x: jnp.stack([x, x]), x), [1.0, 1.0], REFUSED),
    "stacked with its mirror": (of(lambda x: jnp.stack([x, -x]), x), [1.0, -1.0], REFUSED),
    "stacked with a function": (of(lambda x: jnp.stack([x, jnp.exp(x)]), x), [0.0, 1.0], REFUSED),
    "stacked with a sum": (of(lambda x, e: jnp.stack([x, x + e]), x, lambda: rv(E(1.0))), [0.5, 1.0], n(0.5) - 0.5),
    "stacked with a product": (of(lambda x, y: jnp.stack([x, x * y]), x, x), [0.5, 1.0], n(0.5) + n(2) - np.log(0.5)),
    "permuted": (lambda: (ARANGE * x(3))[jnp.array([2, 0, 1])], ARANGE, n(1 / 3) + n(2) + n(1.5) - np.log(6)),
    "taken twice": (lambda: x(3)[jnp.array([0, 0, 1])], ARANGE, REFUSED),
    "means by index": (
        lambda: rv(N(jnp.array([1.0, 5.0])[rv(B(0.3), shape=(2,))], 1.0)),
        [1.0, 5.0],
        mixed(0.3, n(4), n(0)) + mixed(0.3, n(0), n(4)),
    ),
    "no whole number": (lambda: jnp.concatenate([rv(P(2.0), shape=(1,)), rv(P(3.0), shape=(1,))]), [2.5, 1], -np.inf),
    "no whole number, one rate": (lambda: rv(P(rv(sx.Gamma(2.0, 1.0))), shape=(2,)), [2.5, 1.0], -np.inf),
    "sums of masses": (lambda: jnp.cumsum(jnp.clip(x(2), -1.0, 0.1)), [0.1, 0.2], REFUSED),
    "sorted": (lambda: jnp.sort(jnp.array([0.0, 1.0]) + x(2)), [0.2, 0.5],
               np.logaddexp(n(0.2) + n(-0.5), n(0.5) + n(-0.8))),
    "lanes": (
        lambda: jax.vmap(lambda m: jnp.maximum(rv(N(m, 1.0)), 0.0))(jnp.array([1.0, 2.0])),
        [0.0, 3.0],
        st.norm.logcdf(-1) + n(1),
    ),
    "lanes of a range each": (
        lambda: jax.vmap(lambda h: jnp.sqrt(rv(U(0.0, h))))(jnp.array([1.0, 4.0])),
        [0.5, 1.5],
        np.log(1.0) + np.log(0.75),
    ),
    "lanes of counts": (
        lambda: jax.vmap(lambda h: rv(sx.DiscreteUniform(0, h)) * 2)(jnp.array([1, 4])),
        [2, 6],
        np.log(0.1),
    ),
    "lanes of one draw": (of(lambda x: jax.vmap(lambda m: jnp.exp(x) + m)(ARANGE[:2]), x), [1.5, 2.5], REFUSED),
    "written over": (lambda: x(3).at[1].set(rv(E(1.0))), ARANGE, n(1) - 2 + n(3)),
    "transposed": (lambda: (ARANGE[:2, None] * x(2, 2)).T, [[1.0, 2.0], [3.0, 4.0]], n(1) + n(1) + n(3) + n(2)
                   - np.log(4)),
    "singular": (lambda: jnp.array([[1.0, 2.0], [2.0, 4.0]]) @ rv(E(1.0), shape=(2,)), [5.0, 10.0], REFUSED),
    "symmetric": (of(lambda a: a + a.T, lambda: x(2, 2)), [[1.0, 1.0], [1.0, 2.0]], REFUSED),
    "less their mean": (of(lambda a: a - a.mean(), lambda: x(3)), [1.0, -1.0, 0.0], REFUSED),
    "another shape": (lambda: x(3), [1.0, 2.0], REFUSED),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name, x64):
    program, value, wanted = VECTORS[name]
    check(said(score, program, value), wanted)


MODELS = {
    "a magnitude and a side": (of(lambda k: {"a": 0.1 * jnp.abs(k), "b": k > 1}, coin6), {"a": 0.1 * 3, "b": True},
                               np.log(1 / 7)),
    "the other side": (of(lambda x: {"a": jnp.abs(x), "b": x > 1}, x), {"a": 3.0, "b": False}, n(3)),
    "a contradiction": (of(lambda x: {"a": x, "b": x > 0}, x), {"a": 3.0, "b": False}, -np.inf),
    "a maximum at one of both": (of(lambda x, y: {"m": jnp.maximum(x, y), "x": x}, x, x), {"m": 1.0, "x": 1.0},
                                 n(1) + st.norm.logcdf(1)),
    "a maximum that is too small": (of(lambda x, y: {"m": jnp.maximum(x, y), "x": x}, x, x), {"m": 0.5, "x": 1.0},
                                    -np.inf),
    "a sum and its terms": (of(lambda x, y: {"s": x + y, "x": x, "y": y}, x, x), {"s": 0.5, "x": 1.0, "y": -0.5},
                            REFUSED),
    "sum and difference": (of(lambda x, y: {"s": x + y, "d": x - y}, x, x), {"s": 0.5, "d": 1.0},
                           n(0.75) + n(-0.25) - np.log(2)),
    "sum and product of bits": (of(lambda x, y: {"s": x + y, "t": x * y}, b, lambda: b(0.6)), {"s": 1, "t": 0},
                                np.log(0.3 * 0.4 + 0.7 * 0.6)),
    "one quantity twice": (of(lambda x: {"a": x, "b": x}, x), {"a": 1.0, "b": 1.0}, REFUSED),
    "no whole number": (lambda: {"k": rv(P(2.0))}, {"k": 2.5}, REFUSED),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models(name, x64):
    program, values, wanted = MODELS[name]
    check(said(joint, program, values), wanted)


def moving(f):
    return lambda *args: f(rv(E(1.0), shape=(3,)), *args)


TRACED = {  # program, value, arguments that are traced, log density
    "the same place twice": (moving(lambda x, i, j: jnp.max(jnp.stack([x[i], x[j]]))), 1.0, (1, 1), REFUSED),
    "a place that may be known": (moving(lambda x, i: jnp.max(jnp.stack([x[0], x[i]]))), 1.0, (0,), REFUSED),
    "places that may be one": (moving(lambda x, i: jnp.max(x[i])), 1.0, (np.array([1, 1, 2]),), REFUSED),
    "a window of copies": (
        lambda i: jnp.max(lax.dynamic_slice(jnp.broadcast_to(rv(E(1.0)), (4,)), (i,), (2,))),
        1.0,
        (1,),
        REFUSED,
    ),
    "a normal number of several": (lambda i: x(3)[i] + rv(N(0.0, 0.5)), 1.0, (1,), st.norm.logpdf(1, 0, 1.25**0.5)),
    "a window": (
        lambda i: lax.dynamic_slice(ARANGE * x(3), (i,), (2,)),
        [1.0, 2.0],
        (1,),
        n(1 / 2) + n(2 / 3) - np.log(6),
    ),
    "counts of unknown direction": (lambda c: (c * rv(P(2.5)) >= -4).astype(int), 1, (-2.0,), REFUSED),
    "masses of unknown direction": (
        lambda c: jnp.maximum(c * jnp.clip(x(), 0.0, 1.0), -2.0),
        -2.0,
        (-2.0,),
        st.norm.logsf(1),
    ),
    "falling": (lambda c: c * x(), 1.0, (-2.0,), n(0.5) - np.log(2)),
    "a bound beyond": (lambda t: (rv(U(0.0, 1.0)) < t).astype(int), 0, (2.0,), -np.inf),
    "a bound before": (lambda t: (rv(U(0.0, 1.0)) < t).astype(int), 1, (-2.0,), -np.inf),
    "an empty stretch": (lambda t: jnp.maximum(jnp.clip(x(), 0.0, 1.0), t), 1.0, (2.0,), -np.inf),
    "a factor of 0": (lambda c: c * x(), 0.0, (0.0,), np.nan),
    "a factor of 0 everywhere": (lambda c: c * x(2), [0.0, 0.0], (0.0,), np.nan),
    "normal numbers that cancel": (lambda c: c * x() - c * x(), 0.0, (0.0,), np.nan),
    "a singular matrix": (lambda a: a @ rv(E(1.0), shape=(2,)), [5.0, 10.0], (np.array([[1.0, 2], [2, 4]]),), np.nan),
    "a spike at several places": (lambda p: rv(B(p)) * x(2), [0.0, 0.0], (0.3,), np.log(0.7)),
}


@pytest.mark.parametrize("name", TRACED)
def test_traced_arguments(name, x64):
    program, value, args, wanted = TRACED[name]
    check(said(score, program, value, *args, jitted=True), wanted)


def floor_law(a, b):
    return np.log(st.norm.cdf(b) - st.norm.cdf(a))


NUMBERS = {
    "half a mass": (lambda: jnp.round(jnp.clip(x(), -0.5, 1.5)), 2.0, REFUSED),
    "a mass that moved": (lambda: jnp.clip(x(3), 0.0, 1.0)[1] == 0, True, np.log(0.5)),
    "the sign of a mass": (lambda: jnp.sign(jax.nn.relu(x(3))[1]), 0.0, np.log(0.5)),
    "counts, scaled and shifted": (lambda: 0.1 * jnp.floor(x()) + 0.3, 0.1 * 1 + 0.3, floor_law(1, 2)),
    "a mass far from 0": (lambda: jnp.where(b(0.4), 0.55, x()) * 0.1 + 100.0, 0.55 * 0.1 + 100.0, np.log(0.4)),
    "bytes": (lambda: rv(sx.DiscreteUniform(0, 300)).astype(jnp.uint8), 44, np.log(2 / 301)),
    "counts in bytes": (lambda: rv(P(120.0)).astype(jnp.int8), 100, REFUSED),
    "numbers in bytes": (lambda: (3 * x()).astype(jnp.uint8), 0, REFUSED),
    "a fixed point": (lambda: (2 * rv(sx.Gamma(3.0, 1.0)) - 1.5) + rv(sx.Gamma(2.0, 1.0)), 2.0, REFUSED),
    "a prior with a fixed point": (lambda: rv(P(rv(sx.Gamma(3.0, 1.0)) ** 2 / 1.5)), 2, REFUSED),
    "the last of a sum of powers": (of(lambda k: k + k**3, coin6), 30, np.log(1 / 7)),
    "a mass where a fold begins": (of(lambda k: k * jnp.abs(k), lambda: jnp.floor(rv(E(1.0)))), 0.0,
                                   np.log(-np.expm1(-1))),
    "nothing left": (lambda: 0.0 * x(), 0.0, 0.0),
    "cancelled": (of(lambda x: 2 * x - x - x, x), 0.0, REFUSED),
    "one by itself": (of(lambda k: k / k, coin6), 1.0, REFUSED),
    "bits of whole numbers": (lambda: jnp.bitwise_or.reduce(rv(sx.DiscreteUniform(0, 3), shape=(2,))), 3, REFUSED),
    "a kink": (lambda: jax.nn.leaky_relu(x(), 0.1), 0.0, n(0)),
    "a fold": (lambda: jnp.abs(x()), 0.0, n(0) + np.log(2)),
    "a jitted function called twice": (lambda: (lambda f: f() - f())(jax.jit(x)), 1.0, n(1 / 2**0.5) - 0.5 * np.log(2)),
    "no truth value": (lambda: x() > 0, 2, -np.inf),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name, x64):
    program, value, wanted = NUMBERS[name]
    check(said(score, program, value), wanted)


def test_a_negative_odd_power(x64):
    """P(x^-3 <= y) = P(y^(-1/3) <= x < 0) for y < 0."""
    d = sx.distribution(lambda: rv(N(0.3, 1.2)) ** -3)()
    z = np.cbrt(1 / -44.27)
    wanted = st.norm.cdf(0, 0.3, 1.2) - st.norm.cdf(z, 0.3, 1.2)
    np.testing.assert_allclose(np.exp(d.log_cdf(-44.27)), wanted, rtol=1e-9)
    np.testing.assert_allclose(np.exp(d.log_survival(-44.27)), 1 - wanted, rtol=1e-9)


def test_far_tails():
    """In float32, at 40 standard deviations: finite, and right to 1e-5."""
    tail = st.norm.logsf(40)
    for program, value in [
        (lambda: jnp.clip(x(), 40.0, 50.0) + 1, 51.0),
        (lambda: jnp.clip(x(), -50.0, -40.0), -50.0),
    ]:
        np.testing.assert_allclose(sx.distribution(program)().log_prob(value), st.norm.logsf(50), rtol=1e-5)
    for program, value in [
        (lambda: x() > 40, True),
        (lambda: (x() < -40) | False, True),
        (lambda: jnp.maximum(x(), 40.0) * 2, None),
        (lambda: jnp.sign(x() - 40), 1.0),
        (lambda: jnp.floor(jnp.minimum(x(), -40.0)) < -40, True),
    ]:
        if value is not None:
            np.testing.assert_allclose(sx.distribution(program)().log_prob(value), tail, rtol=1e-5)
        else:
            np.testing.assert_allclose(sx.distribution(program)().log_survival(80.0), tail, rtol=1e-5)
    at = 1e-20
    z = st.norm.isf(at / 2) / 2**0.5
    wanted = n(z) - np.log(2 / np.pi**0.5) + z**2
    np.testing.assert_allclose(sx.distribution(lambda: jax.scipy.special.erfc(x()))().log_prob(at), wanted, rtol=1e-5)
    z = -40.0
    y, slope = st.norm.logcdf(z), np.exp(n(z) - st.norm.logcdf(z))
    got = sx.distribution(lambda: jax.scipy.special.log_ndtr(x()))().log_prob(y)
    np.testing.assert_allclose(got, n(z) - np.log(slope), rtol=1e-5)


SMOOTH = {  # program of a parameter, values
    "affine": (lambda t: t * x() + t**2, [0.3, -2.0]),
    "negative factor": (lambda t: jnp.exp(-t * x()), [0.3, 2.0]),
    "clip": (lambda t: t * jnp.clip(x(), -1.0, 0.5), [0.1]),
    "masses": (lambda t: jnp.clip(t * x(), -1.0, 0.5), [0.5, -1.0, 0.2]),
    "power": (lambda t: rv(sx.Gamma(2.0, 1.0)) ** t, [0.3, 2.0]),
    "searched": (lambda t: (lambda x: x + x**3 - t)(x()), [0.3, -2.0]),
    "choice": (lambda t: jnp.where(x() > t, rv(N(t, 1.0)), rv(N(0.0, t))), [0.3, 2.0]),
    "maximum": (lambda t: jnp.maximum(t * x(), rv(N(0.0, 1.0))), [0.3, -2.0]),
    "cells": (lambda t: jnp.floor(t * x()), [0.0, -2.0]),
    "parent": (lambda t: rv(N(t * x(), 1.0)), [0.3, -2.0]),
    "order": (lambda t: jnp.sort(t * rv(E(1.0), shape=(3,)))[1], [0.3, 2.0]),
    "piecewise": (lambda t: (lambda x: jnp.where(x > t, x, 2 * x))(x()), [2.3, -2.0]),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name, x64):
    program, values = SMOOTH[name]
    f = lambda v, t: sx.distribution(program)(t).log_prob(v)
    both = jax.jit(jax.vmap(jax.value_and_grad(f, (0, 1)), (0, None)))
    t, h, v = 1.3, 1e-6, jnp.asarray(values)
    score, (by_value, by_t) = both(v, t)
    assert np.isfinite(score).all() and np.isfinite(by_value).all()
    np.testing.assert_allclose(score, [f(a, t) for a in v], rtol=1e-9)
    g = lambda v, t: both(v, t)[0]
    np.testing.assert_allclose(by_t, (g(v, t + h) - g(v, t - h)) / (2 * h), rtol=1e-5, atol=1e-7)
    if not sx.distribution(program)(t).is_discrete and name != "masses":
        np.testing.assert_allclose(by_value, (g(v + h, t) - g(v - h, t)) / (2 * h), rtol=1e-5, atol=1e-7)
