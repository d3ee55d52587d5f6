"""Long validation: posteriors of posteriordb (Magnusson et al. 2023), and simulation-based calibration.

Run with `pytest -m long`.  The reference values lie beside the repository, in `../shared/posteriordb`.
"""

import warnings

import jax
import numpy as np
import pytest
from jax import lax
from scipy import stats

import storax as sx
from benchmarks import posteriordb
from benchmarks.reference_models import MODELS

pytestmark = pytest.mark.long
N = sx.Normal


# Columns far from zero: coefficients with correlations of -0.99 and beyond.
DENSE = ["kilpisjarvi_mod-kilpisjarvi", "earnings-earn_height", "earnings-logearn_interaction",
         "kidiq-kidscore_interaction"]  # fmt: skip


@pytest.mark.parametrize("driver", ["sequential", "batched"])
@pytest.mark.parametrize("name", MODELS)
def test_reference_posterior(name, driver, shared, x64):
    data = shared / "posteriordb"
    kernel = sx.nuts(target_accept=0.9, dense_mass=name in DENSE)
    post = posteriordb.run(name, data, kernel=kernel, num_samples=3000, driver=driver)
    assert post.stats["diverging"].mean() < 0.01
    for d in posteriordb.distances(name, post, data):
        assert abs(d.in_errors) < 4, d
        assert d.rhat < 1.01, d
        np.testing.assert_allclose(d.sd, d.reference_sd, rtol=0.1, err_msg=d.parameter)


def calibrated(y=None):
    """A scan, a vmap, and supports of several kinds."""
    scale = sx.sample("scale", sx.Gamma(3.0, 3.0))
    p = sx.sample("p", sx.Beta(2.0, 2.0))

    def step(level, y):
        level = p * level + sx.sample("shock", N(0.0, scale))
        return level, sx.sample("y", N(level, 0.5), obs=y)

    return lax.scan(step, 0.0, y, length=10)[1]


def test_simulation_based_calibration():
    """Ranks of the prior draws among the posterior's are uniform (Talts et al. 2018)."""
    runs, draws = 200, 99
    infer = sx.mcmc(calibrated, sx.nuts(target_accept=0.9), num_chains=1, num_warmup=500, num_samples=10 * draws)
    ranks = {"scale": [], "p": [], "shock": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        for i in range(runs):
            y, trace = sx.trace(sx.seed(calibrated, jax.random.key(1000 + i)))()
            post = infer(jax.random.key(i), y)
            for name, found in ranks.items():
                pick = (lambda x: x[..., 4]) if name == "shock" else (lambda x: x)
                found.append(int((pick(post[name])[0, ::10] < pick(np.asarray(trace[name].value))).sum()))
    for name, found in ranks.items():
        counts = np.histogram(found, bins=10, range=(0, draws + 1))[0]
        assert stats.chisquare(counts).pvalue > 1e-3, (name, counts)
