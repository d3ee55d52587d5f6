"""The house is as it says: packages, imports that point down, and public JAX names."""

import ast
import os
import pathlib
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FOLDERS = {"ppl": "storax", "handlers": "storax.handlers", "logprob": "storax.logprob", "samplers": "storax.samplers"}
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports do not resolve across folders"
            yield from (f"{node.module}.{a.name}" for a in node.names)


def layer(module):
    for name in ("samplers", "logprob", "handlers"):
        if module.startswith(f"storax.{name}"):
            return name
    return "ppl"


ORDER = ["ppl", "handlers", "logprob", "samplers"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    if path == ROOT / "ppl" / "__init__.py":
        return  # the front door opens to every room
    own = ORDER.index(path.relative_to(ROOT).parts[0])
    for module in imports(path):
        if module.startswith("storax."):
            assert ORDER.index(layer(module)) <= own, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_public_jax_and_small_files(path):
    text = path.read_text()
    assert not any("._src" in m or m.startswith("jaxlib") for m in imports(path))
    assert len(text.splitlines()) <= 400


KERNELS = [*(ROOT / "samplers/kernels").glob("*.py"), *(ROOT / "samplers/driving").glob("*.py"),
           ROOT / "samplers/diagnostics.py"]  # fmt: skip


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_kernels_know_nothing_of_models(path):
    known = {m for m in imports(path) if m.startswith("storax.")}
    below = ("pytrees", "errors", "sources", "jaxprs", "tuning")
    of_samplers = ("kernels", "driving", "diagnostics")
    allowed = (*(f"storax.{n}" for n in below), *(f"storax.samplers.{n}" for n in of_samplers))
    assert not {m for m in known if not m.startswith(allowed)}


def test_every_package_is_listed_and_every_path_exists():
    setuptools = PROJECT["tool"]["setuptools"]
    where = setuptools["package-dir"]
    assert where == {name: folder for folder, name in FOLDERS.items()}
    found = set()
    for folder, name in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join([name, *parts]))
    assert set(setuptools["packages"]) == found
    for folder in where.values():
        assert (ROOT / folder).is_dir()
    for path in SOURCES:
        assert (path.parent / "__init__.py").exists()
    assert (ROOT / "ppl" / "py.typed").exists()
    for file in (PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]):
        assert (ROOT / file).exists()


def test_core_dependencies():
    names = {d.split(">")[0] for d in PROJECT["project"]["dependencies"]}
    assert names == {"jax", "jaxlib", "optax", "numpy"}


def test_importing_starts_no_backend():
    """A user may still choose platform, device count and precision after `import storax`."""
    environment = {**os.environ, "JAX_PLATFORMS": "no_such_platform"}
    subprocess.run([sys.executable, "-c", "import storax"], check=True, timeout=120, env=environment)
