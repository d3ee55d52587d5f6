"""Chains and data on several devices, in a process of its own that has four."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import storax as sx
from storax.errors import SettingsError, ShapeError

HEAD = """
    import jax, jax.numpy as jnp, numpy as np, warnings
    import storax as sx
    warnings.simplefilter("ignore", sx.errors.SamplingWarning)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(101, 2))
    y = x @ [1.0, -2.0] + 0.5 * rng.normal(size=101)

    def model(x, y, real):
        b = sx.sample("b", sx.Normal(0.0, 1.0), shape=(2,))
        s = sx.sample("s", sx.HalfNormal(1.0))
        sx.sample("y", sx.Normal(x @ b, s).mask(real), obs=y)

    settings = {"num_warmup": 100, "num_samples": 50}
"""


def in_its_own_process(body, devices=4, **environment):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    code = textwrap.dedent(HEAD) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("driver", ["sequential", pytest.param("batched", marks=pytest.mark.long)])
def test_chains_and_data_over_devices(driver):
    """In 64 bits rounding stays small enough to compare whole runs, adaptation included."""
    in_its_own_process(f"""
        jax.config.update("jax_enable_x64", True)
        one = sx.mcmc(model, driver="{driver}", **settings)(0, x, y, np.ones(101, bool))
        chains = jax.make_mesh((4,), ("chains",))
        both = jax.make_mesh((2, 2), ("chains", "data"))
        for mesh, data in [(chains, (x, y, np.ones(101, bool))), (both, sx.shard_rows(both, x, y))]:
            many = sx.mcmc(model, driver="{driver}", mesh=mesh, **settings)(0, *data)
            for name in one:
                np.testing.assert_allclose(many[name], one[name], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(many.stats["n_steps"], one.stats["n_steps"])
        xs, ys, real = data
        assert xs.shape == (102, 2) and int(real.sum()) == 101
        assert {{s.data.shape for s in xs.addressable_shards}} == {{(51, 2)}}
    """)


@pytest.mark.long
def test_chains_over_devices_in_32_bits():
    """Where nothing is adapted, rounding stays where it is."""
    in_its_own_process("""
        data = x.astype(np.float32), y.astype(np.float32), np.ones(101, bool)
        kernel = sx.nuts(0.05)
        mesh = jax.make_mesh((4,), ("chains",))
        settings = {"num_warmup": 0, "num_samples": 100, "driver": "sequential"}
        one, many = (sx.mcmc(model, kernel, mesh=m, **settings)(0, *data) for m in (None, mesh))
        for name in one:
            np.testing.assert_allclose(many[name], one[name], rtol=1e-4, atol=1e-5)
    """)


PROCESS = """
    import os, sys
    jax.distributed.initialize("localhost:%d", 2, int(sys.argv[1]))
    mesh = jax.make_mesh((2, 2), ("chains", "data"))
    assert jax.process_count() == 2 and len(jax.devices()) == 4
    data = sx.shard_rows(mesh, x.astype(np.float32), y.astype(np.float32))
    post = sx.mcmc(model, mesh=mesh, **settings)(0, *data)
    print(post["b"].mean((0, 1)).tolist(), float(post["s"].mean()), post["b"].shape)
"""


@pytest.mark.long
def test_two_processes_on_one_machine():
    """Each has two devices; chains and data go over all four, and both processes have all draws."""
    import socket

    with socket.socket() as s:
        s.bind(("localhost", 0))
        port = s.getsockname()[1]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
                   "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo"}  # fmt: skip
    code = textwrap.dedent(HEAD) + textwrap.dedent(PROCESS % port)
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(i)], env=environment, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]  # fmt: skip
    told = [p.communicate(timeout=500) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], told
    lines = [out.strip().splitlines()[-1] for out, _ in told]
    assert lines[0] == lines[1] and lines[0].endswith("(4, 50, 2)")
    assert abs(eval(lines[0].split("]")[0] + "]")[0] - 1.0) < 0.3


def test_wrong_meshes_are_refused():
    mesh = jax.make_mesh((1,), ("data",))
    with pytest.raises(SettingsError, match="named 'chains'"):
        sx.mcmc(lambda: None, mesh=mesh)
    with pytest.raises(sx.errors.ArgumentTypeError, match=r"jax\.sharding\.Mesh"):
        sx.mcmc(lambda: None, mesh=4)
    with pytest.raises(SettingsError, match="no axis 'rows'"):
        sx.shard_rows(mesh, np.ones(3), axis="rows")
    with pytest.raises(ShapeError, match=r"\(3,\), \(4,\)"):
        sx.shard_rows(mesh, np.ones(3), np.ones(4))
    with pytest.raises(ShapeError, match="at least one"):
        sx.shard_rows(mesh)
    in_its_own_process("""
        try:
            sx.mcmc(model, num_chains=3, mesh=jax.make_mesh((2,), ("chains",)))
        except sx.errors.SettingsError as error:
            assert "num_chains=4" in str(error)
        else:
            raise AssertionError
    """)
