"""`sx.vmap`: its arguments, axes and outputs, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

N = sx.Normal
XS = jnp.arange(3.0)


def lane(x, y=None):
    return sx.sample("x", N(x, 1.0))


def seeded(model):
    return sx.seed(model, 0)()


USUAL = lambda: seeded(lambda: sx.vmap(lane)(XS))


@pytest.mark.parametrize(
    "call",
    [
        lambda: sx.vmap(lane, in_axes=(0, None))(XS, None),
        lambda: sx.vmap(lane)(XS, None),
        lambda: sx.vmap(lambda d: lane(d["a"]))({"a": XS, "b": None}),
        lambda: sx.vmap(lambda d: lane(d["a"]), in_axes=({"a": 0, "b": None},))({"a": XS, "b": None}),
        lambda: sx.vmap(lane, in_axes=(0, None))(XS, "text"),
        lambda: sx.vmap(lane, in_axes=(-1, None))(XS, "text"),
        lambda: sx.vmap(lane)([0.0, 1.0, 2.0]),
        lambda: sx.vmap(lane)(np.arange(3.0), y=None),
    ],
)
def test_arguments_of_all_kinds(call):
    np.testing.assert_array_equal(seeded(call), USUAL())


def test_axes_in_and_out():
    x = jnp.arange(6.0).reshape(2, 3)
    got = sx.vmap(lambda v: (v, v.sum()), in_axes=1, out_axes=(1, 0))(x)
    np.testing.assert_array_equal(got[0], x)
    np.testing.assert_array_equal(got[1], x.sum(0))


WRONG = {
    "scalar": (lambda: sx.vmap(lane)(1.0), sx.errors.ShapeError, r"argument 'x' has shape \(\).*in_axes"),
    "axis": (lambda: sx.vmap(lane, in_axes=5)(XS), sx.errors.ShapeError, r"'x' has shape \(3,\).*no axis 5"),
    "axis name": (lambda: sx.vmap(lane, in_axes="a"), sx.errors.ArgumentTypeError, "in_axes must be made of ints"),
    "in_axes": (lambda: sx.vmap(lane, in_axes=(0, 0, 0))(XS), sx.errors.ArgumentTypeError, "does not fit"),
    "out axis": (lambda: sx.vmap(lane, out_axes=3)(XS), sx.errors.ShapeError, "out_axes=3"),
    "out_axes": (lambda: sx.vmap(lane, out_axes=(0, 0))(XS), sx.errors.ArgumentTypeError, "does not fit the outputs"),
    "string": (lambda: sx.vmap(lane)(XS, "s"), sx.errors.ArgumentTypeError, "'y' is no array.*None in in_axes"),
    "strings": (lambda: sx.vmap(lane)(["a", "b"]), sx.errors.ArgumentTypeError, "'x'.* is no array"),
    "output": (lambda: sx.vmap(lambda x: "a")(XS), sx.errors.ArgumentTypeError, "returns 'a'"),
    "axis_size": (lambda: sx.vmap(lane, axis_size="a")(XS), sx.errors.ArgumentTypeError, "axis_size"),
    "no function": (lambda: sx.vmap(XS), sx.errors.ArgumentTypeError, "needs a function"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_fit(kind):
    call, error, match = WRONG[kind]
    with pytest.raises(error, match=match):
        seeded(lambda: call())


@pytest.mark.parametrize("obs", [None, 1.0])
def test_differentiating_a_body_with_sites_is_refused(obs):
    def total(m):
        return sx.vmap(lambda x: sx.sample("x", N(x * m, 1.0), obs=obs))(XS).sum()

    with pytest.raises(sx.errors.ControlFlowError, match=r"site 'x' \(test_vmapping\.py.*differentiated function"):
        seeded(lambda: jax.grad(total)(1.0))


def test_derivatives_without_sites_or_of_the_handled_function():
    assert jax.grad(lambda m: sx.vmap(lambda x: x * m)(XS).sum())(1.0) == 3.0
    handled = lambda m: sx.seed(lambda: sx.vmap(lambda x: lane(x * m))(XS).sum(), 0)()
    np.testing.assert_allclose(jax.grad(handled)(1.0), 3.0, rtol=1e-6)


def test_jax_vmap_around_it():
    got = jax.vmap(lambda z: sx.vmap(lambda x: x + z)(XS))(10 * XS)
    np.testing.assert_array_equal(got, XS[None] + 10 * XS[:, None])
    draws = seeded(lambda: jax.vmap(lambda z: sx.vmap(lane)(XS))(XS))
    assert len(np.unique(draws)) == 9


@pytest.mark.parametrize("body", [lambda x, z: x + lax.psum(z, "i"), lambda x, z: lane(x) + lax.axis_index("i")])
def test_axis_names_from_outside_are_refused(body):
    with pytest.raises(sx.errors.ControlFlowError, match="axis name 'i'.*outside of sx.vmap"):
        seeded(lambda: jax.vmap(lambda z: sx.vmap(lambda x: body(x, z))(XS), axis_name="i")(XS))
    inner = lambda x: jax.vmap(lambda z: z + lax.psum(z, "i"), axis_name="i")(x * XS)
    assert seeded(lambda: sx.vmap(inner)(XS)).shape == (3, 3)
