"""Eight schools (Rubin 1981): how much does coaching help, when each school's estimate is noisy?

Run: python examples/eight_schools.py [figure.png]
"""

import sys
import time

import jax
import jax.numpy as jnp

import storax as sx

y = jnp.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
sigma = jnp.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def eight_schools(sigma, y=None):
    mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    tau = sx.sample("tau", sx.HalfCauchy(5.0))
    with sx.plate("school", len(sigma)):
        eta = sx.sample("eta", sx.Normal(0.0, 1.0))
        theta = sx.deterministic("theta", mu + tau * eta)
        sx.sample("y", sx.Normal(theta, sigma), obs=y)


def main(num_samples=2000, num_chains=4, figure=None):
    print("The model is a jaxpr; each random choice is one equation:\n")
    print(jax.make_jaxpr(eight_schools)(sigma, y))
    print("\nIts sites:\n")
    print(sx.check(eight_schools)(sigma, y))

    begin = time.perf_counter()
    infer = sx.mcmc(eight_schools, sx.nuts(target_accept=0.95), num_chains=num_chains, num_samples=num_samples)
    post = infer(jax.random.key(0), sigma, y)
    seconds = time.perf_counter() - begin

    print(f"\n{num_chains} chains of {num_samples} draws in {seconds:.1f} s, with compiling:\n")
    print(post.summary())
    if figure:
        post.labelled({"school": [f"school {letter}" for letter in "ABCDEFGH"]}).plot.forest(["theta"]).savefig(
            figure, bbox_inches="tight"
        )
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
