"""Pack a dataset: every video to one TFRecord file of faces, landmarks and labels, and all of them to a corpus."""

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.errors.room import needing
from tfrecords_tools.faces.face_settings import GIVEN
from tfrecords_tools.files import check_new_folder, exchange, local_path
from tfrecords_tools.files.exchange import Exchange, check_writable, recover
from tfrecords_tools.files.locks import hold
from tfrecords_tools.layouts import LAYOUTS, Layout
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import annotator_choice, labelling
from tfrecords_tools.packing.disk_room import still_needed
from tfrecords_tools.packing.job_runners import RUNNERS
from tfrecords_tools.packing.jobs import BEGUN, Job, link_or_copy
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.video_packer import finds_faces
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import index, manifest, schema
from tfrecords_tools.records.packed_corpus import LeftOut, Manifest, VideoEntry
from tfrecords_tools.video.images import check_name, shown_name

AUTO = "auto"  # delays that are estimated
# What `tensorflow_datasets` wants beside the shards, and the manifest.
_METADATA = (manifest.FILE_NAME, index.FILE_NAME, "dataset_info.json", "features.json")
_LONGEST_NAME = 100  # which leaves room for the rest of a file's name
_SHARD = re.compile(rf"[a-z_][a-z0-9_]*-({'|'.join(schema.SPLITS)})\.tfrecord-\d{{5}}-of-\d{{5}}")


def pack(
    layout: str | Layout,
    source: str | Path,
    output: str | Path,
    options: PackOptions | None = None,
    *,
    name: str | None = None,
    workers: int = 1,
    overwrite: bool = False,
    runner: str = "local",
    beam_options: Sequence[str] = (),
    partition: dict[str, str] | None = None,
    selected: str | Path | None = None,
    delays: dict[str, float] | str | None = None,
    progress: bool = False,
    reuse: Sequence[str | Path] = (),
) -> Manifest:
    """Pack a dataset into the new folder `output`, which appears when it is whole; return its manifest.

    A video that cannot be used does not stop the others: it is in the manifest's `left_out`, with the reason. If
    packing is killed, the finished videos stay in `.partial-<name of the output>` beside the output, and the same call
    goes on from there. With `overwrite`, files of a corpus in `output` are used again where nothing has changed. The
    records are the same, byte for byte, whatever the number of workers.

    Example:
        >>> packed = pack("aff_wild", "data/sample", "data/sample_packed")
        >>> len(packed.videos), packed.left_out

    Args:
      layout: a key of `layouts.LAYOUTS`, or a layout of your own.
      source: folder (or table) of the dataset.
      output: folder of the packed corpus, new or empty.
      options: how each video is packed; None is `PackOptions()`.
      name: of the corpus, part of its files' names; None is the layout's.
      workers: videos packed at once.
      overwrite: replace a corpus in `output`.
      runner: a key of `RUNNERS`.
      beam_options: flags of Beam.
      partition: the split of each video by its own split and name, such as `{"train/101": "test"}`, as
        `partition_file.load` returns it; videos that are not in it are left out. None keeps the dataset's splits.
      selected: CSV of the annotators whose mean is the label of a video and dimension, see `agreement.read_selection`;
        videos that it does not name are left out. In the splits of `options.annotator_splits`, `options.annotators`
        come first.
      delays: seconds by which each annotator is late, by name (`label` in a dataset without single annotators): labels
        are brought forward by them. "auto" estimates them against the landmarks, for which all is packed without any
        first; faces are found once. None shifts nothing.
      progress: whether to show a progress bar.
      reuse: packed corpora besides `output` whose files are used again where nothing has changed but labels.

    Raises:
      UserError: if `output` holds something already, if there are no videos, or if none could be packed.
    """
    if isinstance(layout, str):
        check_choice("layout", layout, sorted(LAYOUTS))
        layout = LAYOUTS[layout]
    name = _checked_name(layout.name if name is None else name)
    check_choice("runner", runner, sorted(RUNNERS))
    source, output = local_path(source), local_path(output).absolute()  # "." has no name
    check_output(output, overwrite)
    options = PackOptions() if options is None else options
    videos, left_out = named(*layout.find_videos(source))
    if partition is not None:
        videos, unnamed = _placed(videos, partition)
        left_out = [*left_out, *unnamed]
    selection = {}
    choice = annotator_choice.parse(
        options.annotators, videos[0].annotators if videos else (), options.annotator_splits
    )
    options = replace(options, annotators=(), annotator_splits=annotator_choice.RELABELLED)
    if selected is not None:
        videos, selection, unselected = labelling.select(videos, Path(selected))
        left_out = [*left_out, *unselected]
    options.finder.check_installed(detects=any(finds_faces(video, options) for video in videos))
    staging = _staging(output)
    try:
        staging.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}). Name another folder.") from None
    with hold(staging / "pack.lock", f"packs into {output}"):
        recover(output)  # an exchange that was killed half-way is completed first
        check_output(output, overwrite)  # once more: another process may have packed meanwhile
        check_writable(output)
        again = {
            "workers": workers,
            "runner": runner,
            "beam_options": beam_options,
            "partition": partition,
            "progress": progress,
        }
        undelayed, unchosen = staging / "undelayed", staging / "unchosen"
        reuse = [*map(Path, reuse), undelayed, unchosen]  # also what an earlier call has left that found no answer
        if delays == AUTO:
            delays = _estimated(layout, source, undelayed, options, **again)
        delays = dict(delays or {})
        labelling.check_delays(delays, videos)
        options = replace(options, delays=tuple(sorted(delays.items())))
        packed_before = _readable(output)
        nearest = choice.nearest
        if nearest:  # the landmarks say who it is: all is packed with the dataset's own labels first
            pack(layout, source, unchosen, options, delays=delays, overwrite=True, reuse=reuse, **again)
            choice = choice.resolved(unchosen)
        earlier = _by_name(output, packed_before)
        for folder in reuse:
            for video, found in _by_name(folder, _readable(folder)).items():
                earlier.setdefault(video, []).extend(found)
        entries = []
        jobs = [
            Job(
                video,
                replace(options, chosen=choice.of_video(video.split, selection.get(video.video, {}))),
                staging,
                tuple(earlier.get(video.video, ())),
            )
            for video in videos
        ]
        results = RUNNERS[runner](jobs, workers, beam_options)
        bar = progress and len(jobs) > 0
        shown = tqdm(results, total=len(jobs), unit="video", desc="packing", file=sys.stderr, disable=not bar)
        with needing(lambda: still_needed(videos, [*entries, *left_out])):
            for result in shown:
                (entries if isinstance(result, VideoEntry) else left_out).append(result)
        if not entries:
            shutil.rmtree(staging)
            reasons = "; ".join(left.reason.removesuffix(".") for left in left_out[:3])
            reasons += f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
            raise UserError(f"{source}: not one of its {len(left_out)} videos could be packed: {reasons}")
        with Exchange(output) as exchanged:
            packed = Manifest(
                name=name,
                layout=layout.name,
                image_size=options.aligner.size,
                alignment=options.aligner.alignment,
                margin=options.aligner.margin,
                videos=tuple(_into_place(entries, name, staging, exchanged.new)),
                left_out=tuple(sorted(left_out, key=_place)),
                annotators=videos[0].annotators,
                expression=videos[0].expression,
                fps=options.fps or 0.0,
                label_range=layout.label_range,
                selected=selection,
                annotators_chosen=choice.by_split(),
                nearest=nearest,
                delays=delays,
                detector=_one_of(entry.detector for entry in entries),
                landmarks=_one_of(entry.landmarks for entry in entries),
            )
            manifest.save(packed, exchanged.new)
            _describe_for_tfds(packed, exchanged.new)
            exchanged.complete(packed_files(output, packed_before), last=manifest.FILE_NAME)
        shutil.rmtree(staging)
    return packed


