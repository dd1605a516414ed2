"""The loop beside the trainer: score each new checkpoint on validation, keep the best, say when to stop."""

import time
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet.data import Corpus
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.scoring.protocols import score
from affwildnet.experiments.config import Experiment
from affwildnet.runs import best, checkpoints
from affwildnet.runs.json_files import append_line, read_lines, write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError

POLL_SECONDS = 1.0


class Watcher:
    """Scores the checkpoints of one working directory, as the experiment's protocol does, without post-processing.

    What it has done stands in `metrics.jsonl`, a line per checkpoint: it can be killed and started again, and scores
    none twice. A checkpoint is held under a second name while it is scored, so that the trainer can clear up.
    """

    def __init__(self, experiment: Experiment, data_dir: Path, workdir: Workdir, split: str, patience: int):
        corpus = Corpus.for_experiment(data_dir, split, experiment, workdir.fold())
        self._evaluator = Evaluator(corpus, experiment.evaluation)
        self._experiment = experiment
        self._workdir = workdir
        self._split = split
        self._patience = patience
        self._model: keras.Model | None = None
        self._scored = read_lines(workdir.metrics)
        # Files that could not be scored. A resumed trainer may write the same step anew, as another file.
        self._bad: set[tuple] = set()
        self._writer = tf.summary.create_file_writer(workdir.tensorboard(split))
        best.release_all(workdir)

    def run(self, timeout_minutes: float = 0) -> int:
        """Watch until the trainer has finished and all its checkpoints are scored; return the exit status.

        Args:
          timeout_minutes: give up after so long without a new checkpoint; 0 waits without end.

        Raises:
          UserError: if it gave up.
        """
        waiting_since = time.monotonic()
        self._workdir.metrics.touch()  # tells the trainer of a later stage that this one is watched
        print(f"watching {self._workdir.checkpoints}", flush=True)
        while True:
            # Looked at before the folder: what is written before the mark is then seen.
            finished = self._workdir.reason_finished()
            new = self._new()
            for path in new:
                self._score(path)
                self._judge()
            if new:
                waiting_since = time.monotonic()
            elif finished:
                print(f"the trainer has finished; {len(self._good)} checkpoints were scored ({finished})", flush=True)
                return 0
            elif timeout_minutes and time.monotonic() - waiting_since > timeout_minutes * 60:
                raise UserError(
                    f"{self._workdir.checkpoints}: no new checkpoint for {timeout_minutes:g} minutes. Does it run?"
                )
            else:
                time.sleep(POLL_SECONDS)

    @property
    def _good(self) -> list[dict]:
        return [line for line in self._scored if best.ranking(line)]

    def _new(self) -> list[Path]:
        done = {line["step"] for line in self._good}
        listed = checkpoints.listed(self._workdir.checkpoints)
        return [path for path in listed if checkpoints.step_of(path) not in done and _state(path) not in self._bad]

    def _score(self, path: Path) -> None:
        step, state = checkpoints.step_of(path), _state(path)
        began = time.monotonic()
        try:
            held = best.hold(path, self._workdir)
        except FileNotFoundError:
            self._pass_over(path, state, "deleted before it could be scored")
            return
        try:
            # The first one is loaded whole; of the others, the same network, only the weights.
            if self._model is None:
                self._model = checkpoints.load(held)
            else:
                checkpoints.load_weights(self._model, held)
            evaluation = self._evaluator(self._model)
            scored = score(evaluation, self._experiment.protocol, self._experiment.evaluation, resamples=0)
        except UserError as error:
            held.unlink()
            self._pass_over(path, state, str(error).replace(f"{held}: ", ""))
            return
        line = {"step": step, "split": self._split, "frames_scored": evaluation.frames_scored, **scored.scores}
        line["ranking"] = scored.ranking
        beaten = best.keep(held, line, self._good, self._workdir)
        self._note(line)
        with self._writer.as_default(step):
            for metric, values in scored.scores.items():
                for name, value in values.items():
                    if value is not None:
                        tf.summary.scalar(f"{metric}/{name}", value)
        self._writer.flush()
        mark = f"  best {', '.join(beaten)}" if beaten else ""
        took = time.monotonic() - began
        print(f"{self._split} step {step:>6,}  {_told(scored.scores)}  {took:.1f} s{mark}", flush=True)

    def _pass_over(self, path: Path, state: tuple, reason: str) -> None:
        print(f"passed over: {path}: {reason}", flush=True)
        self._bad.add(state)
        self._note({"step": checkpoints.step_of(path), "passed_over": f"{path}: {reason}"})

    def _note(self, line: dict) -> None:
        append_line(self._workdir.metrics, line)
        self._scored.append(line)

    def _judge(self) -> None:
        good = self._good
        if not (self._patience and good) or self._workdir.stop.exists():
            return
        top = max(range(len(good)), key=lambda index: best.ranking(good[index])["mean"])
        since = len(good) - 1 - top
        if since >= self._patience:
            best_step = good[top]["step"]
            what = "total accuracy" if "accuracy" in good[top] else "mean CCC"
            reason = f"no better {what} in {since} checkpoints since step {best_step:,}"
            write_json(self._workdir.stop, {"step": good[-1]["step"], "best_step": best_step, "reason": reason})
            print(f"stop: {reason}", flush=True)


def _told(scores: dict) -> str:
    if "accuracy" in scores:
        return f"accuracy total {scores['accuracy']['total']:.4f}"
    return "CCC " + "  ".join(f"{name} {value:.4f}" for name, value in scores["ccc"].items())


def _state(path: Path) -> tuple:
    """Return what tells one file from another that is written in its place."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return path.name, None, None
    return path.name, status.st_mtime_ns, status.st_size
