"""A hierarchical regression: one county's model is written for one county, and `jax.vmap` makes it many.

Peers share one draw among all lanes in silence; here every lane draws, and is named, for itself.

Run: python examples/hierarchical_vmap.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp

import storax as sx


def county(x, y, slope, spread):
    """One county: its own intercept, the slope of all."""
    intercept = sx.sample("intercept", sx.Normal(0.0, spread))
    return sx.sample("y", sx.Normal(intercept + slope * x, 0.5), obs=y)


def counties(x, y=None):
    slope = sx.sample("slope", sx.Normal(0.0, 1.0))
    spread = sx.sample("spread", sx.HalfNormal(1.0))
    in_axes = (0, None if y is None else 0, None, None)
    return jax.vmap(county, in_axes=in_axes)(x, y, slope, spread)


def main(num_counties=12, num_rows=20, num_samples=1000, figure=None):
    of_x, of_y, of_chains = jax.random.split(jax.random.key(6), 3)
    x = jax.random.normal(of_x, (num_counties, num_rows))
    _, trace = sx.trace(sx.seed(sx.do(counties, slope=0.7, spread=0.9), of_y))(x)
    truth, y = trace["intercept"].value, trace["y"].value

    post = sx.mcmc(counties, num_samples=num_samples)(of_chains, x, y)
    print(sx.check(counties)(x, y), "\n")
    print(post.summary())
    print("\ntruth: slope 0.7, spread 0.9, intercepts", jnp.round(truth, 2))
    if figure:
        post.plot.forest(["intercept", "slope", "spread"]).savefig(figure, bbox_inches="tight")
    return post, truth


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
