"""Several functions of the same draws, what jnp makes of them, and what they determine together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from jax import lax
from scoring import of, score

import storax as sx

rv, N, U, E, P, B = sx.rv, sx.Normal, sx.Uniform, sx.Exponential, sx.Poisson, sx.Bernoulli
n, F = st.norm.logpdf, st.norm.cdf
REFUSED = "refused"


def x(*shape):
    return rv(N(0.0, 1.0), shape=shape)


def mv():
    return rv(sx.MultivariateNormal(jnp.zeros(2), covariance_matrix=jnp.array([[1.0, 0.7], [0.7, 1.0]])))


def die():
    return rv(sx.DiscreteUniform(-3, 3))


def corners(a, b):
    """The density of |X| at (a, b) for X of `mv`."""
    law = st.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]])
    return np.log(sum(law.pdf([s * a, t * b]) for s in (1, -1) for t in (1, -1)))


C = np.arange(3.0)
PROGRAMS = {  # program, value, log density
    "a function handed on": (lambda: jnp.where(jnp.asarray(True), jnp.exp(x()), 0.0), 2.0, n(np.log(2)) - np.log(2)),
    "a draw handed on": (of(lambda e: {"a": jnp.nan_to_num(x() + e), "e": e}, lambda: rv(E(1.0))), {"a": 1.0, "e": 0.4},
                         n(0.6) - 0.4),
    "four corners": (lambda: jnp.abs(mv()), [0.5, 1.0], corners(0.5, 1.0)),
    "four corners of squares": (lambda: mv() ** 2, [0.25, 1.0], corners(0.5, 1.0) - np.log(1.0) - np.log(2.0)),
    "a square and a child": (of(lambda v: {"s": v**2, "y": rv(N(v, 1.0))}, x), {"s": 0.25, "y": 1.0},
                             n(0.5) + np.logaddexp(n(0.5), n(1.5))),
    "a magnitude and a sum": (of(lambda k: {"a": jnp.abs(k), "s": k + rv(P(1.0))}, die), {"a": 2, "s": 1},
                              np.log(1 / 7) + st.poisson.logpmf(3, 1)),
    "a magnitude that is 0": (of(lambda k: {"a": jnp.abs(k), "s": k + rv(P(1.0))}, die), {"a": 0, "s": 1},
                              np.log(1 / 7) + st.poisson.logpmf(1, 1)),
    "shifted": (lambda: jnp.max(C + x()), 2.5, n(0.5)),
    "a largest of a rising and a cubic": (of(lambda v: jnp.max(jnp.stack([v, v**3])), x), 8.0, n(2.0) - np.log(12)),
    "a sum of rising ones": (of(lambda v: jnp.sum(jnp.stack([v, v**3])), x), 10.0, n(2.0) - np.log(13)),
    "outside": (of(lambda v: jnp.any(jnp.stack([v < -1, v > 2])), x), True, np.log(F(-1) + F(-2))),
    "a largest of two draws": (of(lambda v, e: jnp.max(jnp.stack([v, v + 1, e])), x, lambda: rv(E(1.0))), 2.0,
                               np.log(st.norm.pdf(1) * -np.expm1(-2) + F(1) * np.exp(-2))),
    "rows": (of(lambda v: jnp.max(jnp.stack([v, 2 * v], 1), 1), lambda: x(2)), [-1.0, 1.0], n(-1) + n(0.5) - np.log(2)),
    "smallest and largest": (of(lambda v: {"a": v.min(), "b": v.max()}, lambda: rv(E(1.0), shape=(4,))),
                             {"a": 0.5, "b": 2.0}, np.log(12) - 2.5 + 2 * np.log(np.exp(-0.5) - np.exp(-2))),
    "in the wrong order": (of(lambda v: {"a": v.min(), "b": v.max()}, lambda: rv(E(1.0), shape=(4,))),
                           {"a": 2.0, "b": 0.5}, -np.inf),
    "of different laws": (of(lambda v: {"a": v.min(), "b": v.max()}, lambda: jnp.array([0.0, 1.0]) + x(2)),
                          {"a": 0.5, "b": 2.0}, np.logaddexp(n(0.5) + n(1.0), n(2.0) + n(-0.5))),
    "dice": (of(lambda v: {"a": v.min(), "b": v.max()}, lambda: rv(sx.DiscreteUniform(1, 6), shape=(3,))),
             {"a": 2, "b": 4}, np.log((27 - 8 - 8 + 1) / 216)),
    "of a pair": (of(lambda u, v: {"a": jnp.minimum(u, v), "b": jnp.maximum(u, v)}, x, lambda: 1 + x()),
                  {"a": 0.5, "b": 2.0}, np.logaddexp(n(0.5) + n(1.0), n(2.0) + n(-0.5))),
    "a race of two": (lambda: jnp.argmin(jnp.stack([rv(E(1.0)), rv(E(2.0))])), 1, np.log(2 / 3)),
    "one over a count": (lambda: 1 / rv(P(2.0)), 0.5, REFUSED),
    "between two bounds": (of(lambda k: (k > 1.5) & (k <= 4), lambda: rv(P(3.0))), True,
                           np.log(st.poisson.cdf(4, 3) - st.poisson.cdf(1, 3))),
    "the two largest": (lambda: lax.top_k(rv(E(1.0), shape=(4,)), 2)[0], [2.0, 0.5],
                        np.log(12) - 2.5 + 2 * np.log(-np.expm1(-0.5))),
    "an order": (lambda: jnp.argsort(x(3)), [2, 0, 1], -np.log(6)),
    "no order": (lambda: jnp.argsort(x(3)), [2, 0, 2], -np.inf),
    "sorted dice": (lambda: jnp.sort(rv(sx.DiscreteUniform(1, 6), shape=(3,))), [2, 5, 5], np.log(3 / 216)),
    "a quartile": (lambda: jnp.quantile(rv(U(0.0, 1.0), shape=(5,)), 0.25), 0.3, st.beta.logpdf(0.3, 2, 4)),
    "medians": (lambda: jnp.median(rv(U(0.0, 1.0), shape=(3, 2)), axis=0), [0.3, 0.6],
                st.beta.logpdf([0.3, 0.6], 2, 2).sum()),
    "a choice of three": (of(lambda v: jnp.select([v < -1, v < 0.5], [v + 3, 2 * v], v**2), x), 1.5,
                          np.log(st.norm.pdf(-1.5) + st.norm.pdf(1.5**0.5) / (2 * 1.5**0.5))),
    "a cell": (lambda: jnp.digitize(x(), jnp.array([-1.0, 0.0, 1.0])), 2, np.log(F(1) - F(0))),
    "a smooth step": (lambda: jax.nn.soft_sign(x()), 0.5, n(1.0) + np.log(4)),
    "smooth and positive": (lambda: jnp.logaddexp(x(), 0.5), 1.5, n(np.log(np.exp(1.5) - np.exp(0.5)))
                            - np.log1p(-np.exp(-1.0))),
    "added to": (lambda: x(2).at[0].add(3.0), [3.5, 1.0], n(0.5) + n(1)),
    "multiplied": (lambda: x(2).at[0].multiply(-2.0), [3.0, 1.0], n(1.5) + n(1) - np.log(2)),
    "a parity": (lambda: rv(P(2.5)) % 2, 1, np.log(-np.expm1(-5) / 2)),
    "counts as numbers": (lambda: jnp.stack([1.0 * rv(P(2.0)), rv(P(3.0)) + 0.5]), [2.0, 1.5],
                          st.poisson.logpmf(2, 2) + st.poisson.logpmf(1, 3)),
    "less their mean": (of(lambda v: v - v.mean(), lambda: x(3)), [1.0, -1.0, 0.0], REFUSED),
    "a median of four": (lambda: jnp.median(x(4)), 0.3, REFUSED),
    "a quartile between": (lambda: jnp.quantile(x(4), 0.25), 0.3, REFUSED),
    "a rising and a falling one": (of(lambda v: jnp.max(jnp.stack([v, -2 * v])), x), 1.0, np.logaddexp(n(1), n(0.5)
                                   - np.log(2))),
    "the smaller of both": (of(lambda v: jnp.minimum(v, 1 - v), x), 0.2, np.logaddexp(n(0.2), n(0.8))),
    "above where they cross": (of(lambda v: jnp.minimum(v, 1 - v), x), 0.6, -np.inf),
    "the same extreme twice": (of(lambda v: {"a": v.max(), "b": jnp.exp(v).max()}, lambda: x(3)), {"a": 1.0, "b": 2.0},
                               REFUSED),
    "extremes and one of them": (of(lambda v: {"a": v.min(), "b": v.max(), "c": v[0]}, lambda: x(3)),
                                 {"a": 0.0, "b": 2.0, "c": 1.0}, REFUSED),
}  # fmt: skip
SLOW = {"four corners of squares", "a largest of two draws", "rows", "of different laws", "a quartile", "medians",
        "dice", "a largest of a rising and a cubic", "a sum of rising ones", "a choice of three"}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(k, marks=pytest.mark.long if k in SLOW else ()) for k in PROGRAMS])
def test_programs(name, x64):
    program, value, wanted = PROGRAMS[name]
    if wanted == REFUSED:
        with pytest.raises(sx.NotMeasurable, match=r"`\w+|anonymous"):
            score(program, value)
    else:
        np.testing.assert_allclose(score(program, value), wanted, rtol=1e-8, atol=1e-10)
