"""Time series written with `lax.scan`: what their log density and its gradient cost, and cost to compile.

Each model is timed three ways in turns, in one run: by `sx.log_density`, by a hand-written `lax.scan` that adds up the
log density step by step, and by a hand-written density of all steps at once.  Of the repeats the least counts: what
else a machine does only adds.

Run: python benchmarks/scans.py [steps]
"""

import sys
import time

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.stats import beta, norm

import storax as sx


def half_normal(x):
    return norm.logpdf(x) + jnp.log(2.0)


def shifted(first, x):
    return jnp.concatenate([jnp.array([first]), x[:-1]])


# --- a random walk


def random_walk(y):
    s = sx.sample("s", sx.HalfNormal(1.0))

    def step(x, _):
        x = sx.sample("x", sx.Normal(x, s))
        return x, None

    lax.scan(step, 0.0, None, length=len(y))


def random_walk_by_steps(v, y):
    def step(c, x):
        before, total = c
        return (x, total + norm.logpdf(x, before, v["s"])), None

    return half_normal(v["s"]) + lax.scan(step, (0.0, 0.0), v["x"])[0][1]


def random_walk_at_once(v, y):
    return half_normal(v["s"]) + norm.logpdf(v["x"], shifted(0.0, v["x"]), v["s"]).sum()


# --- a latent autoregression of order two, seen with noise


def ar2(y):
    a, s = sx.sample("a", sx.Normal(jnp.zeros(2), 0.5)), sx.sample("s", sx.HalfNormal(1.0))

    def step(c, y):
        one, two = c
        x = sx.sample("x", sx.Normal(a[0] * one + a[1] * two, s))
        sx.sample("y", sx.Normal(x, 0.5), obs=y)
        return (x, one), None

    lax.scan(step, (0.0, 0.0), y)


def ar2_prior(v):
    return norm.logpdf(v["a"], 0.0, 0.5).sum() + half_normal(v["s"])


def ar2_by_steps(v, y):
    def step(c, xy):
        one, two, total = c
        x, y = xy
        total += norm.logpdf(x, v["a"][0] * one + v["a"][1] * two, v["s"]) + norm.logpdf(y, x, 0.5)
        return (x, one, total), None

    return ar2_prior(v) + lax.scan(step, (0.0, 0.0, 0.0), (v["x"], y))[0][2]


def ar2_at_once(v, y):
    one = shifted(0.0, v["x"])
    mean = v["a"][0] * one + v["a"][1] * shifted(0.0, one)
    return ar2_prior(v) + norm.logpdf(v["x"], mean, v["s"]).sum() + norm.logpdf(y, v["x"], 0.5).sum()


# --- stochastic volatility


def stochastic_volatility(y):
    phi, s = sx.sample("phi", sx.Beta(20.0, 1.5)), sx.sample("s", sx.HalfNormal(1.0))

    def step(h, y):
        h = sx.sample("x", sx.Normal(phi * h, s))
        sx.sample("y", sx.Normal(0.0, jnp.exp(h / 2)), obs=y)
        return h, None

    lax.scan(step, 0.0, y)


def stochastic_volatility_prior(v):
    return beta.logpdf(v["phi"], 20.0, 1.5) + half_normal(v["s"])


def stochastic_volatility_by_steps(v, y):
    def step(c, xy):
        before, total = c
        h, y = xy
        return (h, total + norm.logpdf(h, v["phi"] * before, v["s"]) + norm.logpdf(y, 0.0, jnp.exp(h / 2))), None

    return stochastic_volatility_prior(v) + lax.scan(step, (0.0, 0.0), (v["x"], y))[0][1]


def stochastic_volatility_at_once(v, y):
    h = v["x"]
    total = norm.logpdf(h, v["phi"] * shifted(0.0, h), v["s"]).sum() + norm.logpdf(y, 0.0, jnp.exp(h / 2)).sum()
    return stochastic_volatility_prior(v) + total


# --- GARCH(1, 1): the variance truly depends on itself, and the density at once has a scan for it


def garch(y):
    w = sx.sample("w", sx.HalfNormal(1.0))
    a, b = sx.sample("a", sx.Beta(2.0, 8.0)), sx.sample("b", sx.Beta(8.0, 2.0))

    def step(c, y):
        h, before = c
        h = w + a * before**2 + b * h
        sx.sample("y", sx.Normal(0.0, jnp.sqrt(h)), obs=y)
        return (h, y), None

    lax.scan(step, (1.0, 0.0), y)


