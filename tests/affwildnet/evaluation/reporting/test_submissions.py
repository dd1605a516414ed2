"""Predictions as files: read back, they give the same numbers, and the same scores from the definitions."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import submissions
from affwildnet.evaluation.scoring import protocols
from affwildnet.experiments.config import EvaluationConfig
from tests.helpers.corpora import make_corpus
from tests.helpers.evaluations import (
    by_definition,
    evaluation,
    expression_video,
    random_utterances,
    random_video,
    video,
)
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import aff_wild2
from tfrecords_tools.records.schema import EXPRESSIONS

CONFIG = EvaluationConfig(sequence=4)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def awkward():
    """A gap, a missing label, a video with none, a name that CSV must quote, and numbers with many digits."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-1, 1, (5, 2))
    labels[3] = np.nan
    first = video("one", labels, rng.normal(size=(5, 2)) * 1.7, frames=[1, 2, 5, 6, 7])
    second = video('two,"2"', np.full((2, 2), np.nan), [[1 / 3, 1e-9], [-1e7 / 3, 0.1]], frames=[3, 4])
    return evaluation(first, second)


def test_the_frames_read_back_as_the_same_float32(awkward, tmp_path):
    assert submissions.write(awkward, "frames", tmp_path / "e.csv") == []
    rows = rows_of(tmp_path / "e.csv")
    assert list(rows[0]) == ["video", "frame", "time", "valence_label", "arousal_label", "valence", "arousal"]
    for each in awkward.videos:
        own = [row for row in rows if row["video"] == each.video]
        assert [int(row["frame"]) for row in own] == each.frames.tolist()
        for column, name in enumerate(("valence", "arousal")):
            np.testing.assert_array_equal(np.float32([row[name] for row in own]), each.predictions[:, column])
            labels = np.float32([row[f"{name}_label"] or "nan" for row in own])
            np.testing.assert_array_equal(labels, each.labels[:, column])
        np.testing.assert_allclose([float(row["time"]) for row in own], each.timestamps, atol=5e-5)
    assert len(rows) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]


def test_scores_are_those_of_the_written_frames(tmp_path):
    rng = np.random.default_rng(1)
    split = evaluation(*(random_video(rng, f"v{i}", frames) for i, frames in enumerate((40, 7, 90))))
    submissions.write(split, "frames", tmp_path / "e.csv")
    rows = rows_of(tmp_path / "e.csv")
    labels, predictions = (
        [[np.float32(row[name]) for name in names] for row in rows]
        for names in (("valence_label", "arousal_label"), ("valence", "arousal"))
    )
    scores = protocols.score(split, "frames", CONFIG, resamples=0).scores
    for metric, values in by_definition(labels, predictions).items():
        assert scores[metric] == pytest.approx(values, abs=1e-12), metric


def test_expressions_are_written_by_name(tmp_path):
    probabilities = np.random.default_rng(2).dirichlet(np.ones(7), 3)
    split = evaluation(expression_video("a", "fear", probabilities), expression_video("b", None, probabilities[:1]))
    submissions.write(split, "frames", tmp_path / "e.csv")
    rows = rows_of(tmp_path / "e.csv")
    assert list(rows[0]) == ["video", "frame", "time", "label", *EXPRESSIONS]
    assert [row["label"] for row in rows] == ["fear", "fear", "fear", ""]
    np.testing.assert_array_equal(
        np.float32([[row[name] for name in EXPRESSIONS] for row in rows[:3]]), probabilities.astype(np.float32)
    )
    with pytest.raises(UserError, match=r"aff_wild2 is for valence and arousal\. Received: probabilities"):
        submissions.write(split, "aff_wild2", tmp_path / "p")


# Aff-Wild2.

GAPS = [3, 4, 5, 8]


