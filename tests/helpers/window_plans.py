"""Corpora without files, of any videos, to plan windows of; and hypothesis's strategies for them."""

from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from affwildnet.data import Corpus
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from tfrecords_tools.records.index import rows
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry


def corpus_of(videos):
    """Return a corpus without files; `videos` are rising frame numbers, negative for a frame without a label."""
    entries = []
    for index, frames in enumerate(videos):
        numbers = [abs(frame) for frame in frames]
        entries.append(
            VideoEntry(
                video=f"v{index}", split="train", subject=f"v{index}", file=f"{index}", sha256="", fps=30.0,
                frames_decoded=max(numbers), frames_without_face=0, file_bytes=100 * len(numbers),
                index=rows(numbers, [100] * len(numbers), [(0, 0) if frame > 0 else (np.nan, 0) for frame in frames]),
            )
        )  # fmt: skip
    packed = Manifest("tiny", "aff_wild", 32, "crop", 0.1, tuple(entries))
    return Corpus(Path("corpus"), "train", packed, packed.videos)


def frames_of(steps):
    """Frame numbers from (step to the next frame, whether it has a label)."""
    numbers = np.cumsum([step for step, _ in steps])
    return [int(n) if labelled else -int(n) for n, (_, labelled) in zip(numbers, steps, strict=True)]


STEP = st.tuples(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 40]), st.sampled_from([True, True, True, False]))
VIDEOS = st.lists(st.lists(STEP, min_size=1, max_size=40).map(frames_of), min_size=1, max_size=4)
WINDOW = st.integers(1, 9)
GAP = st.integers(1, 4)


def training(window, **changes):
    return TrainingConfig(window=window, **changes)


def evaluation(window, batch_size, overlap=0, **changes):
    return EvaluationConfig(batch_size, window, overlap, **changes)


def fast(test):
    return settings(max_examples=80, deadline=None)(test)
