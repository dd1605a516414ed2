"""What `predict` takes of the paths that it is given, what it passes over, and what it says of both."""

import os
import sys

import cv2
import numpy as np
import pytest

from affwildnet.predict.predict_source import SourceResult
from affwildnet.predict.source_search import find_sources, unique_names
from tests.helpers.awkward_videos import at, damage, number_in, numbered, write_video
from tests.helpers.layout_trees import lay
from tfrecords_tools.errors import UserError


def names(paths, notes=None):
    return [source.name for source in find_sources(paths, note=[].append if notes is None else notes.append)]


def test_every_kind_of_video_of_a_folder_is_taken_and_the_rest_named(tmp_path):
    videos = ["a.mp4", "b.FLV", "c.ts", "d.mts", "e.m2ts", "f.3gp", "g.ogv", "h.webm", "i.mkv", "j.gif"]
    others = ["notes.txt", "a.srt", "face.jpg", "00001.png", "deeper/k.mp4", ".DS_Store", "Thumbs.db", ".hidden.mp4"]
    lay(tmp_path, dict.fromkeys(videos + others, ""))
    notes = []
    assert names(tmp_path, notes) == [name.split(".")[0] for name in videos]
    assert notes == [
        f"{tmp_path}: passed over: 1 folder (deeper), 2 images (00001.png, face.jpg), 2 other files (a.srt, notes.txt)"
    ]


def test_several_paths_of_any_kind_are_taken_once(tmp_path):
    lay(tmp_path, dict.fromkeys(["a.mp4", "b.mp4", "more/a.mp4", "more/c.mov", "more/c.avi"], ""))
    paths = [tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "more", tmp_path / "a.mp4"]
    folder = tmp_path.name
    assert names(paths) == [f"{folder}_a.mp4", "b", "more_a.mp4", "c.avi", "c.mov"]


def test_names_that_cannot_be_told_apart_are_an_error(tmp_path):
    lay(tmp_path, dict.fromkeys(["1/x/a.mp4", "2/x/a.mp4"], ""))
    with pytest.raises(UserError, match=r"1/x/a\.mp4 and .*2/x/a\.mp4: their files would have the same names"):
        unique_names([tmp_path / "1/x/a.mp4", tmp_path / "2/x/a.mp4"])


def test_images_are_one_video_by_their_numbers_and_else_each_their_own(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"series/{number:05d}.png"), numbered(number))
        cv2.imwrite(str(tmp_path / f"photos/photo {number}.png"), numbered(number))
    cv2.imwrite(str(tmp_path / "series/cover.jpg"), numbered(9))
    notes = []
    (series,) = find_sources(tmp_path / "series", note=notes.append)
    assert [number_in(frame.image) for frame in series.frames()] == [1, 2]
    assert notes == [f"{tmp_path / 'series'}: passed over: 1 image (cover.jpg)"]
    photos = find_sources(tmp_path / "photos")
    assert [source.name for source in photos] == ["photo 1", "photo 2"]
    (one,) = find_sources(tmp_path / "photos/photo 2.png")
    ((frame,),) = [list(source.frames()) for source in (one,)]
    assert (frame.number, frame.timestamp, number_in(frame.image)) == (1, 0.0, 2)


def test_a_gif_is_a_video(tmp_path):
    path = write_video(tmp_path / "clip.avi", at(10, 5), codec="mjpeg", fps=10)
    images = [frame.image for frame in find_sources(path)[0].frames()]
    assert cv2.imwriteanimation(str(tmp_path / "clip.gif"), animation(images))
    path.unlink()
    (source,) = find_sources(tmp_path)
    assert [number_in(frame.image) for frame in source.frames()] == [1, 2, 3, 4, 5]


def animation(images):
    found = cv2.Animation()
    found.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images]
    found.durations = [100] * len(images)
    return found


def test_a_folder_without_any_says_what_is_there(tmp_path):
    with pytest.raises(UserError, match="Received: an empty folder"):
        find_sources(tmp_path)
    lay(tmp_path, {"notes.txt": "", "deeper/a.mp4": ""})
    with pytest.raises(UserError, match=r"Received: 1 folder \(deeper\), 1 other file \(notes\.txt\)"):
        find_sources(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
def test_a_name_that_is_no_text_fails_alone(tmp_path):
    good = write_video(tmp_path / "good.mp4", at(30, 3))
    os.link(good, os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp4"))
    bad, other = find_sources(tmp_path)
    assert (bad.name, other.name) == (r"caf\xe9", "good")
    with pytest.raises(UserError, match="must be UTF-8"):
        list(bad.frames())
    with pytest.raises(UserError, match="must be UTF-8"):
        bad.count()
    assert len(list(other.frames())) == 3


def test_frames_that_do_not_decode_are_reported(tmp_path):
    (source,) = find_sources(damage(write_video(tmp_path / "clip.mp4", at(30, 20)), [4, 11]))
    frames = source.frames()
    numbers = [frame.number for frame in frames]
    assert numbers == [n for n in range(1, 21) if n not in (5, 12)]
    result = SourceResult(18, 18, 1, 0, frames.lost, 1.0, {"decode": 1.0}, {})
    assert "  2 frames cannot be decoded: left out, the others keep their numbers" in result.summary("clip.mp4")
    assert "cannot be decoded" not in SourceResult(18, 18, 1, 0, 0, 1.0, {"decode": 1.0}, {}).summary("clip.mp4")


def test_the_clock_of_a_video_is_that_of_its_container(tmp_path):
    (source,) = find_sources(write_video(tmp_path / "clip.mp4", at(25, 5, start=1.5), fps=25))
    np.testing.assert_allclose([frame.timestamp for frame in source.frames()], at(25, 5, start=1.5), atol=1e-3)
