"""Stochastic volatility: how nervous is a market from day to day?  A latent walk in `lax.scan`.

Run: python examples/stochastic_volatility.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax as sx


def volatility(returns):
    """Kim, Shephard & Chib 1998, eq. 1; steps of size one, scaled by `step`, sample better than the walk itself."""
    step = sx.sample("step", sx.HalfNormal(0.3))
    level = sx.sample("level", sx.Normal(0.0, 1.0))
    memory = sx.sample("memory", sx.Beta(20.0, 1.5))

    def day(h, y):
        z = sx.sample("z", sx.Normal(0.0, 1.0))
        h = memory * h + step * z
        sx.sample("returns", sx.Normal(0.0, jnp.exp((level + h) / 2)), obs=y)
        return h, sx.deterministic("sd", jnp.exp((level + h) / 2))

    lax.scan(day, 0.0, returns)


def make_data(key=3, days=150):
    """The true standard deviations, and returns."""
    z = sx.draw(sx.Normal(0.0, 1.0), key, num=days)
    _, h = lax.scan(lambda h, z: (0.95 * h + 0.35 * z,) * 2, 0.0, z)
    sd = jnp.exp(h / 2)
    return sd, sx.draw(sx.Normal(0.0, sd), key + 1)


def main(num_samples=500, num_chains=4, days=150, figure=None):
    sd, returns = make_data(days=days)
    run = sx.mcmc(volatility, sx.nuts(target_accept=0.9), num_chains=num_chains, num_warmup=num_samples,
                  num_samples=num_samples)  # fmt: skip
    post = run(jax.random.key(0), returns)
    print(post.summary(names=["step", "level", "memory"]))
    if figure:
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(8, 3))
        low, middle, high = np.quantile(post["sd"], (0.05, 0.5, 0.95), axis=(0, 1))
        t = np.arange(days)
        ax.plot(t, returns, ".", color="0.6", ms=3, label="returns")
        ax.fill_between(t, low, high, alpha=0.3)
        ax.plot(t, middle, label="posterior of the standard deviation")
        ax.plot(t, sd, "k--", lw=0.8, label="truth")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post, sd


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
