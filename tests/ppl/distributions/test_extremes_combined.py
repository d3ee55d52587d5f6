"""Combined distributions where float arithmetic goes wrong: far tails, narrow windows, components far apart.

The numbers are mpmath's, with 900 digits, from the textbook formulas: log density, and its derivatives by central
differences with respect to the arguments (by their place); all inputs are floats of 32 bits.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax import bijections, distributions
from storax.distributions import (
    Categorical,
    Censored,
    Exponential,
    Folded,
    Mixture,
    MixtureSameFamily,
    Normal,
    Poisson,
    Transformed,
    Truncated,
)
from storax.errors import ArgumentTypeError, NotMeasurable, ParameterError, ShapeError

pytestmark = pytest.mark.long  # each case is a program of its own to compile

BUILD = {
    "truncated_normal_above": lambda m, s, a: Truncated(Normal(m, s), low=a),
    "truncated_normal_between": lambda m, s, a, b: Truncated(Normal(m, s), a, b),
    "truncated_exponential": lambda r, a: Truncated(Exponential(r), low=a),
    "truncated_poisson": lambda r: Truncated(Poisson(r), low=20),
    "censored_normal": lambda m, s, b: Censored(Normal(m, s), high=b),
    "folded_normal": lambda m, s: Folded(Normal(m, s)),
    "mixture": lambda v, w, a, b, s: Mixture(jnp.stack([v, w]), [Normal(a, s), Normal(b, s)]),
    "log_normal": lambda m, s: Transformed(Normal(m, s), bijections.Exp()),
}

CASES = [  # which, arguments with x first, log density, derivatives
    (
        "truncated_normal_above",
        (40.5, 0.0, 1.0, 40.0),
        -16.435496519450885,
        {0: -40.5, 1: 0.47503115279273628, 2: 38.251246111709451, 3: 40.024968847207264},
    ),
    (
        "truncated_normal_between",
        (-41.0, 0.0, 1.0, -42.0, -40.0),
        -36.810496519450885,
        {0: 41.0, 1: -0.97503115279273628, 2: 79.001246111709451, 3: 9.77650184342301e-35, 4: -40.024968847207264},
    ),
    (
        "truncated_normal_between",
        (0.5, 1.0, 2.0, 0.5, 0.5009765625),
        6.9314108095599633,
        {0: 0.125, 1: -0.0001220727936015261, 2: 6.0996659159511461e-5, 3: 1023.9375419604283, 4: -1024.0624198876347},
    ),
    ("truncated_exponential", (1025.0, 1.0, 1024.0), -1.0, {0: -1.0, 1: 3.3333333333333333e-41, 2: 1.0}),
    ("truncated_poisson", (21.0, 2.0), -2.4509645859935089, {1: 0.44790915011716505}),
    ("censored_normal", (40.0, 0.0, 1.0, 40.0), -804.60844201375379, {1: 40.024968847207264, 2: 1600.9987538882905}),
    ("folded_normal", (0.5, 100.0, 1.0), -4951.0439385332047, {0: 99.5, 1: -99.5, 2: 9899.25}),
    (
        "folded_normal",
        (9.5367431640625e-07, 0.5, 2.0),
        -0.95018853320477932,
        {0: -2.2351741790771491e-7, 1: -0.12499999999997158, 2: -0.46874999999990052},
    ),
    (
        "mixture",
        (100.0, 0.5, 0.5, -1.0, 1.0, 1.0),
        -4902.1120857137646,
        {0: -99.0, 1: 2.7677930534734751e-87, 2: 2.0, 3: 1.3977354920041049e-85, 4: 99.0, 5: 9800.0},
    ),
    (
        "mixture",
        (-1024.0, 0.25, 0.75, -1.0, 1024.0, 8.0),
        -8180.3924869360044,
        {0: 15.984375, 1: 4.0, 2: 0.0, 3: -15.984375, 4: 0.0, 5: 2043.876953125},
    ),
    (
        "log_normal",
        (9.5367431640625e-07, 0.5, 2.0),
        -13.535910749875646,
        {0: 2716583.4900141261, 1: -3.5907359027997265, 2: 25.286768647309935},
    ),
]


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("which, arguments, log_prob, slopes", CASES)
def test_hard_cases(which, arguments, log_prob, slopes, dtype):
    with jax.enable_x64(dtype == jnp.float64):
        tolerance = 1e-10 if dtype == jnp.float64 else 1e-5
        x = tuple(jnp.asarray(v, dtype) for v in arguments)
        f = lambda *x: BUILD[which](*x[1:]).log_prob(x[0])
        got, gradients = jax.value_and_grad(f, tuple(slopes))(*x)
        assert got.dtype == dtype
        assert abs(float(got) - log_prob) <= tolerance * max(1, abs(log_prob))
        largest = max(map(abs, arguments)) if dtype == jnp.float32 else 1.0  # of the terms, as 40.5 - 40.02 is
        for g, expected in zip(gradients, slopes.values()):
            assert abs(float(g) - expected) <= tolerance * max(largest, abs(expected))


@pytest.mark.parametrize("low, high", [(0.25, 0.25 + 2**-16), (-0.5, 2.0), (3.0, 3.001), (-30.0, -29.0)])
def test_windows_of_a_kinked_density(low, high, x64):
    """Laplace's mass between two points in closed form; where the kink lies within, the difference is used."""
    d = distributions.Laplace(0.25, 1.0)
    cdf = lambda z: np.where(z < 0, 0.5 * np.exp(z), 0.5 - 0.5 * np.expm1(-z))
    mass = (
        0.5 * (-np.expm1(-(high - 0.25)) + np.expm1(-(low - 0.25)))
        if low >= 0.25
        else cdf(high - 0.25) - cdf(low - 0.25)
    )
    x = 0.5 * (low + high)
    got = Truncated(d, low, high).log_prob(x)
    np.testing.assert_allclose(got, -abs(x - 0.25) - np.log(2.0) - np.log(mass), rtol=1e-10)


