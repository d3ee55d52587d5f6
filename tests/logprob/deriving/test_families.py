"""Sums, products and quotients of draws that have names, against SciPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from scoring import of, score

import storax as sx

rv, N, U, E, G = sx.rv, sx.Normal, sx.Uniform, sx.Exponential, sx.Gamma


def x(*shape):
    return rv(N(0.0, 2.0), shape=shape)


def ratio_of_uniforms(y):
    return np.log(0.5 / max(1.0, y) ** 2)


# program, value, log density
NAMED = {
    "two log-normals": (lambda: jnp.exp(x()) * jnp.exp(-0.5 * x()), 1.7, st.lognorm.logpdf(1.7, 5**0.5)),
    "a product of log-normals": (lambda: jnp.prod(jnp.exp(rv(N(0.3, 1.2), shape=(3,)))), 1.7,
                                 st.lognorm.logpdf(1.7, 1.2 * 3**0.5, scale=np.exp(0.9))),
    "cauchy": (lambda: x() / rv(N(0.0, 0.5)), 0.7, st.cauchy.logpdf(0.7, scale=4.0)),
    "student": (lambda: x() / jnp.sqrt(rv(sx.ChiSquared(4.0)) / 4), 0.7, st.t.logpdf(0.7, 4, scale=2.0)),
    "fisher": (lambda: rv(sx.ChiSquared(4.0)) / 4 / (rv(sx.ChiSquared(6.0)) / 6), 0.7, st.f.logpdf(0.7, 4, 6)),
    "beta prime": (lambda: rv(G(2.0, 3.0)) / rv(G(4.0, 1.0)), 0.7, st.betaprime.logpdf(2.1, 2, 4) + np.log(3)),
    "beta": (of(lambda a, b: a / (a + b), lambda: rv(G(2.0, 3.0)), lambda: rv(E(3.0))), 0.7, st.beta.logpdf(0.7, 2, 1)),
    "a share of two rates": (of(lambda a, b: a / (b + a), lambda: rv(G(2.0, 1.0)), lambda: rv(G(3.0, 2.0))), 0.7,
                             st.betaprime.logpdf(0.5 * 0.7 / 0.3, 2, 3) + np.log(0.5 / 0.09)),
    "laplace, scaled": (lambda: x() * jnp.sqrt(2 * rv(E(1.0))), 0.7, st.laplace.logpdf(0.7, scale=2.0)),
    "asymmetric": (lambda: rv(E(1.0)) - rv(E(2.0)), 0.7, np.log(2 / 3) - 0.7),
    "negative exponentials": (lambda: -rv(E(1.0)) - rv(E(1.0)), -0.7, st.gamma.logpdf(0.7, 2)),
    "skellam": (lambda: rv(sx.Poisson(2.0)) - rv(sx.Poisson(1.0)), -1, st.skellam.logpmf(-1, 2, 1)),
    "which poisson": (lambda: rv(sx.Poisson(2.0)) == rv(sx.Poisson(1.0)), True, st.skellam.logpmf(0, 2, 1)),
    "logistic": (lambda: rv(sx.Gumbel(0.5, 2.0)) - rv(sx.Gumbel(0.0, 2.0)), 0.7, st.logistic.logpdf(0.7, 0.5, 2.0)),
    "a race": (lambda: rv(E(1.0)) < rv(E(2.0)), True, np.log(1 / 3)),
    "reaction times": (lambda: x() - rv(E(1.5)), 0.7, st.exponnorm.logpdf(-0.7, 1 / 3, scale=2.0)),
    "triangular": (lambda: rv(U(0.0, 1.0)) + rv(U(2.0, 3.0)), 2.7, np.log(0.7)),
    "uniforms": (lambda: jnp.prod(rv(U(0.0, 1.0), shape=(3,))), 0.2, np.log(0.5 * np.log(5.0) ** 2)),
    "their quotient": (lambda: rv(U(0.0, 1.0)) / rv(U(0.0, 1.0)), 1.7, ratio_of_uniforms(1.7)),
    "their logs": (lambda: -jnp.sum(jnp.log(rv(U(0.0, 1.0), shape=(3,)))), 1.7, st.gamma.logpdf(1.7, 3)),
    "gammas side by side": (lambda: jnp.sum(jnp.stack([rv(G(1.5, 2.0)), rv(E(2.0))])), 1.7,
                            st.gamma.logpdf(1.7, 2.5, scale=0.5)),
    "lanes": (lambda: jax.vmap(lambda a: x() / rv(N(0.0, a)))(jnp.array([0.5, 1.0])), [0.7, 0.3],
              st.cauchy.logpdf(0.7, scale=4.0) + st.cauchy.logpdf(0.3, scale=2.0)),
    "a length": (lambda: jnp.linalg.norm(x(3)), 1.7, st.chi.logpdf(0.85, 3) - np.log(2)),
    "rayleigh": (lambda: jnp.hypot(x(), x()), 1.7, st.rayleigh.logpdf(1.7, scale=2.0)),
    "rice": (lambda: jnp.linalg.norm(rv(N(jnp.array([1.0, 2.0]), 1.5))), 1.7,
             st.rice.logpdf(1.7, 5**0.5 / 1.5, scale=1.5)),
    "a vector by itself": (of(lambda v: v @ v, lambda: x(3)), 1.7, st.gamma.logpdf(1.7, 1.5, scale=8.0)),
    "a variance": (lambda: jnp.var(rv(N(3.0, 2.0), shape=(5,))), 1.7, st.gamma.logpdf(1.7, 2, scale=1.6)),
    "a deviation": (lambda: jnp.std(rv(N(3.0, 2.0), shape=(5,)), ddof=1), 1.3,
                    st.gamma.logpdf(1.69, 2, scale=2.0) + np.log(2.6)),
    "an angle": (lambda: jnp.arctan2(x(), x()), 0.7, -np.log(2 * np.pi)),
    "whitened": (lambda: jnp.sum(jnp.square(jnp.array([[0.5, 0.5], [0.5, -0.5]]) @ x(2))), 1.7,
                 st.gamma.logpdf(1.7, 1, scale=4.0)),
}  # fmt: skip
FAST = {"student", "beta prime", "beta", "asymmetric", "skellam", "a race", "uniforms", "rice", "a deviation", "lanes"}


def each(table, fast):
    marked = [pytest.param(n, marks=() if n in fast else pytest.mark.long) for n in table]
    return pytest.mark.parametrize("name", marked)


@each(NAMED, FAST)
def test_named(name, x64):
    program, value, wanted = NAMED[name]
    np.testing.assert_allclose(score(program, value), wanted, rtol=1e-9, atol=1e-10)


REFUSED = {
    "two means": lambda: rv(N(1.0, 1.0)) / x(),
    "one draw over itself and more": of(lambda a, b: a / (a + a * b), lambda: rv(E(1.0)), lambda: rv(E(1.0))),
    "a difference": of(lambda a, b: a / (a - b), lambda: rv(E(1.0)), lambda: rv(E(1.0))),
    "two rates": lambda: rv(E(1.0)) + rv(E(2.0)),
    "widths": lambda: rv(U(0.0, 1.0)) + rv(U(0.0, 2.0)),
    "scales": lambda: jnp.var(rv(N(0.0, jnp.array([1.0, 2.0, 3.0])))),
    "a scale of two": lambda: jnp.zeros(2) + rv(N(jnp.zeros(2), 1.0)) / jnp.sqrt(rv(E(1.0))),
    "logs of shares": of(lambda v: jnp.log(v / v.sum()), lambda: rv(E(1.0), shape=(3,))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_name_is_refused(name):
    with pytest.raises(sx.NotMeasurable, match=r"`\w+`"):
        score(REFUSED[name], np.full(sx.distribution(REFUSED[name])().shape, 0.3))


@pytest.mark.long
def test_tails_of_a_quotient(x64):
    """Far out on both sides, where the chance of a beta prime number is next to 0 or 1."""
    d = sx.distribution(lambda: rv(G(2.0, 1.0)) / rv(G(3.0, 1.0)))()
    for y in (1e-9, 0.3, 4.0, 1e9):
        np.testing.assert_allclose(d.log_cdf(y), st.betaprime.logcdf(y, 2, 3), rtol=1e-8)
        np.testing.assert_allclose(d.log_survival(y), st.betaprime.logsf(y, 2, 3), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(d.log_prob(y), st.betaprime.logpdf(y, 2, 3), rtol=1e-9)
    assert float(d.log_prob(-1.0)) == float(d.log_prob(0.0)) == -np.inf
    gradients = jax.grad(lambda y: d.log_prob(y))
    assert all(np.isfinite(gradients(y)) for y in (1e-6, 1.0, 1e6))


def test_a_vector_over_its_sum(x64):
    y, a = np.array([0.2, 0.5, 0.3]), np.array([1.0, 2.0, 3.0])
    vector = lambda: rv(G(jnp.asarray(a), 2.0))
    np.testing.assert_allclose(score(of(lambda v: v / v.sum(), vector), y), st.dirichlet.logpdf(y, a), rtol=1e-9)
    part = of(lambda v: (v / v.sum())[1], vector)
    np.testing.assert_allclose(score(part, 0.5), st.beta.logpdf(0.5, 2, 4), rtol=1e-9)
    rows = of(lambda v: v / v.sum(-1, keepdims=True), lambda: rv(G(jnp.asarray(a), 2.0), shape=(2,)))
    np.testing.assert_allclose(score(rows, np.stack([y, y])), 2 * st.dirichlet.logpdf(y, a), rtol=1e-9)


def test_softmax(x64):
    """The logistic normal density of Aitchison and Shen (1980), written down."""
    y, m, s = np.array([0.2, 0.5, 0.3]), np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.7])
    d = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    log_ratios = st.multivariate_normal.logpdf(np.log(y[:2] / y[2]), d @ m, d @ np.diag(s**2) @ d.T)
    softmax = lambda: jax.nn.softmax(rv(N(jnp.asarray(m), jnp.asarray(s))))
    np.testing.assert_allclose(score(softmax, y), log_ratios - np.log(y).sum(), rtol=1e-9)
    assert score(softmax, [0.2, 0.5, 0.4]) == -np.inf
