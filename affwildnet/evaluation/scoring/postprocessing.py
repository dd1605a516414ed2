"""The post-processing of omg2019 section 6.3: a median filter over frames, then smoothing over utterances.

The size of each step is chosen for valence and arousal separately, on the validation split, and kept only where it
raises the CCC there under the experiment's protocol. The same sizes are then applied to any other split. Only a
validation split can make the choice: `choose` refuses every other one, and no other function makes a `PostProcessing`
that changes predictions.
"""

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from itertools import pairwise

import numpy as np
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
class ChosenStep:
    """The size of one step that was chosen.

    Attributes:
      step: one of `STEPS`.
      sizes: by dimension.
      fold: number of the fold that it was chosen for; None without folds.
    """

    step: str
    sizes: dict[str, int]
    fold: int | None = None

    def __str__(self) -> str:
        return self.step if self.fold is None else f"fold {self.fold}, {self.step}"


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and what it changed on the validation split.

    Attributes:
      steps: each step, of each fold where there are folds.
      before: CCC of the validation split without it: `valence`, `arousal`, `mean`; of folds the mean over them.
      after: the same with it.
    """

    steps: tuple[ChosenStep, ...]
    before: dict[str, float]
    after: dict[str, float]

    def to_json(self) -> dict:
        steps = {str(step): step.sizes for step in self.steps}
        return {"chosen": steps, "validation": {"before": self.before, "after": self.after}}


@dataclass(frozen=True)
class PostProcessing:
    """What is done to predictions; only `choose` and `none` make one.

    Attributes:
      median_filter: frames that the filter spans, odd, for valence and for arousal; 1 leaves the predictions.
      smoothing: utterances on each side that an utterance is averaged with, for valence and for arousal; 0 is none.
      before: CCC of the validation split without it: `valence`, `arousal`, `mean`; empty where nothing was tried.
      after: the same with it.
      sequence: frames of a sequence, which the filter stays in with the protocol "utterances"; 0 where there are none,
        and it stays within consecutive frames.
    """

    median_filter: tuple[int, int]
    smoothing: tuple[int, int]
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    sequence: int = 0
    made: InitVar[object] = None

    def __post_init__(self, made: object) -> None:
        if made is not _CHOSEN:
            raise TypeError("Only `postprocessing.choose`, on a validation split, and `none` make a PostProcessing.")

    def apply(self, evaluation: Evaluation) -> Evaluation:
        """Return the evaluation with filtered predictions and with `smoothing` set for its utterances.

        The protocol `utterances` computes and smooths the utterances themselves. Apply it once: what it returns must
        not be processed again.

        Raises:
          UserError: if the predictions are not valence and arousal.
        """
        if (self.median_filter, self.smoothing) == ((1, 1), (0, 0)):
            return evaluation
        outputs = evaluation.videos[0].predictions.shape[1]
        if outputs != len(DIMENSIONS):
            raise UserError(
                f"Post-processing is for valence and arousal. Received: {outputs} predicted values a frame."
            )
        videos = [_filtered(video, self.median_filter, self.sequence) for video in evaluation.videos]
        return Evaluation.of(
            evaluation.split, videos, evaluation.frames_labelled, folds=evaluation.folds, smoothing=self.smoothing
        )

    def chosen(self) -> Chosen:
        """Return what was chosen, for the report."""
        steps = [ChosenStep(name, dict(zip(DIMENSIONS, getattr(self, name), strict=True))) for name in STEPS]
        return Chosen(tuple(steps), self.before, self.after)


def none() -> PostProcessing:
    """Return the post-processing that leaves predictions as they are."""
    return _make()


def over_folds(chosen: Sequence[Chosen]) -> Chosen:
    """Return the steps of all folds, and the mean of the CCCs on their validation parts."""
    steps = [replace(step, fold=number) for number, each in enumerate(chosen, start=1) for step in each.steps]
    before, after = (
        {name: float(np.mean([getattr(each, when)[name] for each in chosen])) for name in getattr(chosen[0], when)}
        for when in ("before", "after")
    )
    return Chosen(tuple(steps), before, after)


def choose(validation: Evaluation, protocol: str, config: EvaluationConfig) -> PostProcessing:
    """Return the sizes that raise the CCC of a validation split most, step by step.

    The filter is chosen first, then the smoothing of the filtered predictions. Of sizes with the same CCC the smallest
    is chosen, so that a step which does not help is left out. The protocols "frames" and "folds" have no utterances to
    smooth.

    Args:
      validation: the network's own predictions for the validation split.
      protocol: how the CCC is computed, a key of `experiments.config.PROTOCOLS`.
      config: `post_process` names the steps that are tried.

    Raises:
      UserError: if the split is not the validation split.
      UserError: if a step is unknown, or the protocol has no CCC.
    """
    if validation.split != "validation":
        raise UserError(f"Post-processing must be chosen on the split validation. Received: {validation.split}")
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
    utterances = protocol == "utterances"
    radii = RADII if "smoothing" in config.post_process and utterances else RADII[:1]
    sequence = config.sequence if utterances else 0

    def ccc(evaluation: Evaluation) -> dict[str, float]:
        return ranking(evaluation, protocol, config)

    size = _best("median filters", sizes, lambda size: ccc(_make((size, size), sequence=sequence).apply(validation)))
    filtered = _make(size, sequence=sequence).apply(validation)
    radius = _best("smoothing", radii, lambda radius: ccc(replace(filtered, smoothing=(radius, radius))))
    return _make(size, radius, ccc(validation), ccc(replace(filtered, smoothing=radius)), sequence)


def _make(
    median_filter: tuple[int, int] = (1, 1),
    smoothing: tuple[int, int] = (0, 0),
    before: dict[str, float] | None = None,
    after: dict[str, float] | None = None,
    sequence: int = 0,
) -> PostProcessing:
    return PostProcessing(median_filter, smoothing, before or {}, after or {}, sequence, made=_CHOSEN)


def _best(what: str, choices: Sequence[int], scored: Callable[[int], dict[str, float]]) -> tuple[int, int]:
    """Return the choice with the highest score for each dimension; of equal ones the first, which changes least."""
    if len(choices) == 1:
        return choices[0], choices[0]
    rows = {choice: scored(choice) for choice in tqdm(choices, desc=what, unit="choice", leave=False, disable=None)}
    valence, arousal = (max(choices, key=lambda choice, name=name: rows[choice][name]) for name in DIMENSIONS)
    return valence, arousal


def _filtered(video: VideoPredictions, sizes: tuple[int, int], sequence: int) -> VideoPredictions:
    """Return a video whose predictions are running medians within each sequence, or segment of consecutive frames.

    omg2019 section 6.3 filters within a sequence, wherever frames are missing in it. At the ends of a segment its
    values are mirrored (edge included): a segment shorter than the filter then tends to its own median, where repeated
    edges would outvote the frames between them.
    """
    predictions = video.predictions.copy()
    inner = range(sequence, len(video.frames), sequence) if sequence else np.flatnonzero(np.diff(video.frames) != 1) + 1
    edges = [0, *inner, len(video.frames)]
    for start, stop in pairwise(edges):
        for dimension, size in enumerate(sizes):
            predictions[start:stop, dimension] = _median(video.predictions[start:stop, dimension], size)
    return replace(video, predictions=predictions)


def _median(values: np.ndarray, size: int) -> np.ndarray:
    from scipy.ndimage import median_filter

    # SciPy 1.17's own mirroring is wrong where the filter is many times longer than the segment.
    half = size // 2
    return median_filter(np.pad(values, half, mode="symmetric"), size)[half : half + len(values)]
