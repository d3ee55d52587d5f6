"""Log densities and tails, parameters and values from 2^-100 to 2^66: where products underflow and slopes cancel.

Values by mpmath at 60 digits, slopes by its central differences, or in closed form (SkewNormal in skewness).  All
arguments are exact in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from storax import distributions
from storax.distributions.exact import lost_by_product, lost_by_quotient
from storax.errors import ParameterError

pytestmark = pytest.mark.long  # each case is a program of its own to compile

CASES = [  # name, parameters, value, log density, its slopes in the real ones among them; the function, if another one
    (
        "Gamma",
        (2.0**26, 2.0**26),
        1.0001220703125,
        7.591893436349567,
        (0.0001220703131062928, -0.0001220703125, -8192.0),
    ),
    (
        "Gamma",
        (0.5, 2.0**-100),
        2.0**-66,
        -12.35586701244377,
        (-113.0989219469295, 6.338253001141147e29, -3.6893488147419103e19),
    ),
    (
        "Gamma",
        (30.0, 2.0**-20),
        2.0**-100,
        -2497.2721709269767,
        (-86.56209979987896, 31457280.0, 3.6761867406618653e31),
    ),
    (
        "Gamma",
        (1000.0, 2.0**-20),
        2.0**-100,
        -89013.56737234662,
        (-90.08491686284225, 1048576000.0, 1.2663829496280012e33),
    ),
    (
        "InverseGamma",
        (2.0**26, 2.0**26),
        0.9998779296875,
        7.592015499210881,
        (0.00012208521426759766, -0.00012208521548040532, 8193.000244185336),
    ),
    (
        "InverseGamma",
        (20.0, 2.0**-100),
        2.0**66,
        -2386.336237563174,
        (-118.03295596519307, 2.535301200456459e31, -2.846030702774449e-19),
    ),
    ("ChiSquared", (2.0**20,), 2.0**-100, -43084686.899491936, (-41.58883035675941, 6.646127302418577e35)),
    ("Chi", (1.0,), 2.0**-20, -0.2257913526451822, (-13.227762188468168, -9.5367431640625e-07)),
    (
        "Beta",
        (2.0**20, 2.0**27),
        2.0**-7,
        -21.215798440704855,
        (0.0077826135828768595, -6.103699009272448e-05, -1056959.4960629921),
    ),
    (
        "BetaProportion",
        (0.9990234375, 2.0**27),
        0.9990234375,
        11.904772191194745,
        (-511.5001622824913, 3.725295035418008e-09, 1022.9990224828935),
    ),
    (
        "GeneralizedGamma",
        (2.0**-20, 2.0**-20, 2.5),
        2.5,
        -13.862973927949744,
        (1048544.2105818979, 2.499999976991402, 0.3999876531097792, -0.3999990463256924),
    ),
    (
        "GeneralizedGamma",
        (2.5, 1.5, 0.5),
        2.0**-100,
        -17.799678179896294,
        (-35.157783114588426, 0.8333333333333329, -170.27313236971585, 3.1691265005705665e29),
    ),
    (
        "Gompertz",
        (2.0**-20, 2.0**-20),
        96468992.0,
        -8.599880604776667e33,
        (-9.017628405034299e39, -8.296218132631556e41, -8.201485256935756e27),
    ),
    (
        "GeneralizedPareto",
        (0.0, 2.0**-20, 2.0**27),
        2.0**27,
        -37.42994813239887,
        (7.45058065243498e-09, 0.0078124999999999445, -7.4505778051075295e-09, -7.45058065243498e-09),
    ),
    (
        "GeneralizedPareto",
        (0.0, 2.0**-20, 2.0**27),
        2.5,
        -19.63126485654398,
        (0.4000000029802311, 0.007812497019767739, -7.4505787931329e-09, -0.4000000029802311),
    ),
    (
        "Wald",
        (2.0**-20, 2.0**-10),
        2.0**-100,
        -6.189700196426902e26,
        (-1073741824.0, -6.338253001141147e29, 7.846377169233351e56),
    ),
    (
        "Wald",
        (2.0**-10, 1000.0),
        2.0**-80,
        -6.044629098073146e26,
        (-1048576000.0, -6.044629098073146e23, 7.307508186654515e50),
    ),
    ("Wald", (1.0, 2.0**20), 1.0000009536743164, 6.012531365047284, (1.0, 4.768367034562078e-07, -2.499997138980234)),
    ("NegativeBinomial2", (2.0**-20, 2.0**-20), 0, -6.610366635894254e-07, (-0.5, -0.19314718055994531)),
    ("GammaPoisson", (2.0**-20, 30.0), 0, -3.1270811865797875e-08, (-0.03278982282299087, 1.0254562542002688e-09)),
    ("NegativeBinomial", (2.0**-20, 0.25), 0, -2.7435500378778544e-07, (-0.2876820724517809, -1.2715657552083333e-06)),
    ("BetaBinomial", (2.0**-20, 1.0, 10), 0, -2.7932810926263584e-06, (-2.9289667759956615, 1.477972592460658e-06)),
    (
        "BetaNegativeBinomial",
        (2.0**-20, 2.5, 0.25),
        0,
        -1.1038242259944218e-07,
        (-0.11574433398908318, 5.034110623034886e-08, -4.173003841999109e-07),
    ),
    (
        "BetaNegativeBinomial",
        (0.25, 1.0, 2.0**-20),
        0,
        -3.335589581401598e-07,
        (-1.1418614591520251e-06, 4.2686881931936415e-07, -0.3497617046564481),
    ),
    ("DiscreteWeibull", (2.0**-20, 1000.0), 0, -9.5367477115389e-07, (-1.000000953675226, 0.0)),
    ("DiscreteWeibull", (2.0**-20, 1000.0), 1, -13.862943611198906, (1048576.0, 0.0)),
    ("Binomial", (1000000, 2.0**-20), 1, -1.001106870713751, (48576.04632572777,)),
    (
        "StudentT",
        (2.0**66, 0.0, 2.0**-20),
        2.0**-20,
        12.444005077994234,
        (9.322048165667316e-41, 1048576.0, 1.7476272710632155e-30, -1048576.0),
    ),
    (
        "SkewNormal",
        (0.0, 1.0, -(2.0**20)),
        40.0,
        -879609302221618.8,
        (43980465111080.02, 1759218604443200.0, 1677721600.000001, -43980465111080.02),
    ),
    (
        "LogitNormal",
        (0.0, 2.0**-10),
        0.9999990463256836,
        -100758266.16603081,
        (14536348.960056027, 206352968789.0097, -15242480134927.531),
    ),
    (
        "AsymmetricLaplace",
        (0.0, 1.0, 2.0**-10),
        2.0**-20,
        -13.861968478900167,
        (-1023.000974657477, -0.0009756097551893968, 2046.9990224866183, 1023.000974657477),
        "log_cdf",
    ),
    ("SoftLaplace", (0.0, 2.0**-20), 0.25, -0.0, (-0.0, -0.0, 0.0), "log_cdf"),
    (
        "Gamma",
        (2.0**-20, 2.0**-20),
        2.0**-100,
        -7.877392462411616e-05,
        (-82.60044757102219, 1.0, 1.2089258196146292e24),
        "log_cdf",
    ),
    (
        "Gamma",
        (1000.0, 2.0**-20),
        2.0**-100,
        -89089.7898456816,
        (-90.08591686284225, 1048576000.0, 1.2676506002282294e33),
        "log_cdf",
    ),
    (
        "InverseGamma",
        (30.0, 1.0),
        2.0**-40,
        -1099511627043.2063,
        (24.341449089713198, -1099511627747.0, 1.2089258195827433e24),
        "log_cdf",
    ),
    ("InverseGamma", (0.25, 2.0**-20), 2.0**-100, -0.0, (-0.0, 0.0, -0.0), "log_survival"),
    (
        "ChiSquared",
        (2.0**-20,),
        2.0**-100,
        -10.315778933122317,
        (1048558.6483561244, -1.8257493151481842e28),
        "log_survival",
    ),
    ("Chi", (2.5,), 2.0**-100, -174.27810083057867, (-69.94756487958637, 3.1691265005705735e30), "log_cdf"),
    (
        "GeneralizedGamma",
        (2.0**-10, 2.0**-20, 30.0),
        1.0,
        -0.40557802292935174,
        (-415.31269790662657, 30720.0, -0.013538030870311432, 0.029296875),
        "log_cdf",
    ),
    (
        "GeneralizedGamma",
        (0.25, 1.0, 2.5),
        2.0**-20,
        -8.566067920577503,
        (-34.429905494621, 0.6249999999999996, -3.465735902799724, 655359.9999999995),
        "log_cdf",
    ),
    ("Gamma", (30.0, 1.0), 2.0**26, -67108412.624064825, (14.637388561873053, -67108834.0, -0.9999995678663254)),
    (
        "SkewNormal",
        (0.0, 1.0, 0.25),
        38.0,
        -725.8640688436348,
        (38.026279466615314, 1444.998619731382, 3.6068366099710644e-19, -38.026279466615314),
        "log_survival",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, -3.0),
        -40.0,
        -803.9152948353159,
        (-40.024968847320395, 1600.9987538928158, -0.0, 40.024968847320395),
        "log_cdf",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, -3.0),
        3.0,
        -51.77641966434414,
        (30.645296688846265, 91.9358900665388, 27.913339295002462, -30.645296688846265),
        "log_survival",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, 40.0),
        -2.5,
        -5017.169874293375,
        (-4003.2997602678183, 10008.249400669545, -250.07495379249582, 4003.2997602678183),
        "log_cdf",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, 40.0),
        0.0,
        -4.833817616894664,
        (-50.143008036953205, -0.0, -0.024989588972454055, 50.143008036953205),
        "log_cdf",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, 40.0),
        38.0,
        -725.864068832744,
        (38.026279466498565, 1444.9986197269454, 0.0, -38.026279466498565),
        "log_survival",
    ),
    (
        "SkewNormal",
        (0.0, 1.0, 1000.0),
        0.5,
        -0.9599163336956223,
        (-1.8388216907983765, -0.9194108453991883, 0.0, 1.8388216907983765),
        "log_cdf",
    ),
]


def scores_and_slopes(dtype):
    """Of all cases, in one program."""
    real = [[jnp.asarray(v, dtype) for v in (*p, x) if isinstance(v, float)] for _, p, x, *_ in CASES]

    def one(case, real):
        name, parameters, x, _, _, *function = case
        numbers = iter(real)
        *parameters, x = (next(numbers) if isinstance(v, float) else v for v in (*parameters, x))
        names = {"probs": parameters.pop()} if name == "NegativeBinomial" else {}
        return getattr(getattr(distributions, name)(*parameters, **names), *function or ["log_prob"])(x)

    return jax.jit(lambda real: [jax.value_and_grad(lambda r, c=c: one(c, r))(r) for c, r in zip(CASES, real)])(real)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_values_and_slopes(dtype, tolerance):
    with jax.enable_x64(dtype == np.float64):
        got = scores_and_slopes(dtype)
    largest = float(np.finfo(dtype).max)
    wrong = []
    for (name, p, x, score, slopes, *which), (s, g) in zip(CASES, got, strict=True):
        assert s.dtype == dtype
        for mine, truth in zip(map(float, [s, *g]), [score, *slopes], strict=True):
            near = abs(mine - truth) <= tolerance * max(1, abs(truth))
            if not near and not (abs(truth) > largest and mine == np.copysign(np.inf, truth)):
                wrong.append((name, *which, p, x, mine, truth))
    assert not wrong, wrong


SUMMED = [
    (distributions.BetaBinomial(20.0, 30.0, 1000), stats.betabinom(1000, 20.0, 30.0), np.arange(-1, 1002, 17)),
    (distributions.BetaBinomial(0.6, 0.4, 100), stats.betabinom(100, 0.6, 0.4), np.arange(-1, 102, 3)),
    (distributions.HyperGeometric(1000, 400, 700), stats.hypergeom(1000, 400, 700), np.arange(98, 402, 5)),
    (distributions.Skellam(40.0, 30.0), stats.skellam(40.0, 30.0), np.arange(-60, 80)),
]


@pytest.mark.parametrize("d, judge, k", SUMMED, ids=lambda x: type(x).__name__)
def test_sums_of_masses(d, judge, k, x64):
    """The sum of the masses from the near end outwards, of SciPy's; both tails, and the quantiles."""
    low, high = judge.support()
    places = np.arange(max(low, -400), min(high, 1000) + 1)
    log_mass = np.asarray(d.log_prob(places.astype(float)))
    np.testing.assert_allclose(np.exp(log_mass), judge.pmf(places), rtol=1e-9, atol=1e-15)
    with np.errstate(divide="ignore"):
        below = np.array([np.log(np.exp(log_mass[places <= i]).sum()) for i in k])
        above = np.array([np.log(np.exp(log_mass[places > i]).sum()) for i in k])
    got = jax.jit(lambda d, k: (d.log_cdf(k), d.log_survival(k)))(d, k.astype(float))
    np.testing.assert_allclose(got[0], below, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got[1], above, rtol=1e-10, atol=1e-12)
    q = np.array([0.01, 0.3, 0.99])
    np.testing.assert_array_equal(jax.jit(d.icdf)(q), judge.ppf(q))


