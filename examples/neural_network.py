"""A Bayesian neural network: regression with a layer of hidden units, and honest doubt where there are no data.

Run: python examples/neural_network.py [figure.png]
"""

import sys

import jax.numpy as jnp
import numpy as np

import storax as sx

HIDDEN = 10


def network(x, y=None):
    inner = sx.sample("inner", sx.Normal(0.0, 2.0), shape=(2, HIDDEN))
    outer = sx.sample("outer", sx.Normal(0.0, 1.0), shape=HIDDEN + 1)
    noise = sx.sample("noise", sx.HalfNormal(0.3))
    hidden = jnp.tanh(x[:, None] * inner[0][None] + inner[1][None])
    mean = sx.deterministic("mean", hidden @ outer[:-1] / jnp.sqrt(HIDDEN) + outer[-1])
    sx.sample("y", sx.Normal(mean, noise), obs=y)


def make_data(n=40):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-2, -0.5, n // 2), rng.uniform(0.7, 2, n - n // 2)]).astype(np.float32)
    return x, (np.sin(2 * x) + 0.1 * rng.normal(size=n)).astype(np.float32)


def main(num_samples=500, num_chains=4, figure=None):
    x, y = make_data()
    post = sx.mcmc(network, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, x, y)
    print(post.summary(names=["noise"]))  # single weights mean nothing: units may change places
    new = np.linspace(-3, 3, 60).astype(np.float32)
    draws = sx.predictive(network, post)(1, new)
    if figure:
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots()
        low, middle, high = np.quantile(draws["mean"], (0.05, 0.5, 0.95), axis=(0, 1))
        ax.fill_between(new, low, high, alpha=0.3)
        ax.plot(new, middle)
        ax.plot(new, np.sin(2 * new), "k--", lw=0.8, label="truth")
        ax.plot(x, y, "k.", label="data")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post, new, draws


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
