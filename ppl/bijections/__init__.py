"""Smooth one-to-one maps between R^n and a support, with the log-determinant of their Jacobian.

A sampler walks in R^n; `biject_to(support)` is the map from there to where the model's values live.  `ALL` is one of
each, and the shape of an example z: adding an entry buys its tests.
"""

import numpy as np

from storax.bijections.base import Bijection, Lifted
from storax.bijections.between import Within
from storax.bijections.correlations import CorrelationFactor, FactorToCorrelation
from storax.bijections.elementwise import Beyond, Exp, Identity, Sigmoid
from storax.bijections.matrices import CholeskyToMatrix, FillCholesky
from storax.bijections.registry import biject_to
from storax.bijections.sphere import Stereographic
from storax.bijections.stick_breaking import StickBreaking
from storax.bijections.zero_sum import ZeroSumIsometry

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
]

__all__ = [
    "ALL",
    "Beyond",
    "Bijection",
    "CholeskyToMatrix",
    "CorrelationFactor",
    "Exp",
    "FactorToCorrelation",
    "FillCholesky",
    "Identity",
    "Lifted",
    "Sigmoid",
    "Stereographic",
    "StickBreaking",
    "Within",
    "ZeroSumIsometry",
    "biject_to",
]