def test_slopes_of_sums_of_masses(x64):
    for make, x, p in (
        (lambda p: distributions.BetaBinomial(p[0], p[1], 12), 4.0, [2.0, 3.5]),
        (lambda p: distributions.BetaBinomial(p[0], p[1], 12), 4.0, [0.6, 0.4]),
        (lambda p: distributions.Skellam(p[0], p[1]), -3.0, [2.0, 3.5]),
    ):
        f = jax.jit(lambda p, make=make, x=x: make(p).log_survival(x))
        slopes = jax.grad(f)(jnp.array(p))
        for i, slope in enumerate(slopes):
            h = jnp.zeros(2).at[i].set(1e-5)
            np.testing.assert_allclose(slope, (f(jnp.array(p) + h) - f(jnp.array(p) - h)) / 2e-5, rtol=1e-7)
    assert np.isnan(jax.jit(lambda a: distributions.Skellam(a, 1.0).log_cdf(2.0))(jnp.nan))


def test_no_integer_says_not_a_number():
    with pytest.raises(ParameterError, match=r"Poisson\.icdf: q must be between 0 and 1, and q\[1\] is 1\.5"):
        distributions.Poisson(2.0).icdf(jnp.array([0.5, 1.5]))
    assert jax.jit(distributions.Poisson(2.0).icdf)(1.5) == np.iinfo(np.int32).min


