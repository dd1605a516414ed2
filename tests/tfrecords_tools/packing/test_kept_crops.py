"""Crops that are kept while a video is searched for faces: those of the chosen track, however many there are."""

from functools import partial

import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracks import TrackedFrame, tracks_of
from tfrecords_tools.packing import kept_crops
from tfrecords_tools.packing.kept_crops import KeptCrops, cut_again, cut_out
from tfrecords_tools.video.reading import Frame

CUT = partial(cut_out, Aligner(32))


def two_faces(frames=9, lost=(2, 5)):
    """Frames of noise with two boxes that move; the second is not in all of them."""
    rng = np.random.default_rng(0)
    for number in range(1, frames + 1):
        image = rng.integers(0, 256, (80, 120, 3), np.uint8)
        boxes = {1: Box(number, 10, number + 30, 40), 2: Box(70, number, 110, number + 40)}
        if number in lost:
            del boxes[2]
        landmarks = {track: rng.uniform(20, 60, (68, 2)).astype(np.float32) for track in boxes}
        yield TrackedFrame(Frame(number, number / 25, image, number), boxes, landmarks)


@pytest.mark.parametrize("in_memory", [1, kept_crops.IN_MEMORY])
def test_the_crops_of_a_track_are_those_that_its_frames_give(in_memory, monkeypatch, tmp_path):
    monkeypatch.setattr(kept_crops, "IN_MEMORY", in_memory)
    frames = list(two_faces())
    with KeptCrops(CUT, tmp_path) as crops:
        for track in tracks_of(crops.keep(frames)):
            found = {number: crop() for number, crop in crops.of(track)}
            again = {number: crop() for number, crop in cut_again((each.frame for each in frames), track, CUT)}
            assert list(found) == list(again) == [n for n in range(1, 10) if track.number == 1 or n not in (2, 5)]
            for number, crop in found.items():
                assert crop.jpeg == again[number].jpeg == CUT(
                    frames[number - 1].frame.image, track.boxes[number], track.landmarks[number]
                ).jpeg  # fmt: skip
                np.testing.assert_array_equal(crop.landmarks, again[number].landmarks)
        assert crops.complete
    assert not list(tmp_path.iterdir())


def test_too_many_crops_are_dropped_and_the_frames_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(kept_crops, "MOST", 5_000)
    with KeptCrops(CUT, tmp_path) as crops:
        assert len(list(crops.keep(two_faces()))) == 9
        assert not crops.complete


def test_a_face_that_cannot_be_cut_out_costs_nothing_unless_it_is_chosen(tmp_path):
    def cut(image, box, landmarks):
        if box.left == 70:
            raise UserError("No such face.")
        return CUT(image, box, landmarks)

    with KeptCrops(cut, tmp_path) as crops:
        good, bad = tracks_of(crops.keep(two_faces()))
        assert len([crop() for _, crop in crops.of(good)]) == 9
        number, crop = next(crops.of(bad))
        with pytest.raises(UserError, match="No such face"):
            crop()
    assert number == 1
