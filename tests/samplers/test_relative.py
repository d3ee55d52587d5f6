"""32 bits and log densities of many addends: what is compared is small, whatever the sum is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx
from storax.samplers.diagnostics import mcse_mean
from storax.samplers.driving.relative import Relative
from storax.samplers.running.programs import _sum_of_many

pytestmark = pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")  # runs are short on purpose
N = sx.Normal


def regression(x, y):
    a = sx.sample("a", N(0.0, 1.0))
    b = sx.sample("b", N(0.0, 1.0), shape=x.shape[1:])
    sx.sample("y", sx.Bernoulli(logits=a + x @ b), obs=y)


def data(rows, columns, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    return x, (rng.random(rows) < 1 / (1 + np.exp(-x.sum(1) / 2))).astype(np.int32)


@pytest.mark.parametrize("rows, offset", [(50_000, 0.0), (400_000, 2.5)])
def test_differences_of_order_one_survive(rows, offset):
    """Log densities near -3e4 and -1e6, against 64 bits: errors far below what an acceptance notices."""

    def model(y):
        mu = sx.sample("mu", N(0.0, 1.0))
        sx.sample("y", N(mu + offset, 1.0), obs=y)

    y = np.random.default_rng(0).normal(offset, 1.0, rows).astype(np.float32)
    y[: rows // 2] += 2 * offset  # far from the mean: each costs some ten
    density = sx.unconstrain(model)(y)
    f = _sum_of_many(density)
    assert isinstance(f, Relative)
    center = jnp.asarray([np.mean(y) - offset], jnp.float32)
    reference = jax.jit(f.addends)(center)
    relative = jax.jit(lambda q: f.relative(q, reference))
    plain = jax.jit(f)

    def exact(q):
        q, z = np.float64(np.float32(q)), np.asarray(y, np.float64)
        return -0.5 * q**2 - 0.5 * ((z - q - offset) ** 2).sum()

    errors, naive = [], []
    for step in np.linspace(-3, 3, 13) / np.sqrt(rows):
        q = center + np.float32(step)
        truth = exact(q[0]) - exact(center[0])
        errors.append(abs(float(relative(q)) - truth))
        naive.append(abs(float(plain(q)) - float(plain(center)) - truth))
    assert max(errors) < 0.005, (max(errors), max(naive))
    assert abs(float(plain(center))) > (1e6 if offset else 3e4)
    if offset:
        assert max(naive) > 0.05  # what would decide otherwise


def test_few_addends_are_summed_plainly():
    assert not isinstance(_sum_of_many(sx.unconstrain(regression)(*data(100, 2))), Relative)


def test_an_impossible_addend_makes_all_impossible():
    f = Relative(lambda q: [jnp.where(q > 0, q, -jnp.inf), jnp.ones(3)])
    reference = f.addends(jnp.ones(2))
    assert f.relative(jnp.array([1.0, -1.0]), reference) == -jnp.inf
    assert f(jnp.array([1.0, 2.0])) == 6.0


@pytest.mark.parametrize("driver", ["sequential", pytest.param("batched", marks=pytest.mark.long)])
def test_lp_and_energy_are_whole(driver):
    """What is reported is not relative to anything, and does not depend on when the reference moved."""
    x, y = data(5000, 2)
    post = sx.mcmc(regression, num_warmup=150, num_samples=50, driver=driver)(0, x, y)
    density = sx.log_density(regression)
    for c, i in [(0, 0), (1, 10), (3, 49)]:
        values = {n: post[n][c, i] for n in post}
        np.testing.assert_allclose(post.stats["lp"][c, i], density(values, x, y), rtol=2e-6)
    assert (post.stats["energy"] > -post.stats["lp"]).all()
    assert (post.warmup_stats["lp"][:, -50:] > post.stats["lp"].min() - 20).all()


@pytest.mark.long
def test_a_regression_on_50000_rows_is_the_same_in_32_and_64_bits():
    """Acceptance statistic and posterior (issue: `float32 that can be trusted`)."""
    x, y = data(50_000, 5)
    fit = sx.mcmc(regression, num_warmup=300, num_samples=500)
    single = fit(0, x, y)
    with jax.enable_x64(True):
        double = fit(1, x.astype(np.float64), y)
    assert single["a"].dtype == np.float32 and double["a"].dtype == np.float64
    for name in single:
        a, b = (np.asarray(p[name], np.float64) for p in (single, double))
        error = np.sqrt(mcse_mean(a) ** 2 + mcse_mean(b) ** 2)
        assert (np.abs(a.mean((0, 1)) - b.mean((0, 1))) < 4 * error).all()
        assert np.abs(a.std((0, 1)) / b.std((0, 1)) - 1).max() < 0.1
    rates = [p.stats["acceptance_rate"] for p in (single, double)]
    assert abs(rates[0].mean() - rates[1].mean()) < 0.03
    assert abs(np.mean([p.stats["n_steps"].mean() for p in (single,)]) - double.stats["n_steps"].mean()) < 1.5
