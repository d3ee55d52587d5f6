"""Chains and data spread over devices.

Chains go over the axis "chains" of a mesh, and meet only where the warm-up lets them: in between each device has loops
of its own, in `jax.shard_map`.  Rows of data may go over another axis; the sums over them are JAX's to divide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from storax.errors import ArgumentTypeError, SettingsError, ShapeError
from storax.samplers.driving.chains import Fleet

CHAINS = "chains"


def check_mesh(mesh: Any, num_chains: int) -> Mesh | None:
    """A mesh that the chains can be spread over, with axes that JAX divides by itself, or None.

    Raises:
        ArgumentTypeError: no mesh.
        SettingsError: it has no axis "chains", or that does not divide the chains.
    """
    if mesh is None:
        return None
    if not isinstance(mesh, Mesh):
        raise ArgumentTypeError(
            f"sx.mcmc: mesh must be a jax.sharding.Mesh, jax.make_mesh((4,), ('chains',)), got {mesh!r}."
        )
    if CHAINS not in mesh.axis_names:
        raise SettingsError(
            f"sx.mcmc: the mesh has the axes {mesh.axis_names}, and chains go over one that is named 'chains': "
            f"jax.make_mesh((4,), ('chains',)). Data alone are spread by sx.shard_rows, without mesh=."
        )
    if num_chains % mesh.shape[CHAINS]:
        raise SettingsError(
            f"sx.mcmc: {num_chains} chains cannot be spread evenly over {mesh.shape[CHAINS]} devices; ask for "
            f"num_chains={-(-num_chains // mesh.shape[CHAINS]) * mesh.shape[CHAINS]}."
        )
    return _auto(mesh)


def _auto(mesh: Mesh) -> Mesh:
    """`jax.make_mesh` makes axes that are explicit in types, which gradients of plain products do not work with."""
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))


def over_devices(mesh: Mesh | None, drive: Callable[..., Fleet]) -> Callable[..., Fleet]:
    """`drive(data, fleet, *numbers)` on each device, for the chains there."""
    if mesh is None:
        return drive

    def f(data: Any, fleet: Fleet, *numbers: jax.Array) -> Fleet:
        specs = _specs(fleet)
        ins = (P(), specs, *(P(),) * len(numbers))
        return jax.shard_map(drive, mesh=mesh, in_specs=ins, out_specs=specs, axis_names={CHAINS}, check_vma=False)(
            data, fleet, *numbers
        )

    return f


def on_each(mesh: Mesh | None, f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which each device computes all: divided among them it would be rounded in other ways."""
    if mesh is None:
        return f
    return jax.shard_map(f, mesh=mesh, in_specs=P(), out_specs=P(), axis_names={CHAINS}, check_vma=False)


# Inside of `over_devices`:


def fewest(mesh: Mesh | None, draws: jax.Array) -> jax.Array:
    """The smallest of a number that each device has."""
    return draws if mesh is None else lax.pmin(draws, CHAINS)


def together(mesh: Mesh | None, own: Any) -> Any:
    """What devices have of their chains, as arrays for all chains."""
    return own if mesh is None else jax.tree.map(lambda x: lax.all_gather(x, CHAINS, tiled=True), own)


def apart(mesh: Mesh | None, everyone: Any) -> Any:
    """A device's share of arrays for all chains."""
    if mesh is None:
        return everyone
    devices, here = mesh.shape[CHAINS], lax.axis_index(CHAINS)
    return jax.tree.map(lambda x: lax.dynamic_slice_in_dim(x, here * (len(x) // devices), len(x) // devices), everyone)


# Outside of it:


def _specs(fleet: Fleet) -> Fleet:
    """What is each chain's own, and what is all of them's."""
    own = {"keys", "walks", "pending", "store"}
    specs: dict[str, Any] = {n: P(CHAINS) if n in own else P() for n in Fleet.__dataclass_fields__}
    return Fleet(**specs)


def placed(mesh: Mesh | None, fleet: Fleet) -> Fleet:
    """Each chain on its device."""
    if mesh is None:
        return fleet
    own, shared = NamedSharding(mesh, P(CHAINS)), NamedSharding(mesh, P())
    where = {n: own if spec == P(CHAINS) else shared for n, spec in vars(_specs(fleet)).items()}
    place = lax.with_sharding_constraint
    return Fleet(**{n: jax.tree.map(lambda x, n=n: place(x, where[n]), getattr(fleet, n)) for n in where})


def everywhere(mesh: Mesh | None, tree: Any) -> Any:
    """The same on every device, so that every process can read it."""
    if mesh is None:
        return tree
    shared = NamedSharding(mesh, P())
    return jax.tree.map(lambda x: lax.with_sharding_constraint(x, shared), tree)


def shard_rows(mesh: Mesh, *arrays: Any, axis: str = "data") -> tuple[jax.Array, ...]:
    """Rows of data over the devices along an axis of a mesh, and which of them are real.

    Where the devices do not divide the rows, copies of the last row fill up; the model leaves them out with a mask.

    Args:
        mesh: of devices.
        arrays: with the same number of rows, at least one.
        axis: of the mesh.

    Returns:
        The arrays, and a mask `[row]` of bools, all with the same rows on the same devices.

    Raises:
        SettingsError: the mesh has no such axis.
        ShapeError: the arrays differ in their number of rows, or have none.

    >>> import numpy as np, storax as sx
    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> y, real = sx.shard_rows(mesh, np.array([0.5, 1.5, 1.0]))
    >>> def model(y, real):
    ...     mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    ...     sx.sample("y", sx.Normal(mu, 1.0).expand(y.shape).mask(real), obs=y)
    >>> bool(abs(sx.mcmc(model, num_samples=500)(0, y, real)["mu"].mean() - 0.75) < 0.1)
    True
    """
    if not isinstance(mesh, Mesh):
        raise ArgumentTypeError(f"sx.shard_rows: the first argument is a jax.sharding.Mesh, got {mesh!r}.")
    if axis not in mesh.axis_names:
        raise SettingsError(f"sx.shard_rows: the mesh has no axis {axis!r}; its axes are {mesh.axis_names}.")
    found = [np.asarray(x) for x in arrays]
    if not found or any(x.ndim == 0 for x in found) or len({len(x) for x in found}) > 1 or not len(found[0]):
        shapes = ", ".join(str(x.shape) for x in found) or "none"
        raise ShapeError(
            f"sx.shard_rows: arrays must have the same number of rows, at least one; the shapes are {shapes}."
        )
    rows, devices = len(found[0]), mesh.shape[axis]
    spare = -rows % devices
    where = NamedSharding(_auto(mesh), P(axis))
    padded = [np.concatenate([x, np.repeat(x[-1:], spare, 0)]) for x in found]
    return tuple(_put(x, where) for x in (*padded, np.arange(rows + spare) < rows))


def _put(x: np.ndarray, where: NamedSharding) -> jax.Array:
    x = np.asarray(x, jnp.result_type(x))
    return jax.make_array_from_callback(x.shape, where, lambda index: x[index])  # every process has all rows
