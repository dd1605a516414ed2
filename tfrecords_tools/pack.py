"""Packing: every video of a dataset to one TFRecord file of faces, landmarks and labels, in parallel over videos."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tfrecords_tools import annotations, manifest, schema
from tfrecords_tools.alignment import Aligner
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces import FaceDetector, choose
from tfrecords_tools.files import check_new_folder
from tfrecords_tools.landmarks import LandmarkPredictor
from tfrecords_tools.manifest import Manifest, VideoEntry
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.source import LeftOut, VideoSource
from tfrecords_tools.video import frame_rate, read_frames


@dataclass(frozen=True)
class PackOptions:
    """How videos are packed.

    Attributes:
      landmark_model: path of the 68-point model, as `landmarks.find_model` returns it.
      aligner: how the face is cut out.
      upsample: times the image is doubled before detection; each finds faces half as large, at four times the cost.
      length_tolerance: by how many frames an annotation may be longer or shorter than its video.
    """

    landmark_model: Path
    aligner: Aligner
    upsample: int = 0
    length_tolerance: int = 1


# Loading the 68-point model takes a second: once a process, not once a video.
_detector = cache(FaceDetector)
_predictor = cache(LandmarkPredictor)


def pack_video(source: VideoSource, options: PackOptions, path: Path) -> VideoEntry:
    """Packs one video to `path`; leaves nothing there on an error.

    Raises:
      UserError: if the video or its annotation cannot be used; the message names the file, and says why.
    """
    # TensorFlow takes seconds to import, and only the processes that write need it.
    import_tensorflow()
    from tfrecords_tools.writer import VideoRecords, encode_face

    labels = source.read_labels().values
    detector, predictor = _detector(options.upsample), _predictor(options.landmark_model)
    kept, labelled, previous, decoded = [], [], None, 0
    with VideoRecords(path) as records:
        for frame in read_frames(source.path):
            decoded = frame.number
            box = choose(detector.detect(frame.image), previous)
            if box is None:
                continue
            previous = box
            face, points = options.aligner(frame.image, box, predictor.predict(frame.image, box))
            label = labels[frame.number - 1] if frame.number <= len(labels) else np.full(2, np.nan, np.float32)
            records.write({
                "video": source.video,
                "subject": source.subject,
                "frame": frame.number,
                "timestamp": frame.timestamp,
                "face": encode_face(face),
                "box": (box.left, box.top, box.right, box.bottom),
                "landmarks": points,
                "label": label,
            })  # fmt: skip
            kept.append(frame.number)
            if not np.isnan(label).any():
                labelled.append(frame.number)
        annotations.check_length(len(labels), decoded, options.length_tolerance, source.path)
        if not kept:
            raise UserError(
                f"{source.path}: a face must be found in at least one frame. Received: none in {decoded} frames. "
                "Small faces are found with `--upsample=1`."
            )
    return VideoEntry(
        video=source.video,
        split=source.split,
        subject=source.subject,
        file=path.name,
        sha256=records.sha256,
        fps=frame_rate(source.path),
        frames_decoded=decoded,
        frames_without_face=decoded - len(kept),
        runs=manifest.to_runs(kept),
        labelled_runs=manifest.to_runs(labelled),
        record_bytes=tuple(records.record_bytes),
    )


def pack(
    find_videos: Callable[[Path], tuple[list[VideoSource], list[LeftOut]]],
    source: Path,
    output: Path,
    options: PackOptions,
    *,
    name: str,
    layout: str,
    workers: int = 1,
    overwrite: bool = False,
) -> Manifest:
    """Packs a dataset into the new folder `output`, which appears when it is whole.

    A video that cannot be used does not stop the others: it is in the manifest's `left_out`, with the reason.

    Raises:
      UserError: if `output` holds something already, if there are no videos, or if none could be packed.
    """
    check_output(output, overwrite)
    videos, left_out = find_videos(source)
    output = output.absolute()  # "." has no name
    partial = output.with_name(f".partial-{output.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}). Name another folder.") from None
    try:
        entries = []
        jobs = [(video, options, partial / f"{index:05d}.records") for index, video in enumerate(videos)]
        for result in tqdm(_run(jobs, workers), total=len(jobs), unit="video", desc="packing", file=sys.stderr):
            (entries if isinstance(result, VideoEntry) else left_out).append(result)
        if not entries:
            reasons = "; ".join(left.reason for left in left_out[:3])
            raise UserError(f"{source}: not one of its {len(videos)} videos could be packed: {reasons}")
        packed = Manifest(
            name=name,
            layout=layout,
            image_size=options.aligner.size,
            alignment=options.aligner.alignment,
            margin=options.aligner.margin,
            videos=tuple(_into_place(entries, name, partial)),
            left_out=tuple(sorted(left_out, key=_place)),
        )
        manifest.save(packed, partial)
        _describe_for_tfds(packed, partial)
        if output.exists():
            shutil.rmtree(output)
        os.replace(partial, output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return packed


def check_output(output: Path, overwrite: bool = False) -> None:
    """Raises a `UserError` if the folder `output` holds something, unless that is a corpus to overwrite."""
    if not (output / manifest.FILE_NAME).is_file():
        check_new_folder(output)
    elif not overwrite:
        raise UserError(f"{output}: holds a packed corpus. Replace it with `--overwrite`, or name another folder.")


def _run(jobs: list[tuple], workers: int) -> Iterator[VideoEntry | LeftOut]:
    if workers == 1:
        yield from (_pack_or_reason(job) for job in jobs)
        return
    # Spawned, not forked: dlib, OpenCV and TensorFlow hold threads that a fork would break.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        try:
            for future in as_completed([pool.submit(_pack_or_reason, job) for job in jobs]):
                yield future.result()
        except BrokenProcessPool:
            raise UserError("A packing process was killed, likely for want of memory. Lower `--workers`.") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _pack_or_reason(job: tuple[VideoSource, PackOptions, Path]) -> VideoEntry | LeftOut:
    source = job[0]
    try:
        return pack_video(*job)
    except UserError as error:
        return LeftOut(source.video, source.split, str(error))


def _place(entry: VideoEntry | LeftOut) -> tuple[int, str]:
    return schema.SPLITS.index(entry.split), entry.video


def _into_place(entries: list[VideoEntry], name: str, folder: Path) -> Iterator[VideoEntry]:
    # TFDS finds the shards of a split by their names, which hold their total: known only now.
    totals = Counter(entry.split for entry in entries)
    numbers = Counter()
    for entry in sorted(entries, key=_place):
        file = f"{name}-{entry.split}.tfrecord-{numbers[entry.split]:05d}-of-{totals[entry.split]:05d}"
        numbers[entry.split] += 1
        os.replace(folder / entry.file, folder / file)
        yield VideoEntry(**{**vars(entry), "file": file})


def _describe_for_tfds(packed: Manifest, folder: Path) -> None:
    import_tensorflow()
    import tensorflow_datasets as tfds

    splits = []
    for split in schema.SPLITS:
        entries = [entry for entry in packed.videos if entry.split == split]
        if entries:
            splits.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[entry.frames for entry in entries],
                    num_bytes=sum(sum(entry.record_bytes) for entry in entries),
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=folder, dataset_name=packed.name, split=split, filetype_suffix="tfrecord"
                    ),
                )
            )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=schema.tfds_features(packed.image_size),
        split_infos=splits,
        description=f"Faces, landmarks, valence and arousal, packed from the layout {packed.layout}.",
    )
