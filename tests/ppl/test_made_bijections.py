"""Bijections made of others or of functions, and the supports they lead to, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax import bijections as b
from storax import supports
from storax.errors import ParameterError, ShapeError
from storax.ordinals import at_ordinal, ordinal, smallest, strictly_increasing


def test_softplus_in_the_tails(x64):
    softplus = b.Softplus()
    np.testing.assert_allclose(softplus.forward(jnp.array(-100.0)), 3.720075976020836e-44, rtol=1e-14)
    np.testing.assert_allclose(jax.grad(softplus.forward)(-100.0), 3.720075976020836e-44, rtol=1e-13)
    np.testing.assert_allclose(softplus.inverse(jnp.array(1e-10)), -23.025850929890457, rtol=1e-15)
    np.testing.assert_allclose(jax.grad(softplus.inverse)(1e-10), 10000000000.5, rtol=1e-13)
    np.testing.assert_allclose(b.Sigmoid(0.0, 1.0).log_det(jnp.array(100.0)), -100.0, rtol=1e-15)


@pytest.mark.parametrize("support", [supports.ordered, supports.positive_ordered, supports.zero_sum(1), supports.sphere,
    supports.circular, supports.complex, supports.zero_sum(2),
    supports.cat((supports.positive, supports.simplex, supports.real), (2, 3, 1)),
    supports.image(supports.positive, b.Power(-2.0)),
    supports.image(supports.real_vector, b.StickBreaking())], ids=repr)  # fmt: skip
@pytest.mark.parametrize("size", [1.0, 20.0])
def test_r_n_is_mapped_into_the_support(support, size):
    bijection = b.biject_to(support)
    whole = {0: (), 1: (6,), 2: (3, 4)}[support.event_dim]
    z = size * jax.random.uniform(jax.random.key(0), (500, *bijection.inverse_shape(whole)), minval=-1.0)
    x = bijection.forward(z)
    assert x.shape == (500, *whole) and bijection.x_event_dim == support.event_dim
    assert bool(support(x).all()) and bool(support(np.asarray(x)).all())
    assert bool(support(support.feasible((2, *whole), x.dtype)).all())
    assert np.isfinite(bijection.inverse(x)).all()
    np.testing.assert_allclose(bijection.forward(bijection.inverse(x)), x, rtol=1e-5, atol=1e-5)
    assert hash(support) == hash(support) and support == support


def test_supports_refuse_what_is_outside():
    a = np.array
    assert not supports.ordered(a([1.0, 1.0])) and not supports.positive_ordered(a([-1.0, 1.0]))
    assert not supports.sphere(a([1.0, 1e-2, 0.1])) and not supports.zero_sum(1)(a([1.0, -1.0, 0.1]))
    assert (
        not supports.circular(a(3.2)) and supports.circular(np.float32(np.pi)) and not supports.complex(a(1j * np.inf))
    )
    assert not supports.ordered(a([1.0, np.nan])) and not supports.ordered(a([1.0, np.inf]))
    assert supports.extended_real(a(np.inf)) and not supports.extended_real(a(np.nan))
    cat = supports.cat((supports.positive, supports.simplex), (1, 2))
    assert not cat(a([-1.0, 0.5, 0.5])) and not cat(a([1.0, 0.5, 0.6])) and not cat(a([1.0, 1.0]))
    assert supports.integer_greater_than(2)(a([1, 2, 3])).tolist() == [False, True, True]
    assert supports.integer_less_than(2.0)(a([1, 1.5, 3])).tolist() == [True, False, False]
    image = supports.image(supports.real_vector, b.StickBreaking())
    assert not image(a([0.5, 0.6])) and image(a([0.5, 0.5]))


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_rotations_keep_lengths(d, x64):
    for bijection in (b.RealFFT(), b.ZeroSumIsometry(), b.Permute(tuple(np.random.default_rng(0).permutation(d)))):
        jacobian = jax.jacobian(bijection.forward)(jnp.arange(1.0, d + 1))
        np.testing.assert_allclose(jacobian.T @ jacobian, np.eye(d), atol=1e-14)
        z = jax.random.normal(jax.random.key(d), (3, d))
        np.testing.assert_allclose(bijection.inverse(bijection.forward(z)), z, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(b.RealFFT().forward(jnp.ones(d))[0], np.sqrt(d), rtol=1e-14)


def test_the_sphere_by_areas(x64):
    """Stereographic: the log-determinant is half that of J^T J, and the areas add up to the sphere's."""
    z = jnp.array([0.3, -1.2, 4.0])
    jacobian = jax.jacobian(b.Stereographic().forward)(z)
    expected = 0.5 * np.linalg.slogdet(jacobian.T @ jacobian)[1]
    np.testing.assert_allclose(b.Stereographic().log_det(z), expected, rtol=1e-12)
    t = jnp.tan(jnp.linspace(-np.pi / 2, np.pi / 2, 1001)[1:-1])  # a circle: dt / dangle = 1 + t^2
    weights = jnp.exp(b.Stereographic().log_det(t[:, None])) * (1 + t**2) * np.pi / 1000
    np.testing.assert_allclose(weights.sum(), 2 * np.pi, rtol=3e-3)
    near = jnp.array([1e5, -3e5], jnp.float32)  # next to the pole
    np.testing.assert_allclose(b.Stereographic().inverse(b.Stereographic().forward(near)), near, rtol=1e-5)


