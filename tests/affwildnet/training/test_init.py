"""Starting from a file: every weight is copied, or a message names the one that is missing."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.data import Corpus
from affwildnet.experiments.overrides import override
from affwildnet.runs import checkpoints
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, train, weight_copies
from affwildnet.training.start import begin
from affwildnet.training.step import StepOutcome
from tests.helpers.networks import numpy
from tests.helpers.small_network import SMALL, build_small, quick_batches, same, save_with_weights_of_its_own, weights
from tests.helpers.trainings import TINY, tiny_corpus, truncate
from tfrecords_tools.errors import UserError

CNN = replace(TINY, model=replace(TINY.model, **SMALL))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return Corpus.open(tiny_corpus(tmp_path_factory.mktemp("corpus")), "train")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A file of the small network, and the network in it."""
    path = tmp_path_factory.mktemp("given") / "model.keras"
    return path, save_with_weights_of_its_own(built(CNN), path)


def built(experiment, seed=0):
    keras.utils.set_random_seed(seed)
    return build_small(experiment.model)


def with_model(**fields):
    return replace(CNN, model=replace(CNN.model, **fields))


def with_init(experiment, path, *skip):
    return replace(experiment, training=replace(experiment.training, init=str(path), init_skip=skip))


def started(experiment, corpus):
    model = built(experiment)
    begin(model, Run(experiment, corpus.folder), corpus)
    return model


def refused(experiment, corpus):
    """The message, in one line."""
    with pytest.raises(UserError) as caught:
        started(experiment, corpus)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (2, 3, 32, 32, 3)).astype(np.uint8)
    return {"frames": frames, "landmarks": rng.random((2, 3, 68, 2), np.float32)}


# What is copied.


def test_a_network_starts_as_the_file_ends(given, corpus, shown):
    path, source = given
    model = started(with_init(CNN, path), corpus)
    assert same(weights(model), weights(source))
    # Not only the weights but what is computed with them: of the landmarks' statistics Keras keeps copies.
    np.testing.assert_array_equal(numpy(model(inputs())), numpy(source(inputs())))
    printed = shown()
    assert f"\nfrom {path}: 8 layers\n" in printed
    assert (
        f"the landmarks' mean and deviation are those of {path}, not the corpus's: standardise_landmarks\n" in printed
    )
    assert "random: none\n" in printed
    assert "left out" not in printed


@pytest.mark.slow
def test_a_network_of_the_builder_starts_as_the_file_ends(corpus, tmp_path):
    experiment = replace(TINY, model=replace(TINY.model, standardise_landmarks=True))
    path = tmp_path / "model.keras"
    source = save_with_weights_of_its_own(models.build(experiment.model), path)
    model = models.build(experiment.model)
    begin(model, Run(with_init(experiment, path), corpus.folder), corpus)
    assert same(weights(model), weights(source))
    np.testing.assert_allclose(numpy(model(inputs())), numpy(source(inputs())), rtol=1e-6)


def test_skipped_layers_have_the_weights_of_the_seed_and_the_others_the_files(given, corpus, shown):
    path, source = given
    model = started(with_init(CNN, path, "fc2", "valence_*"), corpus)
    random = built(CNN)
    for layer in model.layers:
        other = random if layer.name in ("fc2", "valence_arousal") else source
        assert same(weights(model, layer.name), weights(other, layer.name)), layer.name
    assert not same(weights(source, "fc2"), weights(random, "fc2"))
    assert "random: fc2, valence_arousal\n" in shown()


def test_the_landmarks_statistics_are_the_corpuss_where_that_layer_is_skipped(given, corpus, shown):
    path, source = given
    model = started(with_init(CNN, path, "standardise_landmarks"), corpus)
    landmarks = corpus.landmarks().reshape(-1, 136).astype(np.float64)
    layer = model.get_layer("standardise_landmarks")
    np.testing.assert_allclose(numpy(layer.mean)[0], landmarks.mean(0), rtol=1e-4)
    np.testing.assert_allclose(numpy(layer.variance)[0], landmarks.var(0), rtol=1e-2, atol=1e-6)
    assert same(weights(model, "conv1"), weights(source, "conv1"))
    assert "random: none; from the corpus: standardise_landmarks\n" in shown()


