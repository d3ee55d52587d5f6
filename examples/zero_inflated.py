"""Zero-inflated counts: visitors of a park who catch no fish, and those who do not fish at all.

Run: python examples/zero_inflated.py [figure.png]
"""

import sys

import jax.numpy as jnp
import numpy as np

import storax as sx


@sx.distribution
def catch(idle, rate):
    """A program is a distribution: its log density is derived."""
    return jnp.where(sx.rv(sx.Bernoulli(idle)), 0, sx.rv(sx.Poisson(rate)))


def fishing(hours, fish=None):
    idle = sx.sample("idle", sx.Beta(1.0, 1.0))
    base = sx.sample("base", sx.Normal(0.0, 1.0))
    slope = sx.sample("slope", sx.Normal(0.0, 1.0))
    rate = jnp.exp(base + slope * jnp.log(hours))
    each = jnp.full(len(hours), idle)  # one chance for all, but every party decides for itself
    with sx.plate("party", len(hours)):
        sx.sample("fish", catch(each, rate), obs=fish)


def make_data(n=200):
    rng = np.random.default_rng(0)
    hours = rng.uniform(0.5, 8.0, n).astype(np.float32)
    fish = np.where(rng.random(n) < 0.4, 0, rng.poisson(np.exp(0.3 + 0.8 * np.log(hours))))
    return hours, fish


def main(num_samples=500, num_chains=4, figure=None):
    hours, fish = make_data()
    post = sx.mcmc(fishing, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, hours, fish)
    print(post.summary())
    zeros = {"zeros": lambda y: (y == 0).sum(), "largest": np.max}
    print(check := sx.predictive_check(fishing, post, zeros)(1, hours, fish))
    if figure:
        draws = sx.predictive(fishing, post)(2, hours)
        sx.with_data(fishing, post)(hours, fish).with_groups(posterior_predictive=draws).plot.ppc().savefig(
            figure, bbox_inches="tight"
        )
    return post, check


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
