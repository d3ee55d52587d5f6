"""Programs of one number: a density of mass one, that of their distribution function, and of their draws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import storax as sx

rv, N, U, E = sx.rv, sx.Normal, sx.Uniform, sx.Exponential


def z():
    return rv(N(0.3, 1.2))


def twice(f):
    x = z()
    return f(x, x)


CONTINUOUS = {  # program: about where it ends
    "affine": (lambda: 3 - 2 * z(), (-12, 15)),
    "exp": (lambda: jnp.exp(0.5 * z()), (0, 60)),
    "reciprocal": (lambda: 1 / (1 + jnp.exp(z())), (0, 1)),
    "square": (lambda: z() ** 2, (0, 70)),
    "cube": (lambda: z() ** 3, (-400, 700)),
    "abs": (lambda: jnp.abs(z() - 1), (0, 9)),
    "cosh": (lambda: jnp.cosh(0.5 * z()), (1, 30)),
    "softplus": (lambda: jax.nn.softplus(z()), (0, 9)),
    "log of sum": (lambda: jnp.log(1 + jnp.exp(z()) + 0.0), (0, 9)),
    "leaky": (lambda: jax.nn.leaky_relu(z(), 0.1), (-2, 9)),
    "elu": (lambda: jax.nn.elu(z()), (-1, 9)),
    "piecewise": (lambda: twice(lambda x, y: jnp.where(x > 1, y - 1, 2 * y)), (-12, 9)),
    "fold": (lambda: twice(lambda x, y: jnp.where(x > 0, y, -0.5 * y)), (0, 9)),
    "sum of powers": (lambda: twice(lambda x, y: x + y**3), (-400, 700)),
    "odds": (lambda: (lambda u: jnp.log(u) - jnp.log1p(-u))(rv(U(0.0, 1.0))), (-30, 30)),
    "sine": (lambda: jnp.sin(rv(U(-1.0, 4.0))), (-1, 1)),
    "cosine": (lambda: jnp.cos(rv(U(0.5, 3.0))), (-1, 1)),
    "power": (lambda: rv(sx.Gamma(3.0, 1.0)) ** 0.7, (0, 15)),
    "power of two": (lambda: 2.0 ** z(), (0, 60)),
    "arctan": (lambda: jnp.arctan(z()), (-1.58, 1.58)),
    "remainder": (lambda: rv(U(0.0, 2.5)) % 1.0, (0, 1)),
    "mixture": (lambda: jnp.where(rv(sx.Bernoulli(0.3)), z(), 4 + rv(E(1.0))), (-8, 30)),
    "cond": (lambda: lax.cond(rv(sx.Bernoulli(0.3)), lambda: 2 * z(), lambda: rv(N(5.0, 1.0))), (-12, 14)),
    "switch": (
        lambda: lax.switch(rv(sx.Categorical(jnp.array([0.2, 0.5, 0.3]))), [z, lambda: z() + 3, lambda: -z()]),
        (-9, 14),
    ),
    "index": (lambda: jnp.stack([z(), jnp.exp(0.3 * z())])[rv(sx.Bernoulli(0.6))], (-7, 9)),
    "means": (
        lambda: rv(N(jnp.array([-3.0, 0.0, 4.0])[rv(sx.Categorical(jnp.array([0.2, 0.5, 0.3])))], 1.0)),
        (-9, 11),
    ),
    "maximum": (lambda: jnp.maximum(z(), rv(N(1.0, 0.5))), (-7, 9)),
    "smallest": (lambda: jnp.min(rv(N(jnp.array([0.0, 1.0, -1.0]), jnp.array([1.0, 2.0, 0.5])))), (-9, 9)),
    "second": (lambda: jnp.sort(rv(N(jnp.array([0.0, 1.0, -1.0]), 1.0)))[1], (-7, 8)),
    "median": (lambda: jnp.median(rv(E(1.0), shape=(5,))), (0, 20)),
    "sum": (lambda: jnp.sum(rv(N(jnp.array([0.0, 1.0]), 0.7))) - z(), (-12, 12)),
    "gammas": (lambda: rv(sx.Gamma(2.0, 3.0)) + rv(E(3.0)), (0, 15)),
    "cauchys": (lambda: rv(sx.Cauchy(0.0, 0.01)) - rv(sx.Cauchy(0.5, 0.02)), (-1e9, 1e9)),
    "parent": (lambda: rv(N(2 * z() + 1, 0.5)), (-12, 16)),
    "rates": (lambda: rv(E(rv(sx.Gamma(4.0, 2.0)))), (0, 60)),
    "gaussian race": (lambda: jnp.where(z() < rv(N(1.0, 1.0)), rv(N(-2.0, 1.0)), rv(N(3.0, 1.0))), (-9, 10)),
}  # fmt: skip

ATOMS = {  # program: (atoms, grid between them)
    "clip": (lambda: jnp.clip(z(), -0.5, 1.0), [-0.5, 1.0], (-0.5, 1.0)),
    "relu": (lambda: 2 * jax.nn.relu(z()) + 1, [1.0], (1.0, 16.0)),
    "exp of clip": (lambda: jnp.exp(jnp.clip(z(), -1.0, 1.0)), [np.exp(-1.0), np.e], (np.exp(-1.0), np.e)),
    "clip of clip": (lambda: jnp.minimum(jnp.clip(z(), -1.0, 1.0), 0.2), [-1.0, 0.2], (-1.0, 0.2)),
    "spike and slab": (lambda: rv(sx.Bernoulli(0.3)) * z(), [0.0], (-9, 9)),
    "hard tanh": (lambda: -jax.nn.hard_tanh(z()), [-1.0, 1.0], (-1, 1)),
    "max of clips": (lambda: jnp.maximum(jnp.clip(z(), 0.0, 2.0), jnp.clip(z(), 0.0, 1.0)), [0.0, 1.0, 2.0], (0, 2)),
    "two spikes": (
        lambda: jnp.where(rv(sx.Bernoulli(0.4)), jnp.clip(z(), 0.0, 1.0), jnp.where(rv(sx.Bernoulli(0.5)), 0.5, 0.0)),
        [0.0, 0.5, 1.0],
        (0, 1),
    ),
}
COUNTS = {  # program: the numbers it may be, in order
    "floor": (lambda: jnp.floor(z()), range(-9, 9)),
    "ceil of exp": (lambda: jnp.ceil(jnp.exp(0.5 * z())), range(1, 60)),
    "round": (lambda: jnp.round(2 * z()), range(-20, 20)),
    "trunc": (lambda: jnp.trunc(z()), range(-9, 9)),
    "to integers": (lambda: (1.5 * z()).astype(int), range(-12, 12)),
    "sign": (lambda: jnp.sign(z()), [-1, 0, 1]),
    "comparison": (lambda: (z() > 0.7).astype(int), [0, 1]),
    "both": (lambda: ((z() > 0.7) & (rv(E(1.0)) < 0.4)).astype(int), [0, 1]),
    "between": (lambda: twice(lambda x, y: (x > 0.0) & (y < 1.0)).astype(int), [0, 1]),
    "any": (lambda: jnp.any(rv(N(jnp.array([-1.0, 0.5]), 1.0)) > 1).astype(int), [0, 1]),
    "poisson": (lambda: 3 - 2 * rv(sx.Poisson(2.5)), range(-57, 4, 2)),
    "halves": (lambda: rv(sx.Poisson(2.5)) // 2, range(0, 20)),
    "capped": (lambda: jnp.minimum(rv(sx.Poisson(2.5)), 4), range(0, 5)),
    "at most": (lambda: (rv(sx.Poisson(2.5)) <= 2.5).astype(int), [0, 1]),
    "parity": (lambda: rv(sx.Binomial(7, 0.3)) % 2, [0, 1]),
    "squares": (lambda: rv(sx.DiscreteUniform(-3, 3)) ** 2, range(0, 10)),
    "zeros": (lambda: jnp.where(rv(sx.Bernoulli(0.3)), 0, rv(sx.Poisson(2.5))), range(0, 40)),
    "dice": (lambda: rv(sx.DiscreteUniform(1, 6), shape=(3,)).sum(), range(3, 19)),
    "poissons": (lambda: rv(sx.Poisson(jnp.array([0.5, 2.0]))).sum(), range(0, 40)),
    "votes": (lambda: (rv(N(jnp.array([0.0, 1.0, -1.0]), 1.0)) > 0).sum(), range(0, 4)),
    "highest": (lambda: jnp.max(rv(sx.Poisson(jnp.array([0.5, 2.0])))), range(0, 40)),
    "shared rate": (lambda: rv(sx.Poisson(rv(sx.Gamma(2.0, 1.0)))), range(0, 120)),
    "race": (lambda: jnp.argmin(rv(E(jnp.array([1.0, 2.0, 0.5])))), [0, 1, 2]),
}


# A second or more to compile each; what they exercise has a faster program beside it.
SLOW = {"parity", "max of clips", "fold", "capped", "halves", "second", "two spikes", "index", "median", "power",
        "clip of clip", "square", "piecewise", "highest", "switch", "abs", "cosh", "elu", "exp of clip", "remainder",
        "hard tanh", "gammas", "means", "at most", "sine", "cond", "dice", "maximum", "relu", "smallest", "trunc",
        "spike and slab"}  # fmt: skip


def each(programs):
    marked = [pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in programs]
    return pytest.mark.parametrize("name", marked)


def law(program):
    return sx.distribution(program)()


def ask(d, x):
    return jax.jit(lambda x: (d.log_prob(x), d.log_cdf(x), d.log_survival(x)))(jnp.asarray(x))


def draws(program, n=4000):
    return np.asarray(jax.jit(jax.vmap(lambda k: sx.seed(program, k)()))(jax.random.split(jax.random.key(7), n)))


def no_farther_than(d, sample):
    """Kolmogorov and Smirnov's distance between draws and the distribution function: a test of level 1e-4."""
    x = np.unique(np.round(sample, 9))
    tiny = 2e-9  # atoms are rounded
    below, below_strictly = np.exp(ask(d, x + tiny)[1]), np.exp(ask(d, x - tiny)[1])
    n = len(sample)
    upto = np.searchsorted(np.sort(sample), x + tiny, "right") / n
    before = np.searchsorted(np.sort(sample), x - tiny, "left") / n
    distance = max(np.abs(upto - below).max(), np.abs(before - below_strictly).max())
    assert distance < 2.23 / np.sqrt(n)


