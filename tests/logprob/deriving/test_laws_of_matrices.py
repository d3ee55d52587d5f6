"""Random matrices and vectors some of whose entries follow from the others, against SciPy and the library's factors."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from scoring import score

import storax as sx

rv = sx.rv
S = np.array([[2.0, 0.6], [0.6, 1.0]])
W = np.array([[3.0, 0.4], [0.4, 2.0]])
R = np.array([[1.0, 0.3], [0.3, 1.0]])
A = np.array([[1.0, 2.0], [0.5, -1.0]])
T = np.array([[2.0, 0.0], [0.7, 0.5]])
SCALES = np.array([2.0, 0.7])
D = np.diag(SCALES)
FACTOR = np.linalg.cholesky(W)
LOG_SQUARE = np.log(4 * FACTOR[0, 0] ** 2 * FACTOR[1, 1])  # of the Jacobian of L L'
wishart = lambda: rv(sx.Wishart(4.0, scale_matrix=jnp.asarray(S)))
factor = lambda: rv(sx.WishartCholesky(4.0, scale_matrix=jnp.asarray(S)))
correlations = lambda: rv(sx.LKJ(2, 1.5))
their_factor = lambda: rv(sx.LKJCholesky(2, 1.5))
chances = lambda: rv(sx.Dirichlet(jnp.array([1.0, 2.0, 3.0])))


def lkj(r):
    """Of a 2 x 2 matrix: (r + 1) / 2 is Beta(eta, eta)."""
    return st.beta.logpdf((r + 1) / 2, 1.5, 1.5) - np.log(2)


def square(f):
    return lambda: (lambda m: m @ m.T)(f())


PROGRAMS = {  # program, value, log density
    "a factor": (lambda: jnp.linalg.cholesky(wishart()), FACTOR,
                 st.wishart.logpdf(W, 4, S) + LOG_SQUARE),
    "a square": (square(factor), W, st.wishart.logpdf(W, 4, S)),
    "an inverse": (lambda: jnp.linalg.inv(wishart()), W, st.invwishart.logpdf(W, 4, np.linalg.inv(S))),
    "both sides": (lambda: jnp.asarray(A) @ wishart() @ jnp.asarray(A).T, W, st.wishart.logpdf(W, 4, A @ S @ A.T)),
    "both sides, from the right": (lambda: jnp.asarray(A) @ (wishart() @ jnp.asarray(A).T), W,
                                   st.wishart.logpdf(W, 4, A @ S @ A.T)),
    "a multiple": (lambda: 2.5 * wishart(), W, st.wishart.logpdf(W, 4, 2.5 * S)),
    "a triangle times a factor": (lambda: jnp.asarray(T) @ factor(), FACTOR,
                                  st.wishart.logpdf(W, 4, T @ S @ T.T) + LOG_SQUARE),
    "covariances": (lambda: jnp.diag(SCALES) @ correlations() @ jnp.diag(SCALES), D @ R @ D, lkj(0.3) - np.log(1.4)),
    "covariances by entries": (lambda: SCALES[:, None] * correlations() * SCALES[None], D @ R @ D,
                               lkj(0.3) - np.log(1.4)),
    "covariances from a factor": (square(lambda: jnp.diag(SCALES) @ their_factor()), D @ R @ D, lkj(0.3) - np.log(1.4)),
    "a factor of correlations": (lambda: jnp.linalg.cholesky(correlations()), np.linalg.cholesky(R), lkj(0.3)),
    "shares, doubled": (lambda: 2 * chances(), [0.4, 0.6, 1.0],
                        st.dirichlet.logpdf([0.2, 0.3, 0.5], [1, 2, 3]) - np.log(4)),
    "shares, turned round": (lambda: 2 * chances()[::-1], [1.0, 0.6, 0.4],
                             st.dirichlet.logpdf([0.2, 0.3, 0.5], [1, 2, 3]) - np.log(4)),
    "no symmetric matrix": (lambda: jnp.linalg.inv(wishart()), [[3.0, 0.4], [0.5, 2.0]], -np.inf),
    "not positive definite": (square(factor), [[1.0, 2.0], [2.0, 1.0]], -np.inf),
    "no lower triangle": (lambda: jnp.linalg.cholesky(wishart()), FACTOR.T, -np.inf),
}  # fmt: skip


SLOW = {"a factor", "both sides, from the right", "covariances", "no symmetric matrix", "a factor of correlations"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long if n in SLOW else ()) for n in PROGRAMS])
def test_matrices(name, x64):
    program, value, wanted = PROGRAMS[name]
    np.testing.assert_allclose(score(program, value), wanted, rtol=1e-9)


@pytest.mark.long
def test_the_factor_of_larger_correlations(x64):
    """The density of L L' of an LKJ factor is that of the matrix, at 4 x 4, where the powers differ."""
    r = np.corrcoef(np.random.default_rng(0).normal(size=(4, 9)))
    got = score(square(lambda: rv(sx.LKJCholesky(4, 1.5))), r)
    np.testing.assert_allclose(got, sx.LKJ(4, 1.5).log_prob(r), rtol=1e-9)
    w = 3.0 * r
    got = score(lambda: jnp.linalg.cholesky(rv(sx.Wishart(6.0, scale_matrix=jnp.eye(4)))), np.linalg.cholesky(w))
    wanted = sx.WishartCholesky(6.0, scale_matrix=np.eye(4)).log_prob(np.linalg.cholesky(w))
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


REFUSED = {
    "one side": lambda: jnp.asarray(A) @ wishart(),
    "two sides": lambda: jnp.asarray(A) @ wishart() @ jnp.asarray(A),
    "powers": lambda: jnp.square(wishart()),
    "a factor times a negative number": square(lambda: -1.0 * factor()),
    "the other square": lambda: (lambda m: m.T @ m)(factor()),
    "sums of parts that sum to 1": lambda: jnp.cumsum(chances()),
    "an inverse of correlations": lambda: jnp.linalg.inv(correlations()),
    "sums of 0": lambda: 2 * rv(sx.ZeroSumNormal(1.0, (3,))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_counted_is_refused(name, x64):
    d = sx.distribution(REFUSED[name])()
    with pytest.raises(sx.NotMeasurable, match=r"test_laws_of_matrices\.py:\d+|`\w+`"):
        d.log_prob(jnp.ones(d.shape))
