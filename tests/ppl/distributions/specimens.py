"""What the suite needs to look at any distribution: its examples, in a precision, and numerical integrals over them."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax import supports
from storax.bijections import biject_to
from storax.distributions import ALL

POINTS = 20001  # of a numerical integral
MOST = 4000  # whole numbers that are looked at where there is no largest


# What every model is made of is tested in full at every run; of the others the rest of the suite is long.
SHELF = {
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Exponential", "Gamma", "HalfNormal",
    "MultivariateNormal", "Normal", "Poisson", "StudentT", "Uniform",
}  # fmt: skip


def each(group=ALL, short=False, names=SHELF):
    """Run a test for every distribution of a group: at every run for those on the shelf, or of other `names`, or all
    if `short`; the rest are long."""
    entries = [
        pytest.param(d, id=f"{i}-{repr(d)[:60]}", marks=() if short or type(d).__name__ in names else pytest.mark.long)
        for i, d in enumerate(group)
    ]
    return pytest.mark.parametrize("d", entries)


CONTINUOUS = [d for d in ALL if not d.is_discrete]
SCALARS = [d for d in ALL if not d.event_dim]
LINES = [d for d in SCALARS if not d.is_discrete]
COUNTS = [d for d in SCALARS if d.is_discrete]
ARRAYS = [d for d in ALL if d.event_dim]


def is_float(x):
    return jnp.issubdtype(jnp.result_type(x), jnp.floating)


def in_precision(d, dtype):
    """The same distribution with parameters of this type; whole numbers stay whole."""
    return jax.tree.map(lambda x: jnp.asarray(x, dtype) if is_float(x) else x, d)


def double(d):
    return in_precision(d, jnp.float64)


@functools.partial(jax.jit, static_argnums=2)
def draws_of(d, key, n):
    return d.sample(key, (n,))


def draws(d, n=1000, seed=0):
    return draws_of(d, jax.random.key(seed), n)


@functools.partial(jax.jit, static_argnums=0)
def ask(name, d, x):
    return getattr(d, name)(x)


def has(d, name, *args):
    """Does the distribution have this function?  One that it has not must say so."""
    from storax.errors import NotMeasurable

    try:
        attribute = getattr(d, name)
        if callable(attribute):
            attribute(*args)
    except NotMeasurable:
        return False
    return True


@dataclasses.dataclass
class Table:
    """A density on a grid in order: `x`, the logarithm of the density or mass `log_p`, and the weight of each point."""

    x: np.ndarray
    log_p: np.ndarray
    weight: np.ndarray

    def mean(self, f):
        return np.sum(np.where(self.weight > 0, f, 0.0) * self.weight)


def table(d):
    """Of a distribution of one number, in 64 bits."""
    x, volume = _grid(d) if not d.is_discrete else _whole_numbers(d)
    log_p = np.asarray(ask("log_prob", d, x), float)
    x, volume = np.asarray(x, float), np.asarray(volume, float)
    with np.errstate(under="ignore"):
        return Table(x, log_p, np.exp(log_p) * volume)


def _grid(d):
    """The trapezoidal rule after x = B(a sinh t), with B from R to the support, or x = sinh(a sinh t) on all of R: it
    converges exponentially fast, and reaches the ends of every tail (Takahasi & Mori 1974)."""
    t = jnp.linspace(-3.6, 3.6, POINTS)
    if d.support != supports.real:
        z, dz = 30 * jnp.sinh(t), 30 * jnp.cosh(t)
    else:
        z = jnp.sinh(1.3 * jnp.sinh(t)) * 3
        dz = 3 * jnp.cosh(1.3 * jnp.sinh(t)) * 1.3 * jnp.cosh(t)
    x, log_det = biject_to(d.support).forward_and_log_det(z)
    if x[0] > x[-1]:  # the bijection of less_than falls
        x, log_det, dz = x[::-1], log_det[::-1], dz[::-1]
    keep = np.concatenate([[True], np.diff(np.asarray(x)) > 0])  # ends of the support, where floats no longer differ
    return x[keep], (jnp.exp(log_det) * dz * (t[1] - t[0]))[keep]


def _whole_numbers(d):
    low = getattr(d.support, "low", -MOST if d.support == supports.integer else 0)
    high = getattr(d.support, "high", 1 if d.support == supports.boolean else MOST)
    x = jnp.arange(int(low), int(high) + 1)
    return x, jnp.ones(x.shape)


def vectors_of_counts(total, k):
    """All vectors of k whole numbers that sum to a total."""
    for cut in itertools.combinations(range(total + k - 1), k - 1):
        edges = [-1, *cut, total + k - 1]
        yield [b - a - 1 for a, b in itertools.pairwise(edges)]
