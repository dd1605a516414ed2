"""The report's plots: what is drawn, against NumPy; and that they are drawn whatever the predictions are."""

from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from PIL import Image

from affwildnet import plotting
from affwildnet.evaluation.reporting import curves, distributions, learning_curves, plots, segments
from affwildnet.evaluation.reporting.learning_curves import Progress
from tests.helpers.evaluations import by_definition, evaluation, expression_video, random_video, video
from tfrecords_tools.records.schema import EXPRESSIONS

PATHS = {name: f"{name}.png" for name in plots.CAPTIONS}


class Axis:
    """An axis that keeps what would be drawn."""

    def __init__(self):
        self.drawn = []

    def plot(self, *xy, **style):
        self.drawn.append((*xy, style))

    def set_ylim(self, *_):
        pass

    def grid(self, **_):
        pass


def colours_of(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
        assert min(image.size) > 300
        return len(image.convert("RGB").getcolors(1 << 24))


# Segments.


def test_the_highest_the_median_and_the_lowest_segment_are_chosen():
    rng = np.random.default_rng(0)
    split = evaluation(*(random_video(rng, f"v{i}", frames) for i, frames in enumerate((70, 29, 10, 41, 3))))
    split.videos[0].labels[5:12] = np.nan
    sizes = {"v0": [23, 23, 24], "v1": [29], "v2": [10], "v3": [20, 21], "v4": [3]}
    candidates = []
    for each in split.videos:
        first = 0
        for size in sizes[each.video]:
            keep = np.flatnonzero(each.labelled[first : first + size]) + first
            scores = by_definition(each.labels[keep], each.predictions[keep])["ccc"]
            candidates.append((scores["arousal"], each.video, first, first + size))
            first += size
    candidates.sort(reverse=True)
    assert len(candidates) == 8
    found = segments.chosen(split, 1, length=20)
    for name, place in (("highest", 0), ("median", 3), ("lowest", 7)):
        ccc, *where = candidates[place]
        segment = found[name]
        assert [segment.video.video, segment.first, segment.end] == where, name
        assert segment.ccc == pytest.approx(ccc, abs=1e-9)


def test_segments_leave_out_constant_labels_and_repeat_nothing():
    rng = np.random.default_rng(1)
    constant = random_video(rng, "constant", 8, labels=[0.2, 0.3])
    varied = [random_video(rng, f"v{i}", 8) for i in range(2)]
    assert segments.chosen(evaluation(constant), 0) == {}
    assert list(segments.chosen(evaluation(constant, varied[0]), 0)) == ["highest"]
    two = segments.chosen(evaluation(*varied), 0)
    assert {segment.video.video for segment in two.values()} == {"v0", "v1"}
    assert two["highest"].ccc >= two["lowest"].ccc
    assert not curves.segment_curves(evaluation(constant), "nowhere.png")


# Curves.


def test_bins_match_a_loop():
    values = np.random.default_rng(2).normal(size=103)
    x, low, middle, high = curves.binned(values, 10)
    edges = [103 * i // 10 for i in range(11)]
    for index, (start, end) in enumerate(pairwise(edges)):
        own = values[start:end]
        assert (low[index], high[index]) == (own.min(), own.max())
        assert middle[index] == pytest.approx(own.mean())
        assert x[index] == pytest.approx(np.mean(range(start + 1, end + 1)))
    for part in curves.binned(values, 1000)[1:]:
        np.testing.assert_array_equal(part, values)
    np.testing.assert_array_equal(curves.binned(values, 1000)[0], np.arange(1, 104))


def test_curves_break_where_frames_are_missing_and_show_frames_that_stand_alone():
    labels = np.random.default_rng(3).uniform(-1, 1, (5, 2))
    labels[3] = np.nan
    axis = Axis()
    curves._curve(axis, video("v", labels, np.nan_to_num(labels), frames=[1, 2, 5, 6, 7]), 0)
    (times, drawn, _), (alone_times, alone, style_of), (_, predictions, _) = axis.drawn
    np.testing.assert_allclose(times, [0, 1 / 30, np.nan, 4 / 30, 5 / 30, 6 / 30], rtol=1e-6)
    assert np.isnan(drawn).tolist() == [False, False, True, False, True, False]
    assert np.isnan(predictions).tolist() == [False, False, True, False, False, False]
    # The label of frame 5 has neither a neighbour before it nor, as that of 6 is missing, after it.
    np.testing.assert_allclose(alone, labels[[2, 4], 0], rtol=1e-6)
    np.testing.assert_allclose(alone_times, [4 / 30, 6 / 30], rtol=1e-6)
    assert style_of["marker"] == "."


def test_many_videos_are_drawn_up_to_a_number(monkeypatch):
    assert curves.MAX_CURVES == 12
    monkeypatch.setattr(curves, "MAX_CURVES", 2)
    monkeypatch.setattr(curves, "save", lambda figure, _: sizes.append((len(figure.axes), *figure.get_size_inches())))
    rng = np.random.default_rng(4)
    sizes = []
    for number in (1, 2, 3):
        curves.curves(evaluation(*(random_video(rng, f"v{i}", 3) for i in range(number))), None)
    assert sizes[0] < sizes[1] == sizes[2]
    assert sizes[2][0] == 4
    matplotlib.pyplot.close("all")


def test_a_long_split_is_drawn_with_its_range(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "BINS", 20)
    rng = np.random.default_rng(5)
    assert curves.split_curves(evaluation(random_video(rng, "a", 90), random_video(rng, "b", 31)), tmp_path / "s.png")
    assert colours_of(tmp_path / "s.png") > 20


# Distributions.


def test_mean_residuals_match_a_loop():
    rng = np.random.default_rng(6)
    labels, residual = rng.uniform(-1, 0.5, 200), rng.normal(size=200)
    x, y = distributions.binned_mean(labels, residual, bins=4)
    expected = []
    for low in (-1, -0.5, 0):
        own = (labels >= low) & (labels < low + 0.5)
        expected.append((labels[own].mean(), residual[own].mean()))
    np.testing.assert_allclose(np.transpose([x, y]), expected)


# Learning curves.

CCC = {"valence": 0.1, "arousal": 0.2, "mean": 0.15}


def drawn_by(monkeypatch, progress, other=None):
    """Return the lines of the learning curves: x and y by label."""
    kept = {}

    def keep(figure, _):
        for axis in figure.axes:
            for line in axis.lines:
                kept[f"{axis.get_ylabel()}, {line.get_label()}"] = (list(line.get_xdata()), list(line.get_ydata()))
        matplotlib.pyplot.close(figure)
        return True

    monkeypatch.setattr(learning_curves, "save", keep)
    assert learning_curves.training_curves(progress, None, other)
    return kept


def test_learning_curves_take_the_last_of_a_step_and_mark_the_checkpoint(monkeypatch):
    training = [{"step": step, "loss": loss} for step, loss in ((1, 0.9), (3, 0.5), (2, 0.7), (3, 0.4))]
    scored = [{"step": 2, "ccc": CCC}, {"step": 3, "passed_over": "truncated"}, {"step": 1, "ccc": CCC}]
    kept = drawn_by(monkeypatch, Progress(training, scored, 2))
    assert kept["loss, training"] == ([1, 2, 3], [0.9, 0.7, 0.4])
    assert kept["CCC, validation, arousal"] == ([1, 2], [0.2, 0.2])
    assert kept["CCC, this checkpoint: step 2"][0] == [2, 2]


def test_learning_curves_of_expressions_show_the_accuracy(monkeypatch):
    kept = drawn_by(monkeypatch, Progress(scored=[{"step": 5, "accuracy": {"fear": 0, "total": 0.3}}]))
    assert kept["accuracy, validation, total"] == ([5], [0.3])


def test_learning_curves_lie_over_each_other_and_beside_another_runs(monkeypatch):
    """Training and validation share a panel each of loss, CCC and MSE; lines of earlier versions have no loss there."""
    mse = dict.fromkeys(CCC, 0.3)
    training = [{"step": 1, "loss": 0.9, "ccc": {"mean": 0.1}, "mse": {"mean": 0.4}}, {"step": 2, "loss": 0.8}]
    scored = [{"step": 2, "loss": 0.7, "ccc": CCC, "mse": mse}, {"step": 4, "ccc": CCC, "mse": mse}]
    other = Progress([{"step": 3, "loss": 0.6}], [{"step": 3, "loss": 0.5, "ccc": CCC, "mse": mse}], name="older")
    kept = drawn_by(monkeypatch, Progress(training, scored), other)
    assert kept["loss, training"] == ([1, 2], [0.9, 0.8])
    assert kept["loss, validation"] == ([2], [0.7])
    assert kept["CCC, training, mean"] == ([1], [0.1])
    assert kept["MSE, training, mean"] == ([1], [0.4])
    assert kept["MSE, validation, mean"] == ([2, 4], [0.3, 0.3])
    assert kept["loss, older: training"] == ([3], [0.6])
    assert kept["CCC, older: validation, mean"] == ([3], [CCC["mean"]])


def test_a_long_training_is_drawn_as_means_of_neighbours(monkeypatch):
    training = [{"step": step, "loss": float(step % 2)} for step in range(1, 2 * learning_curves.POINTS + 1)]
    steps, losses = drawn_by(monkeypatch, Progress(training))["loss, training"]
    assert steps[0] == 1.5
    assert len(steps) == learning_curves.POINTS
    assert set(losses) == {0.5}


def test_there_are_no_learning_curves_without_a_log(tmp_path):
    progress = Progress(scored=[{"step": 3, "passed_over": "truncated"}], chosen=3)
    assert not learning_curves.training_curves(progress, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


# All of them.


def awkward():
    """A gap, a video without labels, names that matplotlib could read as mathematics, a prediction far out."""
    rng = np.random.default_rng(7)
    first = video("one $_$", rng.uniform(-1, 1, (5, 2)), rng.normal(size=(5, 2)) * 1.7, frames=[1, 2, 5, 6, 7])
    return evaluation(first, video("$x" * 40, np.full((2, 2), np.nan), [[1 / 3, 1e-9], [-1e7, 0.1]]))


SPLITS = {
    "awkward": (awkward, {"split", "segments", "curves", "histograms", "residuals", "training"}),
    "one frame": (
        lambda: evaluation(video("v", [[0.1, -0.2]], [[0.3, 0.2]])),
        {"split", "curves", "histograms", "residuals"},
    ),
    "expressions": (
        lambda: evaluation(
            expression_video("a", "fear", np.full((4, 7), 1 / 7)), expression_video("b", None, np.eye(7)[:1])
        ),
        {"probabilities", "training"},
    ),
}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("awkward", "one frame")]


@pytest.mark.parametrize("name", ["expressions", *SLOW])
def test_the_plots_of_a_split_are_drawn(name, tmp_path):
    split, expected = SPLITS[name]
    paths = {key: tmp_path / path for key, path in PATHS.items()}
    training = [{"step": 1, "loss": 0.5}] if "training" in expected else []
    found = plots.draw(split(), Progress(training, chosen=1), paths)
    assert set(found) == expected
    assert {path.name for path in tmp_path.iterdir()} == {PATHS[key] for key in expected}
    for path in found.values():
        assert colours_of(path) > 20  # something is drawn


def test_long_names_keep_their_beginning_and_end():
    assert plotting.elided("short") == "short"
    name = "begin" + "x" * 100 + "end"
    assert len(plotting.elided(name)) == plotting.NAME_LENGTH
    assert plotting.elided(name).startswith("beginxx")
    assert plotting.elided(name).endswith("xxend")
    assert plotting.elided("0123456789", 5) == "01…89"


def test_every_expression_has_its_own_colour_and_line():
    assert list(plotting.CLASSES) == list(EXPRESSIONS)
    assert len(set(plotting.CLASSES.values())) == len({colour for colour, _ in plotting.CLASSES.values()}) == 7