def garch_prior(v):
    return half_normal(v["w"]) + beta.logpdf(v["a"], 2.0, 8.0) + beta.logpdf(v["b"], 8.0, 2.0)


def garch_by_steps(v, y):
    def step(c, y):
        h, before, total = c
        h = v["w"] + v["a"] * before**2 + v["b"] * h
        return (h, y, total + norm.logpdf(y, 0.0, jnp.sqrt(h))), None

    return garch_prior(v) + lax.scan(step, (1.0, 0.0, 0.0), y)[0][2]


def garch_at_once(v, y):
    def step(h, shock):
        h = shock + v["b"] * h
        return h, h

    h = lax.scan(step, 1.0, v["w"] + v["a"] * shifted(0.0, y) ** 2)[1]
    return garch_prior(v) + norm.logpdf(y, 0.0, jnp.sqrt(h)).sum()


MODELS = {
    "random walk": (random_walk, random_walk_by_steps, random_walk_at_once),
    "AR(2)": (ar2, ar2_by_steps, ar2_at_once),
    "stochastic volatility": (stochastic_volatility, stochastic_volatility_by_steps, stochastic_volatility_at_once),
    "GARCH(1, 1)": (garch, garch_by_steps, garch_at_once),
}


def point(y):
    """Values of all sites of all models."""
    x = jnp.cumsum(jax.random.normal(jax.random.key(1), y.shape)) / 10
    return {"s": 0.3, "x": x, "a": jnp.array([0.4, 0.2]), "phi": 0.9, "w": 0.2, "b": 0.7}


def compiled(f, *args):
    """The compiled value and gradient of f, and how many seconds that took."""
    start = time.perf_counter()
    run = jax.jit(jax.value_and_grad(f)).lower(*args).compile()
    return run, time.perf_counter() - start


def climb(f, evaluations):
    """Many evaluations in one compiled loop, as a sampler makes them: every point follows from the gradient before."""

    @jax.jit
    def run(v, y):
        def move(_, state):
            v, total = state
            value, gradient = jax.value_and_grad(f)(v, y)
            return jax.tree.map(lambda x, g: x + 1e-9 * g, v, gradient), total + value

        return lax.fori_loop(0, evaluations, move, (v, 0.0))

    return run


def microseconds(run, *args, evaluations):
    start = time.perf_counter()
    jax.block_until_ready(run(*args))
    return (time.perf_counter() - start) / evaluations * 1e6


def main(steps=1000, repeats=31, evaluations=300):
    """One row a model: name, then for each of the three ways microseconds an evaluation, a call, seconds to compile."""
    y = jax.random.normal(jax.random.key(0), (steps,))
    values = point(y)
    rows = []
    for name, (model, by_steps, at_once) in MODELS.items():
        v = {n: jnp.asarray(values[n]) for n in sx.trace(sx.seed(model, 0))(y)[1].latent}
        if model is garch:
            v["a"] = jnp.array(0.1)
        functions = (sx.log_density(model), by_steps, at_once)
        ways = [compiled(f, v, y) for f in functions]
        results = [run(v, y) for run, _ in ways]
        for value, gradient in results[1:]:
            assert jnp.allclose(results[0][0], value, rtol=1e-4), (name, value)
            assert all(jnp.allclose(results[0][1][n], gradient[n], rtol=1e-3, atol=1e-2) for n in v), name
        loops = [climb(f, evaluations) for f in functions]
        for run in loops:
            jax.block_until_ready(run(v, y))
        times = [[microseconds(run, v, y, evaluations=evaluations) for run in loops] for _ in range(repeats)]
        calls = [[microseconds(run, v, y, evaluations=1) for run, _ in ways] for _ in range(20 * repeats)]
        least = [[min(t) for t in zip(*table, strict=True)] for table in (times, calls)]
        rows.append((name, *least, [seconds for _, seconds in ways]))
    return rows


def table(rows):
    head = ["model", "storax", "by steps", "at once", "by steps / storax", "storax / at once", "one call", "to compile"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    for name, (own, by_steps, at_once), calls, seconds in rows:
        cells = [name, *(f"{t:.1f} µs" for t in (own, by_steps, at_once))]
        cells += [f"{by_steps / own:.1f}", f"{own / at_once:.2f}"]
        cells += [" / ".join(f"{t:.0f}" for t in calls) + " µs", " / ".join(f"{s:.2f}" for s in seconds) + " s"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, value and gradient, jitted, float32")
    print(table(main(*map(int, sys.argv[1:]))))