def test_a_censored_density_and_its_masses_make_one(x64):
    d = Censored(Normal(0.5, 2.0), -1.0, 1.5)
    x = jnp.linspace(-1.0, 1.5, 20001)[1:-1]
    density = jnp.exp(d.log_prob(x)).sum() * 2.5 / 20000
    masses = jnp.exp(d.log_prob(jnp.array([-1.0, 1.5])))
    between = Normal(0.5, 2.0).cdf(1.5) - Normal(0.5, 2.0).cdf(-1.0)
    np.testing.assert_allclose(density, between, rtol=1e-3)
    np.testing.assert_allclose(masses.sum() + between, 1.0, rtol=1e-12)
    draws = d.sample(jax.random.key(0), (4000,))
    assert abs(float((draws == -1.0).mean() - masses[0])) < 0.03 and bool(d.support(draws).all())
    assert d.log_prob(jnp.array([-1.1, 1.6])).tolist() == [-np.inf] * 2 and np.isnan(d.log_prob(jnp.nan))
    with pytest.raises(ArgumentTypeError, match="its bounds have a probability of their own"):
        bijections.biject_to(d.support)


def test_truncated_draws_far_out():
    d = Truncated(Normal(0.0, 1.0), low=40.0)
    x = d.sample(jax.random.key(0), (4000,))
    assert x.dtype == jnp.float32 and bool((x >= 40.0).all())
    np.testing.assert_allclose((x - 40.0).mean(), 0.02496885, rtol=0.1)
    slope = jax.grad(lambda m: Truncated(Normal(m, 1.0), low=40.0).icdf(0.5))(0.0)
    np.testing.assert_allclose(slope, 4.3e-4, rtol=0.1)  # finite difference in 64 bits: a bound that does not move


