"""A change point: when did coal mines in Britain become safer?  (Jarrett 1979: disasters a year from 1851 to 1962)

The year of the change is a draw without a name: it is summed out.

Run: python examples/change_point.py [figure.png]
"""

import sys

import jax.numpy as jnp
import numpy as np

import storax as sx

disasters = np.array([
    4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2, 1,
    3, 2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0,
    1, 1, 0, 2, 3, 3, 1, 1, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1,
])  # fmt: skip
years = np.arange(1851, 1851 + len(disasters))


def change(counts):
    early = sx.sample("early", sx.Exponential(1.0))
    late = sx.sample("late", sx.Exponential(1.0))
    year = sx.rv(sx.DiscreteUniform(0, len(counts) - 1))
    sx.sample("counts", sx.Poisson(jnp.where(jnp.arange(len(counts)) < year, early, late)), obs=counts)


def year_given_data(post):
    """P(year | data), averaged over draws of the rates."""
    early, late = (post[n].reshape(-1, 1) for n in ("early", "late"))
    before = np.concatenate([[0], np.cumsum(disasters)[:-1]])[None]
    k = np.arange(len(disasters))[None]
    log = before * np.log(early / late) - k * (early - late)
    p = np.exp(log - log.max(1, keepdims=True))
    return (p / p.sum(1, keepdims=True)).mean(0)


def main(num_samples=500, num_chains=4, figure=None):
    post = sx.mcmc(change, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, disasters)
    print(post.summary())
    p = year_given_data(post)
    print("The change was most likely in", years[p.argmax()])
    if figure:
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(8, 3))
        ax.bar(years, disasters, color="0.8")
        ax.set(ylabel="disasters")
        right = ax.twinx()
        right.plot(years, p)
        right.set(ylabel="P(change | data)", ylim=(0, None))
        fig.savefig(figure, bbox_inches="tight")
    return post, p


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
