"""Vectors and matrices where floats go wrong, against 60 digits.

The numbers are of mpmath, by the textbook formulas (inverses, determinants, log gamma functions) and by central
differences with 130 digits: the log density, and its gradient in every number of the arguments.
"""
# ruff: noqa: E501

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from storax.distributions import (
    LKJ,
    Dirichlet,
    HalfNormal,
    InverseWishart,
    KroneckerNormal,
    LKJCholesky,
    LKJCovariance,
    LowRankMultivariateNormal,
    MatrixNormal,
    MultivariateNormal,
    MultivariateStudentT,
    Wishart,
)
from storax.errors import ParameterError, ShapeError

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions


def pair(r):
    """[[1, r], [r, 1]]."""
    return jnp.eye(2, dtype=r.dtype) + r * (1 - jnp.eye(2, dtype=r.dtype))


def equal(d, r):
    """A correlation matrix of equal entries."""
    identity = jnp.eye(d, dtype=r.dtype)
    return identity + r * (1 - identity)


def turned(d, c):
    """Its rows are (c, 0, ..., 0, sqrt(1 - c^2))."""
    identity = jnp.eye(d, dtype=c.dtype)
    rest = identity * jnp.sqrt(1 - c * c) + c * (jnp.arange(d) == 0)[None] * (jnp.arange(d) > 0)[:, None]
    return rest.at[0, 0].set(1.0)


def scatter(s):
    return s * jnp.array([[1.0, 0.5], [0.5, 2.0]], s.dtype)


half = jnp.linalg.cholesky
FUNCTIONS = {
    "mvn": lambda x, r: MultivariateNormal(0.0, covariance_matrix=pair(r)).log_prob(x),
    "precision": lambda x, r: MultivariateNormal(0.0, precision_matrix=pair(-r)).log_prob(x),
    "student": lambda x, df: MultivariateStudentT(df, 0.0, half(pair(jnp.full((), 0.5, df.dtype)))).log_prob(x),
    "student3": lambda x, df: MultivariateStudentT(df, 0.0, jnp.diag(jnp.array([1.0, 2.0, 1.0], df.dtype))).log_prob(x),
    "low_rank": lambda x, f, d: LowRankMultivariateNormal(0.0, f[:, None], jnp.full(3, d)).log_prob(x),
    "kronecker": lambda x, r, s: KroneckerNormal(0.0, [pair(r), pair(s)]).log_prob(x),
    "dirichlet": lambda x, a: Dirichlet(a).log_prob(x),
    "lkj": lambda r, eta: LKJ(50, eta).log_prob(equal(50, r)),
    "lkj2": lambda r, eta: LKJ(2, eta).log_prob(equal(2, r)),
    "lkj_cholesky": lambda c, eta: LKJCholesky(50, eta).log_prob(turned(50, c)),
    "wishart": lambda s, r, nu: Wishart(nu, pair(r)).log_prob(scatter(s)),
    "inverse_wishart": lambda s, r, nu: InverseWishart(nu, pair(r)).log_prob(scatter(s)),
}

