"""A posterior for other libraries: nested dicts, pandas, xarray, and ArviZ of either world.

ArviZ before 1.0 (Python 3.11) has an `InferenceData`, later ones take xarray's `DataTree`; both get the same groups,
variables and coordinates.  Conventions: https://python.arviz.org/en/stable/schema/schema.html
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from storax.errors import InvalidNameError, MissingExtraError
from storax.optional import extra
from storax.samplers.storage.grouping import DATA
from storax.samplers.summarising import columns_of

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

CHAIN_AND_DRAW = ("chain", "draw")
OTHER_SIZES = ("predictions", "predictions_constant_data")  # whose axes are not those of the data


def to_dict(posterior: Posterior) -> dict[str, dict[str, np.ndarray]]:
    """Group -> name -> array, in ArviZ's order; groups without anything in them are left out."""
    groups = {"posterior": posterior.samples, "sample_stats": posterior.stats, **posterior.groups,
              "warmup_sample_stats": posterior.warmup_stats}  # fmt: skip
    return {g: dict(arrays) for g, arrays in groups.items() if arrays}


def to_pandas(posterior: Posterior) -> Any:
    """A DataFrame with one row a draw, indexed by chain and draw, and one column a number."""
    pandas = extra("pandas", "pandas", "to_pandas")
    names, x = columns_of(posterior)
    index = pandas.MultiIndex.from_product([range(n) for n in x.shape[:2]], names=CHAIN_AND_DRAW)
    return pandas.DataFrame(x.reshape(-1, x.shape[-1]), index=index, columns=names)


def variable_name(name: str) -> str:
    """A site's name as xarray takes it: "rows/scale" becomes "rows.scale"."""
    return name.replace("/", ".")


def datasets(posterior: Posterior) -> dict[str, Any]:
    """Group -> xarray.Dataset.

    Raises:
        InvalidNameError: two names that xarray cannot tell apart.
        MissingExtraError: xarray is not installed.
    """
    xarray = extra("xarray", "xarray", "An export to xarray or ArviZ")
    from storax import __version__

    attrs = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "inference_library": "storax",
        "inference_library_version": __version__,
        **{n: x for n, x in posterior.attrs.items() if isinstance(x, (str, int, float))},
    }
    return {
        group: xarray.Dataset(_variables(posterior, group, arrays), attrs=attrs)
        for group, arrays in to_dict(posterior).items()
    }


def _variables(posterior: Posterior, group: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Variables and coordinates: name -> (axes, array)."""
    leading = () if group in DATA else CHAIN_AND_DRAW
    out: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for name, array in arrays.items():
        variable = variable_name(name)
        if variable in out:
            raise InvalidNameError(f"{name!r} and another quantity are both {variable!r} in xarray. Rename one.")
        array = _storable(array)
        shape = array.shape[len(leading) :]
        axes = [
            d if d and (d not in coords or len(coords[d]) == size) else f"{variable}_dim_{i}"
            for i, (d, size) in enumerate(zip(_axes(posterior, name, shape), shape, strict=True))
        ]
        out[variable] = ((*leading, *axes), array)
        coords |= dict(zip(leading, (np.arange(n) for n in array.shape), strict=False))
        for axis, size in zip(axes, shape, strict=True):
            labels = None if group in OTHER_SIZES else posterior.coords.get(axis)
            coords[axis] = np.arange(size) if labels is None or len(labels) != size else labels
    for name in out:
        if name in coords:
            raise InvalidNameError(
                f"{name!r} is the name of a quantity and of an axis, which xarray cannot tell apart. Rename the plate, "
                f"or its axis: post.labelled(dims=...)."
            )
    return {**out, **{axis: ((axis,), values) for axis, values in coords.items()}}


def _axes(posterior: Posterior, name: str, shape: tuple[int, ...]) -> tuple[str | None, ...]:
    dims = posterior.dims.get(name, ())
    return dims if len(dims) == len(shape) else (None,) * len(shape)


def _storable(array: np.ndarray) -> np.ndarray:
    """bfloat16 and its like, which NumPy does not know, as float32."""
    return np.asarray(array, np.float32) if array.dtype.kind == "V" else np.asarray(array)


def to_datatree(posterior: Posterior) -> Any:
    """An `xarray.DataTree` with one node a group, as ArviZ 1.x takes it; needs xarray alone."""
    xarray = extra("xarray", "xarray", "to_datatree")
    return xarray.DataTree.from_dict({f"/{group}": data for group, data in datasets(posterior).items()})


def has_inference_data(arviz: Any) -> bool:
    """Is it an ArviZ before 1.0?"""
    return bool(arviz.__version__.startswith("0."))


def to_inference_data(posterior: Posterior) -> Any:
    """An `arviz.InferenceData`, of ArviZ before 1.0.

    Raises:
        MissingExtraError: ArviZ is not installed, or is one without InferenceData.
    """
    arviz = extra("arviz", "arviz", "to_inference_data")
    if not has_inference_data(arviz):
        raise MissingExtraError(
            f"ArviZ {arviz.__version__} has no InferenceData any more: use post.to_datatree(), or post.to_arviz() for "
            f"whichever is installed."
        )
    return arviz.InferenceData(**datasets(posterior))


def to_arviz(posterior: Posterior) -> Any:
    """What the ArviZ that is installed works with: an `InferenceData` before 1.0, a `DataTree` since."""
    arviz = extra("arviz", "arviz", "to_arviz")
    return to_inference_data(posterior) if has_inference_data(arviz) else to_datatree(posterior)
