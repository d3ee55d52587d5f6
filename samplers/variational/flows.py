"""Normalising flows: a Gaussian, and bijections with networks inside.

Each starts as the Gaussian of the mean-field family; what the networks add is learnt.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from storax.errors import InferenceError
from storax.logprob.unconstraining import Density
from storax.samplers.variational.families import Params
from storax.samplers.variational.gaussians import MeanField, log_standard_normal
from storax.samplers.variational.networks import NETWORK_PACE, apply, network
from storax.samplers.variational.splines import Knots

MOST_STRETCH = 3.0  # log of what one layer may stretch a coordinate by


def bounded(log_scale: jax.Array) -> jax.Array:
    return MOST_STRETCH * jnp.tanh(log_scale / MOST_STRETCH)


@dataclasses.dataclass(frozen=True)
class Flow(MeanField):
    """noise -> layers -> loc + scale times that.

    Args:
        scale: standard deviation of every coordinate at the start, positive.
        layers: how many bijections with networks.
        width: of the networks' hidden layers; default: 8 d, between 16 and 128.
    """

    sticks: ClassVar[bool] = False  # the way back through many layers loses digits

    layers: int = 4
    width: int | None = None

    @abc.abstractmethod
    def layer(self, key: jax.Array, d: int, dtype: Any) -> Any:
        """Parameters of one layer, which is the identity with them."""

    @abc.abstractmethod
    def forward(self, layer: Any, number: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One layer, and its log-determinant."""

    def inverse(self, layer: Any, number: int, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One layer backwards, and the log-determinant of `forward` there."""
        raise NotImplementedError

    def hidden(self, d: int) -> int:
        return min(max(8 * d, 16), 128) if self.width is None else self.width

    def init(self, density: Density, key: jax.Array, context: Any = None) -> Params:
        keys = jax.random.split(key, self.layers + 1)
        params = super().init(density, keys[0])
        d, dtype = params["loc"].size, params["loc"].dtype
        if d < 2:
            raise InferenceError(
                f"sx.guides.{type(self).__name__}: the model has one latent number, and a flow mixes several. Use "
                f"guide='normal', or sx.laplace."
            )
        return params | {"layers": [self.layer(k, d, dtype) for k in keys[1:]]}

    def sample(self, params: Params, key: jax.Array, context: Any = None) -> tuple[jax.Array, jax.Array]:
        noise = jax.random.normal(key, params["loc"].shape, params["loc"].dtype)
        x, log_q = noise, log_standard_normal(noise) - params["log_scale"].sum()
        for i, layer in enumerate(params["layers"]):
            x, log_det = self.forward(layer, i, x)
            log_q = log_q - log_det
        return params["loc"] + jnp.exp(params["log_scale"]) * x, log_q

    def log_prob(self, params: Params, z: jax.Array, context: Any = None) -> jax.Array:
        x = (z - params["loc"]) * jnp.exp(-params["log_scale"])
        log_q = -params["log_scale"].sum()
        for i, layer in reversed(list(enumerate(params["layers"]))):
            x, log_det = self.inverse(layer, i, x)
            log_q = log_q - log_det
        return log_q + log_standard_normal(x)

    def entropy(self, params: Params) -> jax.Array | None:
        return None

    def pace(self, params: Params) -> Any:
        return {n: jax.tree.map(lambda _: NETWORK_PACE if n == "layers" else 1.0, x) for n, x in params.items()}  # noqa: B023


def halves(d: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Which coordinates stay in a layer and which move: layers take turns.

    >>> [x.tolist() for x in halves(5, 0)], [x.tolist() for x in halves(5, 1)]
    ([[0, 2, 4], [1, 3]], [[1, 3], [0, 2, 4]])
    """
    even, odd = np.arange(0, d, 2), np.arange(1, d, 2)
    return (even, odd) if number % 2 == 0 else (odd, even)


@dataclasses.dataclass(frozen=True)
class AffineCoupling(Flow):
    """Half of the coordinates are shifted and stretched by functions of the others (Dinh, Sohl-Dickstein & Bengio
    2017, "Density estimation using Real NVP", eq. 4 and 5)."""

    def layer(self, key: jax.Array, d: int, dtype: Any) -> Any:
        larger = (d + 1) // 2  # layers take turns, and networks have one shape
        return network(key, [larger, self.hidden(d), 2 * larger], dtype)

    def _moves(self, layer: Any, number: int, x: jax.Array) -> Any:
        stay, move = halves(x.size, number)
        given = jnp.pad(x[stay], (0, (x.size + 1) // 2 - len(stay)))
        out = apply(layer, given).reshape(2, -1)[:, : len(move)]
        return move, out[0], bounded(out[1])

    def forward(self, layer: Any, number: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        move, shift, log_scale = self._moves(layer, number, x)
        return x.at[move].set(x[move] * jnp.exp(log_scale) + shift), log_scale.sum()

    def inverse(self, layer: Any, number: int, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        move, shift, log_scale = self._moves(layer, number, y)
        return y.at[move].set((y[move] - shift) * jnp.exp(-log_scale)), log_scale.sum()


@dataclasses.dataclass(frozen=True)
class NeuralSpline(Flow):
    """Half of the coordinates go through splines that are functions of the others (Durkan et al. 2019, sec. 3.3).

    Args:
        scale, layers, width: as of the other flows.
        bins: of each spline, at least 2.
        bound: the spline's range, in units of the Gaussian's scale; beyond it is the identity.
    """

    bins: int = 8
    bound: float = 5.0

    def layer(self, key: jax.Array, d: int, dtype: Any) -> Any:
        larger = (d + 1) // 2
        return network(key, [larger, self.hidden(d), larger * (3 * self.bins - 1)], dtype)

    def _through(self, layer: Any, number: int, x: jax.Array, way: str) -> tuple[jax.Array, jax.Array]:
        stay, move = halves(x.size, number)
        given = jnp.pad(x[stay], (0, (x.size + 1) // 2 - len(stay)))
        raw = apply(layer, given).reshape(-1, 3 * self.bins - 1)[: len(move)]
        moved, log_slope = jax.vmap(lambda r, v: getattr(Knots(r, self.bins, self.bound), way)(v))(raw, x[move])
        return x.at[move].set(moved), log_slope.sum()

    def forward(self, layer: Any, number: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._through(layer, number, x, "forward")

    def inverse(self, layer: Any, number: int, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._through(layer, number, y, "inverse")


@dataclasses.dataclass(frozen=True)
class InverseAutoregressive(Flow):
    """Each coordinate is shifted and stretched by functions of the noise before it (Kingma et al. 2016, "Improving
    variational inference with inverse autoregressive flow"), with the masks of Germain et al. 2015 (MADE).

    Its density at a point that it did not draw needs d passes: it has none here.
    """

    has_log_prob: ClassVar[bool] = False

    def masks(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Output i depends on inputs below i alone."""
        inner = np.arange(self.hidden(d)) % max(d - 1, 1)
        first = np.arange(d)[:, None] <= inner[None, :]
        last = inner[:, None] < np.arange(d)[None, :]
        return first.astype(np.float32), np.tile(last, 2).astype(np.float32)

    def layer(self, key: jax.Array, d: int, dtype: Any) -> Any:
        return network(key, [d, self.hidden(d), 2 * d], dtype)

    def forward(self, layer: Any, number: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = x[::-1] if number % 2 else x  # layers take turns in which end comes first
        masks = [m.astype(x.dtype) for m in self.masks(x.size)]
        shift, log_scale = apply(layer, x, masks).reshape(2, -1)
        log_scale = bounded(log_scale)
        y = x * jnp.exp(log_scale) + shift
        return (y[::-1] if number % 2 else y), log_scale.sum()
