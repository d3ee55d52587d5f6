"""Survival with censoring: does 6-mercaptopurine keep leukaemia in remission?  (Freireich et al. 1963)

A patient still in remission when the study ended says only that the time is longer: the log of the survival function.

Run: python examples/survival.py [figure.png]
"""

import sys

import jax.numpy as jnp
import numpy as np

import storax as sx

# Weeks in remission; those of patients who were still in remission are censored.
treated = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], float)
treated_ended = np.arange(21) < 9
placebo = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], float)

weeks = np.concatenate([treated, placebo])
ended = np.concatenate([treated_ended, np.ones(21, bool)])
drug = np.repeat([1.0, 0.0], 21)


def survival(drug, weeks, ended):
    shape = sx.sample("shape", sx.LogNormal(0.0, 0.5))
    baseline = sx.sample("baseline", sx.Normal(2.0, 1.0))  # log of the typical number of weeks
    effect = sx.sample("effect", sx.Normal(0.0, 1.0))
    time = sx.Weibull(scale=jnp.exp(baseline + effect * drug), concentration=shape)
    sx.deterministic("times as long", jnp.exp(effect))
    with sx.plate("patient", len(weeks)):
        # One weight a patient: the density of a time that ended, the chance of a longer one if it did not.
        sx.factor("likelihood", jnp.where(ended, time.log_prob(weeks), time.log_survival(weeks)))


def main(num_samples=1000, num_chains=4, figure=None):
    run = sx.mcmc(survival, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)
    post = run(0, drug, weeks, ended)
    print(post.summary())
    if figure:
        import matplotlib.pyplot as plt

        t = np.linspace(0.1, 40, 100)
        fig, ax = plt.subplots()
        for name, x in (("drug", 1.0), ("placebo", 0.0)):
            scale = np.exp(post["baseline"] + post["effect"] * x).ravel()[:, None]
            curves = np.exp(-((t / scale) ** post["shape"].ravel()[:, None]))
            (line,) = ax.plot(t, curves.mean(0), label=name)
            ax.fill_between(t, *np.quantile(curves, (0.05, 0.95), axis=0), alpha=0.3, color=line.get_color())
        ax.set(xlabel="weeks", ylabel="still in remission")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
