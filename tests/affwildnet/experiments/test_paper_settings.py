"""The networks and the training of the experiments against the papers, and the sizes of the networks."""

from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise

import pytest
from keras.layers import BatchNormalization, Conv2D

from affwildnet import models
from affwildnet.experiments import EXPERIMENTS, costs, get
from affwildnet.experiments.networks import NETWORKS
from affwildnet.models import cost


def of(paper):
    return {name.split("/")[1]: experiment for name, experiment in EXPERIMENTS.items() if name.startswith(f"{paper}/")}


def frames_in_a_batch(training):
    return training.batch_size * training.window


def test_ijcv2019_training():
    """Sections 4.1.1, 4.2.2 and 4.2.3."""
    for name, experiment in of("ijcv2019").items():
        model, training = experiment.model, experiment.training
        assert training.decay_rate == 1, name
        assert training.loss == ("mse" if name == "cnn_m" else "cross_entropy" if "emotiw" in name else "ccc"), name
        assert training.learning_rate == (1e-3 if name == "cnn_m" else 1e-4), name
        if model.recurrent == "none":
            assert frames_in_a_batch(training) == (80 if name == "cnn_m" else 50), name
        else:
            assert (training.batch_size, training.window) == (4, 80), name
        assert model.dropout == (0 if name == "cnn_m" else 0.5), name
        assert not model.separate


def test_cvprw2017_training():
    """Sections 2.1, 3.1, 3.2 and 4.1."""
    for name, experiment in of("cvprw2017").items():
        model, training = experiment.model, experiment.training
        assert (training.learning_rate, training.decay_rate, training.decay_steps) == (1e-3, 0.97, 400), name
        assert frames_in_a_batch(training) == (80 if model.recurrent == "none" else 100), name
        assert model.recurrent == "none" or training.window == 100
        assert (model.image_size, model.separate, model.dropout) == (224, True, 0.5), name
        assert (training.loss, model.landmarks) == ("ccc", name != "vggface_no_landmarks"), name


def test_omg2019_training():
    """Section 6.1."""
    for name, experiment in of("omg2019").items():
        training = experiment.training
        rate = 1e-3 if name.endswith("_frozen") else 1e-4
        assert (training.batch_size, training.window, training.learning_rate) == (4, 80, rate), name
        assert (training.decay_rate, training.loss) == (1, "ccc"), name
        for model in experiment.model.members or (experiment.model,):
            assert model.dropout == 0.5
            if model.recurrent != "none":
                assert (model.recurrent_dropout, model.recurrent_dropout_is) == (0.8, "keep"), name


def test_thesis2018_training():
    """Tables 4.7 and 6.1, sections 4.3.4 and 5.1.2."""
    for name, experiment in of("thesis2018").items():
        model, training = experiment.model, experiment.training
        window = next((length for length in (70, 100) if f"_{length}_" in name), 80)
        assert (training.batch_size, training.window, experiment.evaluation.window) == (2, window, window), name
        assert (training.window_rule, training.loss, training.distinct_videos) == ("first_to_last", "ccc", True), name
        assert experiment.evaluation.window_rule == "first_to_last", name
        assert (model.image_size, model.landmarks, model.hidden) == (96, False, ()), name
        assert model.recurrent_units == (128, 128)
        assert model.attention == (30 if "attention" in name else 0), name
        cell = next((cell for cell in ("lstm", "indrnn") if cell in name), "gru")
        backbone = {"vggface": "vgg16", "resnet50": "resnet50_slim"}.get(name.split("_")[0], name.split("_")[0])
        backbone = "resnet50" if "vggface2" in name else backbone
        assert (model.backbone, model.recurrent) == (backbone, cell), name


PRETRAINED = {
    "ijcv2019": {
        "FaceValue": ("cnn_m",),
        "Aff-Wild": ("recola_affwildnet", "afew_va_affwildnet", "emotiw_affwildnet"),
        "ImageNet": (
            "*vgg16*",
            "*resnet50*",
        ),
        "VGG-Face": ("affwildnet_vggface*", "vggface*", "afew_va_cnn", "emotiw_vggface_gru", "released_*vggface*"),
    },
    "cvprw2017": {"ImageNet": ("vgg16", "resnet50"), "VGG-Face": ("vggface*",)},
    "omg2019": {"": ("*_scratch",), "Aff-Wild": ("*_aff_wild",), "Aff-Wild2": ("*",)},
    "thesis2018": {"VGG-Face": ("vggface_*",), "VGGFace2": ("*vggface2*",), "ImageNet": ("resnet50_*", "densenet*")},
}


