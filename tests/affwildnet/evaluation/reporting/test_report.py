"""The report: what its JSON, its files and the terminal's table hold, against NumPy over the CSV."""

import csv
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation import scored_run
from affwildnet.evaluation.reporting import page, plots, report_files, score_tables
from affwildnet.evaluation.reporting.assembly import Source, assemble
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.selection import Choices
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.experiments.published import Published
from affwildnet.runs.training_data import fingerprint
from affwildnet.runs.workdir import Workdir
from tests.helpers.corpora import make_corpus
from tests.helpers.evaluations import (
    by_definition,
    evaluation,
    expression_video,
    random_utterances,
    random_video,
    video,
)
from tests.helpers.trainings import TINY, add_checkpoint, started
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import LeftOut

PUBLISHED = Published(
    "ijcv2019", "0", "AffWildNet", "Aff-Wild, test set", {"ccc": {"valence": 0.57, "arousal": 0.43}, "mse": {}}
)
LATEST = Choices(checkpoint="latest", resamples=10)


@pytest.fixture(scope="module")
def corpus(tiny_folder):
    return Corpus.open(tiny_folder, "validation")


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return evaluation(random_video(rng, "one", 9), random_video(rng, "two", 8))


@pytest.fixture
def without_plots(monkeypatch):
    """Skip the plots, which take most of a report's time and are tested on their own."""
    monkeypatch.setattr(plots, "_drawings", lambda *_: {})


def report_of(split, corpus, experiment=TINY, resamples=20, **more):
    scored = protocols.score(split, experiment.protocol, experiment.evaluation, resamples)
    return assemble(Source(experiment, corpus, Path("step-00000020.keras"), 20), split, scored, **more)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def scores_of(rows):
    """Return the scores of a CSV's labelled rows, from the definitions, in float64."""
    labelled = [row for row in rows if row["valence_label"]]
    labels, predictions = (
        [[float(row[name]) for name in names] for row in labelled]
        for names in (("valence_label", "arousal_label"), ("valence", "arousal"))
    )
    return by_definition(labels, predictions)


# From a checkpoint.


@pytest.mark.parametrize(("batch_size", "window"), [(2, 6), (3, 40)])
def test_scores_are_those_of_the_predictions_that_were_written(
    batch_size, window, tiny_folder, tmp_path, without_plots
):
    experiment = replace(TINY, evaluation=EvaluationConfig(batch_size=batch_size, window=window))
    workdir = started(tmp_path, tiny_folder, experiment)
    path, _ = add_checkpoint(workdir, 30)
    done = scored_run.once(workdir, LATEST)
    stored = json.loads((tmp_path / "report-validation-latest.json").read_text())
    assert stored == json.loads(json.dumps(done.report.to_json()))
    expected = {
        "experiment": "tests/tiny",
        "checkpoint": str(path),
        "step": 30,
        "split": "validation",
        "videos": 2,
        "frames": 35,
        "frames_labelled": 32,
        "frames_scored": 32,
        "published": [],
    }
    assert {name: stored[name] for name in expected} == expected
    rows = rows_of(tmp_path / "report-validation-latest.csv")
    assert len(rows) == 35
    for metric, values in scores_of(rows).items():
        assert stored[metric] == pytest.approx(values, abs=1e-6)
        assert stored[metric].keys() == {"valence", "arousal", "mean"}
    assert set(stored["baselines"]) >= {"mean of the training labels", "linear regression on the landmarks"}
    assert stored["baselines"]["mean of the training labels"]["ccc"]["mean"] == 0
    for row in stored["per_video"]:
        assert row["scores"]["ccc"] == pytest.approx(
            scores_of([line for line in rows if line["video"] == row["video"]])["ccc"], abs=1e-6
        )


