"""The report of one scored split, as data; `to_json` returns what `report-<split>.json` holds."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affwildnet.evaluation.scoring.intervals import Differences
from affwildnet.evaluation.scoring.postprocessing import Chosen
from affwildnet.evaluation.scoring.protocols import Scored
from affwildnet.experiments.config import PROTOCOLS
from affwildnet.experiments.published import Published
from affwildnet.metrics import Scores
from tfrecords_tools.errors import count


@dataclass(frozen=True)
class SplitSize:
    """How much there is of a split: videos, subjects, frames with a face, and those with a label."""

    videos: int
    subjects: int
    frames: int
    frames_labelled: int


@dataclass(frozen=True)
class PackedCorpus:
    """The corpus that was scored.

    Attributes:
      name: as its manifest has it.
      layout: of the dataset that it was packed from.
      folder: where it lies.
      labelling: whose mean its labels are and how they were shifted, for a person; "" where they are the dataset's own.
      fingerprint: of the records that were scored, see `training_data.fingerprint`.
      trained_on: fingerprint of the videos that the network was trained on; "" where it is not known.
      seen: names of scored videos that the network was trained on.
      replaced: what it was trained on before, where it went on with other data.
      alignment, margin, image_size: how the crops were cut out, and their side in pixels.
      detector, landmarks: as the manifest says; "" where it does not.
      sizes: how much there is of each split, and under "all" of all of them.
    """

    name: str
    layout: str
    folder: Path
    labelling: str = ""
    fingerprint: str = ""
    trained_on: str = ""
    seen: tuple[str, ...] = ()
    replaced: tuple[dict, ...] = ()
    alignment: str = ""
    margin: float = 0.0
    image_size: int = 0
    detector: str = ""
    landmarks: str = ""
    sizes: dict[str, SplitSize] = field(default_factory=dict)

    def to_json(self) -> dict:
        return {
            "name": self.name,
            "layout": self.layout,
            "folder": str(self.folder),
            **{name: getattr(self, name) for name in ("alignment", "margin", "image_size", "detector", "landmarks")},
            "sizes": {split: vars(size) for split, size in self.sizes.items()},
            **({"labelling": self.labelling} if self.labelling else {}),
            "fingerprint": self.fingerprint,
            "trained_on": self.trained_on,
            "seen_in_training": list(self.seen),
            "training_data_replaced": list(self.replaced),
        }

    def warnings(self, split: str) -> list[str]:
        """Return what a reader of scores on this split must know first, a sentence each."""
        found = []
        if self.seen and split != "train":
            number = len(self.seen)
            which = "1 of the scored videos was" if number == 1 else f"{number} of the scored videos were"
            found.append(
                f"{which} among those that the network was trained on, such as {self.seen[0]}: these are not scores on "
                "unseen data."
            )
        if self.replaced:
            found.append(f"The training videos were changed {len(self.replaced)} times while this network was trained.")
        return found


@dataclass(frozen=True)
class Counts:
    """How much was scored.

    Attributes:
      videos: number of videos.
      frames: number of frames with a face.
      frames_labelled: number of labelled frames that the manifest lists.
      frames_scored: number of labelled frames that were scored.
    """

    videos: int
    frames: int
    frames_labelled: int
    frames_scored: int


@dataclass(frozen=True)
class LeftOutVideo:
    """A video that packing left out, and why."""

    video: str
    reason: str


@dataclass(frozen=True)
class Dropped:
    """What was not scored of the split's source videos.

    Attributes:
      frames_decoded: number of frames of the source videos.
      frames_without_face: how many of them have no face.
      frames_removed: in how many the track jumps as no face does.
      frames_unlabelled: how many frames with a face have no label.
      left_out: videos that packing left out.
    """

    frames_decoded: int
    frames_without_face: int
    frames_removed: int
    frames_unlabelled: int
    left_out: tuple[LeftOutVideo, ...]


@dataclass(frozen=True)
class PublishedRow:
    """A row of a paper's table.

    Attributes:
      row: as it was published.
      differs: a sentence for each thing in which the row and the report differ.
      same: what was checked and is the same, in a few words each.
      unknown: what cannot be known, in a few words each.
      own: whether it is a row of the experiment that was scored; one that is not stands beside them for its table to be
        whole, and is not compared.
    """

    row: Published
    differs: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    own: bool = True

    def to_json(self) -> dict:
        found = {name: list(getattr(self, name)) for name in ("differs", "same", "unknown")}
        return {**dataclasses.asdict(self.row), "own": self.own, **found}


@dataclass(frozen=True)
class PostProcessed:
    """What post-processing changed.

    Attributes:
      chosen: what was chosen, and what it changed on the validation split.
      without: the scores of the network's own predictions.
    """

    chosen: Chosen
    without: Scores

    def to_json(self) -> dict:
        return {**self.chosen.to_json(), "without": self.without}


@dataclass(frozen=True)
class FusedMember:
    """A network of a fusion of decisions.

    Attributes:
      configuration: the fields of its experiment, as JSON can hold them.
      initial_weights: where the weights that its training began with come from; "" where it is not known.
      rehearsal: why its run is a rehearsal; empty where it is none.
      stage: name of the stage whose network it is; "" for a run without stages.
    """

    configuration: dict[str, Any]
    initial_weights: str = ""
    rehearsal: tuple[str, ...] = ()
    stage: str = ""


@dataclass(frozen=True)
class Against:
    """The comparison with another checkpoint on the same videos.

    Attributes:
      workdir: its working directory.
      checkpoint: its file.
      difference: this checkpoint's scores minus those of the other.
    """

    workdir: Path
    checkpoint: Path
    difference: Differences

    def to_json(self) -> dict:
        difference = {
            metric: {name: each.to_json() for name, each in row.items()} for metric, row in self.difference.items()
        }
        return {"workdir": str(self.workdir), "checkpoint": str(self.checkpoint), "difference": difference}


@dataclass(frozen=True)
class Report:
    """The report of one scored split.

    Attributes:
      experiment: its name.
      checkpoint: the network's file; of folds, the folder of all of them.
      step: training step of the checkpoint; None where it is not known.
      split: its name.
      folds: number of videos of each fold; empty without folds.
      corpus: that was scored.
      counts: how much was scored.
      dropped: what was not scored.
      protocol: a key of `experiments.config.PROTOCOLS`.
      scored: the scores, after post-processing.
      post_processing: None where none was asked for.
      baselines: scores of simple predictors on the same split, by name.
      published: the papers' tables that have a row of the experiment, whole.
      against: the comparison with another checkpoint, if any.
      configuration: the experiment's fields, as JSON can hold them.
      stage: name of the stage that was scored; "" for a run without stages.
      versions: of the packages.
      initial_weights: where the weights that training began with come from; "" where it is not known.
      rehearsal: why this is a rehearsal of the paper's run, and no attempt at it; empty where it is none.
      members: of a fusion of decisions; empty for other networks, and where they are not known.
    """

    experiment: str
    checkpoint: Path
    step: int | None
    split: str
    folds: tuple[int, ...]
    corpus: PackedCorpus
    counts: Counts
    dropped: Dropped
    protocol: str
    scored: Scored
    post_processing: PostProcessed | None
    baselines: dict[str, Scores]
    published: tuple[PublishedRow, ...]
    against: Against | None
    configuration: dict[str, Any]
    versions: dict[str, str]
    initial_weights: str = ""
    rehearsal: tuple[str, ...] = ()
    stage: str = ""
    members: tuple[FusedMember, ...] = ()

    @property
    def rehearsed(self) -> str:
        """A sentence that calls a rehearsal one; "" where it is none."""
        if not self.rehearsal:
            return ""
        return f"A rehearsal: {', '.join(self.rehearsal)}. It says nothing of the paper's numbers."

    @property
    def protocol_summary(self) -> str:
        """How the protocol scores."""
        summary = PROTOCOLS[self.protocol]
        return f"{len(self.folds)} {summary}" if self.protocol == "folds" and len(self.folds) > 1 else summary

    def summary(self) -> str:
        """Return what was scored, in one line."""
        counts = self.counts
        name = f"{self.experiment} (a rehearsal)" if self.rehearsal else self.experiment
        thing = "utterance" if self.scored.unit == "utterances" else "video"
        return (
            f"{name}, {self.checkpoint}: {counts.frames_scored} of {counts.frames_labelled} labelled frames "
            f"of {count(counts.videos, f'{self.split} {thing}')} scored"
        )

    def to_json(self) -> dict:
        """Return what `report-<split>.json` holds."""
        scored, intervals = self.scored, self.scored.intervals
        return {
            "experiment": self.experiment,
            "checkpoint": str(self.checkpoint),
            "step": self.step,
            **({"stage": self.stage} if self.stage else {}),
            "split": self.split,
            "folds": list(self.folds),
            "corpus": self.corpus.to_json(),
            **vars(self.counts),
            "dropped": dataclasses.asdict(self.dropped),
            "protocol": self.protocol,
            "protocol_summary": self.protocol_summary,
            "unit": scored.unit,
            "units": scored.units,
            **scored.scores,
            "intervals": intervals.ends,
            "interval": {
                "level": intervals.level,
                "resamples": intervals.resamples,
                "over": intervals.over,
                "number": intervals.number,
                **({"warning": intervals.warning} if intervals.warning else {}),
            },
            "undefined": {str(each): each.reason for each in scored.undefined},
            "others": [other.to_json() for other in scored.others],
            "regions": [region.to_json() for region in scored.regions],
            **({} if scored.confusion is None else {"confusion": scored.confusion}),
            "post_processing": self.post_processing and self.post_processing.to_json(),
            "baselines": self.baselines,
            "published": [row.to_json() for row in self.published],
            "per_video": [row.to_json() for row in scored.per_video],
            "against": self.against and self.against.to_json(),
            "rehearsal": list(self.rehearsal),
            "initial_weights": self.initial_weights,
            **({"members": [dataclasses.asdict(member) for member in self.members]} if self.members else {}),
            "configuration": self.configuration,
            "versions": self.versions,
        }
