"""The experiments against the papers' tables, typed again here, and the listing of them."""

import dataclasses
import importlib
import json
import pkgutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from affwildnet import experiments, models
from affwildnet.experiments import EXPERIMENTS, __main__, get
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import from_json, to_json
from tfrecords_tools.errors import UserError

ALL = pytest.mark.parametrize("name", list(EXPERIMENTS))

# ijcv2019: (table, CCC valence, CCC arousal, MSE valence, MSE arousal), from tables 9, 7 (mean of annotators, with
# landmarks) and 5 (baseline).
IJCV2019 = {
    "ijcv2019/affwildnet_vggface": ("9", 0.57, 0.43, 0.08, 0.06),
    "ijcv2019/affwildnet_resnet50": None,
    "ijcv2019/vggface": ("7", 0.51, 0.33, 0.10, 0.08),
    "ijcv2019/cnn_m": ("5", 0.150, 0.100, 0.130, 0.140),
}


def test_every_paper_is_registered_under_its_own_name():
    papers = [name for _, name, _ in pkgutil.iter_modules(experiments.__path__)]
    papers = [name for name in papers if name not in ("config", "overrides", "__main__")]
    assert {"ijcv2019", "sample"} <= set(papers)
    found = []
    for paper in papers:
        for experiment in importlib.import_module(f"affwildnet.experiments.{paper}").EXPERIMENTS:
            assert experiment.name.split("/")[0] == paper
            assert experiment.name.count("/") == 1
            found.append(experiment.name)
    assert sorted(found) == sorted(EXPERIMENTS)  # a name used twice would stand here once only
    assert all(EXPERIMENTS[name].name == name for name in EXPERIMENTS)


@ALL
def test_every_experiment_has_one_line_that_says_what_it_is(name):
    title = get(name).title
    assert title == title.strip() != ""
    assert "\n" not in title


@pytest.mark.parametrize("name", IJCV2019)
def test_published_numbers_are_those_of_the_paper(name):
    published = get(name).published
    if IJCV2019[name] is None:
        assert published == ()
        return
    (row,) = published
    table, ccc_valence, ccc_arousal, mse_valence, mse_arousal = IJCV2019[name]
    assert (row.source, row.table) == ("ijcv2019", table)
    assert "Aff-Wild" in row.corpus
    assert row.scores == {
        "ccc": {"valence": ccc_valence, "arousal": ccc_arousal},
        "mse": {"valence": mse_valence, "arousal": mse_arousal},
    }


def test_all_of_the_paper_is_checked_here():
    assert {name for name in EXPERIMENTS if name.startswith("ijcv2019/")} == set(IJCV2019)


@pytest.mark.parametrize(("name", "hidden"), [("affwildnet_vggface", 4096), ("affwildnet_resnet50", 1500)])
def test_affwildnet_is_set_as_in_section_4_2_3(name, hidden):
    experiment = get(f"ijcv2019/{name}")
    model, training = experiment.model, experiment.training
    assert (training.batch_size, training.window, training.learning_rate) == (4, 80, 1e-4)
    assert training.loss == "ccc"
    assert training.decay_rate == 1  # constant
    assert training.precision == "float32"
    assert experiment.evaluation.window == 80
    assert (model.image_size, model.width, model.landmarks, model.hidden) == (96, 1.0, True, (hidden,))
    assert (model.recurrent, model.recurrent_units, model.reset_after) == ("gru", (128, 128), False)
    assert (model.dropout, model.recurrent_dropout) == (0.5, 0.5)
    assert (model.pixel_mean, model.pixel_scale) == ((128, 128, 128), 0.0078125)


def test_the_cnn_alone_is_set_as_in_section_4_2_2():
    experiment = get("ijcv2019/vggface")
    model, training = experiment.model, experiment.training
    assert training.batch_size * training.window == 50
    assert (training.learning_rate, training.decay_rate, training.loss) == (1e-4, 1, "ccc")
    assert (model.hidden, model.dropout, model.recurrent, model.landmarks) == ((4096, 4096), 0.5, "none", True)


