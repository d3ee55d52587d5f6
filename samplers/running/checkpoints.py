"""Runs that survive the end of their process.

Each block of draws is one file in NumPy's format, and beside it the state of the chains behind it; a file counts once
the manifest lists it with its checksum, and the manifest is replaced in one stroke.  Nothing is ever unpickled.  A run
goes on from the last block that is whole; since draws do not depend on blocks, it ends as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from storax.errors import ArgumentTypeError, CheckpointError
from storax.samplers.running.blocks import Block

MANIFEST = "manifest.json"
VERSION = 1


class Checkpoint:
    """A folder of blocks.

    Args:
        folder: made if it is not there.
        identity: what run it is of, as names and digests; another run's folder is refused.

    Raises:
        CheckpointError: the folder belongs to another run, says by what they differ, or it cannot be written to.
    """

    def __init__(self, folder: Any, identity: Mapping[str, str]) -> None:
        try:
            self._folder = Path(folder)
        except TypeError:
            raise ArgumentTypeError(f"sx.mcmc: checkpoint must be the path of a folder, got {folder!r}.") from None
        self._identity = dict(identity)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._entries = self._read()
            self._write(MANIFEST, self._manifest())
        except OSError as error:
            raise CheckpointError(
                f"sx.mcmc: the checkpoint folder {str(self._folder)!r} cannot be used: {error.strerror or error}. Name "
                f"a folder that can be written to, or leave checkpoint= out."
            ) from None

    def blocks(self) -> Iterator[list[Block]]:
        """What was drawn before, as far as the state goes that the run continues from."""
        for entry in self._entries:
            arrays = self._load(entry["blocks"])
            assert arrays is not None, "checked when the folder was opened"
            count = int(arrays["count"])
            yield [
                Block(int(arrays[f"first{i}"]), bool(arrays[f"learns{i}"]),
                      *(arrays[f"{n}{i}"] for n in ("positions", "stats", "faults", "faulty")))
                for i in range(count)
            ]  # fmt: skip

    def state(self) -> tuple[list[np.ndarray], int] | None:
        """The leaves of the chains' state at the end of the last block, and the draws made by then."""
        if not self._entries:
            return None
        arrays = self._load(self._entries[-1]["state"])
        assert arrays is not None, "checked when the folder was opened"
        return [arrays[f"leaf{i}"] for i in range(len(arrays) - 1)], int(arrays["taken"])

    def put(self, made: Sequence[Block], leaves: Sequence[Any], taken: int) -> None:
        """Another block of draws, and the state of the chains behind it.

        Raises:
            OSError: it could not be written; what is there stays as it is.
        """
        number = len(self._entries)
        arrays: dict[str, Any] = {"count": np.asarray(len(made))}
        for i, block in enumerate(made):
            arrays |= {f"{name}{i}": np.asarray(x) for name, x in zip(Block._fields, block, strict=True)}
        state = {f"leaf{i}": np.asarray(x) for i, x in enumerate(leaves)} | {"taken": np.asarray(taken)}
        entry = {
            "blocks": self._write(f"block-{number:06}.npz", arrays),
            "state": self._write(f"state-{number:06}.npz", state),
        }
        self._entries.append(entry)
        try:
            self._write(MANIFEST, self._manifest())
        except OSError:
            self._entries.pop()
            raise
        for old in self._entries[:-2]:  # if the last block turns out to be damaged, the one before is there
            (self._folder / old["state"]["file"]).unlink(missing_ok=True)

    def _manifest(self) -> dict[str, Any]:
        return {"version": VERSION, "identity": self._identity, "entries": self._entries}

    def _read(self) -> list[dict[str, Any]]:
        path = self._folder / MANIFEST
        if not path.exists():
            return []
        try:
            manifest = json.loads(path.read_text())
            found, entries = dict(manifest["identity"]), list(manifest["entries"])
        except (ValueError, KeyError, TypeError):
            raise CheckpointError(
                f"sx.mcmc: {str(path)!r} is not a manifest of checkpoints; name an empty folder, or delete this one."
            ) from None
        if manifest["version"] != VERSION or found != self._identity:
            differ = [n for n in {**self._identity, **found} if found.get(n) != self._identity.get(n)] or ["version"]
            raise CheckpointError(
                f"sx.mcmc: the checkpoints in {str(self._folder)!r} are of another run: {', '.join(differ)} "
                f"{'is' if len(differ) == 1 else 'are'} not the same. Name another folder, or delete this one."
            )
        whole = 0
        while whole < len(entries) and self._load(entries[whole]["blocks"]) is not None:
            whole += 1
        while whole and self._load(entries[whole - 1]["state"]) is None:
            whole -= 1
        return entries[:whole]

    def _load(self, entry: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """The arrays of a file, or None if it is not what the manifest says."""
        path = self._folder / str(entry["file"])
        if not path.exists() or path.stat().st_size != entry["size"]:
            return None
        if zlib.crc32(path.read_bytes()) != entry["crc32"]:
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    def _write(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """A file that is there as a whole or not at all, even if the power fails."""
        path, draft = self._folder / name, self._folder / f".{name}.tmp"
        try:
            with draft.open("w+b") as file:
                if name == MANIFEST:
                    file.write(json.dumps(content, indent=1).encode())
                else:
                    np.savez(file, **content)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                written = file.read()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        return {"file": name, "size": len(written), "crc32": zlib.crc32(written)}


def identity(closed: Any, arrays: Sequence[Any], key: jax.Array, settings: str) -> dict[str, str]:
    """What a run is: its model as a jaxpr, its data, its key and its settings, as digests."""
    program = re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr))
    data = [*arrays, *closed.consts]
    return {
        "model": _digest(program.encode()),
        "data": _digest(*(b for x in data for b in (str((np.shape(x), np.asarray(x).dtype)).encode(), _bytes(x)))),
        "key": _digest(_bytes(jax.random.key_data(key))),
        "settings": settings,
    }


def _bytes(x: Any) -> bytes:
    return np.ascontiguousarray(np.asarray(x)).tobytes()


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
