"""Reaction delays that are known, found again."""

from dataclasses import replace

import numpy as np
import pytest

from tfrecords_tools.study.delay import Recording, against_landmarks, against_raters

RATE = 25.0


def smooth(frames, rng, width):
    return np.convolve(rng.normal(0, 1, frames + width), np.hanning(width), "valid")[:frames]


def late(values, seconds):
    shift = round(seconds * RATE)
    return np.concatenate([np.full(shift, values[0]), values[: len(values) - shift]])


def video(delay, seed, frames=3000, noise=0.05):
    rng = np.random.default_rng(seed)
    shown = smooth(frames, rng, 60)
    shown /= np.abs(shown).max()
    landmarks = rng.random((68, 2)) + 0.05 * shown[:, None, None] * rng.normal(0, 1, (68, 2))
    landmarks = (landmarks + rng.normal(0, 0.01, landmarks.shape)).astype(np.float32)
    values = late(shown, delay) + rng.normal(0, noise, frames)
    others = late(shown, 1.0) + rng.normal(0, noise, frames)
    return Recording(RATE, values, landmarks, others)


@pytest.mark.parametrize("delay", [0.0, 1.2, 3.6])
def test_the_delay_behind_the_landmarks_is_found(delay):
    found = against_landmarks([video(delay, seed) for seed in range(2)])
    assert found.seconds == pytest.approx(delay, abs=0.1)
    assert found.low - 0.1 <= delay <= found.high + 0.1
    assert found.correlation > 0.9
    assert found.undelayed <= found.correlation


@pytest.mark.parametrize("delay", [0.0, 2.4])
def test_the_delay_behind_the_others_is_relative_to_theirs(delay):
    found = against_raters([video(delay, 5)])
    assert found.seconds == pytest.approx(delay - 1.0, abs=0.1)


def test_the_interval_is_wider_where_less_can_be_seen():
    clear, dim = (against_landmarks([video(2.0, 3, noise=noise)]) for noise in (0.05, 2.0))
    assert dim.high - dim.low > clear.high - clear.low


def test_missing_values_do_not_matter_and_too_few_give_nothing():
    holes = video(1.6, 1)
    holes.values[500:600] = np.nan
    assert against_landmarks([holes]).seconds == pytest.approx(1.6, abs=0.1)
    short = Recording(RATE, np.ones(30), np.zeros((30, 68, 2), np.float32), np.ones(30))
    assert against_landmarks([short]) is None
    assert against_raters([short]) is None


def test_one_short_video_has_an_estimate_without_an_interval():
    found = against_raters([video(0.5, 2, frames=600)])
    assert found.seconds == pytest.approx(-0.5, abs=0.15)
    assert found.low is None


def test_a_delay_is_told_from_chance_or_not():
    follows = against_landmarks([video(1.2, 1)])
    assert follows.p == 0.05
    assert follows.chance < follows.correlation
    assert follows.rests_on == pytest.approx(120)
    slow = [smooth(3000, np.random.default_rng(99 + seed), 400) for seed in range(3)]
    nothing = [replace(video(1.2, seed), values=values) for seed, values in enumerate(slow)]
    apart = [against_landmarks([each]) for each in nothing]
    assert all(each.p > 0.05 for each in apart)
    assert max(each.correlation for each in apart) > 0.4  # slow curves correlate with anything


def test_chance_is_not_known_for_a_clip_that_is_hardly_longer_than_a_delay():
    short = against_landmarks([video(0.5, 2, frames=round(17 * RATE))])
    assert (short.chance, short.p, short.low) == (None, None, None)
