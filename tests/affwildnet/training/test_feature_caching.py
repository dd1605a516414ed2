"""Training from cached features: the weights that training from frames gives, whatever happens to the cache."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import models
from affwildnet.data import Corpus, training_batches
from affwildnet.data.frozen_features import LOGS, FrozenFeatures
from affwildnet.evaluation import evaluate
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.scoring.protocols import score
from affwildnet.evaluation.watching import watch
from affwildnet.experiments import get
from affwildnet.experiments.config import Stage, TrainingConfig
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import feature_caching, preconditions, train
from affwildnet.training.freezing import mark
from tests.helpers.networks import numpy
from tests.helpers.paths import ROOT
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError, room

STEPS = 12  # of 7 or 8 in an epoch
HEAD = ("fc*", "gru*", "valence_arousal")
C0 = Stage("c0", HEAD, (("*", "random"),), 3e-3)
C2 = Stage("c2", ("*",), (("*", "c0"),), 1e-3, steps=2)


def staged(*stages, model=TINY.model, **training):
    settings = {"flip": False, "colour_jitter": 0.0, "landmark_jitter": 0.01, "steps": STEPS, **training}
    return replace(TINY, model=model, training=replace(TINY.training, stages=stages or (C0,), **settings))


def trained(experiment, data_dir, path):
    assert train(Run(experiment, data_dir), path) == 0
    return last(path)


def last(path):
    return checkpoints.resume(Workdir(path).of_stage("c0").checkpoints)


def assert_same(mine, theirs):
    """The same weights, bit for bit, state of the optimizer and random states of dropout."""
    assert mine[1] == theirs[1]
    both = [[*model.variables, *model.optimizer.variables] for model, _ in (mine, theirs)]
    assert [a.path for a, b in zip(*both, strict=True) if not np.array_equal(numpy(a), numpy(b))] == []


def files(path, split="train"):
    return sorted(Workdir(path).of_stage("c0").features(split).rglob("*.npy"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_folder):
    """12 steps from frames, and the same with caches of float32 and of float16; then a stage that trains everything."""
    folder = tmp_path_factory.mktemp("runs")
    for cache in ("off", "float32", "float16"):
        stages = (C0, C2) if cache == "float32" else (C0,)
        trained(staged(*stages, cache=cache, checkpoint_steps=5), tiny_folder, folder / cache)
    return folder


@pytest.mark.slow
def test_features_from_a_cache_give_the_weights_that_frames_give(runs):
    model, state = whole = last(runs / "off")
    assert state.epoch == 1
    assert_same(last(runs / "float32"), whole)
    assert not files(runs / "off")
    assert [layer.name for layer in model.layers if layer.name.startswith("conv")]  # the whole network is saved
    losses = [[line["loss"] for line in read_lines(log)] for log in sorted(runs.glob("*/c0/training.jsonl"))]
    assert losses[1] == losses[2]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)


@pytest.mark.slow
def test_every_frame_is_computed_once_and_kept(runs, tiny_folder):
    corpus = Corpus.open(tiny_folder, "train")
    assert {path.stem for path in files(runs / "float32")} == {entry.sha256[:20] for entry in corpus.videos}
    for path in files(runs / "float32"):
        rows = np.load(path)
        assert np.count_nonzero(rows["crc"]) > 0.7 * len(rows)
        assert np.isfinite(rows["values"]).all()
        half = np.load(next(other for other in files(runs / "float16") if other.stem == path.stem))
        both = (rows["crc"] != 0) & (half["crc"] != 0)
        assert np.array_equal(rows["values"][both].astype("float16"), half["values"][both])


@pytest.mark.slow
def test_the_stage_that_trains_all_layers_goes_on_from_the_cached_one(runs, shown):
    assert checkpoints.listed(Workdir(runs / "float32").of_stage("c2").checkpoints)
    assert not (runs / "float32" / "c2" / "features").exists()


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(runs, tmp_path, tiny_folder, harm, shown):
    """Though its cache was filled beyond the checkpoint, and then lost or damaged: what is computed is rounded too."""
    shutil.copytree(runs / "float16", tmp_path / "again")
    own = Workdir(tmp_path / "again").of_stage("c0")
    for path in checkpoints.listed(own.checkpoints):
        if checkpoints.step_of(path) > 5:
            path.unlink()
    own.finished.unlink()
    if harm == "deleted":
        shutil.rmtree(own.path / "features")
    else:
        for path in files(tmp_path / "again"):
            data = bytearray(path.read_bytes())
            data[200::97] = bytes(len(data[200::97]))
            path.write_bytes(data)
    assert_same(trained(staged(cache="float16"), tiny_folder, tmp_path / "again"), last(runs / "float16"))
    assert ("damaged rows" in shown()) == (harm == "damaged")


@pytest.mark.slow
def test_what_finds_no_place_is_computed_as_without_a_cache(runs, tmp_path, tiny_folder, shown):
    largest = max(path.stat().st_size for path in files(runs / "float32")) / 1e9
    some = staged(cache="float32", cache_gb=largest)
    assert_same(trained(some, tiny_folder, tmp_path / "run"), last(runs / "off"))
    assert len(files(tmp_path / "run")) == 1
    assert "frames, up to" in (lines := shown())
    assert "are computed in every epoch" in lines


@pytest.mark.slow
def test_the_evaluator_scores_from_a_cache_of_its_own(runs, tiny_folder, shown):
    own = Workdir(runs / "float32").of_stage("c0")
    assert watch(own) == 0
    lines = read_lines(own.metrics)
    assert [line["step"] for line in lines] == [5, 10, 12]
    assert len(files(runs / "float32", "validation")) == 2
    corpus = Corpus.open(tiny_folder, "validation")
    for path, line in zip(checkpoints.listed(own.checkpoints), lines, strict=True):  # as without it
        evaluation = Evaluator(corpus, TINY.evaluation)(checkpoints.load(path))
        assert score(evaluation, "frames", TINY.evaluation, resamples=0).scores["ccc"] == line["ccc"]

    # And `evaluate.py` reads what the watcher has kept, writes nothing, and scores the same.
    kept = {path: path.read_bytes() for path in files(runs / "float32", "validation")}
    computed = []
    shown()
    with pytest.MonkeyPatch.context() as patch:
        real = FrozenFeatures._computed
        patch.setattr(FrozenFeatures, "_computed", lambda self, frames: computed.append(1) or real(self, frames))
        report = evaluate(own, checkpoint="latest", resamples=0)
    assert report.scored.scores["ccc"] == lines[-1]["ccc"]
    assert "features of the frozen layers are read from " in shown()
    assert len(computed) <= 1  # the padding's
    assert {path: path.read_bytes() for path in files(runs / "float32", "validation")} == kept
    assert not own.features("test").exists()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from affwildnet.data import feature_file
from tests.affwildnet.training.test_feature_caching import staged
from affwildnet.runs.run import Run
from affwildnet.training import train
real, count = feature_file.FeatureFile.write, [0]

def write(self, records, values):
    count[0] += 1
    if count[0] == 9:  # in the middle of a row
        with self.path.open("r+b") as file:
            file.seek(-self.bytes_of_a_row // 2 - (1 + len(records)) * self.bytes_of_a_row, 2)
            file.write(b"torn")
        print("now", flush=True)
        import time
        time.sleep(60)
    real(self, records, values)

feature_file.FeatureFile.write = write
train(Run(staged(cache="float32", checkpoint_steps=3), Path({data!r})), {workdir!r})
"""


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_filled_the_cache_goes_on(runs, tmp_path, tiny_folder):
    code = KILLED.format(root=str(ROOT), data=str(tiny_folder), workdir=str(tmp_path / "run"))
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        while "now" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert files(tmp_path / "run")
    again = trained(staged(cache="float32", checkpoint_steps=5), tiny_folder, tmp_path / "run")
    assert_same(again, last(runs / "off"))


