"""HyperGeometric: draws without return."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from storax import supports
from storax.distributions.base import Distribution, is_known, promote, within
from storax.distributions.chances import Chances, pass_nan
from storax.distributions.masses import log_binomial
from storax.distributions.searching import as_count, quantile
from storax.distributions.summing import entropy, inner_count, log_sums, outside_known
from storax.errors import ParameterError
from storax.supports import Support


class HyperGeometric(Distribution):
    """The marked ones among `draws` taken without return from `population`, of which `marked` are marked.

    Args:
        population: a whole number, not negative (N in PyMC).
        marked: a whole number from 0 to population (k in PyMC).
        draws: a whole number from 0 to population (n in PyMC).

    >>> HyperGeometric(52, 4, 13).mean.item()
    1.0
    """

    population: Any
    marked: Any
    draws: Any

    parameters: ClassVar[dict[str, Support]] = dict.fromkeys(
        ("population", "marked", "draws"), supports.nonnegative_integer
    )
    is_discrete: ClassVar[bool] = True

    def validate(self) -> None:
        super().validate()
        for name in ("marked", "draws"):
            pair = self.population, getattr(self, name)
            if not all(map(is_known, pair)):
                continue
            whole, part = np.broadcast_arrays(*map(np.asarray, pair))
            for index in np.argwhere(part > whole)[:1]:
                at = f"[{', '.join(map(str, index))}]" if len(index) else ""
                raise ParameterError(
                    f"{self.name}: {name} must not be above population, and {name}{at} is {part[*index]}, "
                    f"population{at} is {whole[*index]}."
                )

    @property
    def support(self) -> Support:
        return supports.integer_interval(*self._ends())

    def _ends(self) -> tuple[jax.Array, jax.Array]:
        whole, marked, draws = (jnp.asarray(x) for x in (self.population, self.marked, self.draws))
        whole, marked, draws = jnp.broadcast_arrays(whole, marked, draws)
        return jnp.maximum(draws - (whole - marked), 0), jnp.minimum(draws, marked)

    def sample(self, key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
        whole, marked, draws = promote(self.population, self.marked, self.draws)
        full = (*shape, *self.batch_shape)
        # Marked and drawn may change places: the fewer of them are looked at one by one.
        few, many, whole = (
            jnp.broadcast_to(x, full) for x in (jnp.minimum(marked, draws), jnp.maximum(marked, draws), whole)
        )

        def look(i: Any, hits: jax.Array) -> jax.Array:
            left = jnp.maximum(whole - i, 1.0)
            chance = (many - hits) / left
            hit = jax.random.uniform(jax.random.fold_in(key, i), full, hits.dtype) < chance
            return hits + (hit & (i < few))

        most = jnp.max(few, initial=0).astype(int)
        return as_count(lax.fori_loop(0, most, look, jnp.zeros_like(few)), self.dtype)

    def log_prob(self, value: Any) -> jax.Array:
        x, whole, marked, draws = promote(value, self.population, self.marked, self.draws)
        inside = (x >= 0) & (x <= marked) & (x <= draws) & (draws - x <= whole - marked) & (jnp.floor(x) == x)
        possible = (marked <= whole) & (draws <= whole)
        k, whole, marked, draws = (jnp.where(inside, v, 0.0) for v in (x, whole, marked, draws))
        # Of independent draws from the marked and from the others, given how many there are in all; any chance does.
        chances = Chances.of_odds(draws, jnp.where(whole > draws, whole - draws, 1.0))
        chances = Chances(*(jnp.where(whole > draws, y, z) for y, z in zip(chances, Chances.of(1.0), strict=True)))
        chances = Chances(*(lax.stop_gradient(y) for y in chances))
        of_marked = log_binomial(k, marked - k, chances)
        of_others = log_binomial(draws - k, whole - marked - (draws - k), chances)
        score = within(inside, of_marked + of_others - log_binomial(draws, whole - draws, chances))
        return self._or_nan(pass_nan(x, score), possible)

    def log_cdf(self, value: Any) -> jax.Array:
        return self._tails(value)[0]

    def log_survival(self, value: Any) -> jax.Array:
        return self._tails(value)[1]

    def _tails(self, value: Any) -> tuple[jax.Array, jax.Array]:
        x, whole, marked, draws = promote(value, self.population, self.marked, self.draws)
        low, high = jnp.maximum(draws - (whole - marked), 0.0), jnp.minimum(draws, marked)
        mean = draws * (marked / jnp.maximum(whole, 1.0))
        sums = log_sums(_log_mass, inner_count(x, low, high), low, high, mean, True, whole, marked, draws)
        return outside_known(x, low, high, sums)

    def icdf(self, q: Any) -> jax.Array:
        return quantile(self, q, *self._ends())

    @property
    def mean(self) -> jax.Array:
        whole, marked, draws = promote(self.population, self.marked, self.draws)
        return draws * (marked / jnp.maximum(whole, 1.0))

    @property
    def variance(self) -> jax.Array:
        whole, marked, draws = promote(self.population, self.marked, self.draws)
        n = jnp.maximum(whole, 1.0)
        return draws * (marked / n) * ((whole - marked) / n) * ((whole - draws) / jnp.maximum(whole - 1, 1.0))

    @property
    def mode(self) -> jax.Array:
        whole, marked, draws = promote(self.population, self.marked, self.draws)
        return as_count(jnp.floor((draws + 1) * ((marked + 1) / (whole + 2))), self.dtype)

    def entropy(self) -> jax.Array:
        low, high = (jnp.asarray(x, jnp.result_type(float)) for x in self._ends())
        whole, marked, draws = promote(self.population, self.marked, self.draws)
        return entropy(_log_mass, low, high, self.mean, self.variance, True, whole, marked, draws)


def _log_mass(k: jax.Array, whole: jax.Array, marked: jax.Array, draws: jax.Array) -> jax.Array:
    return HyperGeometric(whole, marked, draws).log_prob(k)
