"""What tests of loops share: densities asked for, and judges."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import stats

import storax as sx

rv, N = sx.rv, sx.Normal
Y = np.array([0.3, -0.6, 1.1, 0.4, -0.2])


def log_prob(f, y, *args):
    return jax.jit(lambda y, *args: sx.distribution(f)(*args).log_prob(y))(jnp.asarray(y), *args)


def joint(f, values):
    def model():
        for name, q in f().items():
            sx.deterministic(name, q)

    return sx.log_density(model)({n: jnp.asarray(v) for n, v in values.items()})


def normal(y, mean, cov):
    return stats.multivariate_normal(np.broadcast_to(mean, len(y)), cov).logpdf(y)


def norm(x, loc=0.0, scale=1.0):
    return stats.norm(loc, scale).logpdf(x)


def run(step, init, *, xs=None, n=5, reverse=False):
    return lax.scan(step, init, xs, length=None if xs is not None else n, reverse=reverse)
