"""The sample corpus: its layout, its determinism, and that the labels move the faces as stated."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.dlib_detector import FaceDetector
from tfrecords_tools.faces.landmarks import LandmarkPredictor, find_model
from tfrecords_tools.sample import sample_corpus
from tfrecords_tools.sample.clip_curves import expression_curves, label_curves
from tfrecords_tools.sample.identities import vary_identity
from tfrecords_tools.sample.portraits import load_portraits
from tfrecords_tools.video.reading import frame_rate, read_frames

DIMENSIONS = ("valence", "arousal")
PAIRS = np.array([(36, 45), (39, 42), (48, 54), (17, 26), (27, 33), (33, 8), (51, 57), (27, 8)])  # of landmarks
SECONDS = (1.4, 1.7)  # of the shortest and the longest clip


@pytest.fixture(scope="module")
def model() -> Path:
    return find_model()


@pytest.fixture(scope="module")
def portraits(model):
    return load_portraits(model)


@pytest.fixture(scope="module")
def corpus(portraits, tmp_path_factory) -> Path:
    """Three short clips, written into a folder that is there and empty."""
    folder = tmp_path_factory.mktemp("corpus") / "made"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_corpus, "load_portraits", lambda landmark_model: portraits)  # loading takes seconds
        sample_corpus.write_sample(folder, 3, 0, *SECONDS)
    return folder


@pytest.fixture(scope="module")
def find_landmarks(model):
    """Return a function that gives the (68, 2) landmarks of the one face of an image, or None."""
    detector, predictor = FaceDetector(), LandmarkPredictor(model)

    def find(image: np.ndarray) -> np.ndarray | None:
        boxes = detector.detect(image)
        return predictor.predict(image, boxes[0]) if len(boxes) == 1 else None

    return find


def videos(corpus: Path) -> list[Path]:
    return sorted((corpus / "videos").glob("*/*.mp4"))


def label_paths(corpus: Path, video: Path) -> list[Path]:
    return [corpus / "annotations" / video.parent.name / name / f"{video.stem}.txt" for name in DIMENSIONS]


def read_labels(corpus: Path, video: Path) -> np.ndarray:
    return np.stack([np.loadtxt(path) for path in label_paths(corpus, video)], axis=1)


def files(corpus: Path) -> set[str]:
    return {str(path.relative_to(corpus)) for path in corpus.rglob("*") if path.is_file()}


def test_holds_videos_and_annotations_and_nothing_else(corpus):
    expected = set()
    for number, split in enumerate(("train", "validation", "test"), start=1):
        expected.add(f"videos/{split}/sample_{number:03d}.mp4")
        expected |= {f"annotations/{split}/{name}/sample_{number:03d}.txt" for name in DIMENSIONS}
    assert files(corpus) == expected
    assert [path.name for path in corpus.parent.iterdir()] == [corpus.name]


def test_every_frame_has_one_label_line(corpus):
    for video in videos(corpus):
        frames = [frame.image.shape for frame in read_frames(video)]
        assert set(frames) == {(360, 640, 3)}
        assert 42 <= len(frames) <= 51
        assert frame_rate(video) == pytest.approx(30)
        for path in label_paths(corpus, video):
            lines = path.read_text().splitlines()
            assert len(lines) == len(frames)
            assert all(re.fullmatch(r"-?0\.\d{4}", line) for line in lines)


def test_plan_shares_clips_out_and_never_twice():
    for clips, counts in {3: (1, 1, 1), 4: (2, 1, 1), 10: (6, 2, 2), 20: (14, 3, 3), 40: (28, 6, 6)}.items():
        plan = sample_corpus._plan(clips, 0, 8, 12)
        splits = [clip.split for clip in plan]
        assert tuple(splits.count(split) for split in ("train", "validation", "test")) == counts
        assert len({clip.name for clip in plan}) == clips
        assert all(240 <= clip.frames <= 360 for clip in plan)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_smooth_and_cover_the_plane(seed):
    plan = sample_corpus._plan(20, seed, 8, 12)
    curves = [label_curves(clip.frames, clip.index, seed) for clip in plan]
    assert max(np.abs(np.diff(curve, axis=0)).max() for curve in curves) < 0.12
    assert np.abs(np.concatenate(curves)).max() <= 0.9
    for split in ("train", "validation", "test"):
        labels = np.concatenate([curve for curve, clip in zip(curves, plan, strict=True) if clip.split == split])
        assert (labels.min(0) < -0.5).all()
        assert (labels.max(0) > 0.5).all()
        quadrants = [np.mean((labels * signs > 0).all(1)) for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
        assert min(quadrants) > 0.05
    everything = np.concatenate(curves)
    assert abs(np.corrcoef(everything.T)[0, 1]) < 0.15
    # The clips differ in their means: a model that knows the clip but not the frame must not be worthless or perfect.
    assert np.std([curve.mean(0) for curve in curves], axis=0).min() > 0.1


def write_again(folder: Path, seed: int, portraits) -> Path:
    """Write the clips of the corpus one by one in this process."""
    for clip in sample_corpus._plan(3, seed, *SECONDS):
        (folder / "videos" / clip.split).mkdir(parents=True)
        for name in DIMENSIONS:
            (folder / "annotations" / clip.split / name).mkdir(parents=True)
        sample_corpus._write_clip(clip, folder, portraits)
    return folder


def test_same_seed_same_corpus_in_any_process(corpus, portraits, tmp_path):
    again = write_again(tmp_path, 0, portraits)
    assert files(again) == files(corpus)
    for video in videos(corpus):
        assert pixels(video) == pixels(again / video.relative_to(corpus))
        for path in label_paths(corpus, video):
            assert path.read_bytes() == (again / path.relative_to(corpus)).read_bytes()


def test_another_seed_another_corpus(corpus, portraits, tmp_path):
    other = write_again(tmp_path, 1, portraits)
    for video in videos(corpus):
        counterpart = other / video.relative_to(corpus)
        one, two = read_labels(corpus, video), read_labels(other, counterpart)
        frames = min(len(one), len(two))
        assert np.abs(one[:frames] - two[:frames]).max(0).min() > 0.01
        first, second = (next(read_frames(path)).image.astype(float) for path in (video, counterpart))
        assert np.abs(first - second).mean() > 5


def pixels(video: Path) -> list[str]:
    return [hashlib.sha256(frame.image.tobytes()).hexdigest() for frame in read_frames(video)]


@pytest.mark.parametrize("portrait", [0, 1])
def test_clips_do_not_share_a_face(portraits, portrait):
    """Clips of one portrait differ in shape by more than a pixel of the eyes' 80, mirrored or not."""
    shapes = []
    for index in range(10):
        points = vary_identity(portraits[portrait], np.random.default_rng([0, index, 1])).landmarks
        # Distances between landmarks in rows across the face are the same in a mirrored face.
        shapes.append(np.abs(points[PAIRS[:, 0]] - points[PAIRS[:, 1]]).ravel())
    for index, shape in enumerate(shapes):
        others = np.array(shapes[:index] + shapes[index + 1 :])
        assert np.abs(others - shape).max(1).min() > 1


