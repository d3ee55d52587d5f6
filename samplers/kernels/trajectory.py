"""The trajectory of NUTS, grown leaf by leaf: a state machine whose step is one leapfrog.

A trajectory is a binary tree over 2^k successive points.  It doubles, forward or backward at random, until it turns
back on itself (Hoffman & Gelman 2014); the draw is picked among its points by their weights exp(-energy) (Betancourt
2017, appendix A.3.2).  Recursion is unrolled: leaf n of a sub-tree is put on a stack at row popcount(n), where every
complete sub-tree that ends at a leaf finds the first leaves of its two halves in neighbouring rows (as in Phan, Pradhan
& Jankowiak 2019, sec. 3.1; Lao & Dillon 2019, "Unrolled implementation of no-U-turn sampler").
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from storax.pytrees import Pytree
from storax.samplers.kernels.integrators import Point, ValueAndGrad, leapfrog
from storax.samplers.kernels.metrics import AnyMetric

MAX_ENERGY_ERROR = 1000.0  # beyond it a trajectory has left the level set: a divergence (Stan's limit)


class Draw(Pytree):
    """A point of the trajectory that may become the next draw."""

    position: jax.Array  # [d]
    gradient: jax.Array  # [d]
    log_density: jax.Array
    weight: jax.Array  # log of the multinomial weight: the start's energy minus this point's


class Tree(Pytree):
    """A trajectory so far, and the sub-tree that is to double it; scalars where nothing else is said."""

    front: Point  # the end that grows
    back: Point  # the other one
    draw: Draw  # picked among the tree's points
    candidate: Draw  # picked among the sub-tree's
    weight: jax.Array  # log sum of the tree's weights
    sub_weight: jax.Array
    rho: jax.Array  # [d], sum of the tree's momenta
    sub_rho: jax.Array  # [d]
    log_density: jax.Array  # at the start
    kinetic: jax.Array  # at the start
    side: jax.Array  # 1 forward, -1 backward
    leaf: jax.Array  # leaves in the sub-tree
    depth: jax.Array  # doublings begun before this one
    steps: jax.Array  # leaves in all
    acceptance: jax.Array  # summed over all leaves: min(1, exp(weight))
    error: jax.Array  # of the last leaf: the start's energy minus its own
    diverging: jax.Array
    undefined: jax.Array  # the density was nan at the last leaf
    deepest: jax.Array  # stopped by its depth alone
    done: jax.Array


class Leaf(Pytree):
    """What is noted down of a leaf, for the sub-trees that it is the first one of.

    Three arrays, not one: XLA writes an array that is put together element by element, and asks at each from which.
    """

    momentum: jax.Array  # [d]
    rho: jax.Array  # [d], of the sub-tree so far, with it
    before: jax.Array  # [d], the momentum before it

    @staticmethod
    def room(depth: int, like: jax.Array) -> Leaf:
        """A stack of leaves `[depth]`."""
        rows = jnp.zeros((depth, like.size), like.dtype)
        return Leaf(rows, rows, rows)


def begin(metric: AnyMetric, noise: jax.Array, draw: Draw) -> Tree:
    """A trajectory of one point: the last draw, with a new momentum.

    The first doubling goes forward.  Since p and -p are equally likely, this gives the same law of the next position
    as a coin would.

    Args:
        metric: of the momenta.
        noise: `[d]` standard normal numbers.
        draw: where to start; its weight does not matter.
    """
    momentum = metric.momentum(noise)
    point = Point(draw.position, momentum, draw.gradient)
    zero, none = jnp.zeros_like(draw.log_density), jnp.zeros((), jnp.int32)
    draw = draw.replace(weight=zero)
    no = jnp.zeros((), bool)
    return Tree(
        front=point, back=point, draw=draw, candidate=draw, weight=zero, sub_weight=zero, rho=momentum,
        sub_rho=jnp.zeros_like(momentum), log_density=draw.log_density, kinetic=0.5 * noise @ noise,
        side=zero + 1, leaf=none, depth=none, steps=none, acceptance=zero, error=zero, diverging=no,
        undefined=no, deepest=no, done=no,
    )  # fmt: skip


def extend(
    value_and_grad: ValueAndGrad,
    metric: AnyMetric,
    step_size: jax.Array,
    uniforms: jax.Array,
    limit: Any,
    tree: Tree,
    stack: Leaf,
) -> tuple[Tree, Leaf]:
    """One leaf more: one leapfrog, one gradient.

    Args:
        value_and_grad: of the log density.
        metric: of the momenta.
        step_size: scalar, positive.
        uniforms: `[3]` in [0, 1): picks within the sub-tree, between tree and sub-tree, and the next side.
        limit: doublings allowed, at most the length of `stack`.
        tree: not `done`.
        stack: leaves, `[max_depth]` of them; of any content when a tree begins.  It is kept apart from the tree:
            branches would copy it.
    """
    front, log_density = leapfrog(value_and_grad, metric, tree.front, tree.side * step_size)
    # Differences to the start: in 32 bits an energy of 1e5 would leave two digits.
    weight = (log_density - tree.log_density) + (tree.kinetic - metric.kinetic(front.momentum))
    weight = jnp.where(jnp.isfinite(weight), weight, -jnp.inf)  # a nan gradient shows in the momentum, hence here
    diverging = weight < -MAX_ENERGY_ERROR

    first = tree.leaf == 0
    sub_weight = jnp.where(first, weight, jnp.logaddexp(tree.sub_weight, weight))
    pick = first | (uniforms[0] < jnp.exp(weight - sub_weight))
    candidate = choose(pick, Draw(front.position, front.gradient, log_density, weight), tree.candidate)
    sub_rho = jnp.where(first, 0, tree.sub_rho) + front.momentum
    row = lax.population_count(tree.leaf)
    record = Leaf(front.momentum, sub_rho, tree.front.momentum)
    stack = jax.tree.map(lambda x, y: lax.dynamic_update_slice_in_dim(x, y[None], row, 0), stack, record)

    full = tree.leaf + 1 == 1 << tree.depth
    sub_turned, turned = _turns(metric, tree, stack, front.momentum, sub_rho, full)
    front = front._replace(position=jnp.where(diverging, tree.front.position, front.position))  # where it ran away from
    bad = diverging | sub_turned
    tree = tree.replace(
        front=front, candidate=candidate, sub_weight=sub_weight, sub_rho=sub_rho, leaf=tree.leaf + 1,
        steps=tree.steps + 1, acceptance=tree.acceptance + jnp.minimum(1, jnp.exp(weight)), error=weight,
        diverging=diverging, undefined=jnp.isnan(log_density),
    )  # fmt: skip
    return lax.cond(full | bad, lambda: _close(tree, bad, turned, uniforms, limit), lambda: tree), stack


def _close(tree: Tree, bad: jax.Array, turned: jax.Array, uniforms: jax.Array, limit: Any) -> Tree:
    """The sub-tree has all its leaves, and joins the tree; or it is bad, and ends it."""
    # Biased progressive sampling: the later half is preferred (Betancourt 2017, eq. 38).
    draw = choose(~bad & (uniforms[1] < jnp.exp(tree.sub_weight - tree.weight)), tree.candidate, tree.draw)
    deepest = ~bad & ~turned & (tree.depth + 1 == limit)
    side = jnp.where(uniforms[2] < 0.5, -1, 1).astype(tree.side.dtype)
    swap = (side != tree.side) & ~bad  # where a bad tree ended is told
    front, back = choose(swap, (tree.back, tree.front), (tree.front, tree.back))
    return tree.replace(
        front=front, back=back, draw=draw, weight=jnp.logaddexp(tree.weight, tree.sub_weight),
        rho=tree.rho + tree.sub_rho, side=side, leaf=jnp.zeros_like(tree.leaf), depth=tree.depth + 1, deepest=deepest,
        done=bad | turned | deepest,
    )  # fmt: skip


def _turns(
    metric: AnyMetric, tree: Tree, stack: Leaf, last: jax.Array, rho: jax.Array, full: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Whether a sub-tree that is complete with this leaf turns, and whether the doubled tree does.

    A leaf completes as many sub-trees as its number has trailing ones; e.g. leaf 5 = 0b101 the pair (4, 5), leaf 7 =
    0b111 the pair (6, 7), (4..7) and (0..7).  The halves of the smallest start in the last two rows of the stack, those
    of the next in the two before.  When the sub-tree is full, the tree and the sub-tree are two halves as well.
    """
    whole = Leaf(tree.back.momentum, tree.back.momentum - tree.rho, tree.back.momentum)
    top = lax.population_count(tree.leaf)
    ones = lax.population_count((tree.leaf ^ (tree.leaf + 1)) >> 1)
    bottom = jnp.where(full, 0, top - ones + 1)

    def check(carry: Any) -> Any:
        row, _ = carry
        at = lambda i: jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, 0, False), stack)  # noqa: E731
        left = jax.tree.map(lambda a, b: jnp.where(row > 0, a, b), at(jnp.maximum(row - 1, 0)), whole)
        turned = _merge_turns(metric, left, at(row), last, rho)
        return jnp.where(turned, row, row - 1), turned

    row, turned = lax.while_loop(lambda c: (c[0] >= bottom) & ~c[1], check, (top, jnp.zeros((), bool)))
    return turned & (row > 0), turned & (row == 0)


