"""The report: what its JSON, CSV, page and plots hold, against NumPy over the CSV."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from corpora import make_corpus
from PIL import Image
from trainings import TINY, add_checkpoint, started, tiny_corpus

from affwildnet.evaluation import plots, report, run
from affwildnet.evaluation.estimates import Evaluation, VideoEstimates
from affwildnet.experiments.config import EvaluationConfig, Published
from affwildnet.metrics import Moments, scores
from affwildnet.workdir import Workdir, append_line
from tfrecords_tools.errors import UserError

PUBLISHED = Published(
    "ijcv2019", "9", "AffWildNet", "Aff-Wild, test set", {"ccc": {"valence": 0.57, "arousal": 0.43}, "mse": {}}
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("corpus"))


def estimated(name, frames, labels, estimates):
    frames = np.array(frames)
    return VideoEstimates(
        name, name, frames, ((frames - 1) / 30).astype(np.float32), np.float32(labels), np.float32(estimates)
    )


def evaluation_of(*videos):
    pooled = Moments.empty()
    for video in videos:
        pooled = pooled.merge(video.moments)
    labelled = sum(int(video.labelled.sum()) for video in videos)
    return Evaluation("validation", videos, labelled, scores(pooled))


@pytest.fixture
def awkward():
    """A gap, a missing label, a video with none, names that a page must escape, and numbers with many digits."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-1, 1, (5, 2))
    labels[3] = np.nan
    first = estimated("<b>one</b> & co", [1, 2, 5, 6, 7], labels, rng.normal(size=(5, 2)) * 1.7)
    second = estimated('two,"2" $_$x', [3, 4], np.full((2, 2), np.nan), [[1 / 3, 1e-9], [-1e7 / 3, 0.1]])
    return evaluation_of(first, second)


def written(evaluation, folder, experiment=TINY, baselines=None):
    contents = report.contents(evaluation, experiment, folder / "step-00000020.keras", 20, baselines or {})
    return contents, report.write(contents, evaluation, Workdir(folder))


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def scores_of(rows):
    """Scores of a CSV's labelled rows, from the definitions, in float64."""
    found = {"ccc": {}, "pearson": {}, "mse": {}}
    labelled = [row for row in rows if row["valence_label"]]
    for name in ("valence", "arousal"):
        y = np.array([float(row[f"{name}_label"]) for row in labelled])
        x = np.array([float(row[name]) for row in labelled])
        covariance = np.mean((y - y.mean()) * (x - x.mean()))
        found["ccc"][name] = 2 * covariance / (y.var() + x.var() + (y.mean() - x.mean()) ** 2)
        found["pearson"][name] = covariance / (y.std() * x.std())
        found["mse"][name] = np.mean((y - x) ** 2)
    for values in found.values():
        values["mean"] = (values["valence"] + values["arousal"]) / 2
    return found


# From a checkpoint.


@pytest.mark.parametrize(("batch_size", "window"), [(2, 6), (3, 40)])
def test_scores_are_those_of_the_estimates_that_were_written(batch_size, window, corpus, tmp_path):
    experiment = replace(TINY, evaluation=EvaluationConfig(batch_size=batch_size, window=window))
    workdir = started(tmp_path, corpus, experiment)
    path, _ = add_checkpoint(workdir, 30)
    done = run.once(workdir, None, "validation", "latest")
    stored = json.loads((tmp_path / "report-validation.json").read_text())
    assert stored == json.loads(json.dumps(done.report))
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
    rows = rows_of(tmp_path / "report-validation.csv")
    assert len(rows) == 35
    for metric, values in scores_of(rows).items():
        assert stored[metric] == pytest.approx(values, abs=1e-6)
        assert stored[metric].keys() == {"valence", "arousal", "mean"}
    assert set(stored["baselines"]) == {"mean of the training labels", "linear regression on the landmarks"}
    assert stored["baselines"]["mean of the training labels"]["ccc"]["mean"] == 0
    for row in stored["per_video"]:
        assert row["scores"]["ccc"] == pytest.approx(
            scores_of([line for line in rows if line["video"] == row["video"]])["ccc"], abs=1e-6
        )


