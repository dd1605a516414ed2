"""Videos whose frames are decoded ahead while they are packed: the same records, errors and marks."""

import shutil
import threading
import time
from functools import partial

import numpy as np
import pytest

from tests.helpers.awkward_videos import SIZE, at, damage, write_video
from tests.helpers.real_clips import clip
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts import VideoSource
from tfrecords_tools.layouts.labels import Labels, no_labels
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.jobs import Job
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.source_reading import AheadReader, Coming
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.records.packed_corpus import LeftOut

OPTIONS = PackOptions(landmark_model=find_model())
FRAMES = 60


def source_of(path, **more):
    return VideoSource(path.stem, "train", path.stem, path, no_labels, **more)


def coming_of(job):
    return Coming(job.source, job.options, job.begun)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "decoding"]


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def face_packed(tmp_path_factory):
    """The entry of a clip with a face, without anything ahead."""
    return pack_video(source_of(clip("single_face.mp4")), OPTIONS, tmp_path_factory.mktemp("plain") / "records")


def idle(number):
    """Say that a core is idle from a frame on."""
    asked = []
    return lambda: asked.append(1) or len(asked) > number


@pytest.mark.parametrize("from_frame", [0, 30])
def test_records_are_the_same_bytes_whether_or_not_frames_are_decoded_ahead(from_frame, face_packed, tmp_path):
    with AheadReader(idle(from_frame)) as reader:
        entry = pack_video(source_of(clip("single_face.mp4")), OPTIONS, tmp_path / "records", reader)
    assert entry.to_json() == face_packed.to_json()


def whole_frames():
    points = np.stack([10 + np.arange(68), 10 + np.arange(68) % 7], axis=1).astype(np.float32)
    numbers = range(1, FRAMES + 1)
    return Faces(dict.fromkeys(numbers, Box(0, 0, *SIZE)), dict.fromkeys(numbers, points))


def counted(rows):
    return Labels(np.zeros((rows, 2), np.float32))


def uneven(folder):
    return write_video(folder / "a.mp4", [*at(25, 20), *(1 + each for each in at(12, 20))])


def damaged(folder):
    damage(path := write_video(folder / "a.mkv", at(25, FRAMES)), (5, 30, FRAMES - 1))
    return path


def cut_short(folder):
    path = write_video(folder / "a.mkv", at(25, FRAMES))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


