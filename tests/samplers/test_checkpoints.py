"""Runs that go on where they were: after an exception, `kill -9`, damage; and folders that are of another run."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import storax as sx
from storax.errors import CheckpointError, SamplingWarning
from storax.samplers.running import blocks as host

pytestmark = pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning")  # runs are short on purpose
N = sx.Normal
SETTINGS = {"num_warmup": 60, "num_samples": 150}
Y = np.array([1.0, 2.5, 0.5, 3.0], np.float32)


def model(y):
    mu = sx.sample("mu", N(0.0, 5.0))
    sx.sample("y", N(mu, 1.0), obs=y)


def dies_after(looks, monkeypatch):
    def dying(*args):
        for i, found in enumerate(host.blocks(*args)):
            if i == looks:
                raise RuntimeError("the machine fell from the table")
            yield found

    monkeypatch.setattr("storax.samplers.running.conducting.blocks", dying)


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(host, "PATIENCE", 0.0)
    monkeypatch.setattr(host, "FIRST", 16)


@pytest.mark.parametrize(  # before the first block, in the warm-up, behind it
    "driver, looks", [("sequential", 0), ("sequential", 2), ("sequential", 8), ("batched", 8)]
)
def test_a_run_that_died_ends_as_if_it_had_not(driver, looks, tmp_path, hasty, monkeypatch):
    whole = sx.mcmc(model, driver=driver, **SETTINGS)(0, Y)
    fit = sx.mcmc(model, driver=driver, checkpoint=tmp_path / "run", **SETTINGS)
    with monkeypatch.context() as m:
        dies_after(looks, m)
        with pytest.raises(RuntimeError, match="table"):
            fit(0, Y)
    for _ in range(2):  # goes on; and, when all is done, reads it once more
        again = fit(0, Y)
        np.testing.assert_array_equal(again["mu"], whole["mu"])
        for name in whole.stats:
            np.testing.assert_array_equal(again.stats[name], whole.stats[name])
            np.testing.assert_array_equal(again.warmup_stats[name], whole.warmup_stats[name])


def test_a_folder_of_another_run_is_refused_by_name(tmp_path):
    sx.mcmc(model, checkpoint=tmp_path, **SETTINGS)(0, Y)

    def other(y):
        sx.sample("y", N(sx.sample("mu", N(0.0, 2.0)), 1.0), obs=y)

    for f, key, data, settings, word in [
        (other, 0, Y, SETTINGS, "model"),
        (model, 1, Y, SETTINGS, "key"),
        (model, 0, Y + 1, SETTINGS, "data"),
        (model, 0, Y, {**SETTINGS, "thin": 2}, "settings"),
    ]:
        with pytest.raises(CheckpointError, match=f"another run: {word} is not the same"):
            sx.mcmc(f, checkpoint=tmp_path, **settings)(key, data)


@pytest.mark.parametrize("damage", ["truncated", "changed", "gone", "state"])
def test_damage_costs_no_more_than_the_last_block(damage, tmp_path, hasty, monkeypatch):
    whole = sx.mcmc(model, **SETTINGS)(0, Y)
    fit = sx.mcmc(model, checkpoint=tmp_path, **SETTINGS)
    with monkeypatch.context() as m:
        dies_after(8, m)
        with pytest.raises(RuntimeError):
            fit(0, Y)
    entries = json.loads((tmp_path / "manifest.json").read_text())["entries"]
    assert len(entries) == 8
    path = tmp_path / entries[-1]["state" if damage == "state" else "blocks"]["file"]
    if damage == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else content[:-9] + b"x" + content[-8:])
    kept = []
    with monkeypatch.context() as m:

        def counted(go_on, fleet, num_samples, rows, halves, taken):
            kept.append(taken)
            return host.blocks(go_on, fleet, num_samples, rows, halves, taken)

        m.setattr("storax.samplers.running.conducting.blocks", counted)
        np.testing.assert_array_equal(fit(0, Y)["mu"], whole["mu"])
    assert kept == [16 * 7]  # all but one block of 16


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "manifest.json").write_text("{")
    for folder, words in [("file", "cannot be used"), ("file/below", "cannot be used"), ("strange", "not a manifest")]:
        with pytest.raises(CheckpointError, match=words):
            sx.mcmc(model, checkpoint=tmp_path / folder, **SETTINGS)(0, Y)
    with pytest.raises(sx.errors.ArgumentTypeError, match="path of a folder"):
        sx.mcmc(model, checkpoint=3, **SETTINGS)(0, Y)


def test_a_full_disk_stops_no_run(tmp_path, hasty, monkeypatch):
    fit = sx.mcmc(model, checkpoint=tmp_path, **SETTINGS)
    savez, calls = np.savez, []

    def full(file, **arrays):
        calls.append(1)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        savez(file, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(SamplingWarning, match="No space left"):
        post = fit(0, Y)
    monkeypatch.undo()
    assert post["mu"].shape == (4, 150)
    np.testing.assert_array_equal(fit(0, Y)["mu"], post["mu"])  # and the next one goes on from what was written
    assert not list(tmp_path.glob(".*.tmp"))


def test_nothing_is_unpickled(tmp_path):
    sx.mcmc(model, checkpoint=tmp_path, **SETTINGS)(0, Y)
    for path in tmp_path.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[n].dtype != object for n in arrays)


SCRIPT = """
import sys, numpy as np, storax as sx
from storax.samplers.running import blocks
blocks.PATIENCE = 0.0  # many small blocks
def model(y):
    mu = sx.sample("mu", sx.Normal(0.0, 5.0))
    sx.sample("y", sx.Normal(mu, 1.0), obs=y)
post = sx.mcmc(model, num_warmup=100, num_samples=int(sys.argv[2]), checkpoint=sys.argv[1])(0, np.ones(3, np.float32))
np.save(sys.argv[1] + "/mu.npy", post["mu"])
"""


@pytest.mark.long
def test_killed_and_called_again(tmp_path):
    """`kill -9` at a moment of nobody's choice, twice."""
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}

    def start(folder):
        return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), "4000"], env=environment)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    for blocks in (3, 40):
        process = start(killed)
        while len(list(killed.glob("block-*.npz"))) < blocks and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(killed).wait() == 0
    np.testing.assert_array_equal(np.load(killed / "mu.npy"), np.load(whole / "mu.npy"))
