"""Targets whose expectations are known in closed form, and the judge of draws from them; kernels to be judged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

import storax as sx
from storax.samplers.diagnostics import mcse_mean, rhat
from storax.samplers.driving.driver import run

# Every kernel that is listed here has the whole suite; the settings a target asks for are passed on.
KERNELS: dict[str, Callable[..., Any]] = {"nuts": sx.nuts, "hmc": sx.hmc}
DRIVERS = ("sequential", "batched")
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class Target(NamedTuple):
    """A density on `[d]`, and expectations of functions of draws `[..., d]`."""

    d: int
    log_density: Callable[[jax.Array], jax.Array]
    answers: list[tuple[str, Callable[[np.ndarray], np.ndarray], float]]
    settings: dict[str, Any] = {}
    num_samples: int = 1500


def of_marginal(name: str, value: Callable[[np.ndarray], np.ndarray], law: Any, moments: int = 2) -> list[Any]:
    """What is known of a quantity with this law of SciPy: moments about its mean, and probabilities below quantiles."""
    mean = float(law.mean())
    answers: list[Any] = [(f"mean of {name}", value, mean)]
    if moments > 1:
        answers.append((f"variance of {name}", lambda q: (value(q) - mean) ** 2, float(law.var())))
    for level in LEVELS:
        bound = float(law.ppf(level))
        answers.append((f"{level} quantile of {name}", lambda q, bound=bound: (value(q) <= bound).astype(float), level))
    return answers


def coordinate(i: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda q: q[..., i]


def gaussian(condition: float, rotated: bool, d: int = 5) -> Target:
    """Variances from 1 / condition to 1, along the axes or along others."""
    variances = np.geomspace(1 / condition, 1, d)
    basis = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0] if rotated else np.eye(d)
    covariance = (basis * variances) @ basis.T
    root = jnp.asarray((basis / np.sqrt(variances)).T, float)
    answers = []
    for i in (0, d - 1):
        answers += of_marginal(f"x{i}", coordinate(i), stats.norm(0, np.sqrt(covariance[i, i])))
        along = functools.partial(lambda q, v: q @ v, v=basis[:, i])
        answers += of_marginal(f"principal component {i}", along, stats.norm(0, np.sqrt(variances[i])))

    def log_density(q: jax.Array) -> jax.Array:
        return -0.5 * jnp.sum((root.astype(q.dtype) @ q) ** 2)

    return Target(d, log_density, answers, {"dense_mass": rotated})


def funnel(centred: bool, scale: float = 1.0, d: int = 4) -> Target:
    """Neal 2003: v ~ N(0, scale), and x_i ~ N(0, exp(v / 2)); centred it has a neck."""
    x = (lambda q: q[..., 1]) if centred else (lambda q: q[..., 1] * np.exp(q[..., 0] / 2))
    answers = of_marginal("v", coordinate(0), stats.norm(0, scale))
    answers += [("mean of x", x, 0.0), ("log |x|", lambda q: np.log(np.abs(x(q))), -0.5 * (np.euler_gamma + np.log(2)))]

    def log_density(q: jax.Array) -> jax.Array:
        v, rest = q[0], q[1:]
        if centred:
            return -0.5 * (v / scale) ** 2 - 0.5 * jnp.sum((rest * jnp.exp(-v / 2)) ** 2) - 0.5 * (d - 1) * v
        return -0.5 * (v / scale) ** 2 - 0.5 * rest @ rest

    return Target(d, log_density, answers, {"target_accept": 0.99 if centred else 0.8}, 3000 if centred else 1500)


def banana() -> Target:
    """x ~ N(0, 1), and y ~ N(x^2, 1/2)."""
    answers = of_marginal("x", coordinate(0), stats.norm())
    answers += of_marginal("y - x^2", lambda q: q[..., 1] - q[..., 0] ** 2, stats.norm(0, 0.5))
    answers += [("mean of y", coordinate(1), 1.0), ("variance of y", lambda q: (q[..., 1] - 1) ** 2, 2.25)]
    log_density = lambda q: -0.5 * q[0] ** 2 - 0.5 * ((q[1] - q[0] ** 2) / 0.5) ** 2
    return Target(2, log_density, answers, {"target_accept": 0.95}, 3000)


def student(degrees: float = 5.0, d: int = 2) -> Target:
    """Tails of a power law, independent."""
    law = stats.t(degrees)
    answers = of_marginal("x", coordinate(0), law)
    for level in (0.01, 0.99):
        bound = law.ppf(level)
        answers.append((f"{level} quantile", lambda q, bound=bound: (q[..., 0] <= bound).astype(float), level))
    log_density = lambda q: -0.5 * (degrees + 1) * jnp.sum(jnp.log1p(q * q / degrees))
    return Target(d, log_density, answers, {}, 3000)


def on_the_interval(a: float, b: float, jacobian: bool = True) -> Target:
    """A beta law through the logistic function; without its Jacobian, what a broken bijection would make of it."""
    sigmoid = lambda q: 1 / (1 + np.exp(-np.asarray(q[..., 0], float)))
    more = 1.0 if jacobian else 0.0
    log_density = lambda q: (a - 1 + more) * jax.nn.log_sigmoid(q[0]) + (b - 1 + more) * jax.nn.log_sigmoid(-q[0])
    return Target(1, log_density, of_marginal("p", sigmoid, stats.beta(a, b)))


def of_model(model: Callable[[], Any], answers: Callable[[Any], list[Any]], **settings: Any) -> Target:
    """A model's density through its bijections; answers are about `constrain`, draws `[..., d]` to values by name."""
    density = sx.unconstrain(model)()
    constrain = jax.jit(jax.vmap(jax.vmap(density.quantities)))
    return Target(density.size, density.of_vector, answers(constrain), settings)


