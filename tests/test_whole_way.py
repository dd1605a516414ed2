"""The whole way on a few short sample clips, through the command lines, trainer and watcher as two processes."""

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from affwildnet.metrics import Moments, scores
from tests.helpers.paths import ROOT


def command(*arguments):
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder in which the whole way was gone, and what the commands printed."""
    folder = tmp_path_factory.mktemp("whole_way")
    sample, packed, workdir = folder / "sample", folder / "packed", folder / "run"
    tools = ("-m", "tfrecords_tools")
    printed = {
        "sample": command(*tools, "sample", f"--output={sample}", "--clips=4", "--min_seconds=1.5", "--max_seconds=2"),
        "pack": command(*tools, "pack", "--layout=aff_wild", f"--source={sample}", f"--output={packed}", "--workers=2"),
        "inspect": command(*tools, "inspect", packed),
        "verify": command(*tools, "verify", packed),
    }
    watcher = subprocess.Popen(
        [sys.executable, "evaluate.py", f"--workdir={workdir}", "--watch", "--timeout=5", "--patience=2"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        printed["train"] = command(
            "train.py", "--experiment=sample/affwildnet", f"--data_dir={packed}", f"--workdir={workdir}",
            # The rate is so small that the second checkpoint is no better: the watcher has to stop a long training.
            "--set", "training.steps=100000", "training.checkpoint_steps=5", "training.batch_size=2",
            "training.window=8", "training.learning_rate=1e-12", "training.keep_checkpoints=2",
            "model.width=0.03", "model.image_size=96",
        )  # fmt: skip
        printed["watch"], _ = watcher.communicate(timeout=120)
    finally:
        watcher.kill()
    assert watcher.returncode == 0, printed["watch"]
    printed["test"] = command(
        "evaluate.py", f"--workdir={workdir}", "--split=test", "--checkpoint=best_mean",
        f"--export={folder / 'saved_model'}", f"--report={folder / 'report.json'}", "--compare",
    )  # fmt: skip
    return folder, printed


@pytest.mark.slow
def test_the_corpus_is_as_large_as_its_videos_and_whole(run):
    folder, printed = run
    lines = sum(len(path.read_text().splitlines()) for path in (folder / "sample/annotations").glob("*/valence/*.txt"))
    videos = json.loads((folder / "packed/manifest.json").read_text())["videos"]
    assert sum(video["frames_decoded"] for video in videos) == lines
    assert sum(video["frames_without_face"] for video in videos) <= 0.02 * lines
    assert "every record is as the manifest says" in printed["verify"]
    assert "packed 4 videos (2 train, 1 validation, 1 test)" in printed["pack"]
    assert cv2.imread(str(folder / "packed/contact_sheet.png")) is not None


@pytest.mark.slow
def test_the_watcher_stops_the_trainer(run):
    folder, printed = run
    stop = json.loads((folder / "run/stop.json").read_text())
    finished = json.loads((folder / "run/finished.json").read_text())
    assert finished["reason"] == "the evaluator said stop"
    assert finished["step"] >= stop["step"] > stop["best_step"]
    assert f"finished at step {finished['step']:,}: the evaluator said stop" in printed["train"]
    assert "stop: no better mean CCC" in printed["watch"]
    scored = [json.loads(line)["step"] for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    assert len(scored) == len(set(scored)) >= 3


@pytest.mark.slow
def test_the_report_is_of_every_labelled_frame_of_the_held_out_clip(run):
    folder, printed = run
    report = json.loads((folder / "report.json").read_text())
    assert report == json.loads((folder / "run/report-test.json").read_text())
    (annotation,) = (folder / "sample/annotations/test/valence").glob("*.txt")
    (video,) = [v for v in json.loads((folder / "packed/manifest.json").read_text())["videos"] if v["split"] == "test"]
    labelled = len(annotation.read_text().splitlines()) - video["frames_without_face"]
    assert report["frames_scored"] == report["frames_labelled"] == labelled
    assert report["videos"] == 1
    assert f"{labelled} of {labelled} labelled frames" in printed["test"]

    with (folder / "run/report-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = np.array([[row["valence_label"], row["arousal_label"]] for row in rows], np.float64)
    given = [
        np.loadtxt(folder / f"sample/annotations/test/{name}/{annotation.name}") for name in ("valence", "arousal")
    ]
    frames = np.array([int(row["frame"]) for row in rows])
    np.testing.assert_allclose(labels, np.stack(given, axis=1)[frames - 1], atol=1e-6)
    predictions = np.array([[row["valence"], row["arousal"]] for row in rows], np.float64)
    recomputed = scores(Moments.from_arrays(labels, predictions))
    for metric in ("ccc", "pearson", "mse"):
        for name in ("valence", "arousal", "mean"):
            assert report[metric][name] == pytest.approx(recomputed[metric][name], abs=1e-6)
    assert report["baselines"]["mean of the training labels"]["ccc"]["mean"] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_the_exported_model_gives_the_reports_predictions(run):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    folder, _ = run
    examples = list(tfds.builder_from_directory(folder / "packed").as_dataset(split="test").as_numpy_iterator())
    frames = np.stack([example["face"] for example in examples])
    landmarks = np.stack([example["landmarks"] for example in examples])
    serve = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    predictions = serve(frames=frames[None], landmarks=landmarks[None])["valence_arousal"].numpy()[0]
    with (folder / "run/report-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == [int(example["frame"]) for example in examples]
    # Up to the first gap the evaluation has seen the same sequence.
    numbers = np.array([int(row["frame"]) for row in rows])
    whole = int(np.argmax(np.append(np.diff(numbers) > 1, True))) + 1
    written = np.array([[row["valence"], row["arousal"]] for row in rows], np.float32)
    np.testing.assert_allclose(predictions[:whole], written[:whole], atol=1e-5)
