"""An experiment as data: frozen dataclasses that the rest of the package is driven by. Imports nothing heavy."""

from dataclasses import dataclass

from affwildnet.experiments.published import Published


def scaled(units: int, width: float) -> int:
    """Return `units` times `width`, rounded, and at least 1."""
    return max(1, round(units * width))


@dataclass(frozen=True)
class ModelConfig:
    """A network: backbone, hidden FC layers with the landmarks, recurrent layers on one or more of their outputs, head.

    Attributes:
      backbone: convolutional part, a key of `affwildnet.models.BACKBONES`.
      image_size: side of the square face crop in pixels.
      width: multiplier of every layer's width (backbone channels, hidden and recurrent units), for small copies.
      landmarks: whether the 68x2 landmarks are an input.
      landmarks_join: number of the hidden layer whose input they are concatenated with. 1 is the backbone's features
        (ijcv2019 section 4.2.1, B.2); cvprw2017 table 2 has 2. Without hidden layers it is 1.
      landmark_encoder: units of a ReLU layer between the landmarks and that place; 0 is none (omg2019 section 7).
      standardise_landmarks: subtract the landmarks' mean over the training split and divide by their deviation, both
        kept in the network. Not in the papers, which take them as they are; it lets small trainings use them sooner.
      hidden: units of the hidden fully connected layers (ReLU), in order; may be empty.
      dropout: rate after hidden layers, if there are any.
      dropout_layers: "first" has it after the first hidden layer only (ijcv2019 tables 6 and 16), "all" after each
        (cvprw2017 tables 1 and 2).
      recurrent: recurrent cell, a key of `affwildnet.models.RECURRENT`, or "none" for a CNN alone.
      recurrent_units: units of each recurrent layer, in order.
      recurrent_dropout: between two recurrent layers (ijcv2019 table 6). Not dropout of the recurrent state.
      recurrent_dropout_is: "rate" if `recurrent_dropout` is the share that is dropped, "keep" if the share that is
        kept. omg2019 6.1 gives a probability of 0.8 and does not say of what.
      output_dropout: rate after the last recurrent layer (cvprw2017 table 3).
      attention: length of the memory of an attention mechanism around the whole recurrent stack, in frames; 0 is none
        (thesis section 4.3.4).
      reset_after: GRU form. False: reset gate before the recurrent product, one bias (TensorFlow 1, the published
        counts). True: the form that cuDNN runs, two biases.
      rnn_inputs: what the recurrent stacks read: one stack for each entry, and where it names several taps with "+",
        their concatenation. Taps are those of the backbone (such as `conv3`, `pool5`), `features`, and `fc`, the last
        hidden layer. ("pool2", "pool5", "fc") is CNN-3RNN and ("pool2+pool5+fc",) CNN-1RNN (omg2019 section 5.3). Empty
        is one stack on the end of the CNN. The outputs of several stacks are concatenated.
      joined_hidden: units of hidden layers (ReLU) behind the recurrent stacks (CNN-3RNN-1FC, omg2019 section 5.3).
      separate: a whole network for each output instead of one for both (cvprw2017 section 4.1).
      members: networks that are fused; then only `image_size`, `width` and the fields from `recurrent` to
        `joined_hidden` count, and describe what comes behind them.
      fusion: with `members`: "model" concatenates the outputs of all their recurrent stacks (omg2019 section 5.4.1),
        "decision" averages their predictions, weighted (omg2019 eq. 1).
      pixel_mean: subtracted from the RGB pixel values 0 to 255.
      pixel_scale: multiplies what remains, R, G and B. The default maps to [-1, 1) as in ijcv2019 section 4.1.1.
      head: "valence_arousal", two linear outputs, or "expression", the seven basic expressions' probabilities
        (ijcv2019 section 5.2.1).
    """

    backbone: str = "vgg16"
    image_size: int = 96
    width: float = 1.0
    landmarks: bool = False
    landmarks_join: int = 1
    landmark_encoder: int = 0
    standardise_landmarks: bool = False
    hidden: tuple[int, ...] = (4096,)
    dropout: float = 0.5
    dropout_layers: str = "first"
    recurrent: str = "none"
    recurrent_units: tuple[int, ...] = (128, 128)
    recurrent_dropout: float = 0.5
    recurrent_dropout_is: str = "rate"
    output_dropout: float = 0.0
    attention: int = 0
    reset_after: bool = False
    rnn_inputs: tuple[str, ...] = ()
    joined_hidden: tuple[int, ...] = ()
    separate: bool = False
    members: tuple["ModelConfig", ...] = ()
    fusion: str = "model"
    pixel_mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    pixel_scale: tuple[float, float, float] = (1 / 128, 1 / 128, 1 / 128)
    head: str = "valence_arousal"

    @property
    def backbones(self) -> set[str]:
        """The backbone, or the backbones of the members."""
        return {member.backbone for member in self.members} or {self.backbone}


