"""The unrolled tree against a recursive one, and what a leaf can do wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.samplers.kernels.metrics import Metric
from storax.samplers.kernels.trajectory import Draw, Leaf, begin, extend, turning

SCALES = np.array([1.0, 0.7, 2.0])


def log_density(q):
    return -0.5 * jnp.sum((q / SCALES) ** 2) - 0.1 * jnp.sum(q**4)


class Reference:
    """NUTS as it is written in Stan's `base_nuts.hpp` (with the checks of pull request 2800), by recursion."""

    def __init__(self, q, p, step_size, inverse_mass, uniforms, max_depth):
        self.gradient = jax.jit(jax.grad(log_density))
        self.value = jax.jit(log_density)
        self.step_size, self.inverse_mass, self.uniforms = step_size, inverse_mass, uniforms
        self.leaves, self.energy = [], self.hamiltonian(q, p)
        ends, momenta = [(q, p), (q, p)], [p]  # backward, forward; all of the trajectory in order of time
        self.depth, self.turned, side = 0, False, 1
        self.draw, weight = q, 0.0
        while self.depth < max_depth and not self.turned:
            self.depth += 1
            before = len(self.leaves)
            ends[side], sub, turned = self.build(*ends[side], 2 * side - 1, self.depth - 1)
            new = self.leaves[before:]
            draw, sub_weight = self.pick(before, new)
            if turned or len(new) < 2 ** (self.depth - 1):
                break
            u = uniforms[len(self.leaves) - 1]
            if u[1] < np.exp(sub_weight - weight):
                self.draw = draw
            weight = np.logaddexp(weight, sub_weight)
            halves = [momenta, sub] if side else [sub, momenta]
            momenta = halves[0] + halves[1]
            self.turned = self.turns(*halves)
            side = int(u[2] >= 0.5)

    def hamiltonian(self, q, p):
        return -float(self.value(q)) + 0.5 * np.sum(self.inverse_mass * p * p)

    def build(self, q, p, sign, depth):
        """The last point, the momenta in order of time, and whether the sub-tree or a part of it turned."""
        if depth == 0:
            h = sign * self.step_size
            p = p + 0.5 * h * np.asarray(self.gradient(q))
            q = q + h * self.inverse_mass * p
            p = p + 0.5 * h * np.asarray(self.gradient(q))
            self.leaves.append((q, p))
            return (q, p), [p], False
        end, near, turned = self.build(q, p, sign, depth - 1)
        if turned:
            return end, near, True
        end, far, turned = self.build(*end, sign, depth - 1)
        halves = [near, far] if sign > 0 else [far, near]
        return end, halves[0] + halves[1], turned or self.turns(*halves)

    def turns(self, left, right):
        def turned(part):
            v = self.inverse_mass * np.sum(part, axis=0)
            return part[0] @ v <= 0 or part[-1] @ v <= 0

        return turned(left + right) or turned([*left, right[0]]) or turned([left[-1], *right])

    def pick(self, before, leaves):
        total, draw = -np.inf, None
        for i, (q, p) in enumerate(leaves):
            weight = self.energy - self.hamiltonian(q, p)
            total = np.logaddexp(total, weight)
            if i == 0 or self.uniforms[before + i][0] < np.exp(weight - total):
                draw = q
        return draw, total


def grow(f, metric, step_size, uniforms, max_depth, q, noise):
    value, gradient = jax.value_and_grad(f)(q)
    start = begin(metric, noise, Draw(q, gradient, value, value)), Leaf.room(max_depth, q)

    def body(carry):
        return extend(jax.value_and_grad(f), metric, step_size, uniforms[carry[0].steps], max_depth, *carry)

    return jax.lax.while_loop(lambda carry: ~carry[0].done, body, start)[0]