def test_a_corpus_without_a_train_split_has_no_baselines(tiny_folder, tmp_path, without_plots):
    workdir = started(tmp_path / "workdir", tiny_folder)
    add_checkpoint(workdir, 1)
    make_corpus(tmp_path / "other", [{"frames": 7, "split": "test"}])
    done = scored_run.once(workdir, replace(LATEST, split="test", data_dir=tmp_path / "other"))
    assert done.report.baselines == {}
    assert done.report.counts.frames_scored == 7


def test_what_is_missing_is_named(tiny_folder, tmp_path):
    workdir = started(tmp_path, tiny_folder)
    with pytest.raises(UserError, match="no checkpoint yet"):
        scored_run.once(workdir, LATEST)
    with pytest.raises(UserError, match="best_mean, which is not there yet"):
        scored_run.once(workdir, Choices())
    with pytest.raises(UserError, match="no run was started here"):
        scored_run.once(Workdir(tmp_path / "nowhere"), LATEST)
    add_checkpoint(workdir, 1)
    with pytest.raises(UserError, match="not a packed corpus"):
        scored_run.once(workdir, replace(LATEST, data_dir=tmp_path))


# From predictions.


def test_what_was_dropped_is_counted(corpus):
    # As `tiny_corpus` made them: frames 3 to 11 and 14 to 26 without 5, 6 and 20; and 1 to 13.
    first = np.array([*range(3, 12), *range(14, 27)])
    labels = np.random.default_rng(1).uniform(-1, 1, (len(first), 2))
    labels[np.isin(first, (5, 6, 20))] = np.nan
    predictions = np.zeros_like(labels)
    own = evaluation(video("v2", labels, predictions, frames=first), video("v3", labels[9:22], predictions[:13]))
    left_out = (LeftOut("x", "validation", "no face"), LeftOut("y", "train", "cut off"))
    packed = replace(corpus, manifest=replace(corpus.manifest, left_out=left_out))
    entries = {entry.video: entry for entry in corpus.videos}
    assert report_of(own, packed).to_json()["dropped"] == {
        "frames_decoded": 26 + 13,
        "frames_without_face": 4,
        "frames_removed": sum(entries[name].frames_removed for name in ("v2", "v3")),
        "frames_unlabelled": 3 + 1,
        "left_out": ({"video": "x", "reason": "no face"},),
    }
    # Each fold tests on videos of every split.
    of_folds = report_of(replace(own, folds=(1, 1)), packed).dropped.left_out
    assert [left.video for left in of_folds] == ["x", "y"]


def test_the_report_says_what_was_scored_and_how(split, corpus):
    experiment = replace(TINY, published=(PUBLISHED,))
    stored = json.loads(json.dumps(report_of(split, corpus, experiment).to_json(), allow_nan=False))
    assert stored["corpus"] == {
        "name": "tiny",
        "layout": "aff_wild",
        "folder": str(corpus.folder),
        "fingerprint": fingerprint(corpus.videos),
        "trained_on": "",
        "seen_in_training": [],
        "training_data_replaced": [],
        "alignment": "crop",
        "margin": 0.1,
        "image_size": 32,
        "detector": "",
        "landmarks": "",
        "sizes": {
            "train": {"videos": 2, "subjects": 2, "frames": 67, "frames_labelled": 67},
            "validation": {"videos": 2, "subjects": 2, "frames": 35, "frames_labelled": 32},
            "test": {"videos": 2, "subjects": 2, "frames": 21, "frames_labelled": 10},
            "all": {"videos": 6, "subjects": 6, "frames": 123, "frames_labelled": 109},
        },
    }
    assert (stored["unit"], stored["units"], stored["protocol"]) == ("frames", 17, "frames")
    assert "the intervals are of 2 videos only" in stored["interval"].pop("warning")
    assert stored["interval"] == {"level": 0.95, "resamples": 20, "over": "videos", "number": 2}
    for metric in ("ccc", "mse", "rmse", "sagr"):
        for name, (low, high) in stored["intervals"][metric].items():
            assert low <= high, (metric, name)
    assert stored["published"][0]["row"] == "AffWildNet"
    assert len(stored["published"][0]["differs"]) == 3  # another split, and fewer videos and frames to train on
    assert stored["configuration"]["training"]["learning_rate"] == 3e-3
    assert {"folds", "others", "regions", "post_processing", "against", "versions"} <= stored.keys()
    assert "confusion" not in stored


