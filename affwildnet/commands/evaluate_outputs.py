"""What `affwildnet evaluate` writes on request, a second report, predictions and an export; checked beforehand."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from affwildnet.evaluation import selection
from affwildnet.evaluation.reporting import submission_rules
from affwildnet.evaluation.selection import Choices, Selected
from affwildnet.experiments.overrides import to_json
from affwildnet.export.export_checks import check_export_folder
from affwildnet.runs import best, report_names
from affwildnet.runs.card import SAVED_MODEL
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import check_place, regular

# Fields of a report that say what it is of.
_SAME = ("experiment", "checkpoint", "split", "protocol", "configuration")


def check_places(options: argparse.Namespace) -> None:
    """Raise a `UserError` for a place where what is asked for cannot be written; needs nothing of TensorFlow."""
    if options.report:
        if options.report.is_dir():
            raise UserError(f"`--report` must be a file. Received: {options.report}, a folder.")
        check_place(options.report.parent)
        if options.report.exists():
            _report_at(options.report)
    if options.export:
        check_place(options.export)
        check_export_folder(options.export, SAVED_MODEL)
    if options.report and options.export and _overlap(options.report, options.export):
        raise UserError(
            f"`report` and `export` must not lie in each other. Received: {options.report} and {options.export}. An "
            "export is a whole folder."
        )


def check_export(workdir: Workdir, checkpoint: str, options: argparse.Namespace) -> None:
    """See before the work is done that an export would replace one of another network."""
    from affwildnet.export.export_folders import check_replaceable
    from affwildnet.runs import card, checkpoints

    if options.export.exists() and not options.overwrite and not options.fuse:
        try:
            found = best.find(workdir, checkpoint)
        except UserError:  # a run in stages: seen when it is written
            return
        check_replaceable(options.export, SAVED_MODEL, checkpoints.load(found), card.read(found), overwrite=False)


def check(selected: Sequence[Selected], choices: Choices, options: argparse.Namespace) -> None:
    """See before the work is done that what is asked for can be written; needs nothing of TensorFlow.

    Args:
      selected: the checkpoint, or that of each fold.
    """
    first = selected[0]
    folder = options.workdir if options.all_folds else first.workdir.path
    corpora = [each.corpus(choices.split) for each in selected]
    protocol = first.experiment.protocol
    if options.all_folds:
        protocol = selection.protocol_of_folds(protocol)
    experiment = replace(first.configured, protocol=protocol)
    if options.predictions:
        stem = report_names.stem(choices.split, choices.label(first.trained_on))
        path = folder / _predictions_name(stem, options.predictions)
        names = [entry.video for corpus in corpora for entry in corpus.videos]
        submission_rules.check(options.predictions, names, experiment.model.head == "expression", corpora[0], path)
    if options.report:
        checkpoint = options.workdir if options.all_folds else first.checkpoint
        report = {"experiment": experiment.name, "checkpoint": str(checkpoint), "split": choices.split}
        report |= {"protocol": protocol, "configuration": to_json(experiment)}
        _check_report(options.report, report, options.overwrite)


def write(outcome, options: argparse.Namespace) -> None:
    """Write what the flags ask for beside the report of a run that was scored, and print where it is."""
    from affwildnet.runs.json_files import write_json

    predicted, report = outcome.predicted, outcome.report.to_json()
    if options.predictions:
        from affwildnet.evaluation.reporting import submissions

        beside = outcome.paths["report"]
        path = beside.with_name(_predictions_name(beside.stem, options.predictions))
        config = predicted.experiment.evaluation
        remarks = submissions.write(predicted.final, options.predictions, path, predicted.corpus, config)
        print("\n".join([f"{'predictions':<12}{path}", *remarks]))
    if options.report:
        _check_report(options.report, report, options.overwrite)
        options.report.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.report, report)
        print(f"{'report':<12}{options.report}")
    if options.export:
        from affwildnet.export import saved_model
        from affwildnet.runs import card

        provenance = {key: report[key] for key in ("experiment", "checkpoint", "step", "versions")}
        described = card.read(predicted.checkpoint)
        saved_model.write(predicted.model, options.export, provenance, described, options.overwrite)
        print(f"{'SavedModel':<12}{options.export}")


def _predictions_name(stem: str, format: str) -> str:
    name = stem.replace("report", f"predictions-{format}", 1)
    return name if format == "aff_wild2" else f"{name}.csv"


def _report_at(path: Path) -> dict:
    """Return the report in a file; raise a `UserError` for a file of another kind, which is never replaced."""
    try:
        found = json.loads(regular(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not (isinstance(found, dict) and all(name in found for name in _SAME)):
        raise UserError(
            f"`report` must be a new file, or a report. Received: {path}, which is something else. Delete it, or "
            "choose another file."
        )
    return found


def _check_report(path: Path, report: dict, overwrite: bool) -> None:
    if not path.exists():
        return
    found = _report_at(path)
    expected = json.loads(json.dumps({name: report.get(name) for name in _SAME}))
    if not overwrite and any(found[name] != value for name, value in expected.items()):
        raise UserError(
            f"`report` must be a new file, or a report of the same checkpoint, split and options. Received: {path}, "
            "which is something else. Replace it with `overwrite`, or choose another file."
        )


def _overlap(one: Path, other: Path) -> bool:
    first, second = one.resolve(), other.resolve()
    return first.is_relative_to(second) or second.is_relative_to(first)
