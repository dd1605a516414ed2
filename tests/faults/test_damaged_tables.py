"""Damaged notes and reports of a reproduced table: a line that says why, or a row that says so."""

import json
import math
from pathlib import Path

import pytest

from affwildnet.experiments.config import Experiment
from affwildnet.reproduce import progress_lines, reproducing, row_order, row_results, table_files
from affwildnet.reproduce.job_runs import DoneSteps, check_folder
from affwildnet.reproduce.row_jobs import Job, Step
from affwildnet.runs.json_files import write_json
from tests.faults.mutations import assert_harmless, fuzz
from tests.helpers.scored_table import STATES, drawn, gathered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return gathered(tmp_path_factory.mktemp("table"), *drawn())


def test_damaged_notes_of_what_is_done(results, tmp_path):
    step = Step("train", ("a", "b"), ("c",), output=tmp_path)
    DoneSteps(tmp_path).add(step, ())
    write_json(tmp_path / reproducing.NOTE, reproducing._note(results.request))
    write_json(tmp_path / "experiment.json", {"experiment": {"name": "tests/a"}, "data_dir": "x"})
    request, job = results.request, Job(".", Experiment("tests/a", ""), ("a",), (step,))
    own = type(request)(request.table, request.data_dir, tmp_path, request.settings)
    assert_harmless(tmp_path / "reproduced.json", lambda: DoneSteps(tmp_path).has(step))
    assert_harmless(tmp_path / "experiment.json", lambda: check_folder(job, tmp_path))
    assert_harmless(tmp_path / reproducing.NOTE, lambda: reproducing._check(own, ()))


def test_damaged_logs_of_a_run_that_is_watched(tmp_path):
    path = tmp_path / "metrics.jsonl"
    line = {"step": 2, "ranking": {"mean": 0.5, "valence": 0.4, "arousal": 0.6}}
    path.write_text("".join(json.dumps({**line, "step": 2 * step}) + "\n" for step in range(1, 8)))
    (tmp_path / "training.jsonl").write_text(path.read_text())
    whole = path.read_bytes()

    def read():
        return progress_lines._best(tmp_path), progress_lines._step(tmp_path)

    def is_right(found):
        return found[0] is None or math.isfinite(found[0])

    _, bad = fuzz(path, read, is_right)
    assert not bad, bad[:8]
    assert path.read_bytes() == whole


def test_damaged_reports_are_rows_that_say_so(results):
    path = results.rows[-1].path

    def read():
        found = row_results.gather(results.request, (), STATES)
        table_files.write(found, row_order.Order(reason="not asked"))
        return found

    def is_right(found):
        row = found.rows[-1]
        values = [row.value(metric, name) for metric, name in found.columns]
        numbers = [number for value in values for number in vars(value).values() if number is not None]
        return all(map(math.isfinite, numbers)) and (row.report is not None or str(path) in row.state)

    counted, bad = fuzz(path, read, is_right)
    print(dict(counted))
    assert not bad, "\n".join(bad[:8])


def test_damaged_predictions_give_no_other_order(results):
    path = Path(results.rows[-1].path).with_suffix(".csv")
    expected = row_order.order(results.rows)

    def is_right(found):
        if found.reason:
            return "must hold the predictions" in found.reason
        pairs = zip(found.pairs, expected.pairs, strict=True)
        return all(abs(one.probability - other.probability) < 0.02 for one, other in pairs)

    counted, bad = fuzz(path, lambda: row_order.order(results.rows), is_right, cases=40)
    print(dict(counted))
    assert not bad, "\n".join(bad[:8])