# fmt: off
CASES = [  # function, its arguments, log density, gradient
    ("mvn", ([1.0, 1.0], 1 - 2.0**-20), 4.2470211489100781, [-0.50000023841869279, -0.50000023841869279, 524288.00000011921]),
    ("mvn", ([1.0, -1.0], 1 - 2.0**-20), -1048571.2529786127, [-1048576.0, 1048576.0, -1099511103488.25]),
    ("mvn", ([2.0**60, 2.0**59], 2.0**-1), -6.6461399789245794e+35, [-1.152921504606847e+18, 0.0, 0.66666666666666667]),
    ("precision", ([1.0, 1.0], 1 - 2.0**-20), -8.4227764738217783, [-9.5367431640625e-7, -9.5367431640625e-7, -524286.74999988079]),
    ("precision", ([1024.0, 1024.0], 1 - 2.0**-20), -9.4227755201474619, [-0.0009765625, -0.0009765625, 524288.25000011921]),
    ("student", ([1.0, 2.0], 2.0**33), -3.694036030183455, [0.0, -1.9999999995343387, 8.4145163164799875e-30]),
    ("student", ([1.0, 2.0], 2.0**-10), -10.01610783618616, [0.0, -1.0002440810349036, 1020.0909338409678]),
    ("student", ([2.0**80, 1.0], 3.0), -276.92558271362076, [-4.1359030627651384e-24, 2.0679515313825692e-24, -54.212976003354127]),
    ("student", ([1.0, 2.0**-20], 40.0), -2.3826216634294293, [-1.3548381053197557, 0.67741808360368783, 0.000540572211378044]),
    ("student3", ([1.0, 2.0, -3.0], 2.0**33), -8.9499627784859414, [-0.99999999906867743, -0.49999999953433871, 2.9999999972060323, -1.9651164334779389e-19]),
    ("student3", ([1.0, 2.0, -3.0], 0.75), -8.0485942802798641, [-0.31914893617021277, -0.15957446808510638, 0.9574468085106383, 0.51107743562121269]),
    ("low_rank", ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 2.0**-20), 9.2865993467772575, [-0.071428566562886472, -0.14285713312577294, -0.21428569968865942, -4.8656846248900446e-9, -9.7313692497800892e-9, -1.4597053874670134e-8, -1048576.0000000024]),
    ("low_rank", ([1.0, 2.0, -3.0], [1.0, 2.0, 3.0], 2.0**-10), -6580.042863671589, [-1316.5510218316245, -2633.1020436632489, 2194.3469345051266, -376.20262156813377, -752.40524313626753, 626.69826628534551, 6739821.6814889648]),
    ("low_rank", ([1.0, 2.0, -3.0], [1.0, 2.0, 3.0], 2.0**20), -23.551244367800966, [-9.5367795433648548e-7, -1.907355908672971e-6, 2.8610120354280436e-6, -9.5366522159453871e-7, -1.9073304431890774e-6, -2.8609738372022032e-6, -1.430498741782428e-6]),
    ("kronecker", ([1.0, -1.0, 2.0, 2.0**-1], 0.75, 1 - 2.0**-10), -1022.3968491765699, [-1022.928048014516, 1025.071951985484, -1.4292693139786447, -1.4292693139786447, -2.6968684884799059, -1047551.6065145472]),
    ("dirichlet", ([2.0**-100, 2.0**-2, 0.75], [2.0**-13, 2.0**-13, 2.0**-13]), 51.859589967736002, [-1.2674958577233187e+30, -3.99951171875, -1.3331705729166667, 5392.0190167293248, 5459.9474404241994, 5461.0460527128675]),
    ("dirichlet", ([2.0**-2, 2.0**-2, 2.0**-1], [2.0**-13, 2.0**-20, 2.0**-3]), -19.49589549289848, [-3.99951171875, -3.9999961853027344, -1.75, 8182.8102644149297, 1048566.8104636259, -0.68511062641048307]),
    ("dirichlet", ([2.0**-2, 2.0**-2, 2.0**-1], [2.0**20, 2.0**20, 2.0**21]), 15.14422867849538, [4194300.0, 4194300.0, 4194302.0, 3.5762793970661733e-7, 3.5762793970661733e-7, 1.1920930376163597e-7]),
    ("dirichlet", ([2.0**-2, 2.0**-2, 2.0**-1], [3.0, 2.0**-1, 12.0]), -1.9349660060821519, [8.0, -2.0, 22.0, 0.39915654637200767, 3.2854509074918983, -0.42757361794539189]),
    ("lkj", (2.0**-8, 1.0), 970.40432091364672, [0.0, 46.897126016738141]),
    ("lkj", (2.0**-1, 2.5), 988.92879136733798, [-144.11764705882353, 9.2092721984042626]),
    ("lkj", (2.0**-8, 1024.0), 3536.6892427103528, [-8249.7666345226615, 0.57245573264739707]),
    ("lkj", (2.0**-8, 2.0**-10), 914.20991933194889, [8.0564127290260366, 1077.8020881094431]),
    ("lkj2", (1 - 2.0**-20, 2.0**-10), 6.2241117354930973, [1047551.5004880431, 1009.4471146291121]),
    ("lkj2", (2.0**-12, 2.0**24), 6.745401246146386, [-8192.0, -2.9802323719963013e-8]),
    ("lkj_cholesky", (2.0**-1, 1.0), 801.24726231199954, [-784.0, 32.817351201208707]),
    ("lkj_cholesky", (2.0**-12, 2.0**20), 7786.8525744567741, [-25088.264678970854, 0.00058119611748590365]),
    ("lkj_cholesky", (2.0**-1, 2.0**-10), 759.11888576573785, [-718.73046875, 1063.7223132939136]),
    ("wishart", (2.0**20, 2.0**-1, 2.0**20), -254847.64984289248, [-0.66666952768961589, -932067.55555555556, 0.4236503607060617]),
    ("wishart", (1.0, 1 - 2.0**-10, 1.125), -514.06599433874016, [-514.37524425989253, -523712.03114307663, 11.787707070032375]),
    ("wishart", (2.0**-30, 2.0**-1, 5.0), -44.632793582281394, [2147483646.3333333, 3.3333333318846093, -21.626884155036558]),
    ("inverse_wishart", (2.0**-20, 2.0**-1, 2.0**20), -144576.86391078818, [-314149325092.57143, -399457.52380952381, -0.42364749968114191]),
    ("inverse_wishart", (1.0, 1 - 2.0**-10, 1.125), -9.7856900832905201, [-3.5532924107142857, -575.43289831809617, 4.9892782565593352]),
    ("inverse_wishart", (2.0**30, 2.0**-1, 5.0), -173.63577538412059, [-7.450580596304284e-9, -3.3333333330672412, -22.474182015423762]),
]
# fmt: on


