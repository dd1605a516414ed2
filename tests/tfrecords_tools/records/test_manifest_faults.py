"""A damaged manifest is refused in one line, or what it says can be used: never a traceback, never another corpus."""

import copy
import json
import random

import numpy as np
import pytest

from tests.helpers.corpora import make_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import index, manifest
from tfrecords_tools.records.reader import open_corpus, read_columns, read_labels, read_records
from tfrecords_tools.records.verify import verify
from tfrecords_tools.study import stats
from tfrecords_tools.study.inspection import table

VIDEOS = [{"frames": [1, 2, 5, 6], "subject": "anna"}, {"frames": 3, "split": "test", "unlabelled": [2]}]
MUTATIONS = 300
VALUES = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "../x",
    "/etc/x", "a\x00b", "\ud800", "train",
    [], [1], [[1, 2]], [[2, 1]], [[1, 2, 3]], [["a", "b"]], {}, {"a": 1}, [{}], "0" * 64,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifest")
    make_corpus(folder, VIDEOS)
    return folder


@pytest.fixture
def held(corpus):
    """The manifest as JSON; afterwards the file is as it was."""
    text = (corpus / manifest.FILE_NAME).read_text()
    yield json.loads(text)
    (corpus / manifest.FILE_NAME).write_text(text)


@pytest.mark.parametrize(("field", "value"), [("annotators", "ab"), ("left_out", {}), ("nearest", "")])
def test_what_must_be_a_list_is_one(field, value, corpus, held):
    (corpus / manifest.FILE_NAME).write_text(json.dumps({**held, field: value}))
    with pytest.raises(UserError, match=f"`{field}` is no list"):
        manifest.load(corpus)


def places(value):
    """Every (container, key) within."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


def mutated(original, chance):
    found = copy.deepcopy(original)
    container, key = chance.choice(list(places(found)))
    kind = chance.randrange(6)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif kind == 2 and type(container[key]) is int:
        container[key] += chance.choice((-1, 1, 10**9))
    else:
        container[key] = chance.choice(VALUES)
    text = json.dumps(found)
    if kind == 5:  # the bytes themselves
        data = bytearray(text.encode())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
    return text.encode()


def read_in_several_ways(folder):
    opened = open_corpus(folder)
    return [
        lambda: verify(folder),
        lambda: stats.table(stats.statistics(folder)),
        lambda: table(folder),
        lambda: read_labels(folder, opened.manifest, opened.videos()),
        lambda: [list(opened.records(video)) for video in opened.videos()],
        lambda: [video.frame_numbers for video in opened.videos()],
    ]


def refusal(folder):
    """The message of the first way that refuses, or None."""
    try:
        for way in read_in_several_ways(folder):
            way()
    except UserError as error:
        return str(error)


def test_no_mutation_gives_anything_but_one_line(corpus, held):
    chance, refused, used = random.Random(13), 0, 0
    expected = read_labels(corpus, manifest.load(corpus), manifest.load(corpus).videos)
    for _ in range(MUTATIONS):
        (corpus / manifest.FILE_NAME).write_bytes(mutated(held, chance))
        message = refusal(corpus)
        if message is not None:
            assert "\n" not in message
            refused += 1
            continue
        used += 1
        packed = manifest.load(corpus)
        for labels in read_labels(corpus, packed, packed.videos):  # those of a video, never others
            assert any(np.array_equal(labels, right, equal_nan=True) for right in expected)
    assert refused + used == MUTATIONS
    assert refused > MUTATIONS / 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "../tiny-train.tfrecord-00000-of-00001"}, "`file` cannot be"),
        ({"file": "a\\b"}, "`file` cannot be"),
        ({"file_bytes": -5}, "`file_bytes` cannot be -5"),
        ({"file_bytes": 200}, "`offset` of index.npy cannot be"),
        ({"frames_decoded": -1}, "`frames_decoded` cannot be -1"),
        ({"frames_decoded": 4.0}, r"`frames_decoded` cannot be 4\.0"),
        ({"fps": float("nan")}, "`fps` cannot be nan"),
        ({"frames": 10**9}, "`frames` cannot be 1000000000"),
        ({"frames": 3}, "`frames` cannot be '6 in all, the index has 7'"),
        ({"frames_labelled": 3}, "`frames_labelled` of v0 is 3, and 4 in the index"),
        ({"split": "testing"}, "`split` cannot be 'testing'"),
        ({"sha256": "x"}, "`sha256` cannot be 'x'"),
        ({"subject": ""}, "`subject` cannot be ''"),
        ({"detector": "haar"}, "`detector` cannot be 'haar'"),
        ({"landmarks": ["dlib"]}, "`landmarks` cannot be"),
    ],
)
def test_a_field_that_cannot_be_is_named(change, says, corpus, held):
    held["videos"][0] |= change
    (corpus / manifest.FILE_NAME).write_text(json.dumps(held))
    with pytest.raises(UserError, match=says):
        manifest.load(corpus)


def test_two_videos_of_one_file_are_refused(corpus, held):
    held["videos"][1]["file"] = held["videos"][0]["file"]
    (corpus / manifest.FILE_NAME).write_text(json.dumps(held))
    with pytest.raises(UserError, match="`file` cannot be 'the same twice'"):
        manifest.load(corpus)


def test_a_file_of_another_size_is_not_read(corpus, held):
    held["videos"][0]["file_bytes"] += 1
    (corpus / manifest.FILE_NAME).write_text(json.dumps(held))
    packed = manifest.load(corpus)
    for read in (
        lambda: read_records(corpus, packed.videos[0]),
        lambda: read_columns(corpus, packed.videos[0], ["label"]),
    ):
        with pytest.raises(UserError, match=r"must have \d+ bytes, as the manifest says\. Received: \d+"):
            read()


def test_no_flipped_bit_gives_other_values(corpus):
    packed = manifest.load(corpus)
    entry = packed.videos[0]
    path, chance = corpus / entry.file, random.Random(5)
    right, data = read_records(corpus, entry), path.read_bytes()
    ends = np.cumsum(entry.record_bytes)
    try:
        for _ in range(60):
            at, bit = chance.randrange(len(data)), chance.randrange(8)
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            hit = int(np.searchsorted(ends, at, side="right"))
            with pytest.raises(UserError, match=rf"record {hit + 1}: cannot be read"):
                read_records(corpus, entry, [hit])
            for other in {*range(4)} - {hit}:
                (record,) = read_records(corpus, entry, [other])
                assert record["face"] == right[other]["face"]
    finally:
        path.write_bytes(data)


def test_a_device_in_the_place_of_the_index_is_not_read(corpus):
    (corpus / index.FILE_NAME).unlink()
    (corpus / index.FILE_NAME).symlink_to("/dev/zero")
    with pytest.raises(UserError, match="a device or a pipe"):
        manifest.load(corpus)