def test_the_isometric_simplex_keeps_log_ratios(x64):
    z = jnp.array([[0.3, -1.2], [2.0, 0.1]])
    centred = jnp.log(b.IsometricSimplex().forward(z))
    centred = centred - centred.mean(-1, keepdims=True)
    np.testing.assert_allclose(jnp.linalg.norm(centred[0] - centred[1]), jnp.linalg.norm(z[0] - z[1]), rtol=1e-13)
    jacobian = jax.jacobian(lambda z: b.IsometricSimplex().forward(z)[:-1])(z[0])
    np.testing.assert_allclose(b.IsometricSimplex().log_det(z[0]), np.linalg.slogdet(jacobian)[1], rtol=1e-13)


def test_compositions_lift_and_add(x64):
    both = b.Compose((b.Affine(1.0, np.array([2.0, 3.0])), b.StickBreaking(), b.Affine(0.0, 2.0)))
    assert (both.z_event_dim, both.x_event_dim) == (1, 1)
    z = jnp.array([0.2, -0.5])
    x, log_det = both.forward_and_log_det(z)
    np.testing.assert_allclose(x.sum(), 2.0, rtol=1e-14)
    expected = np.log(6.0) + b.StickBreaking().log_det(1 + jnp.array([2.0, 3.0]) * z) + 3 * np.log(2.0)
    np.testing.assert_allclose(log_det, expected, rtol=1e-14)
    np.testing.assert_allclose(both.inverse_log_det(x), -log_det, rtol=1e-13)


def test_autoregressive_may_not_look_ahead():
    with pytest.raises(ShapeError, match=r"entry 0 of loc depends on entry 0 of z"):
        b.Autoregressive(lambda z: (z, 0.0)).refuse_dependence(3)
    with pytest.raises(ShapeError, match=r"log_scale of shape \(3,\), not \(2,\)"):
        b.Autoregressive(lambda z: (0.0, z[:2])).forward(jnp.zeros(3))


def test_the_leaves_of_a_function_are_traced():
    def network(weights, z):
        before = jnp.cumsum(z) - z
        return weights * before, 0.0

    def loss(weights):
        flow = b.Autoregressive(jax.tree_util.Partial(network, weights))
        return jax.jit(lambda f, x: f.inverse(x).sum())(flow, jnp.array([1.0, 2.0]))

    assert jax.grad(loss)(3.0) == -1.0


def test_bad_bijections_are_refused():
    with pytest.raises(ParameterError, match=r"Affine: scale must be finite and not 0, and is 0\.0"):
        b.Affine(0.0, 0.0)
    with pytest.raises(ParameterError, match="Power: exponent"):
        b.Power(np.array([1.0, 0.0]))
    with pytest.raises(ParameterError, match="Permute: permutation must hold each of 0"):
        b.Permute((0, 2))
    with pytest.raises(ShapeError, match="cannot have an inverse"):
        b.Invertible(lambda z: z[:1], lambda x: x, 1).forward(jnp.zeros(2))
    with pytest.raises(ShapeError, match="at least one"):
        b.Compose(())
    with pytest.raises(ShapeError, match="not a map of numbers or of vectors"):
        b.Concatenate((b.FillCholesky(),), (3,))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_places_of_floats(dtype):
    info = jnp.finfo(dtype)
    x = jnp.array([-jnp.inf, info.min, -1.0, -info.tiny, 0.0, info.tiny, 1.0, info.max, jnp.inf], dtype)
    assert (at_ordinal(ordinal(x), dtype) == x).all() and (jnp.diff(ordinal(x)) > 0).all()
    assert ordinal(jnp.nextafter(x[6], x[7])) == ordinal(x[6]) + 1
    y = strictly_increasing(jnp.array([[0.0, 0.0, -5.0], [jnp.inf, 1.0, 2.0]], dtype))
    assert (y[:, 1:] > y[:, :-1]).all() and jnp.isfinite(y).all()


def test_the_smallest_float_that_holds(x64):
    low, high = jnp.full(3, -jnp.inf), jnp.full(3, jnp.inf)
    target = jnp.array([-1e-300, 3.0, 1e200])
    assert (smallest(lambda x: x >= target, low, high) == target).all()
