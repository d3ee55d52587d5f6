"""Anonymous parents of draws, integrated out: against SciPy, closed forms and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats as st
from scipy.special import gammaln
from scoring import of, score

import storax as sx

rv, N, E, G, P, B = sx.rv, sx.Normal, sx.Exponential, sx.Gamma, sx.Poisson, sx.Bernoulli
beta, gamma = lambda: rv(sx.Beta(2.0, 3.0)), lambda: rv(G(2.0, 3.0))
dirichlet = lambda: rv(sx.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
variance = lambda: rv(sx.InverseGamma(2.0, 3.0))


def over(law, likelihood):
    """log of the integral of a likelihood over a law of SciPy's."""
    return np.log(scipy.integrate.quad(lambda u: likelihood(law.ppf(u)), 0, 1, epsabs=0, epsrel=1e-9, limit=500)[0])


BETA, GAMMA = st.beta(2, 3), st.gamma(2, scale=1 / 3)
POISSONS = over(GAMMA, lambda t: st.poisson.pmf(2, 2 * t) * st.poisson.pmf(1, 5 * t))
IG = st.invgamma(2, scale=3.0)

PROGRAMS = {  # program, value, log density
    "flips": (of(lambda p: rv(B(p), shape=(3,)), beta), [1, 0, 1], over(BETA, lambda p: p**2 * (1 - p))),
    "a flip and its mirror": (of(lambda p: {"a": rv(B(p)), "b": rv(B(1 - p))}, lambda: rv(sx.Beta(2.0, 2.0))),
                              {"a": 1, "b": 1}, over(st.beta(2, 2), lambda p: p * (1 - p))),
    "flips and counts": (of(lambda p: {"a": rv(B(p)), "n": rv(sx.Binomial(4, p)), "g": rv(sx.Geometric(p))}, beta),
                         {"a": 1, "n": 3, "g": 2}, over(BETA, lambda p: 4 * p**5 * (1 - p) ** 3)),
    "successes": (of(lambda p: rv(sx.NegativeBinomial(3.0, p)), beta), 2,
                  over(BETA, lambda p: 6 * p**2 * (1 - p) ** 3)),
    "exposures": (of(lambda t: rv(P(jnp.array([2.0, 5.0]) * t)), gamma), [2, 1], POISSONS),
    "lanes of one parent": (of(lambda t: jax.vmap(lambda c: rv(P(c * t)))(jnp.array([2.0, 5.0])), gamma), [2, 1],
                            POISSONS),
    "lanes of parents": (lambda: jax.vmap(lambda a: rv(P(rv(G(a, 1.0)))))(jnp.array([1.0, 2.0])), [2, 1],
                         st.nbinom.logpmf(2, 1, 0.5) + st.nbinom.logpmf(1, 2, 0.5)),
    "groups": (of(lambda t: rv(P(t[jnp.array([0, 1, 0])])), lambda: rv(G(jnp.array([2.0, 4.0]), 1.0))), [2, 3, 1],
               over(st.gamma(2), lambda t: st.poisson.pmf(2, t) * st.poisson.pmf(1, t)) + st.nbinom.logpmf(3, 4, 0.5)),
    "a count and a time": (of(lambda t: {"n": rv(P(t)), "x": rv(E(2 * t))}, gamma), {"n": 2, "x": 0.7},
                           over(GAMMA, lambda t: st.poisson.pmf(2, t) * 2 * t * np.exp(-1.4 * t))),
    "one variance": (of(lambda v: rv(N(1.0, jnp.sqrt(v)), shape=(2,)), variance), [0.5, 2.0],
                     over(IG, lambda v: np.exp(st.norm.logpdf([0.5, 2.0], 1, v**0.5).sum()))),
    "one precision": (of(lambda t: {"x": rv(N(1.0, 2 / jnp.sqrt(t))), "y": rv(sx.HalfNormal(1 / jnp.sqrt(t)))}, gamma),
                      {"x": 0.5, "y": 2.0},
                      over(GAMMA, lambda t: st.norm.pdf(0.5, 1, 2 / t**0.5) * st.halfnorm.pdf(2.0, scale=t**-0.5))),
    "student": (lambda: rv(N(1.0, 1 / jnp.sqrt(gamma()))), 0.5, st.t.logpdf(0.5, 4, 1.0, 1.5**0.5)),
    "laplace": (lambda: rv(N(1.0, jnp.sqrt(rv(E(0.5))))), 0.5, st.laplace.logpdf(0.5, 1.0)),
    "a category": (lambda: rv(sx.Categorical(dirichlet())), 2, np.log(0.5)),
    "categories": (of(lambda p: rv(sx.Categorical(p), shape=(3,)), dirichlet), [2, 0, 2],
                   np.log(3 * 1 * 4 / (6 * 7 * 8))),
    "counts of kinds": (lambda: rv(sx.Multinomial(4, dirichlet())), [1, 1, 2],
                        st.dirichlet_multinomial.logpmf([1, 1, 2], [1, 2, 3], 4)),
    "a category and counts": (of(lambda p: {"z": rv(sx.Categorical(p)), "n": rv(sx.Multinomial(4, p))}, dirichlet),
                              {"z": 2, "n": [1, 1, 2]},
                              np.log(0.5) + st.dirichlet_multinomial.logpmf([1, 1, 2], [1, 2, 4], 4)),
    "rows": (of(lambda p: rv(sx.Categorical(p[jnp.array([1, 0, 1])])),
                lambda: rv(sx.Dirichlet(jnp.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])))), [0, 2, 0],
             np.log(0.5 * 1 / 3 * 2 / 4)),
    "flips of any chance": (of(lambda p: rv(B(p), shape=(3,)), lambda: rv(sx.Uniform(0.0, 1.0))), [1, 0, 1],
                            np.log(1 / 12)),
    "thinned": (lambda: rv(sx.Binomial(rv(P(3.0)), 0.4)), 2, st.poisson.logpmf(2, 1.2)),
    "impossible": (of(lambda p: rv(B(p), shape=(2,)), beta), [1, 2], -np.inf),
    "a count that is a mixture's": (lambda: jnp.where(rv(B(0.3)), 10, rv(P(2 * gamma()))), 1,
                                    np.log(0.7) + st.nbinom.logpmf(1, 2, 0.6)),
    "no exposure": (of(lambda t: rv(P(jnp.array([0.0, 1.0])[1] * t)), gamma), 1, st.nbinom.logpmf(1, 2, 0.75)),
}  # fmt: skip
FAST = {"flips", "a flip and its mirror", "exposures", "a count and a time", "one variance", "student", "categories",
        "a category and counts", "rows", "groups"}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST else pytest.mark.long) for n in PROGRAMS])
