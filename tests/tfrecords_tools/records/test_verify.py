"""Every damage to a packed corpus is named, with file and record."""

import dataclasses
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.corpora import make_corpus, write_version_1
from tests.helpers.raters import make_rated_corpus
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.records import manifest, packed_corpus
from tfrecords_tools.records.upgrade import upgrade
from tfrecords_tools.records.verify import verify

VIDEOS = [
    {"frames": 12},
    {"frames": [1, 2, 3, 7, 8], "unlabelled": [3, 8]},
    {"frames": 6, "split": "validation"},
    {"frames": 4, "split": "test", "unlabelled": range(1, 5)},
]
FIRST = "tiny-train.tfrecord-00000-of-00002"
SECOND = "tiny-train.tfrecord-00001-of-00002"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    make_corpus(folder, VIDEOS)
    return folder


@pytest.fixture
def corpus(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "corpus")


def changed(corpus, index, rows=None, **fields):
    """Write the manifest with other fields, or rows of the index, of one video."""
    packed = manifest.load(corpus)
    videos = list(packed.videos)
    if rows is not None:
        fields["index"] = rows(videos[index].index.copy())
    videos[index] = dataclasses.replace(videos[index], **fields)
    manifest.save(dataclasses.replace(packed, videos=tuple(videos)), corpus)


def rewritten(corpus, change, index=0):
    """Rewrite the records of one video after `change(list of tf.train.Example)`, and the manifest to match."""
    entry = manifest.load(corpus).videos[index]
    path = corpus / entry.file
    examples = [tf.train.Example.FromString(d.numpy()) for d in tf.data.TFRecordDataset(str(path), buffer_size=1 << 18)]
    change(examples)
    data = [example.SerializeToString(deterministic=True) for example in examples]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in data:
            writer.write(record)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sizes = [len(record) + 16 for record in data]
    changed(corpus, index, with_column("offset", np.cumsum([0, *sizes[:-1]])), sha256=digest, file_bytes=sum(sizes))


def with_column(name, values, at=...):
    """A change of rows of the index."""

    def change(rows):
        rows[name][at] = values
        rows["labelled"] = np.isfinite(rows["label"]).all(axis=1)
        return rows

    return change


def test_a_whole_corpus_passes(whole):
    assert verify(whole) == []


def test_rewriting_alone_is_no_damage(corpus):
    rewritten(corpus, lambda examples: None)
    assert verify(corpus) == []


