"""Predators and prey: lynx and hare pelts of the Hudson's Bay Company, 1900 to 1920 (Howard 2009), and an ODE.

Run: python examples/lotka_volterra.py [figure.png]
"""

import sys

import jax.numpy as jnp
import numpy as np
from jax import lax

import storax as sx

years = np.arange(1900, 1921)
hare = np.array([30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6,
                 14.6, 16.2, 24.7])  # fmt: skip
lynx = np.array([4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7,
                 10.1, 8.6])  # fmt: skip
pelts = np.stack([hare, lynx], axis=1)  # in thousands
STEPS = 10  # of the solver, a year


def solve(start, rates, years):
    """Populations `[year, 2]`, by Runge and Kutta's rule of order four in `lax.scan`."""
    a, b, c, d = rates

    def slope(z):
        u, v = z
        return jnp.stack([(a - b * v) * u, (-c + d * u) * v])

    def step(z, _):
        h = 1 / STEPS
        k1 = slope(z)
        k2 = slope(z + h / 2 * k1)
        k3 = slope(z + h / 2 * k2)
        k4 = slope(z + h * k3)
        return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    def year(z, _):
        z, _ = lax.scan(step, z, None, length=STEPS)
        return z, z

    _, path = lax.scan(year, start, None, length=years - 1)
    return jnp.concatenate([start[None], path])


def populations(years, pelts=None):
    """The priors of Carpenter 2018 (Stan case studies)."""
    rates = sx.sample("rates", sx.TruncatedNormal(jnp.array([1.0, 0.05, 1.0, 0.05]),
                                                  jnp.array([0.5, 0.05, 0.5, 0.05]), low=0.0))  # fmt: skip
    start = sx.sample("start", sx.LogNormal(jnp.log(jnp.array([10.0, 10.0])), 1.0))
    noise = sx.sample("noise", sx.LogNormal(jnp.array([-1.0, -1.0]), 1.0))
    path = sx.deterministic("path", solve(start, rates, years))
    with sx.plate("species", 2, dim=-1), sx.plate("year", years, dim=-2):
        sx.sample("pelts", sx.LogNormal(jnp.log(jnp.maximum(path, 1e-6)), noise[None]), obs=pelts)


START = {"rates": [0.55, 0.028, 0.8, 0.024], "start": [30.0, 5.0], "noise": [0.25, 0.25]}


def main(num_samples=500, num_chains=4, figure=None):
    run = sx.mcmc(populations, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples, init=START)
    post = run(0, len(years), pelts)
    post = post.labelled({"species": ["hare", "lynx"], "rate": ["birth", "eaten", "death", "feeding"]},
                         {"rates": ("rate",), "noise": ("species",), "start": ("species",)})  # fmt: skip
    print(post.summary(names=["rates", "start", "noise"]))
    if figure:
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(8, 3))
        for i, name in enumerate(("hare", "lynx")):
            low, middle, high = np.quantile(post["path"][..., i], (0.05, 0.5, 0.95), axis=(0, 1))
            (line,) = ax.plot(years, middle, label=name)
            ax.fill_between(years, low, high, alpha=0.3, color=line.get_color())
            ax.plot(years, pelts[:, i], ".", color=line.get_color())
        ax.set(ylabel="pelts (thousands)")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
