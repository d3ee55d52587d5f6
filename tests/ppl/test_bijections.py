"""Every bijection: there and back, the Jacobian's log-determinant, shapes, the support, and floats far out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax import supports
from storax.bijections import ALL, biject_to

EACH = pytest.mark.parametrize("bijection, shape", ALL, ids=[f"{i}-{b!r}"[:60] for i, (b, _) in enumerate(ALL)])

# From a value on a manifold to free coordinates: what the Jacobian is taken of.  Without an entry here it is the volume
# on the manifold, sqrt(det J^T J).
lower = lambda k: lambda x: x[..., *np.tril_indices(x.shape[-1], k)]
FREE = {
    "StickBreaking": lambda x: x[..., :-1],
    "IsometricSimplex": lambda x: x[..., :-1],
    "FillCholesky": lower(0),
    "CholeskyToMatrix": lower(0),
    "CorrelationFactor": lower(-1),
    "FactorToCorrelation": lower(-1),
}
# Those that no digit of z is lost on, however far out; of the others the value must be the same again.
LOSSLESS = {"Identity", "Exp", "StickBreaking", "FillCholesky", "CorrelationFactor"}


def name(bijection):
    base = getattr(bijection, "base", None)
    return type(bijection).__name__ if base is None or type(bijection).__name__ != "Lifted" else name(base)


def points(shape, size, dtype, n=20):
    """In a box, and its corners: all coordinates far out, with every pattern of signs."""
    rng = np.random.default_rng(0)
    inner = rng.uniform(-size, size, (n, *shape))
    corners = size * rng.choice([-1.0, 1.0], (n, *shape))
    return jnp.asarray(
        np.concatenate([inner, corners, size * np.ones((1, *shape)), -size * np.ones((1, *shape))]), dtype
    )


ONLY_ASKED = {supports.Nothing, supports.LogWeights}  # no choice has its values there


def support_of(bijection):
    """The supports that lead to this bijection."""
    known = [getattr(supports, s) for s in vars(supports) if isinstance(getattr(supports, s), supports.Support)]
    for s in known:
        if not s.is_discrete and type(s) not in ONLY_ASKED and repr(biject_to(s)) == repr(bijection):
            return s
    return None


@EACH
def test_shapes(bijection, shape):
    z = jnp.zeros((5, *shape))
    x, log_det = bijection.forward_and_log_det(z)
    assert x.shape == bijection.forward_shape(z.shape)
    assert bijection.inverse_shape(x.shape) == z.shape == bijection.inverse(x).shape
    batch = z.shape[: z.ndim - bijection.z_event_dim]
    assert log_det.shape == batch == x.shape[: x.ndim - bijection.x_event_dim]
    assert bijection.log_det(z).shape == bijection.inverse_log_det(x).shape == batch
    np.testing.assert_array_equal(bijection.forward(z), x)


@EACH
@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.long)])
def test_there_and_back(bijection, shape, dtype):
    with jax.enable_x64(dtype == jnp.float64):
        # A product L L^T is rounded, and its factor is no better known than its condition number allows.
        z = points(shape, 1.0 if name(bijection) in {"CholeskyToMatrix", "FactorToCorrelation"} else 2.0, dtype)
        x, log_det = bijection.forward_and_log_det(z)
        again = bijection.inverse(x)
        assert x.dtype == log_det.dtype == again.dtype == dtype
        # A value near 1000 holds fewer digits of z than z does.
        ulp = float(jnp.finfo(dtype).eps) * np.abs(np.asarray(x, float)).max()
        tolerance = (1e-5 if dtype == jnp.float32 else 1e-10) + (200 * ulp if np.abs(x).max() > 100 else 0)
        np.testing.assert_allclose(again, z, rtol=tolerance, atol=tolerance)


@EACH
def test_far_out_in_single_precision(bijection, shape):
    z = points(shape, 20.0, jnp.float32)
    x, log_det = jax.jit(bijection.forward_and_log_det)(z)
    again = jax.jit(bijection.inverse)(x)
    assert np.isfinite(x).all() and np.isfinite(log_det).all() and np.isfinite(again).all()
    if name(bijection) in LOSSLESS:
        np.testing.assert_allclose(again, z, rtol=1e-5, atol=1e-5)
    back = np.asarray(bijection.forward(again), float)
    # Sums are rounded to the size of their terms.
    sums = bijection.x_event_dim == 2 or name(bijection) == "RealFFT"
    axes = tuple(range(-bijection.x_event_dim, 0))
    size = np.abs(x).max(axes, keepdims=True) if sums else 0.0
    assert (np.abs(back - x) <= 1e-5 * np.maximum(np.abs(x), size) + 1e-30).all()


@EACH
def test_values_far_out_lie_in_the_support(bijection, shape):
    support = support_of(bijection)
    for size in (0.5, 5.0, 20.0):
        x = bijection.forward(points(shape, size, jnp.float32))
        assert support is None or np.asarray(support(x)).all()


@EACH
def test_gradients_far_out_are_finite(bijection, shape):
    def total(z):
        x, log_det = bijection.forward_and_log_det(z)
        return jnp.sum(jnp.tanh(x)) + jnp.sum(log_det)

    for size in (0.0, 1.0, 20.0):
        assert np.isfinite(jax.jit(jax.grad(total))(points(shape, size, jnp.float32))).all()


@EACH
@pytest.mark.parametrize("size", [pytest.param(0.5, marks=pytest.mark.long), 3.0])
def test_log_determinants_are_those_of_the_jacobian(bijection, shape, size, x64):
    event = shape[len(shape) - bijection.z_event_dim :]
    batch = shape[: len(shape) - bijection.z_event_dim]
    free = FREE.get(name(bijection), lambda x: x)
    for z in points(shape, size, jnp.float64, 3):
        jacobian = jax.jacfwd(lambda z: free(bijection.forward(z)))(z)
        n, m = int(np.prod(event)), jacobian.ndim - len(shape)
        got = np.asarray(bijection.log_det(z))
        for index in np.ndindex(batch):
            block = jacobian[*index][..., *index, *[slice(None)] * len(event)] if batch else jacobian
            block = np.asarray(block).reshape(-1, n)
            assert m == jacobian.ndim - len(shape)
            if block.shape[0] == n:
                expected = np.linalg.slogdet(block)[1]
            else:
                expected = 0.5 * np.linalg.slogdet(block.T @ block)[1]
            np.testing.assert_allclose(got[index], expected, rtol=1e-7, atol=1e-7)
        x = bijection.forward(z)
        np.testing.assert_allclose(bijection.inverse_log_det(x), -got, rtol=1e-7, atol=1e-7)


@EACH
def test_transformations_of_jax(bijection, shape):
    z = points(shape, 1.0, jnp.float32, 2)
    x, log_det = bijection.forward_and_log_det(z)
    of_one = jax.vmap(bijection.forward_and_log_det)(z)
    for got, expected in zip(of_one, (x, log_det), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)
    through = jax.jit(lambda b, z: b.forward_and_log_det(z))(bijection, z)
    np.testing.assert_allclose(through[0], x, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(jax.vmap(bijection.inverse)(x), bijection.inverse(x), rtol=2e-5, atol=2e-5)


def test_every_continuous_support_has_a_bijection():
    for s in vars(supports).values():
        if isinstance(s, supports.Support) and not s.is_discrete and type(s) not in ONLY_ASKED:
            b = biject_to(s)
            shape = (3,) * s.event_dim
            z_shape = b.inverse_shape(shape)
            x = b.forward(jnp.zeros(z_shape))
            assert x.shape == shape and b.x_event_dim == s.event_dim and bool(s(x)), s
            feasible = s.feasible(shape, jnp.float32)
            assert feasible.shape == shape and bool(s(feasible)), s
            assert np.isfinite(b.inverse(feasible)).all(), s
            assert type(b).__name__ in {name(a) for a, _ in ALL} | {"Lifted", "ToComplex"}
