"""An experiment as data: frozen dataclasses that decide what the rest of the package does. Imports nothing heavy."""

from dataclasses import dataclass

from affwildnet.experiments.published import Published


def scaled(units: int, width: float) -> int:
    """Return `units` times `width`, rounded, and at least 1."""
    return max(1, round(units * width))


@dataclass(frozen=True)
class ModelConfig:
    """A network: backbone, hidden layers that also read the landmarks, recurrent stacks, head.

    Attributes:
      backbone: convolutional part, a key of `affwildnet.models.BACKBONES`.
      image_size: side of the square face crop, in pixels.
      width: multiplier of every layer's width (channels of the backbone, hidden and recurrent units), to make small
        copies of a network.
      landmarks: whether the 68 landmarks are an input.
      landmarks_join: number of the hidden layer whose input the landmarks are concatenated with. 1 means the features
        of the backbone (ijcv2019 section 4.2.1, B.2); cvprw2017 table 2 has 2. It is 1 without hidden layers.
      landmark_encoder: units of a ReLU layer on the landmarks, before they are concatenated; 0 means none (omg2019
        section 7).
      standardise_landmarks: whether to subtract the mean of the landmarks over the training split and divide by their
        deviation; both are saved with the network. The papers do not; short runs learn from landmarks sooner with it.
      hidden: units of the hidden, fully connected layers (ReLU), in order; may be empty.
      dropout: share that is dropped after hidden layers, in [0, 1).
      dropout_layers: "first" drops after the first hidden layer only (ijcv2019 tables 6 and 16), "all" after each
        (cvprw2017 tables 1 and 2).
      recurrent: recurrent cell, a key of `affwildnet.models.RECURRENT`, or "none" for a CNN alone.
      recurrent_units: units of each recurrent layer, in order.
      recurrent_dropout: dropout between two recurrent layers (ijcv2019 table 6), a share in [0, 1]; the recurrent state
        itself is not dropped.
      recurrent_dropout_is: "rate" if `recurrent_dropout` is the share to drop, "keep" if it is the share to keep.
        omg2019 section 6.1 gives a probability of 0.8 and does not say which.
      output_dropout: share that is dropped after the last recurrent layer, in [0, 1) (cvprw2017 table 3).
      attention: number of last outputs that an attention around the recurrent stack remembers, in frames; 0 means no
        attention (thesis section 4.3.4).
      reset_after: form of the GRU. False applies the reset gate before the recurrent product and has one bias
        (TensorFlow 1, the published numbers of weights); true is the form that cuDNN runs, with two biases.
      rnn_inputs: the taps that the recurrent stacks read, one stack per entry; "+" concatenates several taps. Taps are
        those of the backbone (such as `conv3`, `pool5`), `features`, and `fc`, the last hidden layer. Empty means one
        stack on the end of the CNN. pool2,pool5,fc is CNN-3RNN, pool2+pool5+fc is CNN-1RNN (omg2019 section 5.3). The
        outputs of several stacks are concatenated.
      joined_hidden: units of hidden layers (ReLU) after the recurrent stacks (CNN-3RNN-1FC, omg2019 section 5.3).
      separate: whether each output has a whole network of its own (cvprw2017 section 4.1).
      members: networks to fuse. With members, only `image_size`, `width`, `pixel_mean`, `pixel_scale`, `head` and the
        fields from `recurrent` to `joined_hidden` (without `rnn_inputs`) have an effect; the latter describe the layers
        after the fusion.
      fusion: how `members` are fused: "model" concatenates the outputs of their recurrent stacks (omg2019 section
        5.4.1), "decision" averages their predictions with weights (omg2019 eq. 1).
      normalisation_momentum: of the moving statistics of batch normalisation: the share that a training step keeps of
        them. Keras's is 0.99, that of TF-Slim's ResNet-50 0.997.
      pixel_mean: subtracted from the pixel values 0 to 255 of R, G and B.
      pixel_scale: multiplies R, G and B after `pixel_mean` is subtracted. The default maps to [-1, 1), as in ijcv2019
        section 4.1.1.
      head: "valence_arousal" for two linear outputs, "expression" for the probabilities of the seven basic expressions
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
    normalisation_momentum: float = 0.99
    pixel_mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    pixel_scale: tuple[float, float, float] = (1 / 128, 1 / 128, 1 / 128)
    head: str = "valence_arousal"

    @property
    def backbones(self) -> set[str]:
        """The backbone, or the backbones of the members."""
        return {member.backbone for member in self.members} or {self.backbone}


@dataclass(frozen=True)
class Stage:
    """One stage of a run in several stages (thesis table 6.3).

    Attributes:
      name: such as `c2`; the stage has the working directory of that name inside the run's.
      trainable: patterns (`fnmatch`) of the layers to train. The others stay as they are, see `frozen_normalisation`.
      starts: pairs (pattern of layers, source). A layer starts from the source of the last pair that matches it:
        "random", "init" (the file `training.init`), or the name of an earlier stage, which means its best checkpoint.
      learning_rate: of Adam, at the first step.
      steps: number of steps; 0 means `training.steps`.
      frozen_normalisation: batch normalisation that is not trained: "inference" normalises by the moving statistics;
        "training" by those of the batch, which change the moving ones (`is_training=True` in TF-Slim, as printed in
        thesis section 5.2.1). Its weights stay as they are in both.
    """

    name: str
    trainable: tuple[str, ...]
    starts: tuple[tuple[str, str], ...]
    learning_rate: float
    steps: int = 0
    frozen_normalisation: str = "inference"


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
      batch_size: windows in a batch.
      window: consecutive frames in a window, T.
      max_gap: largest difference of the frame numbers of neighbours in a window; 1 means strictly consecutive.
      window_rule: how windows are cut: "consecutive"; "padded", which also takes segments shorter than a window; or
        "first_to_last", the looser rule of the thesis. See `affwildnet.data.windows.training_plan`.
      steps: number of training steps.
      pretrained: the weights that the paper starts from, such as "VGG-Face", for information; empty means random ones.
      init: path of a `.keras` file to start from, as `python -m affwildnet.weights import` writes; empty means random
        weights.
      init_skip: patterns (`fnmatch`) of layers that keep their random weights although `init` is given.
      stages: stages of the run, see `Stage`; empty means a single one that trains all layers.
      loss: "ccc" (ijcv2019 eq. 3) or "mse" with the head `valence_arousal`, "cross_entropy" with `expression`.
      learning_rate: of Adam, at the first step. `--set` changes that of every stage too.
      epsilon: of Adam, added to the root of the second moment; TensorFlow 1's is 1e-8.
      decay_rate: factor on the learning rate every `decay_steps` steps; 1 keeps it constant.
      decay_steps: steps between two decays of the learning rate, which is constant between them.
      l2: weight of the L2 penalty, l2 / 2 times the sum of squares of the kernels of convolutions and hidden layers, as
        TF-Slim's `weight_decay`; 0 is none. The loss that is logged is without it.
      clip_norm: largest global norm of the gradients, which are scaled down to it; 0 does not clip.
      balance: shares of the quadrants V+A+, V-A+, V+A-, V-A- of valence and arousal (0 counts as positive) in an epoch,
        reached by repeating windows; 0.43,0.24,0.19,0.14 are those of ijcv2019 section 4.2.1, D. Empty uses each window
        once.
      distinct_videos: whether the windows of a batch come from different videos, as far as the corpus allows; an epoch
        then ends with its last full batch.
      flip: whether to mirror half of the windows, with left and right landmarks exchanged.
      colour_jitter: largest relative change of a window's brightness and contrast; 0 means none.
      landmark_jitter: standard deviation of the noise on each landmark, as a share of the crop's side; 0 means none.
      precision: "float32"; "tf32", float32 whose products GPUs with tensor cores round to TF32; "mixed_bfloat16" or
        "mixed_float16".
      jit_compile: whether XLA compiles the step: "auto" is true on one GPU.
      cache: whether what the frozen layers below the trained ones compute of each frame is kept on the disk, beside the
        run, and read from the second epoch on: "off", or "float32", which gives the same results, or "float16" or
        "bfloat16", which take half the room and round. It goes with stages that freeze the backbone, without `flip` and
        `colour_jitter`, on one device.
      cache_gb: gigabytes (10^9 bytes) that this may take for a split; the frames that find no place are computed in
        every epoch.
      seed: of the initial weights, the order of the data and the augmentation.
      log_steps: steps between two lines of progress.
      checkpoint_steps: steps between two checkpoints.
      checkpoint_minutes: longest time between two checkpoints, in minutes.
      keep_checkpoints: number of the latest checkpoints to keep; the evaluator keeps the best ones besides.
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
    epsilon: float = 1e-8
    decay_rate: float = 1.0
    decay_steps: int = 400
    l2: float = 0.0
    clip_norm: float = 0.0
    balance: tuple[float, ...] = ()
    distinct_videos: bool = False
    flip: bool = False
    colour_jitter: float = 0.0
    landmark_jitter: float = 0.0
    precision: str = "float32"
    jit_compile: str = "auto"
    cache: str = "off"
    cache_gb: float = 25.0
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
      window: consecutive frames in a window. The recurrent states are zero before each window, unless `carry_state`.
      overlap: frames that a window shares with the one before; the predictions for a frame are averaged.
      carry_state: whether to carry the recurrent states from window to window, so that a video is one sequence; it goes
        without `overlap`.
      window_rule: how windows are cut: "consecutive", at every gap above `max_gap`; or "first_to_last", the looser rule
        of the thesis. `--set training.window_rule` changes it too. Every frame is scored by both.
      max_gap: largest difference of the frame numbers of neighbours in a window. `--set training.max_gap` changes it
        too.
      sequence: consecutive frames of a sequence, for the protocol "utterances" (omg2019 section 5.1).
      aggregation: "median" or "mean" of the frames of a sequence, for the protocol "utterances" (omg2019 section 7).
      post_process: steps of omg2019 section 6.3, "median_filter" and "smoothing"; each is used where it raises the CCC
        on the validation split.
      patience: with `evaluate.py --watch`, stop training after this many checkpoints without a better mean CCC on the
        validation split; 0 never stops it.
    """

    batch_size: int = 4
    window: int = 80
    overlap: int = 0
    carry_state: bool = False
    window_rule: str = "consecutive"
    max_gap: int = 1
    sequence: int = 80
    aggregation: str = "median"
    post_process: tuple[str, ...] = ()
    patience: int = 0


