"""SIFT descriptors of the face and support vector regression (cvprw2017 chapter 4).

The paper says only that OpenCV's SIFT of the facial region and scikit-learn's SVR were used. Chosen here: descriptors
at the points of a regular grid over the crop, which need no detector and describe the same places of every face;
standardised, reduced by PCA, and standardised again; for each dimension an SVR with a Gaussian kernel, with the C that
is best on the validation split; frames spread evenly over the training split, as the cost of fitting grows faster than
the square of their number.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from tqdm import tqdm

from affwildnet.data import Corpus
from affwildnet.evaluation import reference_scores
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.metrics import Moments
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.records.reader import decode_face, read_records
from tfrecords_tools.records.schema import DIMENSIONS

DESCRIPTOR = 128


@dataclass(frozen=True)
class Settings:
    """How the regressors are fitted.

    Attributes:
      grid: number of descriptors along a side of the crop.
      components: largest number of components of the PCA.
      penalties: values of C to choose from.
      frames: labelled frames of the training split to fit on, at most.
      validation_frames: labelled frames of the validation split to choose C on, at most.
    """

    grid: int = 6
    components: int = 100
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0)
    frames: int = 4000
    validation_frames: int = 2000


def descriptors(face: np.ndarray, grid: int) -> np.ndarray:
    """Return (grid * grid * 128,) float32: upright SIFT descriptors of an RGB face (S, S, 3) uint8, row by row.

    Each covers a cell of the grid and half of its neighbours.
    """
    cell = face.shape[0] / grid
    centres = (np.arange(grid) + 0.5) * cell - 0.5
    # Each of the 4 x 4 fields of a descriptor is 3 times the keypoint's scale wide, and the scale is half its size.
    points = [cv2.KeyPoint(float(x), float(y), float(cell / 3), 0) for y in centres for x in centres]
    _, found = cv2.SIFT_create().compute(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), points)
    return found.reshape(-1)


@dataclass(frozen=True)
class SiftSvr:
    """The fitted regressors, one for each dimension.

    Attributes:
      settings: that they were fitted with.
      regressors: of valence and of arousal.
      penalties: the C that was chosen for each.
      frames: number of frames that they were fitted on.
    """

    settings: Settings
    regressors: tuple[Pipeline, ...]
    penalties: tuple[float, ...]
    frames: int

    def predictions(self, features: np.ndarray) -> np.ndarray:
        """Return (N, 2) float32 valence and arousal of (N, F) descriptors."""
        return np.stack([regressor.predict(features) for regressor in self.regressors], axis=1).astype(np.float32)


def fit(train: Corpus, validation: Corpus, settings: Settings) -> SiftSvr:
    """Fit the regressors.

    Raises:
      UserError: if a split has fewer than two labelled frames, or a record is corrupt.
    """
    features, labels = _labelled(train, settings, settings.frames)
    tried_features, tried_labels = _labelled(validation, settings, settings.validation_frames)
    # Done once, as it is the same for both dimensions and every C.
    most = min(settings.components, *features.shape)
    reduction = make_pipeline(StandardScaler(), PCA(most, random_state=0), StandardScaler()).fit(features)
    reduced, tried = reduction.transform(features), reduction.transform(tried_features)
    chosen, penalties = [], []
    for column, dimension in enumerate(DIMENSIONS):
        fitted = {}
        for penalty in tqdm(settings.penalties, desc=f"SVR of {dimension}", unit="C"):
            # The kernel has SVR's default width, on standardised components.
            regressor = SVR(C=penalty, cache_size=500).fit(reduced, labels[:, column])
            own = Moments.from_arrays(tried_labels[:, [column]], regressor.predict(tried)[:, None])
            fitted[penalty] = (float(own.ccc()[0]), regressor)
        best = max(fitted, key=lambda penalty: fitted[penalty][0])
        chosen.append(Pipeline([*reduction.steps, ("svr", fitted[best][1])]))
        penalties.append(best)
    return SiftSvr(settings, tuple(chosen), tuple(penalties), len(features))


def evaluate(fitted: SiftSvr, corpus: Corpus) -> Evaluation:
    """Return the evaluation of a split; raise a `UserError` as `fit`."""
    progress = tqdm(total=len(corpus.videos), desc=f"SIFT of {corpus.split}", unit="video")

    def prediction(entry: VideoEntry) -> np.ndarray:
        records = read_records(corpus.folder, entry)
        progress.update()
        return fitted.predictions(np.stack([_described(record, corpus, entry, fitted.settings) for record in records]))

    with progress:
        return reference_scores.evaluate(corpus, prediction)


def _labelled(corpus: Corpus, settings: Settings, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, F) descriptors and (N, 2) labels of at most `most` labelled frames, spread evenly over the split."""
    found = np.flatnonzero(corpus.record_labelled)
    if len(found) < 2:
        raise UserError(
            f"{corpus.folder}: the split {corpus.split} must have at least two labelled frames. Received: {len(found)}"
        )
    wanted = found[np.unique(np.linspace(0, len(found) - 1, most).astype(int))]
    features, labels = [], []
    with tqdm(
        corpus.by_video(wanted), desc=f"SIFT of {corpus.split}", unit="video", total=len(corpus.videos)
    ) as videos:
        for entry, own in videos:
            for record in read_records(corpus.folder, entry, own):
                features.append(_described(record, corpus, entry, settings))
                labels.append(record["label"])
    return np.stack(features), np.array(labels, np.float64)


def _described(record: dict, corpus: Corpus, entry: VideoEntry, settings: Settings) -> np.ndarray:
    face = decode_face(record)
    if face is None:
        path: Path = corpus.folder / entry.file
        raise UserError(f"{path}: the crop of frame {record['frame']} is not an image. Pack the corpus again.")
    return descriptors(face, settings.grid)