@pytest.mark.parametrize("record", [0, 5, 11])
def test_a_flipped_bit_is_named_with_file_and_record(corpus, record):
    entry = manifest.load(corpus).videos[0]
    data = bytearray((corpus / FIRST).read_bytes())
    data[entry.offsets[record] + entry.record_bytes[record] // 2] ^= 4
    (corpus / FIRST).write_bytes(data)
    problems = verify(corpus)
    assert f"{FIRST} (train, v0): its sha256 is not the one in the manifest" in problems
    assert f"{FIRST} (train, v0): record {record + 1}: corrupt or cut off; nothing after it can be read" in problems
    assert all(problem.startswith(FIRST) for problem in problems)


@pytest.mark.parametrize("left", [0, 20, 1000, -1])
def test_a_truncated_file_is_named(corpus, left):
    data = (corpus / FIRST).read_bytes()
    (corpus / FIRST).write_bytes(data[:left])
    problems = verify(corpus)
    assert all(problem.startswith(f"{FIRST} (train, v0): ") for problem in problems)
    assert any("sha256" in problem for problem in problems)
    assert any(re.search(r"\d+ records, the manifest says 12", problem) for problem in problems)
    if left:
        assert any(re.search(rf"record {12 if left == -1 else 1}: corrupt or cut off", p) for p in problems)


def test_a_file_that_ends_between_two_records_is_named(corpus):
    entry = manifest.load(corpus).videos[0]
    (corpus / FIRST).write_bytes((corpus / FIRST).read_bytes()[: entry.offsets[7]])
    assert f"{FIRST} (train, v0): 7 records, the manifest says 12" in verify(corpus)


def test_a_missing_file_is_named(corpus):
    (corpus / SECOND).unlink()
    assert verify(corpus) == [f"{SECOND} (train, v1): the file is missing"]


def test_a_file_that_the_manifest_lacks_is_named(corpus):
    shutil.copy(corpus / FIRST, corpus / "tiny-train.tfrecord-00002-of-00003")
    assert verify(corpus) == ["tiny-train.tfrecord-00002-of-00003: not in manifest.json"]


def test_two_files_exchanged_are_named(corpus):
    (corpus / FIRST).rename(corpus / "x")
    (corpus / SECOND).rename(corpus / FIRST)
    (corpus / "x").rename(corpus / SECOND)
    problems = verify(corpus)
    assert f"{FIRST} (train, v0): record 1: belongs to the video v1, the manifest says v0" in problems
    assert f"{SECOND} (train, v1): record 12: belongs to the video v0, the manifest says v1" in problems


@pytest.mark.parametrize(
    ("index", "fields", "problem"),
    [
        (0, {"rows": with_column("frame", np.arange(2, 14))}, "the frame numbers are not those of the manifest"),
        (1, {"rows": with_column("frame", 4, at=2)}, "the frame numbers are not those of the manifest"),
        (0, {"rows": lambda rows: rows[:11]}, "12 records, the manifest says 11"),
        (1, {"rows": with_column("label", 0.5, at=2)}, "the labelled frames are not those of the manifest"),
        (3, {"rows": with_column("label", 0.5)}, "the labelled frames are not those of the manifest"),
        (1, {"rows": with_column("label", np.nan, at=3)}, "the labelled frames are not those of the manifest"),
        (0, {"rows": with_column("label", 0.5, at=3)}, "the labels are not those of the index"),
        (2, {"rows": with_column("expression", 3, at=5)}, "the expressions are not those of the index"),
        (0, {"sha256": "0" * 64}, "its sha256 is not the one in the manifest"),
        (
            2,
            {"rows": with_column("offset", np.arange(6) * 100)},
            "the sizes of the records are not those of the manifest",
        ),
        (2, {"video": "other"}, "record 1: belongs to the video v2, the manifest says other"),
        (2, {"subject": "other"}, "record 6: shows the subject v2, the manifest says other"),
    ],
)
def test_a_manifest_that_differs_from_the_records_is_named(corpus, index, fields, problem):
    changed(corpus, index, **fields)
    entry = manifest.load(corpus).videos[index]
    problems = verify(corpus)
    assert f"{entry.file} ({entry.split}, {entry.video}): {problem}" in problems
    assert all(line.startswith(entry.file) for line in problems)


def test_sizes_of_the_right_sum_in_another_order_are_named(corpus):
    # The offsets of the records follow from their sizes: with two exchanged, a reader would begin within a record.
    sizes = manifest.load(corpus).videos[0].record_bytes.tolist()
    index = next(i for i in range(11) if sizes[i] != sizes[i + 1])
    sizes[index : index + 2] = sizes[index + 1], sizes[index]
    changed(corpus, 0, with_column("offset", np.cumsum([0, *sizes[:-1]])))
    assert verify(corpus) == [f"{FIRST} (train, v0): the sizes of the records are not those of the manifest"]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_label_of_an_annotator_is_named(tmp_path, value):
    ratings = np.zeros((1, 4, 2, 2), np.float32)
    make_rated_corpus(tmp_path, ratings, ("anna", "ben"))
    rewritten(tmp_path, lambda examples: feature(examples[2], "annotators").float_list.value.__setitem__(3, value))
    (problem,) = verify(tmp_path)
    assert problem.endswith("record 3: a label is infinite")


@pytest.mark.parametrize(("value", "wrong"), [(-2, True), (-1, False), (6, False), (7, True)])
def test_an_expression_that_is_no_class_is_named(tmp_path, value, wrong):
    make_corpus(tmp_path, [{"frames": 3, "classes": [0, 1, 2]}])
    rewritten(tmp_path, lambda examples: feature(examples[1], "expression").int64_list.value.__setitem__(0, value))
    if not wrong:
        changed(tmp_path, 0, with_column("expression", value, at=1))
    problems = verify(tmp_path)
    assert len(problems) == wrong
    if wrong:
        assert problems[0].endswith(f"record 2: the expression must be from -1 to 6, it is {value}")


def test_a_subject_in_two_splits_is_named(tmp_path):
    videos = [
        {"frames": 3, "subject": "anna"},
        {"frames": 3, "subject": "anna"},
        {"frames": 3, "subject": "bea", "split": "validation"},
        {"frames": 3, "subject": "anna", "split": "test"},
    ]
    make_corpus(tmp_path, videos)
    assert verify(tmp_path) == ["subject anna: is in more than one split: test, train"]
    assert manifest.load(tmp_path).shared_subjects == {"anna": ["test", "train"]}


def feature(example, name):
    return example.features.feature[name]


def exchange(examples):
    examples[3], examples[4] = examples[4], examples[3]


def set_label(examples):
    feature(examples[2], "label").float_list.value[:] = [np.nan, 0.1]


def set_value(name, place, value):
    return lambda examples: feature(examples[2], name).float_list.value.__setitem__(place, value)


def in_one_place(examples):
    feature(examples[2], "landmarks").float_list.value[:] = [0.5] * 136


DAMAGES = {
    "a label beyond its range": (
        set_value("label", 1, 1.5),
        "record 3: a label is beyond its range, valence -1 to 1 and arousal -1 to 1",
    ),
    "a timestamp that is no number": (set_value("timestamp", 0, np.nan), "record 3: the timestamp must be finite"),
    "a timestamp that falls": (set_value("timestamp", 0, 0.001), "record 3: the timestamp falls from"),
    "a box that is no number": (set_value("box", 2, np.nan), "record 3: the box must be finite"),
    "a box from right to left": (set_value("box", 0, 5000.0), "record 3: the box must be finite, and have left before"),
    "a landmark far away": (set_value("landmarks", 7, 1e9), "record 3: a landmark is more than 100 sides"),
    "landmarks in one place": (in_one_place, "record 3: all landmarks are in one place"),
    "two records exchanged": (exchange, "the frame numbers are not those of the manifest"),
    "a label taken away": (set_label, "the labelled frames are not those of the manifest"),
    "an infinite label": (
        lambda examples: feature(examples[2], "label").float_list.value.__setitem__(0, np.inf),
        "record 3: a label is infinite",
    ),
    "a landmark that is no number": (
        lambda examples: feature(examples[4], "landmarks").float_list.value.__setitem__(9, np.nan),
        "record 5: a landmark is not finite",
    ),
    "an empty face": (
        lambda examples: feature(examples[1], "face").bytes_list.value.__setitem__(0, b""),
        "record 2: the face must be a JPEG of 32x32, it is no image",
    ),
    "a face that is no image": (
        lambda examples: feature(examples[1], "face").bytes_list.value.__setitem__(0, b"\xff\xd8 no"),
        "record 2: the face must be a JPEG of 32x32, it is no image",
    ),
    "a field missing": (
        lambda examples: examples[11].features.feature.pop("box"),
        "record 12: field box must have 4 values of float32, it has 0",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_record_that_is_whole_but_wrong_is_named(corpus, name):
    change, problem = DAMAGES[name]
    rewritten(corpus, change)
    assert any(line.startswith(f"{FIRST} (train, v0): {problem}") for line in verify(corpus))


def test_faces_of_another_size_are_named(tmp_path):
    packed = make_corpus(tmp_path, [{"frames": 2}])
    manifest.save(dataclasses.replace(packed, image_size=96), tmp_path)
    assert "record 1: the face must be a JPEG of 96x96, it is (32, 32, 3)" in verify(tmp_path)[0]


def set_version(fields):
    fields["schema_version"] = 99


BROKEN_MANIFESTS = {
    "missing": (None, "no manifest.json"),
    "no JSON": ("{", "readable JSON"),
    "empty": ("", "readable JSON"),
    "no object": ("[1, 2]", "schema version"),
    "another version": (set_version, "schema version must be 2. Received: 99"),
    "no videos": (lambda fields: fields.pop("videos"), "not a manifest"),
    "a field missing": (lambda fields: fields["videos"][0].pop("sha256"), "not a manifest"),
    "a field too many": (lambda fields: fields["videos"][0].update(mood=1), "not a manifest"),
    "broken numbers": (lambda fields: fields["videos"][0].update(frames=[[1]]), "not a manifest"),
}


@pytest.mark.parametrize("name", BROKEN_MANIFESTS)
def test_a_manifest_that_cannot_be_used_is_an_error(corpus, name):
    damage, says = BROKEN_MANIFESTS[name]
    path = corpus / "manifest.json"
    if damage is None:
        path.unlink()
    elif isinstance(damage, str):
        path.write_text(damage)
    else:
        fields = json.loads(path.read_text())
        damage(fields)
        path.write_text(json.dumps(fields))
    with pytest.raises(UserError, match=re.escape(str(corpus))) as error:
        verify(corpus)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_saving_and_loading_a_manifest_changes_nothing(corpus):
    packed = manifest.load(corpus)
    text = (corpus / "manifest.json").read_bytes()
    manifest.save(packed, corpus)
    assert manifest.load(corpus) == packed
    assert (corpus / "manifest.json").read_bytes() == text
    assert not list(corpus.glob(".partial*"))


def test_an_earlier_manifest_is_read(corpus):
    packed = manifest.load(corpus)
    path = corpus / "manifest.json"

    write_version_1(corpus, packed)
    original = path.read_text()

    def former(layout):
        fields = json.loads(original)
        for video in fields["videos"]:
            video["runs"], video["labelled_runs"] = video.pop("segments"), video.pop("labelled_segments")
        del fields["label_range"]
        return json.dumps({**fields, "layout": layout})

    numbers = [(entry.frame_numbers, entry.labelled_frame_numbers, entry.offsets) for entry in packed.videos]
    texts = {layout: former(layout) for layout in LAYOUTS}
    for layout, text in texts.items():
        path.write_text(text)
        found = manifest.load(corpus)
        assert found.videos == packed.videos
        for entry, right in zip(found.videos, numbers, strict=True):
            np.testing.assert_equal((entry.frame_numbers, entry.labelled_frame_numbers, entry.offsets), right)
        assert found.label_range == LAYOUTS[layout].label_range
    assert verify(corpus) == []


def test_the_label_range_is_that_of_the_manifest(corpus):
    packed = dataclasses.replace(manifest.load(corpus), label_range={"valence": (0.0, 2.0), "arousal": (-3.0, 1.0)})
    manifest.save(packed, corpus)
    assert manifest.load(corpus) == packed


def test_segments_are_of_consecutive_frames():
    assert packed_corpus.to_segments([1, 2, 3, 5, 9, 10]) == ((1, 3), (5, 5), (9, 10))
    assert packed_corpus.to_segments([]) == ()


def test_the_command_prints_the_problems_and_fails(corpus, capsys):
    assert cli.main(["verify", str(corpus)]) == 0
    assert "every record is as the manifest says" in capsys.readouterr().out
    (corpus / SECOND).unlink()
    assert cli.main(["verify", str(corpus)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{SECOND} (train, v1): the file is missing", f"{corpus}: 1 problem"]
    (corpus / "manifest.json").unlink()
    assert cli.main(["verify", str(corpus)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {corpus}: not a packed corpus")


def test_an_earlier_corpus_is_upgraded(corpus, capsys):
    packed = manifest.load(corpus)
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    write_version_1(corpus, packed)
    (corpus / "index.npy").unlink()
    (corpus / "notes.txt").write_text("mine")
    assert cli.main(["verify", str(corpus), "--upgrade"]) == 0
    assert "upgraded to schema version 2" in capsys.readouterr().out
    assert (corpus / "notes.txt").read_text() == "mine"
    assert {path.name: path.read_bytes() for path in corpus.iterdir() if path.name != "notes.txt"} == before
    assert cli.main(["verify", str(corpus), "--upgrade"]) == 0
    assert "upgraded" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "message"),
    [("segments", "the frame numbers are not those"), ("labelled_segments", "the labelled frames are not those")],
)
def test_a_corpus_of_other_records_is_not_upgraded(corpus, field, message):
    """Its manifest is the only one that says so: what would be written instead could not be read."""
    write_version_1(corpus, manifest.load(corpus))
    (corpus / "index.npy").unlink()
    path = corpus / "manifest.json"
    fields = json.loads(path.read_text())
    video = fields["videos"][1]
    if field == "segments":
        video[field][-1] = [number + 1 for number in video[field][-1]]
    video["labelled_segments"] = video["labelled_segments"][:-1]
    path.write_text(json.dumps(fields))
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    with pytest.raises(UserError, match=rf"{video['file']}: {message} of the manifest"):
        upgrade(corpus)
    assert {path.name: path.read_bytes() for path in corpus.iterdir()} == before


def test_a_damaged_corpus_is_not_upgraded(corpus):
    write_version_1(corpus, manifest.load(corpus))
    (corpus / "index.npy").unlink()
    data = bytearray((corpus / SECOND).read_bytes())
    data[len(data) // 2] ^= 1
    (corpus / SECOND).write_bytes(data)
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    with pytest.raises(UserError, match=SECOND):
        upgrade(corpus)
    assert {path.name: path.read_bytes() for path in corpus.iterdir()} == before
