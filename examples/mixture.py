"""A mixture of two normals: the component of each observation is summed out with `logsumexp` and `factor`.

The means are kept apart by an ordered parameterisation: the second is the first plus something positive.

Run: python examples/mixture.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp

import storax as sx


def mixture(y):
    weight = sx.sample("weight", sx.Beta(2.0, 2.0))
    low = sx.sample("low", sx.Normal(0.0, 5.0))
    gap = sx.sample("gap", sx.HalfNormal(5.0))
    scale = sx.sample("scale", sx.HalfNormal(2.0), shape=2)
    means = sx.deterministic("means", jnp.stack([low, low + gap]))

    per_component = sx.Normal(means, scale).log_prob(y[:, None])
    log_weights = jnp.log(jnp.stack([weight, 1 - weight]))
    sx.factor("y", jax.nn.logsumexp(log_weights[None, :] + per_component, axis=1))


def make_data(key, num_rows):
    of_component, of_noise = jax.random.split(key)
    first = jax.random.bernoulli(of_component, 0.3, (num_rows,))
    return jnp.where(first, -2.0, 2.0) + jnp.where(first, 0.5, 1.0) * jax.random.normal(of_noise, (num_rows,))


def main(num_rows=400, num_samples=1000, figure=None):
    y = make_data(jax.random.key(4), num_rows)
    post = sx.mcmc(mixture, num_samples=num_samples)(jax.random.key(5), y)
    print(post.summary())
    print("\ntruth: weight 0.3, means -2 and 2, scales 0.5 and 1")
    if figure:
        post.plot.forest(["weight", "means", "scale"]).savefig(figure, bbox_inches="tight")
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
