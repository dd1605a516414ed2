"""What commands are tried on, packed or trained in a second; and what must hold afterwards."""

import hashlib
import json
import zipfile
from pathlib import Path

import cv2
import h5py
import numpy as np

from tests.helpers.trainings import tiny_corpus
from tfrecords_tools.records.verify import verify

# Of the sample's experiment, a network of about a thousand weights that six steps change.
SETTINGS = (
    "training.steps=6",
    "training.checkpoint_steps=2",
    "training.keep_checkpoints=10",
    "training.batch_size=2",
    "training.window=4",
    "training.log_steps=1",
    "training.learning_rate=0.01",
    "model.hidden=32,16",
    "model.recurrent=none",
    "model.standardise_landmarks=false",
    "model.image_size=32",
    "evaluation.window=6",
)
NOTES = {"notes.txt": "weeks of work", "folds.json": "{}", "mine/keep.txt": "mine"}


def make_dataset(folder, clips=3, frames=4, gain=1):
    """Write clips of images with landmarks, in the layout afew_va, which are packed without a detector."""
    for clip in range(1, clips + 1):
        name = f"{clip:03d}"
        place = folder / name
        place.mkdir(parents=True)
        entries = {}
        for frame in range(frames):
            rng = np.random.default_rng(100 * clip + frame)
            cv2.imwrite(str(place / f"{frame:05d}.png"), rng.integers(0, 255, (80, 80, 3), np.uint8))
            points = [[20.0 + (7 * i + frame) % 40, 20.0 + (11 * i) % 40] for i in range(68)]
            entries[f"{frame:05d}"] = {
                "landmarks": points,
                "valence": gain * (clip + frame - 3),
                "arousal": gain * (frame - clip),
            }
        (place / f"{name}.json").write_text(json.dumps({"actor": f"actor {clip}", "frames": entries}))
    return folder


def pack_arguments(source, output, *more):
    return ["pack", "--layout=afew_va", f"--source={source}", f"--output={output}", "--workers=1", "--size=32", *more]


def train_arguments(corpus, workdir, *more):
    names = ["--experiment=sample/affwildnet", f"--data_dir={corpus}", f"--workdir={workdir}"]
    return [*names, "--set", *SETTINGS, *more]


def make_corpus(folder):
    return tiny_corpus(folder)


def add_notes(folder):
    """Put files of a user's into a folder."""
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def assert_notes(folder):
    for name, text in NOTES.items():
        assert (folder / name).read_text() == text


def assert_no_half_file(folder):
    """Assert that every file below a folder is whole, but for those whose name, or folder's, begins with a dot."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
                assert "model.weights.h5" in archive.namelist(), path
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>"), path
        elif path.suffix == ".csv":
            assert path.read_text().endswith("\n"), path
        elif path.suffix == ".png":
            assert cv2.imread(str(path)) is not None, path
        elif path.suffix == ".pb":
            assert path.stat().st_size, path


def assert_corpus(folder):
    """Assert that a packed corpus stands whole."""
    assert verify(folder) == [], folder


def bytes_of(folder, without=()):
    """{name: digest} of the files directly in a folder, but hidden ones."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name not in without
    }


def weights_of(checkpoint):
    """{name: array} of all that a `.keras` file holds, optimizer included."""
    found = {}
    with zipfile.ZipFile(checkpoint) as archive, archive.open("model.weights.h5") as file, h5py.File(file) as stored:

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = np.array(item)

        stored.visititems(keep)
    return found


def assert_same_weights(mine, theirs):
    mine, theirs = weights_of(mine), weights_of(theirs)
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def scores_of(workdir):
    """{step: scores} in `metrics.jsonl`, without the time that they took."""
    found = {}
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        assert values["step"] not in found, "a checkpoint was scored twice"
        found[values["step"]] = {key: values[key] for key in ("ccc", "mse", "pearson") if key in values} or values
    return found


def numbers_of(report: Path):
    """All numbers of a report, by their place in it, without paths and versions."""
    found = {}

    def walk(value, place):
        if isinstance(value, dict):
            for key, each in value.items():
                walk(each, (*place, key))
        elif isinstance(value, list):
            for index, each in enumerate(value):
                walk(each, (*place, index))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[place] = value

    walk(json.loads(report.read_text()), ())
    return found