def test_a_corpus_to_score_on_only_has_no_baselines(corpus, tmp_path):
    workdir = started(tmp_path / "workdir", corpus)
    add_checkpoint(workdir, 1)
    make_corpus(tmp_path / "other", [{"frames": 7, "split": "test"}])
    done = run.once(workdir, tmp_path / "other", "test", "latest")
    assert done.report["baselines"] == {}
    assert done.report["frames_scored"] == 7


def test_what_is_missing_is_named(corpus, tmp_path):
    workdir = started(tmp_path, corpus)
    with pytest.raises(UserError, match="no checkpoint yet"):
        run.once(workdir, None, "validation", "latest")
    with pytest.raises(UserError, match="best_mean, which is not there yet"):
        run.once(workdir, None, "validation", "best_mean")
    with pytest.raises(UserError, match="no training was started here"):
        run.once(Workdir(tmp_path / "nowhere"), None, "validation", "latest")
    add_checkpoint(workdir, 1)
    with pytest.raises(UserError, match="not a packed corpus"):
        run.once(workdir, tmp_path, "validation", "latest")


# From estimates.


def test_the_csv_reads_back_as_the_same_float32(awkward, tmp_path):
    report.write_csv(awkward, tmp_path / "e.csv")
    rows = rows_of(tmp_path / "e.csv")
    assert list(rows[0]) == ["video", "frame", "time", "valence_label", "arousal_label", "valence", "arousal"]
    for video in awkward.videos:
        own = [row for row in rows if row["video"] == video.video]
        assert [int(row["frame"]) for row in own] == video.frames.tolist()
        for name, column in (("valence", 0), ("arousal", 1)):
            np.testing.assert_array_equal(np.float32([row[name] for row in own]), video.estimates[:, column])
            labels = np.float32([row[f"{name}_label"] or "nan" for row in own])
            np.testing.assert_array_equal(labels, video.labels[:, column])
        np.testing.assert_allclose([float(row["time"]) for row in own], video.timestamps, atol=5e-5)
    assert len(rows) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]


def test_the_page_needs_no_other_file_and_escapes_names(awkward, tmp_path):
    _, paths = written(awkward, tmp_path, replace(TINY, published=(PUBLISHED,)))
    page = paths["page"].read_text("utf-8")
    links = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'>]{0,30})""", page)
    assert len(links) == 3
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert not re.search(r"https?://|@import|url\(|<script|<link", page)
    assert "<b>one</b>" not in page
    assert "&lt;b&gt;one&lt;/b&gt; &amp; co" in page
    assert "step 20" in page
    assert "ijcv2019 table 9: AffWildNet (Aff-Wild, test set)" in page
    assert f"{awkward.scores['ccc']['valence']:.3f}" in page


def test_a_report_without_published_rows_compares_with_none(awkward, tmp_path):
    _, paths = written(awkward, tmp_path)
    assert report.NOT_COMPARABLE not in paths["page"].read_text("utf-8")


@pytest.mark.parametrize("with_logs", [False, True])
def test_plots_are_pictures_that_open(with_logs, awkward, tmp_path):
    if with_logs:
        for step in (1, 2, 2, 3):
            append_line(tmp_path / "training.jsonl", {"step": step, "loss": 1 / step})
        ccc = {"valence": 0.1, "arousal": 0.2, "mean": 0.15}
        append_line(tmp_path / "metrics.jsonl", {"step": 2, "ccc": ccc})
        append_line(tmp_path / "metrics.jsonl", {"step": 3, "passed_over": "truncated"})
    _, paths = written(awkward, tmp_path)
    for name in ("curves", "histograms", "training"):
        with Image.open(paths[name]) as picture:
            assert picture.format == "PNG"
            picture.load()
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 20  # something is drawn
    assert not list(tmp_path.glob(".partial-*"))


