"""`unconstrain`: a model with its data as a log density on R^n."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.data import as_real, as_value
from storax.effects import Record, Sites
from storax.errors import ArgumentTypeError, InferenceError, ShapeError, UnknownNameError, nearest
from storax.keys import as_key
from storax.logprob.checking import examine
from storax.logprob.collecting import check_values, collect, open_sites
from storax.logprob.layout import Layout
from storax.logprob.scoring import Pieces, addends, joint
from storax.logprob.stabilizing import stabilized
from storax.logprob.walks import Constrainer, Inverter, Starter, refuse_dependent_branches, scout
from storax.models import Model, transformation
from storax.sources import plain_errors
from storax.staging import Staged


class Evaluation(NamedTuple):
    """A point seen from both sides: its log density on R^n, and every site's record."""

    log_density: jax.Array
    records: dict[str, Record]


class Density:
    """The log density of a model's latent sites on R^n; the data are fixed.

    A point `z` is a dict name -> unconstrained floats.  All methods are pure and can be transformed by JAX.

    Attributes:
        shapes: name -> shape of `z[name]`.
        size: how many numbers that is.
    """

    def __init__(self, model: Model, staged: Staged, call: str = "sx.unconstrain") -> None:
        self._model, self._staged, self._call = model, stabilized(model, staged), call
        self.sites: Sites = model.sites(staged)
        latent = open_sites(self.sites, call)
        if not self.sites:
            raise InferenceError(f"{call}: the model called no sx.sample: there is nothing to infer.")
        if not latent:
            raise InferenceError(
                f"{call}: the model has no latent site: every choice has a value already, so there is nothing to "
                f"infer. For draws from it use sx.seed."
            )
        self.layout = Layout(scout(model, staged, latent, call))
        refuse_dependent_branches(self)

    def with_data(self, model: Model, staged: Staged) -> Density:
        """The same for other data of the same shapes: nothing is looked at again."""
        other = copy.copy(self)
        other._model, other._staged = model, self._staged._replace(arrays=staged.arrays)
        return other

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {s.name: s.z_shape for s in self.layout.slots}

    @property
    def size(self) -> int:
        return self.layout.size

    @plain_errors
    def log_density(self, z: Mapping[str, Any]) -> jax.Array:
        """Log density at `z`, with the log-determinant of the change of variables; a scalar."""
        return self.of_vector(self.flatten(z))

    @plain_errors
    def constrain(self, z: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Every latent and derived quantity by name; nan for those in a branch that the data did not take."""
        return self.quantities(self.flatten(z))

    @plain_errors
    def unconstrain(self, values: Mapping[str, Any]) -> dict[str, jax.Array]:
        """The point of R^n with these values of the latent sites.

        Raises:
            ObservationError: a value outside of its site's support, or on its boundary, which no point of R^n has.
            The errors of `log_density`.
        """
        given = check_values(values, self.sites, self._call)
        records = collect(self._model, self._staged, self._staged.arrays, Inverter(given, self._call))
        return {s.name: records[s.name].z.reshape(s.z_shape) for s in self.layout.slots}

    def moved(self, vector: jax.Array, values: Mapping[str, Any]) -> jax.Array:
        """The point with these values of some latent sites; the others keep their coordinates."""
        infos = {n: self.sites[n] for n in values}
        given = {n: as_value(values[n], i.shape, i.dtype, i.site.label) for n, i in infos.items()}
        fixed, on_walk, _, _ = self.layout.constrain(vector)
        rest = {n: z for n, z in on_walk.items() if n not in given}
        walker = Starter({**fixed, **rest, **given}, self._call, frozenset(rest), frozenset(given))
        records = collect(self._model, self._staged, self._staged.arrays, walker)
        old = self.layout.unflatten(vector)
        return self.layout.flatten({n: records[n].z if n in given else old[n] for n in old})

    @plain_errors
    def init(self, key: Any) -> dict[str, jax.Array]:
        """A random start, uniform in (-2, 2) for every coordinate, as in Stan."""
        return self.layout.unflatten(self.random_vector(as_key(key, "init")))

    @plain_errors
    def flatten(self, z: Mapping[str, Any]) -> jax.Array:
        """`z` as one vector `[size]`."""
        if not isinstance(z, Mapping):
            raise ArgumentTypeError(f"A point is a dict name -> array, and this is of type {type(z).__name__}.")
        for name in [*z, *self.shapes]:
            if name not in self.shapes:
                raise UnknownNameError(f"There is no latent site named {name!r}. {nearest(name, self.shapes)}")
            if name not in z:
                raise UnknownNameError(f"z has no value for {name!r}. It needs: {list(self.shapes)}.")
        arrays = {n: as_real(z[n], f"z[{n!r}]") for n in z}
        for name, shape in self.shapes.items():
            if arrays[name].shape != shape:
                raise ShapeError(f"z[{name!r}] must have shape {shape}, and has {arrays[name].shape}.")
        return self.layout.flatten(arrays)

    def unflatten(self, vector: jax.Array) -> dict[str, jax.Array]:
        """The point of a vector `[size]`."""
        return self.layout.unflatten(vector)

    # On vectors, as samplers have them.

    def random_vector(self, key: jax.Array) -> jax.Array:
        return jax.random.uniform(key, (self.size,), self.layout.dtype, -2.0, 2.0)

    def of_vector(self, vector: jax.Array) -> jax.Array:
        return self.evaluate(vector).log_density

    def evaluate(self, vector: jax.Array) -> Evaluation:
        records, rest, pieces = self._seen(vector)
        return Evaluation(joint(records.values(), pieces) + rest, records)

    def addends(self, vector: jax.Array) -> list[jax.Array]:
        """Arrays of which the log density is the sum."""
        records, rest, pieces = self._seen(vector)
        return [*addends(records.values(), pieces), rest]

    def _seen(self, vector: jax.Array) -> tuple[dict[str, Record], jax.Array, Pieces]:
        """All records at a point, and what changes of variables add to their log densities."""
        values, on_walk, log_det, pieces = self.layout.constrain(vector)
        walker = Constrainer({**values, **on_walk}, self._call, frozenset(on_walk))
        records = collect(self._model, self._staged, self._staged.arrays, walker)
        for slot in self.layout.slots:
            if slot.name in on_walk:
                log_det = log_det + _rest(records[slot.name], on_walk[slot.name])
        return records, log_det, pieces

    def quantities(self, vector: jax.Array) -> dict[str, jax.Array]:
        """Every latent and derived quantity by name."""
        latent = {s.name for s in self.layout.slots}
        records = self.evaluate(vector).records
        return {n: _or_nan(r) for n, r in records.items() if r.is_mark or n in latent}

    def site_scores(self, vector: jax.Array) -> dict[str, jax.Array]:
        """The log density that each site contributes, to say which one is to blame."""
        records = self.evaluate(vector).records
        return {n: jnp.sum(r.score()) for n, r in records.items() if not r.is_mark}


def _rest(record: Record, z: jax.Array) -> jax.Array:
    """What a site constrained on the walk adds: its log-determinant, or a standard normal where it was not reached.

    In a branch that the data did not take, z is free: any proper density will do, and this one samples well.
    """
    if record.active is None:
        return jnp.sum(record.log_det)
    free = ~record.active.reshape(record.active.shape + (1,) * (z.ndim - record.active.ndim))
    normal = jnp.where(free, -0.5 * z**2 - 0.5 * math.log(2 * np.pi), 0.0)
    return jnp.sum(record.log_det) + jnp.sum(normal)


def _or_nan(record: Record) -> jax.Array:
    if record.active is None or not jnp.issubdtype(record.value.dtype, jnp.inexact):
        return record.value
    active = record.active.reshape(record.active.shape + (1,) * (record.value.ndim - record.active.ndim))
    return jnp.where(active, record.value, jnp.nan)


@transformation
def unconstrain(model: Callable[..., Any]) -> Callable[..., Density]:
    """A model with its data as a log density on R^n.

    Args:
        model: a model; its latent sites must be continuous.

    Returns:
        `f(*args, **kwargs) -> Density`.

    Raises:
        InferenceError: no latent site, a discrete one, or one in a branch that depends on another.
        NotMeasurable: an anonymous draw cannot be integrated out, or an observed derived quantity not solved for.
        The errors of `sx.check` on bad data and parameters.

    >>> import storax as sx
    >>> density = sx.unconstrain(lambda: sx.sample("scale", sx.HalfNormal(1.0)))
    >>> z = density().unconstrain({"scale": 1.0})
    >>> float(density().constrain(z)["scale"])
    1.0
    """
    model = Model.of(model, "sx.unconstrain")

    @plain_errors
    def f(*args: Any, **kwargs: Any) -> Density:
        staged = model.stage(*args, **kwargs)
        examine(model, staged, staged.arrays)
        from storax.logprob.deriving.marginal import density_of

        return density_of(model, staged)

    return f
