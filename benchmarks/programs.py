"""Programs and models with draws that are integrated out: what their derived log density costs, beside one by hand.

For each, value and gradient, jitted, of the density that is derived and of one written with jnp, in turns and in one
run.  Of the repeats the least counts: what else a machine does only adds.

Run: python benchmarks/programs.py [NAME ...]
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp
from jax.scipy.stats import multivariate_normal, norm, poisson

import storax as sx

rv = sx.rv
N, T, K = 100_000, 1000, 4
RNG = np.random.default_rng(0)
INITIAL, STAYS = np.full(K, 1 / K), 0.9


# --- programs as users write them: parameters -> one array


def zero_inflated_poisson(p):
    return jnp.where(rv(sx.Bernoulli(p["pi"]), shape=(N,)), 0, rv(sx.Poisson(p["rate"]), shape=(N,)))


def zero_inflated_poisson_by_hand(p, y):
    zero = jnp.logaddexp(jnp.log(p["pi"]), jnp.log1p(-p["pi"]) - p["rate"])
    return jnp.where(y == 0, zero, jnp.log1p(-p["pi"]) + poisson.logpmf(y, p["rate"])).sum()


def mixture(p):
    z = rv(sx.Categorical(logits=p["logits"]), shape=(N,))
    return rv(sx.Normal(p["mu"][z], p["scale"][z]))


def mixture_by_hand(p, y):
    each = jax.nn.log_softmax(p["logits"]) + norm.logpdf(y[:, None], p["mu"], p["scale"])
    return logsumexp(each, axis=-1).sum()


def censored(p):
    return jnp.clip(rv(sx.Normal(p["mu"], p["s"]), shape=(N,)), -1.0, 2.0)


def censored_by_hand(p, y):
    low, high = norm.logcdf(-1.0, p["mu"], p["s"]), norm.logsf(2.0, p["mu"], p["s"])
    return jnp.where(y <= -1.0, low, jnp.where(y >= 2.0, high, norm.logpdf(y, p["mu"], p["s"]))).sum()


def largest_of_ten(p):
    return rv(sx.Normal(p["mu"], p["s"]), shape=(N, 10)).max(-1)


def largest_of_ten_by_hand(p, y):
    return (jnp.log(10.0) + norm.logpdf(y, p["mu"], p["s"]) + 9 * norm.logcdf(y, p["mu"], p["s"])).sum()


def affine_gaussian(p):
    return (
        MATRIX @ (p["s"] * rv(sx.Normal(0.0, 1.0), shape=(50,))) + p["mu"] + 0.5 * rv(sx.Normal(0.0, 1.0), shape=(50,))
    )


def affine_gaussian_by_hand(p, y):
    return multivariate_normal.logpdf(y, jnp.full(50, p["mu"]), p["s"] ** 2 * MATRIX @ MATRIX.T + 0.25 * jnp.eye(50))


def sum_of_poissons(p):
    return sum(rv(sx.Poisson(rate), shape=(N,)) for rate in (p["rate"], 2 * p["rate"], 1.0))


def sum_of_poissons_by_hand(p, y):
    return poisson.logpmf(y, 3 * p["rate"] + 1.0).sum()


def random_walk(p):
    def step(x, _):
        x = rv(sx.Normal(x + p["mu"], p["s"]))
        return x, x

    return lax.scan(step, 0.0, None, length=T)[1]


def random_walk_by_hand(p, y):
    return norm.logpdf(y, jnp.concatenate([jnp.zeros(1), y[:-1]]) + p["mu"], p["s"]).sum()


def hidden_markov(p):
    table = jnp.full((K, K), (1 - p["stays"]) / (K - 1)) + (p["stays"] - (1 - p["stays"]) / (K - 1)) * jnp.eye(K)

    def step(z, _):
        z = rv(sx.Categorical(probs=table[z]))
        return z, rv(sx.Normal(p["mu"][z], p["scale"][z]))

    return lax.scan(step, rv(sx.Categorical(probs=jnp.asarray(INITIAL))), None, length=T)[1]


def hidden_markov_by_hand(p, y):
    table = jnp.full((K, K), (1 - p["stays"]) / (K - 1)) + (p["stays"] - (1 - p["stays"]) / (K - 1)) * jnp.eye(K)
    log_table = jnp.log(table)

    def step(alpha, emitted):
        return logsumexp(alpha[:, None] + log_table, axis=0) + emitted, None

    emitted = norm.logpdf(y[:, None], p["mu"], p["scale"])
    return logsumexp(lax.scan(step, jnp.log(jnp.asarray(INITIAL)), emitted)[0])


def local_level(p):
    def step(x, _):
        x = rv(sx.Normal(x, p["q"]))
        return x, rv(sx.Normal(x, p["r"]))

    return lax.scan(step, rv(sx.Normal(0.0, 10.0)), None, length=T)[1]


def local_level_by_hand(p, y):
    def step(c, y):
        m, v = c
        v = v + p["q"] ** 2
        s = v + p["r"] ** 2
        gain = v / s
        return (m + gain * (y - m), (1 - gain) * v), norm.logpdf(y, m, jnp.sqrt(s))

    return lax.scan(step, (0.0, 100.0), y)[1].sum()


def logit_normal(p):
    return jax.nn.sigmoid(rv(sx.Normal(p["mu"], p["s"]), shape=(N,)))


def logit_normal_by_hand(p, y):
    return (norm.logpdf(jnp.log(y) - jnp.log1p(-y), p["mu"], p["s"]) - jnp.log(y) - jnp.log1p(-y)).sum()


def rounded(p):
    return jnp.round(rv(sx.Normal(p["mu"], p["s"]), shape=(N,)))


def rounded_by_hand(p, y):
    low, high = (y - 0.5 - p["mu"]) / p["s"], (y + 0.5 - p["mu"]) / p["s"]
    flip = low > 0  # the difference of the smaller tails
    low, high = jnp.where(flip, -high, low), jnp.where(flip, -low, high)
    a, b = norm.logcdf(low), norm.logcdf(high)
    return (b + jnp.log1p(-jnp.exp(a - b))).sum()


# --- models with names, scored by sx.log_density


def clusters(y):
    mu, s = sx.sample("mu", sx.Normal(jnp.zeros(K), 5.0)), sx.sample("s", sx.HalfNormal(1.0))
    z = rv(sx.Categorical(probs=jnp.asarray(INITIAL)), shape=y.shape)
    sx.sample("y", sx.Normal(mu[z], s), obs=y)


def clusters_by_hand(v, y):
    prior = norm.logpdf(v["mu"], 0.0, 5.0).sum() + norm.logpdf(v["s"]) + jnp.log(2.0)
    each = jnp.log(jnp.asarray(INITIAL)) + norm.logpdf(y[:, None], v["mu"], v["s"])
    return prior + logsumexp(each, axis=-1).sum()


def random_intercepts(y):
    mu, tau = sx.sample("mu", sx.Normal(0.0, 5.0)), sx.sample("s", sx.HalfNormal(1.0))
    sx.sample("y", sx.Normal(rv(sx.Normal(mu, tau), shape=y.shape), 0.5), obs=y)


def random_intercepts_by_hand(v, y):
    prior = norm.logpdf(v["mu"], 0.0, 5.0) + norm.logpdf(v["s"]) + jnp.log(2.0)
    return prior + norm.logpdf(y, v["mu"], jnp.sqrt(v["s"] ** 2 + 0.25)).sum()


MATRIX = jnp.asarray(RNG.normal(size=(50, 50)) / 7, jnp.float32)
LOGITS, MU, SCALE = jnp.array([0.1, -0.3, 0.5, 0.0]), jnp.array([-2.0, 0.0, 1.0, 3.0]), jnp.array([0.5, 1.0, 0.7, 1.2])
PROGRAMS = {
    "zero-inflated Poisson": (zero_inflated_poisson, zero_inflated_poisson_by_hand, {"pi": 0.3, "rate": 4.0}),
    "mixture": (mixture, mixture_by_hand, {"logits": LOGITS, "mu": MU, "scale": SCALE}),
    "censored normal": (censored, censored_by_hand, {"mu": 0.5, "s": 1.3}),
    "largest of ten": (largest_of_ten, largest_of_ten_by_hand, {"mu": 0.5, "s": 1.3}),
    "affine Gaussian": (affine_gaussian, affine_gaussian_by_hand, {"mu": 0.5, "s": 1.3}),
    "sum of Poissons": (sum_of_poissons, sum_of_poissons_by_hand, {"rate": 2.0}),
    "random walk": (random_walk, random_walk_by_hand, {"mu": 0.1, "s": 1.3}),
    "hidden Markov": (hidden_markov, hidden_markov_by_hand, {"stays": 0.9, "mu": MU, "scale": SCALE}),
    "local level": (local_level, local_level_by_hand, {"q": 0.5, "r": 1.3}),
    "logit-normal": (logit_normal, logit_normal_by_hand, {"mu": 0.5, "s": 1.3}),
    "rounded normal": (rounded, rounded_by_hand, {"mu": 0.5, "s": 4.0}),
}
MODELS = {
    "clusters, a model": (clusters, clusters_by_hand, {"mu": MU, "s": 0.7}),
    "random intercepts, a model": (random_intercepts, random_intercepts_by_hand, {"mu": 0.5, "s": 0.7}),
}


def derived(name):
    """(parameters, data) -> log density, the same by hand, the parameters, and data."""
    if name in PROGRAMS:
        program, by_hand, p = PROGRAMS[name]
        y = sx.distribution(program)(p).sample(jax.random.key(0))
        elsewhere = jax.tree.map(lambda x: 0.9 * x, p)  # where the gradient is not a sum that cancels
        return lambda p, y: sx.distribution(program)(p).log_prob(y).sum(), by_hand, elsewhere, y
    model, by_hand, p = MODELS[name]
    return sx.log_density(model), by_hand, p, jnp.asarray(RNG.normal(size=N), jnp.float32)


def seconds(run, *args):
    start = time.perf_counter()
    jax.block_until_ready(run(*args))
    return time.perf_counter() - start


def measure(name, repeats):
    """Milliseconds of the derived density and of the one by hand, and the seconds to compile either."""
    *functions, p, y = derived(name)
    p = jax.tree.map(jnp.asarray, p)
    runs, compiling = [], []
    for f in functions:
        start = time.perf_counter()
        runs.append(jax.jit(jax.value_and_grad(f)).lower(p, y).compile())
        compiling.append(time.perf_counter() - start)
    (value, gradient), (wanted, wanted_gradient) = (run(p, y) for run in runs)
    assert jnp.allclose(value, wanted, rtol=1e-4), (name, value, wanted)
    for n in p:
        size = jnp.abs(wanted_gradient[n]).max()
        assert jnp.allclose(gradient[n], wanted_gradient[n], rtol=1e-3, atol=1e-3 * size), (name, n)
    times = [[1e3 * seconds(run, p, y) for run in runs] for _ in range(repeats)]
    return [min(t) for t in zip(*times, strict=True)], compiling


def main(names=(), repeats=60):
    print("| program | derived | by hand | ratio | to compile |\n| --- | --: | --: | --: | --: |")
    for name in {**PROGRAMS, **MODELS}:
        if not names or any(name.startswith(n) for n in names):
            (own, other), compiling = measure(name, repeats)
            tail = " / ".join(f"{s:.2f}" for s in compiling)
            print(f"| {name} | {own:.3f} ms | {other:.3f} ms | {own / other:.2f} | {tail} s |", flush=True)


if __name__ == "__main__":
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, value and gradient, jitted, float32")
    main(sys.argv[1:])
