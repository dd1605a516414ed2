"""Packing and recording killed before a file operation: nothing is lost, and the same command comes to the same end."""

import json
import shutil

import pytest

from tests.faults import recording, scene
from tests.faults.commands import points
from tests.helpers.annotated_clips import make_folder
from tfrecords_tools.annotate import traces

KILLED = -9
FEW = 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return scene.make_dataset(tmp_path_factory.mktemp("dataset") / "clips")


@pytest.fixture(scope="module")
def other_dataset(tmp_path_factory):
    return scene.make_dataset(tmp_path_factory.mktemp("other") / "clips", clips=2, gain=-1)


@pytest.mark.slow
def test_a_killed_pack_comes_to_the_same_corpus(commands, dataset, tmp_path):
    whole = commands.run("tools", *scene.pack_arguments(dataset, tmp_path / "whole"), root=tmp_path)
    assert whole.status == 0, whole.errors
    expected = scene.bytes_of(tmp_path / "whole")
    for point in points(len(whole.operations), FEW):
        place = tmp_path / f"at {point}"
        arguments = scene.pack_arguments(dataset, place / "packed")
        assert commands.run("tools", *arguments, root=place, kill_at=point).status == KILLED
        scene.assert_no_half_file(place)
        if (place / "packed/manifest.json").exists():
            scene.assert_corpus(place / "packed")
        again = commands.run("tools", *arguments)
        # Killed after the last rename, when all that is left to do is to clear up.
        assert again.status == 0 or "holds a packed corpus" in again.assert_one_line(), again.errors
        assert scene.bytes_of(place / "packed") == expected, point
        shutil.rmtree(place)


@pytest.mark.slow
def test_a_killed_overwrite_leaves_a_corpus_and_what_is_not_its_own(commands, dataset, other_dataset, tmp_path):
    def old(place):
        assert commands.run("tools", *scene.pack_arguments(other_dataset, place / "packed")).status == 0
        scene.add_notes(place / "packed")
        return place

    def new(place):
        return scene.pack_arguments(dataset, place / "packed", "--overwrite")

    whole = old(tmp_path / "whole")
    before = scene.bytes_of(whole / "packed")
    counted = commands.run("tools", *new(whole), root=whole)
    assert counted.status == 0, counted.errors
    expected = scene.bytes_of(whole / "packed")
    template = old(tmp_path / "template")
    assert scene.bytes_of(template / "packed") == before
    for point in points(len(counted.operations), FEW):
        place = tmp_path / f"at {point}"
        shutil.copytree(template, place)
        assert commands.run("tools", *new(place), root=place, kill_at=point).status == KILLED
        scene.assert_notes(place / "packed")
        scene.assert_no_half_file(place)
        _assert_all_of_one_corpus(place / "packed", before, expected)
        again = commands.run("tools", *new(place))
        assert again.status == 0, again.errors
        assert scene.bytes_of(place / "packed") == expected, point
        scene.assert_notes(place / "packed")
        shutil.rmtree(place)


def _assert_all_of_one_corpus(folder, before, after):
    """Each file of the old corpus, or each of the new one, is there: in place, or where an exchange goes on from."""
    standing = set(scene.bytes_of(folder).values())
    for aside in ("old", "new"):
        if (folder / ".exchange" / aside).is_dir():
            standing |= set(scene.bytes_of(folder / ".exchange" / aside).values())
    assert set(before.values()) <= standing or set(after.values()) <= standing


@pytest.mark.slow
def test_what_a_killed_recording_acknowledged_is_there(commands, tmp_path):
    make_folder(tmp_path / "template", ["one"])
    shutil.copytree(tmp_path / "template", tmp_path / "whole")
    session = "tests.faults.recording:main"
    counted = commands.run(session, tmp_path / "whole", root=tmp_path / "whole")
    assert counted.status == 0, counted.errors
    finished = "annotations/ann/valence/one.txt"
    expected = (tmp_path / "whole" / finished).read_bytes()
    for point in points(len(counted.operations), FEW):
        place = tmp_path / f"at {point}"
        shutil.copytree(tmp_path / "template", place)
        killed = commands.run(session, place, root=place, kill_at=point)
        assert killed.status == KILLED
        said = [json.loads(line) for line in killed.output.splitlines()]
        saved = max([line["saved"] for line in said if "saved" in line], default=0)
        if (place / finished).exists():
            assert (place / finished).read_bytes() == expected
            assert traces.read(place / finished).times[-1] / 1000 >= saved
        else:
            _, answer = recording.opened(place)
            assert ([0, *answer["traces"]["valence"]["times"]])[-1] >= saved - 1e-6
        scene.assert_no_half_file(place)
        again = commands.run(session, place)
        assert again.status == 0, again.errors
        assert (place / finished).read_bytes() == expected, point
