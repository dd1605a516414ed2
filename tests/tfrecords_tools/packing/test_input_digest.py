"""A job's digest changes with every input that decides a video's records, and with nothing else."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.records import schema

LABELS = {
    "values": np.zeros((2, 2), np.float32),
    "times": np.array([0.0, 0.5]),
    "annotators": np.zeros((2, 2, 2), np.float32),
    "expression": np.array([1, 2]),
}
FACES = {"boxes": {1: Box(0, 0, 4, 4), 2: Box(1, 0, 5, 4)}, "landmarks": {1: np.zeros((68, 2), np.float32)}}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for name in ("0.png", "1.png"):
        (folder / name).write_text(f"image {name}")
    return VideoSource(
        "v", "train", "anna", folder, partial(Labels, **LABELS), partial(Faces, **FACES), ("ben", "cleo"), True,
        "longest", False, 1.0, 2.0, 25.0, 0,
    )  # fmt: skip


@pytest.fixture
def options(tmp_path):
    (tmp_path / "yunet.onnx").write_text("a network")
    return PackOptions(tmp_path / "landmarks.dat", Aligner(32), detector="yunet", yunet_model=tmp_path / "yunet.onnx")


# Another value of each field that decides the records; the others are named below them.
OF_SOURCE = {
    "video": "w", "subject": "bea", "annotators": ("ben", "dora"), "expression": False, "which": "left",
    "cropped": True, "start": 1.5, "end": None, "fps": 30.0, "first": 1,
}  # fmt: skip
OF_OPTIONS = {
    "aligner": Aligner(32, margin=0.2), "upsample": 1, "length_tolerance": 2, "every": 5, "fps": 30.0, "detect": True,
    "detector": "blaze", "landmarks": "mesh", "yunet_model": None,
    "chosen": (("ben", "cleo"), ("cleo",)), "delays": (("ben", 1.5),),
    "max_hole": 2.0,
}  # fmt: skip
OF_ALIGNER = {"size": 64, "alignment": "procrustes", "margin": 0.3}
OF_LABELS = {
    "values": np.float32([[0, 0], [0, 0.5]]),
    "times": np.array([0.0, 0.6]),
    "annotators": np.float32(np.arange(8).reshape(2, 2, 2)),
    "expression": np.array([1, 3]),
}
OF_FACES = {
    "boxes": {1: Box(0, 0, 4, 4), 2: Box(1, 0, 5, 5)},
    "landmarks": {1: np.ones((68, 2), np.float32)},
}


def names(kind, *others):
    return {field.name for field in dataclasses.fields(kind)} - set(others)


def test_every_field_is_tested_here():
    assert set(OF_SOURCE) == names(
        VideoSource, "path", "split", "read_labels", "read_faces", "resampled", "gender", "frames"
    )
    assert set(OF_OPTIONS) == names(PackOptions, "landmark_model", "annotators", "annotator_splits")
    assert set(OF_ALIGNER) == names(Aligner)
    assert set(OF_LABELS) == names(Labels)
    assert set(OF_FACES) == names(Faces)


@pytest.mark.parametrize("name", OF_SOURCE)
def test_a_field_of_the_source_changes_it(source, options, name):
    other = dataclasses.replace(source, **{name: OF_SOURCE[name]})
    assert jobs.input_digest(other, options) != jobs.input_digest(source, options)


@pytest.mark.parametrize("name", OF_OPTIONS)
def test_an_option_changes_it(source, options, name):
    other = dataclasses.replace(options, **{name: OF_OPTIONS[name]})
    assert jobs.input_digest(source, other) != jobs.input_digest(source, options)


@pytest.mark.parametrize("name", OF_ALIGNER)
def test_the_way_of_cutting_out_changes_it(source, options, name):
    other = dataclasses.replace(options, aligner=dataclasses.replace(options.aligner, **{name: OF_ALIGNER[name]}))
    assert jobs.input_digest(source, other) != jobs.input_digest(source, options)


@pytest.mark.parametrize("value", ["other", None])
@pytest.mark.parametrize("name", OF_LABELS)
def test_labels_change_it(source, options, name, value):
    labels = {**LABELS, name: OF_LABELS[name] if value else None}
    if labels["values"] is None:
        labels["values"] = np.zeros((0, 2), np.float32)
    other = dataclasses.replace(source, read_labels=partial(Labels, **labels))
    assert jobs.input_digest(other, options) != jobs.input_digest(source, options)


@pytest.mark.parametrize("name", OF_FACES)
def test_faces_of_the_dataset_change_it(source, options, name):
    for faces in ({**FACES, name: OF_FACES[name]}, {**FACES, name: {}}, {**FACES, name: moved(FACES[name])}):
        other = dataclasses.replace(source, read_faces=partial(Faces, **faces))
        assert jobs.input_digest(other, options) != jobs.input_digest(source, options)
    without = dataclasses.replace(source, read_faces=None)
    assert jobs.input_digest(without, options) != jobs.input_digest(source, options)


def moved(by_frame):
    """The same, a frame later."""
    return {frame + 1: value for frame, value in by_frame.items()}


def other_image(folder):
    (folder / "1.png").write_text("another image")


def renamed_image(folder):
    (folder / "1.png").rename(folder / "2.png")


def one_image_more(folder):
    (folder / "2.png").write_text("image 2.png")


@pytest.mark.parametrize("change", [other_image, renamed_image, one_image_more])
def test_the_images_and_their_names_change_it(source, options, change):
    before = jobs.input_digest(source, options)
    change(source.path)
    assert jobs.input_digest(source, options) != before


def test_the_bytes_of_a_video_file_change_it(source, options, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"a video")
    before = jobs.input_digest(dataclasses.replace(source, path=path), options)
    path.write_bytes(b"b video")
    assert jobs.input_digest(dataclasses.replace(source, path=path), options) != before


@pytest.mark.parametrize(
    ("module", "name"),
    [(jobs, "MODEL_SHA256"), (jobs, "PACKING_VERSION"), (schema, "RECORD_VERSION"), (schema, "JPEG_QUALITY")],
)
def test_models_and_versions_change_it(source, options, monkeypatch, module, name):
    before = jobs.input_digest(source, options)
    monkeypatch.setattr(module, name, "another")
    assert jobs.input_digest(source, options) != before


def test_the_content_of_the_face_model_changes_it(source, options):
    before = jobs.input_digest(source, options)
    options.yunet_model.write_text("another network")
    assert jobs.input_digest(source, options) != before


def test_places_and_the_split_do_not_change_it(source, options, tmp_path):
    before = jobs.input_digest(source, options)
    folder = source.path.rename(tmp_path / "elsewhere")
    model = options.yunet_model.rename(tmp_path / "renamed.onnx")
    other = dataclasses.replace(source, path=folder, split="test")
    elsewhere = dataclasses.replace(options, landmark_model=tmp_path / "other.dat", yunet_model=model)
    assert jobs.input_digest(other, elsewhere) == before


def test_a_file_keeps_its_digest_under_another_name(source, options, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"a video")
    before = jobs.input_digest(dataclasses.replace(source, path=path), options)
    renamed = path.rename(tmp_path / "renamed.mp4")
    assert jobs.input_digest(dataclasses.replace(source, path=renamed), options) == before