def evaluate(name, args, dtype):
    args = [jnp.asarray(a, dtype) for a in args]
    f = FUNCTIONS[name]
    value, gradient = jax.jit(jax.value_and_grad(f, argnums=tuple(range(len(args)))))(*args)
    return np.asarray(value, float), np.concatenate([np.ravel(g) for g in gradient]).astype(float)


@pytest.mark.parametrize("name, args, value, gradient", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_values_and_gradients(name, args, value, gradient, dtype):
    tolerance = 1e-10 if dtype == jnp.float64 else 1e-5
    with jax.enable_x64(dtype == jnp.float64):
        got, slopes = evaluate(name, args, dtype)
    np.testing.assert_allclose(got, value, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(slopes, gradient, rtol=tolerance, atol=tolerance)


def test_draws_at_tiny_concentrations(x64):
    """Dirichlet(1e-4): all but one number are too small for a float, and yet none is 0."""
    for dtype in (jnp.float32, jnp.float64):
        d = Dirichlet(jnp.full(3, 1e-4, dtype))
        x = d.sample(jax.random.key(0), (3000,))
        assert (x > 0).all() and np.asarray(d.support(x)).all() and np.isfinite(d.log_prob(x)).all()
        assert abs(float(x[:, 0].mean()) - 1 / 3) < 4 * 0.48 / np.sqrt(3000)


def test_draws_in_many_dimensions():
    """LKJ in 50: every correlation has the variance 1 / (2 concentration + 49), the first as the last."""
    d = LKJ(50, 1.0)
    x = d.sample(jax.random.key(0), (400,))
    assert np.asarray(d.support(x)).all() and np.isfinite(d.log_prob(x)).all()
    for i, j in ((1, 0), (49, 48), (49, 0), (25, 24)):
        squares = np.asarray(x[:, i, j]) ** 2
        assert abs(squares.mean() - 1 / 51) < 4.5 * squares.std() / 20
    factor = LKJCholesky(50, 1e-4).sample(jax.random.key(1), (50,))
    assert np.asarray(LKJCholesky(50, 1e-4).support(factor)).all()


def test_shapes_that_do_not_agree_are_named():
    vector, matrix = jnp.zeros(3), jnp.eye(2)
    cases = [
        (lambda: MultivariateNormal(vector, matrix), "loc", "covariance_matrix"),
        (lambda: MultivariateStudentT(3.0, vector, matrix), "loc", "scale_tril"),
        (lambda: LowRankMultivariateNormal(vector, jnp.zeros((3, 1)), jnp.ones(2)), "cov_factor", "cov_diag"),
        (lambda: LowRankMultivariateNormal(jnp.zeros(2), jnp.zeros((3, 1)), jnp.ones(2)), "cov_factor", "cov_diag"),
        (lambda: MatrixNormal(jnp.zeros((3, 2)), matrix, matrix), "loc", "scale_tril_row"),
        (lambda: MatrixNormal(jnp.zeros((2, 3)), matrix, matrix), "loc", "scale_tril_column"),
        (lambda: KroneckerNormal(vector, [matrix, matrix]), "loc", "covariance_matrices"),
        (lambda: LKJCovariance(3, HalfNormal(jnp.ones(2))), "scales", "dimension"),
    ]
    for build, first, second in cases:
        with pytest.raises(ShapeError, match=rf"{first} has shape .*{second}"):
            build()


def test_what_is_not_right_is_refused():
    matrix = jnp.eye(2)
    for build, words in [
        (lambda: MultivariateNormal(0.0), "needs one of covariance_matrix, precision_matrix and scale_tril.*none"),
        (lambda: MultivariateNormal(0.0, matrix, matrix), "covariance_matrix and precision_matrix"),
        (lambda: MultivariateNormal(0.0, precision_matrix=-matrix), "precision_matrix must be positive definite"),
        (lambda: MultivariateNormal(0.0, scale_tril=matrix.at[0, 1].set(1.0)), "scale_tril must be lower triangular"),
        (lambda: Wishart(1.0, matrix), "concentration must be above the dimension less 1"),
        (lambda: InverseWishart(3.0, matrix, matrix), "scale_matrix and rate_matrix"),
        (lambda: KroneckerNormal(0.0), "neither"),
        (lambda: KroneckerNormal(0.0, [matrix], [matrix]), "both"),
        (lambda: KroneckerNormal(0.0, scale_trils=[matrix, -matrix]), r"scale_trils\[1\] must be lower triangular"),
        (lambda: LKJ(1, 1.0), "dimension must be at least 2"),
        (lambda: LKJ(3, -1.0), "concentration must be positive"),
        (lambda: LKJCovariance(1, HalfNormal(1.0)), "dimension must be at least 2"),
    ]:
        with pytest.raises(ParameterError, match=words):
            build()


def test_a_badly_scaled_covariance_is_positive_definite():
    scales = jnp.array([1e12, 1e-12])
    d = MultivariateNormal(0.0, pair(jnp.float32(0.9)) * scales[:, None] * scales[None])
    assert float(d.entropy()) == pytest.approx(np.log(2 * np.pi * np.e) + 0.5 * np.log(1 - 0.81), rel=1e-5)
