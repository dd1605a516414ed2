"""What the papers' figures show: a part of a video, where labels and predictions lie, the scores of checkpoints."""

import json
from pathlib import Path

import numpy as np
import pytest

from affwildnet.experiments.tables import get_table
from affwildnet.reproduce import paper_figures
from affwildnet.reproduce.job_runs import DONE
from affwildnet.reproduce.row_results import RowResult
from tests.helpers.corpora import make_corpus
from tests.helpers.evaluations import evaluation, random_video, video

ROWS = get_table("omg2019/3").rows


@pytest.fixture
def saved(monkeypatch):
    """The figures that are saved, which are not drawn."""
    found = []
    monkeypatch.setattr(paper_figures, "save", lambda figure, path: found.append(figure))
    return found


def row(path=Path("report.json"), place=0):
    return RowResult(ROWS[place], DONE, {"rehearsal": ["narrow"] if place else []}, path)


def counted(axis):
    """Return how many points a histogram of the plane holds, (bins of valence, bins of arousal)."""
    (mesh,) = axis.collections
    return np.ma.filled(mesh.get_array(), 0).reshape(40, 40).T


def test_curves_are_of_the_frames_that_were_asked_for(saved):
    own = random_video(np.random.default_rng(0), "a", 5)
    own = video("a", own.labels, own.predictions, frames=[2, 3, 5, 8, 9])
    caption, _ = paper_figures._curves(row(), own, (3, 8), Path("x.png"))
    assert caption == f"{ROWS[0].row}: predictions and labels of a, frames 3 to 8"
    for index, axis in enumerate(saved[0].axes):
        label, prediction = axis.lines
        assert label.get_xdata().tolist() == prediction.get_xdata().tolist() == [3, 5, 8]
        np.testing.assert_array_equal(label.get_ydata(), own.labels[1:4, index])
        np.testing.assert_array_equal(prediction.get_ydata(), own.predictions[1:4, index])


def test_the_plane_has_the_labelled_frames_alone(saved):
    labels, predictions = [[0.51, -0.99], [0.51, -0.99], [np.nan, 0.3]], [[-0.01, 0.01], [1.7, 0.01], [0.9, 0.9]]
    paper_figures._histogram(row(), evaluation(video("a", labels, predictions)), Path("x.png"))
    # 40 bins from -1 to 1; what a network says beyond lies in the last one.
    of_labels, of_predictions = map(counted, saved[0].axes)
    assert np.argwhere(of_labels).tolist() == [[30, 0]]
    assert of_labels[30, 0] == 2
    assert np.argwhere(of_predictions).tolist() == [[19, 20], [39, 20]]


def test_utterances_have_one_label_each_and_count_only_with_one(saved, tmp_path):
    labels = {"a": [0.51, 0.26], "b": [-0.49, 0.76], "c": [np.nan, np.nan], "d": [0.01, 0.51], "e": [np.nan, np.nan]}
    splits = {"a": "train", "b": "train", "c": "train", "d": "validation", "e": "test"}
    make_corpus(
        tmp_path / "corpus",
        [{"frames": 3, "video": name, "split": splits[name], "labels": [labels[name]] * 3} for name in labels],
    )
    paper_figures._utterances(tmp_path / "corpus", Path("x.png"))
    (train, validation), (train_below, validation_below) = saved[0].axes[:2], saved[0].axes[2:]
    assert [axis.get_title() for axis in (train, validation)] == ["train, 2 utterances", "validation, 1 utterance"]
    assert np.argwhere(counted(train)).tolist() == [[10, 35], [30, 25]]
    assert np.argwhere(counted(validation)).tolist() == [[20, 30]]
    for axis, names in ((train_below, "ab"), (validation_below, "d")):
        (points,) = axis.lines
        np.testing.assert_allclose(points.get_xydata(), [labels[name] for name in names], atol=1e-6)


def test_two_rows_have_their_scores_on_validation_in_one_figure(saved, tmp_path):
    rows = []
    for place, scores in enumerate(([(5, 0.1, 0.4), (10, 0.3, 0.2)], [(5, None, None), (20, 0.5, 0.1)])):
        (tmp_path / f"{place}").mkdir()
        lines = [{"step": step, "ccc": {"mean": ccc}, "mse": {"mean": mse}} for step, ccc, mse in scores]
        (tmp_path / f"{place}" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows.append(row(tmp_path / f"{place}" / "report.json", place))
    paper_figures._training(rows, Path("x.png"))
    ccc, mse = saved[0].axes
    assert [line.get_label() for line in ccc.lines] == [ROWS[0].row, f"{ROWS[1].row} (rehearsal)"]
    np.testing.assert_array_equal(ccc.lines[0].get_xydata(), [[5, 0.1], [10, 0.3]])
    np.testing.assert_array_equal(mse.lines[1].get_xydata(), [[5, np.nan], [20, 0.1]])
    assert paper_figures._training([row(tmp_path / "none" / "report.json")], Path("x.png")) is None
