"""`python -m affwildnet.weights`: its files, its output, its errors."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from affwildnet import experiments
from affwildnet.commands import weights_command
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints
from affwildnet.weights import SOURCES, import_weights
from affwildnet.weights.conversion import batch_normalisation
from affwildnet.weights.import_report import ImportedWeight, ImportReport
from tests.helpers.networks import inputs, numpy
from tests.helpers.new_process import modules_loaded
from tests.helpers.paths import ROOT

CONFIG = replace(NETWORKS["thesis_vgg_face_gru"], image_size=32, width=0.01)
CHANNELS = (1, 1, 1, 1, 3, 3, 3, 5, 5, 5, 5, 5, 5)
NAMES = [f"conv{block}_{index}" for block, size in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, size + 1)]


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", CONFIG)
    return CONFIG


@pytest.fixture
def weights(tmp_path):
    """A file of keras-vggface for `tiny`."""
    rng = np.random.default_rng(0)
    path = tmp_path / "rcmalli.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = NAMES
        into = 3
        for name, out in zip(NAMES, CHANNELS, strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0", f"{name}/bias:0"]
            group[f"{name}/kernel:0"] = rng.normal(0, 0.3, (3, 3, into, out)).astype("float32")
            group[f"{name}/bias:0"] = rng.normal(0, 0.1, out).astype("float32")
            into = out
    return path


def run(*arguments):
    return weights_command.main([str(argument) for argument in arguments])


def importing(path, output, *more, experiment="tiny", source="vgg_face_h5"):
    return run(
        "import", f"--source={source}", f"--path={path}", f"--experiment={experiment}", f"--output={output}", *more
    )


def test_the_file_holds_what_the_function_returns(tiny, weights, tmp_path, capsys):
    output = tmp_path / "model.keras"
    assert importing(weights, output, "--seed=3") == 0
    expected, _ = import_weights("vgg_face_h5", weights, tiny, seed=3)
    written = checkpoints.load(output)
    data = inputs(tiny)
    np.testing.assert_array_equal(numpy(written(data)), numpy(expected(data)))
    printed = capsys.readouterr().out
    assert "conv5_3/kernel conv13/kernel 3 x 3 x 5 x 5 as it is" in " ".join(printed.split())
    assert "not in the file, left as built: gru1, gru2, valence_arousal" in printed


def test_the_flags_for_training_are_printed(tiny, weights, tmp_path, capsys):
    output = tmp_path / "model.keras"
    importing(weights, output)
    (line, more) = capsys.readouterr().out.splitlines()[-2:]
    assert line.split("--set ")[1:] == [f"training.init={output}"]
    model = override(experiments.get("ijcv2019/affwildnet_vggface"), more.split(": add ")[1].split()).model
    assert model.pixel_mean == (129.1863, 104.7624, 93.594)
    assert model.pixel_scale == (1, 1, 1)
    normalise = checkpoints.load(output).get_layer("normalise")
    np.testing.assert_allclose(normalise.offset, [-129.1863, -104.7624, -93.594])


def test_the_json_beside_the_file(tiny, weights, tmp_path):
    importing(weights, tmp_path / "model.keras")
    written = json.loads((tmp_path / "model.json").read_text())
    assert written["source"] == "vgg_face_h5"
    assert written["sha256"] == {"rcmalli.h5": hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert written["experiment"] == "tiny"
    assert written["network"]["pixel_mean"] == written["normalisation"]["pixel_mean"] == [129.1863, 104.7624, 93.594]
    assert written["output"]["order"] == ["valence", "arousal"]
    assert written["output"]["trained"] is False
    assert written["imported"] == [f"conv{index}" for index in range(1, 14)]
    assert written["as_built"] == ["gru1", "gru2", "valence_arousal"]
    assert "non-commercial" in written["licence"]


def test_nothing_is_written_after_an_error(tiny, weights, tmp_path, capsys):
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert importing(weights, tmp_path / "model.keras") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {weights}: must be an HDF5 file")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rcmalli.h5"]


def test_an_output_is_not_overwritten(tiny, weights, tmp_path, capsys):
    (tmp_path / "model.keras").write_text("trained for a week")
    assert importing(weights, tmp_path / "model.keras") == 2
    assert "exists. Delete it, or name another." in capsys.readouterr().err
    assert (tmp_path / "model.keras").read_text() == "trained for a week"
    assert importing(weights, tmp_path / "model.h5") == 2
    assert "a .keras file" in capsys.readouterr().err
    assert importing(weights, tmp_path / "no" / "model.keras") == 2
    assert "in a folder that exists" in capsys.readouterr().err


def test_unknown_names(tiny, weights, tmp_path, capsys):
    assert importing(weights, tmp_path / "m.keras", source="vgg_face_h4") == 2
    assert "Did you mean vgg_face_h5?" in capsys.readouterr().err
    assert importing(weights, tmp_path / "m.keras", experiment="vgg_face_200") == 2
    assert "Did you mean vgg_face_2000?" in capsys.readouterr().err
    assert importing(weights, tmp_path / "m.keras", experiment="ijcv2019/vgface") == 2
    assert "Did you mean ijcv2019/vggface?" in capsys.readouterr().err


def test_an_experiment_and_a_network_by_name():
    assert weights_command.network("vgg_face_2000") is NETWORKS["vgg_face_2000"]
    assert weights_command.network("ijcv2019/affwildnet_vggface").landmarks


def test_the_list_has_a_line_for_each_source(capsys):
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == list(SOURCES)
    assert max(map(len, lines)) <= 140


def test_the_list_needs_nothing_heavy():
    heavy = {"tensorflow", "keras", "scipy", "h5py", "cv2", "matplotlib"}
    assert heavy.isdisjoint(modules_loaded("import affwildnet.commands.weights_command"))


@pytest.mark.slow
def test_the_command_says_nothing_that_is_not_its_own():
    command = [sys.executable, "-m", "affwildnet.weights", "list"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stderr == ""


def test_the_table_groups_what_was_left_out():
    rows = (
        ImportedWeight(("a/b", "c"), "fc1", "kernel", (2, 3), "as it is"),
        ImportedWeight((), "fc1", "bias", (3,), "zero"),
    )
    report = ImportReport(rows, {"y": "too big", "x": "too big", "z": "unknown"}, (), ("mind the gap",))
    assert str(report).splitlines() == [
        "in the file  in the network  shape  how",
        "a/b + c      fc1/kernel      2 x 3  as it is",
        "-            fc1/bias        3      zero",
        "left out, too big (2): x, y",
        "left out, unknown (1): z",
        "not in the file, left as built: nothing",
        "note: mind the gap",
    ]


def test_a_normalisation_restated_for_another_epsilon():
    gamma, deviation = np.array([2.0, 3.0]), np.array([0.5, 0.02])
    new_gamma, variance = batch_normalisation(gamma, deviation, 1e-3)
    # 0.5 ** 2 - 0.001; and 0.02 ** 2 < 0.001: gamma times sqrt(0.001) / 0.02.
    np.testing.assert_allclose(variance, [0.249, 0])
    np.testing.assert_allclose(new_gamma, [2, 3 * 0.0316227766 / 0.02])
    np.testing.assert_allclose(new_gamma / np.sqrt(variance + 1e-3), gamma / deviation)