@dataclass(frozen=True)
class Stage:
    """One stage of a training in several (thesis table 6.3).

    Attributes:
      name: such as `c2`; the stage has the working directory of that name inside the training's.
      trainable: patterns (`fnmatch`) of layers that are trained; the others stay as they are, their batch
        normalisation in inference mode.
      starts: pairs (pattern of layers, source): a layer starts from the last pair that matches it. A source is
        "random", "init" (the file `training.init`), or the name of an earlier stage, whose best checkpoint it is.
      learning_rate: of Adam, at the first step.
      steps: the stage stops after this many; 0 is `training.steps`.
    """

    name: str
    trainable: tuple[str, ...]
    starts: tuple[tuple[str, str], ...]
    learning_rate: float
    steps: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
      batch_size: windows in a batch.
      window: consecutive frames in a window, T.
      max_gap: largest difference of frame numbers between neighbours in a window; 1 means strictly consecutive.
      window_rule: "consecutive"; "padded", which takes what is shorter than a window too; or "first_to_last" for the
        thesis's looser rule, see `affwildnet.data.windows.training_plan`.
      steps: training stops after this many steps.
      pretrained: the weights that the paper starts from, such as "VGG-Face"; empty where it starts from random ones.
      init: a `.keras` file to start from, such as `python -m affwildnet.weights import` writes; empty is random ones.
      init_skip: patterns (`fnmatch`) of layers that keep their random weights although `init` is given.
      stages: see `Stage`; empty is one training of everything.
      loss: "ccc" (ijcv2019 eq. 3) or "mse" with the head `valence_arousal`, "cross_entropy" with `expression`.
      learning_rate: of Adam, at the first step.
      decay_rate: the rate is multiplied by this every `decay_steps` steps; 1 keeps it constant.
      decay_steps: see `decay_rate`.
      clip_norm: gradients are scaled down to this global norm; 0 leaves them.
      balance: shares of the quadrants V+A+, V-A+, V+A-, V-A- of valence and arousal (0 counts as positive) that windows
        are repeated for, within an epoch: (0.43, 0.24, 0.19, 0.14) are those of ijcv2019 section 4.2.1, D. Empty: each
        window once.
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
    pretrained: str = ""
    init: str = ""
    init_skip: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    loss: str = "ccc"
    learning_rate: float = 1e-4
    decay_rate: float = 1.0
    decay_steps: int = 400
    clip_norm: float = 0.0
    balance: tuple[float, ...] = ()
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
      window: consecutive frames in a window; the recurrent state starts at zero in each, but see `carry_state`.
      overlap: frames that a window has in common with the one before; a frame's predictions are averaged.
      carry_state: carry the recurrent state from window to window, so that a video is one sequence; without overlap.
      sequence: consecutive frames of a sequence, for the protocol "utterances" (omg2019 section 5.1).
      aggregation: what a sequence's frames are put together by there, "median" or "mean" (omg2019 section 7).
      post_process: steps of omg2019 section 6.3, "median_filter" and "smoothing", each kept where it raises the CCC on
        the validation split.
      patience: with `evaluate.py --watch`, training is stopped after this many checkpoints without a better mean CCC
        on the validation split; 0 never stops it.
    """

    batch_size: int = 4
    window: int = 80
    overlap: int = 0
    carry_state: bool = False
    sequence: int = 80
    aggregation: str = "median"
    post_process: tuple[str, ...] = ()
    patience: int = 0


PROTOCOLS = {
    "frames": "each frame, pooled over the split",
    "utterances": "median or mean of each sequence's frames, mean of an utterance's sequences, pooled over utterances",
    "folds": "five folds by subject, each frame, pooled",
    "videos": "class of each video from the mean of its frames' probabilities",
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a result: the network, its training, its evaluation, and what was published.

    Attributes:
      name: such as `ijcv2019/affwildnet_vggface`; the part before the slash is the paper.
      title: one line for the list of experiments.
      corpus: what the paper trains and scores on.
      protocol: how the published numbers came about, a key of `PROTOCOLS`.
      notes: choices where the paper leaves something open, each with its reason.
    """

    name: str
    title: str
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    published: tuple[Published, ...] = ()
    corpus: str = "Aff-Wild"
    protocol: str = "frames"
    notes: str = ""
