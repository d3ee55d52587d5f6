"""Mutations: samplers that are wrong on purpose are caught by the checks that the right ones pass."""

import jax.numpy as jnp
import numpy as np
import pytest
from joint_laws import geweke
from targets import drawn, errors, on_the_interval
from test_known_answers import correlated_pair

from storax.samplers.driving import chains
from storax.samplers.kernels import trajectory
from storax.samplers.kernels.metrics import Metric
from storax.samplers.kernels.nuts import nuts


def worst(errors):
    return max(abs(e) for e in errors.values())


def test_a_missing_jacobian_is_seen():
    right, broken = (on_the_interval(2.0, 5.0, jacobian) for jacobian in (True, False))
    assert worst(errors(right, drawn(broken, nuts(), "sequential").positions)) > 8


def test_momenta_that_stay_are_seen(monkeypatch):
    """Not drawn anew, all trajectories set out alike."""
    metric_momentum = Metric.momentum
    monkeypatch.setattr(Metric, "momentum", lambda metric, noise: metric_momentum(metric, jnp.ones_like(noise)))
    assert worst(geweke(nuts(0.4))) > 8


def test_a_sub_tree_that_turned_and_is_kept_is_seen(monkeypatch):
    close = trajectory._close
    kept = lambda tree, bad, turned, *rest: close(tree, tree.diverging, turned | bad, *rest)
    monkeypatch.setattr(trajectory, "_close", kept)
    assert worst(geweke(nuts(0.4))) > 8


@pytest.mark.long
def test_sub_trees_that_are_not_looked_at_are_seen(monkeypatch):
    """U-turns of the whole trajectory alone end it: that is not reversible."""
    turns = trajectory._turns

    def whole_alone(*args):
        of_sub_trees, of_whole = turns(*args)
        return jnp.zeros_like(of_sub_trees), of_whole

    monkeypatch.setattr(trajectory, "_turns", whole_alone)
    x = drawn(correlated_pair(), nuts(0.4, max_tree_depth=7), "sequential", chains=16, num_samples=2000).positions
    assert worst(errors(correlated_pair(), x)) > 8


@pytest.mark.long
def test_a_step_size_that_follows_each_draw_is_seen(monkeypatch):
    """Adapted after the warm-up as well, by a constant gain, the step depends on where the chain is."""
    draw = chains._draw

    def follows(kernel, walk, tree, acceptance, learns):
        new = draw(kernel, walk, tree, acceptance, learns)
        step_size = walk.step_size * jnp.exp(acceptance - kernel.target_accept)
        return new.replace(step_size=jnp.where(learns, new.step_size, step_size))

    target, right = on_the_interval(2.0, 5.0), nuts()
    x = drawn(target, right, "sequential", chains=64, num_samples=8000)
    assert worst(errors(target, x.positions)) < 4 and changes(x, right) == 0
    monkeypatch.setattr(chains, "_draw", follows)
    x = drawn(target, right, "sequential", chains=64, num_samples=8000)
    assert worst(errors(target, x.positions)) > 5 and changes(x, right) > 0.1


def changes(result, kernel):
    """By how much the step sizes after a warm-up spread, beyond their jitter."""
    steps = np.asarray(result.stats["step_size"], float)
    kept = float(result.walks.step_size[0])
    return max(0.0, steps.max() / kept - 1 - kernel.jitter - 1e-5, 1 - kernel.jitter - 1e-5 - steps.min() / kept)


@pytest.mark.long
def test_a_step_size_that_goes_on_learning_is_seen(monkeypatch):
    """Dual averaging after the warm-up settles, and biases little; the step sizes themselves show it."""
    draw = chains._draw
    monkeypatch.setattr(chains, "_draw", lambda *args: draw(*args[:-1], jnp.ones((), bool)))
    kernel = nuts()
    assert changes(drawn(correlated_pair(), kernel, "batched", num_samples=500), kernel) > 0.1
