"""Small trees of files as the datasets have them, and the label that each frame of a source gets."""

import pickle
from fractions import Fraction

import numpy as np

from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import match


def lay(folder, files):
    """Write `files`, text or bytes by path; return `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def code(frame, sign=1):
    """A value from -1 to 1 with three decimals, different for each frame up to 999."""
    return sign * frame / 1000


def numbered_images(folder, first, count, suffix=".jpg", without=()):
    """Files of images as {path: text}; the text of each is the 1-based number of its frame."""
    frames = (frame for frame in range(1, count + 1) if frame not in without)
    return {f"{folder}/{frame - 1 + first:05d}{suffix}": str(frame) for frame in frames}


def frames_seen(source):
    """{1-based frame number in the source: number that its image holds}."""
    return {n + 1 - source.first: int(path.read_text()) for n, path in tree.numbered(source.path).items()}


def labels_of(source):
    """The labels as another process gets them."""
    return pickle.loads(pickle.dumps(source.read_labels))()


def faces_of(source):
    return pickle.loads(pickle.dumps(source.read_faces))()


def by_frame(source, count, fps):
    """The labels of frames 1 to `count` of a video of a constant rate, whose frame k is shown from (k - 1) / fps on."""
    times = [float(Fraction(number, 1) / Fraction(fps)) for number in range(count)]
    return match(labels_of(source), range(1, count + 1), times)


def assert_codes(values, frames, places=6):
    """Assert that row i of `values` is that of frame `frames[i]`: valence is its `code`, arousal the negative."""
    expected = np.array([[code(frame), code(frame, -1)] for frame in frames])
    np.testing.assert_allclose(values, expected, atol=10**-places)
