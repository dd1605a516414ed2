"""What exporting costs: the scores of a network in each format, on the same frames of a packed corpus."""

from dataclasses import dataclass, field, replace

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affwildnet.data import Corpus, evaluation_batches
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.experiments.heads import VALENCE_AROUSAL
from affwildnet.export.exported_functions import ExportedFunctions
from affwildnet.export.formats import Step
from affwildnet.metrics import Moments
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

# Frames that are read at once, and given to a step at once if it takes several.
CHUNK = 32


@dataclass
class FormatRunner:
    """A network in one format, which carries its states through the videos.

    Attributes:
      step: the network.
      one_frame: whether it takes only one frame at a time.
      moments: of the labels and predictions scored so far.
      deviation: largest difference between one of its predictions and the original network's.
    """

    step: Step
    one_frame: bool = False
    moments: Moments = field(default_factory=Moments.empty)
    deviation: float = 0.0
    _states: dict[str, np.ndarray] = field(default_factory=dict)

    def begin(self, states: dict[str, np.ndarray]) -> None:
        """Begin a video with these states."""
        self._states = states

    def predict(self, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
        """Return (T, D) predictions for the next T frames of the video; inputs are (1, T, ...)."""
        frames = next(iter(inputs.values())).shape[1]
        length = 1 if self.one_frame else frames
        found = []
        for first in range(0, frames, length):
            chunk = {name: values[:, first : first + length] for name, values in inputs.items()}
            outputs = self.step({**chunk, **self._states})
            self._states = {name: outputs[name] for name in self._states}
            found.append(outputs[output][0])
        return np.concatenate(found)


def keras_step(functions: ExportedFunctions) -> Step:
    """Return the network itself as a `Step`."""
    specs = [*functions.inputs, *functions.states]
    compiled = tf.function(functions.step, input_signature=specs, autograph=False)

    def step(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = compiled(*(arrays[spec.name] for spec in specs))
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    return step


def check_scorable(corpus: Corpus, functions: ExportedFunctions) -> None:
    """Raise a `UserError` unless the network predicts valence and arousal, and the split has labels of them."""
    if functions.signature.output != VALENCE_AROUSAL:
        raise UserError(
            "`data_dir` compares formats by the CCC of valence and arousal, so the network must predict these. "
            f"Received: a network that predicts {functions.signature.output}. Leave out `data_dir`."
        )
    if not corpus.frames_labelled:
        raise UserError(f"{corpus.folder}: no frame of the split {corpus.split} has a label, so nothing is scored.")


def score_formats(corpus: Corpus, functions: ExportedFunctions, runners: dict[str, FormatRunner]) -> None:
    """Score each runner on every frame of a split, and compare its predictions with those of the first.

    Each video is one sequence in time order, across gaps.

    Raises:
      UserError: as `check_scorable`, or if a prediction is not finite.
    """
    check_scorable(corpus, functions)
    zeros = {spec.name: np.zeros([1, *spec.shape[1:]], np.float32) for spec in functions.states}
    config = replace(EvaluationConfig(), batch_size=1, window=CHUNK, carry_state=True)
    total, video = sum(entry.frames for entry in corpus.videos), None
    with tqdm(total=total, unit="frame", desc="scoring", leave=False, disable=None) as progress:
        for batch in evaluation_batches(corpus, config).as_numpy_iterator():
            real = batch["frame"][0] > 0
            if batch["video"][0] != video:
                video = batch["video"][0]
                for runner in runners.values():
                    runner.begin(zeros)
            inputs = {spec.name: batch[spec.name][:, real] for spec in functions.inputs}
            exact = None
            for name, runner in runners.items():
                predictions = runner.predict(inputs, functions.signature.output)
                if not np.isfinite(predictions).all():
                    raise UserError(
                        f"The predictions of the format {name} for the video {corpus.videos[video].video} are not "
                        "finite. Leave that format out."
                    )
                exact = predictions if exact is None else exact
                runner.deviation = max(runner.deviation, float(np.abs(predictions - exact).max()))
                scored = Moments.from_arrays(batch["labels"][0, real], predictions, batch["mask"][0, real])
                runner.moments = runner.moments.merge(scored)
            progress.update(int(real.sum()))


def score_table(runners: dict[str, FormatRunner], sizes: dict[str, int]) -> str:
    """Return lines of text: CCC, loss of CCC against the first runner, largest deviation and size of each."""
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
