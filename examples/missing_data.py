"""Missing data: two measurements of each patient, some of them lost; normal vectors know what belongs together.

Run: python examples/missing_data.py [figure.png]
"""

import sys

import numpy as np

import storax as sx


def make_data(n=60):
    """All measurements `[patient, 2]`, and the same with nan for those that were lost."""
    rng = np.random.default_rng(0)
    full = rng.multivariate_normal([1.0, 2.0], [[1.0, 0.8], [0.8, 1.0]], size=n).astype(np.float32)
    seen = full.copy()
    seen[rng.random(n) < 0.3, 1] = np.nan
    return full, seen


def measurements(y):
    mean = sx.sample("mean", sx.Normal(0.0, 5.0), shape=2)
    scale = sx.sample("scale", sx.HalfNormal(2.0), shape=2)
    root = sx.sample("root", sx.LKJCholesky(2, 1.0))
    sx.deterministic("correlation", root[1, 0])
    d = sx.MultivariateNormal(mean, scale_tril=scale[:, None] * root)
    sx.sample("y", d, obs=y, missing="impute")


def main(num_samples=500, num_chains=4, figure=None):
    full, seen = make_data()
    post = sx.mcmc(measurements, num_chains=num_chains, num_warmup=num_samples, num_samples=num_samples)(0, seen)
    print(post.summary(names=["mean", "scale", "correlation"]))
    lost = np.isnan(seen[:, 1])
    if figure:
        import matplotlib.pyplot as plt

        low, middle, high = np.quantile(post["y_missing"], (0.05, 0.5, 0.95), axis=(0, 1))
        fig, ax = plt.subplots()
        ax.plot(*seen[~lost].T, ".", color="0.6", label="complete")
        ax.errorbar(full[lost, 0], middle, [middle - low, high - middle], fmt="none", label="imputed")
        ax.plot(*full[lost].T, "kx", label="what was lost")
        ax.set(xlabel="first measurement", ylabel="second")
        ax.legend()
        fig.savefig(figure, bbox_inches="tight")
    return post, full[lost, 1]


if __name__ == "__main__":
    main(figure=sys.argv[1] if len(sys.argv) > 1 else None)