def beta_of_model() -> Target:
    return of_model(
        lambda: sx.sample("p", sx.Beta(0.5, 3.0)),
        lambda f: of_marginal("p", lambda q: np.asarray(f(q)["p"], float), stats.beta(0.5, 3.0)),
    )


def dirichlet_of_model() -> Target:
    concentration = np.array([0.7, 2.0, 4.0])

    def answers(f: Any) -> list[Any]:
        found: list[Any] = []
        for i, a in enumerate(concentration):
            law = stats.beta(a, concentration.sum() - a)
            found += of_marginal(f"p{i}", lambda q, i=i: np.asarray(f(q)["p"], float)[..., i], law)
        return found

    return of_model(lambda: sx.sample("p", sx.Dirichlet(jnp.asarray(concentration, float))), answers)


TARGETS: dict[str, Callable[[], Target]] = {
    "normal": lambda: gaussian(1.0, False),
    "normal, condition 1e3, rotated": lambda: gaussian(1e3, True),
    "normal, condition 1e5": lambda: gaussian(1e5, False),
    "normal, condition 1e5, rotated": lambda: gaussian(1e5, True),
    "funnel, centred": lambda: funnel(True),
    "funnel, non-centred": lambda: funnel(False, 3.0),
    "banana": banana,
    "Student's t": student,
    "beta by hand": lambda: on_the_interval(2.0, 5.0),
    "beta": beta_of_model,
    "Dirichlet": dirichlet_of_model,
}


def drawn(target: Target, kernel: Any, driver: str, *, chains: int = 4, num_warmup: int = 1000,
          num_samples: int | None = None, seed: int = 0) -> Any:  # fmt: skip
    """A run, from starts apart."""
    samples = target.num_samples if num_samples is None else num_samples

    @jax.jit
    def sample(key: jax.Array) -> Any:
        of_starts, of_chains = jax.random.split(key)
        starts = jax.random.uniform(of_starts, (chains, target.d), float, -1, 1)
        return run(target.log_density, jax.random.split(of_chains, chains), starts, kernel=kernel,
                   num_warmup=num_warmup, num_samples=samples, driver=driver)  # fmt: skip

    return sample(jax.random.key(seed))


def errors(target: Target, positions: Any) -> dict[str, float]:
    """By how many Monte Carlo standard errors each expectation is off."""
    q = np.asarray(positions, np.float64)
    found = {}
    for name, f, expected in target.answers:
        values = np.asarray(f(q), float)
        found[name] = float((values.mean() - expected) / mcse_mean(values))
    return found


def furthest(target: Target, positions: Any) -> float:
    """The largest of the errors, of chains that agree; nan (which is above no limit) is infinitely far."""
    off = np.nan_to_num(np.abs(list(errors(target, positions).values())), nan=np.inf)
    return float(off.max())


def converged(positions: Any) -> bool:
    return bool((rhat(np.asarray(positions, np.float64)) < 1.02).all())
