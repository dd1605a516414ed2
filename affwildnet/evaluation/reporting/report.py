"""The report of one scored split: what it holds, and its files: JSON, per-frame CSV, plots, and a page of it all."""

import dataclasses
from pathlib import Path

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import page, plots, submissions, worst_moments
from affwildnet.evaluation.reporting.comparison import differences
from affwildnet.evaluation.scoring import intervals
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.evaluation.scoring.protocols import Scored
from affwildnet.experiments.config import PROTOCOLS, Experiment
from affwildnet.experiments.overrides import to_json
from affwildnet.runs.json_files import read_lines, write_json
from affwildnet.runs.workdir import Workdir, versions
from tfrecords_tools.files import whole


def contents(
    evaluation: Evaluation,
    scored: Scored,
    experiment: Experiment,
    corpus: Corpus,
    checkpoint: Path,
    step: int | None,
    baselines: dict[str, dict],
    post_processing: dict | None = None,
    against: dict | None = None,
) -> dict:
    """Return the report as what `json` can write.

    Args:
      evaluation: what was scored, after post-processing.
      scored: its scores.
      corpus: the split that was scored.
      step: of the checkpoint; None where it is not known.
      baselines: scores by name.
      post_processing: `{"chosen": {step: {dimension: size}}, "validation": {"before", "after"}, "without": scores}`.
      against: `{"workdir", "checkpoint", "difference": as protocols.paired returns it}`.
    """
    packed = corpus.manifest
    report = {
        "experiment": experiment.name,
        "checkpoint": str(checkpoint),
        "step": step,
        "split": evaluation.split,
        "folds": list(evaluation.folds),
        "corpus": {"name": packed.name, "layout": packed.layout, "folder": str(corpus.folder)},
        "videos": len(evaluation.videos),
        "frames": sum(len(video.frames) for video in evaluation.videos),
        "frames_labelled": evaluation.frames_labelled,
        "frames_scored": evaluation.frames_scored,
        "dropped": dropped(evaluation, corpus),
        "protocol": experiment.protocol,
        "protocol_told": PROTOCOLS[experiment.protocol],
        "unit": scored.unit,
        "units": scored.units,
        **scored.scores,
        "intervals": scored.intervals,
        "interval": {"level": intervals.LEVEL, "resamples": scored.resamples, "over": scored.over},
        "undefined": scored.undefined,
        "others": scored.others,
        "regions": scored.regions,
        **({} if scored.confusion is None else {"confusion": scored.confusion}),
        "post_processing": post_processing,
        "baselines": baselines,
    }
    return {
        **report,
        "published": [{**dataclasses.asdict(row), "differs": differences(row, report)} for row in experiment.published],
        "per_video": scored.per_video,
        "against": against,
        "configuration": to_json(experiment),
        "versions": versions(),
    }


def dropped(evaluation: Evaluation, corpus: Corpus) -> dict:
    """Return what of the split's source videos was not scored: frames by reason, and videos left out with theirs."""
    keys = {video.key for video in evaluation.videos}
    entries = [entry for entry in corpus.manifest.videos if (entry.video, entry.subject) in keys]
    return {
        "frames_decoded": sum(entry.frames_decoded for entry in entries),
        "frames_without_face": sum(entry.frames_without_face for entry in entries),
        "frames_removed": sum(entry.frames_removed for entry in entries),
        "frames_unlabelled": sum(len(video.frames) - int(video.labelled.sum()) for video in evaluation.videos),
        "left_out": [
            {"video": left.video, "reason": left.reason}
            for left in corpus.manifest.left_out
            if left.split == corpus.split or evaluation.folds  # each fold tests on videos of every split
        ],
    }


def write(report: dict, evaluation: Evaluation, corpus: Corpus, workdir: Workdir) -> dict[str, Path]:
    """Write `report-<split>.json`, `.csv`, `.html` and its plots; return their paths by what they hold."""
    stem = f"report-{evaluation.split}"
    names = {name: workdir.path / f"{stem}-{name}.png" for name in plots.CAPTIONS}
    logs = read_lines(workdir.training_log), read_lines(workdir.metrics)
    paths = plots.draw(evaluation, *logs, report["step"], names)
    for name in names.keys() - paths.keys():
        names[name].unlink(missing_ok=True)  # an earlier report's, which this one has nothing to draw for
    paths["page"] = workdir.path / f"{stem}.html"
    pictures = {name: path.read_bytes() for name, path in paths.items() if name in names}
    with whole(paths["page"]) as partial:
        partial.write_text(page.page(report, pictures, worst_moments.worst(evaluation, corpus)), "utf-8")
    paths["predictions"] = workdir.path / f"{stem}.csv"
    submissions.write(evaluation, "frames", paths["predictions"])
    paths["report"] = workdir.path / f"{stem}.json"
    write_json(paths["report"], report)
    return paths
