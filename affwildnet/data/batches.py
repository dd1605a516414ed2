"""Which windows make up a batch: from different videos, as far as the corpus allows (thesis section 5.1.2)."""

import numpy as np

_CERTAIN = 1e9


def distinct(videos: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order of windows in which those of each batch come from different videos.

    Each batch takes windows of videos that are drawn by how many windows they have left, so that the large ones do not
    come last. Windows of which there are too many of one video make up the remaining batches in random order, wherever
    these come; they may repeat a video. The windows of the last batch that do not fill it are left out: another epoch
    draws others.

    Args:
      videos: (n,) video of each window, in random order.
      batch_size: windows in a batch.
      rng: decides the order, and nothing else.

    Returns:
      Indices of the windows, a multiple of `batch_size` many, or all where they fill no batch.
    """
    if batch_size == 1 or len(videos) <= batch_size:
        return np.arange(len(videos))
    names, own = np.unique(videos, return_inverse=True)
    left = np.bincount(own)
    batches = _possible(left, batch_size)
    left = np.minimum(left, batches)
    queues = [list(np.flatnonzero(own == video)) for video in range(len(names))]
    chosen = []
    for remaining in range(batches, 0, -1):
        # The keys of a draw without replacement, weighted by the windows left. A video that can no longer miss a batch
        # must be in this one.
        with np.errstate(divide="ignore"):
            keys = np.log(left) + rng.gumbel(size=len(left)) + _CERTAIN * (left >= remaining)
        drawn = np.argpartition(-keys, batch_size - 1)[:batch_size] if len(keys) > batch_size else np.arange(len(keys))
        left[drawn] -= 1
        chosen.append([queues[video].pop() for video in rng.permutation(drawn)])
    rest = rng.permutation([window for queue in queues for window in queue]).astype(np.int64)
    rest = rest[: len(rest) // batch_size * batch_size].reshape(-1, batch_size)
    ordered = np.concatenate([np.array(chosen, np.int64).reshape(-1, batch_size), rest])
    return rng.permutation(ordered).ravel()


def _possible(left: np.ndarray, batch_size: int) -> int:
    """Return how many batches of windows from different videos there can be, given the windows of each video."""
    fewest, most = 0, int(left.sum()) // batch_size
    while fewest < most:
        middle = (fewest + most + 1) // 2
        fewest, most = (middle, most) if np.minimum(left, middle).sum() >= middle * batch_size else (fewest, middle - 1)
    return fewest
