"""A local level model: a random walk, read off three noisy instruments at each step, written with `lax.scan`.

A site inside of the loop is one site with a leading time axis: `level` is one array of all levels.

Run: python examples/random_walk.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp
from jax import lax

import storax as sx


def random_walk(y, start=0.0):
    drift = sx.sample("drift", sx.HalfNormal(1.0))
    noise = sx.sample("noise", sx.HalfNormal(1.0))

    def step(level, y):
        level = sx.sample("level", sx.Normal(level, drift))
        sx.sample("y", sx.Normal(level, noise), obs=y)
        return level, level

    return lax.scan(step, start, y)[1]


def make_data(key, num_steps):
    of_walk, of_noise = jax.random.split(key)
    walk = jnp.cumsum(0.5 * jax.random.normal(of_walk, (num_steps,)))
    return walk, walk[:, None] + 0.8 * jax.random.normal(of_noise, (num_steps, 3))


def main(num_steps=100, num_samples=1000, figure=None):
    walk, y = make_data(jax.random.key(2), num_steps)
    print(sx.check(random_walk)(y), "\n")
    infer = sx.mcmc(random_walk, num_samples=num_samples)
    post = infer(jax.random.key(3), y)
    summary = post.summary()
    for name in ("drift", "noise"):
        print(name, {k: round(v, 2) for k, v in summary[name].items()})
    print("\nlevel (every tenth): true, posterior mean, sd")
    mean, sd = post["level"].mean((0, 1)), post["level"].std((0, 1))
    for t in range(0, num_steps, 10):
        print(f"{t:5d} {walk[t]:8.2f} {mean[t]:8.2f} {sd[t]:6.2f}")
    if figure:
        post.plot.forest(["drift", "noise"]).savefig(figure, bbox_inches="tight")
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