def test_products_are_exact():
    x = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    product = (x[0] * x[1]).astype(float)
    np.testing.assert_array_equal(lost_by_product(*x), x[0].astype(float) * x[1] - product)
    assert lost_by_product(jnp.bfloat16(1.5), jnp.bfloat16(1.01)) == 0
    assert (
        abs(lost_by_quotient(jnp.float32(1.0), jnp.float32(3.0)) - (1 / 3 - float(np.float32(1) / np.float32(3))))
        < 1e-14
    )


@pytest.mark.parametrize("skewness", [0.0, -3.0, 40.0])
def test_the_mode_of_a_skew_normal_is_level(skewness, x64):
    d = distributions.SkewNormal(0.5, 2.0, skewness)
    assert abs(jax.grad(d.log_prob)(d.mode)) < 1e-12 * (1 + abs(skewness)) and bool(d.mode == 0.5) == (skewness == 0)


def test_a_vanishing_polya_gamma_has_a_slope(x64):
    slope = jax.vmap(jax.grad(distributions.PolyaGamma(1.0, 0.0).log_prob))
    x = jnp.array([1e-300, 1e-120, 1e300])
    np.testing.assert_allclose(slope(x), [np.inf, 0.125 / 1e-120**2, -0.5 * np.pi**2], rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_draws_in_half_precision_are_on_the_simplex(dtype):
    d = distributions.Dirichlet(jnp.array([0.8, 2.0, 3.5], dtype))
    x = d.sample(jax.random.key(0), (1000,))
    assert x.dtype == dtype and bool(d.support(x).all()) and bool(jnp.isfinite(d.log_prob(x)).all())
    assert not d.support(jnp.array([0.5, 0.25, 0.125], dtype))
