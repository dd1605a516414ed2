"""The experiments: their settings against the papers, their networks, their listing."""

import dataclasses
import importlib
import json
import pkgutil
import subprocess
import sys
from itertools import pairwise

import pytest

from affwildnet import experiments, models
from affwildnet.commands import experiments_command
from affwildnet.experiments import (
    EXPERIMENTS,
    PAPERS,
    descriptions,
    fidelity,
    fidelity_page,
    get,
    networks,
    paper_faces,
    settings,
)
from affwildnet.experiments.config import PROTOCOLS, Experiment
from affwildnet.experiments.overrides import from_json, override, to_json
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError

ALL = pytest.mark.parametrize("name", list(EXPERIMENTS))


def test_every_paper_is_registered_under_its_own_name():
    papers = [name for _, name, _ in pkgutil.iter_modules(experiments.__path__)]
    others = (
        "config",
        "costs",
        "departures",
        "descriptions",
        "effects",
        "field_values",
        "fidelity",
        "fidelity_page",
        "heads",
        "network_rules",
        "networks",
        "overrides",
        "paper_faces",
        "published",
        "settings",
        "tables",
        "window_rules",
        "__main__",
    )
    papers = [name for name in papers if name not in others]

    assert set(papers) == set(PAPERS)
    found = []
    for paper in papers:
        for experiment in importlib.import_module(f"affwildnet.experiments.{paper}").EXPERIMENTS:
            assert experiment.name.split("/")[0] == paper
            assert experiment.name.count("/") == 1
            found.append(experiment.name)
    assert sorted(found) == sorted(EXPERIMENTS)  # a name used twice would be here once
    assert all(EXPERIMENTS[name].name == name for name in EXPERIMENTS)


@ALL
def test_every_experiment_has_one_line_that_says_what_it_is(name):
    title = get(name).title
    assert title == title.strip() != ""
    assert "\n" not in title


def test_no_two_experiments_are_the_same():
    seen = {}
    for name, experiment in EXPERIMENTS.items():
        key = experiment.model, experiment.training, experiment.corpus
        assert key not in seen, f"{name} is {seen.get(key)}"
        seen[key] = name


@pytest.mark.parametrize(("name", "hidden"), [("affwildnet_vggface", 4096), ("affwildnet_resnet50", 1500)])
def test_affwildnet_has_the_settings_of_section_4_2_3(name, hidden):
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
    assert (model.pixel_mean, model.pixel_scale) == ((128,) * 3, (0.0078125,) * 3)


def test_the_cnn_alone_has_the_settings_of_section_4_2_2():
    experiment = get("ijcv2019/vggface")
    model, training = experiment.model, experiment.training
    assert training.batch_size * training.window == 50
    assert (training.learning_rate, training.decay_rate, training.loss) == (1e-4, 1, "ccc")
    assert (model.hidden, model.dropout, model.recurrent, model.landmarks) == ((4096, 4096), 0.5, "none", True)


def test_the_baseline_has_the_settings_of_section_4_1_1():
    experiment = get("ijcv2019/cnn_m")
    assert experiment.training.batch_size * experiment.training.window == 80
    assert experiment.training.learning_rate == 1e-3
    assert (experiment.model.backbone, experiment.model.hidden) == ("cnn_m", (4096,))
    assert (experiment.model.recurrent, experiment.model.landmarks) == ("none", False)


def small(config):
    return dataclasses.replace(config, width=0.02 * config.width, image_size=32)


# One of each kind; deep backbones have hundreds of layers, and the others differ little.
QUICK = ("sample/affwildnet", "ijcv2019/cnn_m", "cvprw2017/vggface", "omg2019/cnn_3rnn_conv6_conv7_conv8")
# test_family.py builds the networks that have a name, and computes with them.
NAMED = {small(config) for config in networks.NETWORKS.values()}
NETWORKS = {small(experiment.model): name for name, experiment in reversed(EXPERIMENTS.items())}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        pytest.param(config, name, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
        for config, name in NETWORKS.items()
        if config not in NAMED or name in QUICK
    ],
)
def test_every_network_builds(config, name):
    model = models.build(config)
    landmarks = any(member.landmarks for member in config.members) if config.members else config.landmarks
    assert [tensor.name for tensor in model.inputs] == ["frames", "landmarks"][: 1 + landmarks]
    assert model.output.shape == (None, None, 7 if name.startswith("ijcv2019/emotiw") else 2)


@ALL
def test_an_experiment_survives_json(name):
    experiment = get(name)
    again = from_json(json.loads(json.dumps(to_json(experiment))))
    assert again == experiment
    assert type(again) is Experiment
    assert type(again.model.hidden) is tuple
    hash(again.model)  # fails if it holds a list