def test_without_a_file_all_is_random(corpus, shown):
    model = started(CNN, corpus)
    assert same(weights(model, "conv1", "fc1"), weights(built(CNN), "conv1", "fc1"))
    assert re.fullmatch(r"tests/tiny: [\d,]+ trainable weights, from random ones\n", shown())


def test_the_papers_weights_are_named_where_none_are_given(given, corpus, shown):
    paper = replace(CNN, training=replace(CNN.training, pretrained="VGG-Face"))
    started(paper, corpus)
    line = shown().splitlines()[-1]
    assert line.startswith("The paper starts from VGG-Face, this run from random weights.")
    assert "--set training.init=" in line
    started(with_init(paper, given[0]), corpus)
    assert "The paper" not in shown()


def test_layers_of_the_file_that_the_network_lacks_are_listed(given, corpus, shown):
    started(with_init(with_model(hidden=(4,)), given[0], "valence_arousal"), corpus)
    assert "\nleft out: fc2\n" in shown()
    x = keras.Input((3,))
    with_bias = keras.Model(x, keras.layers.Dense(2, name="a")(x))
    without = keras.Model(x, keras.layers.Dense(2, use_bias=False, name="a")(x))
    assert weight_copies.left_out(with_bias, without) == ["a/bias"]
    assert weight_copies.mismatches(without, with_bias, ["a"]) == {
        "a": "a/bias is (2,) in the network, and the file's layer a has only kernel"
    }


def test_cells_are_matched_although_keras_numbers_them_throughout(tmp_path):
    def stack():
        x = keras.Input((None, 3))
        cells = [keras.layers.GRUCell(3) for _ in range(2)]
        return keras.Model(x, keras.layers.RNN(cells, return_sequences=True, name="rnn")(x))

    saved, model = stack(), stack()
    saved.save(tmp_path / "rnn.keras")
    source = weight_copies.load(tmp_path / "rnn.keras", "the file")
    assert [weight.path for weight in source.weights] != [weight.path for weight in model.weights]
    names = ("kernel", "recurrent_kernel", "bias")
    assert list(weight_copies.weights_of(model.get_layer("rnn"))) == [*names, *(f"{name}#2" for name in names)]
    assert weight_copies.mismatches(source, model, ["rnn"]) == {}
    weight_copies.copy(source, model, ["rnn"])
    assert same(weights(model), weights(saved))


# What cannot be taken.


def test_a_missing_layer_is_named_and_the_advice_works(given, corpus):
    path, source = given
    longer = with_init(with_model(hidden=(4, 3, 5)), path)
    message = refused(longer, corpus)
    assert f"Received: {path}: fc3/kernel is (3, 5) in the network, and the file has no layer fc3" in message
    assert "(layers that do not fit: 2 of 9)" in message  # the output reads 5 units instead of 3
    advice = message.split("--set ")[1]
    assert advice == "training.init_skip=fc3,valence_arousal"
    assert same(weights(started(override(longer, [advice]), corpus), "fc2"), weights(source, "fc2"))


def test_a_weight_of_another_shape_is_named_with_both(given, corpus):
    message = refused(with_init(with_model(hidden=(4, 6)), given[0], "valence_arousal"), corpus)
    wrong = "fc2/kernel is (4, 6) in the network and (4, 3) in the file (layers that do not fit: 1 of 7). To start"
    assert wrong in message
    assert message.endswith("--set training.init_skip=valence_arousal,fc2")


def test_a_pattern_that_skips_nothing_is_refused(given, corpus):
    message = refused(with_init(CNN, given[0], "fc*", "fc9"), corpus)
    assert re.search(r"`training\.init_skip` must match .* Received: fc9\. The nearest layers: fc\d, fc\d, ", message)
    assert "Received: FC1" in refused(with_init(CNN, given[0], "FC1"), corpus)