def test_whose_mean_the_labels_are_and_how_they_were_shifted_is_said(split, corpus):
    packed = replace(corpus.manifest, delays={"ann": 1.5}, selected={"one": {"valence": ["ann", "ben"]}})
    report = report_of(split, replace(corpus, manifest=packed))
    said = report.to_json()["corpus"]["labelling"]
    assert said == packed.labelling
    assert "ann 1.50 s" in said
    assert html.escape(said) in page.page(report, {}, ())


def test_labelled_frames_are_those_of_the_manifest_even_where_fewer_were_scored(corpus):
    own = evaluation(random_video(np.random.default_rng(0), "one", 9), frames_labelled=40)
    report = report_of(own, corpus)
    assert report.summary().endswith(": 9 of 40 labelled frames of 1 validation video scored")
    assert "9 of 40 scored" in page.page(report, {}, ())
    assert (report.to_json()["frames_scored"], report.to_json()["frames_labelled"]) == (9, 40)


@pytest.mark.slow
def test_all_files_are_written_and_named(split, corpus, tmp_path):
    paths = report_files.write(report_of(split, corpus), split, corpus, Workdir(tmp_path))
    names = ("split", "segments", "curves", "histograms", "residuals", "page", "predictions", "report")
    assert tuple(paths) == names
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}
    assert paths["curves"].name == "report-validation-curves.png"
    text = paths["page"].read_text("utf-8")
    assert text.count("data:image/png;base64,") == 5
    assert len(rows_of(paths["predictions"])) == 17


def test_a_plot_of_an_earlier_report_is_removed(split, corpus, tmp_path, without_plots):
    for name in ("report-validation-training.png", "report-test-training.png"):
        (tmp_path / name).write_bytes(b"")
    report_files.write(report_of(split, corpus), split, corpus, Workdir(tmp_path))
    assert [path.name for path in tmp_path.glob("*.png")] == ["report-test-training.png"]


