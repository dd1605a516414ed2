"""Small clips of known frames in a folder to annotate, and the annotations that raters made of them."""

from fractions import Fraction

import av
import numpy as np

from tfrecords_tools.annotate import traces
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.traces import Trace

TICKS = Fraction(1, 90_000)


def write_clip(path, seconds=1.0, codec="libx264", fps=30, size=(64, 48), times=None, aspect=None, pixels="yuv420p"):
    """Write a clip whose brightness grows by the frame; `times` in seconds gives it a rate that varies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = len(times) if times is not None else round(seconds * fps)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if aspect:
            stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if times is not None:
            stream.options = {"bf": "0"}
            stream.codec_context.time_base = stream.time_base = TICKS
        for number in range(count):
            image = np.full((size[1], size[0], 3), 255 * number // max(count - 1, 1), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] / float(TICKS)), TICKS
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_folder(folder, names=("one", "two"), seconds=1.0):
    """Write clips below `folder/videos/train` and return the catalogue."""
    for name in names:
        write_clip(folder / "videos" / "train" / f"{name}.mp4", seconds)
    return Catalogue(folder)


def annotate(catalogue, rater, name, curve, dimensions=("valence", "arousal")):
    """Have a rater finish a clip, its value being `curve` of the time."""
    clip = next(clip for clip in catalogue.clips.values() if clip.name == name)
    times = np.arange(0, clip.facts.seconds, 1 / 60)
    for dimension in dimensions:
        trace = Trace.of([(time, curve(time)) for time in times])
        catalogue.finish(rater, dimension, clip, trace, {"input": "test"})
    return clip


def two_annotated_clips(videos, folder, curves):
    """Have raters annotate a clip of `train` and one of `test` of the sample below `folder`; return the folder.

    Args:
      videos: of the sample, a folder for each split.
      curves: by rater, the value at a time in seconds.
    """
    for split in ("train", "test"):
        clip = next((videos / split).iterdir())
        (folder / "videos" / split).mkdir(parents=True)
        (folder / "videos" / split / clip.name).write_bytes(clip.read_bytes())
        for rater, curve in curves.items():
            annotate(Catalogue(folder), rater, clip.stem, curve)
    return folder


def read(catalogue, rater, dimension, name):
    """Return (n, 2) seconds and thousandths of a finished annotation."""
    trace = traces.read(catalogue.source / "annotations" / rater / dimension / f"{name}.txt")
    return np.stack([trace.times / 1000, trace.values], axis=1)
