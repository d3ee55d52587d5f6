"""Many small matrices, entry by entry, against NumPy in double precision and against one at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.bijections.cholesky import cholesky, matmul, solve_lower
from storax.bijections.planes import COUNT


def many(d):
    """Positive definite matrices `[2, COUNT, d, d]`, some of them all but singular."""
    rng = np.random.default_rng(0)
    factor = np.tril(rng.normal(size=(2, COUNT, d, d)))
    factor[..., -1, -1] *= np.geomspace(1e-2, 1, COUNT)
    return jnp.asarray(factor @ np.swapaxes(factor, -1, -2) + 1e-3 * np.eye(d), jnp.float32)


@pytest.mark.parametrize("d", [1, 4])
def test_factors_products_and_solves(d):
    a = many(d)
    wide = np.asarray(a, float)
    factor = jax.jit(cholesky)(a)
    truth = np.linalg.cholesky(wide)
    scale = np.sqrt(np.diagonal(wide, axis1=-2, axis2=-1))[..., None]
    assert np.abs((factor - truth) / scale).max() < 3e-7
    np.testing.assert_allclose(
        jnp.diagonal(factor, axis1=-2, axis2=-1) / scale[..., 0],
        np.diagonal(truth, axis1=-2, axis2=-1) / scale[..., 0],
        rtol=2e-6,
    )
    np.testing.assert_allclose(matmul(a, factor), wide @ np.asarray(factor, float), rtol=1e-5, atol=1e-4)
    x = np.asarray(solve_lower(factor, a), float)
    assert np.abs(np.asarray(factor, float) @ x - wide).max() < 1e-4


def test_slopes_are_those_of_one_at_a_time():
    a = many(3)
    of_all = jax.jit(jax.grad(lambda a: jnp.cos(cholesky(a)).sum()))(a)
    of_each = jax.jit(jax.vmap(jax.vmap(jax.grad(lambda a: jnp.cos(cholesky(a)).sum()))))(a)
    np.testing.assert_allclose(of_all, of_each, rtol=1e-4, atol=1e-4 * float(jnp.abs(of_each).max()))


def test_what_has_no_factor_has_none():
    a = many(2).at[0, 3].set(jnp.array([[1.0, 2.0], [2.0, 1.0]]))
    none = np.isnan(cholesky(a)).any((-2, -1))
    assert none[0, 3] and none.sum() == 1