@pytest.mark.parametrize("paper", PRETRAINED)
def test_the_pretrained_weights_are_those_of_the_paper(paper):
    for name, experiment in of(paper).items():
        starts = [weights for weights, patterns in PRETRAINED[paper].items() for p in patterns if fnmatchcase(name, p)]
        assert experiment.training.pretrained == starts[0], name
        assert experiment.training.init == ""
        assert "*normalise" in experiment.training.init_skip  # published weights get the paper's pixels


@pytest.mark.parametrize(("paper", "name"), [("ijcv2019", "affwildnet_vggface"), ("cvprw2017", "vggface_gru")])
def test_rows_of_table_8_differ_only_in_the_recurrent_layers(paper, name):
    base = get(f"{paper}/{name}").model
    assert base.recurrent_units == (128, 128)
    for layers, units in ((1, 100), (1, 128), (1, 150), (2, 100), (2, 150)):
        other = get(f"{paper}/{name}_{layers}x{units}").model
        assert other == replace(base, recurrent_units=(units,) * layers)


def test_ijcv2019_networks():
    """Tables 6, 15 and 16, figure 16, sections 5.1 and 5.2."""
    found = {name: e.model for name, e in of("ijcv2019").items()}
    assert found["vgg16"] == found["vggface"] == found["vggface_one_annotator"]
    assert found["vggface_no_landmarks"] == found["vggface_one_annotator_no_landmarks"]
    assert found["vggface_no_landmarks"] == replace(found["vggface"], landmarks=False)
    assert found["vggface_lstm"] == replace(found["affwildnet_vggface"], recurrent="lstm")
    assert found["recola_affwildnet"] == found["afew_va_affwildnet"] == found["affwildnet_vggface"]
    gru = found["recola_resnet50_gru"]
    assert (gru.backbone, gru.hidden, gru.recurrent, gru.landmarks) == ("resnet50", (), "gru", False)
    assert (found["resnet50"].backbone, found["resnet50"].hidden) == ("resnet50", (1500, 256))
    assert (found["afew_va_cnn"].backbone, found["afew_va_cnn"].hidden) == ("vgg16", (4096, 2048))
    alike = {
        "emotiw_affwildnet": "affwildnet_vggface",
        "emotiw_vggface_gru": "affwildnet_vggface",
        "emotiw_vgg16_gru": "affwildnet_vggface",
        "emotiw_vgg16": "vgg16",
        "emotiw_resnet50_gru": "affwildnet_resnet50",
        "emotiw_resnet50": "resnet50",
    }
    assert set(alike) == {name for name, model in found.items() if model.head == "expression"}
    for name, other in alike.items():
        assert found[name] == replace(found[other], head="expression"), name


def test_cvprw2017_networks():
    """Tables 1 to 3 and section 3.1.2."""
    found = {name: e.model for name, e in of("cvprw2017").items()}
    vgg, resnet, gru = found["vggface"], found["resnet50"], found["vggface_gru"]
    assert (vgg.backbone, vgg.hidden, vgg.landmarks_join) == ("vgg16", (4096, 4096, 2622), 2)
    assert found["vgg16"] == found["vggface_one_annotator"] == vgg
    assert found["vggface_no_landmarks"].hidden == (4096, 4096)
    assert (resnet.backbone, resnet.hidden, resnet.landmarks_join) == ("resnet50", (1500, 256), 1)
    assert (gru.backbone, gru.hidden, gru.output_dropout) == ("vgg16", (4096,), 0.5)
    assert found["vggface_lstm"] == replace(gru, recurrent="lstm")


TAPS = {
    "cnn_3rnn_conv8_pool5_fc": "8th conv + last pool + fc",
    "cnn_3rnn_conv5_pool5_fc": "5th conv + last pool + fc",
    "cnn_3rnn": "2nd pool + last pool + fc",
    "cnn_3rnn_conv3_conv7_fc": "3rd conv + 7th conv + fc",
    "cnn_3rnn_conv13_pool5_fc": "last conv + last pool + fc",
    "cnn_3rnn_conv6_conv7_conv8": "6th conv + 7th conv + 8th conv",
    "cnn_3rnn_conv7_conv8_conv9": "7th conv + 8th conv + 9th conv",
    "cnn_3rnn_conv3_conv4_conv5": "3rd conv + 4th conv + 5th conv",
}