@pytest.fixture
def packed(tmp_path):
    """A corpus of two test videos, and predictions for it: one of frames 3, 4, 5 and 8, one whole."""
    videos = [{"frames": GAPS, "video": "gaps", "split": "test"}, {"frames": 5, "video": "whole", "split": "test"}]
    make_corpus(tmp_path / "packed", videos)
    rng = np.random.default_rng(3)
    split = evaluation(
        video("gaps", rng.uniform(-1, 1, (4, 2)), rng.uniform(-1, 1, (4, 2)), frames=GAPS),
        video("whole", rng.uniform(-1, 1, (5, 2)), rng.uniform(-1, 1, (5, 2))),
        split="test",
    )
    return split, Corpus.open(tmp_path / "packed", "test")


def with_entry(corpus, **fields):
    """The corpus with other fields of its first video's entry."""
    entries = (replace(corpus.videos[0], **fields), *corpus.videos[1:])
    return replace(corpus, manifest=replace(corpus.manifest, videos=entries), videos=entries)


def test_aff_wild2_has_a_row_for_each_frame_and_its_mark_where_there_is_none(packed, tmp_path):
    split, corpus = packed
    corpus = with_entry(corpus, frames_decoded=10)
    folder = tmp_path / "annotations/VA_Set/Validation_Set"
    remarks = submissions.write(split, "aff_wild2", folder, corpus)
    assert sorted(path.name for path in folder.iterdir()) == ["gaps.txt", "whole.txt"]
    lines = (folder / "gaps.txt").read_text().split("\n")
    assert lines[0] == "valence,arousal"
    assert len(lines) == 1 + 10 + 1
    assert lines[-1] == ""
    assert [number for number, line in enumerate(lines[1:-1], start=1) if line != "-5,-5"] == GAPS
    np.testing.assert_array_equal(np.float32(lines[3].split(",")), split.videos[0].predictions[0])
    np.testing.assert_array_equal(np.float32(lines[8].split(",")), split.videos[0].predictions[3])
    assert remarks == ["6 frames without a prediction: -5,-5"]
    # The benchmark's own annotations have this form: their reader finds the same numbers.
    for name in ("gaps", "whole"):
        crops = tmp_path / "cropped_aligned" / name
        crops.mkdir(parents=True)
        (crops / "00001.jpg").write_bytes(b"")
    sources, left_out = aff_wild2.find_videos(tmp_path)
    assert left_out == []
    values = {source.video: source.read_labels().values for source in sources}
    np.testing.assert_array_equal(np.isfinite(values["gaps"]).all(axis=1).nonzero()[0] + 1, GAPS)
    np.testing.assert_array_equal(values["gaps"][np.array(GAPS) - 1], split.videos[0].predictions)
    np.testing.assert_array_equal(values["whole"], split.videos[1].predictions)


def test_aff_wild2_says_where_frames_after_the_last_face_are_not_known(packed, tmp_path):
    split, corpus = packed
    remarks = submissions.write(split, "aff_wild2", tmp_path / "p", with_entry(corpus, frames_decoded=4))
    assert len((tmp_path / "p/gaps.txt").read_text().splitlines()) == 1 + 8
    assert "1 video not decoded to the end in packing" in remarks[1]


