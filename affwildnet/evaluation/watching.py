"""Watching a run beside its trainer: score each new checkpoint on validation, keep the best, say when to stop."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from affwildnet.data import Corpus
from affwildnet.data.corpus import CorpusError
from affwildnet.data.frozen_features import FrozenFeatures
from affwildnet.evaluation import waiting, watched_data
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.scoring.protocols import score
from affwildnet.evaluation.validation_board import ValidationBoard, loss_of
from affwildnet.evaluation.watched_data import WatchedData
from affwildnet.runs import best, best_each, checkpoint_files, checkpoints
from affwildnet.runs.json_files import append_line, read_lines, write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

_log = logging.getLogger(__name__)

# What chooses checkpoints, and nothing else may.
SPLIT = "validation"
_GONE = "deleted before it could be scored"


def watch(
    workdir: Workdir | Path | str,
    data_dir: Path | None = None,
    patience: int | None = None,
    timeout_minutes: float = 0,
) -> int:
    """Score each new checkpoint of a run, which need not have begun; return the exit status.

    In a run in stages, one stage after the other is watched until it is finished.

    Args:
      data_dir: the packed corpus; None is the one that the run is trained on.
      patience: checkpoints without a better one after which training is stopped; 0 never stops it, None is what the
        experiment says.
      timeout_minutes: give up after so long without a new checkpoint or stage; 0 waits without end.

    Raises:
      UserError: if it gave up, or something cannot be used.
    """
    workdir = Workdir.at(workdir)
    waiting.until_begun(workdir, timeout_minutes)
    run = workdir.open()
    waiting.check_trained(workdir, run)
    patience = run.experiment.evaluation.patience if patience is None else patience
    if patience < 0:
        raise UserError(f"`patience` must be at least 0. Received: {patience}")
    if not run.stages:
        return Watcher(replace(run, data_dir=data_dir or run.data_dir), workdir, patience).run(timeout_minutes)
    for stage in _stages_as_they_begin(workdir, timeout_minutes):
        _log.info(f"stage {stage.path.name}")
        watch(stage, data_dir, patience, timeout_minutes)
    return 0


def _stages_as_they_begin(workdir: Workdir, timeout_minutes: float) -> Iterator[Workdir]:
    """Yield the working directory of each stage once it has begun, until the run is finished."""
    to_come = [workdir.of_stage(stage.name) for stage in workdir.open().stages]
    since = time.monotonic()
    while to_come:
        # Read before the folders: a stage that began before this mark is then seen.
        finished = workdir.reason_finished()
        # The first that has begun: `train.py --stage` may leave out those before it.
        stage = next((stage for stage in to_come if stage.begun), None)
        if stage:
            yield stage
            to_come.remove(stage)
            since = time.monotonic()
        elif finished:
            break
        else:
            waiting.a_little(workdir, since, timeout_minutes)


class Watcher:
    """Scores the checkpoints of a run without stages, by the experiment's protocol, without post-processing.

    `metrics.jsonl` has a line for each checkpoint scored, so that a watcher can be killed and started again, and scores
    none twice. A checkpoint is held under a second name while it is scored, so that the trainer may delete it.
    """

    def __init__(self, run: Run, workdir: Workdir, patience: int = 0):
        self._data = WatchedData(run, workdir, SPLIT)
        self._experiment = run.experiment
        self._workdir = workdir
        self._evaluator = Evaluator(self._data.corpus, run.experiment.evaluation, features=self._features)
        self._patience = patience
        # Networks of their own for valence and arousal: the best mean is made of the best of each, see `best_each`.
        self._separate = run.experiment.model.separate
        self._model: keras.Model | None = None
        self._scored = read_lines(workdir.metrics)
        # Files that could not be scored. A resumed trainer may write the same step again, as another file.
        self._bad: set[tuple] = set()
        folder, name = workdir.tensorboard(SPLIT), str(workdir.path.resolve())
        self._board = ValidationBoard(folder, run.experiment, self._data.corpus, name)

    def run(self, timeout_minutes: float = 0) -> int:
        """Watch until the trainer has finished and all its checkpoints are scored; return the exit status.

        Args:
          timeout_minutes: give up after so long without a new checkpoint; 0 waits without end.

        Raises:
          UserError: if it gave up.
        """
        with self._workdir.locked("watcher"), self._board:
            return self._watch(timeout_minutes)

    def _watch(self, timeout_minutes: float) -> int:
        waiting_since = time.monotonic()
        self._workdir.check_scores()
        self._data.check(self._scored)
        if self._separate:
            best_each.compose(self._workdir)  # which a killed watcher may not have come to
        self._workdir.metrics.touch()  # lets the trainer of a later stage know that this one is watched
        _log.info(f"watching {self._workdir.checkpoints}")
        while True:
            # Read before the folder: a checkpoint that was written before this mark is then seen.
            finished = self._workdir.reason_finished()
            new = self._new()
            for path in new:
                self._data.check(self._scored)
                self._score(path)
                self._judge()
            if new:
                waiting_since = time.monotonic()
            elif finished:
                number = len(self._good)
                scored = "1 checkpoint was" if number == 1 else f"{number} checkpoints were"
                _log.info(f"the trainer has finished; {scored} scored ({finished})")
                return 0
            elif timeout_minutes and time.monotonic() - waiting_since > timeout_minutes * 60:
                raise UserError(
                    f"{self._workdir.checkpoints}: no new checkpoint for {timeout_minutes:g} minutes. Does it run?"
                )
            else:
                time.sleep(waiting.POLL_SECONDS)

    @property
    def _good(self) -> list[dict]:
        return [line for line in self._scored if best.ranking(line)]

    def _new(self) -> list[Path]:
        done = {line["step"] for line in self._good}
        listed = {best.step_of(path): path for path in checkpoints.listed(self._workdir.checkpoints)}
        for path in best.held(self._workdir):  # what a killed watcher was at, and the trainer may have deleted since
            if best.step_of(path) in done or best.step_of(path) in listed:
                path.unlink(missing_ok=True)
            else:
                listed[best.step_of(path)] = path
        return [path for step, path in sorted(listed.items()) if step not in done and _state(path) not in self._bad]

    def _score(self, path: Path) -> None:
        step, state = best.step_of(path), _state(path)
        began = time.monotonic()
        try:
            # Before it is held: the trainer deletes a note after its checkpoint.
            checkpoint_files.check_note(path, needed=checkpoint_files.step_of(path) is not None)
            held = best.hold(path, self._workdir)
        except FileNotFoundError:
            self._pass_over(path, state, _GONE)
            return
        except UserError as error:
            gone = not path.exists()
            self._pass_over(path, state, _GONE if gone else str(error).replace(f"{path}: ", ""))
            return
        try:
            # The first one is loaded whole; the others have the same network, so only their weights are.
            if self._model is None:
                self._model = checkpoints.load(held)
            else:
                checkpoints.load_weights(self._model, held)
            evaluation = self._evaluator(self._model)
            scored = score(evaluation, self._experiment.protocol, self._experiment.evaluation, resamples=0)
        except CorpusError:  # no other checkpoint could be scored either; this one is held for the next watcher
            raise
        except UserError as error:
            held.unlink()
            self._pass_over(path, state, str(error).replace(f"{held}: ", ""))
            return
        line = {"step": step, "split": SPLIT, "frames_scored": evaluation.frames_scored, **scored.scores}
        line[watched_data.KEY] = self._data.fingerprint
        line |= {"loss": loss_of(evaluation, self._experiment.training.loss), "ranking": scored.ranking}
        beaten = best.keep(held, line, self._good, self._workdir, DIMENSIONS if self._separate else best.MEASURES)
        if self._separate and best_each.compose(self._workdir):
            beaten.append("mean")
        self._note(line)
        held.unlink()  # not before: the trainer may have deleted it, and a killed watcher scores it again
        self._board.add(line, evaluation, scored.scores, self._good)
        note = f"  best {', '.join(beaten)}" if beaten else ""
        took = time.monotonic() - began
        _log.info(f"{SPLIT} step {step:>6,}  {_summary(scored.scores)}  {took:.1f} s{note}")
        self._evaluator.begin()

    def _features(self, model: keras.Model, corpus: Corpus) -> FrozenFeatures | None:
        """Return what the frozen layers of a stage compute, which is the same for all its checkpoints."""
        folder = self._workdir.features(corpus.split)
        found = FrozenFeatures.of(model, corpus, folder, self._experiment.training)
        if found is not None:
            _log.info(found.cache.summary())
        return found

    def _pass_over(self, path: Path, state: tuple, reason: str) -> None:
        _log.warning(f"skipped: {path}: {reason}")
        self._bad.add(state)
        self._note({"step": best.step_of(path), "passed_over": f"{path}: {reason}"})

    def _note(self, line: dict) -> None:
        append_line(self._workdir.metrics, line)
        self._scored.append(line)

    def _judge(self) -> None:
        good = self._good
        if not (self._patience and good) or self._workdir.stop.exists():
            return
        measures = DIMENSIONS if self._separate else ("mean",)
        top = max(_top(good, measure) for measure in measures)
        since = len(good) - 1 - top
        if since >= self._patience:
            best_step = good[top]["step"]
            what = "CCC of valence or arousal" if self._separate else "mean CCC"
            what = "total accuracy" if "accuracy" in good[top] else what
            reason = (
                f"no better {what} in {since} {'checkpoint' if since == 1 else 'checkpoints'} since step {best_step:,}"
            )
            write_json(self._workdir.stop, {"step": good[-1]["step"], "best_step": best_step, "reason": reason})
            _log.info(f"stop: {reason}")


def _top(lines: list[dict], measure: str) -> int:
    """Return the index of the first line that is the best by a measure."""
    return max(range(len(lines)), key=lambda index: best.ranking(lines[index]).get(measure, -math.inf))


def _summary(scores: dict) -> str:
    if "accuracy" in scores:
        return f"accuracy total {scores['accuracy']['total']:.4f}"
    return "CCC " + "  ".join(f"{name} {value:.4f}" for name, value in scores["ccc"].items())


def _state(path: Path) -> tuple:
    """Return what distinguishes a file from another one that is written in its place."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return path.name, None, None
    return path.name, status.st_mtime_ns, status.st_size
