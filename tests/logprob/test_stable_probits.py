"""Probits, hyperbolic tangents and derived densities: accurate in float32 where the expression as written is not."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax import lax
from jax.scipy.special import ndtr
from jax.scipy.stats import norm

import storax as sx

mp.mp.dps = 90
AT = np.float32([-80.0, -40.3, -17.0, -8.1, -1.2, -0.1, 0.3, 4.9, 17.0, 80.0])
log_ndtr = lambda x: mp.log(mp.ncdf(x))
sech = lambda x: 2 / (mp.exp(x) + mp.exp(-x))
PATTERNS = {  # as written, and what it is
    "log(ndtr)": (lambda x: jnp.log(ndtr(x)), log_ndtr),
    "log(1 - ndtr)": (lambda x: jnp.log(1 - ndtr(x)), lambda x: log_ndtr(-x)),
    "log1p(-cdf)": (lambda x: jnp.log1p(-norm.cdf(x)), lambda x: log_ndtr(-x)),
    "a probit": (lambda x: sx.Bernoulli(probs=norm.cdf(x)).log_prob(0), lambda x: log_ndtr(-x)),
    "log(1 - tanh)": (lambda x: jnp.log(1 - jnp.tanh(x)), lambda x: mp.log(2 / (1 + mp.exp(2 * x)))),
    "log(1 - tanh^2)": (lambda x: jnp.log(1 - jnp.tanh(x) ** 2), lambda x: 2 * mp.log(sech(x))),
    "log tanh |x|": (lambda x: jnp.log(jnp.tanh(jnp.abs(x))), lambda x: mp.log(mp.tanh(abs(x)))),
    "log(1 - softmax)": (
        lambda x: jnp.log(1 - jax.nn.softmax(jnp.stack([x, jnp.zeros_like(x), -x]))[0]),
        lambda x: mp.log((1 + mp.exp(-x)) / (1 + mp.exp(x) + mp.exp(-x))),
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_value_and_gradient(name):
    f, truth = PATTERNS[name]
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(sx.logprob.stabilize(f))))(AT)
    points = [mp.mpf(float(x)) for x in AT]
    np.testing.assert_allclose(value, [float(truth(x)) for x in points], rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(slope, [float(mp.diff(truth, x)) for x in points], rtol=1e-5, atol=1e-37)


def cdf_like(w, above=0.0, low=lax.erfc):
    """What `ndtr` computes, of w = x / sqrt(2), or nearly."""
    z = jnp.abs(w)
    return 0.5 * jnp.where(z < 0.7, 1 + lax.erf(w), jnp.where(w > above, 2 - lax.erfc(z), low(z)))


@pytest.mark.parametrize("f", [lambda w: cdf_like(w, 1.0), lambda w: cdf_like(w, low=lambda z: lax.erfc(2 * z))])
def test_what_only_looks_like_a_probit_stays_what_it_is(f):
    g = lambda x: jnp.log(f(x)) + x
    np.testing.assert_allclose(sx.logprob.stabilize(g)(AT[2:]), g(AT[2:]), rtol=1e-6)


def test_derived_densities():
    @sx.distribution
    def coin(w):
        return sx.rv(sx.Bernoulli(jax.nn.sigmoid(w)))

    value, slope = jax.value_and_grad(lambda w: coin(w).log_prob(0))(80.0)
    np.testing.assert_allclose([value, slope, coin(80.0).log_prob(0)], [-80.0, -1.0, -80.0], rtol=1e-6)
    for w in (5.0, 10.0, 15.0, 16.5):  # where what is lost leaves a finite number, outside of jit as inside
        expected = -np.logaddexp(0.0, w)
        np.testing.assert_allclose(coin(w).log_prob(0), expected, rtol=1e-5)
        np.testing.assert_allclose(jax.jit(lambda w: coin(w).log_prob(0))(w), expected, rtol=1e-5)

    def model(y):
        w = sx.sample("w", sx.Normal(0.0, 100.0))
        z = sx.rv(sx.Bernoulli(0.3), shape=y.shape)
        sx.sample("y", sx.Bernoulli(probs=jax.nn.sigmoid(w * jnp.array([1.0, 2.0])[z])), obs=y)

    y = jnp.array([0, 1, 0])
    value, gradient = jax.value_and_grad(sx.log_density(model))({"w": 60.0}, y)
    expected = norm.logpdf(60.0, 0.0, 100.0) + 2 * (np.log(0.7) - 60.0)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient["w"], -60.0 / 100.0**2 - 2, rtol=1e-5)
