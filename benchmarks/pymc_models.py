"""The posteriors of `benchmarks.posteriors` as PyMC has them, for nutpie: names of the latent sites, and the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt


def schools_noncentred(sigma, y):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, shape=8)
        pm.Normal("y", mu + tau * eta, sigma, observed=y)
    return model


def schools_centred(sigma, y):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, sigma, observed=y)
    return model


def logistic(x, y):
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0, 2.5)
        beta = pm.Normal("beta", 0, 2.5, shape=x.shape[1])
        pm.Bernoulli("y", logit_p=alpha + pt.dot(np.asarray(x, float), beta), observed=y)
    return model


def radon(county, floor, y):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfNormal("tau", 1)
        slope = pm.Normal("slope", 0, 5)
        sigma = pm.HalfNormal("sigma", 1)
        z = pm.Normal("z", 0, 1, shape=85)
        pm.Normal("y", (mu + tau * z)[county] + slope * floor, sigma, observed=y)
    return model


def gaussian(precision):
    precision = np.asarray(precision, float)
    with pm.Model() as model:
        x = pm.Flat("x", shape=precision.shape[1])
        pm.Potential("density", -0.5 * pt.dot(x, pt.dot(precision, x)))
    return model


def volatility(y):
    with pm.Model() as model:
        phi = pm.Uniform("phi", -1, 1)
        sigma = pm.HalfCauchy("sigma", 2)
        mu = pm.Cauchy("mu", 0, 10)
        z = pm.Normal("z", 0, 1, shape=len(y))
        first = mu + sigma * z[0] / pt.sqrt(1 - phi**2)
        rest, _ = pytensor.scan(
            lambda z, h, mu, phi, sigma: mu + phi * (h - mu) + sigma * z,
            sequences=[z[1:]], outputs_info=[first], non_sequences=[mu, phi, sigma],
        )  # fmt: skip
        pm.Normal("y", 0, pt.exp(pt.concatenate([first[None], rest]) / 2), observed=y)
    return model


def item_response(y):
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 1, shape=y.shape[0])
        mu_b = pm.Normal("mu_b", 0, 2)
        sigma_b = pm.HalfCauchy("sigma_b", 2)
        sigma_a = pm.HalfCauchy("sigma_a", 2)
        a = pm.LogNormal("a", 0, sigma_a, shape=y.shape[1])
        b = pm.Normal("b", mu_b, sigma_b, shape=y.shape[1])
        pm.Bernoulli("y", logit_p=a[None, :] * (theta[:, None] - b[None, :]), observed=y)
    return model


MODELS: dict[str, tuple[list[str], Callable[..., Any]]] = {
    "schools_noncentred": (["mu", "tau", "eta"], schools_noncentred),
    "schools_centred": (["mu", "tau", "theta"], schools_centred),
    "logistic": (["alpha", "beta"], logistic),
    "radon": (["mu", "tau", "slope", "sigma", "z"], radon),
    "gaussian": (["x"], gaussian),
    "volatility": (["phi", "sigma", "mu", "z"], volatility),
    "item_response": (["theta", "mu_b", "sigma_b", "sigma_a", "a", "b"], item_response),
}