@pytest.mark.parametrize("name", TAPS)
def test_rows_of_omg2019_table_5_differ_only_in_the_taps(name):
    words = {"fc": "fc", "2nd pool": "pool2", "last pool": "pool5", "last conv": "conv13"}
    taps = tuple(words.get(tap) or f"conv{tap[0]}" for tap in TAPS[name].split(" + "))
    model = get(f"omg2019/{name}").model
    assert model.rnn_inputs == taps
    reads_fc = "fc" in taps
    assert (model.hidden, model.landmarks) == (((4096,), True) if reads_fc else ((), False))
    assert TAPS[name] in {row.row for row in get(f"omg2019/{name}").published}


def test_tables_4_and_6_of_omg2019_differ_in_the_start_and_the_landmarks():
    for name in ("cnn_1rnn", "cnn_3rnn", "model_fusion_rnn"):
        base, without = get(f"omg2019/{name}").model, get(f"omg2019/{name}_no_landmarks").model
        assert get(f"omg2019/{name}_scratch").model == get(f"omg2019/{name}_aff_wild").model == base
        if base.members:
            assert len(base.members) == 2
            assert all(member.landmarks for member in base.members)
            assert without.members == tuple(replace(member, landmarks=False) for member in base.members)
            assert replace(without, members=base.members) == base
        else:
            assert base.landmarks
            assert without == replace(base, landmarks=False)


@cache
def weighted_layers(config):
    return tuple(layer.name for layer in models.build(config).layers if layer.weights)


def small(config):
    return replace(config, width=0.02, image_size=32)


LAST_CONVOLUTION = {"vgg16": "conv13", "resnet50_slim": "block4_unit3_conv3"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if "vggface_" in name and "resnet" not in name else [pytest.mark.slow])
        for name in of("thesis2018")
    ],
)
def test_the_stages_are_those_of_table_6_3(name):
    experiment = get(f"thesis2018/{name}")
    model, stages = experiment.model, experiment.training.stages
    layers = weighted_layers(small(model))
    # The CNN: the layers of a network with the same backbone without recurrence, except the output.
    cnn = set(weighted_layers(replace(small(model), recurrent="none", attention=0))) - {"valence_arousal"}
    rest = set(layers) - cnn
    assert cnn < set(layers)
    assert len(rest) in (2, 3)  # the recurrent layers (one layer with attention) and the output

    def matched(pattern):
        found = {layer for layer in layers if fnmatchcase(layer, pattern)}
        assert found, f"{pattern} matches no layer"
        return found

    case = name.split("_")[-1]
    assert [stage.name for stage in stages] == (["c2", "c3"] if case == "c3" else [case])
    for stage in stages:
        trained = set().union(*map(matched, stage.trainable))
        last = {LAST_CONVOLUTION[model.backbone]} if stage.name == "c1" else set()
        assert trained == {"c0": rest, "c1": rest | last, "c2": cnn | rest, "c3": cnn | rest}[stage.name]
        starts = {}
        for pattern, source in stage.starts:
            starts |= dict.fromkeys(matched(pattern), source)
        assert starts == dict.fromkeys(cnn, "init") | dict.fromkeys(rest, "c2" if stage.name == "c3" else "random")
        slower = "attention" in name or "indrnn" in name
        assert stage.learning_rate == (1e-5 if stage.name == "c3" else 1e-4 if slower else 1e-3)
    assert experiment.training.learning_rate == stages[-1].learning_rate


def gru(inputs, units=128):
    return 3 * (inputs * units + units * units + units)


CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
CONVOLUTIONS = [9 * before * after + after for before, after in pairwise(CHANNELS)]
VGG = sum(CONVOLUTIONS)
FC = (4608 + 136 + 1) * 4096
# Published or counted from the papers' tables; an LSTM unit has three peepholes, an IndRNN unit one recurrent weight.
WEIGHTS = {
    "ijcv2019/affwildnet_vggface": 35_871_554,
    "ijcv2019/vggface": 50_939_714,
    "ijcv2019/vggface_no_landmarks": 50_382_658,
    "ijcv2019/released_affwildnet_vggface": 35_314_498,
    "ijcv2019/released_vggface_2000": 41_791_154,
    "ijcv2019/vggface_lstm": VGG + FC + 4 * (4096 * 128 + 2 * 128**2 + 128**2 + 128 * 2) + 2 * 3 * 128 + 258,
    "ijcv2019/cnn_m": 25_419_074,
    "ijcv2019/affwildnet_resnet50": 27_536_574,
    "cvprw2017/vggface": 2 * (VGG + (7 * 7 * 512 + 1) * 4096 + (4096 + 136 + 1) * 4096 + (4096 + 1) * 2622 + 2622 + 1),
    "cvprw2017/vggface_gru": 2 * (VGG + (7 * 7 * 512 + 136 + 1) * 4096 + gru(4096) + gru(128) + 129),
    "omg2019/cnn_3rnn": VGG + FC + gru(24 * 24 * 128) + gru(4608) + gru(4096) + 3 * gru(128) + (3 * 128 + 1) * 2,
    "omg2019/cnn_1rnn": VGG + FC + gru(24 * 24 * 128 + 4608 + 4096) + gru(128) + 258,
    # Layers after the last tap that is read are not part of the network.
    "omg2019/cnn_3rnn_conv3_conv4_conv5": sum(CONVOLUTIONS[:5])
    + 2 * gru(48 * 48 * 128)
    + gru(24 * 24 * 256)
    + 3 * gru(128)
    + (3 * 128 + 1) * 2,
    "thesis2018/resnet50_attention_c0": 28_983_746,
    "thesis2018/vggface_gru_c0": 16_632_642,
    "thesis2018/vggface_lstm_c0": 17_272_642,
    "thesis2018/vggface_indrnn_c0": 15_321_666,
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if "resnet50" in name else []) for name in WEIGHTS],
)
def test_the_networks_have_the_published_number_of_weights(name):
    assert cost.parameters(get(name).model) == WEIGHTS[name]


def test_model_level_fusion_has_the_weights_of_its_members():
    """Less their output layers, plus a GRU layer on the outputs of the four stacks (omg2019 section 5.4.1)."""
    one, three = WEIGHTS["omg2019/cnn_1rnn"] - 258, WEIGHTS["omg2019/cnn_3rnn"] - 770
    fused = get("omg2019/model_fusion_rnn").model
    assert cost.parameters(fused) == one + three + gru(4 * 128) + 258


def dense(inputs, units):
    return (inputs + 1) * units


def lstm(inputs, units=128):
    return 4 * (inputs * units + units * units + units) + 3 * units


def attention(features, units=128):
    """A layer before two GRU layers, then query, keys, scores and a layer after them (TensorFlow 1's wrapper)."""
    around = dense(features + units, features) + dense(2 * units, units)
    return around + gru(features) + gru(units) + dense(2 * units, units) + units * units + units


RESNET, SLIM_RESNET = 23_534_592, 23_508_032  # see BACKBONE_COUNTS in the tests of the backbones
DENSENET121, DENSENET169 = 6_953_856, 12_484_480
ONE_STACK, THREE_STACKS = WEIGHTS["omg2019/cnn_1rnn"], WEIGHTS["omg2019/cnn_3rnn"]
STACKS = gru(24 * 24 * 128) + gru(4608) + gru(4096) + 3 * gru(128)
# Counted from the papers' tables, layer by layer: the other networks.
COUNTED = {
    "ijcv2019/resnet50": RESNET + dense(2048 + 136, 1500) + dense(1500, 256) + dense(256, 2),
    "ijcv2019/affwildnet_resnet50": RESNET + dense(2048 + 136, 1500) + gru(1500) + gru(128) + 258,
    "ijcv2019/released_affwildnet_resnet50": SLIM_RESNET + gru(2048) + gru(128) + 258,
    "ijcv2019/vgg16": WEIGHTS["ijcv2019/vggface"],
    "ijcv2019/afew_va_cnn": VGG + dense(4608, 4096) + dense(4096, 2048) + dense(2048, 2),
    "ijcv2019/emotiw_affwildnet": VGG + FC + gru(4096) + gru(128) + dense(128, 7),
    "cvprw2017/vggface_lstm": 2 * (VGG + dense(7 * 7 * 512 + 136, 4096) + lstm(4096) + lstm(128) + 129),
    "cvprw2017/vggface_no_landmarks": 2 * (VGG + dense(7 * 7 * 512, 4096) + dense(4096, 4096) + dense(4096, 1)),
    "cvprw2017/resnet50": 2 * (RESNET + dense(2048 + 136, 1500) + dense(1500, 256) + dense(256, 1)),
    "omg2019/vggface": VGG + FC + dense(4096, 2),
    "omg2019/resnet50": RESNET + dense(2048 + 136, 1500) + dense(1500, 2),
    "omg2019/densenet121": DENSENET121 + dense(1024 + 136, 1500) + dense(1500, 2),
    "omg2019/affwildnet": RESNET + dense(2048 + 136, 1500) + gru(1500) + gru(128) + 258,
    "omg2019/densenet_rnn": DENSENET121 + dense(1024 + 136, 1500) + gru(1500) + gru(128) + 258,
    "omg2019/cnn_2rnn": VGG + FC + gru(4608) + gru(4096) + 2 * gru(128) + dense(256, 2),
    "omg2019/cnn_2rnn_1fc": VGG + FC + gru(4608) + gru(4096) + 2 * gru(128) + dense(256, 128) + 258,
    "omg2019/cnn2_to_1rnn": VGG + FC + gru(4608 + 4096) + gru(128) + 258,
    "omg2019/cnn_3rnn_1fc": VGG + FC + STACKS + dense(384, 128) + 258,
    "omg2019/cnn_3rnn_encoded_landmarks": VGG + dense(136, 1024) + dense(4608 + 1024, 4096) + STACKS + dense(384, 2),
    "omg2019/model_fusion_rnn": ONE_STACK - 258 + THREE_STACKS - 770 + gru(4 * 128) + 258,
    "omg2019/model_fusion_fc": ONE_STACK - 258 + THREE_STACKS - 770 + dense(4 * 128, 128) + 258,
    "omg2019/decision_fusion": ONE_STACK + THREE_STACKS,
    "thesis2018/vggface_attention_c0": VGG + attention(4608) + 258,
    "thesis2018/resnet50_attention_c0": SLIM_RESNET + attention(2048) + 258,
    "thesis2018/resnet50_vggface2_attention_c0": RESNET + attention(2048) + 258,
    "thesis2018/densenet121_attention_c0": DENSENET121 + attention(1024) + 258,
    "thesis2018/densenet169_attention_c0": DENSENET169 + attention(1664) + 258,
}


