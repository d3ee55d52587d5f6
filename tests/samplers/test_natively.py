"""Gradients without scatters, and which driver is chosen for what."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx
from storax.errors import SettingsError
from storax.samplers.driving.choosing import choose_driver
from storax.samplers.driving.natively import has_scatters, without_scatters
from storax.tuning import loops_are_native

GROUP = np.array([0, 2, 1, 2, 2, 0])
PAIRS = np.array([[0, 1], [1, 0], [1, 2], [0, 1]])


@pytest.mark.parametrize(
    "f, shape",
    [
        (lambda a: (a[GROUP] * jnp.arange(6.0)).sum(), (3,)),
        (lambda a: (a[GROUP] ** 2 * jnp.arange(24.0).reshape(6, 4)).sum(), (3, 4)),
        (lambda a: jnp.sin(a[PAIRS[:, 0], PAIRS[:, 1]]).sum(), (2, 3)),
        (lambda a: jnp.sin(a[GROUP - 5]).sum(), (3,)),  # out of bounds: numpy's and jax's rules stay
        (lambda a: a.at[GROUP].get(mode="fill", fill_value=1.0).prod(), (3,)),
        (lambda a: jax.jit(lambda b: (b[GROUP] ** 3).sum())(a) + a[1], (3,)),
        (lambda a: (a * a).sum(), (3,)),
    ],
)
def test_gradients_are_the_same_without_scatters(f, shape):
    a = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    gradient = jax.grad(f)
    np.testing.assert_allclose(without_scatters(gradient)(a), gradient(a), rtol=1e-6)
    if has_scatters(jax.make_jaxpr(gradient)(a)):
        assert not has_scatters(jax.make_jaxpr(without_scatters(gradient))(a))


def test_scatters_of_another_kind_stay():
    f = lambda a: jnp.zeros(5).at[GROUP].max(jnp.concatenate([a, a])).sum()
    a = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(without_scatters(f)(a), f(a))


@pytest.mark.parametrize(
    "f, d, expected",
    [
        (lambda q: -0.5 * q @ q, 10, "sequential"),
        (lambda q: q[GROUP].sum(), 3, "sequential"),
        (lambda q: jnp.linalg.cholesky(jnp.eye(4) * jnp.exp(q[0])).sum(), 4, "batched"),
        (lambda q: jnp.sort(q)[0], 4, "batched"),
        (lambda q: (jnp.ones((4000, 400)) @ q).sum(), 400, "batched"),
    ],
)
def test_small_native_loops_go_one_after_another(f, d, expected):
    like = jnp.zeros(d)
    native = loops_are_native()
    assert choose_driver(None, f, like) == (expected if native else "batched")
    assert choose_driver("batched", f, like) == "batched" and choose_driver("sequential", f, like) == "sequential"
    with pytest.raises(SettingsError, match="driver must be"):
        sx.mcmc(lambda: None, driver="parallel")


def in_a_new_process(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "XLA_FLAGS": "", **environment},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_option_is_asked_for_at_import_and_can_be_refused():
    code = "import storax, storax.tuning as t, os; print(storax.tune_cpu(), t.OPTION in os.environ['XLA_FLAGS'])"
    assert in_a_new_process(code, JAX_PLATFORMS="cpu") == ["True", "True"]
    assert in_a_new_process(code, JAX_PLATFORMS="cpu", STORAX_TUNE_CPU="0") == ["False", "False"]
    late = "import jax.numpy as jnp; jnp.ones(2) + 1; import storax; print(storax.tune_cpu())"
    assert in_a_new_process(late, JAX_PLATFORMS="cpu") == ["False"]