def _merge_turns(metric: AnyMetric, left: Leaf, right: Leaf, last: jax.Array, rho: jax.Array) -> jax.Array:
    """The generalised U-turn criterion of two adjacent halves a..m and n..b, and across their seam.

    Betancourt 2017, appendix A.4.2, for a..b; for a..n and m..b Stan's pull request 2800 (2019): without the two, a
    trajectory of nearly a full period of a normal target goes unnoticed.

    Args:
        metric: of the momenta.
        left: a, the first leaf of the earlier half.
        right: n, the first leaf of the later half.
        last: the momentum of b.
        rho: the sum of momenta up to b.
    """
    before_a = left.rho - left.momentum
    return (
        turning(metric, left.momentum, last, rho - before_a)
        | turning(metric, left.momentum, right.momentum, right.rho - before_a)
        | turning(metric, right.before, last, rho - right.rho + right.momentum + right.before)
    )


def turning(metric: AnyMetric, first: jax.Array, last: jax.Array, rho: jax.Array) -> jax.Array:
    """Whether a stretch with these end momenta and this sum of momenta has begun to come back.

    >>> from storax.samplers.kernels.metrics import Metric
    >>> metric = Metric.of(jnp.ones(1))
    >>> bool(turning(metric, jnp.array([1.0]), jnp.array([-0.5]), jnp.array([0.7])))
    True
    """
    drift = metric.velocity(rho)
    return (first @ drift <= 0) | (last @ drift <= 0)


def choose(condition: jax.Array, yes: Any, no: Any) -> Any:
    """`yes` or `no`, pytrees alike.  A branch for one chain, a `jnp.where` for the lanes of `jax.vmap`."""
    return lax.cond(condition, lambda: yes, lambda: no)