def test_another_normalisation_of_pixels_is_refused_and_both_advices_work(corpus, tmp_path, shown):
    face = with_model(pixel_mean=(129.1863, 104.7624, 93.594), pixel_scale=(1.0, 1 / 255, 1 / 58.395))
    built(face).save(tmp_path / "face.keras")
    experiment = with_init(CNN, tmp_path / "face.keras")
    message = refused(experiment, corpus)
    assert "(RGB - [128, 128, 128]) * [0.0078125, 0.0078125, 0.0078125]. Received:" in message
    keep, as_file = [part.split("; ")[0].split() for part in message.split("--set ")[1:]]
    assert keep == ["training.init_skip=normalise"]
    assert as_file[0] == "model.pixel_mean=129.1863,104.7624,93.594"
    advised = override(experiment, as_file)
    np.testing.assert_allclose(advised.model.pixel_scale, face.model.pixel_scale, rtol=1e-8)
    started(advised, corpus)
    shown()
    model = started(override(experiment, keep), corpus)
    mean, _ = weight_copies.pixels(model)["normalise"]
    assert mean.tolist() == [128, 128, 128]
    printed = shown()
    assert (
        "pixels are (RGB - [128, 128, 128]) * [0.0078125, 0.0078125, 0.0078125], as the network has them; " in printed
    )
    assert "the file's were (RGB - [129.186, 104.762, 93.594])" in printed


@pytest.mark.parametrize("field", ["pixel_mean", "pixel_scale"])
def test_one_channel_that_is_normalised_differently_is_enough(field, given, corpus):
    *first, last = getattr(CNN.model, field)
    other = with_model(**{field: (*first, last * 1.001)})
    assert "must normalise pixels as the network does" in refused(with_init(other, given[0]), corpus)


def test_a_file_whose_normalisation_is_not_known_is_refused(corpus, tmp_path):
    x = keras.Input((3,))
    keras.Model(x, keras.layers.Dense(2)(x)).save(tmp_path / "other.keras")
    message = refused(with_init(CNN, tmp_path / "other.keras"), corpus)
    assert "in a layer normalise, as the network does" in message
    assert message.endswith("--set training.init_skip=normalise")


def test_a_bad_file_is_named_in_one_line(given, corpus, tmp_path):
    cut, text, code = (tmp_path / f"{name}.keras" for name in ("cut", "text", "code"))
    cut.write_bytes(given[0].read_bytes())
    truncate(cut)
    text.write_text("weights")
    x = keras.Input((3,))
    keras.Model(x, keras.layers.Lambda(lambda tensor: tensor * 2)(x)).save(code)
    for path in (cut, text, code):
        assert f"must be a whole .keras file. Received: {path} (" in refused(with_init(CNN, path), corpus)
    for path in (tmp_path / "nowhere.keras", tmp_path):
        assert f"Received: {path}, which is not there." in refused(with_init(CNN, path), corpus)


# Through a whole training.


@pytest.fixture
def small(monkeypatch):
    """Train the small network with steps that change nothing."""

    class Step:
        def __init__(self, model, config, strategy, held=(), network=None):
            self.model = model

        def __call__(self, batch):
            return lambda: StepOutcome(1.0, 1.0)

    monkeypatch.setattr(models, "build", build_small)
    monkeypatch.setattr(loop, "training_batches", quick_batches)
    monkeypatch.setattr(loop.training_step, "TrainStep", Step)


def test_the_file_is_read_once_and_its_path_stored(given, corpus, tmp_path, small, shown):
    path, workdir = tmp_path / "init.keras", Workdir(tmp_path / "workdir")
    path.write_bytes(given[0].read_bytes())
    experiment = with_init(CNN, path)
    assert train(Run(override(experiment, ["training.steps=1"]), corpus.folder), workdir) == 0
    assert workdir.open().experiment.training.init == str(path)
    assert same(weights(checkpoints.resume(workdir.checkpoints)[0]), weights(given[1]))
    path.unlink()
    assert train(Run(override(experiment, ["training.steps=2"]), corpus.folder), workdir) == 0
    assert shown().count(f"from {path}: 8 layers") == 1
    with pytest.raises(UserError, match=r"training\.init is .* there, not other\.keras"):
        train(Run(override(experiment, ["training.init=other.keras"]), corpus.folder), workdir)
