"""Aff-Wild: `videos/<split>/<name>.{mp4,avi}` and `annotations/<split>/{valence,arousal}/<name>.txt`.

An annotation has no header and one number from -1 to 1 per line; line i (1-based) is frame i, which has
no label if the line is empty. Faces may come with it as
`bboxes/<split>/<name>/<frame>.pts` (four corners) and `landmarks/<split>/<name>/<frame>.pts` (68 points), with frames
1-based and without leading zeros; a frame without a file has no face, and where a video has both folders a frame needs
both files (ijcv2019 section 3.1). Files beyond the last label are not used. The faces of videos without such folders
are detected.

The distributed archives may unpack to `videos/train/train`, so folders are searched at any depth. The annotation of the
test split is not public: without a folder `annotations/test`, its videos have no labels.
"""

from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts import pts, tree
from tfrecords_tools.layouts.labels import no_labels, read_labels, read_values
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS, LANDMARKS, SPLITS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos of all splits, sorted, and what is left out.

    Raises:
      UserError: if there is no video at all.
    """
    videos, left_out = [], []
    for split in SPLITS:
        found, left = _find_split(source, split)
        videos += found
        left_out += left
    if not videos:
        raise UserError(
            f"{source}: no videos. The layout aff_wild needs videos/<split>/<name>.mp4 with <split> one of "
            f"{', '.join(SPLITS)}, and annotations/<split>/{{valence,arousal}}/<name>.txt."
        )
    return videos, left_out


def read_faces(boxes: Path | None, landmarks: Path | None, annotation: Path | None) -> Faces:
    """Read the faces of one video.

    Args:
      boxes, landmarks: folders of its `.pts` files; one of them may be None. The default box is the landmarks' extent.
      annotation: a file of its labels, one per line; faces beyond them are not used. None uses all.

    Raises:
      UserError: naming the file that does not hold the right number of points.
    """
    last = len(read_values(annotation)) if annotation else np.inf
    corners = tree.numbered(boxes, (".pts",)) if boxes else {}
    outlines = tree.numbered(landmarks, (".pts",)) if landmarks else {}
    frames = corners.keys() & outlines.keys() if boxes and landmarks else corners.keys() | outlines.keys()
    frames = [frame for frame in sorted(frames) if 1 <= frame <= last]
    points = {frame: pts.read_points(outlines[frame], LANDMARKS) for frame in frames if landmarks}
    found: dict[int, Box] = {
        frame: pts.extent(pts.read_points(corners[frame], 4) if boxes else points[frame]) for frame in frames
    }
    return Faces(found, points)


def _find_split(source: Path, split: str) -> tuple[list[VideoSource], list[LeftOut]]:
    folder = source / "annotations" / split
    labelled = split != "test" or folder.is_dir()
    annotations, twice = {}, {}
    for name in DIMENSIONS:
        annotations[name], again = tree.by_name(p for p in tree.files(folder, (".txt",)) if p.parent.name == name)
        twice |= again
    faces = {}
    for part in ("bboxes", "landmarks"):
        faces[part], again = tree.by_name(tree.innermost_folders(source / part / split))
        twice |= again
    videos, left_out, seen = [], [], set()
    for path in tree.files(source / "videos" / split, VIDEO_SUFFIXES):
        video = path.stem
        if video in seen:
            left_out.append(LeftOut(video, split, f"{path}: another video of this split has this name."))
            continue
        seen.add(video)
        if video in twice:
            left_out.append(LeftOut(video, split, twice[video]))
            continue
        # Without an annotation, reading it at the expected path raises an error that names the path.
        pair = [annotations[name].get(video, folder / name / f"{video}.txt") for name in DIMENSIONS]
        boxes, landmarks = (faces[part].get(video) for part in ("bboxes", "landmarks"))
        given = partial(read_faces, boxes, landmarks, pair[0] if labelled else None) if boxes or landmarks else None
        videos.append(
            VideoSource(
                video,
                split,
                video,
                path,
                partial(read_labels, *pair) if labelled else no_labels,
                given,
                which="annotated" if given else "longest",
            )
        )
    for video in sorted(set().union(*annotations.values()) - seen):
        left_out.append(LeftOut(video, split, f"an annotation but no video in {source / 'videos' / split}"))
    return videos, left_out
