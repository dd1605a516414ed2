"""The numbers of a packed corpus against a count by hand."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.helpers.corpora import make_corpus, write_version_1
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns, read_labels, read_records
from tfrecords_tools.study import stats
from tfrecords_tools.study.figures import stairs

NAN = float("nan")
VIDEOS = [
    {"frames": [1, 2, 5, 6], "labels": [(0.35, -0.2), (0.3, 0.4), (0.0, 0.0), (-0.2, 0.6)], "subject": "anna"},
    {"frames": [4, 5, 6], "labels": [(0.5, 0.5), (NAN, 0.2), (-1.5, -1)], "subject": "anna"},
    {"frames": 3, "split": "test", "unlabelled": [1, 2, 3]},
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stats")
    make_corpus(folder, VIDEOS)
    return folder


def test_the_numbers_are_those_of_a_count_by_hand(corpus):
    splits = stats.statistics(corpus)["splits"]
    assert list(splits) == ["train", "test", "all"]
    train = splits["train"]
    assert (train["videos"], train["subjects"], train["frames"], train["frames_labelled"]) == (2, 1, 7, 6)
    assert (train["frames_decoded"], train["frames_without_face"]) == (12, 5)
    counts = [quadrant["frames"] for quadrant in train["quadrants"].values()]
    assert counts == [3, 1, 1, 1]  # (0, 0) is V+A+
    assert [quadrant["share"] for quadrant in train["quadrants"].values()] == [0.5, 1 / 6, 1 / 6, 1 / 6]
    assert train["frames_with_a_zero"] == 1
    assert train["minutes"]["sum"] == pytest.approx(12 / 30 / 60)
    assert train["valence"]["mean"] == pytest.approx((0.35 + 0.3 + 0 - 0.2 + 0.5 - 1.5) / 6)
    assert (train["valence"]["beyond"], train["arousal"]["beyond"]) == (1, 0)
    assert splits["all"]["frames"] == 10
    assert splits["all"]["frames_labelled"] == 6


def test_a_value_on_an_edge_is_in_the_bin_above(corpus):
    train = stats.statistics(corpus)["splits"]["train"]

    # Bins of 0.05 from -1: 0.35 begins bin 27 although float32 has it a little smaller; -1.5 is counted in bin 0.
    expected = np.zeros(40, int)
    expected[[27, 26, 20, 16, 30, 0]] = 1
    assert train["valence"]["histogram"] == expected.tolist()
    plane = np.array(train["histogram_plane"])
    assert plane.sum() == 6
    for valence, arousal in ((27, 16), (26, 28), (20, 20), (16, 32), (30, 30), (0, 0)):
        assert plane[valence, arousal] == 1


def test_a_split_without_labels_has_none_and_no_nan(corpus):
    test = stats.statistics(corpus)["splits"]["test"]
    assert test["frames_labelled"] == 0
    assert test["valence"]["mean"] is None
    assert test["quadrants"]["V+A+"] == {"frames": 0, "share": None}
    json.dumps(test, allow_nan=False)


@pytest.mark.parametrize("labelled", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_command_writes_what_it_prints(corpus, tmp_path, capsys, labelled):
    folder = corpus
    if not labelled:
        folder = tmp_path / "unlabelled"
        make_corpus(folder, VIDEOS[2:])
    assert cli.main(["stats", str(folder), f"--output={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    numbers = json.loads((tmp_path / "out" / "stats.json").read_text())
    assert numbers == json.loads(json.dumps(stats.statistics(folder)))
    assert stats.table(numbers) in printed
    assert ("valence: 1 label is beyond -1 and 1" in printed) == labelled
    for name in ("stats-labels.png", "stats-plane.png"):
        assert np.asarray(Image.open(tmp_path / "out" / name).convert("L")).std() > 5
    assert not list(corpus.glob("stats*"))


def test_columns_are_those_of_the_records(corpus):
    packed = manifest.load(corpus)
    for entry in packed.videos:
        columns = read_columns(corpus, entry, ["label", "landmarks", "frame", "video"])
        records = read_records(corpus, entry)
        for name, values in columns.items():
            for value, record in zip(values, records, strict=True):
                np.testing.assert_array_equal(value, record[name])
    assert np.isnan(read_labels(corpus, packed, packed.videos)[1][1]).all()  # one of two missing is both missing


@pytest.mark.parametrize("damage", ["cut off", "missing", "shorter", "index flipped", "index missing"])
def test_a_damaged_file_is_named(corpus, tmp_path, damage):
    copy = shutil.copytree(corpus, tmp_path / "copy")
    packed = manifest.load(copy)
    path = copy / ("index.npy" if "index" in damage else packed.videos[1].file)
    data = bytearray(path.read_bytes())
    if "missing" in damage:
        path.unlink()
    elif "flipped" in damage:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(data[: packed.videos[1].offsets[2] + (damage == "cut off")])
    with pytest.raises(UserError, match=path.name):
        stats.statistics(copy)


def test_labels_of_an_earlier_version_are_read_from_the_records(corpus, tmp_path):
    copy = shutil.copytree(corpus, tmp_path / "copy")
    write_version_1(copy, manifest.load(copy))
    (copy / "index.npy").unlink()
    assert stats.statistics(copy) == stats.statistics(corpus)
    entry = manifest.load(copy).videos[1]
    data = bytearray((copy / entry.file).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / entry.file).write_bytes(data)
    with pytest.raises(UserError, match=entry.file):
        stats.statistics(copy)


def test_the_cumulative_curve_goes_through_the_shares():
    values = np.array([-0.2, 0.3, 0.3, 0.8])
    x, y = stairs(values)
    for at in (-0.9, -0.2, -0.1, 0.3, 0.31, 0.8, 0.9):
        drawn = y[np.searchsorted(x, at)]  # each y holds up to its own x
        assert drawn == 100 * (values >= at).mean()
