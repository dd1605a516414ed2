"""An index is checked block by block, and what is wrong is found wherever blocks and videos begin and end."""

import numpy as np
import pytest

from tfrecords_tools.records import index

FRAMES = (4, 1, 7, 2, 5)
DAMAGES = {
    "offset": lambda rows, place: rows["offset"].__setitem__(place, rows["offset"][place] - 17),
    "frame": lambda rows, place: rows["frame"].__setitem__(place, 0),
    "label": lambda rows, place: rows["label"].__setitem__((place, place % 2), np.inf),
    "labelled": lambda rows, place: rows["labelled"].__setitem__(place, not rows["labelled"][place]),
    "expression": lambda rows, place: rows["expression"].__setitem__(place, 7),
}


def corpus():
    """The rows of some videos, whose records have 20 bytes, and the sizes of their files."""
    videos = [index.rows(range(1, n + 1), [20] * n, np.full((n, 2), 0.5), np.zeros(n)) for n in FRAMES]
    rows = np.concatenate(videos)
    rows["label"][3] = np.nan, 0.1
    rows["labelled"][3] = False
    return rows, [20 * n for n in FRAMES]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 12, 19, 100])
def test_each_row_is_checked_in_blocks_of_any_size(block, monkeypatch):
    monkeypatch.setattr(index, "_BLOCK", block)
    rows, file_bytes = corpus()
    index.check(rows, file_bytes, FRAMES, 7)
    for name, damage in DAMAGES.items():
        for place in range(len(rows)):
            damaged = rows.copy()
            damage(damaged, place)
            with pytest.raises(ValueError, match=f"`{name}` of index.npy"):
                index.check(damaged, file_bytes, FRAMES, 7)
    for video in range(len(FRAMES)):
        shorter = list(file_bytes)
        shorter[video] -= 4
        with pytest.raises(ValueError, match=r"`offset` of index\.npy"):
            index.check(rows, shorter, FRAMES, 7)