def test_parts_and_shapes_of_a_batch():
    batch = Truncated(Normal(jnp.zeros((2, 3)), 1.0), low=jnp.array([0.0, 1.0, 2.0]))
    assert batch.batch_shape == (2, 3) and float(batch[1, 2].low) == 2.0
    mixture = MixtureSameFamily(jnp.array([[0.2, 0.8], [0.5, 0.5]]), Normal(jnp.zeros((3, 2, 2)), 1.0))
    assert mixture.batch_shape == (3, 2) and mixture.sample(jax.random.key(0), (4,)).shape == (4, 3, 2)
    np.testing.assert_allclose(mixture[0].log_prob(jnp.ones(2)), mixture.log_prob(jnp.ones(2))[0], rtol=1e-6)
    flows = Transformed(Normal(jnp.zeros((2, 3)), 1.0), bijections.Ordered())
    assert (flows.batch_shape, flows.event_shape) == ((2,), (3,)) and flows[1].shape == (3,)
    scaled = Transformed(Normal(0.0, 1.0).expand((3,)), bijections.Affine(jnp.arange(3.0), 1.0))
    assert scaled.mean.tolist() == [0.0, 1.0, 2.0] and float(scaled[2].mean) == 2.0
    whole = scaled.to_event().mask(False)
    assert whole.log_prob(jnp.zeros(3)).item() == 0.0


def test_an_improper_prior(x64):
    import storax as sx

    d = sx.Improper(sx.supports.positive, (2,))
    assert d.shape == (2,) and d.log_prob(jnp.array([3.0, -1.0])).tolist() == [0.0, -np.inf]
    with pytest.raises(NotMeasurable, match="has no draws"):
        d.sample(jax.random.key(0))
    with pytest.raises(ShapeError, match="has 1 axes, but event_shape is"):
        sx.Improper(sx.supports.simplex)
    density = sx.unconstrain(lambda: sx.sample("x", sx.Improper(sx.supports.positive)))()
    assert density.log_density({"x": jnp.array(0.5)}) == 0.5  # flat in x: the Jacobian alone


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ParameterError, match=r"Truncated \(.*\): high must be above low, and low is 1\.0, high is 0\.0"
    ):
        Truncated(Normal(0.0, 1.0), 1.0, 0.0)
    with pytest.raises(ParameterError, match="got neither"):
        Truncated(Normal(0.0, 1.0), high=np.inf)
    with pytest.raises(ParameterError, match="nothing of the base, whose support is nonnegative"):
        Truncated(Exponential(1.0), high=-1.0)
    with pytest.raises(ParameterError, match="high must be whole"):
        Censored(Poisson(1.0), high=2.5)
    with pytest.raises(ArgumentTypeError, match=r"has event shape \(3,\)"):
        Folded(Normal(jnp.zeros(3), 1.0).to_event())
    with pytest.raises(ArgumentTypeError, match="Mask the result instead"):
        Truncated(Normal(0.0, 1.0).mask(True), low=0.0)
    with pytest.raises(ParameterError, match="must have the same support, and theirs are real and nonnegative"):
        Mixture([0.5, 0.5], [Normal(0.0, 1.0), Exponential(1.0)])
    with pytest.raises(ShapeError, match="3 categories, and there are 2 components"):
        Mixture([0.5, 0.25, 0.25], [Normal(0.0, 1.0), Normal(0.0, 1.0)])
    with pytest.raises(ArgumentTypeError, match="a density and a mass"):
        Mixture([0.5, 0.5], [Normal(0.0, 1.0), Poisson(1.0)])
    with pytest.raises(ArgumentTypeError, match="for one batch of them use"):
        Mixture([0.5, 0.5], Normal(jnp.zeros(2), 1.0))
    with pytest.raises(ParameterError, match=r"Categorical \(.*\): probs must be"):
        Mixture([0.5, 0.6], [Normal(0.0, 1.0), Normal(0.0, 1.0)])
    with pytest.raises(ParameterError, match="must have the same support"):
        MixtureSameFamily([0.5, 0.5], distributions.Uniform(jnp.array([0.0, 1.0]), 2.0))
    with pytest.raises(ArgumentTypeError, match="a bijection changes densities"):
        Transformed(Poisson(1.0), bijections.Exp())
    with pytest.raises(ShapeError, match=r"base\.expand\(\(3,\)\)"):
        Transformed(Normal(0.0, 1.0), bijections.Affine(jnp.zeros(3), 1.0))
    with pytest.raises(NotMeasurable, match="not known to be monotone"):
        Transformed(Normal(0.0, 1.0), bijections.Invertible(jnp.sinh, jnp.arcsinh)).log_cdf(0.0)
    assert not Mixture(Categorical([0.5, 0.5]), [Poisson(1.0), Poisson(2.0)]).reparameterized