# What is refused, in words.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.flip=true"], "`training.flip` changes the pixels in every epoch"),
        (["training.colour_jitter=0.1"], "`training.colour_jitter` changes the pixels in every epoch"),
        (["stages.c0.trainable=*"], "all layers are trained"),
    ],
)
def test_a_cache_that_cannot_be_used_is_refused(settings, message, tmp_path, tiny_folder):
    with pytest.raises(UserError, match=r"^`training\.cache` would have no effect: ") as raised:
        override(get("thesis2018/vggface_attention_c0"), ["training.cache=float32", *settings])
    assert message in str(raised.value)
    experiment = override(staged(), settings)
    experiment = replace(experiment, training=replace(experiment.training, cache="float32"))
    for check in (preconditions.check, lambda run, workdir: train(run, workdir)):
        with pytest.raises(UserError, match=r"^`training\.cache` would have no effect: "):
            check(Run(experiment, tiny_folder), Workdir(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_cache_of_what_depends_on_the_batch_is_refused():
    with pytest.raises(UserError, match="normalise by each batch's statistics") as raised:
        override(get("thesis2018/resnet50_attention_c0"), ["training.cache=float32"])
    assert "`stages.c0.frozen_normalisation` inference does not" in str(raised.value)
    inference = ["training.cache=float32", "stages.c0.frozen_normalisation=inference"]
    assert override(get("thesis2018/resnet50_attention_c0"), inference).training.cache == "float32"
    with pytest.raises(UserError, match=r"`training\.cache_gb` would have no effect: `training\.cache` is off"):
        override(get("thesis2018/vggface_attention_c0"), ["training.cache_gb=3"])
    with pytest.raises(UserError, match=r"`training\.cache` must be off on several devices"):
        feature_caching.check(staged(cache="float32"), devices=2)


def test_stages_that_freeze_nothing_first_are_refused_by_their_layers(tmp_path, tiny_folder):
    first = replace(C0, trainable=("conv1", *HEAD))
    with pytest.raises(UserError, match="Received: c0 trains conv1, fc"):
        train(Run(staged(first, cache="float32"), tiny_folder), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# The batches, without a training around them.


@pytest.fixture
def features(tmp_path, tiny_folder):
    """Returns the features of a network on the training split, in a type and with a window."""
    model = models.build(TINY.model)
    mark(model, C0, [layer.name for layer in model.layers if layer.weights])
    corpus = Corpus.open(tiny_folder, "train")

    def opened(kind="float32", **settings):
        config = replace(TrainingConfig(batch_size=2, window=4, cache=kind), **settings)
        return FrozenFeatures.of(model, corpus, tmp_path / "features", config), corpus, config

    return opened


def test_padding_has_the_features_of_a_black_frame(features):
    """As frames have it: in the end of a short segment, and whether the frames before it were cached or not."""
    frozen, corpus, config = features(window=30, window_rule="padded", batch_size=3)
    (batch,) = list(training_batches(corpus, config, cache=frozen.cache).take(1))
    plain = next(iter(training_batches(corpus, config)))
    real = batch["frame"].numpy() > 0
    assert not real.all()
    for _ in range(2):
        done = frozen.complete(batch)["frame_features"].numpy()
        wanted = numpy(frozen._divided.features(tf.reshape(plain["frames"], (-1, 32, 32, 3))))
        assert np.array_equal(done, wanted.reshape(done.shape))
        (batch,) = list(training_batches(corpus, config, cache=frozen.cache).take(1))
        assert np.array_equal(batch["cached"].numpy(), real)
        assert not batch["frames"].numpy().any()


def test_what_the_windows_of_an_epoch_leave_out_is_filled_if_it_is_little(features):
    frozen, corpus, config = features()
    reachable = corpus.first_record[-1]
    assert frozen.fill(config, lambda: True) == 0  # all of it is not little
    assert frozen.fill(config, lambda: False, most=1.0) == reachable
    assert not frozen.cache.computed.any()
    for batch in frozen.over(training_batches(corpus, config, cache=frozen.cache).take(6)):
        assert batch["frame_features"].shape == (2, 4, frozen.cache.width)
    left = reachable - 48
    assert frozen.cache.computed.sum() == 48
    assert frozen.fill(config, lambda: True, most=1.0) == left
    assert frozen.cache.computed.all()
    assert frozen.fill(config, lambda: True, most=1.0) == 0
    again, *_ = features()
    for video, entry in enumerate(corpus.videos):
        assert again.cache.read(video, 0, entry.frames, entry.frames)[1].all()


def test_room_for_the_checkpoints_stays_free(features, monkeypatch, shown):
    frozen, _, config = features()
    needed = LOGS + (config.keep_checkpoints + 1) * checkpoints.size_of(models.build(TINY.model))
    monkeypatch.setattr(room, "free", lambda folder: needed)
    frozen.fill(config, lambda: True, most=1.0)
    assert not list(frozen.cache.folder.iterdir())
    assert "are left to checkpoints and logs" in shown()


def test_a_value_too_large_for_the_type_is_an_error_that_names_the_others(features):
    frozen, corpus, config = features("float16")
    frozen._divided.frozen.get_layer("conv5_bn").beta.assign(np.full(10, 1e5, "float32"))
    with pytest.raises(UserError, match=r"Received: float16, in which some are not finite\. Choose"):
        next(frozen.over(training_batches(corpus, config, cache=frozen.cache)))


def test_other_weights_have_a_folder_of_their_own(features):
    frozen, *_ = features()
    assert frozen.is_still_of()
    frozen._divided.frozen.get_layer("conv1").bias.assign_add(np.ones(2, "float32"))
    assert not frozen.is_still_of()
    assert features()[0].cache.folder != frozen.cache.folder
    assert features("bfloat16")[0].cache.folder != features()[0].cache.folder


def test_without_a_cache_a_line_says_what_one_would_do(features, tiny_folder, shown):
    _, corpus, _ = features()
    model = models.build(TINY.model)
    run = Run(staged(), tiny_folder).of_stage(C0)
    mark(model, C0, [layer.name for layer in model.layers if layer.weights])
    assert feature_caching.of_run(run, corpus, Workdir("none"), model) is None
    assert "--set training.cache=float32 computes them once" in shown()
    assert feature_caching.of_run(Run(TINY, tiny_folder), corpus, Workdir("none"), model) is None
    assert shown() == ""