def test_a_field_from_a_later_version_is_named():
    fields = to_json(get("sample/affwildnet"))
    fields["training"]["warp_drive"] = 9
    with pytest.raises(UserError, match="does not know: warp_drive"):
        from_json(fields)


def test_a_field_that_is_missing_gets_its_default():
    experiment = get("ijcv2019/cnn_m")
    fields = to_json(experiment)
    del fields["training"]["clip_norm"], fields["notes"]
    assert from_json(fields) == dataclasses.replace(experiment, notes="")


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UserError) as caught:
        get("ijcv2019/affwildnet_vgface")
    message = str(caught.value)
    assert message.endswith("Received: ijcv2019/affwildnet_vgface. Did you mean ijcv2019/affwildnet_vggface?")
    assert f"one of the {len(EXPERIMENTS)} that `python -m affwildnet.experiments` lists" in message


def test_a_name_far_from_all_gets_no_suggestion():
    with pytest.raises(UserError) as caught:
        get("zzz")
    assert str(caught.value).endswith("Received: zzz.")


# The columns of the listing: name, tables, metric, valence, arousal, what it is.
COLUMNS = (2, 47, 62, 71, 79, 90)


def cells(line):
    return [line[start:end].strip() for start, end in pairwise((*COLUMNS, None))]


def test_the_listing_is_by_paper():
    parts = descriptions.listing().split("\n\n")
    assert [part.splitlines()[0] for part in parts] == [paper.title for paper in PAPERS.values()]
    for part, paper in zip(parts, PAPERS.values(), strict=True):
        head, *lines = part.splitlines()[1:]
        assert cells(head) == ["experiment", "tables", "metric", "valence", "arousal", "network"]
        names = [name for name in (cells(line)[0] for line in lines) if name]
        assert names == [e.name for e in paper.experiments] + ["(other groups)"] * len(paper.others)
        titles = {name: title for name, *_, title in map(cells, lines)}
        assert all(titles[experiment.name] == experiment.title for experiment in paper.experiments)


def test_the_listing_has_the_published_numbers():
    lines = [cells(line) for line in descriptions.listing().splitlines() if line.startswith("  ")]
    by_name, key = {}, ""
    for name, *numbers, _ in lines:
        key = name or key  # the lines below the first have none
        by_name.setdefault(key, []).append(numbers)
    assert by_name["ijcv2019/affwildnet_vggface"] == [["8, 9", "CCC", "0.570", "0.430"]]
    assert by_name["ijcv2019/affwildnet_resnet50"] == [["omg2019/1", "CCC", "0.570", "0.430"]]
    assert by_name["omg2019/cnn_2rnn"] == [["-", "-", "-", "-"]]
    assert by_name["ijcv2019/emotiw_affwildnet"] == [["12, 14", "accuracy", "", "0.454"]]
    assert by_name["ijcv2019/afew_va_affwildnet"] == [
        ["11", "Pearson", "0.514", "0.575"],
        ["13, omg2019/1", "CCC", "0.515", "0.556"],
    ]
    assert by_name["omg2019/vggface"] == [["3", "CCC", "0.378", "0.203"], ["3", "CCC", "0.361", "0.193"]]
    assert by_name["thesis2018/vggface_attention_c0"][1] == ["6.2, 6.4", "CCC", "0.412", "0.342"]
    assert ["5", "CCC", "0.396", "0.282"] in by_name["(other groups)"]


def test_a_description_has_every_field_and_the_published_rows(capsys):
    experiments_command.main(["ijcv2019/affwildnet_vggface"])
    text = capsys.readouterr().out
    experiment = get("ijcv2019/affwildnet_vggface")
    for part in (experiment.model, experiment.training, experiment.evaluation):
        for field, value in vars(part).items():
            assert f"\n  {field} = {value!r}\n" in text
    assert "published in ijcv2019, table 9, row 'AffWildNet', on Aff-Wild, test set:" in text
    assert "ccc: valence 0.57, arousal 0.43, mean 0.5\n" in text
    assert "published in ijcv2019, table 8, row '2 layers, 128', on Aff-Wild, test set:" in text
    experiments_command.main(["ijcv2019/vgg16"])
    assert "\ntrainable weights: 35,871,554\n" in text
    # 13 convolutions at 96x96, FC on 4,744 values, and the recurrent layers' matrices: 2 operations each.
    sides = (96, 96, 48, 48, 24, 24, 24, 12, 12, 12, 6, 6, 6)
    channels = pairwise([3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512])
    convolutions = sum(9 * a * b * side**2 for (a, b), side in zip(channels, sides, strict=True))
    operations = 2 * (convolutions + 4744 * 4096 + 3 * 128 * (4096 + 128 + 128 + 128) + 256)
    assert f"\ncost: {operations / 1e9:.3g} GFLOPs a frame of 96x96 pixels\n" in text