def named(videos: list[VideoSource], left_out: list[LeftOut]) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos, and what is left out: also those whose names are no text, which no manifest can hold."""
    kept = []
    left_out = [LeftOut(*map(shown_name, (left.video, left.split, left.reason))) for left in left_out]
    for video in videos:
        try:
            check_name(video.path)
            check_name(f"{video.video} {video.subject}")
            kept.append(video)
        except UserError as error:
            left_out.append(LeftOut(shown_name(video.video), video.split, str(error)))
    return kept, left_out


def packed_files(folder: Path, packed: Manifest | None) -> list[str]:
    """Return the names of the files in a folder that packing wrote: those that packing again may replace.

    Args:
      packed: the manifest there; None if it cannot be read: its files are then known by the form of their names.
    """
    if not folder.is_dir():
        return []
    names = {path.name for path in folder.iterdir()}
    if packed is None:
        shards = {name for name in names if _SHARD.fullmatch(name)}
    else:
        shards = {entry.file for entry in packed.videos}
    return sorted(names & {*shards, *_METADATA})


def crashed_at_a_video(output: str | Path) -> Callable[[int], bool]:
    """Return the `again` of `crash_guard.guarded` for packing into a folder: whether a video's packing has crashed.

    Packing that is called again tries such a video in a process of its own, and leaves it out if it crashes there too.
    It may be called again once for each of them.
    """
    staging, met = _staging(Path(output).absolute()), set()

    def again(_number: int) -> bool:
        new = set(staging.rglob(f"*{BEGUN}")) - met
        met.update(new)
        return bool(new)

    return again


def _staging(output: Path) -> Path:
    """Where the records are kept until all are there: beside the output, or in it where that is not possible."""
    beside = output.with_name(f".partial-{output.name}")
    if beside.exists() or os.access(output.parent, os.W_OK) or not output.parent.exists():
        return beside
    return output / ".partial"


def _checked_name(name: str) -> str:
    # TensorFlow Datasets finds the name in the files' names.
    if not (name.isidentifier() and name == name.lower() and name.isascii()):
        raise UserError(f"`name` must be lower-case letters, digits and underscores. Received: {name}")
    if len(name) > _LONGEST_NAME:
        raise UserError(f"`name` must have at most {_LONGEST_NAME} characters. Received: {len(name)}, {name[:20]}...")
    return name


def check_output(output: Path, overwrite: bool = False) -> None:
    """Raise a `UserError` if the folder `output` holds something, other than a corpus to overwrite."""
    if (output / exchange.FOLDER).is_dir():
        return  # packing was killed there, or goes on: it is completed under the lock, and checked then
    if not (output / manifest.FILE_NAME).is_file():
        check_new_folder(output)
    elif not overwrite:
        raise UserError(f"{output}: holds a packed corpus. Replace it with `overwrite`, or name another folder.")
    elif not any(_SHARD.fullmatch(path.name) for path in output.iterdir()):
        raise UserError(
            f"{output}: must hold a packed corpus to replace. Received: a {manifest.FILE_NAME} without one of its "
            "files, which may be something else's. Name another folder, or delete it."
        )


def _estimated(layout: Layout, source: Path, corpus: Path, options: PackOptions, **how) -> dict[str, float]:
    """Return each annotator's delay behind the landmarks, from a corpus packed without any."""
    pack(layout, source, corpus, options, overwrite=True, **how)
    import_tensorflow()
    from tfrecords_tools.study import delay_report

    return delay_report.chosen(delay_report.report(corpus))


