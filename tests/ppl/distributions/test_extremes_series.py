"""Processes in time and space at hard places: values and gradients to 17 digits.

Made with mpmath at 50 digits from textbook formulas: covariance and precision matrices solved outright, the recursion
of each process step by step, parabolic cylinder functions, the sum over Bessel functions of Singh et al. (2002), and
quantiles by bisection; gradients by central differences of step 1e-16.  All inputs are floats of 32 bits.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import storax as sx

pytestmark = pytest.mark.long  # each case is a program of its own to compile, in both precisions

PATH = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)


def gaussian_copula(rate, correlation):
    one = jnp.ones_like(correlation)
    matrix = jnp.stack([one, correlation, correlation, one]).reshape(2, 2)
    return sx.GaussianCopula(sx.Exponential(rate), matrix)


def ornstein_uhlenbeck(theta, sigma, t):
    pull = jax.tree_util.Partial(lambda theta, sigma, x, t: (-theta * x, sigma), theta, sigma)
    return sx.EulerMaruyama(t, pull, sx.Normal(jnp.zeros_like(theta), 1.0))


BUILD = {
    "CAR": lambda **p: sx.CAR(**p, adj_matrix=PATH),
    "ICAR": lambda **p: sx.ICAR(PATH, **p),
    "ZeroSumNormal": lambda scale: sx.ZeroSumNormal(scale, (3,)),
    "GaussianCopula": gaussian_copula,
    "EulerMaruyama": ornstein_uhlenbeck,
    "StickBreakingWeights": lambda alpha: sx.StickBreakingWeights(alpha, 3),
}

# distribution, parameters, x, log density, its gradient in the parameters, its gradient in x
CASES = [
    (
        "CAR",
        {"loc": [1.0, 0.0, -1.0, 2.0], "correlation": 0.9999990463256836, "conditional_precision": 0.0009765625},
        [1.5, 0.25, 0.5, 2.0],
        -23.576181825839885,
        {
            "loc": [0.00024414085783064365, -0.0014648418873548508, 0.0026855471078306437, -0.001464842353016138],
            "correlation": -524288.0828444031,
            "conditional_precision": 2046.0624995231628,
        },
        [-0.00024414085783064365, 0.0014648418873548508, -0.0026855471078306437, 0.001464842353016138],
    ),
    (
        "CAR",
        {"loc": [1024.0, 1024.0, 1024.0, 1024.0], "correlation": -0.5, "conditional_precision": 1048576.0},
        [1024.5, 1024.25, 1023.5, 1024.0],
        -458727.43283002666,
        {
            "loc": [655360.0, 524288.0, -917504.0, -262144.0],
            "correlation": 0.8,
            "conditional_precision": -0.4374980926513672,
        },
        [-655360.0, -524288.0, 917504.0, 262144.0],
    ),
    (
        "ICAR",
        {"scale": 0.000244140625, "zero_sum_stdev": 0.0009765625},
        [0.5, 0.4990234375, 0.5, -1.5],
        -33554419.822233826,
        {"scale": 274878025728.0, "zero_sum_stdev": -960.0},
        [-16320.0, 32832.0, -33570752.0, 33554496.0],
    ),
    (
        "ICAR",
        {"scale": 1024.0, "zero_sum_stdev": 1.0},
        [5.0, -3.0, 1.0, 0.5],
        -24.853020315798997,
        {"scale": -0.002929612761363387, "zero_sum_stdev": -0.234375},
        [-0.21875762939453125, -0.21873855590820312, -0.21875429153442383, -0.2187495231628418],
    ),
    (
        "ZeroSumNormal",
        {"scale": 9.5367431640625e-07},
        [0.5, -0.75, 0.25],
        -481036337126.112,
        {"scale": 1.008806316528894e18},
        [-549755813888.0, 824633720832.0, -274877906944.0],
    ),
    (
        "GaussianRandomWalk",
        {"scale": 3.0517578125e-05},
        [1024.0, 1024.0009765625, 1024.0, 1025.0],
        -562950490293210.1,
        {"scale": 3.689352333185817e19},
        [-1099510579200.0, -2097152.0, 1074790400.0, -1073741824.0],
    ),
    (
        "GaussianRandomWalk",
        {"scale": 1073741824.0},
        [0.5, 1.0, -1.0],
        -65.14006185000909,
        {"scale": -2.7939677238464355e-09},
        [0.0, -2.16840434497101e-18, 1.734723475976808e-18],
    ),
    (
        "AR",
        {"coefficients": [1.5, -0.5], "scale": 0.015625, "constant": 0.25, "init": [1.0, 2.0]},
        [3.0, 3.75, 4.5, 1.0],
        -34995.04022179938,
        {"coefficients": [-72064.0, -60800.0], "scale": 4480768.0, "constant": -15360.0, "init": [-512.0, 1536.0]},
        [-1280.0, 9216.0, -25856.0, 16896.0],
    ),
    (
        "AR",
        {"coefficients": [4.0], "scale": 0.5, "constant": 0.0, "init": [1.0]},
        [4.0, 16.5, 66.0, 264.25],
        -1.5281654105789098,
        {"coefficients": [74.0], "scale": -5.5, "constant": 3.0, "init": [0.0]},
        [8.0, -2.0, 4.0, -1.0],
    ),
    (
        "GARCH11",
        {"omega": 9.5367431640625e-07, "alpha_1": 0.25, "beta_1": 0.5, "initial_vol": 0.0009765625},
        [0.0, 0.001953125, -0.5, 1.0, 1024.0],
        -1911775.6508332149,
        {
            "omega": 27273343027.127117,
            "alpha_1": 7525790.758850634,
            "beta_1": 448936.71602860576,
            "initial_vol": 8874160.273375437,
        },
        [0.0, 17747865.43563976, -637871.7968690924, 3313951.9243158423, -3640.861882916365],
    ),
    (
        "GARCH11",
        {"omega": 1.0, "alpha_1": 0.0, "beta_1": 1.0, "initial_vol": 1024.0},
        [0.5, 2048.0, -1.0],
        -25.55123113562144,
        {
            "omega": 4.768367034536057e-07,
            "alpha_1": -1.9999940395505291,
            "beta_1": 0.4999990463247741,
            "initial_vol": 0.0009765590075430097,
        },
        [-4.76837158203125e-07, -0.0019531231373566271, 9.536724974203159e-07],
    ),
    (
        "StickBreakingWeights",
        {"alpha": 1024.0},
        [0.0009765625, 0.00048828125, 0.000244140625, 0.998291015625],
        19.04707175326914,
        {"alpha": 0.0012192411452985924},
        [0.0, -1.0009775171065494, -2.002444509771586, 1022.7488394227302],
    ),
    (
        "StickBreakingWeights",
        {"alpha": 0.0009765625},
        [0.5, 0.4999990463256836, 4.76837158203125e-07, 4.76837158203125e-07],
        8.303551234305516,
        {"alpha": 3057.443909208241},
        [0.0, -2.0, -1048578.0, -3143682.0],
    ),
    (
        "CirculantNormal",
        {"loc": [0.0, 0.0, 0.0, 0.0], "covariance_row": [1.0, 0.5, 0.0009765625, 0.5]},
        [1.0, -1.0, 0.5, 0.25],
        -649.0445658913699,
        {
            "loc": [576.3439486252503, -576.531906702218, 575.843459866697, -575.2806848058348],
            "covariance_row": [663039.220716773, -663040.2323170179, 663040.3146491915, -663040.2323170179],
        },
        [-576.3439486252503, 576.531906702218, -575.843459866697, 575.2806848058348],
    ),
    (
        "CirculantNormal",
        {"loc": [1.0, 0.0, 2.0], "covariance_row": [1048576.0, 0.5, 0.5]},
        [1.0, -1.0, 1024.0],
        -24.049280276062806,
        {
            "loc": [-4.6429682386131295e-10, -9.54139067977679e-07, 0.0009746551518223779],
            "covariance_row": [-9.55534686932286e-07, -4.6452220152246013e-10, -4.6452220152246013e-10],
        },
        [4.6429682386131295e-10, 9.54139067977679e-07, -0.0009746551518223779],
    ),
    (
        "ProjectedNormal",
        {"concentration": [0.0, 0.0, 0.0]},
        [0.0, 1.0, 0.0],
        -2.5310242469692907,
        {"concentration": [0.0, 1.5957691216057306, 0.0]},
        [0.0, 0.0, 0.0],
    ),
    (
        "ProjectedNormal",
        {"concentration": [0.5, 1024.0, -0.25]},
        [0.0, 1.0, 0.0],
        11.868817498463422,
        {"concentration": [-0.5, 0.0019531231373566271, 0.25]},
        [512.0009765615687, 0.0, -256.00048828078434],
    ),
    (
        "ProjectedNormal",
        {"concentration": [0.5, -64.0, -0.25]},
        [0.0, 1.0, 0.0],
        -2062.6980309067794,
        {"concentration": [-0.5, 64.04682932391388, 0.25]},
        [0.023414661956944662, 0.0, -0.011707330978472331],
    ),
    (
        "ProjectedNormal",
        {"concentration": [3.0, -4.0]},
        [0.0, 1.0],
        -17.268000110755334,
        {"concentration": [-3.0, 4.432483741873118]},
        [1.2974512256193549, 0.0],
    ),
    (
        "ProjectedNormal",
        {"concentration": [-1.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]},
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        -8.768283461939875,
        {"concentration": [3.9423653645222188, -0.25, -0.25, -0.25, -0.25, -0.25, -0.25, -0.25, -0.25, -0.25]},
        [
            0.0,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
            0.6105913411305547,
        ],
    ),
    (
        "GaussianCopula",
        {"rate": [1.0, 2.0], "correlation": 0.5},
        [40.0, 9.5367431640625e-07],
        -81.50048340118606,
        {"rate": [-66.3144062102852, 1.2538817449240225], "correlation": -172.18818363554436},
        [-1.68286015525713, 1581004.6091309034],
    ),
    (
        "GaussianCopula",
        {"rate": [0.5, 4.0], "correlation": -0.875},
        [1.0, 64.0],
        -1055.643538716957,
        {"rate": [-129.76489245730022, -269.5330779271301], "correlation": 7829.5415381255125},
        [-65.88244622865011, -16.86144237044563],
    ),
    (
        "SineBivariateVonMises",
        {
            "phi_loc": 0.0,
            "psi_loc": 0.5,
            "phi_concentration": 0.5,
            "psi_concentration": 0.0009765625,
            "correlation": 4.0,
        },
        [1.0, -3.0],
        -3.905737806702657,
        {
            "phi_loc": -0.3373804547183329,
            "psi_loc": 3.1523470852838975,
            "phi_concentration": 0.41314509232273666,
            "psi_concentration": -0.9367091929117511,
            "correlation": -0.3955360171957303,
        },
        [0.3373804547183329, -3.1523470852838975],
    ),
    (
        "SineBivariateVonMises",
        {"phi_loc": 0.0, "psi_loc": 0.0, "phi_concentration": 1024.0, "psi_concentration": 512.0, "correlation": 256.0},
        [0.03125, -0.015625],
        3.9925832677729636,
        {
            "phi_loc": 35.99267627595002,
            "psi_loc": -15.99739607968654,
            "phi_concentration": 6.970576185233608e-05,
            "psi_concentration": 0.0009939831729217279,
            "correlation": -0.0010448855614008318,
        },
        [-35.99267627595002, 15.99739607968654],
    ),
    (
        "SineBivariateVonMises",
        {"phi_loc": 0.0, "psi_loc": 0.0, "phi_concentration": 64.0, "psi_concentration": 64.0, "correlation": 64.0},
        [0.25, 0.25],
        1.1737251933454855,
        {
            "phi_loc": 0.49223615695497147,
            "psi_loc": 0.49223615695497147,
            "phi_concentration": 0.014205805942209323,
            "psi_concentration": 0.014205805942209323,
            "correlation": -0.017460977827859707,
        },
        [-0.49223615695497147, -0.49223615695497147],
    ),
    (
        "GaussianStateSpace",
        {
            "transition_matrix": [[2.0, 1.0], [0.0, -0.5]],
            "covariance_matrix": [[1.0, 0.5], [0.5, 1.0]],
            "initial_value": [1.0, 2.0],
        },
        [[4.0, -1.5], [1024.0, 0.5]],
        -690377.3464053937,
        {
            "transition_matrix": [[5427.666666666667, -2034.5833333333333], [-2715.3333333333335, 1016.6666666666667]],
            "covariance_matrix": [[920497.0694444445, -460418.22222222225], [-460418.22222222225, 230293.11111111112]],
            "initial_value": [0.6666666666666666, 0.6666666666666666],
        },
        [[2713.3333333333335, 1696.8333333333333], [-1356.8333333333333, 678.6666666666666]],
    ),
    (
        "EulerMaruyama",
        {"theta": 2.0, "sigma": 0.0009765625, "t": [0.0, 0.0009765625, 0.5]},
        [0.5, 0.5, -1.0],
        -1053178.2231975023,
        {"theta": 524288.0, "sigma": 2156937252.0704503, "t": [524800.0, -4737589.139012182, 4212789.139012182]},
        [1046527.5, -1052684.023483366, 2103308.023483366],
    ),
]


def build(name, parameters, steps):
    if name in BUILD:
        return BUILD[name](**parameters)
    takes_steps = name in ("GaussianRandomWalk", "AR", "GARCH11", "GaussianStateSpace")
    return getattr(sx, name)(**parameters, **({"num_steps": steps} if takes_steps else {}))


def score_and_gradients(name, parameters, x, dtype):
    parameters = {n: jnp.asarray(v, dtype) for n, v in parameters.items()}

    def f(parameters, x):
        return build(name, parameters, len(x)).log_prob(x)

    return jax.jit(jax.value_and_grad(f, (0, 1)))(parameters, jnp.asarray(x, dtype))


def assert_near(got, truth, tolerance, of_what):
    got, truth = np.asarray(got, float), np.asarray(truth, float)
    allowed = tolerance * max(1.0, np.abs(truth).max())  # of the largest entry, whose terms the others are made of
    assert (np.abs(got - truth) <= allowed).all(), (of_what, got, truth, np.abs(got - truth).max() / allowed)


def check(case, dtype, tolerance):
    name, parameters, x, score, in_parameters, in_x = case
    got, (of_parameters, of_x) = score_and_gradients(name, parameters, x, dtype)
    assert got.dtype == dtype
    assert_near(got, score, tolerance, "log density")
    for n, truth in in_parameters.items():
        assert_near(of_parameters[n], truth, tolerance, n)
    assert_near(of_x, in_x, tolerance, "x")


NAMES = [f"{i}-{case[0]}" for i, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_in_double_precision(case, x64):
    check(case, jnp.float64, 1e-10)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_in_single_precision(case):
    check(case, jnp.float32, 1e-5)
