"""The chain of omg2019 section 6.3: a median filter of the frames' predictions, then smoothing of the utterances'.

How much of each is chosen for valence and for arousal apart, on the validation split, and kept only where it raises
the CCC there under the experiment's protocol; then it is applied as it is to any other split. A choice can be made on
nothing but a validation split: `choose` refuses every other one, and nothing else makes a `PostProcessing` that does
anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter
from tqdm import tqdm

from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.evaluation.scoring.protocols import ranking
from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.schema import DIMENSIONS

STEPS = ("median_filter", "smoothing")
# Up to the size that omg2019 section 7.1 reports for valence.
SIZES = tuple(range(1, 82, 2))
RADII = (0, 1, 2, 3)
_CHOSEN = object()


@dataclass(frozen=True)
class PostProcessing:
    """What is done to predictions; made by `choose` and `none` alone.

    Attributes:
      median_filter: frames that the filter spans, odd, of valence and of arousal; 1 leaves the predictions.
      smoothing: utterances on each side that an utterance is averaged with, of valence and of arousal; 0 is none.
      before: CCC of the validation split without it: `valence`, `arousal`, `mean`; empty where nothing was tried.
      after: the same with it.
    """

    median_filter: tuple[int, int]
    smoothing: tuple[int, int]
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    made: InitVar[object] = None

    def __post_init__(self, made: object) -> None:
        if made is not _CHOSEN:
            raise TypeError("A PostProcessing is made by `postprocessing.choose`, on a validation split, or by `none`.")

    def apply(self, evaluation: Evaluation) -> Evaluation:
        """Return the evaluation with its frames' predictions filtered, and told how its utterances are smoothed.

        The utterances themselves come about in `protocols.utterances`. An evaluation is processed once: what this
        returns is not to be processed again.

        Raises:
          ValueError: if the predictions are not valence and arousal.
        """
        if (self.median_filter, self.smoothing) == ((1, 1), (0, 0)):
            return evaluation
        outputs = evaluation.videos[0].predictions.shape[1]
        if outputs != len(DIMENSIONS):
            raise ValueError(f"Post-processing is for valence and arousal. Received: predictions of {outputs} outputs.")
        videos = [_filtered(video, self.median_filter) for video in evaluation.videos]
        return Evaluation.of(evaluation.split, videos, folds=evaluation.folds, smoothing=self.smoothing)

    def contents(self) -> dict:
        """Return what was chosen and what it did on the validation split, as JSON can hold it."""
        steps = {name: dict(zip(DIMENSIONS, getattr(self, name), strict=True)) for name in STEPS}
        return {"chosen": steps, "validation": {"before": dict(self.before), "after": dict(self.after)}}


def none() -> PostProcessing:
    """Return the one that leaves predictions as they are."""
    return _make()


def choose(validation: Evaluation, protocol: str, config: EvaluationConfig) -> PostProcessing:
    """Return what raises the CCC of a validation split most, step by step.

    First the filter, then, on what it leaves, the smoothing. Of equal ones the least is taken, so that a step which
    does not help is left out. The protocols "frames" and "folds" have no utterances to smooth.

    Args:
      validation: predictions of the validation split, as the network gives them.
      protocol: what the CCC is computed by, a key of `experiments.config.PROTOCOLS`.
      config: `post_process` names the steps that are tried.

    Raises:
      ValueError: if the split is not the validation split.
      UserError: if a step is unknown, or the protocol has no CCC.
    """
    if validation.split != "validation":
        raise ValueError(f"Post-processing is chosen on the split validation alone. Received: {validation.split}")
    for step in config.post_process:
        check_choice("evaluation.post_process", step, STEPS)
    if not config.post_process:
        return none()
    if protocol == "videos":
        raise UserError(
            "`evaluation.post_process` is for valence and arousal, and must be empty with the protocol videos. "
            f"Received: {', '.join(config.post_process)}"
        )
    sizes = SIZES if "median_filter" in config.post_process else SIZES[:1]
    radii = RADII if "smoothing" in config.post_process and protocol == "utterances" else RADII[:1]

    def ccc(evaluation: Evaluation) -> dict[str, float]:
        return ranking(evaluation, protocol, config)

    size = _best("median filters", sizes, lambda size: ccc(_make((size, size)).apply(validation)))
    filtered = _make(size).apply(validation)
    radius = _best("smoothing", radii, lambda radius: ccc(replace(filtered, smoothing=(radius, radius))))
    return _make(size, radius, ccc(validation), ccc(replace(filtered, smoothing=radius)))


def _make(
    median_filter: tuple[int, int] = (1, 1),
    smoothing: tuple[int, int] = (0, 0),
    before: dict[str, float] | None = None,
    after: dict[str, float] | None = None,
) -> PostProcessing:
    return PostProcessing(median_filter, smoothing, before or {}, after or {}, made=_CHOSEN)


def _best(what: str, choices: Sequence[int], scored: Callable[[int], dict[str, float]]) -> tuple[int, int]:
    """Return the choice of the highest score of each dimension, the first of equal ones: that which does least."""
    if len(choices) == 1:
        return choices[0], choices[0]
    rows = {choice: scored(choice) for choice in tqdm(choices, desc=what, unit="choice", leave=False, disable=None)}
    valence, arousal = (max(choices, key=lambda choice, name=name: rows[choice][name]) for name in DIMENSIONS)
    return valence, arousal


def _filtered(video: VideoPredictions, sizes: tuple[int, int]) -> VideoPredictions:
    """Return a video whose predictions are running medians of each run of consecutive frames.

    At a run's ends its values are mirrored (edge included): a run shorter than the filter then tends to its own
    median, where repeated edges would outvote the frames between them.
    """
    predictions = video.predictions.copy()
    edges = [0, *(np.flatnonzero(np.diff(video.frames) != 1) + 1), len(video.frames)]
    for start, stop in pairwise(edges):
        for dimension, size in enumerate(sizes):
            predictions[start:stop, dimension] = _median(video.predictions[start:stop, dimension], size)
    return replace(video, predictions=predictions)


def _median(values: np.ndarray, size: int) -> np.ndarray:
    # Mirrored here, because SciPy 1.17's own mirroring is wrong where the filter is many times longer than the run.
    half = size // 2
    return median_filter(np.pad(values, half, mode="symmetric"), size)[half : half + len(values)]
