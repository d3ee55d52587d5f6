"""Smooth one-to-one maps between R^n and a support, with the log-determinant of their Jacobian.

A sampler walks in R^n; `biject_to(support)` is the map from there to where the model's values live.  `ALL` is one of
each, and the shape of an example z: adding an entry buys its tests.
"""

import jax
import jax.numpy as jnp
import numpy as np

from storax.bijections.base import Bijection, Lifted
from storax.bijections.between import Within
from storax.bijections.composing import Compose, Concatenate
from storax.bijections.correlations import CorrelationFactor, FactorToCorrelation
from storax.bijections.elementwise import Beyond, Exp, Identity, Sigmoid
from storax.bijections.functions import Autoregressive, Invertible
from storax.bijections.isometric import IsometricSimplex
from storax.bijections.matrices import CholeskyToMatrix, FillCholesky
from storax.bijections.ordering import Ordered, PositiveOrdered
from storax.bijections.registry import biject_to
from storax.bijections.rotations import Permute, RealFFT, ToComplex
from storax.bijections.scaling import Affine, Power, Softplus
from storax.bijections.sphere import Stereographic
from storax.bijections.stick_breaking import StickBreaking
from storax.bijections.zero_sum import ZeroSumIsometry


def _shear(z: jax.Array) -> jax.Array:
    return jnp.stack([2 * z[0], z[1] + jnp.sin(z[0])])


def _unshear(x: jax.Array) -> jax.Array:
    return jnp.stack([x[0] / 2, x[1] - jnp.sin(x[0] / 2)])


ALL: list[tuple[Bijection, tuple[int, ...]]] = [
    (Identity(), (3,)),
    (Exp(), (3,)),
    (Sigmoid(0.0, 1.0), (3,)),
    (Sigmoid(-2.0, np.array([1.0, 5.0])), (2,)),
    (Sigmoid(1e3, 1e3 + 1), (2,)),
    (Within(np.array([-np.inf, -1.0, 2.0]), np.array([1.0, np.inf, 4.0])), (3,)),
    (Beyond(2.5), (3,)),
    (Beyond(np.array([-1.0, 1e3]), below=True), (2,)),
    (Sigmoid(-np.pi, np.pi), (3,)),
    (Within(1.5, np.array([np.inf, 3.0])), (2,)),
    (StickBreaking(), (4,)),
    (StickBreaking(), (2, 1)),
    (Lifted(Exp(), 1), (2, 3)),
    (FillCholesky(), (6,)),
    (CholeskyToMatrix(), (2, 3)),
    (CorrelationFactor(), (6,)),
    (CorrelationFactor(), (2, 1)),
    (FactorToCorrelation(), (3,)),
    (FactorToCorrelation(), (2, 6)),
    (ZeroSumIsometry(1), (3,)),
    (ZeroSumIsometry(2), (2, 3)),
    (Stereographic(), (2,)),
    (Affine(2.0, -3.0), (3,)),
    (Affine(np.array([1.0, -1.0]), np.array([0.5, 2.0])), (2,)),
    (Softplus(), (3,)),
    (Compose((Exp(), Power(np.array([0.5, -2.0])))), (3, 2)),
    (Compose((Exp(), Permute((2, 0, 1)))), (3,)),
    (Compose((Affine(1.0, 0.5), ZeroSumIsometry())), (3,)),
    (Concatenate((Exp(), Ordered(), Identity()), (2, 3, 1)), (2, 6)),
    (Permute((2, 0, 1)), (3,)),
    (RealFFT(), (5,)),
    (RealFFT(), (2, 6)),
    (Ordered(), (4,)),
    (PositiveOrdered(), (2, 3)),
    (Stereographic(), (3,)),
    (IsometricSimplex(), (3,)),
    (Invertible(jnp.sinh, jnp.arcsinh), (3,)),
    (Invertible(_shear, _unshear, event_dim=1), (3, 2)),
    (Autoregressive(lambda z: (jnp.sin(jnp.cumsum(z) - z), jnp.tanh(jnp.cumsum(z) - z))), (4,)),
]

__all__ = [
    "ALL",
    "Affine",
    "Autoregressive",
    "Beyond",
    "Bijection",
    "CholeskyToMatrix",
    "Compose",
    "Concatenate",
    "CorrelationFactor",
    "Exp",
    "FactorToCorrelation",
    "FillCholesky",
    "Identity",
    "Invertible",
    "IsometricSimplex",
    "Lifted",
    "Ordered",
    "Permute",
    "PositiveOrdered",
    "Power",
    "RealFFT",
    "Sigmoid",
    "Softplus",
    "Stereographic",
    "StickBreaking",
    "ToComplex",
    "Within",
    "ZeroSumIsometry",
    "biject_to",
]
