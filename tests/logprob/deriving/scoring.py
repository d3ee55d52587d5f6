"""Programs as tests write them, and their log densities."""

import jax
import jax.numpy as jnp

import storax as sx


def of(f, *draws):
    """The program that is f of draws, each used as often as f likes."""
    return lambda: f(*[d() for d in draws])


def score(program, value):
    """Of one array, or of several with names; under jit, so that nothing is known that is not written down."""
    if isinstance(value, dict):

        def model():
            for name, quantity in program().items():
                sx.deterministic(name, quantity)

        return float(jax.jit(sx.log_density(model))({k: jnp.asarray(v) for k, v in value.items()}))
    return float(jax.jit(lambda v: jnp.sum(sx.distribution(program)().log_prob(v)))(jnp.asarray(value)))