def test_aff_wild2_is_written_again_but_over_nothing_else(packed, tmp_path):
    split, corpus = packed
    for _ in range(2):
        submissions.write(split, "aff_wild2", tmp_path / "p", corpus)
    (tmp_path / "p/notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"must hold only the files of this split\. Received: notes\.txt"):
        submissions.write(split, "aff_wild2", tmp_path / "p", corpus)
    assert (tmp_path / "p/notes.txt").read_text() == "mine"


def test_aff_wild2_needs_the_source_videos_frames(packed, tmp_path):
    split, corpus = packed
    resampled = replace(corpus, manifest=replace(corpus.manifest, fps=25.0))
    with pytest.raises(UserError, match=r"packed at 25 frames per second\. Pack it without --fps"):
        submissions.write(split, "aff_wild2", tmp_path / "p", resampled)


def test_aff_wild2_names_a_video_that_cannot_be_a_file(packed, tmp_path):
    split, corpus = packed
    named = replace(split, videos=(replace(split.videos[0], video="a/b"), split.videos[1]))
    with pytest.raises(UserError, match=r"Received: a/b\.txt"):
        submissions.write(named, "aff_wild2", tmp_path / "p", with_entry(corpus, video="a/b"))
    assert not (tmp_path / "p").exists()


def test_image_location_names_each_frame_with_a_face(packed, tmp_path):
    split, _ = packed
    remarks = submissions.write(split, "image_location", tmp_path / "p.csv")
    rows = rows_of(tmp_path / "p.csv")
    assert list(rows[0]) == ["image_location", "valence", "arousal"]
    names = [f"gaps/0000{frame}.jpg" for frame in GAPS] + [f"whole/0000{frame}.jpg" for frame in range(1, 6)]
    assert [row["image_location"] for row in rows] == names
    predictions = np.concatenate([each.predictions for each in split.videos])
    np.testing.assert_array_equal(np.float32([[row["valence"], row["arousal"]] for row in rows]), predictions)
    assert remarks == ["frames without a face have no row"]
    split.videos[0].predictions[1] = [0.3, -1.5]
    remarks = submissions.write(split, "image_location", tmp_path / "p.csv")
    assert remarks[1] == "1 prediction outside [-1, 1], the range of the labels, written as predicted"
    assert rows_of(tmp_path / "p.csv")[1]["arousal"] == "-1.5"


# OMG-Emotion.


def test_omg_has_a_line_per_utterance_with_arousal_first(tmp_path):
    split = random_utterances(np.random.default_rng(4), [[3, 9], [5, 4, 10]])
    submissions.write(split, "omg", tmp_path / "p.csv", config=CONFIG)
    rows = rows_of(tmp_path / "p.csv")
    assert list(rows[0]) == ["video", "utterance", "arousal", "valence"]
    assert [(row["video"], row["utterance"]) for row in rows] == [
        *(("s0", f"utterance_{number}.mp4") for number in (1, 2)),
        *(("s1", f"utterance_{number}.mp4") for number in (1, 2, 3)),
    ]
    labels, predictions = [], []
    for each, row in zip(split.videos, rows, strict=True):
        sequences = [each.predictions[start : start + 4].astype(float) for start in range(0, len(each.frames), 4)]
        expected = np.mean([np.median(sequence, axis=0) for sequence in sequences], axis=0)
        predictions.append([float(row["valence"]), float(row["arousal"])])
        np.testing.assert_allclose(predictions[-1], expected, rtol=1e-12)
        labels.append(each.labels[0])
    scores = protocols.score(split, "utterances", CONFIG, resamples=0).scores
    assert scores["ccc"] == pytest.approx(by_definition(labels, predictions)["ccc"], abs=1e-12)


@pytest.mark.parametrize("name", ["101", "utterance_3", "a_utterance_x", "a_utterance_3_left"])
def test_omg_needs_names_with_utterances(name, tmp_path):
    with pytest.raises(UserError, match=f"named <video>_utterance_<number>.* Received: {name}"):
        submissions.write(evaluation(video(name, [[0, 0]], [[0, 0]])), "omg", tmp_path / "p.csv", config=CONFIG)
    assert not (tmp_path / "p.csv").exists()


def test_an_unknown_format_is_named_with_the_nearest(awkward, tmp_path):
    with pytest.raises(UserError, match=r"one of frames, aff_wild2, image_location, omg.*Did you mean aff_wild2\?"):
        submissions.write(awkward, "affwild2", tmp_path / "p")


def test_a_name_that_a_spreadsheet_would_compute_is_quoted_for_people_and_exact_for_a_challenge(tmp_path):
    predicted = evaluation(video("=1+1", [[0.1, 0.2]], [[-0.5, 0.5]], frames=[1]))
    submissions.write(predicted, "frames", tmp_path / "e.csv")
    assert (rows_of(tmp_path / "e.csv")[0]["video"], rows_of(tmp_path / "e.csv")[0]["valence"]) == ("'=1+1", "-0.5")
    submissions.write(predicted, "image_location", tmp_path / "i.csv")
    assert rows_of(tmp_path / "i.csv")[0]["image_location"] == "=1+1/00001.jpg"
