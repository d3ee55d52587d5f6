"""Posteriors by optimisation: the best point, a Gaussian around it, and Gaussians on the way to it.

All of it stands on optax and on the model's density on R^n, and each is a pure function of a key and the data.
"""

from storax.samplers.optimizing.approximating import LaplaceApproximation, laplace
from storax.samplers.optimizing.maximizing import PointEstimate, map_estimate
from storax.samplers.optimizing.pathfinding import PathfinderFit, pathfinder

__all__ = ["LaplaceApproximation", "PathfinderFit", "PointEstimate", "laplace", "map_estimate", "pathfinder"]
