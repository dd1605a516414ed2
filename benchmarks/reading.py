"""Reading: our windows against the thesis's records and reading order, and against a bare decode loop.

    python -m benchmarks.reading --data_dir=data/sample_packed [--output=build/reading.json]

The thesis's way follows its description (section 5.1): one record per frame with raw float32 pixels, files read one
after the other, 80 frames gathered, kept if the first and the last belong together. The limit is the decoding of all
JPEGs of the corpus from memory on all cores, and nothing else.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from affwildnet.data import Corpus, training_batches
from affwildnet.experiments.config import TrainingConfig
from benchmarks.results import as_script, show
from tfrecords_tools.files import folder_at
from tfrecords_tools.records.reader import read_records

WINDOW, BATCH = 80, 2


def write_thesis_records(corpus: Corpus, folder: Path) -> list[str]:
    """Write the corpus in the thesis's layout (its table 5.2); return the files."""
    files = []
    for entry in corpus.videos:
        files.append(str(folder / f"{entry.video}.tfrecords"))
        with tf.io.TFRecordWriter(files[-1]) as writer:
            for record in read_records(corpus.folder, entry):
                frame = cv2.imdecode(np.frombuffer(record["face"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
                valence, arousal = (round(1000 * float(value)) for value in np.nan_to_num(record["label"]))
                values = {
                    "frameNo": tf.train.BytesList(value=[f"{entry.video}/{record['frame']:05d}".encode()]),
                    "frame": tf.train.BytesList(value=[frame.astype(np.float32).tobytes()]),
                }
                numbers = {"valence": valence, "arousal": arousal}
                feature = {name: tf.train.Feature(bytes_list=value) for name, value in values.items()}
                for name, value in numbers.items():
                    feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return files


def thesis_batches(files: list[str], size: int) -> tf.data.Dataset:
    """Return the batches in the thesis's order."""
    spec = {
        "frameNo": tf.io.FixedLenFeature([], tf.string),
        "frame": tf.io.FixedLenFeature([], tf.string),
        "valence": tf.io.FixedLenFeature([], tf.int64),
        "arousal": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(data):
        record = tf.io.parse_single_example(data, spec)
        frame = (tf.reshape(tf.io.decode_raw(record["frame"], tf.float32), (size, size, 3)) - 128) / 128
        label = tf.stack([record["valence"], record["arousal"]])
        return record["frameNo"], frame, tf.cast(label, tf.float32) / 1000

    def belong_together(names, _frames, _labels):
        ends = tf.strings.split(tf.stack([names[0], names[-1]]), "/").to_tensor()
        numbers = tf.strings.to_number(ends[:, 1], tf.int32)
        return (ends[0, 0] == ends[1, 0]) & (numbers[1] - numbers[0] < 15 * WINDOW)

    dataset = tf.data.TFRecordDataset(files).map(parse).repeat()
    dataset = dataset.batch(WINDOW, drop_remainder=True).filter(belong_together)
    return dataset.shuffle(10 * BATCH).batch(BATCH, drop_remainder=True)


def rate_of_batches(dataset: tf.data.Dataset, seconds: float) -> float:
    """Return the frames per second over `seconds`, after the first batches."""
    batches = iter(dataset)
    for _ in range(3):
        next(batches)
    return _rate(lambda: next(batches), BATCH * WINDOW, seconds)


def rate_of_decoding(jpegs: list[bytes], seconds: float, decode: Callable[[list[bytes]], None]) -> float:
    """Return the frames per second of `decode` on the JPEGs of whole windows, on all cores."""
    cores = os.cpu_count()
    windows = [jpegs[start : start + WINDOW] for start in range(0, len(jpegs) - WINDOW, WINDOW)]
    with ThreadPoolExecutor(cores) as pool:
        return _rate(lambda: list(pool.map(decode, windows)), len(windows) * WINDOW, seconds)


def _rate(step: Callable, frames: int, seconds: float) -> float:
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        done += frames
    return done / (time.perf_counter() - began)


def _decode_with_opencv(window: list[bytes]) -> None:
    for jpeg in window:
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def _decode_with_tensorflow(window: list[bytes]) -> None:
    for jpeg in window:
        tf.io.decode_jpeg(jpeg, channels=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=folder_at, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    cv2.setNumThreads(1)
    corpus = Corpus.open(options.data_dir, "train")
    jpegs = [record["face"] for entry in corpus.videos for record in read_records(corpus.folder, entry)]
    config = TrainingConfig(batch_size=BATCH, window=WINDOW)
    with tempfile.TemporaryDirectory() as folder:
        files = write_thesis_records(corpus, Path(folder))
        frames = sum(entry.frames for entry in corpus.videos)
        bytes_thesis = sum(Path(file).stat().st_size for file in files) / frames
        bytes_ours = sum(Path(file).stat().st_size for file in corpus.files) / frames
        ways = {
            "thesis": lambda: rate_of_batches(thesis_batches(files, corpus.manifest.image_size), options.seconds),
            "ours": lambda: rate_of_batches(training_batches(corpus, config), options.seconds),
            "decode only, OpenCV": lambda: rate_of_decoding(jpegs, options.seconds, _decode_with_opencv),
            "decode only, TensorFlow": lambda: rate_of_decoding(jpegs, options.seconds, _decode_with_tensorflow),
        }
        # In turns, and the best of each: what disturbs one turn disturbs all ways.
        rates = dict.fromkeys(ways, 0.0)
        for _ in range(options.rounds):
            for name, measure in ways.items():
                rates[name] = max(rates[name], measure())
    sizes = {"thesis": bytes_thesis, "ours": bytes_ours}
    limit = max(rates["decode only, OpenCV"], rates["decode only, TensorFlow"])
    rows = [
        {
            "way": name,
            "frames/s": round(rate),
            "bytes/frame": round(sizes[name]) if name in sizes else "-",
            "to the thesis's": rate / rates["thesis"],
            "to the limit": rate / limit,
        }
        for name, rate in rates.items()
    ]
    show("reading", rows, options.output, bytes_ratio=bytes_thesis / bytes_ours)


if __name__ == "__main__":
    as_script(main)
