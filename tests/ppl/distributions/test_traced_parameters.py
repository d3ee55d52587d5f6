"""A wrong parameter that is traced cannot be refused: its density is nan, and none is made up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from specimens import draws, each

import storax as sx

WRONG = [-1.0, 2.0, 0.0, 1.5, -0.5, np.nan]


def wrong_value(d, name):
    """A value like the parameter that is outside of its support."""
    like = np.asarray(getattr(d, name))
    for number in WRONG:
        bad = np.full(like.shape, number)
        if not np.asarray(d.parameters[name](bad)).any():
            return bad
    raise AssertionError(f"no number is outside of {d.parameters[name]}")


@each()
def test_densities_of_wrong_parameters_are_nan(d):
    x = draws(d, 3)
    for name in d.parameters:
        if getattr(d, name) is None or getattr(d, "precision_tril", None) is not None:  # one of two, and the other says
            continue

        @jax.jit
        def score(bad, name=name):
            broken = jax.tree.map(lambda v: v, d)
            object.__setattr__(broken, name, bad)
            return broken.log_prob(x)

        for bad in (wrong_value(d, name), np.full(np.shape(getattr(d, name)), np.nan)):
            assert np.isnan(score(bad)).all(), (name, bad)


PAIRS = {
    "Uniform": (lambda a: sx.Uniform(a, 1.0), 2.0, 1.5),
    "LogUniform": (lambda a: sx.LogUniform(a, 1.0), 2.0, 1.5),
    "Triangular": (lambda a: sx.Triangular(0.0, 1.0, a), 2.0, 0.5),
    "PowerLaw": (lambda a: sx.PowerLaw(-1.7, a, 1.0), 2.0, 1.5),
    "TruncatedNormal": (lambda a: sx.TruncatedNormal(0.0, 1.0, low=a, high=1.0), 2.0, 1.5),
    "Truncated": (lambda a: sx.Truncated(sx.Normal(0.0, 1.0), a, 1.0), 2.0, 1.5),
    "Censored": (lambda a: sx.Censored(sx.Normal(0.0, 1.0), a, 1.0), 2.0, 1.5),
    "OrderedLogistic": (lambda a: sx.OrderedLogistic(0.0, jnp.array([0.0, 1.0]) * a), -1.0, 0),
    "OrderedProbit": (lambda a: sx.OrderedProbit(0.0, jnp.array([0.0, 1.0]) * a), -1.0, 2),
    "DiscreteUniform": (lambda a: sx.DiscreteUniform(a, 1), 3, 2),
    "HyperGeometric": (lambda a: sx.HyperGeometric(10, a, 3), 12, 2),
    "Geometric": (lambda a: sx.Geometric(a), 0.0, 1),
    "NegativeBinomial": (lambda a: sx.NegativeBinomial(2.0, a), 1.0, 1),
    "Mixture": (lambda a: sx.Mixture(jnp.array([0.5, 0.6]) * a, [sx.Normal(0.0, 1.0)] * 2), 1.0, 0.5),
    "Interpolated": (lambda a: sx.Interpolated(jnp.stack([0.0, a, 1.0]), jnp.ones(3)), 1.5, 0.5),
    "Wishart": (lambda a: sx.Wishart(a, jnp.eye(3)), 1.5, np.eye(3)),
    "GaussianCopula": (lambda a: sx.GaussianCopula(sx.Normal(jnp.zeros(2), 1.0), jnp.array([[1, a], [a, 1]])), 1.5,
                       np.zeros(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_so_are_those_of_parameters_that_do_not_go_together(name):
    make, a, x = PAIRS[name]
    assert np.isnan(jax.jit(lambda a: make(a).log_prob(x))(a))