def test_a_report_that_fails_leaves_the_earlier_one(split, corpus, tmp_path, monkeypatch, without_plots):
    built = report_of(split, corpus)
    paths = report_files.write(built, split, corpus, Workdir(tmp_path))
    before = {name: path.read_bytes() for name, path in paths.items()}
    monkeypatch.setattr(report_files.page, "page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report_files.write(built, split, corpus, Workdir(tmp_path))
    assert {name: path.read_bytes() for name, path in paths.items()} == before
    assert not list(tmp_path.glob(".partial-*"))


# The terminal's table.


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def test_an_undefined_score_shows_as_a_dash(corpus):
    constant = evaluation(video("v", [[0.1, 0.2], [0.3, 0.2]], [[0.5, 0.5]] * 2))
    built = report_of(constant, corpus)
    assert built.scored.scores["pearson"] == {"valence": None, "arousal": None, "mean": None}
    lines = score_tables.score_table(built, published=False).splitlines()
    assert cells(lines[2])[:10] == ["this checkpoint", *["0.000"] * 3, *["-"] * 3, "0.100", "0.090", "0.095"]
    assert "Pearson of arousal: the labels and predictions are constant." in " ".join(lines)
    # A single video has no intervals, and no rows of dashes for them.
    assert not any("interval, from" in line for line in lines)


def test_the_rows_of_the_table_are_complete_and_its_columns_align(split, corpus):
    experiment = replace(TINY, published=(PUBLISHED,))
    built = report_of(split, corpus, experiment, baselines={"the mean": split.scores})
    lines = score_tables.score_table(built).splitlines()
    assert [cells(line)[0] for line in lines[2:7]] == [
        "this checkpoint",
        "95 % interval, from",
        "95 % interval, to",
        "mean of the videos' own CCC",
        "baseline: the mean",
    ]
    assert lines[7] == "> [1] ijcv2019 table 0: AffWildNet (Aff-Wild, test"
    assert lines[8].startswith("  set)  ")
    assert cells(lines[8]) == ["set)", "0.570", "0.430", *["-"] * 10]
    assert lines[0].split() == ["CCC", "Pearson", "MSE", "RMSE"]
    assert lines[1].split() == ["valence", "arousal", "mean"] * 4
    column = lines[0].index("MSE")
    assert lines[2][column:].split()[0] == lines[6][column:].split()[0] == f"{split.scores['mse']['valence']:.3f}"
    low, high = built.scored.intervals.ends["mse"]["valence"]
    assert [line[column:].split()[0] for line in lines[3:5]] == [f"{low:.3f}", f"{high:.3f}"]
    assert f"SAGR): valence {split.scores['sagr']['valence']:.3f}" in " ".join(lines)
    assert max(map(len, lines)) <= 150


def test_differences_stand_below_the_published_rows_once_each(split, corpus):
    rows = tuple(replace(PUBLISHED, row=f"net {i}", note="A doubtful digit." if i == 1 else "") for i in range(4))
    other = replace(PUBLISHED, corpus="OMG-Emotion, validation set")
    text = score_tables.score_table(report_of(split, corpus, replace(TINY, published=(*rows, other, rows[0]))))
    below = " ".join(text[text.index("Scored over") :].split())
    assert below.count("[1-4, 6] The row is of the test set; these scores are of the validation split.") == 1
    assert "[2] A doubtful digit." in below
    assert "[5] The row is of OMG-Emotion, validation set; these scores are of tiny (layout aff_wild)" in below


def test_an_experiment_without_published_rows_says_so(split, corpus):
    built = report_of(split, corpus)
    assert score_tables.score_table(built).endswith("No published row belongs to this experiment.")
    assert "published" not in score_tables.score_table(built, published=False)


def test_a_published_row_of_the_same_kind_is_called_so(corpus):
    omg = replace(corpus, manifest=replace(corpus.manifest, layout="omg", name="omg"))
    split = random_utterances(np.random.default_rng(2), [[3, 4], [5, 6, 2]], split="test")
    row = replace(PUBLISHED, corpus="OMG-Emotion, test set")
    text = score_tables.score_table(report_of(split, omg, replace(TINY, published=(row,), protocol="utterances")))
    below = " ".join(text.split())
    assert "[1] Checked and the same: the split, test; the protocol, utterances" in below
    assert "[1] The test split has 2 utterances, the paper's 2,229." in below
    assert "[1] Cannot be known: whether the videos of omg, test split are those of OMG-Emotion, test set;" in below
    assert "each frame, pooled" in text
    assert "Scored over 5 utterances" in text


def test_expressions_have_a_column_each(corpus):
    split = evaluation(expression_video("a", "fear", np.eye(7)[[2]]), expression_video("b", "anger", np.eye(7)[[2]]))
    row = Published("ijcv2019", "0", "net", "EmotiW 2017, validation set", {"accuracy": {"sad": 0.709, "total": 0.454}})
    built = report_of(split, corpus, replace(TINY, published=(row,), protocol="videos"))
    lines = score_tables.score_table(built).splitlines()
    assert lines[1].split() == ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "total"]
    assert cells(lines[2]) == ["this checkpoint", "0.000", "-", "1.000", *["-"] * 4, "0.500"]
    published = next(line for line in lines if line.startswith("  set)") or "(EmotiW 2017, validation set)" in line)
    assert published.split()[-8:] == [*["-"] * 5, "0.709", "-", "0.454"]
    assert (
        "No value for accuracy of disgust, happiness, neutral, sadness and surprise: no video has this class."
        in " ".join(lines)
    )
    assert built.scored.confusion[2][2] == built.scored.confusion[0][2] == 1
