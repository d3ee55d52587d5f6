"""A hidden Markov model: a process that switches between two regimes, which nobody sees.

The states are drawn without a name inside of a `lax.scan`: they are summed out, by the forward algorithm.

Run: python examples/hidden_markov.py [figure.png]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import storax as sx


def regimes(y):
    stay = sx.sample("stay", sx.Beta(jnp.array([8.0, 8.0]), 2.0))
    low = sx.sample("low", sx.Normal(0.0, 2.0))
    gap = sx.sample("gap", sx.HalfNormal(2.0))  # so that the regimes do not change names
    means = sx.deterministic("means", jnp.stack([low, low + gap]))
    moves = jnp.stack([jnp.stack([stay[0], 1 - stay[0]]), jnp.stack([1 - stay[1], stay[1]])])

    def step(state, y):
        state = sx.rv(sx.Categorical(probs=moves[state]))
        sx.sample("y", sx.Normal(means[state], 0.7), obs=y)
        return state, None

    lax.scan(step, 0, y)


def make_data(key=0, n=120):
    rng = np.random.default_rng(key)
    states = [0]
    for _ in range(n - 1):
        states.append(states[-1] if rng.random() < 0.9 else 1 - states[-1])
    states = np.array(states)
    return states, jnp.asarray(np.array([-1.0, 1.5])[states] + 0.7 * rng.normal(size=n))


def smoothed(post, y):
    """P(state 1 | all data) at every time, averaged over draws: forward and backward (Rabiner 1989, eq. 27)."""

    @jax.jit
    @jax.vmap
    def one(stay, means):
        moves = jnp.stack([jnp.stack([stay[0], 1 - stay[0]]), jnp.stack([1 - stay[1], stay[1]])])
        likelihood = jnp.exp(-0.5 * ((y[:, None] - means[None]) / 0.7) ** 2)

        def forward(a, seen):
            a = (a @ moves) * seen
            return a / a.sum(), a / a.sum()

        def backward(b, seen):
            b = moves @ (seen * b)
            return b / b.sum(), b / b.sum()

        _, a = lax.scan(forward, jnp.array([1.0, 0.0]), likelihood)
        _, b = lax.scan(backward, jnp.ones(2) / 2, likelihood[1:], reverse=True)
        both = a * jnp.concatenate([b, jnp.ones((1, 2)) / 2])
        return both[:, 1] / both.sum(1)

    stay, means = (jnp.asarray(post[n].reshape(-1, 2))[::10] for n in ("stay", "means"))
    return np.asarray(one(stay, means)).mean(0)


def main(num_samples=500, num_chains=4, n=120, figure=None):
    states, y = make_data(n=n)
    post = sx.mcmc(regimes, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, y)
    print(post.summary())
    chance = smoothed(post, y)
    if figure:
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(8, 3))
        ax.plot(y, ".", color="0.6", label="data")
        ax.step(range(n), states, "k--", lw=0.8, where="mid", label="true state")
        ax.plot(chance, label="P(state 1 | data)")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post, states, chance


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
