"""What models mean, written again by hand: keys, draws, densities; and a model with a loop."""

import jax
import numpy as np
from jax import lax
from scipy import stats

import storax as sx

N = sx.Normal
normal = stats.norm.logpdf


def key_of(key, name, *indices):
    """The documented key of a draw, written again by hand."""
    import hashlib

    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    for word in (digest[:4], digest[4:]):
        key = jax.random.fold_in(key, np.uint32(int.from_bytes(word, "little")))
    for i in indices:
        key = jax.random.fold_in(key, i)
    return key


def draw(key, name, *indices):
    return jax.random.normal(key_of(key, name, *indices))


def values(model, *args, key=0):
    return {n: np.asarray(s.value, float) for n, s in sx.trace(sx.seed(model, key))(*args)[1].items()}


def density(model, given, *args):
    return float(sx.log_density(model)(given, *args))


def walk(y):
    def step(x, y):
        x = sx.sample("x", N(0.9 * x, 1.0))
        sx.sample("y", N(x, 0.5), obs=y)
        return x, 2 * x

    return lax.scan(step, 1.0, y)