def test_the_baseline_is_set_as_in_section_4_1_1():
    experiment = get("ijcv2019/cnn_m")
    assert experiment.training.batch_size * experiment.training.window == 80
    assert experiment.training.learning_rate == 1e-3
    assert (experiment.model.trunk, experiment.model.hidden) == ("cnn_m", (4096,))
    assert (experiment.model.recurrent, experiment.model.landmarks) == ("none", False)


@ALL
def test_every_network_builds(name):
    config = get(name).model
    model = models.build(dataclasses.replace(config, width=0.05 * config.width))
    assert [i.name for i in model.inputs] == ["frames", "landmarks"][: 1 + config.landmarks]
    assert model.output.shape == (None, None, 2)


def test_affwildnet_has_the_published_number_of_weights():
    # Thirteen convolutions, FC on 4608 + 136 values, two GRUs with one bias, the output.
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    convolutions = sum(9 * before * after + after for before, after in pairwise(channels))
    recurrent = sum(3 * (inputs * 128 + 128 * 128 + 128) for inputs in (4096, 128))
    by_hand = convolutions + (4608 + 136 + 1) * 4096 + recurrent + 129 * 2
    assert by_hand == 35_871_554
    assert models.build(get("ijcv2019/affwildnet_vggface").model).count_params() == 35_871_554


@ALL
def test_an_experiment_survives_json(name):
    experiment = get(name)
    again = from_json(json.loads(json.dumps(to_json(experiment))))
    assert again == experiment
    assert type(again) is Experiment
    assert type(again.model.hidden) is tuple
    hash(again.model)  # a list inside would not


def test_a_field_from_a_later_version_is_named():
    fields = to_json(get("sample/affwildnet"))
    fields["training"]["warp_drive"] = 9
    with pytest.raises(UserError, match="does not know: warp_drive"):
        from_json(fields)


def test_a_field_from_before_its_time_has_its_default():
    experiment = get("ijcv2019/cnn_m")
    fields = to_json(experiment)
    del fields["training"]["clip_norm"], fields["notes"]
    assert from_json(fields) == dataclasses.replace(experiment, notes="")


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(UserError) as caught:
        get("ijcv2019/affwildnet_vgface")
    message = str(caught.value)
    assert message.endswith("Received: ijcv2019/affwildnet_vgface. Did you mean ijcv2019/affwildnet_vggface?")
    assert all(name in message for name in EXPERIMENTS)


def test_a_name_far_from_all_gets_the_list_alone():
    with pytest.raises(UserError) as caught:
        get("zzz")
    assert "Did you mean" not in str(caught.value)


def test_the_listing_has_a_line_for_each():
    lines = __main__.listing().splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    by_name = {line.split()[0]: line.split()[1:3] for line in lines}
    assert by_name["ijcv2019/affwildnet_vggface"] == ["0.570", "0.430"]
    assert by_name["ijcv2019/cnn_m"] == ["0.150", "0.100"]
    assert by_name["ijcv2019/affwildnet_resnet50"] == ["-", "-"]
    assert len({line.index(get(line.split()[0]).title) for line in lines}) == 1  # a column


def test_a_description_has_every_field_and_the_published_row(capsys):
    __main__.main(["ijcv2019/affwildnet_vggface"])
    text = capsys.readouterr().out
    experiment = get("ijcv2019/affwildnet_vggface")
    for part in (experiment.model, experiment.training, experiment.evaluation):
        for field, value in vars(part).items():
            assert f"\n  {field} = {value}\n" in text
    assert "published in ijcv2019, table 9, row 'AffWildNet', on Aff-Wild, test set:" in text
    assert "ccc: valence 0.57, arousal 0.43" in text
    assert experiment.notes in text


def test_the_command_line_lists_and_refuses():
    def run(*arguments):
        command = [sys.executable, "-m", "affwildnet.experiments", *arguments]
        return subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)

    listed = run()
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout == __main__.listing() + "\n"
    refused = run("ijcv2019/vgface")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.endswith("Did you mean ijcv2019/vggface?\n")
    assert refused.stderr.count("\n") == 1
    assert run("one", "two").returncode == 2