@dataclass(frozen=True)
class DataConfig:
    """What an experiment needs of its packed corpus. Training on another one is an error, unless the field says so.

    Attributes:
      layout: that reads the dataset, such as "aff_wild"; another layout of the same dataset will do; empty takes any.
      alignment: how the faces were cut out, "crop" or "procrustes"; empty takes either.
      labels: "one_annotator" where the labels of the training split must be those of a single annotator for each video;
        empty takes any.
    """

    layout: str = ""
    alignment: str = ""
    labels: str = ""


PROTOCOLS = {
    "frames": "each frame, pooled over the split",
    "utterances": "median or mean of each sequence's frames, mean of an utterance's sequences, pooled over utterances",
    "folds": "folds by subject, each frame, pooled",
    "videos": "class of each video from the mean of its frames' probabilities",
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a result: the network, its training and evaluation, and the published numbers.

    Attributes:
      name: such as `ijcv2019/affwildnet_vggface`; the part before the slash is the paper.
      title: one line for the list of experiments.
      model: the network.
      training: how it is trained.
      evaluation: how it is scored.
      data: what it needs of the packed corpus.
      published: rows of the paper's tables with the numbers of this experiment.
      corpus: name of the corpus that the paper trains and scores on.
      protocol: how the published numbers are computed, a key of `PROTOCOLS`.
      notes: choices where the paper leaves something open, a line for each, with its reason.
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
    data: DataConfig = DataConfig()
