"""Every case of ../shared/numerics: values and gradients by mpmath, at the places where peers fail.

None is an exception: all are within 1e-10 in float64, and within 1e-5 in float32.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax import bijections
from storax import distributions as dist


def of(make, function="log_prob"):
    """A function of a distribution, given its parameters by the names of the file."""
    return lambda p, x: getattr(make(**p), function)(x)


MEANING = {  # what the file calls it -> f(parameters, x); a name that is not here is that of the distribution
    "BernoulliLogits": of(lambda logits: dist.Bernoulli(logits=logits)),
    "BernoulliProbs": of(lambda probs: dist.Bernoulli(probs)),
    "BinomialLogits": of(lambda total_count, logits: dist.Binomial(total_count, logits=logits)),
    "BinomialProbs": of(lambda total_count, probs: dist.Binomial(total_count, probs)),
    "CategoricalLogits": of(lambda logits: dist.Categorical(logits=logits)),
    "MultivariateNormal": of(lambda loc, cov: dist.MultivariateNormal(loc, cov)),
    "NormalLogCDF": of(dist.Normal, "log_cdf"),
    "NormalMixture": of(lambda w, loc, scale: dist.MixtureSameFamily(w, dist.Normal(loc, scale))),
    "SigmoidLADJ": lambda p, z: bijections.Sigmoid(0.0, 1.0).forward_and_log_det(z)[1],
    "SoftplusForward": lambda p, z: bijections.Softplus().forward(z),
    "SoftplusInverse": lambda p, x: bijections.Softplus().inverse(x),
}


def stacked(cases, dtype):
    """Parameters and values of the cases of one distribution, along a first axis."""

    columns = {n: [np.asarray(c["params"][n], float) for c in cases] for n in cases[0]["params"]}  # "inf" is a string
    parameters = {n: jnp.asarray(np.stack(column), dtype) for n, column in columns.items()}
    if "total_count" in parameters:
        parameters["total_count"] = parameters["total_count"].astype(int)
    x = jnp.asarray([c["x"] for c in cases])
    return parameters, x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x


def values_and_gradients(name, cases, dtype):
    """One compiled call for all the cases of a distribution."""
    f = MEANING.get(name) or of(getattr(dist, name))
    parameters, x = stacked(cases, dtype)
    whole = {n: v for n, v in (parameters | {"x": x}).items() if jnp.issubdtype(v.dtype, jnp.integer)}
    real = {n: v for n, v in (parameters | {"x": x}).items() if n not in whole}

    def of_one(real, whole):
        values = real | whole
        return f({n: v for n, v in values.items() if n != "x"}, values["x"])

    return jax.jit(jax.vmap(jax.value_and_grad(of_one)))(real, whole)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_gradients_of_the_reference(shared, dtype):
    suffix, tolerance = ("", 1e-10) if dtype == np.float64 else ("_f32in", 1e-5)
    groups = {}
    for case in json.loads((shared / "numerics" / "cases.json").read_text())["cases"]:
        groups.setdefault((case["distribution"], str(jax.tree.map(np.shape, case["params"]))), []).append(case)
    wrong = []
    for (name, _), cases in groups.items():
        with jax.enable_x64(dtype == np.float64):
            values, gradients = values_and_gradients(name, cases, dtype)
        assert values.dtype == dtype
        for i, case in enumerate(cases):
            pairs = {"value": (values[i], case["log_prob" + suffix])}
            for key, truth in case.get("grad", {}).items():
                parameter = key.removeprefix("d_").removesuffix("_f32in")
                if key == f"d_{parameter}{suffix}":
                    pairs[parameter] = gradients[parameter][i], truth
            for what, (got, truth) in pairs.items():
                got, truth = float(got), float(truth)
                error = 0.0 if got == truth else abs(got - truth) / max(1, abs(truth))
                if not error <= tolerance:
                    wrong.append((name, case["note"], what, got, truth))
            assert not np.isnan(jax.tree.leaves(jax.tree.map(lambda g, i=i: np.asarray(g[i]).sum(), gradients))).any()
    assert not wrong, "\n".join(map(str, wrong))
