"""What the papers leave open, contradict or do otherwise: each such choice once, with its reason.

An experiment's notes are made of those that concern it (`notes`); `fidelity_page` makes a page of the documentation of
them all.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One choice.

    Attributes:
      topic: what it is about, in a few words.
      source: what the papers say, with the section; empty where `here` says it all.
      here: what is done here, and why.
    """

    topic: str
    source: str
    here: str

    def __str__(self) -> str:
        return f"{self.source} {self.here}".strip()


def notes(*parts: "Choice | str") -> str:
    """Return the notes of an experiment, a line for each choice or note of its own; empty parts are left out."""
    return "\n".join(str(part) for part in parts if str(part))


NO_OPTIMIZER = Choice(
    "optimizer",
    "The paper names no optimizer for this network (ijcv2019 names Adam for CNN-M alone, section 4.1.1; omg2019 none).",
    "Adam, which cvprw2017 and the thesis name for the same networks, with TensorFlow 1's epsilon of 1e-8.",
)
PIXELS = Choice(
    "pixels",
    "ijcv2019 gives the size of the crops, 96 or 224 pixels, and their range, [-1, 1], for CNN-M alone (section "
    "4.1.1).",
    "96 pixels and (x - 128) / 128 for all its networks, which is what the authors' released weights take.",
)
PUBLISHED_PIXELS = Choice(
    "pixels of published weights",
    "VGG-Face and the ImageNet networks were trained on other pixels, such as RGB less 129.19, 104.76, 93.59; "
    "thesis section 5.1.2 and omg2019 section 4 feed them (x - 128) / 128 all the same.",
    "So do all experiments, also those of the papers that do not say it (`training.init_skip`); to feed the weights "
    "what they were trained on, set `model.pixel_mean` and `model.pixel_scale`.",
)
HIDDEN_START = Choice(
    "initial values",
    "The papers do not give the initial values of new layers.",
    "Recurrent layers start as TensorFlow 1's, in which the papers' networks were written: Glorot's limit of the "
    "joint matrix of input and state, 1 for the biases of a GRU's gates, 1 added in an LSTM's forget gate. Hidden "
    "layers, which have ReLU, start as He's.",
)
BALANCE = Choice(
    "balance",
    "The papers duplicate frames with negative arousal alone, V-A- and V+A- (ijcv2019 section 4.2.1 D, cvprw2017 "
    "section 2.1), and give the shares that this led to.",
    "Here windows of any quadrant may be repeated where these shares ask for it: on the papers' training set that "
    "is the same, on another one the shares could not be met otherwise.",
)
NEAREST_ANNOTATOR = Choice(
    "one annotator",
    "ijcv2019 section 4.3 and cvprw2017 section 4.1 train on the annotator with the highest correlation to the "
    "landmarks, and say neither how it is taken over the videos nor whether it is one person for both dimensions.",
    "One person (`pack --annotators=nearest`): who is furthest ahead of the mean of the annotators in the canonical "
    "correlation (ijcv2019 section 3.5), on average over the training and validation videos and both dimensions.",
)
DECAY = Choice(
    "decay of the rate",
    "cvprw2017 gives a factor of 0.97 and 400 decay steps (section 3.1), and not whether the rate falls between them.",
    "It falls every 400 steps.",
)
WEIGHT_DECAY = Choice(
    "weight decay",
    "cvprw2017 tuned the weight decay (sections 3.1, 3.2) and does not give it.",
    "None; `training.l2` sets one.",
)
BOTTLENECKS = Choice(
    "bottlenecks of block 5",
    "Table 1 of cvprw2017 prints six bottlenecks in block 5.",
    "Three are built, as in the ResNet-50 that it names, whose published weights fit no other: a misprint.",
)
OMG_RATE = Choice(
    "learning rate end to end",
    "omg2019 trains its CNN-RNNs end to end at 1e-4 or 1e-5 (section 6.1) and does not say which.",
    "1e-4, the rate of its CNNs.",
)
OMG_DROPOUT = Choice(
    "dropout of 0.8",
    "omg2019 section 6.1 has a dropout of 0.8 after the first GRU layer, and does not say whether of what is kept.",
    "Read as the share to keep, as in TensorFlow 1; dropping 0.8 would leave 26 of 128 units.",
)
OMG_PRETRAINING = Choice(
    "pre-training for OMG-Emotion",
    "omg2019 section 5.1 pre-trains on Aff-Wild or Aff-Wild2 and gives no recipe.",
    "Train the same network there with these settings, and start from its best checkpoint (`training.init`).",
)
OMG_FUSION = Choice(
    "decision-level fusion",
    "Eq. 1 of omg2019 averages the final estimates of the networks, after the median within each sequence.",
    "Here their predictions for each frame are averaged, and the median is taken afterwards: the fusion is then one "
    "network, which can be scored, exported and run on a video like any other. The weights are eq. 1's, the CCC on "
    "the validation split after post-processing.",
)
THESIS_WINDOWS = Choice(
    "windows of the thesis",
    "The thesis cuts 80 records in a row into a sequence, across missing frames, and drops one whose ends lie more "
    "than 15 times 80 frames apart, in training and in evaluation (sections 5.1.2, 5.5.1). It drops the end of a "
    "video too.",
    "The same, except that evaluation scores what the thesis drops, in shorter sequences: every labelled frame counts.",
)
THESIS_BATCHES = Choice(
    "videos in a batch",
    "Thesis section 5.1.2: the sequences of a batch should come from different videos. Its code shuffles, which "
    "makes that likely.",
    "Held here (`training.distinct_videos`), as far as the corpus allows.",
)
THESIS_GRU = Choice(
    "form of the thesis's GRU",
    "Eq. 2.17 of the thesis has r * (U h), the API that it used, TensorFlow 1's GRUCell, (r * h) U.",
    "The latter, which its numbers are of; `model.reset_after` chooses.",
)
THESIS_FACES = Choice(
    "faces of the thesis",
    "Thesis section 3.2 detects faces by FFLD2 in every frame, and distinguishes wrong ones by their histograms from a "
    "face that was picked by hand.",
    "FFLD2 cannot be had as a package. The detectors of `pack` stand in for it, and tracks for the picks; "
    "`--every=1` and `--margin=0` come nearest.",
)
THESIS_RATE = Choice(
    "rate of c1 and c2",
    "The thesis gives the rate only for c0 (section 6.2): 1e-3, and 1e-4 for the attention and the IndRNN.",
    "The same here.",
)
THESIS_LAST_RATE = Choice(
    "rate of c3",
    "Thesis section 6.5 gives 1e-5 for the final network, section 1.2 gives 1e-4.",
    "1e-5 in c3, as the section on the results has it, and 1e-4 in c2, as in c0. The thesis does not mention the "
    "output layer: it starts where the recurrent layers start.",
)
THESIS_NORMALISATION = Choice(
    "frozen batch normalisation",
    "Thesis section 5.2.1 prints is_training=True for ResNet-50 and DenseNet, and c0 and c1 freeze them.",
    "So frozen layers normalise by the statistics of the batch, and their moving statistics change; evaluation uses "
    "the latter (`frozen_normalisation` of a stage).",
)
SLIM_RESNET = Choice(
    "ResNet-50 of the thesis",
    "Thesis section 5.2.1 takes TF-Slim's resnet_v1_50 with its arg scope: L2 of 1e-4, batch normalisation with a "
    "momentum of 0.997.",
    "The same, from the same checkpoint (`weights import --source=resnet50_slim_tf1`).",
)
DENSENET = Choice(
    "DenseNet of the thesis",
    "The thesis takes the DenseNets of a repository by pudae, by its factory: a momentum of 0.99, no weight decay, "
    "an epsilon of 1.1e-5.",
    "Those of Keras, with an epsilon of 1.001e-5; the two pad their first convolution and pool differently.",
)
INDRNN = Choice(
    "IndRNN",
    "The thesis takes the IndRNNCell of a repository by batzner, which clips the recurrent weight that it computes "
    "with.",
    "Its initial values, 1 and N(0, 0.001), and its limit, 2^(1/T) for the T frames of the run's own window; but "
    "the weight itself is clipped after each step (Li et al. 2018), as one beyond the limit would get no gradient "
    "any more.",
)
TWO_CHECKPOINTS = Choice(
    "two rows of one network",
    "The thesis does not say which of two checkpoints is the best for valence and which for arousal.",
    "The row with the larger CCC of valence is taken for the best for valence.",
)
