"""What a row starts from: published weights, which lie in files, or the checkpoint of a run on another corpus."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import Experiment
from affwildnet.weights import SOURCES
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.files import folder_at

# What the papers' networks start from, by `TrainingConfig.pretrained`: the name that `--weights` gives a file by, and
# for each ending of the file the source that imports it. ImageNet's are of one backbone each.
_BACKBONE = "{backbone}"
_SLIM = "resnet50_slim_tf1"
PUBLISHED = {
    "VGG-Face": (
        "vgg_face",
        {".mat": "vgg_face_mat", ".h5": "vgg_face_h5", ".pth": "vgg_face_torch", ".t7": "vgg_face_torch"},
    ),
    "FaceValue": ("face_value", {".mat": "cnn_m_mat"}),
    "VGGFace2": ("vggface2", {".h5": "resnet50_vggface2_h5"}),
    "ImageNet": (f"imagenet_{_BACKBONE}", {".h5": "imagenet", ".ckpt": _SLIM}),
}
_BACKBONES = ("vgg16", "resnet50", "resnet50_slim", "densenet121", "densenet169")
# Rows that start from a network trained on another corpus: the layout of that corpus.
CHAINS = {"Aff-Wild": "aff_wild", "Aff-Wild2": "aff_wild2"}
# Whose best checkpoint is the AffWildNet that ijcv2019 section 5 fine-tunes.
_AFFWILDNET = "ijcv2019/affwildnet_vggface"


@dataclass(frozen=True)
class Given:
    """What a user has.

    Attributes:
      weights: files, by the names of `names`.
      corpora: folders of packed corpora besides the table's own, by their layouts.
    """

    weights: dict[str, Path] = field(default_factory=dict)
    corpora: dict[str, Path] = field(default_factory=dict)


def names() -> list[str]:
    """Return the names that `--weights` knows."""
    published = [name for name, _ in PUBLISHED.values()]
    single = [name for name in published if _BACKBONE not in name]
    several = [name.format(backbone=each) for name in published if _BACKBONE in name for each in _BACKBONES]
    return [*single, *several, *CHAINS.values()]


def files_of() -> dict[str, list[str]]:
    """Return the sources that import the file of each name of published weights."""
    return {
        name.format(backbone=backbone): [
            source
            for source in dict.fromkeys(by_ending.values())
            if name == name.format(backbone=backbone) or (source == _SLIM) == (backbone == "resnet50_slim")
        ]
        for name, by_ending in PUBLISHED.values()
        for backbone in _BACKBONES
    }


def parse(kind: str, given: Iterable[str], known: Iterable[str]) -> dict[str, Path]:
    """Return paths by name of texts like "vgg_face=weights/vgg-face.mat".

    Args:
      kind: of the flag, for messages.
      known: the names.

    Raises:
      UserError: for a text of another form, a name that is not known or comes twice, or a path that is not there.
    """
    known, found = list(known), {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise UserError(f"`{kind}` must be like {known[0]}=PATH. Received: {text}")
        if name not in known:
            raise UserError(f"`{kind}` must name one of {', '.join(known)}. Received: {name}.{suggestion(name, known)}")
        if name in found:
            raise UserError(f"`{kind}` must name each of them once. Received: {name} twice.")
        if not folder_at(path).exists():
            raise UserError(f"`{kind}` must name what is there. Received: {path}, which is not.")
        found[name] = folder_at(path)
    return found


def name_of(experiment: Experiment) -> str:
    """Return the name by which `--weights` gives what an experiment starts from; "" for random weights."""
    pretrained = experiment.training.pretrained
    if not pretrained or pretrained in CHAINS:
        return CHAINS.get(pretrained, "")
    backbone = min(experiment.model.backbones)
    return PUBLISHED[pretrained][0].format(backbone=backbone)


def source_of(experiment: Experiment, path: Path) -> str:
    """Return the source (`affwildnet.weights.SOURCES`) that imports a file of published weights.

    Raises:
      UserError: if no source reads files of that ending.
    """
    _, by_ending = PUBLISHED[experiment.training.pretrained]
    source = by_ending.get(path.suffix.lower())
    if source not in SOURCES:
        raise UserError(
            f"`weights` of {experiment.training.pretrained} must be a file that ends in {', '.join(by_ending)}, or a "
            f".keras file of this package. Received: {path}"
        )
    return source


def missing_checkpoint(path: Path, name: str) -> str:
    """Return what is wrong with the weights of a run on another corpus: a `.keras` file, or a folder of one a network.

    Args:
      path: as it was given.
      name: of the network's job, and of its file in such a folder.
    """
    file = path / f"{name}.keras" if path.is_dir() else path
    if file.suffix != ".keras":
        return f"weights that are a .keras file, not {file}"
    return "" if file.is_file() else f"its weights: {file} is not there"


def upstream(experiment: Experiment) -> tuple[Experiment, list[str]]:
    """Return whose run on the other corpus a row starts from, and the fields that make it one of that corpus.

    ijcv2019 fine-tunes its own AffWildNet. omg2019 pre-trains each network and gives no recipe (section 5.1): the
    network's own settings, scored by frame.
    """
    if experiment.name.startswith("ijcv2019/"):
        return EXPERIMENTS[_AFFWILDNET], []
    corpus = experiment.training.pretrained
    first = "ImageNet" if min(experiment.model.backbones) != "vgg16" else "VGG-Face"
    fields = [f"corpus={corpus}", "protocol=frames", f"data.layout={CHAINS[corpus]}", "evaluation.post_process="]
    return experiment, [*fields, f"training.pretrained={first}"]
