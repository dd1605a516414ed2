"""The working directory: which run it belongs to, and notes that are read whole or skipped."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from affwildnet.experiments import get
from affwildnet.experiments.config import Stage
from affwildnet.runs.json_files import append_line, read_lines, write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir, versions
from tfrecords_tools.errors import UserError

EXPERIMENT = get("ijcv2019/affwildnet_vggface")


@pytest.fixture
def workdir(tmp_path):
    """One in which the experiment has left a checkpoint."""
    workdir = Workdir(tmp_path / "deep" / "workdir")
    workdir.start(Run(EXPERIMENT, tmp_path / "corpus"))
    (workdir.checkpoints / "step-00000001.keras").write_bytes(b"weights")
    return workdir


def with_training(**fields):
    return replace(EXPERIMENT, training=replace(EXPERIMENT.training, **fields))


def test_a_started_run_can_be_opened(workdir, tmp_path):
    assert workdir.open() == Run(EXPERIMENT, tmp_path / "corpus")
    assert workdir.checkpoints.is_dir()


def test_the_corpus_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Workdir(Path("w")).start(Run(EXPERIMENT, Path("corpus")))
    monkeypatch.chdir(tmp_path)
    assert Workdir(Path("here/w")).open().data_dir == tmp_path / "here" / "corpus"


def test_the_same_experiment_goes_on(workdir, tmp_path):
    workdir.start(Run(EXPERIMENT, tmp_path / "moved"))
    assert workdir.open() == Run(EXPERIMENT, tmp_path / "moved")


def test_another_experiment_is_refused_by_its_name(workdir, tmp_path):
    with pytest.raises(UserError, match=r"it holds ijcv2019/affwildnet_vggface, this run ijcv2019/cnn_m\. Use"):
        workdir.start(Run(get("ijcv2019/cnn_m"), tmp_path))
    assert workdir.open().experiment == EXPERIMENT


def test_changed_fields_are_refused_by_their_names(workdir, tmp_path):
    other = with_training(window=40, learning_rate=1e-3, steps=7)
    with pytest.raises(UserError) as caught:
        workdir.start(Run(replace(other, model=replace(EXPERIMENT.model, hidden=(100,))), tmp_path))
    message = str(caught.value)
    assert "model.hidden is (4096,) there, not (100,)" in message
    assert "training.window is 80 there, not 40" in message
    assert "training.learning_rate is 0.0001 there, not 0.001" in message
    assert "training.steps" not in message
    assert str(workdir.path) in message
    assert workdir.open().experiment == EXPERIMENT


# Fields of training that do not change the result, with other values. A cache in float32 rounds nothing.
FREE = {
    "steps": 5,
    "log_steps": 2,
    "checkpoint_steps": 3,
    "checkpoint_minutes": 1.0,
    "keep_checkpoints": 9,
    "jit_compile": "false",
    "cache": "float32",
    "cache_gb": 3.0,
}


def test_what_does_not_change_the_result_may_change(workdir, tmp_path):
    assert all(getattr(EXPERIMENT.training, field) != value for field, value in FREE.items())
    changed = replace(with_training(**FREE), evaluation=replace(EXPERIMENT.evaluation, patience=3))
    workdir.start(Run(changed, tmp_path))
    assert workdir.open().experiment == changed


@pytest.mark.parametrize("field", ["cache", *(field for field in vars(EXPERIMENT.training) if field not in FREE)])
def test_every_other_training_field_must_stay(field, workdir, tmp_path):
    value = getattr(EXPERIMENT.training, field)
    changes = {"init_skip": ("gru*",), "stages": (Stage("c0", ("*",), (), 1e-3),), "balance": (0.25,) * 4}
    other = changes.get(field)
    if other is None:
        other = {bool: lambda: not value, str: lambda: value + "x"}.get(type(value), lambda: value + 1)()
    with pytest.raises(UserError, match=f"training.{field} is "):
        workdir.start(Run(with_training(**{field: other}), tmp_path))


def test_before_the_first_checkpoint_a_mistake_can_be_corrected(tmp_path):
    workdir = Workdir(tmp_path / "w")
    workdir.start(Run(with_training(window=800), tmp_path))
    workdir.start(Run(EXPERIMENT, tmp_path))
    assert workdir.open().experiment == EXPERIMENT


def test_a_directory_without_a_run_says_so(tmp_path):
    with pytest.raises(UserError, match=r"no run was started here \(no experiment.json\). Run train.py"):
        Workdir(tmp_path).open()
    with pytest.raises(UserError, match="no run was started here"):
        Workdir(tmp_path / "nowhere").open()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"experiment": {}, "data_dir": "x"}', '{"experiment": 3, "data_dir": "x"}']
)
def test_an_unreadable_run_is_named(content, tmp_path):
    (tmp_path / "experiment.json").write_text(content)
    with pytest.raises(UserError, match=r"experiment\.json: not a readable run"):
        Workdir(tmp_path).open()


@pytest.mark.parametrize(
    "wrong",
    [
        {"fold": {"number": 1, "parts": ["a"]}},
        {"fold": {"number": "1", "parts": {"train/a": "fold-1"}}},
        {"fold": {"number": 3, "parts": {"train/a": "fold-1", "train/b": "fold-2"}}},
        {"stage": [1]},
        {"data_dir": 5},
    ],
    ids=str,
)
def test_a_run_with_parts_of_another_kind_is_named(wrong, workdir):
    fields = json.loads(workdir.experiment_json.read_text())
    workdir.experiment_json.write_text(json.dumps({**fields, **wrong}))
    with pytest.raises(UserError, match=r"experiment\.json: not a readable run"):
        workdir.open()


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("training", "steps", "six"),
        ("training", "window", True),
        ("evaluation", "window", -4),
        ("evaluation", "window", 1e9),
        ("model", "hidden", ["4"]),
        ("model", "backbone", 7),
    ],
)
def test_a_run_with_a_value_that_its_field_cannot_have_is_named(part, field, value, workdir):
    fields = json.loads(workdir.experiment_json.read_text())
    fields["experiment"][part][field] = value
    workdir.experiment_json.write_text(json.dumps(fields))
    with pytest.raises(UserError, match=rf"experiment\.json: not a readable run \(.*{field}"):
        workdir.open()


def test_lines_are_read_back_as_written(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_lines(path) == []
    values = [{"step": 1, "loss": 0.1}, {"step": 2, "name": "é\nn"}]
    for value in values:
        append_line(path, value)
    assert read_lines(path) == values
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    "line",
    [
        {"step": True},
        {"step": -1},
        {"step": 10**30},
        {"step": 1, "loss": "x"},
        {"step": 1, "ccc": {"valence": "high"}},
        {"step": 1, "ranking": [1]},
        {"step": 1, "ranking": {"mean": None}},
        {"step": 1, "ranking": {"mean": float("nan")}},
    ],
    ids=str,
)
def test_a_line_without_numbers_where_it_has_scores_is_skipped(line, tmp_path, shown):
    path = tmp_path / "lines.jsonl"
    append_line(path, line)
    append_line(path, {"step": 2, "ccc": {"valence": None, "mean": 0.5}, "ranking": {"mean": 0.5}})
    assert [found["step"] for found in read_lines(path)] == [2]
    assert "line 1: cut off or damaged, skipped" in shown()


@pytest.mark.parametrize("kept", [1, 7, 11])
def test_a_line_cut_off_by_a_crash_is_skipped(kept, tmp_path, shown):
    path = tmp_path / "lines.jsonl"
    append_line(path, {"step": 1})
    whole = path.stat().st_size
    append_line(path, {"step": 222})
    path.write_bytes(path.read_bytes()[: whole + kept])
    assert read_lines(path) == [{"step": 1}]
    assert f"{path}, line 2: cut off" in shown()


@pytest.mark.parametrize("kept", [1, 7, 12, 13])
def test_lines_appended_behind_a_cut_off_one_are_not_lost(kept, tmp_path):
    path = tmp_path / "lines.jsonl"
    append_line(path, {"step": 1})
    whole = path.stat().st_size
    append_line(path, {"step": 222})
    path.write_bytes(path.read_bytes()[: whole + kept])
    append_line(path, {"step": 3})
    append_line(path, {"step": 4})
    steps = [line["step"] for line in read_lines(path)]
    assert steps == ([1, 222, 3, 4] if kept == 13 else [1, 3, 4])  # 13 leaves all but the line break


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "note.json"
    write_json(path, {"step": 1})
    assert json.loads(path.read_text()) == {"step": 1}
    with pytest.raises(TypeError):
        write_json(path, {"step": 2, "bad": {1, 2}})
    assert json.loads(path.read_text()) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["note.json"]


def test_a_failed_write_leaves_what_stood_there(tmp_path, monkeypatch):
    path = tmp_path / "note.json"
    write_json(path, {"step": 1})

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_json(path, {"step": 2})
    assert json.loads(path.read_text()) == {"step": 1}


def test_versions_name_what_decides_a_result():
    found = versions()
    assert {"python", "keras", "numpy"} <= found.keys()
    assert {"tensorflow", "tensorflow-cpu"} & found.keys()
    assert all(isinstance(value, str) and value[0].isdigit() for value in found.values())


@pytest.mark.parametrize("name", ["experiment_json", "metrics", "finished"])
def test_a_folder_in_place_of_a_file_is_one_line(tmp_path, name):
    workdir = Workdir(tmp_path)
    path = getattr(workdir, name)
    path.mkdir()
    reads = {"experiment_json": workdir.open, "metrics": workdir.check_scores, "finished": workdir.reason_finished}
    with pytest.raises(UserError, match=rf"{path.name}: must be a file\. Received: a folder\. Move it away"):
        reads[name]()
