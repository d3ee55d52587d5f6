"""What is shown is run: the README, the docstrings, and the examples."""

import doctest
import importlib
import pathlib
import pkgutil
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import storax as sx
from storax.samplers.diagnostics import mcse_mean

ROOT = pathlib.Path(__file__).parent.parent


def modules():
    names = ["storax"]
    for info in pkgutil.walk_packages(sx.__path__, "storax."):
        names.append(info.name)
    for package in ("storax.handlers", "storax.logprob", "storax.samplers"):
        module = importlib.import_module(package)
        names += [package, *(i.name for i in pkgutil.walk_packages(module.__path__, package + "."))]
    return sorted(set(names))


@pytest.mark.parametrize("name", modules())
def test_docstrings(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sx.errors.SamplingWarning)
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.failed == 0


def test_every_public_name_has_a_docstring():
    for name in sx.__all__:
        assert (getattr(sx, name).__doc__ or "").strip(), name


def test_readme():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 30 and result.failed == 0


def test_first_example_of_the_readme_is_the_example():
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    model = re.search(r"def eight_schools.*?obs=y\)\n", code, re.DOTALL).group(0)
    assert model in (ROOT / "examples" / "eight_schools.py").read_text()
    compile(code, "README.md", "exec")


def test_readme_names_every_file_of_the_core():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "ppl").glob("*.py"):
        assert path.name in text or path.name == "__init__.py", path.name
    for path in re.findall(r"\]\((\S+?)\)", text):
        assert (ROOT / path).exists(), path


# --- examples


def example(name):
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "examples"))


def assert_mean(draws, mean, times=4.0):
    error = mcse_mean(draws)
    assert (np.abs(draws.mean((0, 1)) - mean) < times * error).all(), (draws.mean((0, 1)), mean, error)


def test_eight_schools_recovers_the_reference_posterior(capsys):
    post = example("eight_schools").main()
    # Mean and sd of the reference posterior (posteriordb, eight_schools_noncentered).
    assert_mean(post["mu"], 4.41)
    assert_mean(post["tau"], 3.60)
    assert_mean(post["theta"], np.array([6.15, 4.94, 3.91, 4.80, 3.61, 4.05, 6.32, 4.88]))
    sd = np.array([5.62, 4.65, 5.28, 4.77, 4.61, 4.80, 5.00, 5.32])
    np.testing.assert_allclose(post["theta"].std((0, 1)), sd, rtol=0.08)
    np.testing.assert_allclose([post["mu"].std(), post["tau"].std()], [3.31, 3.20], rtol=0.08)
    assert post.stats["diverging"].mean() < 0.005
    out = capsys.readouterr().out
    assert "sample[site=mu]" in out and "theta[7]" in out and "draws in" in out


def covers(draws, truth, sds=4.0):
    """Is the truth within so many posterior standard deviations?"""
    return (np.abs(draws.mean((0, 1)) - truth) < sds * draws.std((0, 1))).all()


def test_logistic_regression_finds_the_coefficients():
    module = example("logistic_regression")
    post = module.main(num_samples=500)
    assert covers(post["weights"], np.asarray(module.true_weights)) and covers(post["bias"], 0.3)


def test_random_walk_follows_the_level():
    import jax

    module = example("random_walk")
    walk, y = module.make_data(jax.random.key(2), 100)
    post = module.main()
    assert post["level"].shape == (4, 1000, 100)
    inside = np.abs(post["level"].mean((0, 1)) - walk) < 3 * post["level"].std((0, 1))
    assert inside.mean() > 0.95
    assert np.mean((post["level"].mean((0, 1)) - walk) ** 2) < np.mean((y.mean(1) - walk) ** 2)
    assert covers(post["drift"], 0.5) and covers(post["noise"], 0.8)


def test_mixture_finds_both_components():
    post = example("mixture").main(num_samples=500)
    assert covers(post["means"], np.array([-2.0, 2.0])) and covers(post["weight"], 0.3)
    assert covers(post["scale"], np.array([0.5, 1.0]))


def test_hierarchical_model_finds_the_counties():
    post, truth = example("hierarchical_vmap").main(num_samples=500)
    assert post["intercept"].shape == (4, 500, 12)
    assert covers(post["intercept"], np.asarray(truth)) and covers(post["slope"], 0.7)


def test_an_example_runs_as_a_program(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "mixture.py")],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "means[1]" in run.stdout
