"""Item response: how able are students, and how hard are questions?  The Rasch model (1960).

Run: python examples/item_response.py [figure.png]
"""

import sys

import jax.numpy as jnp

import storax as sx


def make_data(key=0, students=60, items=8):
    """True difficulties, and right (1) or wrong (0) answers `[student, item]`."""
    difficulty = jnp.linspace(-1.5, 1.5, items)
    ability = sx.draw(sx.Normal(0.0, 1.0), key, num=students)
    return difficulty, sx.draw(sx.Bernoulli(logits=ability[:, None] - difficulty[None]), key + 1)


def rasch(students, items, answers=None):
    spread = sx.sample("spread", sx.HalfNormal(1.0))
    with sx.plate("student", students):
        ability = sx.sample("ability", sx.Normal(0.0, 1.0))
    with sx.plate("item", items):
        difficulty = sx.sample("difficulty", sx.Normal(0.0, 2.0))
    with sx.plate("item", items, dim=-1), sx.plate("student", students, dim=-2):
        sx.sample("answers", sx.Bernoulli(logits=spread * ability[:, None] - difficulty[None]), obs=answers)


def main(num_samples=1000, num_chains=4, figure=None):
    difficulty, answers = make_data()
    post = sx.mcmc(rasch, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, 60, 8, answers)
    post = post.labelled({"item": [f"question {i + 1}" for i in range(8)]})
    print(post.summary(names=["spread", "difficulty"]))
    if figure:
        post.plot.forest(["difficulty"]).savefig(figure, bbox_inches="tight")
    return post, difficulty


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