@pytest.mark.parametrize("step_size, max_depth", [(0.4, 10), (0.05, 10), (0.02, 4), (1.3, 1)])
def test_the_tree_is_the_recursive_one(step_size, max_depth, x64):
    rng = np.random.default_rng(int(1000 * step_size))
    inverse = jnp.array([1.0, 0.5, 3.0])
    tree_of = jax.jit(lambda q, z, u: grow(log_density, Metric.of(inverse), jnp.asarray(step_size), u, max_depth, q, z))
    depths = set()
    for _ in range(25):
        q, z, u = rng.normal(size=3), rng.normal(size=3), rng.random((2**max_depth, 3))
        tree = tree_of(q, z, u)
        reference = Reference(q, z / np.sqrt(inverse), step_size, np.asarray(inverse), u, max_depth)
        assert tree.steps == len(reference.leaves)
        assert tree.depth == reference.depth
        np.testing.assert_allclose(tree.draw.position, reference.draw, rtol=1e-9)
        depths.add(int(tree.depth))
    assert len(depths) > (1 if max_depth == 10 else 0)


def test_turning_of_hand_made_stretches():
    metric = Metric.of(jnp.ones(2))

    def turned(*momenta):
        p = jnp.array(momenta)
        return bool(turning(metric, p[0], p[-1], p.sum(0)))

    assert not turned([1.0, 0.0], [1.0, 0.0])
    assert not turned([1.0, 0.0], [0.5, 0.5], [0.0, 1.0])  # a quarter of a circle
    assert turned([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0])  # a full one
    assert turned([1.0, 0.0], [-1.0, 0.0])


def test_the_metric_decides_what_a_turn_is():
    first, last, rho = jnp.array([1.0, 0.0]), jnp.array([-0.5, 1.0]), jnp.array([0.5, 1.0])
    assert not turning(Metric.of(jnp.ones(2)), first, last, rho)
    assert turning(Metric.of(jnp.array([10.0, 1.0])), first, last, rho)


def test_a_full_period_does_not_go_unnoticed():
    """All normal, all of one scale: with end-to-end checks alone, trajectories of 2^k steps of a period run on."""
    step_size = jnp.array(2 * np.pi / 16)
    u = jnp.asarray(np.random.default_rng(0).random((1024, 3)), jnp.float32)
    z = jnp.asarray(np.random.default_rng(1).normal(size=(2, 50)), jnp.float32)
    tree = grow(lambda q: -0.5 * q @ q, Metric.of(jnp.ones(50)), step_size, u, 10, z[0], z[1])
    assert tree.steps <= 15


@pytest.mark.parametrize(
    "f",
    [
        lambda q: jnp.where(q[0] > 0.5, jnp.nan, -0.5 * q @ q),
        lambda q: jnp.where(q[0] > 0.5, -jnp.inf, -0.5 * q @ q),
        lambda q: jnp.where(q[0] > 0.5, jnp.inf, -0.5 * q @ q),
        lambda q: jnp.where(q[0] > 0.5, -1e4 * q @ q, -0.5 * q @ q),
        lambda q: -0.5 * q @ q + 1e-3 * jnp.where(q[0] > 0.5, 0.0, jnp.sqrt(0.5 - q[0])),
    ],
    ids=["nan", "zero density", "infinite", "cliff", "nan gradient"],
)
def test_leaving_the_density_is_a_divergence(f):
    z = jnp.array([1.0, 0.1])
    u = jnp.full((1024, 3), 0.9)  # always forward
    tree = grow(f, Metric.of(jnp.ones(2)), jnp.array(0.1), u, 10, jnp.zeros(2), z)
    assert tree.diverging and tree.done
    assert np.isfinite(tree.draw.position).all() and tree.draw.position[0] <= 0.5
    assert np.isfinite(tree.draw.log_density) and np.isfinite(tree.acceptance)


def test_depth_is_limited_and_flagged():
    u = jnp.full((1024, 3), 0.9)
    start = jnp.zeros(2), jnp.ones(2)
    tree = grow(lambda q: -0.5 * q @ q, Metric.of(jnp.ones(2)), jnp.array(1e-3), u, 5, *start)
    assert tree.deepest and tree.depth == 5 and tree.steps == 31 and not tree.diverging
    tree = grow(lambda q: -0.5 * q @ q, Metric.of(jnp.ones(2)), jnp.array(0.5), u, 5, *start)
    assert not tree.deepest and tree.steps <= 2**tree.depth - 1
