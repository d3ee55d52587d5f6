"""One network for all copies of a plate, in place of parameters for each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import InferenceError, ShapeError
from storax.logprob.unconstraining import Density
from storax.models import Model
from storax.samplers.variational.families import Family, Params, centre
from storax.samplers.variational.gaussians import START, log_standard_normal
from storax.samplers.variational.networks import NETWORK_PACE, apply, network


class Plan(NamedTuple):
    """Where the copies' coordinates are: `[row, number]` positions in the vector; the rest; and the rows' features."""

    locals: Any
    globals: Any
    features: jax.Array  # [row, feature]
    weight: float  # how many copies of the plate each row stands for


@dataclasses.dataclass(frozen=True)
class Amortised(Family):
    """Normal numbers for every copy of a plate, whose means and scales a network reads off the copy's data; for the
    latent sites outside of the plate independent normal numbers, which the network is given, too.

    With a subsample of the plate its steps cost as much as the subsample.

    Args:
        features: `f(*args, **kwargs) -> [copies, n]`, of the model's arguments: what the network sees of each copy.
        plate: the plate's name.
        scale: standard deviation of every coordinate at the start, positive.
        width: of the network's two hidden layers.
    """

    features: Callable[..., Any]
    plate: str
    scale: float = START
    width: int = 32

    is_local: ClassVar[bool] = True

    def companion(self) -> Model:
        return Model.of(self.features, "sx.guides.Amortised")

    def context(self, density: Density, features: Any, batch: Any = None) -> Plan:
        rows = _as_rows(features)
        local, begin = [], 0
        for slot in density.layout.slots:
            if self._is_local(density.sites[slot.name], slot):
                count = slot.z_shape[0]
                local.append(begin + np.arange(slot.size).reshape(count, -1))
            begin += slot.size
        if not local:
            dims = {d for s in density.layout.slots for d in density.sites[s.name].site.dims if d}
            raise InferenceError(
                f"sx.guides.Amortised: no latent site has the plate {self.plate!r} as its first axis. The plates of "
                f"the latent sites are {sorted(dims)}."
            )
        positions = np.concatenate(local, 1)
        weight = 1.0
        if batch and self.plate in batch:
            indices, total = batch[self.plate]
            weight = total / len(indices)
            rows = rows if len(rows) == len(positions) else rows[indices]
        if len(rows) != len(positions):
            raise ShapeError(
                f"sx.guides.Amortised: plate {self.plate!r} has {len(positions)} copies, and the features {len(rows)} "
                f"rows. Return one row of features for each copy."
            )
        return Plan(positions, np.setdiff1d(np.arange(density.size), positions), rows, weight)

    def _is_local(self, info: Any, slot: Any) -> bool:
        dims = info.site.dims
        return bool(dims) and dims[0] == self.plate and not slot.loops and len(slot.z_shape) > 0

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        keys = jax.random.split(key)
        loc = centre(density, keys[0])[context.globals]
        inputs, outputs = context.features.shape[1] + len(loc), context.locals.shape[1]
        net = network(keys[1], [inputs, self.width, self.width, 2 * outputs], loc.dtype)
        net[-1]["bias"] = net[-1]["bias"].at[outputs:].set(math.log(self.scale))
        return {"loc": loc, "log_scale": jnp.full_like(loc, math.log(self.scale)), "network": net}

    def _local(self, params: Params, outer: jax.Array, plan: Plan) -> Any:
        rows = plan.features.astype(outer.dtype)
        given = jnp.concatenate([rows, jnp.broadcast_to(outer, (len(rows), outer.size))], 1)
        return jnp.split(apply(params["network"], given), 2, axis=1)

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key)
        noise = jax.random.normal(keys[0], params["loc"].shape, params["loc"].dtype)
        outer = params["loc"] + jnp.exp(params["log_scale"]) * noise
        loc, log_scale = self._local(params, outer, context)
        own = jax.random.normal(keys[1], loc.shape, loc.dtype)
        z = jnp.zeros(outer.size + loc.size, outer.dtype).at[context.globals].set(outer)
        z = z.at[context.locals].set(loc + jnp.exp(log_scale) * own)
        return z, self._density(params, noise, own, log_scale, context)

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        outer, inner = z[context.globals], z[context.locals]
        loc, log_scale = self._local(params, outer, context)
        noise = (outer - params["loc"]) * jnp.exp(-params["log_scale"])
        own = (inner - loc) * jnp.exp(-log_scale)
        return self._density(params, noise, own, log_scale, context)

    def _density(self, params: Params, noise: Any, own: Any, log_scale: Any, plan: Plan) -> jax.Array:
        """The copies count as often as those of the model."""
        inner = log_standard_normal(jnp.ravel(own)) - log_scale.sum()
        return log_standard_normal(noise) - params["log_scale"].sum() + plan.weight * inner

    def pace(self, params: Params) -> Any:
        return {n: jax.tree.map(lambda _: NETWORK_PACE if n == "network" else 1.0, x) for n, x in params.items()}  # noqa: B023


def _as_rows(features: Any) -> jax.Array:
    rows = jnp.asarray(features)
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2:
        raise ShapeError(f"sx.guides.Amortised: features are [copies, n], and have shape {rows.shape}.")
    return rows
