"""What a flag asks for and cannot have is found before the scoring, which may take an hour."""

import json

import pytest

from affwildnet.commands import evaluate_command
from affwildnet.evaluation.evaluator import Evaluator
from tests.helpers.corpora import make_corpus
from tests.helpers.trainings import add_checkpoint, started
from tfrecords_tools.errors import UserError


@pytest.fixture
def evaluate(tiny_folder, tmp_path, monkeypatch, capfd):
    """Run the command on a trained run, whose scoring would fail; return the exit status and what it says."""
    workdir = started(tmp_path / "run", tiny_folder)
    add_checkpoint(workdir, 1)

    def scoring(*_):
        raise UserError("The network was run. Received: a call.")

    monkeypatch.setattr(Evaluator, "__call__", scoring)
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        status = evaluate_command.main([f"--workdir={workdir.path}", "--checkpoint=latest", "--gpu=-1", *flags])
        return status, capfd.readouterr().err

    return run


def refused(evaluate, flags, *words):
    status, said = evaluate(*flags)
    assert status not in (0, None)
    line = said.strip().splitlines()[-1]
    assert all(word in line for word in words), line
    assert "Received: " in line


def test_predictions_in_a_format_that_the_videos_do_not_fit(evaluate):
    refused(evaluate, ["--predictions=omg"], "The format omg needs videos named", "v2")


def test_predictions_where_other_files_are(evaluate, tmp_path):
    folder = tmp_path / "run" / "predictions-aff_wild2-validation-latest"
    folder.mkdir()
    (folder / "mine.txt").write_text("kept")
    refused(evaluate, ["--predictions=aff_wild2"], "must hold only the files of this split", "mine.txt")


def test_a_report_in_place_of_a_folder(evaluate, tmp_path):
    refused(evaluate, [f"--report={tmp_path}"], "`--report` must be a file", "a folder")


def test_a_report_in_place_of_something_else(evaluate, tmp_path):
    (tmp_path / "other.json").write_text(json.dumps({"experiment": "of mine"}))
    refused(evaluate, ["--report=other.json"], "`--report` must be a new file", "other.json")


def test_against_a_folder_without_a_run_or_a_run_on_other_videos(evaluate, tmp_path):
    status, said = evaluate("--against=nothing")
    assert status not in (0, None)
    assert "no run was started here" in said
    make_corpus(tmp_path / "other", [{"frames": 9}, {"frames": 9, "split": "validation", "video": "elsewhere"}])
    add_checkpoint(started(tmp_path / "second", tmp_path / "other"), 1)
    refused(evaluate, ["--against=second"], "`--against` must be scored on the same videos", "elsewhere")


def test_what_can_be_written_is_scored(evaluate):
    refused(evaluate, ["--predictions=aff_wild2", "--report=new.json"], "The network was run")
