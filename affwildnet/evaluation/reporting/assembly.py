"""Assemble the report of one scored split from its scores, its experiment and its corpus."""

from dataclasses import dataclass, replace
from pathlib import Path

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting.comparison import published_rows
from affwildnet.evaluation.reporting.report import (
    Against,
    Counts,
    Dropped,
    FusedMember,
    LeftOutVideo,
    PackedCorpus,
    PostProcessed,
    Report,
    SplitSize,
)
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.scoring.protocols import Scored
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import to_json
from affwildnet.metrics import Scores
from affwildnet.runs import rehearsals
from affwildnet.runs.training_data import TrainingData, fingerprint
from affwildnet.runs.workdir import versions
from tfrecords_tools.records.packed_corpus import Manifest
from tfrecords_tools.records.schema import SPLITS


@dataclass(frozen=True)
class Source:
    """What the predictions of a split were made by and for.

    Attributes:
      experiment: how they are scored.
      corpus: the split.
      checkpoint: the network's file; of folds, the folder of all of them.
      step: its training step; None where it is not known.
      training_data: what the network was trained on; None where it is not known.
      configured: the experiment with all its stages, of which one is scored; None where there are none.
      stage: name of that one; "" without stages.
      rehearsal: why the run is a rehearsal; None where its experiment alone is known.
      members: of a fusion of decisions.
    """

    experiment: Experiment
    corpus: Corpus
    checkpoint: Path
    step: int | None = None
    training_data: TrainingData | None = None
    configured: Experiment | None = None
    stage: str = ""
    rehearsal: tuple[str, ...] | None = None
    members: tuple[FusedMember, ...] = ()


def assemble(
    source: Source,
    evaluation: Evaluation,
    scored: Scored,
    *,
    baselines: dict[str, Scores] | None = None,
    post_processing: PostProcessed | None = None,
    against: Against | None = None,
) -> Report:
    """Return the report of an evaluation.

    Args:
      source: what the evaluation is of.
      evaluation: the predictions, after post-processing.
      scored: their scores.
      baselines: scores of simple predictors on the same split, by name.
      post_processing: what it changed; None where none was asked for.
      against: the comparison with another checkpoint.
    """
    experiment = source.experiment
    report = Report(
        experiment=experiment.name,
        checkpoint=source.checkpoint,
        step=source.step,
        split=evaluation.split,
        folds=evaluation.folds,
        corpus=_corpus(source),
        counts=Counts(
            videos=len(evaluation.videos),
            frames=sum(len(video.frames) for video in evaluation.videos),
            frames_labelled=evaluation.frames_labelled,
            frames_scored=evaluation.frames_scored,
        ),
        dropped=dropped(evaluation, source.corpus),
        protocol=experiment.protocol,
        scored=scored,
        post_processing=post_processing,
        baselines=baselines or {},
        published=(),
        against=against,
        configuration=to_json(source.configured or experiment),
        stage=source.stage,
        versions=versions(),
        initial_weights=rehearsals.initial_weights(experiment.training.init),
        rehearsal=source.rehearsal if source.rehearsal is not None else rehearsals.of_experiment(experiment),
        members=source.members,
    )
    return replace(report, published=published_rows(report, experiment.published))


def _sizes(packed: Manifest) -> dict[str, SplitSize]:
    """Return how much there is of each split that has videos, and of all of them."""
    by_split = {split: [entry for entry in packed.videos if entry.split == split] for split in SPLITS}
    return {
        split: SplitSize(
            len(entries),
            len({entry.subject for entry in entries}),
            sum(entry.frames for entry in entries),
            sum(entry.frames_labelled for entry in entries),
        )
        for split, entries in {**by_split, "all": packed.videos}.items()
        if entries
    }


def _corpus(source: Source) -> PackedCorpus:
    packed, entries, trained = source.corpus.manifest, source.corpus.videos, source.training_data
    return PackedCorpus(
        packed.name,
        packed.layout,
        source.corpus.folder,
        packed.labelling,
        fingerprint=fingerprint(entries),
        trained_on=trained.fingerprint if trained else "",
        seen=tuple(trained.seen(entries)) if trained else (),
        replaced=trained.replaced if trained else (),
        alignment=packed.alignment,
        margin=packed.margin,
        image_size=packed.image_size,
        detector=packed.detector,
        landmarks=packed.landmarks,
        sizes=_sizes(packed),
    )


def dropped(evaluation: Evaluation, corpus: Corpus) -> Dropped:
    """Return what was not scored of the split's source videos: frames by reason, and videos with theirs."""
    keys = {video.key for video in evaluation.videos}
    entries = [entry for entry in corpus.manifest.videos if (entry.video, entry.subject) in keys]
    return Dropped(
        frames_decoded=sum(entry.frames_decoded for entry in entries),
        frames_without_face=sum(entry.frames_without_face for entry in entries),
        frames_removed=sum(entry.frames_removed for entry in entries),
        frames_unlabelled=sum(len(video.frames) - int(video.labelled.sum()) for video in evaluation.videos),
        left_out=tuple(
            LeftOutVideo(left.video, left.reason)
            for left in corpus.manifest.left_out
            if left.split == corpus.split or evaluation.folds  # each fold tests on videos of every split
        ),
    )
