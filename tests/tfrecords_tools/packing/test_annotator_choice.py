"""Labels of single annotators in some splits: by name, or who is nearest to the landmarks."""

import numpy as np
import pytest

from tests.helpers.annotated_clips import annotate, two_annotated_clips
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.rater_comparison import select
from tfrecords_tools.cli import main
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.annotator_choice import parse
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns
from tfrecords_tools.study import delay_report, nearness
from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.writing import VideoWriter

NAMES = ("ann", "ben", "cleo")


@pytest.mark.parametrize(
    ("asked", "valence", "arousal"),
    [
        (["ann"], ("ann",), ("ann",)),
        (["ann", "cleo"], ("ann", "cleo"), ("ann", "cleo")),
        (["ann:valence", "ben:arousal", "cleo:arousal"], ("ann",), ("ben", "cleo")),
        (["nearest:valence"], ("nearest",), ()),
        (["nearest:valence", "ben:arousal"], ("nearest",), ("ben",)),
        (["nearest"], ("nearest",), ("nearest",)),
        ([], (), ()),
    ],
)
def test_entries_name_annotators_for_one_dimension_or_both(asked, valence, arousal):
    choice = parse(asked, NAMES)
    assert choice.names == {"valence": valence, "arousal": arousal}
    assert choice.one_for_both == (asked == ["nearest"])
    selected = {"valence": ["ben", "cleo"], "arousal": ["ann", "ben"]}
    assert choice.of_video("test", selected) == (("ben", "cleo"), ("ann", "ben"))
    assert choice.of_video("train", selected) == (valence or ("ben", "cleo"), arousal or ("ann", "ben"))
    assert choice.of_video("train", {}) == ((valence, arousal) if asked else ())
    assert choice.of_video("test", {}) == ()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["dora"], "`annotators` must be one of ann, ben, cleo, nearest. Received: dora"),
        (["ann:joy"], "must be one of valence, arousal. Received: joy"),
        (["ann", "ann:valence"], "each once for a dimension. Received: ann for valence again"),
        (["nearest", "ann:valence"], "must have nearest alone for a dimension. Received: nearest, ann"),
    ],
)
def test_what_is_no_choice_is_refused(asked, says):
    with pytest.raises(UserError, match=says.replace(".", r"\.")):
        parse(asked, NAMES)


def test_a_split_that_does_not_exist_and_annotators_of_a_dataset_without_any_are_refused():
    with pytest.raises(UserError, match="`annotator_splits` must be one of train, validation, test"):
        parse(["ann"], NAMES, ["dev"])
    with pytest.raises(UserError, match="must stay unset for a dataset without single annotators"):
        parse(["ann"], ())


@pytest.fixture(scope="module")
def annotated(sample_clips, tmp_path_factory):
    """Two clips of the sample with three raters, each of whom has a value of his own in each dimension."""

    def curve(number):
        return lambda time: 0.2 * number + 0.01 * number * np.sin(time)

    curves = {rater: curve(number) for number, rater in enumerate(NAMES, start=1)}
    return two_annotated_clips(sample_clips / "videos", tmp_path_factory.mktemp("rated"), curves)


def options(*annotators, splits=("train", "validation")):
    return PackOptions(find_model(), Aligner(32), annotators=annotators, annotator_splits=splits)


def labels_and_ratings(folder, split):
    packed = manifest.load(folder)
    (entry,) = packed.split(split)
    columns = read_columns(folder, entry, ["label", "annotators"], packed.fields)
    return columns["label"], columns["annotators"]


def test_the_test_split_keeps_the_datasets_own_label(annotated, tmp_path, capsys):
    folder = tmp_path / "packed"
    arguments = ["pack", "--layout=thesis", f"--source={annotated}", f"--output={folder}", "--size=32", "--workers=1"]
    assert main([*arguments, "--annotators=ben:valence,ann:arousal,ben:arousal"]) == 0
    assert (
        "labels: valence of train, validation: ben; arousal of train, validation: the mean of ann, ben; otherwise the "
        "dataset's own" in capsys.readouterr().out
    )
    label, ratings = labels_and_ratings(folder, "train")
    np.testing.assert_array_equal(label[:, 0], ratings[:, 1, 0])
    np.testing.assert_allclose(label[:, 1], ratings[:, :2, 1].mean(1), atol=1e-6)
    label, ratings = labels_and_ratings(folder, "test")
    np.testing.assert_allclose(label, ratings.mean(1), atol=1e-6)
    packed = manifest.load(folder)
    assert packed.annotators_chosen["train"] == {"valence": ["ben"], "arousal": ["ann", "ben"]}
    assert (packed.one_annotator("train"), packed.one_annotator("test")) == (False, False)
    assert main([*arguments, "--overwrite", "--annotators=cleo", "--annotator_splits=test"]) == 0
    assert (manifest.load(folder).one_annotator("train"), manifest.load(folder).one_annotator("test")) == (False, True)


