"""The table and the contact sheet of a packed corpus, against counts made by hand."""

import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import LogNorm
from PIL import Image

from tests.helpers.corpora import decode, identity_of, make_corpus, replace_in_records
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.study import stats
from tfrecords_tools.study.inspection import contact_sheet, table
from tfrecords_tools.study.shares_bar import shares_bar

VALUES = np.array([(0.1, -0.2), (0.3, -0.4), (0.8, 0.0), (-0.2, 0.6)])
VIDEOS = [
    {"frames": [1, 2, 5, 6], "labels": VALUES, "subject": "anna"},
    {"frames": [4, 5], "labels": [(0.5, 0.5), (np.nan, np.nan)], "subject": "anna"},
    {"frames": 3, "split": "test", "unlabelled": [1, 2, 3]},
]


@pytest.fixture
def corpus(tmp_path):
    make_corpus(tmp_path, VIDEOS)
    return tmp_path


def test_the_tables_numbers_are_those_of_a_count_by_hand(corpus):
    lines = table(corpus).splitlines()
    assert "tiny" in lines[0]
    assert "32x32 RGB" in lines[0]
    rows = {line.split()[0]: re.split(r"\s{2,}", line) for line in lines[2:]}
    assert set(rows) == {"train", "test"}
    labels = np.concatenate([VALUES, [(0.5, 0.5)]])
    size = sum(path.stat().st_size for path in corpus.glob("*train*")) / 6
    spread = [f"{mean:+.2f}, {sd:.2f}" for mean, sd in zip(labels.mean(0), labels.std(0), strict=True)]
    # Videos, subjects, frames, labelled; of video 0 the frames 3 and 4 have no face, of video 1 the frames 1 to 3.
    assert rows["train"] == ["train", "2", "1", "6", "5", "5", f"{size:.0f}", *spread]
    assert rows["test"][1:6] == ["1", "1", "3", "0", "0"]
    assert rows["test"][7:] == ["no label", "no label"]


def test_the_table_names_what_was_left_out(corpus):
    from dataclasses import replace

    from tfrecords_tools.records.packed_corpus import LeftOut

    packed = manifest.load(corpus)
    manifest.save(replace(packed, left_out=(LeftOut("bad", "train", "no face"),)), corpus)
    assert table(corpus).splitlines()[-1] == "left out: train/bad: no face"


def test_labels_that_fill_little_of_their_range_are_suspicious(tmp_path):
    labels = np.random.default_rng(0).uniform(-0.001, 0.001, (9, 2))
    labels[:, 1] *= 900
    make_corpus(tmp_path, [{"frames": 9, "labels": labels}])
    for text in (table(tmp_path), stats.table(stats.statistics(tmp_path))):
        (line,) = [line for line in text.splitlines() if "less than a tenth" in line]
        assert re.match(
            r"valence: all labels are from -0\.0\S+ to 0\.0\S+, less than a tenth of the range -1 to 1", line
        )


def test_records_read_by_index_are_those_of_the_whole_file(corpus):
    entry = manifest.load(corpus).videos[0]
    records = read_records(corpus, entry)
    assert [int(record["frame"]) for record in records] == [1, 2, 5, 6]
    assert [identity_of(decode(record["face"])) for record in records] == [(0, 1), (0, 2), (0, 5), (0, 6)]
    chosen = read_records(corpus, entry, [3, 0, 2])
    for record, index in zip(chosen, [3, 0, 2], strict=True):
        assert record["face"] == records[index]["face"]
        np.testing.assert_array_equal(record["landmarks"], records[index]["landmarks"])
        np.testing.assert_array_equal(record["label"], np.float32(VALUES[index]))
    assert read_records(corpus, entry, []) == []


def test_a_file_that_cannot_be_read_is_named(corpus):
    entry = manifest.load(corpus).videos[0]
    path = corpus / entry.file
    path.write_bytes(path.read_bytes()[: entry.offsets[2] + 100])
    with pytest.raises(UserError, match=rf"{entry.file}: must have \d+ bytes, as the manifest says"):
        read_records(corpus, entry)
    path.unlink()
    with pytest.raises(UserError, match=entry.file):
        read_records(corpus, entry)


def test_the_contact_sheet_shows_the_faces(corpus, tmp_path):
    path = tmp_path / "sheet.png"
    contact_sheet(corpus, path, columns=3, rows=3)
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        assert sheet.size == (round(3 * 1.6 * 130), round(3 * 1.95 * 130))
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert not list(tmp_path.glob(".partial*"))
    # The boards of `corpora` are orange: much of the sheet is redder than blue, and nothing is bluer than the dots.
    orange = (pixels[..., 0] - pixels[..., 2] > 150).mean()
    assert 0.05 < orange < 0.5


def test_landmarks_are_drawn_on_their_pixels(corpus, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    scatter, drawn = Axes.scatter, []

    def noted(axis, x, y, **style):
        drawn.append((x, y))
        return scatter(axis, x, y, **style)

    monkeypatch.setattr(Axes, "scatter", noted)
    contact_sheet(corpus, tmp_path / "sheet.png", columns=1, rows=1)
    (record,) = read_records(corpus, manifest.load(corpus).videos[0], [0])
    ((x, y),) = drawn
    # Half of a crop of 32 pixels is the border of its pixels 15 and 16, whose centre is 15.5 in the sheet.
    np.testing.assert_allclose(np.stack([x, y], 1) + 0.5, record["landmarks"] * 32, atol=1e-5)


def test_a_long_name_is_cut_visibly(tmp_path, monkeypatch):
    make_corpus(tmp_path, [{"frames": 1, "video": "recording-of-monday-left"}, {"frames": 1, "video": "tuesday"}])
    figures = []
    monkeypatch.setattr(pyplot, "close", figures.append)
    contact_sheet(tmp_path, tmp_path / "sheet.png", columns=2, rows=1)
    monkeypatch.undo()
    titles = [axis.get_title().split(" #")[0] for axis in figures[0].axes]
    pyplot.close(figures[0])
    assert titles == ["…ng-of-monday-left", "tuesday"]


def test_the_colour_bar_of_shares_has_plain_numbers():
    figure, axis = pyplot.subplots()
    image = axis.pcolormesh(np.array([[0.03, 4.0]]), norm=LogNorm(0.03, 4))
    shares_bar(figure, image, axis)
    figure.canvas.draw()
    bar = figure.axes[1].yaxis
    shown = {text.get_text() for text in (*bar.get_majorticklabels(), *bar.get_minorticklabels())} - {""}
    pyplot.close(figure)
    assert {"0.05", "0.1", "0.2", "0.5", "1", "2"} <= shown
    assert not any("$" in text for text in shown)


def test_a_face_that_is_no_image_is_named(corpus):
    entry = manifest.load(corpus).videos[0]
    path = corpus / entry.file
    jpeg = read_records(corpus, entry, [1])[0]["face"]
    replace_in_records(path, jpeg, b"\0" * len(jpeg))
    with pytest.raises(UserError, match=f"{entry.file}, record 2: the face is no image"):
        contact_sheet(corpus, corpus / "sheet.png", columns=3, rows=3)


def test_the_command_prints_the_table_and_writes_the_sheet(corpus, capsys):
    assert cli.main(["inspect", str(corpus), f"--sheet={corpus / 'my.png'}"]) == 0
    assert capsys.readouterr().out == f"{table(corpus)}\ncontact sheet: {corpus / 'my.png'}\n"
    assert (corpus / "my.png").is_file()
    assert cli.main(["inspect", str(corpus / "nowhere")]) == 2
    assert "not a packed corpus" in capsys.readouterr().err
