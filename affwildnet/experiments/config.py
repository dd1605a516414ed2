"""An experiment as data: frozen dataclasses that the rest of the package is driven by. Imports nothing heavy."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """A network: trunk, then [landmarks joined at the first hidden layer], hidden FC layers, recurrent layers, output.

    Attributes:
      trunk: convolutional part, a key of `affwildnet.models.TRUNKS`.
      image_size: side of the square face crop in pixels.
      width: multiplier of every layer's width (trunk channels, hidden and recurrent units), for small copies.
      landmarks: whether the 68x2 landmarks are an input, concatenated with the trunk's features before the first
        hidden layer (ijcv2019 section 4.2.1, B.2).
      standardise_landmarks: subtract the landmarks' mean over the training split and divide by their deviation, both
        kept in the network. Not in the papers, which take them as they are; it lets small trainings use them sooner.
      hidden: units of the hidden fully connected layers (ReLU), in order; may be empty.
      dropout: rate after the first hidden layer (ijcv2019 tables 6 and 16) when there is one.
      recurrent: recurrent cell, a key of `affwildnet.models.RECURRENT`, or "none" for a CNN alone.
      recurrent_units: units of each recurrent layer, in order.
      recurrent_dropout: rate between two recurrent layers (ijcv2019 table 6). Not dropout of the recurrent state.
      reset_after: GRU form. False: reset gate before the recurrent product, one bias (TensorFlow 1, the published
        counts). True: the form that cuDNN runs, two biases.
      pixel_mean: subtracted from the RGB pixel values 0 to 255.
      pixel_scale: multiplies what remains. The default maps to [-1, 1) as in ijcv2019 section 4.1.1.
      outputs: number of linear outputs; 2 are (valence, arousal).
    """

    trunk: str = "vgg16"
    image_size: int = 96
    width: float = 1.0
    landmarks: bool = False
    standardise_landmarks: bool = False
    hidden: tuple[int, ...] = (4096,)
    dropout: float = 0.5
    recurrent: str = "none"
    recurrent_units: tuple[int, ...] = (128, 128)
    recurrent_dropout: float = 0.5
    reset_after: bool = False
    pixel_mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    pixel_scale: float = 1 / 128
    outputs: int = 2


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
      batch_size: windows in a batch.
      window: consecutive frames in a window, T.
      max_gap: largest difference of frame numbers between neighbours in a window; 1 means strictly consecutive.
      window_rule: "consecutive", or "first_to_last" for the thesis's looser rule, see `affwildnet.data.windows`.
      steps: training stops after this many steps.
      loss: "ccc" (ijcv2019 eq. 3) or "mse".
      learning_rate: of Adam, at the first step.
      decay_rate: the rate is multiplied by this every `decay_steps` steps; 1 keeps it constant.
      decay_steps: see `decay_rate`.
      clip_norm: gradients are scaled down to this global norm; 0 leaves them.
      flip: mirror half of the windows, landmarks exchanged left for right.
      colour_jitter: largest relative change of a window's brightness and contrast; 0 is none.
      landmark_jitter: deviation of the noise added to each landmark, as a share of the crop's side; 0 is none.
      precision: "float32", "mixed_bfloat16" or "mixed_float16".
      jit_compile: compile the step with XLA.
      seed: of the initial weights, the order of the data and the augmentation.
      log_steps: a line of progress every so many steps.
      checkpoint_steps: a checkpoint every so many steps.
      checkpoint_minutes: and at least once in so many minutes.
      keep_checkpoints: how many of the latest are kept (the best ones are kept besides, by the evaluator).
    """

    batch_size: int = 4
    window: int = 80
    max_gap: int = 1
    window_rule: str = "consecutive"
    steps: int = 100_000
    loss: str = "ccc"
    learning_rate: float = 1e-4
    decay_rate: float = 1.0
    decay_steps: int = 400
    clip_norm: float = 0.0
    flip: bool = False
    colour_jitter: float = 0.0
    landmark_jitter: float = 0.0
    precision: str = "float32"
    jit_compile: bool = False
    seed: int = 0
    log_steps: int = 10
    checkpoint_steps: int = 500
    checkpoint_minutes: float = 10.0
    keep_checkpoints: int = 3


@dataclass(frozen=True)
class EvaluationConfig:
    """How a network is scored.

    Attributes:
      batch_size: windows in a batch.
      window: consecutive frames in a window; the recurrent state starts at zero in each.
      patience: with `evaluate.py --watch`, training is stopped after this many checkpoints without a better mean CCC
        on the validation split; 0 never stops it.
    """

    batch_size: int = 4
    window: int = 80
    patience: int = 0


@dataclass(frozen=True)
class Published:
    """One row of a published table.

    Attributes:
      source: the paper, as in the name of the experiment.
      table: number of the table.
      row: the row's name in it.
      corpus: what was scored.
      scores: published values by metric and dimension, such as `{"ccc": {"valence": 0.57, "arousal": 0.43}}`.
    """

    source: str
    table: str
    row: str
    corpus: str
    scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a result: the network, its training, its evaluation, and what was published.

    Attributes:
      name: such as `ijcv2019/affwildnet_vggface`; the part before the slash is the paper.
      title: one line for the list of experiments.
      notes: choices where the paper leaves something open, each with its reason.
    """

    name: str
    title: str
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    published: tuple[Published, ...] = ()
    notes: str = ""
