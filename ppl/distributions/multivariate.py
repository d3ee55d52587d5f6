"""Dirichlet, MultivariateNormal."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from storax import supports
from storax.bijections.cholesky import matmul
from storax.distributions.base import Distribution, promote, within
from storax.distributions.factors import as_vector, check_sizes, factors, inverse, log_diagonal, multiply, whiten
from storax.distributions.gamma_density import by_size, log_gamma_density
from storax.distributions.gamma_steps import gamma_entropy
from storax.distributions.log_gamma import LARGE, digamma, log_minus_digamma
from storax.distributions.masses import in_a_row
from storax.distributions.special import HALF_LOG_TWO_PI, afresh, positive_or_nan, safe_log, times_log
from storax.errors import ParameterError, ShapeError
from storax.pytrees import static
from storax.rules import custom_rule
from storax.supports import Support
from storax.supports.vectors import rounding_of_halves


class Dirichlet(Distribution):
    """The Dirichlet distribution on vectors of K numbers that sum to 1.

    Args:
        concentration: `[..., K]`, positive, K at least 2.

    >>> Dirichlet([1.0, 1.0, 2.0]).mean.tolist()
    [0.25, 0.25, 0.5]
    """

    concentration: Any

    parameters: ClassVar[dict[str, Support]] = {"concentration": supports.independent(supports.positive, 1)}
    support: ClassVar[Support] = supports.simplex
    event_dim: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = jnp.shape(self.concentration)
        if shape[-1] < 2:
            raise ShapeError(f"Dirichlet: concentration must be a vector of at least 2 numbers, and has shape {shape}.")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.concentration)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        (a,) = promote(self.concentration)
        x = jax.random.dirichlet(key, a.astype(self.dtype), (*shape, *self.batch_shape), self.dtype)
        return jnp.maximum(x, jnp.finfo(x.dtype).tiny)

    def log_prob(self, value: Any) -> jax.Array:
        x, a = promote(value, self.concentration)
        a = positive_or_nan(a)
        tolerance = 1e-8 if x.dtype == jnp.float64 else max(1e-4, rounding_of_halves(x.dtype))
        inside = (~(x < 0)).all(-1) & ~(jnp.abs(x.sum(-1) - 1) > tolerance)
        return within(inside, _log_dirichlet(a, x))

    @property
    def mean(self) -> jax.Array:
        (a,) = promote(self.concentration)
        return a / a.sum(-1, keepdims=True)

    @property
    def variance(self) -> jax.Array:
        (a,) = promote(self.concentration)
        total = a.sum(-1, keepdims=True)
        return self.mean * (_others(a) / total) / (total + 1)

    @property
    def covariance(self) -> jax.Array:
        (a,) = promote(self.concentration)
        total = a.sum(-1, keepdims=True)[..., None]
        m = self.mean
        identity = jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=bool), (*a.shape, a.shape[-1]))
        return jnp.where(identity, self.variance[..., None], -m[..., :, None] * m[..., None, :] / (total + 1))

    @property
    def mode(self) -> jax.Array:
        """Without a concentration above 1: even among those at 1; with all below 1, the corner of the largest."""
        (a,) = promote(self.concentration)
        above = jnp.maximum(a - 1, 0.0)
        k = a.shape[-1]
        corner = jax.nn.one_hot(jnp.argmax(a, -1), k, dtype=a.dtype)
        flat = jnp.where((a == 1).any(-1, keepdims=True), (a == 1).astype(a.dtype), corner)
        weights = jnp.where((above > 0).any(-1, keepdims=True), above, flat)
        return weights / weights.sum(-1, keepdims=True)

    def entropy(self) -> jax.Array:
        """Of independent gamma variables, less that of their total: nothing cancels at large concentrations."""
        (a,) = promote(self.concentration)
        total = a.sum(-1)
        return gamma_entropy(a).sum(-1) - gamma_entropy(total) - (a.shape[-1] - 1) * digamma(total)


def _others(a: jax.Array) -> jax.Array:
    """The sum of all the others, added rather than subtracted from the total."""
    none = jnp.zeros_like(a[..., :1])
    before = jnp.concatenate([none, jnp.cumsum(a, -1)[..., :-1]], -1)
    after = jnp.concatenate([jnp.cumsum(jnp.flip(a, -1), -1)[..., :-1][..., ::-1], none], -1)
    return before + after


@custom_rule
def _log_dirichlet(a: Any, x: Any) -> jax.Array:
    return by_size(lambda mixed, a, x: (_around_mode if mixed else _from_mode)(a, x), a, x)


def _of_log_dirichlet(primals: Any, tangents: Any) -> Any:
    """The slopes (a - 1) / x are those of the textbook formula, x being free; 0 at 0."""
    value = _log_dirichlet(*primals)
    change = jnp.zeros_like(value)
    a, x = (afresh(y) for y in primals)
    if not isinstance(tangents[0], SymbolicZero):
        change = change + (by_size(_slope_of_concentration, a, x) * tangents[0]).sum(-1)
    if not isinstance(tangents[1], SymbolicZero):
        none = (x <= 0) | (x == jnp.inf)
        change = change + (jnp.where(none, 0.0, (a - 1) / jnp.where(none, 1.0, x)) * tangents[1]).sum(-1)
    return value, change


_log_dirichlet.defjvp(_of_log_dirichlet, symbolic_zeros=True)


def _slope_of_concentration(mixed: bool, a: jax.Array, x: jax.Array) -> jax.Array:
    """log x - digamma(a) + digamma(sum of a); where x is 0, -inf but for a = 1, and 0 for a large a."""
    x = _harmless(x)
    total = a.sum(-1, keepdims=True)
    zero = x == 0
    log_x = jnp.where(zero, jnp.where(a == 1, 0.0, -jnp.inf), jnp.log(jnp.where(zero, 1.0, x)))
    direct = log_x + (digamma(total) - digamma(a))
    if not mixed:
        return direct
    large = a > LARGE
    b, s = jnp.where(large, a, LARGE), jnp.where(large, total, 2 * LARGE)
    v = (s * x - b) / b  # around the mode the logarithms cancel
    near = large & (jnp.abs(v) < 0.3)
    around_mode = jnp.log1p(jnp.where(near, v, 0.0)) + log_minus_digamma(b) - log_minus_digamma(s)
    return jnp.where(near, around_mode, jnp.where(large & zero, 0.0, direct))


def _around_mode(a: jax.Array, x: jax.Array) -> jax.Array:
    """The density of a Dirichlet(a) as that of gammas s x_i, given that they sum to s; for any s, and a of any size.

    At the sum of a the mode is a.  Where that is small, s x might be too small for a float.
    """
    s = jnp.maximum(lax.stop_gradient(a.sum(-1)), 1.0)
    shape, (y, b) = in_a_row(s[..., None] * _harmless(x), a)
    return log_gamma_density(b, y).reshape(shape).sum(-1) - _log_total(a, s)


def _from_mode(a: jax.Array, x: jax.Array) -> jax.Array:
    """The same for a that are small, by the textbook formula from x = a / sum of a on."""
    total = a.sum(-1)
    at_mode = log_gamma_density(a, a).sum(-1) - _log_total(a, total)
    return times_log(a - 1, safe_log(_harmless(x)) - jnp.log(a / total[..., None])).sum(-1) + at_mode


def _harmless(x: jax.Array) -> jax.Array:
    """Numbers outside of the support, whose logarithm would make gradients nan, made 1."""
    return jnp.where((x < 0) | (x == jnp.inf), 1.0, x)


def _log_total(a: jax.Array, s: jax.Array) -> jax.Array:
    """Log density at s of the sum of K gammas, over s^(K - 1)."""
    return log_gamma_density(a.sum(-1), s) - (a.shape[-1] - 1) * jnp.log(s)


class MultivariateNormal(Distribution):
    """The normal distribution on vectors of d numbers; `MvNormal` is another name for it.

    Args:
        loc: mean, `[..., d]`, or one number for all.
        covariance_matrix: `[..., d, d]`, symmetric and positive definite; or
        precision_matrix: its inverse, which densities are computed from without inverting it; or
        scale_tril: its lower Cholesky factor.

    Attributes:
        scale_tril: L, with covariance L L^T, however it was given.
        precision_tril: W = L^-1 if a precision was given, else None.

    >>> MultivariateNormal(jnp.zeros(2), 4 * jnp.eye(2)).variance.tolist()
    [4.0, 4.0]
    """

    loc: Any
    scale_tril: Any
    precision_tril: Any = None
    problem: str = static(default="", repr=False)  # what is wrong with the matrix, for `validate` to say

    parameters: ClassVar[dict[str, Support]] = {
        "loc": supports.real_vector,
        "scale_tril": supports.lower_cholesky,
        "precision_tril": supports.lower_cholesky,
    }
    support: ClassVar[Support] = supports.real_vector
    event_dim: ClassVar[int] = 1

    def __init__(
        self, loc: Any = 0.0, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None
    ) -> None:
        found = factors(
            self.name, ("covariance_matrix", covariance_matrix), ("precision_matrix", precision_matrix), scale_tril
        )
        loc = as_vector(loc, f"{self.name}: loc", jnp.shape(found.scale_tril)[-1], found.scale_tril)
        check_sizes(self.name, ("loc", loc, -1), (found.name, found.scale_tril, -1))
        object.__setattr__(self, "loc", loc)
        object.__setattr__(self, "scale_tril", found.scale_tril)
        object.__setattr__(self, "precision_tril", found.precision_tril)
        object.__setattr__(self, "problem", found.problem)
        self.__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (int(jnp.shape(self.scale_tril)[-1]),)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.shape), self.dtype)
        loc, shifted = promote(self.loc, multiply(self.scale_tril, noise))
        return loc + shifted

    def log_prob(self, value: Any) -> jax.Array:
        x, loc = promote(value, self.loc)
        finite = ~jnp.isinf(x).any(-1)  # infinity less infinity is nan
        whitened = whiten(self.scale_tril, self.precision_tril, jnp.where(finite[..., None], x, 0.0) - loc)
        log_det = log_diagonal(self.scale_tril, self.precision_tril).sum(-1)
        squares, log_det = promote(jnp.square(whitened).sum(-1), log_det)
        score = -0.5 * squares - log_det - self.event_shape[0] * HALF_LOG_TWO_PI
        return within(finite, score)

    @property
    def mean(self) -> jax.Array:
        return jnp.broadcast_to(promote(self.loc)[0], self.shape)

    @property
    def mode(self) -> jax.Array:
        return self.mean

    @property
    def covariance_matrix(self) -> jax.Array:
        (factor,) = promote(self.scale_tril)
        return matmul(factor, factor.mT)

    @property
    def precision_matrix(self) -> jax.Array:
        (factor,) = promote(inverse(*promote(self.scale_tril)) if self.precision_tril is None else self.precision_tril)
        return matmul(factor.mT, factor)

    @property
    def covariance(self) -> jax.Array:
        return jnp.broadcast_to(self.covariance_matrix, (*self.shape, *self.event_shape))

    @property
    def variance(self) -> jax.Array:
        return jnp.broadcast_to(jnp.square(promote(self.scale_tril)[0]).sum(-1), self.shape)

    def entropy(self) -> jax.Array:
        log_det = log_diagonal(self.scale_tril, self.precision_tril).sum(-1)
        return jnp.broadcast_to(log_det + self.event_shape[0] * (HALF_LOG_TWO_PI + 0.5), self.batch_shape)

    def validate(self) -> None:
        if self.problem:
            raise ParameterError(self.problem)
        super().validate()


MvNormal = MultivariateNormal
