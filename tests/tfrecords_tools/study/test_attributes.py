"""Attributes of videos as the papers' tables have them, against a count by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfrecords_tools.study import attributes

NAN = np.nan


def entry(subject="a", gender="", fps=30.0, size=(640, 360), container="mp4"):
    return SimpleNamespace(subject=subject, gender=gender, fps=fps, width=size[0], height=size[1], container=container)


def labels(*valence):
    return np.stack([np.array(valence, float), np.zeros(len(valence))], axis=1)


def test_the_attributes_are_those_of_a_count_by_hand():
    entries = [
        entry("anna", "female"), entry("anna", "female", 29.97, (1280, 720)), entry("ben", "male", 24.0, (320, 180)),
        entry("cleo", "", 0.0, (0, 0), "avi"),
    ]  # fmt: skip
    found = attributes.of_videos(entries, [labels(0.5), labels(-0.5), labels(0.0), labels(NAN)])
    assert found["containers"] == {"mp4": 3, "avi": 1}
    assert found["frame_rates"] == {"24": 1, "29.97": 1, "30": 1, "unknown": 1}
    assert found["genders"]["subjects"] == {"female": 1, "male": 1, "unknown": 1}
    assert found["genders"]["videos"] == {"female": 2, "male": 1, "unknown": 1}
    assert found["resolution"]["mean"] == pytest.approx([(640 + 1280 + 320) / 3, 420])
    assert found["resolution"]["median"] == [640, 360]
    assert found["resolution"]["std"] == pytest.approx([np.std([640, 1280, 320]), np.std([360, 720, 180])])
    assert found["valence_classes"] == {"mainly positive": 1, "mainly negative": 1, "both": 0, "neutral": 1}
    text = "\n".join(attributes.lines({"train": found}))
    assert "resolution 747x420" in text
    assert "female (1), male (1), unknown (1)" in text
    assert "1 mainly positive, 1 mainly negative, 1 neutral" in text


@pytest.mark.parametrize(
    ("valence", "expected"),
    [
        ([0.2, 0.3, -0.2], "mainly positive"),  # exactly two thirds
        ([0.2, 0.3, -0.2, -0.3], "both"),
        ([-0.2, -0.3, -0.5, 0.4], "mainly negative"),
        ([0.1, -0.1, 0.0, 0.5], "neutral"),  # 0.1 is neutral yet
        ([0.1, 0.0, 0.5, 0.4], "mainly positive"),  # half of them
        ([NAN, NAN], None),
        ([NAN, 0.5], "mainly positive"),
    ],
)
def test_a_video_is_of_the_class_of_most_of_its_labels(valence, expected):
    assert attributes.valence_class(np.array(valence)) == expected


def test_without_anything_known_nothing_is_said():
    found = attributes.of_videos([entry(fps=0.0, size=(0, 0), container="")], [labels()])
    assert found["resolution"] == {"mean": None, "std": None, "median": None}
    assert "resolution unknown" in attributes.lines({"all": found})[1]
