"""Commands that the documentation prints run as printed, on stand-ins for the files that cannot be had."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace

import pytest

from affwildnet import models
from affwildnet.experiments import get
from affwildnet.runs import checkpoints
from affwildnet.training import weight_copies
from affwildnet.weights import vgg_face
from tests.helpers.corpora import make_corpus
from tests.helpers.paths import ROOT
from tests.helpers.small_network import same, weights

# A network and windows that two cores train in seconds; nothing that the command says is changed.
SMALLER = ["model.width=0.02", "training.window=4", "training.steps=1", "training.log_steps=1"]


def printed(page, start):
    """The arguments of the command of a page that starts with these words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    (line,) = [line for line in lines if line.startswith(start)]
    return shlex.split(line)


@pytest.mark.slow
def test_the_stages_of_the_thesis_start_from_weights_that_were_trained_on_other_pixels(tmp_path):
    corpus, given, workdir = tmp_path / "corpus", tmp_path / "vgg_face.keras", tmp_path / "c3"
    videos = [{"frames": 12, "split": split} for split in ("train", "train", "validation", "test")]
    make_corpus(corpus, videos, image_size=96, layout="thesis")
    own = replace(get("thesis2018/vggface_attention_c3").model, width=0.02)
    # As `weights import` writes it: VGG-Face's pixels, less its mean.
    models.build(replace(own, pixel_mean=vgg_face.MEAN, pixel_scale=(1.0, 1.0, 1.0))).save(given)

    command = printed("docs/guides/train.md", "python train.py --experiment=thesis2018/vggface_attention_c3")
    for place, path in {"--data_dir": corpus, "--workdir": workdir, "training.init": given}.items():
        (index,) = [index for index, word in enumerate(command) if word.startswith(f"{place}=")]
        command[index] = f"{place}={path}"
    done = subprocess.run(
        [sys.executable, *command[1:], *SMALLER], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert (
        "pixels are (RGB - [128, 128, 128]) * [0.0078125, 0.0078125, 0.0078125], as the network has them" in done.stdout
    )
    assert "the file's were (RGB - [129.186, 104.762, 93.594]) * [1, 1, 1]" in done.stdout
    source = weight_copies.load(given, "the stand-in")
    for stage in ("c2", "c3"):
        (path,) = checkpoints.listed(workdir / stage / "checkpoints")
        trained = checkpoints.load(path)
        mean, _ = weight_copies.pixels(trained)["normalise"]
        assert mean.tolist() == [128, 128, 128]
        assert not same(weights(trained, "conv1"), weights(source, "conv1"))  # trained since