AWKWARD = {
    "uneven times": (uneven, {}, {}),
    "a fixed rate": (uneven, {}, {"fps": 30.0}),
    "a part": (partial(lambda folder: write_video(folder / "a.mp4", at(25, FRAMES, start=1.5))),
               {"start": 2.0, "end": 3.0}, {}),
    "damaged packets": (damaged, {}, {}),
    "a damaged tail": (cut_short, {}, {}),
    "frames that were dropped": (lambda folder: write_video(folder / "a.avi", at(25, FRAMES), codec="mpeg4",
                                                            without=(44,)), {}, {}),
    "no frames": (lambda folder: (folder / "a.mp4").write_bytes(b"nothing") and folder / "a.mp4", {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("kind", AWKWARD)
def test_awkward_videos_give_the_same_records_or_the_same_reason(kind, begun, tmp_path):
    write, of_source, of_options = AWKWARD[kind]
    source = VideoSource(
        "a", "train", "a", write(tmp_path), partial(counted, FRAMES), read_faces=whole_frames, **of_source
    )
    options = PackOptions(length_tolerance=FRAMES, **of_options)

    def outcome(*read):
        try:
            return pack_video(source, options, tmp_path / "records", *read).to_json()
        except UserError as error:
            return str(error)

    plain = outcome()
    assert isinstance(plain, str) == (kind == "no frames")
    with AheadReader(lambda: True) as reader:
        reader.expect(source_of(clip("no_face.mp4")), Coming(source, options, tmp_path / "mark"))
        if begun:
            reader._begin_coming()
        assert outcome(reader) == plain
    assert not threads()


def test_the_next_video_is_begun_while_this_one_is_packed(face_packed, tmp_path):
    first, second = (Job(source_of(clip(f"{name}.mp4")), OPTIONS, tmp_path / name) for name in
                     ("single_face", "no_face"))  # fmt: skip
    for job in (first, second):
        job.staging.mkdir(exist_ok=True)
    ready = []
    with AheadReader(lambda: True) as reader:

        def noted(*given):
            ready.append(reader._begun is not None)
            return reader(*given)

        reader.expect(first.source, coming_of(second))
        assert jobs.run(first, noted).sha256 == face_packed.sha256
        assert second.begun.exists()  # were it to crash the process, it would be known
        reader.expect(second.source, None)
        left = jobs.run(second, noted)
        assert not second.begun.exists()
    assert ready == [False, True]
    with pytest.raises(UserError) as plain:
        pack_video(second.source, OPTIONS, tmp_path / "plain")
    assert left == LeftOut("no_face", "train", str(plain.value))


@pytest.mark.parametrize("change", ["replaced", "gone", "labels"])
def test_a_video_that_changes_after_it_was_begun_is_read_again(change, tmp_path):
    path, rows = write_video(tmp_path / "a.mp4", at(25, 20)), [20]
    source = VideoSource("a", "train", "a", path, lambda: counted(rows[0]))
    with AheadReader(lambda: True) as reader:
        reader.expect(source_of(clip("no_face.mp4")), Coming(source, OPTIONS, tmp_path / "mark"))
        reader._begin_coming()
        begun = reader._begun.frames
        if change == "replaced":
            write_video(path, at(25, 30))
        elif change == "gone":
            path.unlink()
        else:
            rows[0] = 21
        with reader(source, OPTIONS, source.labels()) as frames:
            assert frames is not begun
            if change == "gone":
                with pytest.raises(UserError, match=r"a\.mp4: .*no such file"):
                    next(frames)
            else:
                assert sum(1 for _ in frames) == (30 if change == "replaced" else 20)
    assert not threads()


@pytest.mark.parametrize("kind", ["awaited", "skipped", "missing", "out of reach", "unreadable labels"])
def test_what_was_begun_and_is_not_packed_leaves_nothing(kind, tmp_path, monkeypatch):
    def unreadable():
        raise UserError("no labels")

    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    # Whether a file is there cannot be asked with such a name, as in a folder without the right to search it.
    places = {"missing": tmp_path / "missing.mp4", "out of reach": tmp_path / f"{'long' * 80}.mp4"}
    path = places.get(kind, clip("single_face.mp4"))
    labels = unreadable if kind == "unreadable labels" else no_labels
    source, mark = VideoSource("b", "train", "b", path, labels), tmp_path / "mark"
    other = source_of(clip("no_face.mp4"))
    with AheadReader(lambda: True) as reader:
        reader.expect(other, Coming(source, OPTIONS, mark))
        with reader(other, OPTIONS, no_labels()) as frames:
            assert sum(1 for _ in frames) > 30
        begun = kind in ("awaited", "skipped")
        assert (mark.exists(), len(threads())) == (begun, int(begun))
        if kind == "skipped":
            reader.expect(other, None)
            assert (mark.exists(), threads()) == (False, [])
    assert (mark.exists(), threads(), raised) == (False, [], [])


def test_a_short_video_does_not_begin_the_one_after_the_next(tmp_path):
    shutil.copy(clip("no_face.mp4"), tmp_path / "c.mp4")
    sources = [source_of(write_video(tmp_path / f"{name}.mp4", at(25, 5))) for name in "ab"]
    sources.append(source_of(tmp_path / "c.mp4"))
    with AheadReader(lambda: True) as reader:
        reader.expect(sources[0], Coming(sources[1], OPTIONS, tmp_path / "b"))
        with reader(sources[0], OPTIONS, no_labels()) as frames:
            assert sum(1 for _ in frames) == 5
        wait_for(lambda: not threads())  # all of the next one is decoded
        reader.expect(sources[1], Coming(sources[2], OPTIONS, tmp_path / "c"))
        assert reader._begun.coming.source is sources[1]
        with reader(sources[1], OPTIONS, no_labels()) as frames:
            assert sum(1 for _ in frames) == 5


def test_a_video_is_read_as_it_is_asked_for_where_no_core_is_idle():
    source = source_of(clip("single_face.mp4"))
    with AheadReader(lambda: False) as reader, reader(source, OPTIONS, no_labels()) as frames:
        next(frames)
        assert not threads()
        assert (frames.count, frames.lost) == (1, 0)
