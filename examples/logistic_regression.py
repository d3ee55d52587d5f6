"""Logistic regression on data it makes: the posterior covers the coefficients that made the data.

Run: python examples/logistic_regression.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp

import storax as sx

true_weights = jnp.array([1.5, -2.0, 0.5])


@sx.model
def regression(x, y=None):
    weights = sx.sample("weights", sx.Normal(0.0, 2.5), shape=x.shape[1])
    bias = sx.sample("bias", sx.Normal(0.0, 2.5))
    return sx.sample("y", sx.Bernoulli(logits=x @ weights + bias), obs=y)


def main(num_rows=500, num_samples=1000, figure=None):
    of_x, of_y, of_chains = jax.random.split(jax.random.key(1), 3)
    x = jax.random.normal(of_x, (num_rows, len(true_weights)))
    # The model that we infer with also makes the data: fix the coefficients, draw the rest.
    y = regression.do(weights=true_weights, bias=0.3).seed(of_y)(x)

    post = regression.mcmc(num_samples=num_samples)(of_chains, x, y)
    print(post.summary())
    print("\ntrue weights:", true_weights, " true bias: 0.3")
    if figure:
        post.plot.forest(["weights", "bias"]).savefig(figure, bbox_inches="tight")
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