def test_parents(name, x64):
    program, value, wanted = PROGRAMS[name]
    np.testing.assert_allclose(score(program, value), wanted, rtol=1e-7, atol=1e-9)


REFUSED = {
    "a bounded chance": (of(lambda p: rv(B(jnp.clip(p, 0.1, 0.9))), beta), 1),
    "another chance": (of(lambda p: {"a": rv(B(p)), "b": rv(B(p**2))}, beta), {"a": 1, "b": 1}),
    "probabilities, bounded": (of(lambda p: rv(sx.Categorical(jnp.clip(p, 0.1, 1.0))), dirichlet), 1),
    "probabilities, reversed": (of(lambda p: rv(sx.Categorical(p[::-1])), dirichlet), 1),
    "a child and its grandchild": (of(lambda t: {"n": rv(P(t)), "m": rv(P(t * t))}, gamma), {"n": 1, "m": 1}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_conjugate_is_refused(name):
    with pytest.raises(sx.NotMeasurable, match=r"test_parents\.py:\d+"):
        score(*REFUSED[name])


@pytest.mark.long
def test_gradients(x64):
    """Of a marginal density with respect to the prior and the exposure."""

    def f(t, a, b, c):
        return sx.distribution(lambda: rv(P(jnp.array([1.0, c]) * rv(G(a, b)))))().log_prob(t)

    def by_hand(a, b, c):
        n, s = 3.0, 1 + c
        return (jax.scipy.special.gammaln(a + n) - jax.scipy.special.gammaln(a) + a * jnp.log(b)
                - (a + n) * jnp.log(b + s) + 1 * jnp.log(c))  # fmt: skip

    y, at = jnp.array([2, 1]), (2.0, 3.0, 0.7)
    np.testing.assert_allclose(f(y, *at), by_hand(*at) - gammaln(3), rtol=1e-9)
    wanted = jax.grad(by_hand, (0, 1, 2))(*at)
    np.testing.assert_allclose(jax.grad(f, (1, 2, 3))(y, *at), wanted, rtol=1e-7)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e5])
def test_categories_of_a_dirichlet_stay_accurate_where_it_is_narrow(size):
    a, y = np.array([1.0, 2.0, 3.0]) * size, np.arange(50) % 3

    @sx.distribution
    def program():
        return sx.rv(sx.Categorical(probs=sx.rv(sx.Dirichlet(jnp.asarray(a, jnp.float32)))), shape=(50,))

    n = np.bincount(y)
    expected = (gammaln(a + n) - gammaln(a)).sum() - gammaln(a.sum() + 50) + gammaln(a.sum())
    np.testing.assert_allclose(program().log_prob(jnp.asarray(y)), expected, rtol=3e-6)


def test_a_vector_of_different_draws_behind_every_category_is_refused():
    """Entry i of the logits is not behind draw i, but behind all of them, and has 2^3 states."""

    @sx.distribution
    def program():
        z = sx.rv(sx.Bernoulli(0.3), shape=(3,))
        return sx.rv(sx.Categorical(logits=jnp.where(z, 1.0, 0.0)), shape=(3,))

    with pytest.raises(sx.NotMeasurable, match=r"test_parents\.py:\d+"):
        program().log_prob(jnp.array([0, 2, 2]))
