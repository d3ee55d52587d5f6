"""A posterior as a file: a NumPy archive (`.npz`) of plain arrays, which `numpy.load` reads without pickle.

`posterior/mu`, `sample_stats/diverging`, `observed_data/y`, ... are arrays; `coords/school` are labels; `manifest` is
JSON: the version of the format, names of axes, and types that NumPy does not know.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from storax.errors import StorageError
from storax.samplers.storage.exporting import to_dict
from storax.samplers.storage.grouping import DATA, SAMPLED

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

FORMAT = 1
_READ = (*DATA, *SAMPLED, "posterior", "sample_stats", "warmup_sample_stats", "divergences")


def save(posterior: Posterior, path: Any) -> None:
    """Write a posterior to a file, in whole or not at all: an older file of that name stays until the new one is there.

    Raises:
        StorageError: the file cannot be written; the draws are still there.
    """
    if not posterior.samples:
        raise StorageError("There are no draws to save: this run kept their moments alone (reduce=True).")
    types: dict[str, str] = {}
    arrays: dict[str, np.ndarray] = {}
    for group, values in {**to_dict(posterior), "divergences": posterior.divergences}.items():
        for name, array in values.items():
            key = f"{group}/{name}"
            if array.dtype.kind == "V":  # bfloat16, float8: as the bits they are
                types[key] = array.dtype.name
                array = array.view(f"u{array.dtype.itemsize}")
            if array.dtype.kind == "O":
                raise StorageError(f"{key!r} holds Python objects, which are not written: make it an array of numbers.")
            arrays[key] = array
    arrays |= {f"coords/{n}": x for n, x in posterior.coords.items()}
    attrs = {n: x for n, x in posterior.attrs.items() if isinstance(x, (str, int, float, bool))}
    manifest = {"format": FORMAT, "library": "storax", "dims": posterior.dims, "types": types, "attrs": attrs,
                "order": list(posterior.samples)}  # fmt: skip
    try:
        _write(os.fspath(path), arrays | {"manifest": np.array(json.dumps(manifest))})
    except OSError as error:
        raise StorageError(
            f"The posterior could not be written to {os.fspath(path)!r}: {error.strerror or error}. Nothing is lost: "
            f"the draws are in memory; save them somewhere else."
        ) from None


def _write(path: str, arrays: dict[str, np.ndarray]) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".storax-", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: Any) -> dict[str, Any]:
    """What `save` wrote, as the arguments of `Posterior`.

    Raises:
        StorageError: no such file, or no whole posterior in it.
    """
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(name) as archive:
            _refuse_large(archive, os.path.getsize(name))
        with np.load(name, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        return _arguments(arrays, json.loads(str(arrays.pop("manifest"))))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise StorageError(f"There is no whole posterior of storax in {name!r}: {error}.") from None


def _refuse_large(archive: zipfile.ZipFile, size: int) -> None:
    """Nothing in a file that is not compressed is larger than the file."""
    if any(i.compress_type != zipfile.ZIP_STORED or i.file_size > size for i in archive.infolist()):
        raise ValueError("its members are compressed, or larger than the file")


def _arguments(arrays: dict[str, np.ndarray], manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest["library"] != "storax" or manifest["format"] != FORMAT:
        raise ValueError(f"its format is {manifest['format']!r}, and this version reads {FORMAT}")
    for key, kind in manifest["types"].items():
        arrays[key] = arrays[key].view(jnp.dtype(kind))
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        if group not in (*_READ, "coords") or not name:
            raise ValueError(f"it has an array {key!r}")
        groups.setdefault(group, {})[name] = array
    samples = {n: groups["posterior"][n] for n in manifest["order"]}
    if set(samples) != set(groups.pop("posterior")) or len({x.shape[:2] for x in samples.values()}) != 1:
        raise ValueError("its draws do not belong together")
    return {
        "samples": samples,
        "stats": groups.pop("sample_stats", None),
        "warmup_stats": groups.pop("warmup_sample_stats", None),
        "dims": {n: tuple(axes) for n, axes in manifest["dims"].items()},
        "attrs": manifest["attrs"],
        "coords": groups.pop("coords", None),
        "divergences": groups.pop("divergences", None),
        "groups": groups,
    }