def test_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(
        UserError, match=r"new or empty folder\. Received: one that holds 1 file or folder\. Name another"
    ):
        sample_corpus.write_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_leaves_nothing_behind_when_it_fails(portraits, tmp_path, monkeypatch):
    def fail(plan, folder, *_):
        (folder / "videos" / "train" / "half.mp4").write_bytes(b"half")
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(sample_corpus, "load_portraits", lambda landmark_model: portraits)
    monkeypatch.setattr(sample_corpus, "_write_all", fail)
    with pytest.raises(RuntimeError, match="disk is full"):
        sample_corpus.write_sample(tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"clips": 2}, "`clips` must be at least 3.*Received: 2"),
        ({"seed": -1}, "`seed` must be at least 0.*Received: -1"),
        ({"min_seconds": 0.1}, "`min_seconds`.*Received: 0.1"),
        ({"min_seconds": 5, "max_seconds": 4}, "`min_seconds`.*Received: 5 and 4"),
    ],
)
def test_refuses_arguments_out_of_range(tmp_path, arguments, received):
    with pytest.raises(UserError, match=received) as caught:
        sample_corpus.write_sample(tmp_path / "new", **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def measured(corpus, find_landmarks):
    """Per clip the labels, and the landmarks that dlib finds, of every second frame; None where it finds no face."""
    clips = []
    for video in videos(corpus):
        found = [find_landmarks(frame.image) for frame in read_frames(video) if frame.number % 2]
        clips.append((read_labels(corpus, video)[::2], found))
    return clips


def test_one_face_is_found_in_nearly_all_frames(measured):
    found = [landmarks is not None for _, clip in measured for landmarks in clip]
    assert len(found) >= 60
    assert np.mean(found) >= 0.98


def within_clips(measured, measure, dimension: int) -> float:
    """Correlation of a measure of the landmarks with a label, each less its mean of the clip."""
    values, labels = [], []
    for clip_labels, clip in measured:
        seen = [index for index, landmarks in enumerate(clip) if landmarks is not None]
        measures = np.array([measure(upright(clip[index])) for index in seen])
        values.append(measures - measures.mean())
        labels.append(clip_labels[seen, dimension] - clip_labels[seen, dimension].mean())
    return float(np.corrcoef(np.concatenate(values), np.concatenate(labels))[0, 1])


def upright(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks with the eyes level and at distance 1; y points up."""
    right, left = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    along = (left - right) / np.sum((left - right) ** 2)
    across = np.array([-along[1], along[0]])
    centred = landmarks - (left + right) / 2
    return np.stack([centred @ along, -(centred @ across)], 1)


def corner_height(points: np.ndarray) -> float:
    return points[[48, 54], 1].mean() - points[[51, 62], 1].mean()


def mouth_opening(points: np.ndarray) -> float:
    return points[[61, 62, 63], 1].mean() - points[[65, 66, 67], 1].mean()


def brow_height(points: np.ndarray) -> float:
    return points[17:27, 1].mean()


def test_valence_lifts_the_mouths_corners_in_the_videos(measured):
    assert 0.5 < within_clips(measured, corner_height, 0) < 0.98  # speech, drift and blinks are in the faces too


def test_arousal_raises_the_brows_in_the_videos(measured):
    assert 0.5 < within_clips(measured, brow_height, 1) < 0.98


@pytest.fixture(scope="module")
def held(portraits, find_landmarks):
    """Landmarks of faces that hold an expression, by (valence, arousal): four faces each, drift averaged away."""
    found = {}
    for labels in ((0.8, 0.0), (-0.8, 0.0), (0.0, 0.8), (0.0, -0.8)):
        for index in range(4):
            rng = np.random.default_rng(index)
            portrait = vary_identity(portraits[index % 2], rng)
            coefficients = expression_curves(np.tile(labels, (90, 1)), portrait.rest, rng).mean(0)
            image = np.ascontiguousarray(sample_corpus.express(sample_corpus.rig(portrait), coefficients)[..., :3])
            found.setdefault(labels, []).append(upright(find_landmarks(image)))
    return found


@pytest.mark.parametrize(
    ("measure", "high", "low", "least"),
    [
        (corner_height, (0.8, 0.0), (-0.8, 0.0), 0.07),
        (mouth_opening, (0.0, 0.8), (0.0, -0.8), 0.04),
        (brow_height, (0.0, 0.8), (0.0, -0.8), 0.03),
    ],
)
def test_every_face_follows_the_labels(held, measure, high, low, least):
    """Each face by itself, in units of the distance between the eyes' centres (about 50 pixels in the videos)."""
    differences = [measure(one) - measure(other) for one, other in zip(held[high], held[low], strict=True)]
    assert min(differences) > least, differences
