"""Gaussian process regression: a curve of unknown shape, and how sure we are of it where there are no data.

Run: python examples/gaussian_process.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import storax as sx


def make_data(key=0, n=25):
    x = jnp.concatenate([jnp.linspace(0.0, 3.0, n // 2), jnp.linspace(5.0, 8.0, n - n // 2)])
    return x, jnp.sin(x) + 0.2 * sx.draw(sx.Normal(0.0, 1.0), key, num=n)


def kernel(a, b, size, length):
    """Squared exponential covariance."""
    return size**2 * jnp.exp(-0.5 * ((a[:, None] - b[None, :]) / length) ** 2)


def curve(x, y=None):
    size = sx.sample("size", sx.HalfNormal(1.0))
    length = sx.sample("length", sx.InverseGamma(5.0, 5.0))
    noise = sx.sample("noise", sx.HalfNormal(0.5))
    covariance = kernel(x, x, size, length) + (noise**2 + 1e-5) * jnp.eye(len(x))
    sx.sample("y", sx.MultivariateNormal(jnp.zeros(len(x)), covariance), obs=y)


def at(new, x, y, post):
    """Mean and standard deviation of the curve at new places, one row a draw (Rasmussen & Williams 2006, eq. 2.23)."""

    @jax.jit
    @jax.vmap
    def one(size, length, noise):
        known = kernel(x, x, size, length) + (noise**2 + 1e-5) * jnp.eye(len(x))
        gain = jnp.linalg.solve(known, kernel(x, new, size, length)).T
        variance = size**2 - jnp.sum(gain * kernel(new, x, size, length), axis=1)
        return gain @ y, jnp.sqrt(jnp.maximum(variance, 0.0))

    return one(*(jnp.asarray(post[n].ravel()) for n in ("size", "length", "noise")))


def main(num_samples=500, num_chains=4, figure=None):
    x, y = make_data()
    post = sx.mcmc(curve, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, x, y)
    print(post.summary())
    new = jnp.linspace(-1.0, 9.0, 80)
    mean, sd = at(new, x, y, post)
    if figure:
        import matplotlib.pyplot as plt

        total = np.sqrt(np.asarray(sd**2).mean(0) + np.asarray(mean).var(0))
        middle = np.asarray(mean).mean(0)
        fig, ax = plt.subplots()
        ax.fill_between(new, middle - 2 * total, middle + 2 * total, alpha=0.3)
        ax.plot(new, middle)
        ax.plot(new, np.sin(new), "k--", lw=0.8, label="truth")
        ax.plot(x, y, "k.", label="data")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post, mean, sd


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