def _one_of(said: Iterable[str]) -> str:
    """Return what found faces or landmarks, which is one thing for all videos for which they were not given."""
    found = set(said)
    return next(iter(found - {GIVEN}), GIVEN)


def _readable(corpus: Path) -> Manifest | None:
    """Return the manifest of a packed corpus; None if there is none, a damaged one, or one of another version."""
    try:
        return manifest.load(corpus)
    except UserError:
        return None


def _by_name(corpus: Path, packed: Manifest | None) -> dict[str, list[tuple[Path, VideoEntry]]]:
    """Return the files of a packed corpus with their entries, by the video's name; none where all is packed anew."""
    if packed is None or not packed.has_labels:
        return {}
    found: dict[str, list[tuple[Path, VideoEntry]]] = {}
    for entry in packed.videos:
        found.setdefault(entry.video, []).append((corpus / entry.file, entry))
    return found


def _placed(videos: list[VideoSource], partition: dict[str, str]) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos that `partition` names, in their splits there, and the others."""
    placed, unnamed = [], []
    for video in videos:
        split = partition.get(f"{video.split}/{video.video}")
        if split is not None:
            check_choice("split", split, schema.SPLITS)
            placed.append(replace(video, split=split))
        else:
            unnamed.append(LeftOut(video.video, video.split, "The partition does not name this video."))
    if not placed:
        raise UserError("The partition must name videos of this dataset. Received: none of them.")
    twice = [name for name, count in Counter((video.split, video.video) for video in placed).items() if count > 1]
    if twice:
        name = "/".join(twice[0])
        raise UserError(f"`partition` must not put two videos of one name into one split. Received: {name}.")
    return placed, unnamed


def _place(entry: VideoEntry | LeftOut) -> tuple[int, str]:
    return schema.SPLITS.index(entry.split), entry.video


def _into_place(entries: list[VideoEntry], name: str, staging: Path, folder: Path) -> Iterator[VideoEntry]:
    # TensorFlow Datasets finds the files of a split by their names, which hold their number: it is known only now.
    totals = Counter(entry.split for entry in entries)
    numbers = Counter()
    for entry in sorted(entries, key=_place):
        file = f"{name}-{entry.split}.tfrecord-{numbers[entry.split]:05d}-of-{totals[entry.split]:05d}"
        numbers[entry.split] += 1
        link_or_copy(staging / entry.file, folder / file)
        yield replace(entry, file=file)


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
                    num_bytes=sum(entry.file_bytes for entry in entries),
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=folder, dataset_name=packed.name, split=split, filetype_suffix="tfrecord"
                    ),
                )
            )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=schema.tfds_features(packed.image_size, packed.fields),
        split_infos=splits,
        description=f"Faces, landmarks, valence and arousal, packed from the layout {packed.layout}.",
    )
