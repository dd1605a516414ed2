"""What exporting costs: the scores of a network in each format, over the same frames of a packed corpus."""

from dataclasses import dataclass, field, replace

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affwildnet.data import Corpus, evaluation_batches
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.export.formats import Step
from affwildnet.export.forms import Forms
from affwildnet.metrics import Moments
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

# Frames that are read and given to a step at once.
PIECE = 32


@dataclass
class Runner:
    """A network in one format as it goes through the videos, its states carried from piece to piece.

    Attributes:
      step: computes a piece.
      one_frame: whether a piece is one frame.
      moments: of what it was scored on so far.
      deviation: the largest difference of an prediction from the float32 network's.
    """

    step: Step
    one_frame: bool = False
    moments: Moments = field(default_factory=Moments.empty)
    deviation: float = 0.0
    _states: dict[str, np.ndarray] = field(default_factory=dict)

    def begin(self, states: dict[str, np.ndarray]) -> None:
        """Begin a video with these states."""
        self._states = states

    def predictions(self, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
        """Return (T, D) predictions for the next T frames of the video; inputs are (1, T, ...)."""
        frames = next(iter(inputs.values())).shape[1]
        length = 1 if self.one_frame else frames
        found = []
        for first in range(0, frames, length):
            piece = {name: values[:, first : first + length] for name, values in inputs.items()}
            outputs = self.step({**piece, **self._states})
            self._states = {name: outputs[name] for name in self._states}
            found.append(outputs[output][0])
        return np.concatenate(found)


def keras_step(forms: Forms) -> Step:
    """Return the network itself as a `Step`."""
    specs = [*forms.inputs, *forms.states]
    compiled = tf.function(forms.step, input_signature=specs)

    def step(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = compiled(*(arrays[spec.name] for spec in specs))
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    return step


def check(corpus: Corpus, forms: Forms) -> None:
    """Raise a `UserError` unless the network can be scored on the split: both have valence and arousal."""
    if forms.output != "valence_arousal":
        raise UserError(
            "`--data_dir` compares formats by the CCC of valence and arousal, so the network must predict these. "
            f"Received: one of {forms.output}. Leave out `--data_dir`."
        )
    if not corpus.frames_labelled:
        raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label, so nothing is scored.")


def score(corpus: Corpus, forms: Forms, runners: dict[str, Runner]) -> None:
    """Take each runner through every frame of a split, and score it; the first is what the others are held to.

    Each video is one sequence, in time order, also across the frames that it lacks.

    Raises:
      UserError: as `check`, or if an prediction is not finite.
    """
    check(corpus, forms)
    zeros = {spec.name: np.zeros([1, *spec.shape[1:]], np.float32) for spec in forms.states}
    config = replace(EvaluationConfig(), batch_size=1, window=PIECE, carry_state=True)
    total, video = sum(entry.frames for entry in corpus.videos), None
    with tqdm(total=total, unit="frame", desc="scoring", leave=False, disable=None) as shown:
        for batch in evaluation_batches(corpus, config).as_numpy_iterator():
            real = batch["frame"][0] > 0
            if batch["video"][0] != video:
                video = batch["video"][0]
                for runner in runners.values():
                    runner.begin(zeros)
            inputs = {spec.name: batch[spec.name][:, real] for spec in forms.inputs}
            exact = None
            for name, runner in runners.items():
                predictions = runner.predictions(inputs, forms.output)
                if not np.isfinite(predictions).all():
                    raise UserError(
                        f"The predictions of the format {name} for the video {corpus.videos[video].video} are not "
                        "finite. Leave that format out."
                    )
                exact = predictions if exact is None else exact
                runner.deviation = max(runner.deviation, float(np.abs(predictions - exact).max()))
                scored = Moments.from_arrays(batch["labels"][0, real], predictions, batch["mask"][0, real])
                runner.moments = runner.moments.merge(scored)
            shown.update(int(real.sum()))


def table(runners: dict[str, Runner], sizes: dict[str, int]) -> str:
    """Return the CCC of each runner, what of the first one's it lost, and its size, as lines of text."""
    width = max(len("format"), *map(len, runners))
    heads = (*DIMENSIONS, "mean", "CCC lost", "largest dev.", "MB")
    lines = [f"{'format':<{width}}" + "".join(f"{head:>14}" for head in heads)]
    exact = next(iter(runners.values())).moments.ccc()
    for name, runner in runners.items():
        ccc = runner.moments.ccc()
        numbers = [f"{value:.4f}" for value in (*ccc, ccc.mean())]
        numbers += [f"{exact.mean() - ccc.mean():z.5f}", f"{runner.deviation:.1e}", f"{sizes[name] / 1e6:.2f}"]
        lines.append(f"{name:<{width}}" + "".join(f"{number:>14}" for number in numbers))
    return "\n".join(lines)
