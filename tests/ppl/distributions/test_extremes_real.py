"""Hard values of the distributions on the line: far tails, extreme parameters, cuts far out.

The numbers were computed with mpmath at 80 to 250 digits from the textbook densities, the gradients by central
differences of those.  All inputs are float32 numbers, so that both precisions are judged by the same table.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions

# Name, parameters, value, log density, and its gradient with respect to the value and to each parameter.
CASES = [
    ("Normal", dict(loc=0.0, scale=1.0), 40.0, -800.91893853320467, [-40.0, 40.0, 1599.0]),
    ("Normal", dict(loc=0.0, scale=1.0), -100000.0, -5000000000.9189385, [100000.0, -100000.0, 9999999999.0]),
    (
        "Normal",
        dict(loc=0.0, scale=2.0**-80),
        2.0**-60,
        -549755813833.46716,
        [-1.2676506002282294e30, 1.2676506002282294e30, 1.3292279957837069e36],
    ),
    ("Normal", dict(loc=2.0**20, scale=0.125), 1048576.5, -6.8394969915248368, [-32.0, 32.0, 120.0]),
    (
        "LogNormal",
        dict(loc=0.0, scale=1.0),
        2.0**-100,
        -2333.8692900682173,
        [8.6599193348103728e31, -69.314718055994531, 4803.5301391820142],
    ),
    (
        "LogNormal",
        dict(loc=0.0, scale=1.0),
        2.0**100,
        -2472.4987261802063,
        [-5.5468532136012069e-29, 69.314718055994531, 4803.5301391820142],
    ),
    (
        "LogNormal",
        dict(loc=0.5, scale=2.0**-10),
        1.65625,
        -5.3747914251360162,
        [-2885.0255279720094, 4777.3235307036405, 21263.910270522166],
    ),
    ("HalfNormal", dict(scale=2.0**-20), 0.0, 13.637152258554179, [0.0, -1048576.0]),
    ("HalfNormal", dict(scale=2.0**-20), 2.0**-18, 5.6371522585541788, [-4194304.0, 15728640.0]),
    (
        "Cauchy",
        dict(loc=0.0, scale=1.0),
        2.0**80,
        -112.04827877544065,
        [-1.6543612251060553e-24, 1.6543612251060553e-24, 1.0],
    ),
    (
        "Cauchy",
        dict(loc=0.0, scale=1.0),
        2.0**-80,
        -1.1447298858494002,
        [-1.6543612251060553e-24, 1.6543612251060553e-24, -1.0],
    ),
    ("Cauchy", dict(loc=1.0, scale=2.0**-60), 0.0, -42.733560719446119, [2.0, -2.0, 1.152921504606847e18]),
    (
        "Cauchy",
        dict(loc=1.0, scale=2.0**-60),
        2.0**60,
        -125.91122238663956,
        [-1.7347234759768071e-18, 1.7347234759768071e-18, 1.152921504606847e18],
    ),
    ("HalfCauchy", dict(scale=5.0), 0.0, -2.0610206177235552, [0.0, -0.2]),
    ("HalfCauchy", dict(scale=5.0), 2.0**80, -109.7456936824466, [-1.6543612251060553e-24, 0.2]),
    ("StudentT", dict(df=10000000000.0, loc=0.0, scale=1.0), 0.0, -0.91893853322967274, [0.0, 2.5e-21, 0.0, -1.0]),
    (
        "StudentT",
        dict(df=10000000000.0, loc=0.0, scale=1.0),
        1.5,
        -2.0439385332156102,
        [-1.4999999998125, 1.093750001265625e-21, 1.4999999998125, 1.24999999971875],
    ),
    (
        "StudentT",
        dict(df=10000000000.0, loc=0.0, scale=1.0),
        40.0,
        -800.91887461323649,
        [-39.999993604001023, -6.3919961359469122e-15, 39.999993604001023, 1598.9997441600409],
    ),
    (
        "StudentT",
        dict(df=2.0**50, loc=0.0, scale=1.0),
        1.5,
        -2.0439385332046728,
        [-1.4999999999999983, 8.6281661508549053e-32, 1.4999999999999983, 1.2499999999999975],
    ),
    (
        "StudentT",
        dict(df=2.0**-10, loc=0.0, scale=1.0),
        0.5,
        -6.9368071452546927,
        [-1.9941634241245136, 1019.0389536844333, 1.9941634241245136, -0.0029182879377431907],
    ),
    (
        "StudentT",
        dict(df=2.0**-10, loc=0.0, scale=1.0),
        2.0**40,
        -35.381643287655745,
        [-9.1038288019262836e-13, 992.61603202580786, 9.1038288019262836e-13, 0.0009765625],
    ),
    (
        "StudentT",
        dict(df=3.0, loc=1.0, scale=2.0**-10),
        2.0**90,
        -269.13106469066596,
        [-3.2311742677852644e-27, -68.072264731100531, 3.2311742677852644e-27, 3072.0],
    ),
    ("HalfStudentT", dict(df=10000000000.0, scale=2.0), 0.0, -0.91893853322967274, [0.0, 2.5e-21, -0.5]),
    (
        "HalfStudentT",
        dict(df=10000000000.0, scale=2.0),
        1.5,
        -1.2001885332498876,
        [-0.37500000001640625, 4.521484374901123e-21, -0.21874999998769531],
    ),
    (
        "HalfStudentT",
        dict(df=0.25, scale=2.0**-20),
        2.0**-40,
        13.018284167326967,
        [-4.9999999999818101, 1.4678919493669201, -1048575.9999952316],
    ),
    (
        "HalfStudentT",
        dict(df=0.25, scale=2.0**-20),
        2.0**40,
        -39.834188350366589,
        [-1.1368683772161603e-12, -38.31408606479702, 262144.0],
    ),
    ("Laplace", dict(loc=0.0, scale=1.0), 10000.0, -10000.69314718056, [-1.0, 1.0, 9999.0]),
    ("Laplace", dict(loc=0.0, scale=1.0), -100000.0, -100000.69314718056, [1.0, -1.0, 99999.0]),
    (
        "Laplace",
        dict(loc=1.0, scale=2.0**-40),
        1.0000009536743164,
        -1048548.9672599582,
        [-1099511627776.0, 1099511627776.0, 1.1529204050952192e18],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=40.0),
        40.0,
        3.6895034805491154,
        [-40.0, -0.024968847207263723, -1.9987538882905489, 40.024968847207264],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=40.0),
        40.5,
        -16.435496519450885,
        [-40.5, 0.47503115279273628, 38.251246111709451, 40.024968847207264],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=40.0),
        50.0,
        -446.31049651945088,
        [-50.0, 9.9750311527927363, 898.00124611170945, 40.024968847207264],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-40.0, high=-39.0),
        -39.5,
        -15.960781968827128,
        [39.5, -0.47439258006989155, 37.251310622725771, 2.7334909240424957e-16, -39.025607419930109],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-40.0, high=-39.0),
        -39.0,
        3.6642180311728717,
        [39.0, 0.02560741993010845, -1.9986893772742293, 2.7334909240424957e-16, -39.025607419930109],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-40.0, high=-39.0),
        -40.0,
        -35.835781968827128,
        [40.0, -0.97439258006989155, 77.001310622725771, 2.7334909240424957e-16, -39.025607419930109],
    ),
    (
        "TruncatedNormal",
        dict(loc=-50.0, scale=1.0, low=0.0),
        0.0078125,
        3.5217670886371035,
        [-50.0078125, -0.012171531905639809, -1.2178905601257405, 50.01998403190564],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=8.0),
        9.0,
        -6.4055013732901228,
        [-9.0, 0.87863188776388732, 15.029055102111099, 8.1213681122361127],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=0.0, high=1.0),
        0.5,
        0.03092379365739864,
        [-0.5, 0.0401377707135735, -0.041125094772793211, 1.1687371345136333, -0.70887490522720679],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-(2.0**-10), high=2.0**-10),
        2.0**-12,
        6.2383247541828947,
        [-0.000244140625, 0.000244140625, -2.582867536047078e-7, 511.99983723960403, -511.99983723960403],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=40.0, high=40.0009765625),
        40.00048828125,
        6.9314082663063888,
        [-40.00048828125, 3.1788722480822956e-6, 0.00025423340731468886, 1044.1303693635615, -1004.1298842611838],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.5, scale=0.125, high=-4.5),
        -5.0,
        -162.23105497777105,
        [352.0, -31.80024922234189, 2672.0099688936756, -320.19975077765811],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-0.0625, high=30.0),
        2.0,
        -2.274424683619805,
        [-2.0, 1.2414737011554058, 3.0474078936777871, 0.75852629884459423, -2.8073852754924874e-196],
    ),
    (
        "TruncatedNormal",
        dict(loc=0.0, scale=1.0, low=-0.0625, high=30.0),
        29.0,
        -420.7744246836198,
        [-29.0, 28.241473701155406, 840.04740789367779, 0.75852629884459423, -2.8073852754924874e-196],
    ),
    (
        "SkewNormal",
        dict(loc=0.0, scale=1.0, skewness=5.0),
        -8.0,
        -836.83423336639852,
        [208.12484423603632, -208.12484423603632, 1663.9987538882905, -320.19975077765811],
    ),
    ("SkewNormal", dict(loc=0.0, scale=1.0, skewness=5.0), 8.0, -32.225791352644727, [-8.0, 8.0, 63.0, 0.0]),
    (
        "SkewNormal",
        dict(loc=0.0, scale=1.0, skewness=5.0),
        -(2.0**10),
        -13631497.685639642,
        [26624.000976562425, -26624.000976562425, 27262975.999999924, -5242880.1999999847],
    ),
    (
        "SkewNormal",
        dict(loc=0.0, scale=1.0, skewness=-(2.0**20)),
        2.0**-10,
        -524296.07620312196,
        [-1073742847.9990234, 1073742847.9990234, 1048575.9999990463, 1.0000009536724974],
    ),
    (
        "SkewNormal",
        dict(loc=0.0, scale=1.0, skewness=-(2.0**20)),
        -1.0,
        -0.72579135264472743,
        [1.0, -1.0, 1.0875507446664208e-54, 0.0],
    ),
    (
        "LogitNormal",
        dict(loc=0.0, scale=1.0),
        2.0**-60,
        -824.14553275237052,
        [4.6795735914903112e19, -41.588830833596719, 1728.6308501055251],
    ),
    (
        "LogitNormal",
        dict(loc=0.0, scale=1.0),
        0.9999990463256836,
        -83.146583531232159,
        [-13487787.823012859, 13.862942657524135, 191.18117912580233],
    ),
    ("LogitNormal", dict(loc=0.0, scale=1.0), 0.5, 0.46735582791521788, [0.0, 0.0, -1.0]),
    (
        "LogitNormal",
        dict(loc=-30.0, scale=0.0625),
        2.0**-43,
        26.808177020878608,
        [-447156745802341.34, 49.835836396151138, 139.2256618314964],
    ),
    (
        "AsymmetricLaplace",
        dict(loc=0.0, scale=1.0, asymmetry=2.0**10),
        -(2.0**10),
        -7.9314727592733148,
        [0.0009765625, -0.0009765625, 4.350202978665683e-55, 1.8626433728758117e-9],
    ),
    (
        "AsymmetricLaplace",
        dict(loc=0.0, scale=1.0, asymmetry=2.0**10),
        2.0**10,
        -1048582.9314727593,
        [-1024.0, 1024.0, 1048575.0, -1024.0009765606374],
    ),
    (
        "AsymmetricLaplace",
        dict(loc=0.0, scale=1.0, asymmetry=2.0**10),
        2.0**-20,
        -6.9324493217733148,
        [-1024.0, 1024.0, -0.9990234375, -0.00097751431167303337],
    ),
    (
        "AsymmetricLaplace",
        dict(loc=1.0, scale=2.0, asymmetry=2.0**-10),
        -3.0,
        -2055.6246199398333,
        [512.0, -512.0, 1023.5, 2098175.9980468769],
    ),
    (
        "SoftLaplace",
        dict(loc=0.0, scale=1.0),
        2.0**-20,
        -1.1447298858498549,
        [-9.5367431640596088e-7, 9.5367431640596088e-7, -0.99999999999909051],
    ),
    ("SoftLaplace", dict(loc=0.0, scale=1.0), 120.0, -120.45158270528945, [-1.0, 1.0, 119.0]),
    ("SoftLaplace", dict(loc=0.0, scale=1.0), -1500.0, -1500.4515827052895, [1.0, -1.0, 1499.0]),
    ("Logistic", dict(loc=0.0, scale=1.0), 120.0, -120.0, [-1.0, 1.0, 119.0]),
    ("Logistic", dict(loc=0.0, scale=1.0), -1500.0, -1500.0, [1.0, -1.0, 1499.0]),
    (
        "Logistic",
        dict(loc=0.0, scale=1.0),
        2.0**-20,
        -1.386294361120118,
        [-4.7683715820308886e-7, 4.7683715820308886e-7, -0.99999999999954525],
    ),
    (
        "Logistic",
        dict(loc=2.0, scale=2.0**-10),
        2.0009765625,
        5.3049484305630074,
        [-473.20796903424999, 473.20796903424999, -550.79203096575001],
    ),
    (
        "LogLogistic",
        dict(scale=2.0, concentration=2.0**10),
        2.0009765625,
        4.7897123786692347,
        [-125.80755933435984, 125.36898880669107, 0.00085703049554520326],
    ),
    (
        "LogLogistic",
        dict(scale=2.0, concentration=2.0**10),
        1.0,
        -702.85124108778454,
        [1023.0, -512.0, -0.69217061805994531],
    ),
    (
        "LogLogistic",
        dict(scale=2.0, concentration=2.0**10),
        4.0,
        -704.23753544890443,
        [-256.25, 512.0, -0.69217061805994531],
    ),
    (
        "LogLogistic",
        dict(scale=2.0**-20, concentration=0.25),
        2.0**-100,
        54.065478176328011,
        [-9.507385546335054e29, -262143.50000047684, -51.451668679030317],
    ),
    (
        "LogLogistic",
        dict(scale=2.0**-20, concentration=0.25),
        2.0**100,
        -91.495427835775426,
        [-9.8607613115892277e-31, 262143.99951171875, -79.177661512262969],
    ),
    (
        "Gumbel",
        dict(loc=0.0, scale=1.0),
        -80.0,
        -5.5406223843935101e34,
        [5.5406223843935101e34, -5.5406223843935101e34, 4.432497907514808e36],
    ),
    ("Gumbel", dict(loc=0.0, scale=1.0), 200.0, -200.0, [-1.0, 1.0, 199.0]),
    (
        "Gumbel",
        dict(loc=1.0, scale=2.0**-10),
        1.015625,
        -9.0685283069357216,
        [-1023.9998847639811, 1023.9998847639811, 15359.998156223697],
    ),
    (
        "Moyal",
        dict(loc=0.0, scale=1.0),
        -80.0,
        -2.770311192196755e34,
        [2.770311192196755e34, -2.770311192196755e34, 2.216248953757404e36],
    ),
    ("Moyal", dict(loc=0.0, scale=1.0), 500.0, -250.91893853320467, [-0.5, 0.5, 249.0]),
    (
        "Moyal",
        dict(loc=-1.0, scale=0.0625),
        -0.99609375,
        1.3526936576283706,
        [-0.48469549749219371, 0.48469549749219371, -15.969706531406738],
    ),
    ("Levy", dict(loc=0.0, scale=1.0), 2.0**-12, -2036.4422892831257, [8382464.0, -8382464.0, -2047.5]),
    (
        "Levy",
        dict(loc=0.0, scale=1.0),
        2.0**80,
        -84.09660020039811,
        [-1.2407709188295415e-24, 1.2407709188295415e-24, 0.5],
    ),
    ("Levy", dict(loc=-1.0, scale=2.0**-20), -0.9990234375, 2.5463090883450538, [-1535.5, 1535.5, 523776.0]),
    (
        "Levy",
        dict(loc=-1.0, scale=2.0**-20),
        4.0,
        -10.264567302822708,
        [-0.29999998092651367, 0.29999998092651367, 524287.9],
    ),
    (
        "ExGaussian",
        dict(loc=0.0, scale=1.0, rate=1.0),
        -40.0,
        -804.63310460177462,
        [40.024361311106919, -40.024361311106919, 1600.9500911331698, 0.97563868889308114],
    ),
    ("ExGaussian", dict(loc=0.0, scale=1.0, rate=1.0), 300.0, -299.5, [-1.0, 1.0, 1.0, -298.0]),
    (
        "ExGaussian",
        dict(loc=0.0, scale=1.0, rate=1.0),
        1.5,
        -1.3689464152886564,
        [-0.49083956616296651, 0.49083956616296651, -0.27290108459258371, -0.0091604338370334858],
    ),
    (
        "ExGaussian",
        dict(loc=0.0, scale=2.0**-10, rate=0.03125),
        0.125,
        -3.4696421523340653,
        [-0.03125, 0.03125, 9.5367431640625e-7, 31.875000029802322],
    ),
    (
        "ExGaussian",
        dict(loc=0.0, scale=2.0**-10, rate=0.03125),
        -0.015625,
        -135.16113386928803,
        [16447.509374107613, -16447.509374107613, 263160.14804756951, 31.999939432741063],
    ),
    (
        "ExGaussian",
        dict(loc=2.0, scale=4.0, rate=64.0),
        -30.0,
        -34.336018900502401,
        [2.0009469425246279, -2.0009469425246279, 15.765158253892292, 0.00047391960595429477],
    ),
    (
        "ExGaussian",
        dict(loc=2.0, scale=4.0, rate=64.0),
        2.0,
        -2.3052481525315931,
        [0.00097653269995109236, -0.00097653269995109236, -0.24999237118747964, 4.7680078252228137e-7],
    ),
    (
        "ExGaussian",
        dict(loc=2.0, scale=4.0, rate=64.0),
        40.0,
        -47.392433900237412,
        [-2.3739858345968208, 2.3739858345968208, 22.293239085455918, -0.00060164645086747698],
    ),
]


def error(got, truth):
    """Relative to the truth, or to 1 where that is smaller."""
    got, truth = np.asarray(got, float), np.asarray(truth, float)
    return np.abs(got - truth) / np.maximum(1, np.abs(truth))


def density_and_gradient(name, parameters, x, dtype):
    names = list(parameters)

    def f(x, *values):
        return getattr(sx, name)(**dict(zip(names, values, strict=True))).log_prob(x)

    arguments = [jnp.asarray(v, dtype) for v in (x, *parameters.values())]
    return jax.value_and_grad(f, tuple(range(len(arguments))))(*arguments)


CASE = pytest.mark.parametrize(("name", "parameters", "x", "log_prob", "gradient"), CASES)


@CASE
def test_in_double_precision(name, parameters, x, log_prob, gradient, x64):
    value, slopes = density_and_gradient(name, parameters, x, jnp.float64)
    assert error(value, log_prob) < 1e-10
    assert (error(slopes, gradient) < 1e-10).all()


@CASE
def test_in_single_precision(name, parameters, x, log_prob, gradient):
    value, slopes = density_and_gradient(name, parameters, x, jnp.float32)
    assert error(value, log_prob) < 1e-5
    unit = 4 * np.finfo(np.float32).eps * np.max(np.abs(gradient))  # of the largest term: those of two ends may cancel
    assert ((error(slopes, gradient) < 1e-5) | (np.abs(np.asarray(slopes) - gradient) < unit)).all()


# Name, parameters, function, its argument if it has one, value.
FUNCTIONS = [
    ("TruncatedNormal", dict(low=40.0), "mean", None, 40.024968847207264),
    ("TruncatedNormal", dict(low=40.0), "variance", None, 0.00062266837859138877),
    ("TruncatedNormal", dict(low=40.0), "icdf", 0.5, 40.017314126764651),
    ("TruncatedNormal", dict(low=40.0), "log_survival", 50.0, -450.22291912566611),
    ("TruncatedNormal", dict(low=40.0), "entropy", None, -2.690126536403841),
    ("TruncatedNormal", dict(loc=-50.0, low=0.0), "icdf", 0.875, 0.041554960859533516),
    ("StudentT", dict(df=1e10), "log_cdf", -40.0, -804.6083779337855),
    ("StudentT", dict(df=1e10), "icdf", 0.0009765625, -3.0972690790190246),
    ("StudentT", dict(df=1e10), "entropy", None, 1.4189385333046727),
    ("StudentT", dict(df=0.25), "log_survival", 2.0**40, -7.9494180446091051),
    ("StudentT", dict(df=2.5), "icdf", 0.96875, 3.2219713143021421),
    ("HalfStudentT", dict(df=2.0), "log_cdf", 2.0**-20, -14.209517201479106),
    ("HalfStudentT", dict(df=1024.0), "log_survival", 64.0, -827.61265430344252),
    ("ExGaussian", dict(), "log_cdf", -40.0, -808.32321580304892),
    ("ExGaussian", dict(), "log_survival", 300.0, -299.5),
    ("ExGaussian", dict(rate=2.0**-10), "log_cdf", -3.0, -14.801417765364056),
    ("ExGaussian", dict(rate=2.0**-10), "log_cdf", 2.0, -6.2353020289061357),
    ("Normal", dict(), "log_cdf", -100000.0, -5000000012.431864),
    ("SoftLaplace", dict(), "log_cdf", -1500.0, -1500.4515827052895),
    ("Gumbel", dict(), "log_survival", 200.0, -200.0),
    ("Moyal", dict(), "log_survival", 500.0, -250.22579135264473),
    ("Moyal", dict(), "log_survival", -4.0, -1.4787477410050632e-13),
    ("Levy", dict(), "log_cdf", 2.0**-12, -2052.3849184277969),
    ("Levy", dict(), "icdf", 2.0**-60, 0.012764829473160353),
    ("LogLogistic", dict(concentration=2.0**20), "variance", None, 2.9921176371482115e-12),
    ("Logistic", dict(), "log_survival", 1500.0, -1500.0),
    ("Laplace", dict(), "icdf", 2.0**-80, -54.758627264235679),
    ("HalfNormal", dict(), "icdf", 2.0**-80, 1.0367171558260049e-24),
    ("Cauchy", dict(), "icdf", 2.0**-80, -3.8481304004617846e23),
    ("HalfCauchy", dict(), "icdf", 2.0**-80, 1.2993322677942484e-24),
]


def ask(name, parameters, function, x, dtype):
    d = getattr(sx, name)(**{k: jnp.asarray(v, dtype) for k, v in {"scale": 1.0, **parameters}.items()})
    f = getattr(d, function)
    return f if function in ("mean", "variance") else f() if x is None else jax.jit(f)(jnp.asarray(x, dtype))


FUNCTION = pytest.mark.parametrize(("name", "parameters", "function", "x", "truth"), FUNCTIONS)


@FUNCTION
def test_functions_in_double_precision(name, parameters, function, x, truth, x64):
    np.testing.assert_allclose(ask(name, parameters, function, x, jnp.float64), truth, rtol=1e-10)


@FUNCTION
def test_functions_in_single_precision(name, parameters, function, x, truth):
    np.testing.assert_allclose(ask(name, parameters, function, x, jnp.float32), truth, rtol=1e-5)
