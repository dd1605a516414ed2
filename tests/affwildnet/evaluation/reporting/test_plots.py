"""The report's plots: what is drawn, against NumPy; and that they are drawn whatever the predictions are."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from affwildnet import plotting
from affwildnet.evaluation.reporting import curves, distributions, learning_curves, plots, segments
from affwildnet.evaluation.reporting.learning_curves import Progress
from tests.helpers.evaluations import by_definition, evaluation, expression_video, random_video, video
from tfrecords_tools.records.schema import EXPRESSIONS


class Axis:
    """An axis that keeps what would be drawn."""

    def __init__(self):
        self.drawn, self.filled = [], []

    def plot(self, *xy, **style):
        self.drawn.append((*xy, style))

    def fill_between(self, *xy, **style):
        self.filled.append((*xy, style))

    def set_ylim(self, *_):
        pass

    def set_yticks(self, *_):
        pass

    def grid(self, **_):
        pass


def colours_of(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
        assert min(image.size) > 250
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
    assert curves.segment_curves(evaluation(constant)) is None


# Curves.


def test_parts_of_a_time_match_a_loop():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 1, 200)).astype(np.float32)
    times[120:] += 40  # parts without a frame
    values = np.where(rng.random(200) < 0.1, np.nan, rng.normal(size=200))
    centres, *found = curves.by_time(times, values, 30)
    edges = np.linspace(times[0], times[-1], 31)
    for part, (low, high) in enumerate(pairwise(edges)):
        inside = (times >= low) & ((times < high) | (part == 29)) & np.isfinite(values)
        own = values[inside]
        expected = [own.min(), own.mean(), own.max()] if len(own) else [np.nan] * 3
        np.testing.assert_allclose([each[part] for each in found], expected)
        assert centres[part] == pytest.approx((low + high) / 2)


def test_frames_of_one_time_are_one_part():
    values = np.array([0.5, -0.5, 0.3])
    _, *found = curves.by_time(np.full(3, 2.0, np.float32), values, 4)
    np.testing.assert_allclose([each[0] for each in found], [-0.5, 0.1, 0.5])
    assert np.isnan([each[1:] for each in found]).all()


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


def test_a_long_video_is_drawn_with_its_range_and_its_gap(monkeypatch):
    monkeypatch.setattr(curves, "LONGEST_WHOLE", 40)
    monkeypatch.setattr(curves, "PARTS", 10)
    rng = np.random.default_rng(8)
    frames = np.concatenate([np.arange(1, 41), np.arange(81, 101)])  # of ten parts the fifth to the eighth are missing
    labels, predictions = rng.uniform(-1, 1, (2, 60, 2))
    labels[:3] = np.nan
    one = video("v", labels, predictions, frames=frames)
    axis = Axis()
    curves._curve(axis, one, 1)
    for (x, low, high, _), (_, middle, style), values in zip(
        axis.filled, axis.drawn, (one.labels[:, 1], one.predictions[:, 1]), strict=True
    ):
        assert style["linestyle"] == "-"
        assert np.isnan(middle).tolist() == [False] * 4 + [True] * 4 + [False] * 2
        for part in np.flatnonzero(np.isfinite(middle)):
            first, last = one.timestamps[0], one.timestamps[-1]
            edges = first + (last - first) * np.array([part, part + 1]) / 10
            inside = (one.timestamps >= edges[0]) & ((one.timestamps < edges[1]) | (part == 9))
            own = values[inside & np.isfinite(values)]
            assert (low[part], high[part]) == (own.min(), own.max())
            assert middle[part] == pytest.approx(own.mean(), abs=1e-6)
            assert x[part] == pytest.approx(edges.mean(), abs=1e-6)


@pytest.mark.parametrize(("draw", "columns"), [(curves.curves, 2), (curves.probabilities, 1)])
def test_many_videos_are_drawn_up_to_a_number(draw, columns, monkeypatch):
    assert curves.MAX_CURVES == 12
    monkeypatch.setattr(curves, "MAX_CURVES", 2)
    rng = np.random.default_rng(4)
    videos = [random_video(rng, f"v{i}", 3) for i in range(3)]
    if draw is curves.probabilities:
        videos = [expression_video(f"v{i}", EXPRESSIONS[i], rng.dirichlet(np.ones(7), 3)) for i in range(3)]
    sizes = []
    for number in (1, 2, 3):
        figure = draw(evaluation(*videos[:number]))
        sizes.append((len(figure.axes), *figure.get_size_inches()))
        assert [text.get_text() for text in figure.texts] == (["The first 2 of 3 videos"] if number == 3 else [])
    assert sizes[0] < sizes[1] == sizes[2]
    assert sizes[2][0] == 2 * columns


def test_a_long_split_is_drawn_with_its_range(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "BINS", 20)
    rng = np.random.default_rng(5)
    figure = curves.split_curves(evaluation(random_video(rng, "a", 90), random_video(rng, "b", 31)))
    plotting.save(figure, tmp_path / "s.png")
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


def drawn_by(progress, other=None):
    """Return the lines of the learning curves: x and y by label."""
    return {
        f"{axis.get_ylabel()}, {line.get_label()}": (list(line.get_xdata()), list(line.get_ydata()))
        for axis in learning_curves.training_curves(progress, other).axes
        for line in axis.lines
    }


def test_learning_curves_take_the_last_of_a_step_and_mark_the_checkpoint():
    training = [{"step": step, "loss": loss} for step, loss in ((1, 0.9), (3, 0.5), (2, 0.7), (3, 0.4))]
    scored = [{"step": 2, "ccc": CCC}, {"step": 3, "passed_over": "truncated"}, {"step": 1, "ccc": CCC}]
    kept = drawn_by(Progress(training, scored, 2))
    assert kept["loss, training"] == ([1, 2, 3], [0.9, 0.7, 0.4])
    assert kept["CCC, validation, arousal"] == ([1, 2], [0.2, 0.2])
    assert kept["CCC, this checkpoint: step 2"][0] == [2, 2]


def test_learning_curves_of_expressions_show_the_accuracy():
    kept = drawn_by(Progress(scored=[{"step": 5, "accuracy": {"fear": 0, "total": 0.3}}]))
    assert kept["accuracy, validation, total"] == ([5], [0.3])


def test_learning_curves_lie_over_each_other_and_beside_another_runs():
    """Training and validation share a panel each of loss, CCC and MSE; lines of earlier versions have no loss there."""
    mse = dict.fromkeys(CCC, 0.3)
    training = [{"step": 1, "loss": 0.9, "ccc": {"mean": 0.1}, "mse": {"mean": 0.4}}, {"step": 2, "loss": 0.8}]
    scored = [{"step": 2, "loss": 0.7, "ccc": CCC, "mse": mse}, {"step": 4, "ccc": CCC, "mse": mse}]
    other = Progress([{"step": 3, "loss": 0.6}], [{"step": 3, "loss": 0.5, "ccc": CCC, "mse": mse}], name="older")
    kept = drawn_by(Progress(training, scored), other)
    assert kept["loss, training"] == ([1, 2], [0.9, 0.8])
    assert kept["loss, validation"] == ([2], [0.7])
    assert kept["CCC, training, mean"] == ([1], [0.1])
    assert kept["MSE, training, mean"] == ([1], [0.4])
    assert kept["MSE, validation, mean"] == ([2, 4], [0.3, 0.3])
    assert kept["loss, older: training"] == ([3], [0.6])
    assert kept["CCC, older: validation, mean"] == ([3], [CCC["mean"]])


def test_a_long_training_is_drawn_as_means_of_neighbours():
    training = [{"step": step, "loss": float(step % 2)} for step in range(1, 2 * learning_curves.POINTS + 1)]
    steps, losses = drawn_by(Progress(training))["loss, training"]
    assert steps[0] == 1.5
    assert len(steps) == learning_curves.POINTS
    assert set(losses) == {0.5}


def test_there_are_no_learning_curves_without_a_log():
    progress = Progress(scored=[{"step": 3, "passed_over": "truncated"}], chosen=3)
    assert learning_curves.training_curves(progress) is None


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


@pytest.mark.parametrize("name", SPLITS)
def test_the_plots_of_a_split_are_drawn(name, tmp_path):
    split, expected = SPLITS[name]
    progress = Progress([{"step": 1, "loss": 0.5}] if "training" in expected else [], chosen=1)
    with plots.Plots(split(), progress) as begun:
        found = begun.drawn()
    assert set(found) == expected
    for key, file in found.items():
        (tmp_path / key).write_bytes(file)
        assert colours_of(tmp_path / key) > 20  # something is drawn
    # The bytes are those of a drawing in the caller's own thread.
    key, draw = ("probabilities", curves.probabilities) if name == "expressions" else ("curves", curves.curves)
    assert plotting.png(draw(split())) == found[key]


def begin(monkeypatch, *drawings):
    named = {str(number): draw for number, draw in enumerate(drawings)}
    monkeypatch.setattr(plots, "_drawings", lambda *_: named)
    return plots.Plots(None, Progress())


def test_plots_are_drawn_while_the_caller_goes_on(monkeypatch):
    goes_on = threading.Event()
    with begin(monkeypatch, lambda: None if goes_on.wait(20) else 1 / 0) as begun:
        goes_on.set()
        assert begun.drawn() == {}


def test_the_error_of_a_drawing_comes_out_and_ends_the_others(monkeypatch):
    drawn = []
    with pytest.raises(ZeroDivisionError), begin(monkeypatch, lambda: 1 / 0, lambda: drawn.append(1)) as begun:
        begun.drawn()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("plots")]


def test_whoever_is_interrupted_waits_for_one_drawing_only(monkeypatch):
    began, ends, drawn = threading.Event(), threading.Event(), []

    def first():
        began.set()
        ends.wait(20)
        drawn.append("first")

    def interrupted():
        with begin(monkeypatch, first, lambda: drawn.append("second")):
            began.wait(20)
            threading.Timer(0.2, ends.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert drawn == ["first"]


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
