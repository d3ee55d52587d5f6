"""What leaves the library comes back, says the same in every world, and never runs code."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import storax as sx
from storax.errors import InvalidNameError, MissingExtraError, ShapeError, StorageError, UnknownNameError

RNG = np.random.default_rng(0)


def model(x, y=None):
    mu = sx.sample("mu", sx.Normal(0.0, 1.0))
    with sx.plate("school", 3):
        theta = sx.sample("theta", sx.Normal(mu, 1.0))
        sx.sample("y", sx.Normal(theta * x, 1.0), obs=y)


X, Y = np.array([1.0, 2.0, 3.0], np.float32), np.array([0.5, 1.5, 2.5], np.float32)


@pytest.fixture(scope="module")
def post():
    shape = (2, 50)
    samples = {"mu": RNG.normal(size=shape), "theta": RNG.normal(size=(*shape, 3))}
    samples = {n: x.astype(np.float32) for n, x in samples.items()}
    flags = np.zeros(shape, bool)
    flags[1, 3] = True
    stats = {"diverging": flags, "energy": RNG.normal(size=shape), "lp": RNG.normal(size=shape),
             "reached_max_treedepth": np.zeros(shape, bool)}  # fmt: skip
    bare = sx.Posterior(samples, stats, {"lp": np.zeros((2, 10))}, {"theta": ("school",)}, {"driver": "batched"})
    full = sx.with_data(model, bare)(X, Y)
    draws = sx.predictive(model, bare)(0, X)
    full = full.with_groups(prior=sx.prior(model, 40)(0, X), posterior_predictive=draws)
    return full.labelled({"school": ["A", "B", "C"]})


# --- groups


def test_with_data_knows_data_constants_and_likelihood(post):
    assert post.observed == ("y",)
    np.testing.assert_array_equal(post.groups["observed_data"]["y"], Y)
    assert list(post.groups["constant_data"]) == ["x"]
    expected = scipy.stats.norm(post["theta"].astype(float) * X, 1.0).logpdf(Y)
    np.testing.assert_allclose(post.groups["log_likelihood"]["y"], expected, rtol=1e-4, atol=1e-5)
    assert post.dims["y"] == ("school",)


def test_the_likelihood_does_not_depend_on_batches(post):
    again = sx.with_data(model, post, batch_size=7)(X, Y)
    np.testing.assert_allclose(again.groups["log_likelihood"]["y"], post.groups["log_likelihood"]["y"], rtol=1e-6)


def test_prior_draws_are_split_into_parameters_and_data(post):
    assert list(post.groups["prior"]) == ["mu", "theta"] and list(post.groups["prior_predictive"]) == ["y"]
    assert post.groups["prior"]["theta"].shape == (1, 40, 3)


def test_a_posterior_with_data_knows_what_is_predicted(post):
    def chain(x, y=None, z=None):
        mu = sx.sample("mu", sx.Normal(0.0, 1.0))
        theta = sx.sample("theta", sx.Normal(mu, 1.0), shape=3)
        y = sx.sample("y", sx.Normal(theta * x, 1.0), obs=y)
        sx.sample("z", sx.Normal(y, 1.0), obs=z)

    assert list(sx.predictive(chain, sx.with_data(chain, dict(post.samples))(X, Y, Y))(0, X)) == ["y", "z"]
    with pytest.raises(UnknownNameError, match="no draws of site 'z'"):  # it had no data
        sx.predictive(chain, post)(0, X)


def test_groups_that_do_not_fit(post):
    with pytest.raises(UnknownNameError, match="Did you mean 'prior'"):
        post.with_groups(priors={})
    with pytest.raises(ShapeError, match=r"\[chain, draw"):
        post.with_groups(prior={"mu": np.zeros(3)})
    with pytest.raises(sx.errors.ArgumentTypeError, match="arrays by name"):
        post.with_groups(prior=[1])
    with pytest.raises(ShapeError, match="arguments of the run"):
        sx.with_data(model, {"mu": np.zeros((2, 5)), "theta": np.zeros((2, 5, 4))})(X, Y)
    with pytest.raises(UnknownNameError, match="no value was given for site 'theta'"):
        sx.with_data(model, {"mu": np.zeros((2, 5))})(X, Y)


# --- other libraries

GROUPS = {"posterior", "sample_stats", "observed_data", "constant_data", "log_likelihood", "prior",
          "prior_predictive", "posterior_predictive", "warmup_sample_stats"}  # fmt: skip


def test_dicts_and_frames(post):
    assert set(post.to_dict()) == GROUPS and all(isinstance(x, np.ndarray) for x in post.to_dict()["prior"].values())
    frame = post.to_pandas()
    assert list(frame.columns) == ["mu", "theta[A]", "theta[B]", "theta[C]"] and len(frame) == 100
    assert frame.loc[(1, 7), "theta[B]"] == post["theta"][1, 7, 1]
    assert post.summary().to_pandas().loc["theta[C]", "mean"] == post.summary()["theta[C]"]["mean"]


def test_datatree(post):
    tree = post.to_datatree()
    assert set(tree.children) == GROUPS
    theta = tree["posterior"]["theta"]
    assert (
        theta.dims == ("chain", "draw", "school") and theta.sel(school="B", chain=1, draw=3) == post["theta"][1, 3, 1]
    )
    assert tree["observed_data"]["y"].dims == ("school",) and tree["log_likelihood"]["y"].dims[2:] == ("school",)
    assert tree["posterior"].attrs["inference_library"] == "storax" and tree["posterior"].attrs["driver"] == "batched"


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_arviz_reads_it(post):
    import arviz as az

    data = post.to_arviz()
    table = az.summary(data, var_names=["mu", "theta"])
    assert list(table.index) == ["mu", "theta[A]", "theta[B]", "theta[C]"]
    assert int(np.asarray(data["sample_stats"]["diverging"]).sum()) == 1
    if az.__version__.startswith("0."):
        assert isinstance(post.to_inference_data(), az.InferenceData)
        assert set(data.groups()) == GROUPS
        assert data.posterior["theta"].equals(post.to_datatree()["posterior"]["theta"])
    else:
        with pytest.raises(MissingExtraError, match="to_datatree"):
            post.to_inference_data()
    assert np.isfinite(az.loo(data).elpd_loo if az.__version__.startswith("0.") else az.loo(data).elpd)


def test_names_that_xarray_cannot_hold():
    x = np.zeros((2, 5))
    assert list(sx.Posterior({"rows/scale": x}).to_datatree()["posterior"].data_vars) == ["rows.scale"]
    with pytest.raises(InvalidNameError, match="Rename one"):
        sx.Posterior({"rows/scale": x, "rows.scale": x}).to_datatree()
    with pytest.raises(InvalidNameError, match="quantity and of an axis"):
        sx.Posterior({"draw": x}).to_datatree()
    with pytest.raises(InvalidNameError, match="quantity and of an axis"):
        sx.Posterior({"school": np.zeros((2, 5, 3))}, dims={"school": ("school",)}).to_datatree()


def test_predictions_at_other_sizes_have_no_labels_of_the_data(post):
    more = post.with_groups(predictions={"y": np.zeros((2, 50, 7)), "theta": np.zeros((2, 50, 3))})
    tree = more.to_datatree()["predictions"]
    assert tree["y"].dims == ("chain", "draw", "school") and list(tree["school"].values) == list(range(7))
    assert tree["theta"].dims[2:] == ("theta_dim_0",)  # there is no one size of a school


def test_what_is_not_installed_is_named(post, monkeypatch):
    for name in ("pandas", "xarray", "arviz"):
        monkeypatch.setitem(sys.modules, name, None)
    for call, extra in ((post.to_pandas, "pandas"), (post.to_datatree, "xarray"), (post.to_arviz, "arviz")):
        with pytest.raises(MissingExtraError, match=rf"pip install 'storax\[{extra}\]'"):
            call()


# --- files


def test_a_posterior_comes_back(post, tmp_path):
    path = tmp_path / "post.npz"
    post.save(path)
    back = sx.Posterior.load(path)
    for group, arrays in post.to_dict().items():
        assert list(back.to_dict()[group]) == list(arrays)
        for name, x in arrays.items():
            np.testing.assert_array_equal(back.to_dict()[group][name], x)
            assert back.to_dict()[group][name].dtype == x.dtype
    assert back.dims == post.dims and back.attrs == post.attrs and list(back.coords["school"]) == ["A", "B", "C"]
    assert repr(back.summary()) == repr(post.summary())
    assert os.listdir(tmp_path) == ["post.npz"]


def test_numpy_alone_reads_it(post, tmp_path):
    post.save(tmp_path / "post.npz")
    with np.load(tmp_path / "post.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["posterior/theta"], post["theta"])
        assert json.loads(str(file["manifest"]))["dims"]["theta"] == ["school"]


def test_types_that_numpy_does_not_know_and_scoped_names(tmp_path):
    samples = {"rows/x": np.asarray(jnp.arange(8, dtype=jnp.bfloat16).reshape(2, 4)), "ü<": np.zeros((2, 4), complex)}
    sx.Posterior(samples).save(tmp_path / "p")
    back = sx.Posterior.load(tmp_path / "p")
    assert list(back) == list(samples) and back["rows/x"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(back["rows/x"].astype(float), samples["rows/x"].astype(float))


def test_a_failing_disk_loses_nothing(post, tmp_path, monkeypatch):
    path = tmp_path / "post.npz"
    post.save(path)
    before = path.read_bytes()

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device.*in memory"):
        post.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["post.npz"]
    with pytest.raises(StorageError, match="No such file"):
        post.save(tmp_path / "nowhere" / "post.npz")


def broken(path, how):
    whole = path.read_bytes()
    if how == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "a byte changed":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    elif how == "pickle":
        np.savez(path, manifest=np.array([object()], object))
    elif how == "other arrays":
        np.savez(path, a=np.zeros(3))
    elif how == "compressed":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.npy", b"0" * 10**6)
    elif how == "newer":
        np.savez(path, manifest=np.array(json.dumps({"format": 99, "library": "storax"})))
    elif how == "missing":
        path.unlink()


@pytest.mark.parametrize(
    "how", ["truncated", "a byte changed", "pickle", "other arrays", "compressed", "newer", "missing"]
)
def test_files_that_are_no_posterior(post, tmp_path, how):
    path = tmp_path / "post.npz"
    post.save(path)
    broken(path, how)
    with pytest.raises(StorageError, match="no whole posterior"):
        sx.Posterior.load(path)


# --- import


def test_importing_storax_is_cheap(tmp_path):
    code = (
        "import time, sys, jax; t = time.process_time(); import storax; "
        "print(time.process_time() - t, [m for m in ('xarray', 'arviz', 'pandas', 'matplotlib', 'scipy.stats') "
        "if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run = lambda: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                                 env=environment, cwd=pathlib.Path(__file__).parent)  # fmt: skip
    run()  # compiles the bytecode
    outputs = [run().stdout.split(" ", 1) for _ in range(3)]
    assert all(modules.strip() == "[]" for _, modules in outputs)
    assert min(float(seconds) for seconds, _ in outputs) < 0.3
