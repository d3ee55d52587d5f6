"""The leapfrog's three theorems."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.samplers.kernels.integrators import Point, leapfrog
from storax.samplers.kernels.metrics import LowRank, Metric

METRICS = {
    "diagonal": lambda: Metric.of(jnp.array([0.5, 2.0, 1.0])),
    "dense": lambda: Metric.of(jnp.array([[1.0, 0.3, 0.0], [0.3, 2.0, -0.4], [0.0, -0.4, 0.7]])),
    "low rank": lambda: LowRank(jnp.array([0.5, 2.0, 1.0]), jnp.array([[0.6], [0.0], [0.8]]), jnp.array([3.0])),
}


def log_density(q):  # not a normal, so that the Jacobian is not constant
    return -jnp.sum(jnp.cosh(q)) - 0.5 * (q[0] * q[1]) ** 2


@pytest.fixture(params=METRICS)
def metric(request, x64):
    return METRICS[request.param]()


def walk(metric, q, p, step_size, steps):
    value_and_grad = jax.value_and_grad(log_density)
    point, value = Point(q, p, value_and_grad(q)[1]), 0.0
    for _ in range(steps):
        point, value = leapfrog(value_and_grad, metric, point, step_size)
    return point, value


def test_time_runs_back(metric):
    q, p = jnp.array([0.3, -0.7, 1.1]), jnp.array([1.0, 0.5, -0.2])
    there, _ = walk(metric, q, p, 0.1, 20)
    value_and_grad = jax.value_and_grad(log_density)
    for _ in range(20):
        there, _ = leapfrog(value_and_grad, metric, there, -0.1)
    np.testing.assert_allclose(there.position, q, atol=1e-12)
    np.testing.assert_allclose(there.momentum, p, atol=1e-12)


def test_volume_is_kept(metric):
    def flow(z):
        point, _ = walk(metric, z[:3], z[3:], 0.3, 3)
        return jnp.concatenate([point.position, point.momentum])

    jacobian = jax.jacfwd(flow)(jnp.array([0.3, -0.7, 1.1, 1.0, 0.5, -0.2]))
    assert abs(np.linalg.slogdet(np.asarray(jacobian))[1]) < 1e-12


def test_energy_error_falls_as_the_square_of_the_step(metric):
    q, p = jnp.array([0.3, -0.7, 1.1]), jnp.array([1.0, 0.5, -0.2])
    before = -log_density(q) + metric.kinetic(p)

    def error(steps):
        point, value = walk(metric, q, p, 1.0 / steps, steps)
        return abs(-value + metric.kinetic(point.momentum) - before)

    errors = np.array([error(n) for n in (20, 40, 80)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 2, atol=0.1)