@pytest.mark.parametrize("name", {**WEIGHTS, **COUNTED})
def test_the_listed_numbers_of_weights_are_those_counted_from_the_papers(name):
    """The file that lists them is that of the built networks: test_cost.py."""
    assert costs.load()[name].weights == {**WEIGHTS, **COUNTED}[name]


# Networks of cvprw2017's tables that no row of results has.
WITHOUT_ROW = {
    "cvprw_resnet50_no_landmarks": 2 * (RESNET + dense(2048, 1500) + dense(1500, 1)),
    "cvprw_resnet50_gru": 2 * (RESNET + dense(2048 + 136, 4096) + gru(4096) + gru(128) + 129),
}


@pytest.mark.parametrize("name", WITHOUT_ROW)
def test_networks_without_a_row_have_the_counted_number_of_weights(name):
    assert cost.parameters(NETWORKS[name]) == WITHOUT_ROW[name]


def test_every_network_is_counted():
    counted = {replace(get(name).model, image_size=96) for name in (*WEIGHTS, *COUNTED)}
    assert {name for name, model in NETWORKS.items() if model not in counted} == set(WITHOUT_ROW)


def test_evaluation_cuts_windows_as_training_does():
    for name, experiment in EXPERIMENTS.items():
        rule = experiment.training.window_rule.replace("padded", "consecutive")  # evaluation always pads
        evaluation = experiment.evaluation
        assert (evaluation.window_rule, evaluation.max_gap) == (rule, experiment.training.max_gap), name


@pytest.mark.parametrize("name", ["affwildnet", "densenet_rnn", "cnn_1rnn", "cnn_3rnn"])
def test_a_frozen_cnn_of_omg2019_is_trained_above_its_backbone(name):
    """Section 5.2 (i): the CNN's weights fixed, FC and RNN trained; all from the pre-trained network."""
    experiment, whole = get(f"omg2019/{name}_frozen"), get(f"omg2019/{name}")
    (stage,) = experiment.training.stages
    assert (experiment.model, stage.learning_rate, stage.starts) == (whole.model, 1e-3, (("*", "init"),))
    layers = [layer for layer in models.build(small(experiment.model)).layers if layer.weights]
    frozen = {layer.name for layer in layers if not any(fnmatchcase(layer.name, each) for each in stage.trainable)}
    assert frozen == {layer.name for layer in layers if isinstance(layer, (Conv2D, BatchNormalization))}
    if experiment.model.backbone == "vgg16":
        assert frozen == {f"conv{number}" for number in range(1, 14)}
