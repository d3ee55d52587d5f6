"""Every reference program beside the repository: its exact density, or a refusal, and never another number."""

import importlib
import json
import sys

import jax
import jax.numpy as jnp
import pytest

import storax as sx

METHODS = {"logp": "log_prob", "logcdf": "log_cdf", "logsf": "log_survival", "icdf": "icdf", "must_refuse": "log_prob"}


@pytest.fixture(scope="module")
def programs(shared):
    sys.path.insert(0, str(shared / "logprob"))
    try:
        module = importlib.import_module("programs")
    finally:
        sys.path.pop(0)
    module.use(sx, sx.distributions)
    return module


def arrays(params):
    return {k: jnp.asarray(v) if isinstance(v, list) else v for k, v in params.items()}


def density(case, x64):
    """What the library says of a case."""
    params = arrays(case.params)
    static = {k: v for k, v in params.items() if k not in case.traced}
    if isinstance(case.value, dict):

        def model():
            for name, quantity in case.fn(**static).items():
                sx.deterministic(name, quantity)

        return float(sx.log_density(model)({k: jnp.asarray(v) for k, v in case.value.items()}))
    traced = [jnp.asarray(params[k]) for k in case.traced]
    law = sx.distribution(lambda *xs: case.fn(**static, **dict(zip(case.traced, xs))))(*traced)
    return float(jnp.sum(getattr(law, METHODS[case.quantity])(jnp.asarray(case.value))))


def unconstrained(case):
    """The density over the case's own coordinates: ours, less the change between the two."""
    found = sx.unconstrain(case.fn)()
    z = found.unconstrain({k: jnp.asarray(v) for k, v in case.value.items()})
    leaves, tree = jax.tree.flatten(z)
    sizes = [x.size for x in leaves]
    split = lambda v: jax.tree.unflatten(
        tree, [p.reshape(x.shape) for p, x in zip(jnp.split(v, jnp.cumsum(jnp.array(sizes))[:-1]), leaves)]
    )
    v = jnp.concatenate([jnp.ravel(x) for x in leaves])
    to_theirs = lambda v: jnp.ravel(case.coordinates(found.constrain(split(v))))
    jacobian = jax.jacfwd(to_theirs)(v)
    return float(found.log_density(z) - jnp.linalg.slogdet(jacobian)[1])


def check(case):
    try:
        got = unconstrained(case) if case.quantity == "logp_unconstrained" else density(case, None)
    except sx.errors.StoraxError:
        return "" if case.quantity == "must_refuse" or case.aspirational else "refused"
    except Exception as error:
        return "" if type(error).__name__ in case.also else f"raised {error!r}"
    wanted = case.allowed if case.quantity == "must_refuse" else [case.logp]
    tolerance = 1e-5 if case.tail else 1e-6
    if any(got == w or abs(got - w) <= tolerance * max(1.0, abs(w)) for w in wanted):
        return ""
    return f"gave {got} for {wanted}"


FAMILIES = [
    "elementwise", "arithmetic", "censoring", "comparison", "mixture", "order", "convolution", "linear_gaussian",
    "linalg", "cumulative", "shape", "loop", "derived_conditioning", "multivariate", "value_transform", "cdf",
]  # fmt: skip


@pytest.mark.parametrize("family", [*FAMILIES, None], ids=str)
def test_the_reference_programs(programs, family, x64):
    """`None`: all of the rest, which must be refused."""
    cases = [c for c in programs.CASES.values() if c.family == family or (family is None and c.family not in FAMILIES)]
    assert cases
    wrong = {c.id: said for c in cases if (said := check(c))}
    assert not wrong


def test_the_list_of_cases_is_the_one_in_text(programs, shared):
    cases = json.loads((shared / "logprob" / "cases.json").read_text())
    cases = cases["cases"] if isinstance(cases, dict) else cases
    assert {c["id"] for c in cases} == set(programs.CASES)