@each(CONTINUOUS)
def test_densities(name, x64):
    program, ends = CONTINUOUS[name]
    d = law(program)
    sample = draws(program)
    no_farther_than(d, sample)
    score, below, above = ask(d, sample[:50])
    np.testing.assert_allclose(np.exp(below) + np.exp(above), 1, rtol=1e-6)
    assert np.isfinite(score).all() and not d.is_discrete
    q = jnp.linspace(1e-3, 1 - 1e-3, 1001)
    x = np.asarray(jax.jit(d.icdf)(q))
    score, below, _ = ask(d, x)
    np.testing.assert_allclose(np.exp(below), q, rtol=1e-5)
    p = np.exp(score)
    middle = 0.5 * (p[1:] + p[:-1]) * np.diff(x)  # the trapezoidal rule, on points where the probability is
    # But for the few cells in which the density jumps or is unbounded.
    assert np.sort(np.abs(middle - np.diff(q)))[:-5].sum() < 0.02
    beyond = np.asarray(d.log_prob(jnp.asarray(ends) + 50 * jnp.array([-1.0, 1.0])))
    assert (beyond < -8).all()


@each(ATOMS)
def test_atoms_and_densities(name, x64):
    program, atoms, ends = ATOMS[name]
    d = law(program)
    no_farther_than(d, draws(program))
    masses = np.exp(ask(d, np.array(atoms))[0])
    a, b = ends
    edges = sorted({a, *[x for x in atoms if a < x < b], b})
    inner = 0.0
    for low, high in itertools.pairwise(edges):
        x = np.linspace(low, high, 4001)[1:-1]
        inner += np.trapezoid(np.exp(ask(d, x)[0]), x)
    np.testing.assert_allclose(masses.sum() + inner, 1, atol=3e-3)
    frequency = np.array([(np.abs(draws(program) - x) < 1e-9).mean() for x in atoms])
    np.testing.assert_allclose(masses, frequency, atol=4 * 0.5 / np.sqrt(4000))
    assert np.asarray(d.log_prob(jnp.array([a - 1.0, b + 1.0]))).max() < -15


@each(COUNTS)
def test_masses(name, x64):
    program, numbers = COUNTS[name]
    d = law(program)
    numbers = np.array(list(numbers))
    mass = np.exp(ask(d, numbers.astype(float) if d.dtype == jnp.float64 else numbers)[0])
    np.testing.assert_allclose(mass.sum(), 1, atol=1e-6)
    sample = draws(program)
    frequency = np.array([(sample == n).mean() for n in numbers])
    assert np.abs(np.cumsum(mass) - np.cumsum(frequency)).max() < 2.23 / np.sqrt(4000)
    assert abs(frequency.sum() - 1) < 1e-9 and d.is_discrete
    np.testing.assert_allclose(np.exp(ask(d, numbers)[1]), np.cumsum(mass), atol=1e-6)
    between = d.log_prob(jnp.asarray(numbers[0] + 0.5))
    assert between == -np.inf
