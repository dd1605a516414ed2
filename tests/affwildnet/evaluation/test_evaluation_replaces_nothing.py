"""`evaluate.py --report` and `--export` replace what is of the same checkpoint and options, nothing else unasked."""

import json
from argparse import Namespace

import pytest

from affwildnet.commands.evaluate_outputs import _check_report, check_export
from affwildnet.export import saved_model
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.exported import SIZE, network
from tests.helpers.trainings import TINY, started
from tfrecords_tools.errors import UserError

REPORT = {
    "experiment": "a", "checkpoint": "best_mean.keras", "split": "test", "protocol": "frames",
    "configuration": {"evaluation": {"overlap": 0, "filters": (3, 5)}},
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"experiment": "b"},
        {"checkpoint": "latest.keras"},
        {"split": "validation"},
        {"configuration": {"evaluation": {"overlap": 40, "filters": (3, 5)}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_report_of_something_else_is_refused(changes, tmp_path):
    path = tmp_path / "report.json"
    _check_report(path, REPORT, overwrite=False)  # a new file
    path.write_text(json.dumps({**REPORT, "ccc": 0.3}))
    _check_report(path, {**REPORT, "ccc": 0.4}, overwrite=False)
    with pytest.raises(UserError, match=r"`report` must be a new file, or a report of the same.*with `overwrite`"):
        _check_report(path, {**REPORT, **changes}, overwrite=False)
    _check_report(path, {**REPORT, **changes}, overwrite=True)


@pytest.mark.parametrize("text", ["a letter", "[1, 2]", "{}"])
def test_a_file_that_is_no_report_is_refused(text, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"which is something else. Delete it"):
            _check_report(path, REPORT, overwrite)


def test_an_export_of_another_checkpoint_is_seen_before_anything_is_scored(tmp_path):
    workdir = started(tmp_path / "run", tmp_path, TINY)
    models = {name: network("gru", units=units) for name, units in (("best_mean", 6), ("best_arousal", 7))}
    workdir.best.mkdir()
    for name, model in models.items():
        write_model(model, workdir.best / f"{name}.keras", Card(SIZE))

    def check(checkpoint, overwrite=False):
        check_export(workdir, checkpoint, Namespace(export=tmp_path / "saved", overwrite=overwrite, fuse=[]))

    check("best_mean")
    saved_model.write(models["best_mean"], tmp_path / "saved", {"experiment": "mine"}, Card(SIZE))
    check("best_mean")
    with pytest.raises(UserError, match=r"saved: exists already, an export of another network \(mine\)"):
        check("best_arousal")
    check("best_arousal", overwrite=True)