@pytest.mark.parametrize("name", ["ijcv2019/vgg16", "omg2019/model_fusion_fc", "thesis2018/vggface_gru_c0"])
def test_a_description_lists_the_notes_in_lines_that_fit(name):
    experiment = get(name)
    _, notes = descriptions.description(experiment).split("\nnotes:\n")
    assert max(map(len, notes.splitlines())) <= 120
    assert [" ".join(each.split()) for each in f"\n{notes}".split("\n- ")[1:]] == experiment.notes.split("\n")
    for choice in (fidelity.NO_OPTIMIZER, fidelity.HIDDEN_START):
        assert (str(choice) in experiment.notes.split("\n")) == (str(choice) in experiment.notes)


def test_a_description_says_what_found_the_papers_faces():
    assert set(paper_faces.FACES) == set(PAPERS)
    assert "faces: found in every frame by a deformable part model, FFLD2" in descriptions.description(
        get("omg2019/cnn_3rnn")
    )


def test_a_description_has_a_line_for_each_stage_and_member(monkeypatch):
    monkeypatch.setattr(descriptions, "_cost", lambda model: [])
    text = descriptions.description(get("thesis2018/vggface_attention_c3"))
    assert "\n  stages:\n    name = 'c2'; trainable = ('*',); " in text
    assert (
        "\n    name = 'c3'; trainable = ('*',); starts = (('*', 'c2'), ('conv*', 'init')); learning_rate = 1e-05"
        in text
    )
    text = descriptions.description(get("omg2019/model_fusion_fc"))
    assert text.count("landmarks = True; ") == 2
    assert "landmarks = False" not in text  # a field of the fused network that has no effect
    assert "rnn_inputs = ('pool2', 'pool5', 'fc')\n" in text
    assert f"\nscored: {PROTOCOLS['utterances']}\n" in text
    assert "\n  note: Median filters over 81 frames" in text


def test_the_command_line_lists_and_refuses():
    def run(*arguments):
        command = [sys.executable, "-m", "affwildnet.experiments", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    listed = run()
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout == descriptions.listing() + "\n"
    refused = run("ijcv2019/vgface")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.endswith("Did you mean ijcv2019/vggface?\n")
    assert refused.stderr.count("\n") == 1
    assert run("one", "two").returncode == 2


def test_the_page_of_settings_is_up_to_date():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    command = "python -m affwildnet.experiments.settings > docs/reference/settings.md"
    assert page == settings.page(), f"Write the page again: {command}"


def test_every_field_has_a_meaning_and_every_number_a_unit():
    found = {setting.name: setting for setting in settings.settings()}
    assert found["training.batch_size"] == settings.Setting(
        "training.batch_size", "int", "4", "windows", "windows in a batch."
    )
    assert found["model.hidden"].default == "4096"
    assert found["model.pixel_mean"].type == "float, float, float"
    assert {"name", "title", "notes", "published", "model.members", "training.stages"}.isdisjoint(found)
    assert all(setting.meaning for setting in found.values())
    assert {name for name, each in found.items() if each.type.split(",")[0] in ("int", "float")} == set(settings.UNITS)


def test_every_field_is_overridden_by_the_default_that_is_shown():
    plain = Experiment("a/b", "title")
    for setting in settings.settings():
        if setting.name.partition(".")[0] in settings.PARTS:
            assert override(plain, [f"{setting.name}={setting.default}"]) == plain


def test_the_page_of_choices_is_up_to_date_and_has_every_note():
    page = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
    command = "python -m affwildnet.experiments.fidelity_page > docs/fidelity.md"
    assert page == fidelity_page.page(), f"Write the page again: {command}"
    every = [value for value in vars(fidelity).values() if isinstance(value, fidelity.Choice)]
    for experiment in EXPERIMENTS.values():
        rest = experiment.notes
        for choice in every:
            rest = rest.replace(str(choice), "")
        assert " ".join(rest.split()) in page, experiment.name
    for choice in every:
        assert f"| {choice.topic} | {choice.source} | {choice.here} |" in page
        assert any(str(choice) in experiment.notes for experiment in EXPERIMENTS.values()), choice.topic


def test_a_paper_in_place_of_an_experiment_is_answered_with_one_of_its_own():
    for name in ("ijcv2019", "ijcv2019/"):
        with pytest.raises(
            UserError, match=rf"Received: {name}\. Did you mean one of ijcv2019/, such as ijcv2019/\w+\?$"
        ):
            get(name)
