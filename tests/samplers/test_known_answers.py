"""Moments and quantiles of targets with closed forms, within Monte Carlo error: every kernel, driver and precision."""

import contextlib

import jax
import numpy as np
import pytest
from targets import DRIVERS, KERNELS, TARGETS, Target, converged, coordinate, drawn, errors

from storax.samplers.diagnostics import mcse_mean

PRECISIONS = {"single": contextlib.nullcontext, "double": lambda: jax.enable_x64(True)}
# Enough to see that a kernel is right, where the rest takes minutes: each driver and each precision.
ALWAYS = [("nuts", "normal, condition 1e5", "sequential", "single"), ("nuts", "banana", "batched", "double"),
          ("hmc", "Dirichlet", "sequential", "double")]  # fmt: skip


def cases():
    for kernel in KERNELS:
        for target in TARGETS:
            for driver in DRIVERS:
                for precision in PRECISIONS:
                    marks = [] if (kernel, target, driver, precision) in ALWAYS else [pytest.mark.long]
                    yield pytest.param(kernel, target, driver, precision, marks=marks)


@pytest.mark.parametrize("kernel, target, driver, precision", list(cases()))
def test_expectations_of_known_targets(kernel, target, driver, precision):
    with PRECISIONS[precision]():
        target = TARGETS[target]()
        result = drawn(target, KERNELS[kernel](**target.settings), driver)
        off = errors(target, result.positions)
    assert result.positions.dtype == {"single": np.float32, "double": np.float64}[precision]
    assert result.stats["diverging"].mean() < 0.002
    assert converged(result.positions)
    assert all(abs(e) < 4 for e in off.values()), {n: e for n, e in off.items() if not abs(e) < 4}


def correlated_pair(correlation=0.9, factor=1.0):
    """Two standard normals; `factor` is that of a density whose variances are off."""
    determinant = 1 - correlation**2

    def log_density(q):
        return -0.5 / factor * (q[0] ** 2 - 2 * correlation * q[0] * q[1] + q[1] ** 2) / determinant

    answers = [(f"variance of x{i}", lambda q, i=i: q[..., i] ** 2, 1.0) for i in range(2)]
    answers += [("covariance", lambda q: q[..., 0] * q[..., 1], correlation)]
    answers += [(f"mean of x{i}", coordinate(i), 0.0) for i in range(2)]
    return Target(2, log_density, answers, {}, 8000)


LONG = pytest.mark.long
RUNS = [pytest.param(k, d, marks=[] if (k, d) == ("nuts", "sequential") else LONG) for k in KERNELS for d in DRIVERS]


@pytest.mark.parametrize("kernel, driver", RUNS)
def test_a_long_run_sees_a_small_bias(kernel, driver):
    """Of a variance, 2.5 % are five standard errors; there are none of them."""
    x = drawn(correlated_pair(), KERNELS[kernel](), driver, chains=64).positions
    assert (5 * mcse_mean(np.asarray(x, float) ** 2) < 0.025).all()
    off = errors(correlated_pair(), x)
    assert all(abs(e) < 4 for e in off.values()), off


@pytest.mark.long
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_small_bias_is_seen(kernel):
    """The same, of a target whose variances are 2.5 % too large."""
    x = drawn(correlated_pair(factor=1.025), KERNELS[kernel](), "sequential", chains=64).positions
    assert errors(correlated_pair(), x)["variance of x0"] > 4
