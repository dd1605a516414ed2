"""`python -m affwildnet.export`: what it writes, what it says that was lost, and what it refuses."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.commands.export_command import NAMES, main
from affwildnet.export import export_model
from affwildnet.export.formats import FORMATS
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.corpora import make_corpus
from tests.helpers.exported import SIZE, network
from tests.helpers.networks import numpy
from tests.helpers.paths import ROOT
from tests.helpers.trainings import TINY, started
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    videos = [
        {"frames": 5},
        {"frames": [*range(1, 30), *range(35, 50)], "split": "test", "unlabelled": [3, 4]},
        {"frames": 9, "split": "test"},
        {"frames": 4, "split": "validation", "unlabelled": range(1, 5)},
    ]
    make_corpus(folder, videos, image_size=SIZE)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.keras"
    write_model(network("gru", units=300), path, Card(SIZE, margin=0.3, experiment="tests/gru"))
    return path


def refused(arguments, capsys):
    """The one line of a refusal."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def ccc(labels, predictions):
    """ijcv2019 eq. 1, from its terms."""
    covariance = np.mean((labels - labels.mean()) * (predictions - predictions.mean()))
    return 2 * covariance / (labels.var() + predictions.var() + (labels.mean() - predictions.mean()) ** 2)


def test_formats_are_those_that_there_are():
    assert tuple(FORMATS) == NAMES


@pytest.mark.slow
def test_the_scores_are_those_of_whole_videos(corpus, file, tmp_path, capsys):
    flags = [f"--model={file}", f"--output={tmp_path / 'out'}", "--formats=saved_model,tflite_int8"]
    assert main([*flags, f"--data_dir={corpus}"]) == 0
    printed = capsys.readouterr().out
    labels, predictions, model = [], [], network("gru", units=300)
    for entry in manifest.load(corpus).split("test"):
        records = read_records(corpus, entry)
        data = {
            "frames": np.stack([tf.io.decode_jpeg(record["face"]) for record in records])[None],
            "landmarks": np.stack([record["landmarks"] for record in records])[None],
        }
        assert data["frames"].dtype == np.uint8
        labels.append([record["label"] for record in records])
        predictions.append(numpy(model(data))[0])
    labels, predictions = np.concatenate(labels), np.concatenate(predictions)
    labelled = np.isfinite(labels).all(axis=1)
    wanted = [ccc(labels[labelled, i], predictions[labelled, i]) for i in range(2)]
    assert f"{labelled.sum()} labelled frames of 2 test videos" in printed
    rows = {
        line.split()[0]: line.split()[1:] for line in printed.splitlines() if re.match(r"\w+ +-?[01]\.\d{4} ", line)
    }
    assert list(rows) == ["network", "saved_model", "tflite_int8"]
    for name, (valence, arousal, mean, lost, deviation, _) in rows.items():
        exactness = 5e-2 if name == "tflite_int8" else 2e-4
        found = [float(valence), float(arousal)]
        np.testing.assert_allclose(found, wanted, atol=exactness)
        assert float(mean) == pytest.approx(np.mean(found), abs=1e-4)
        assert float(lost) == pytest.approx(np.mean(wanted) - np.mean(found), abs=2e-4)
        assert (float(deviation) > 1e-4) == (name == "tflite_int8")
    described = json.loads((tmp_path / "out/tflite_int8/affwildnet.json").read_text())
    assert (described["margin"], described["experiment"], described["checkpoint"]) == (0.3, "tests/gru", "net.keras")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["saved_model", "tflite_int8"]


def test_the_best_checkpoint_of_a_working_directory(corpus, file, tmp_path, monkeypatch):
    written = []
    monkeypatch.setitem(
        FORMATS, "saved_model", replace(FORMATS["saved_model"], write=lambda *rest: written.append(rest))
    )
    workdir = started(tmp_path / "run", corpus, TINY)
    workdir.best.mkdir()
    shutil.copyfile(file, workdir.best / "best_mean.keras")
    assert main([f"--model={workdir.path}", f"--output={tmp_path / 'out'}"]) == 0
    ((_, folder, provenance, card, _),) = written
    assert folder == tmp_path / "out" / "saved_model"
    assert provenance == {"checkpoint": "best_mean.keras"}
    assert card.margin == 0.3


def test_exports_of_another_network_are_refused_before_anything_is_written(file, tmp_path, capsys):
    other = tmp_path / "other.keras"
    write_model(network("gru", units=200), other, Card(SIZE, margin=0.3))
    arguments = [f"--output={tmp_path / 'out'}", "--formats=saved_model"]
    assert main([f"--model={file}", *arguments]) == main([f"--model={file}", *arguments]) == 0
    capsys.readouterr()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    message = refused([f"--model={other}", f"--output={tmp_path / 'out'}", "--formats=tflite_int8,saved_model"], capsys)
    assert message == (
        f"{tmp_path / 'out' / 'saved_model'}: exists already, an export of another network (tests/gru, net.keras). "
        "Replace it with `--overwrite`, or choose another folder."
    )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert main([f"--model={other}", *arguments, "--overwrite"]) == 0
    described = json.loads((tmp_path / "out" / "saved_model" / "assets.extra" / "affwildnet.json").read_text())
    assert described["checkpoint"] == "other.keras"