def test_the_nearest_annotator_is_found_and_no_face_is_looked_for_twice(annotated, tmp_path, monkeypatch):
    folder, packings = tmp_path / "packed", []
    pack_video = jobs.pack_video
    monkeypatch.setattr(jobs, "pack_video", lambda *given: packings.append(given) or pack_video(*given))
    asked = []

    def ranked(corpus, splits):
        asked.append((manifest.load(corpus).annotators_chosen, splits))
        return {"nearest": {"valence": "cleo", "arousal": "ann", "both": "ben"}}

    monkeypatch.setattr(nearness, "of_corpus", ranked)
    packed = pack("thesis", annotated, folder, options("nearest:valence", "nearest:arousal"))
    assert asked == [({}, ("train", "validation"))]  # found where nothing was chosen
    assert len(packings) == 2  # one a video
    assert (packed.nearest, packed.one_annotator("train")) == (("valence", "arousal"), True)
    assert packed.annotators_chosen["train"] == {"valence": ["cleo"], "arousal": ["ann"]}
    assert "valence of train, validation: cleo, who is nearest to the landmarks" in packed.labelling
    assert manifest.load(folder) == packed
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]
    afresh = pack("thesis", annotated, tmp_path / "afresh", options("cleo:valence", "ann:arousal"))
    assert len(packings) == 4
    assert [entry.sha256 for entry in afresh.videos] == [entry.sha256 for entry in packed.videos]
    assert [entry.labelled_segments for entry in afresh.videos] == [entry.labelled_segments for entry in packed.videos]
    both = pack("thesis", annotated, folder, options("nearest"), overwrite=True)
    assert both.annotators_chosen["train"] == {"valence": ["ben"], "arousal": ["ben"]}


def test_delays_are_estimated_first_then_who_is_nearest_and_faces_are_found_once(annotated, tmp_path, monkeypatch):
    packings, asked = [], []
    pack_video = jobs.pack_video
    monkeypatch.setattr(jobs, "pack_video", lambda *given: packings.append(given) or pack_video(*given))
    # The clips are too short for either: the message says so, and the faces that were found are used again.
    with pytest.raises(UserError, match=r"for ann, ben, cleo: .*no face is looked for again"):
        pack("thesis", annotated, tmp_path / "packed", options("nearest"), delays="auto")
    with pytest.raises(UserError, match=r"more than 137 are needed\).*no face is looked for again"):
        pack("thesis", annotated, tmp_path / "packed", options("nearest"), delays={"ann": 0.5})
    assert len(packings) == 2  # one a video
    delays = {"ann": 0.1, "ben": 0.2, "cleo": 0.0}

    def estimated(corpus):
        asked.append(manifest.load(corpus).delays)
        return {}

    def ranked(corpus, splits):
        asked.append(manifest.load(corpus).delays)
        return {"nearest": {"valence": "cleo", "arousal": "ann", "both": "ben"}}

    monkeypatch.setattr(delay_report, "report", estimated)
    monkeypatch.setattr(delay_report, "chosen", lambda found: delays)
    monkeypatch.setattr(nearness, "of_corpus", ranked)
    packed = pack("thesis", annotated, tmp_path / "packed", options("nearest"), delays="auto")
    assert asked == [{}, delays]
    assert len(packings) == 2
    assert (packed.delays, packed.one_annotator("train")) == (delays, True)
    label, ratings = labels_and_ratings(tmp_path / "packed", "train")
    np.testing.assert_array_equal(label, ratings[:, 1])
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_a_selection_counts_where_no_annotator_is_chosen(annotated, tmp_path):
    first, second = sorted(path.stem for path in (annotated / "videos").rglob("*.mp4"))
    selected = tmp_path / "selected.csv"
    selected.write_text(f"video,annotators,dimension\n{first},ann;cleo,\n{second},ann;cleo,\n")
    pack("thesis", annotated, tmp_path / "packed", options("ben:valence"), selected=selected)
    label, ratings = labels_and_ratings(tmp_path / "packed", "train")
    np.testing.assert_array_equal(label[:, 0], ratings[:, 1, 0])
    np.testing.assert_allclose(label[:, 1], ratings[:, ::2, 1].mean(1), atol=1e-6)
    label, ratings = labels_and_ratings(tmp_path / "packed", "test")
    np.testing.assert_allclose(label, ratings[:, ::2].mean(1), atol=1e-6)


def test_two_persons_in_one_video_are_annotated_selected_and_packed_apart(sample_clips, tmp_path):
    clip = next((sample_clips / "videos" / "train").iterdir())
    (tmp_path / "videos").mkdir()
    with VideoWriter(tmp_path / "videos" / "duo.mp4", 25, (1280, 360)) as video:
        for frame in read_frames(clip, end=1.0):
            video.write(np.concatenate([frame.image, frame.image], axis=1))
    (tmp_path / "videos.csv").write_text("video,subject,gender,which\nduo,anna,female,left\nduo,ben,male,right\n")
    catalogue = Catalogue(tmp_path)
    assert [own.name for own in catalogue.clips.values()] == ["duo_left", "duo_right"]
    for rater, values in {"x": (0.2, -0.6), "y": (0.4, -0.2)}.items():
        for own, value in zip(catalogue.clips.values(), values, strict=True):
            annotate(catalogue, rater, own.name, lambda _, value=value: value)
    for own in catalogue.clips.values():
        for dimension in ("valence", "arousal"):
            select(catalogue, own, dimension, ["x", "y"])
    packed = pack("thesis", tmp_path, tmp_path / "packed", options(), selected=tmp_path / "selected.csv")
    assert [(entry.video, entry.subject, entry.gender) for entry in packed.videos] == [
        ("duo_left", "anna", "female"), ("duo_right", "ben", "male"),
    ]  # fmt: skip
    for entry, expected in zip(packed.videos, (0.3, -0.4), strict=True):
        label = read_columns(tmp_path / "packed", entry, ["label"], packed.fields)["label"]
        np.testing.assert_allclose(label, expected, atol=1e-6)
        assert (entry.width, entry.height, entry.container) == (1280, 360, "mp4")
