"""Handlers together: order, nesting, how often a model is staged, and what is a model."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from two_levels import GIVEN, N, model, normal, traced, y

import storax as sx


def test_every_order_of_commuting_handlers_agrees():
    give = {
        "seed": lambda f: sx.seed(f, 3),
        "condition": lambda f: sx.condition(f, mu=0.5),
        "substitute": lambda f: sx.substitute(f, tau=2.0),
        "scale": lambda f: sx.scale(f, 2.0),
    }
    results = []
    for order in itertools.permutations(give):
        f = model
        for name in order:
            f = give[name](f)
        t = traced(f, y)
        results.append(t)
        assert t["mu"].observed and not t["tau"].observed
    for t in results[1:]:
        for name in t:
            np.testing.assert_allclose(t[name].value, results[0][name].value, rtol=1e-6)
            if t[name].log_prob is not None:
                np.testing.assert_allclose(t[name].log_prob, results[0][name].log_prob, rtol=1e-6)


def test_however_many_handlers_the_model_is_staged_once():
    calls = []

    def counted(y):
        calls.append(1)
        return model(y)

    f = sx.trace(sx.seed(sx.scale(sx.condition(sx.substitute(counted, tau=1.0), mu=0.0), 2.0), 0))
    f(y)
    f(2 * y)
    sx.trace(sx.seed(counted, 1))(y)
    sx.log_density(counted)(GIVEN, y)
    assert len(calls) == 1
    f(jnp.zeros(3, jnp.int32) + 1)
    assert len(calls) == 2  # another dtype


def test_a_transformed_model_is_a_function_that_jax_stages():
    f = sx.condition(model, mu=0.5)
    text = str(jax.make_jaxpr(f)())
    assert "observe[site=mu]" in text and "sample[site=tau]" in text
    assert list(traced(sx.seed(lambda: f(), 0))) == ["mu", "tau", "theta", "total", "y"]


def test_handlers_inside_of_a_model():
    def outer():
        x = sx.sample("x", N(0.0, 1.0))
        return sx.seed(sx.condition(model, mu=x), 5)(y), sx.sample("z", N(x, 1.0))

    assert list(traced(sx.seed(outer, 0))) == ["x", "z"]
    with pytest.raises(sx.errors.UnhandledSiteError):
        outer()


def test_a_closure_that_changes_is_seen():
    data = np.array([1.0, 2.0])
    scale = 1.0

    def closed():
        return sx.sample("y", N(0.0, scale), obs=data)

    f = sx.log_density(closed)
    assert f({}) == f({})
    np.testing.assert_allclose(f({}), normal(data).sum(), rtol=1e-6)
    data[0] = 5.0
    np.testing.assert_allclose(f({}), normal(data).sum(), rtol=1e-6)
    data = np.array([0.0, 0.0])
    scale = 2.0
    np.testing.assert_allclose(f({}), normal(data, 0, 2.0).sum(), rtol=1e-6)


def test_attributes_containers_and_helpers_that_change_are_seen():
    class Config:
        scale = 2.0

    config, table, state = Config(), {"scale": 2.0}, [2.0]

    def helper():
        return state[0]

    class Owner:
        def __init__(self):
            self.scale = 2.0

        def model(self):
            sx.sample("y", N(0.0, self.scale), obs=1.0)

    owner = Owner()
    models = {
        "attribute": (lambda: sx.sample("y", N(0.0, config.scale), obs=1.0), lambda: setattr(config, "scale", 1.0)),
        "dict": (lambda: sx.sample("y", N(0.0, table["scale"]), obs=1.0), lambda: table.update(scale=1.0)),
        "helper": (lambda: sx.sample("y", N(0.0, helper()), obs=1.0), lambda: state.__setitem__(0, 1.0)),
        "method": (owner.model, lambda: setattr(owner, "scale", 1.0)),
    }
    for kind, (f, change) in models.items():
        np.testing.assert_allclose(sx.log_density(f)({}), normal(1.0, 0, 2.0), rtol=1e-6, err_msg=kind)
        change()
        np.testing.assert_allclose(sx.log_density(f)({}), normal(1.0), rtol=1e-6, err_msg=kind)


def test_a_model_may_return_anything():
    out = sx.seed(lambda: ("text", sx.sample("x", N(0.0, 1.0)), None, {"n": 3, "f": len}), 0)()
    assert out[0] == "text" and out[1].shape == () and out[2] is None and out[3] == {"n": 3, "f": len}


def test_what_is_no_model():
    for call in (
        lambda: sx.seed(3.0, 0),
        lambda: sx.trace(jnp.zeros(3)),
        lambda: sx.log_density(None),
    ):
        with pytest.raises(sx.errors.ArgumentTypeError, match="needs a model"):
            call()
