"""Three rows of ijcv2019's table 9 with reports, written from predictions that are labels with noise."""

import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import plots, report_files
from affwildnet.evaluation.reporting.assembly import Source, assemble
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.experiments.tables import get_table
from affwildnet.reproduce import row_results
from affwildnet.reproduce.job_runs import DONE
from affwildnet.reproduce.table_request import Request
from tests.helpers.corpora import label_of, make_corpus

VIDEOS, FRAMES = 9, 12
# How far each network is off, by name: the table's order is AffWildNet, VGG-Face, VGG-16.
NOISE = {"affwildnet_vggface": 0.05, "vggface": 0.4, "vgg16": 0.35}
SETTINGS = ("model.width=0.5", "training.steps=7")
STATES = {
    **dict.fromkeys(NOISE, DONE),
    "resnet50": "lacks: weights of ImageNet",
    "vggface_lstm": "failed: train: x",
}


def drawn():
    """Return labels, and the predictions of each network, (videos, frames, 2)."""
    rng = np.random.default_rng(0)
    labels = np.array([[label_of(video, frame + 1) for frame in range(FRAMES)] for video in range(VIDEOS)])
    own = {name: labels + noise * rng.standard_normal(labels.shape) for name, noise in NOISE.items()}
    return labels.astype(np.float32), {name: values.astype(np.float32) for name, values in own.items()}


def gathered(root, labels, own):
    """Return the table's results, with the reports in `root / "run"`."""
    make_corpus(root / "corpus", [{"frames": FRAMES, "split": "test"} for _ in range(VIDEOS)])
    corpus = Corpus.open(root / "corpus", "test")
    request = Request(get_table("ijcv2019/9"), root / "corpus", root / "run", SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "_drawings", lambda *_: {})
        for name, values in own.items():
            experiment = request.run_of(f"ijcv2019/{name}")
            frames, times = np.arange(1, FRAMES + 1), np.arange(FRAMES) / 30
            videos = [
                VideoPredictions(f"v{index}", f"v{index}", frames, times, labels[index], each)
                for index, each in enumerate(values)
            ]
            evaluation = Evaluation.of("test", videos)
            scored = protocols.score(evaluation, "frames", experiment.evaluation, 200)
            folder = request.workdir / name
            folder.mkdir(parents=True)
            report = assemble(Source(experiment, corpus, folder / "best.keras", 7), evaluation, scored)
            report_files.write(report, evaluation, corpus, folder)
    return row_results.gather(request, (), STATES)