def test_a_given_card_goes_before_that_of_the_file(file, tmp_path, monkeypatch):
    written = []
    monkeypatch.setitem(
        FORMATS, "saved_model", replace(FORMATS["saved_model"], write=lambda *rest: written.append(rest))
    )
    for card, margin in ((Card(SIZE, margin=0.7), 0.7), (None, 0.3)):
        export = export_model(str(file), str(tmp_path / "out"), "saved_model", card=card)
        assert export.folders == {"saved_model": tmp_path / "out" / "saved_model"}
        _, _, provenance, described, _ = written.pop()
        assert described.margin == margin
        assert provenance == {"checkpoint": "net.keras"}


def test_a_file_without_a_card_needs_the_corpus(corpus, tmp_path, capsys):
    path = tmp_path / "old.keras"
    write_model(network("none"), path)
    assert "Name the packed corpus that it was trained on" in refused([f"--model={path}", "--output=x"], capsys)
    assert main([f"--model={path}", f"--output={tmp_path / 'out'}", f"--data_dir={corpus}"]) == 0
    described = json.loads((tmp_path / "out/saved_model/assets.extra/affwildnet.json").read_text())
    assert (described["margin"], described["corpus"]) == (0.1, "tiny (aff_wild)")
    assert "does not say how crops were cut out for it; taken from" in capsys.readouterr().out


def test_what_is_refused(corpus, file, tmp_path, capsys):
    output = f"--output={tmp_path / 'out'}"
    assert "Did you mean onnx?" in refused([f"--model={file}", output, "--formats=saved_model,onx"], capsys)
    assert refused([f"--model={tmp_path / 'gone'}", output], capsys).endswith("gone, which is not there.")
    assert "without experiment.json" in refused([f"--model={tmp_path}", output], capsys)
    empty = started(tmp_path / "run", corpus, TINY)
    assert "no checkpoint yet" in refused([f"--model={empty.path}", output], capsys)
    (tmp_path / "text.keras").write_text("thesis")
    assert "must be a .keras file" in refused([f"--model={tmp_path / 'text.keras'}", output], capsys)
    (tmp_path / "file").touch()
    assert "cannot be written" in refused([f"--model={file}", f"--output={tmp_path / 'file'}"], capsys)
    data = f"--data_dir={corpus}"
    assert "no frame of the split validation" in refused(
        [f"--model={file}", output, data, "--split=validation"], capsys
    )
    assert "not a packed corpus" in refused([f"--model={file}", output, f"--data_dir={tmp_path}"], capsys)
    assert not (tmp_path / "out").exists()


def test_what_is_no_export_is_left_alone(file, tmp_path, capsys):
    (tmp_path / "tflite_float16").mkdir()
    (tmp_path / "tflite_float16" / "thesis.tex").write_text("thesis")
    line = refused([f"--model={file}", f"--output={tmp_path}", "--formats=saved_model,tflite_float16"], capsys)
    assert line.startswith(f"{tmp_path}/tflite_float16: must be a new folder or an earlier export")
    assert [path.name for path in tmp_path.iterdir()] == ["tflite_float16"]


def test_onnx_without_its_packages(file, tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "onnx" else find(name, *more))
    line = refused([f"--model={file}", f"--output={tmp_path / 'out'}", "--formats=onnx"], capsys)
    assert line == 'ONNX files need onnx: pip install -e ".[onnx]"'


def test_expressions_are_not_scored(corpus, tmp_path, capsys):
    path = tmp_path / "classes.keras"
    write_model(network("none", "expression"), path, Card(SIZE))
    line = refused([f"--model={path}", f"--output={tmp_path / 'out'}", f"--data_dir={corpus}"], capsys)
    assert "Received: a network that predicts expression. Leave out `--data_dir`." in line


@pytest.mark.slow
def test_as_a_user_starts_it(tmp_path):
    path, output = tmp_path / "net.keras", tmp_path / "out"
    write_model(network("none"), path, Card(SIZE))
    command = [sys.executable, "-m", "affwildnet.export", f"--model={path}", f"--output={output}"]
    run = subprocess.run([*command, f"--formats={','.join(NAMES)}"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [line.split()[0] for line in run.stdout.splitlines()] == list(NAMES)
    assert "Traceback" not in run.stderr
    assert sorted(folder.name for folder in output.iterdir()) == sorted(NAMES)
