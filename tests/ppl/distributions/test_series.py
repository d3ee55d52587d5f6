"""Processes in time and space, against normals whose covariance is built by hand, and what only they can do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gaussians import BY_HAND
from scipy import stats
from specimens import ALL, ask, double, draws, each, has

import storax as sx
from storax.errors import ArgumentTypeError, NotMeasurable, ParameterError, ShapeError

NORMAL = [d for d in ALL if d.name in BY_HAND]
PATH = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)


@each(NORMAL)
def test_is_the_normal_with_the_covariance_built_by_hand(d, x64):
    d = double(d)
    mean, covariance = BY_HAND[d.name](d)
    judge = stats.multivariate_normal(mean, covariance)
    x = np.asarray(draws(d, 20))
    np.testing.assert_allclose(ask("log_prob", d, x), judge.logpdf(x.reshape(20, -1)), rtol=1e-8)
    np.testing.assert_allclose(np.ravel(d.mean), mean, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(np.ravel(d.variance), np.diag(covariance), rtol=1e-7)
    if has(d, "entropy"):  # a start may have none
        np.testing.assert_allclose(d.entropy(), judge.entropy(), rtol=1e-7)
    if has(d, "mode"):
        np.testing.assert_allclose(d.log_prob(d.mode), judge.logpdf(mean), rtol=1e-7)
    if d.event_dim == 1:
        np.testing.assert_allclose(d.covariance, covariance, rtol=1e-6, atol=1e-9)


BATCHES = {
    "CAR": lambda: sx.CAR(jnp.zeros((3, 1, 4)), jnp.array([0.5, -0.5]), 2.0, PATH),
    "ICAR": lambda: sx.ICAR(PATH, jnp.ones((3, 1)), jnp.array([0.5, 1.0])),
    "ZeroSumNormal": lambda: sx.ZeroSumNormal(jnp.ones((3, 2)), (2, 4)),
    "GaussianRandomWalk": lambda: sx.GaussianRandomWalk(jnp.ones((3, 1)), 4, sx.Normal(jnp.zeros(2), 1.0)),
    "AR": lambda: sx.AR(jnp.ones((3, 1, 2)), 1.0, 4, constant=jnp.ones(2), init=jnp.ones((2, 2))),
    "AR from a start": lambda: sx.AR(
        jnp.ones((3, 2, 1)), jnp.ones(2), 4, init_dist=sx.Normal(jnp.ones(1), 1.0).to_event()
    ),
    "GaussianStateSpace": lambda: sx.GaussianStateSpace(
        4, jnp.ones((3, 1, 2, 2)), jnp.eye(2), initial_value=jnp.ones((2, 2))
    ),
    "EulerMaruyama": lambda: sx.EulerMaruyama(
        jnp.cumsum(jnp.ones((3, 1, 4)), -1), lambda x, t: (-x, 1.0), sx.Normal(jnp.zeros(2), 1.0)
    ),
    "GARCH11": lambda: sx.GARCH11(jnp.ones((3, 1)), jnp.full(2, 0.5), 0.2, 1.0, 4),
    "StickBreakingWeights": lambda: sx.StickBreakingWeights(jnp.ones((3, 2)), 3),
    "CirculantNormal": lambda: sx.CirculantNormal(jnp.zeros((3, 1, 4)), covariance_rfft=jnp.ones((2, 3))),
    "ProjectedNormal": lambda: sx.ProjectedNormal(jnp.ones((3, 2, 4))),
    "GaussianCopula": lambda: sx.GaussianCopula(sx.Normal(jnp.zeros((3, 1, 2)), 1.0), jnp.stack([jnp.eye(2)] * 2)),
    "SineBivariateVonMises": lambda: sx.SineBivariateVonMises(jnp.zeros(2), 0.0, jnp.ones((3, 1)), 2.0, 0.5),
}


@pytest.mark.long
@pytest.mark.parametrize("name", BATCHES)
def test_batches(name):
    """Draws, densities and moments of a batch are those of its parts."""
    d = BATCHES[name]()
    assert d.batch_shape == (3, 2)
    x = d.sample(jax.random.key(0), (5,))
    assert x.shape == (5, *d.shape)
    score = d.log_prob(x)
    assert score.shape == (5, 3, 2)
    part = d[1:, 1]
    assert part.batch_shape == (2,)
    np.testing.assert_allclose(part.log_prob(x[:, 1:, 1]), score[:, 1:, 1], rtol=1e-5, atol=1e-5)
    assert d.log_prob(x[0, 0, 0]).shape == (3, 2)
    for moment in ("mean", "variance", "covariance", "mode"):
        try:
            whole, own = getattr(d, moment), getattr(part, moment)
        except NotMeasurable:
            continue
        assert whole.shape == (d.shape if moment != "covariance" else (*d.shape, d.shape[-1]))
        np.testing.assert_allclose(own, whole[1:, 1], rtol=1e-5, atol=1e-5)


def test_an_sde_may_close_over_draws():
    """What sde_fn closes over is a value of the trace: it gets gradients, and does not outlive the trace."""
    t = jnp.linspace(0.0, 1.0, 6)

    def model(y=None):
        pull = sx.sample("pull", sx.HalfNormal(1.0))
        sx.sample("x", sx.EulerMaruyama(t, lambda x, t: (-pull * x, 0.5), sx.Normal(0.0, 1.0)), obs=y)

    _, trace = sx.trace(sx.seed(model, 0))()
    y = trace["x"].value
    got, slope = jax.value_and_grad(lambda v: sx.log_density(model)({"pull": v}, y))(0.7)

    def by_hand(v):
        steps = jax.scipy.stats.norm.logpdf(y[1:], y[:-1] * (1 - 0.2 * v), 0.5 * jnp.sqrt(0.2)).sum()
        return steps + jax.scipy.stats.norm.logpdf(y[0]) + sx.HalfNormal(1.0).log_prob(v)

    expected, expected_slope = jax.value_and_grad(by_hand)(0.7)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-4)


def test_a_graph_may_be_an_argument_of_the_model(x64):
    x, d = jnp.array([0.5, -1.0, 2.0, 0.0]), sx.CAR(0.0, -0.7, 2.0, PATH)
    traced = jax.jit(lambda w: sx.CAR(0.0, -0.7, 2.0, w).log_prob(x))(PATH)
    np.testing.assert_allclose(traced, d.log_prob(x), rtol=1e-10)
    covariance = jax.jit(lambda w: sx.CAR(0.0, -0.7, 2.0, w).covariance)(PATH)
    np.testing.assert_allclose(covariance, d.covariance, rtol=1e-8, atol=1e-10)


def test_improper_means_no_draws():
    d = sx.ICAR(PATH, 2.0, zero_sum_stdev=None)
    for use in (lambda: d.sample(jax.random.key(0)), lambda: d.mean, lambda: d.variance, d.entropy):
        with pytest.raises(NotMeasurable, match="improper"):
            use()
    x = jnp.array([0.0, 1.0, 3.0, 2.0])
    # n - 1 normal differences: scale counts for as many.
    np.testing.assert_allclose(
        d.log_prob(x) - sx.ICAR(PATH, 1.0, None).log_prob(x), -0.5 * 6 * (0.25 - 1) - 3 * np.log(2.0), rtol=1e-5
    )


NORMALS = functools.partial(sx.Normal, 0.0)
BAD = [
    (lambda: sx.CAR(0.0, 1.0, 1.0, PATH), ParameterError, "CAR: correlation must be strictly between"),
    (lambda: sx.CAR(0.0, 0.5, 1.0, np.triu(PATH)), ParameterError, "CAR: adj_matrix must be symmetric"),
    (lambda: sx.CAR(0.0, 0.5, 1.0, -PATH), ParameterError, "CAR: adj_matrix must be not negative"),
    (lambda: sx.CAR(0.0, 0.5, 1.0, np.eye(3)), ParameterError, "CAR: adj_matrix must be zero on its diagonal"),
    (lambda: sx.CAR(0.0, 0.5, 1.0, np.zeros((2, 2))), ParameterError, "CAR: each node needs a neighbour"),
    (lambda: sx.CAR(np.zeros(3), 0.5, 1.0, PATH), ShapeError, r"CAR: loc has shape \(3,\), but adj_matrix"),
    (lambda: sx.ICAR(np.zeros(3)), ShapeError, "ICAR: adj_matrix must be a square matrix"),
    (lambda: jax.jit(lambda w: sx.ICAR(w).log_prob(jnp.zeros(4)))(PATH), ArgumentTypeError, "close over it"),
    (lambda: sx.ZeroSumNormal(1.0, (1,)), ShapeError, "ZeroSumNormal: event_shape"),
    (lambda: sx.GaussianRandomWalk(1.0, 0), ParameterError, "num_steps must be at least 1"),
    (lambda: sx.GaussianRandomWalk(1.0, 2, sx.Poisson(1.0)), ArgumentTypeError, "init_dist must be a continuous"),
    (lambda: sx.GaussianRandomWalk(1.0, 2, sx.Dirichlet([1.0, 1.0])), ShapeError, r"event shape \(\)"),
    (lambda: sx.GaussianRandomWalk(np.ones(2), 2, NORMALS(np.ones(3))), ShapeError, "batch shapes do not broadcast"),
    (lambda: sx.AR([0.5], 1.0, 3, init=[1.0, 2.0]), ShapeError, r"AR: init has shape \(2,\)"),
    (lambda: sx.AR([0.5, 0.1], 1.0, 1, init_dist=NORMALS(np.ones(2)).to_event()), ParameterError, "at least 2"),
    (lambda: sx.AR([0.5], 1.0, 3, 0.0, [0.0], NORMALS(np.ones(1)).to_event()), ParameterError, "at most one of init"),
    (lambda: sx.GaussianStateSpace(2, np.eye(2)), ParameterError, "GaussianStateSpace needs one of"),
    (lambda: sx.GaussianStateSpace(2, np.eye(2), np.eye(3)), ShapeError, "transition_matrix has shape"),
    (lambda: sx.GaussianStateSpace(2, np.eye(2), -np.eye(2)), ParameterError, "GaussianStateSpace: covariance_matrix"),
    (lambda: sx.EulerMaruyama([0.0, 0.0], lambda x, t: (x, x), NORMALS(1.0)), ParameterError, "t must increase"),
    (lambda: sx.EulerMaruyama([0.0, 1.0], lambda x, t: x, NORMALS(1.0)), ArgumentTypeError, "a drift and a diffusion"),
    (lambda: sx.EulerMaruyama([0.0, 1.0], 3.0, NORMALS(1.0)), ArgumentTypeError, "sde_fn must be a function"),
    (lambda: sx.GARCH11(1.0, 0.1, 0.1, 1.0, 0), ParameterError, "num_steps must be at least 1"),
    (lambda: sx.StickBreakingWeights(1.0, 0), ParameterError, "K must be at least 1"),
    (lambda: sx.CirculantNormal(np.zeros(3)), ParameterError, "CirculantNormal needs one of"),
    (lambda: sx.CirculantNormal(np.zeros(3), [1.0, 0.5, 0.4]), ParameterError, "the same from both ends"),
    (lambda: sx.CirculantNormal(np.zeros(3), [1.0, 2.0, 2.0]), ParameterError, "positive definite"),
    (lambda: sx.CirculantNormal(np.zeros(4), [1.0, 0.0, 0.0]), ShapeError, "loc must be a vector"),
    (lambda: sx.ProjectedNormal([1.0]), ShapeError, "at least 2 numbers"),
    (lambda: sx.GaussianCopula(NORMALS(np.ones(2))), ParameterError, "GaussianCopula needs one of"),
    (lambda: sx.GaussianCopula(NORMALS(1.0), np.eye(2)), ShapeError, "marginal_dist has batch shape"),
    (lambda: sx.GaussianCopula(NORMALS(np.ones(2)), 2 * np.eye(2)), ParameterError, "diagonal of correlation_matrix"),
    (lambda: sx.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0), ParameterError, "needs one of correlation and weighted"),
]


@pytest.mark.parametrize("build, error, message", BAD, ids=[message for _, _, message in BAD])
def test_what_does_not_fit_is_refused(build, error, message):
    with pytest.raises(error, match=message.replace(": ", r" \(test_series\.py:\d+\): ", 1)):
        build()
