"""What `import affwildnet` and `import tfrecords_tools` give a notebook, and the wheel that an installation gets."""

import importlib
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import affwildnet
import tfrecords_tools
from tests.helpers.new_process import modules_loaded
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.version import VERSION

NAMES = (
    "affwildnet.models.build",
    "affwildnet.experiments.get",
    "affwildnet.data.Corpus",
    "affwildnet.train",
    "affwildnet.evaluate",
    "affwildnet.Predictor",
    "affwildnet.export_model",
    "affwildnet.export.export_model",
    "affwildnet.losses.ccc",
    "affwildnet.metrics.ccc",
    "tfrecords_tools.pack",
    "tfrecords_tools.open_corpus",
    "tfrecords_tools.verify",
)
PACKAGES = ("affwildnet", "tfrecords_tools")
STUBS = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("__init__.pyi"))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_there_and_is_what_it_says(name):
    found = {"affwildnet": affwildnet, "tfrecords_tools": tfrecords_tools}[name.split(".")[0]]
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert callable(found)
    assert found.__name__ == name.split(".")[-1]
    assert found.__doc__


def test_importing_the_packages_is_quick():
    heavy = {"tensorflow", "keras", "cv2", "numpy", "matplotlib", "scipy"}
    assert heavy.isdisjoint(modules_loaded("import affwildnet, tfrecords_tools"))


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_every_name_of_a_stub_can_be_imported(stub):
    package = importlib.import_module(".".join(stub.parent.relative_to(ROOT).parts))
    assert package.__all__
    assert set(package.__all__) <= set(dir(package))
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = affwildnet.nothing


def test_bad_arguments_are_a_value_error(tmp_path):
    assert issubclass(UserError, ValueError)
    for call in (
        lambda: affwildnet.experiments.get("nothing"),
        lambda: affwildnet.evaluate(str(tmp_path), split="training"),
        lambda: affwildnet.evaluate(tmp_path, resamples=-1),
        lambda: affwildnet.evaluate(tmp_path, resamples=39),
        lambda: affwildnet.evaluate(str(tmp_path)),
        lambda: affwildnet.export_model(str(tmp_path), str(tmp_path / "out"), ["paper"]),
        lambda: affwildnet.Predictor.load(str(tmp_path)),
        lambda: affwildnet.metrics.ccc([[0.0, 1.0]], [0.0]),
        lambda: tfrecords_tools.pack("no_layout", str(tmp_path), str(tmp_path / "out")),
        lambda: tfrecords_tools.open_corpus(str(tmp_path)),
        lambda: tfrecords_tools.verify(str(tmp_path)),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            call()


def test_the_metadata():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"affwildnet": "affwildnet.commands.dispatcher:main"}
    assert project["requires-python"] == ">=3.11"
    assert "version" in project["dynamic"]
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in project["classifiers"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder with the programs of an environment outside the repository, in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # From a copy: setuptools leaves its own files beside the sources.
    source = folder / "source"
    subprocess.run(["git", "-C", ROOT, "worktree", "prune"], check=False, capture_output=True)
    copy = [
        ROOT / name for name in ("affwildnet", "tfrecords_tools", "pyproject.toml", "setup.py", "README.md", "LICENSE")
    ]
    source.mkdir()
    subprocess.run(["cp", "-r", *map(str, copy), str(source)], check=True)
    # The setuptools of this environment builds it, where that is new enough; else pip fetches one.
    own = ["--no-build-isolation"] if int(version("setuptools").split(".")[0]) >= 77 else []
    subprocess.run([*pip, "wheel", "--no-deps", *own, f"--wheel-dir={folder}", str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    # What this environment has is seen from the new one, all but this project; so nothing is downloaded.
    site = next(environment.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    subprocess.run([*pip, "install", "--no-deps", f"--target={site}", str(wheel)], check=True)
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("".join(f"{path}\n" for path in paths))
    return environment, names


@pytest.mark.slow
def test_the_wheel_holds_both_packages_whole(installed):
    _, names = installed
    wanted = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


@pytest.mark.slow
def test_the_sample_through_the_console_script(installed, tmp_path):
    """From videos to a report in an environment outside the repository, with nothing of it on the path."""
    environment, _ = installed
    script = next(environment.glob("lib/python*/site-packages/bin/affwildnet"))
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def affwildnet_command(*arguments):
        command = [environment / "bin" / "python", script, *arguments]
        run = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert affwildnet_command("--version") == f"affwildnet {VERSION}\n"
    assert affwildnet_command("--help").startswith("usage: affwildnet COMMAND")
    where = [environment / "bin" / "python", "-c", "import affwildnet.commands as c; print(c.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(environment)
    affwildnet_command("sample", "--output=clips", "--clips=3", "--min_seconds=0.7", "--max_seconds=1.1")
    affwildnet_command("pack", "--layout=aff_wild", "--source=clips", "--output=packed", "--workers=1")
    assert "every record is as the manifest says" in affwildnet_command("verify", "packed")
    settings = (
        "model.width=0.02",
        "model.image_size=96",
        "model.hidden=400",
        "training.window=4",
        "training.steps=2",
        "training.batch_size=2",
    )
    flags = ("--experiment=sample/affwildnet", "--data_dir=packed", "--workdir=run", "--gpu=-1", "--set", *settings)
    assert "finished at step 2" in affwildnet_command("train", *flags)
    scored = affwildnet_command("evaluate", "--workdir=run", "--checkpoint=latest", "--split=test", "--gpu=-1")
    assert "of 1 test video scored" in scored
    assert (tmp_path / "run" / "report-test-latest.json").is_file()