def test_curves_break_where_frames_are_missing(awkward, monkeypatch):
    drawn = []
    axis = type("Axis", (), {"plot": lambda self, *xy, **_: drawn.append(xy), "set_ylim": id, "grid": id})()
    axis.set_ylim = axis.grid = lambda *_, **__: None
    plots._curve(axis, awkward.videos[0], 0)
    (times, labels), (_, estimates) = drawn
    np.testing.assert_allclose(times, [0, 1 / 30, np.nan, 4 / 30, 5 / 30, 6 / 30], rtol=1e-6)
    assert np.isnan(labels).tolist() == [False, False, True, False, True, False]
    assert np.isnan(estimates).tolist() == [False, False, True, False, False, False]


def test_many_videos_are_drawn_up_to_a_number(tmp_path, monkeypatch):
    assert plots.MAX_CURVES == 12
    monkeypatch.setattr(plots, "MAX_CURVES", 2)
    videos = [estimated(f"v{i}", [1, 2], [[0.1, 0.2], [0.3, 0.1]], [[0, 0.1], [0.1, 0]]) for i in range(3)]
    sizes = []
    for number in (1, 2, 3):
        plots.curves(evaluation_of(*videos[:number]), tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as picture:
            sizes.append(picture.size)
    assert sizes[0] < sizes[1] == sizes[2]


def test_what_is_not_defined_shows_as_a_dash(tmp_path):
    constant = evaluation_of(estimated("v", [1, 2], [[0.1, 0.2], [0.3, 0.2]], [[0.5, 0.5]] * 2))
    contents, paths = written(constant, tmp_path)
    assert json.loads(paths["report"].read_text())["pearson"] == {"valence": None, "arousal": None, "mean": None}
    line = report.score_table(contents, published=False).splitlines()[2]
    assert re.split(r"\s{2,}", line.strip()) == [
        "this checkpoint",
        *["0.000"] * 3,
        *["-"] * 3,
        "0.100",
        "0.090",
        "0.095",
    ]
    assert "<td>-</td>" in paths["page"].read_text("utf-8")


def test_the_table_has_a_row_for_each_and_columns_that_align(awkward, tmp_path):
    contents, _ = written(awkward, tmp_path, replace(TINY, published=(PUBLISHED,)), {"the mean": awkward.scores})
    lines = report.score_table(contents).splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == [
        "this checkpoint",
        "the mean",
        "ijcv2019 table 9: AffWildNet (Aff-Wild, test set)",
    ]
    assert lines[4].split()[-9:] == ["0.570", "0.430", *["-"] * 7]
    assert lines[5] == report.NOT_COMPARABLE
    assert lines[0].split() == ["CCC", "Pearson", "MSE"]
    assert lines[1].split() == ["valence", "arousal", "mean"] * 3
    column = lines[0].index("MSE")
    assert lines[2][column:].split()[0] == f"{awkward.scores['mse']['valence']:.3f}"
    assert len(report.score_table(contents, published=False).splitlines()) == 4


def test_an_experiment_without_published_rows_says_so(awkward, tmp_path):
    contents, _ = written(awkward, tmp_path)
    assert report.score_table(contents).endswith("No published row belongs to this experiment.")


def test_a_report_that_fails_leaves_the_earlier_one(awkward, tmp_path, monkeypatch):
    _, paths = written(awkward, tmp_path)
    before = {name: path.read_bytes() for name, path in paths.items()}
    monkeypatch.setattr(report, "page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        written(awkward, tmp_path)
    assert {name: path.read_bytes() for name, path in paths.items() if name in ("page", "report", "estimates")} == {
        name: before[name] for name in ("page", "report", "estimates")
    }


def test_another_protocol_is_said(awkward, tmp_path):
    experiment = replace(TINY, published=(PUBLISHED,), protocol="utterances")
    contents, paths = written(awkward, tmp_path, experiment)
    told = (
        "in another way: median of an utterance's frames, pooled over the utterances. The scores here are of each frame"
    )
    assert told in report.score_table(contents)
    assert told.split("'")[0] in paths["page"].read_text("utf-8")
    assert contents["protocol"] == "utterances"
