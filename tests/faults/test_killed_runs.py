"""Training, watching, evaluating, predicting and exporting killed before a file operation, and started again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.faults import scene
from tests.faults.commands import points

KILLED = -9
FEW = 7


@pytest.fixture(scope="module")
def trained(commands, tmp_path_factory):
    """A corpus and a run that was trained on it in one go, with what that took."""
    folder = tmp_path_factory.mktemp("trained")
    scene.make_corpus(folder / "corpus")
    scene.add_notes(folder / "run")
    arguments = scene.train_arguments(folder / "corpus", folder / "run")
    counted = commands.run("train", *arguments, root=folder / "run")
    assert counted.status == 0, counted.errors
    return folder, counted


@pytest.fixture(scope="module")
def watched(commands, trained, tmp_path_factory):
    """The same, with all its checkpoints scored."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copytree(trained[0] / "run", folder / "run")
    counted = commands.run("evaluate", f"--workdir={folder / 'run'}", "--watch", root=folder / "run")
    assert counted.status == 0, counted.errors
    return folder, counted


def losses(workdir):
    """{step: loss}; a step that was done again after a kill has the loss that it had before."""
    found = {}
    for line in (workdir / "training.jsonl").read_text().splitlines():
        values = json.loads(line)
        np.testing.assert_allclose(found.setdefault(values["step"], values["loss"]), values["loss"], rtol=1e-6)
    return found


@pytest.mark.slow
def test_a_killed_run_comes_to_the_same_weights(commands, trained, tmp_path):
    folder, counted = trained
    whole = folder / "run"
    assert len({round(loss, 6) for loss in losses(whole).values()}) == 6  # it learns
    for point in points(len(counted.operations), FEW):
        workdir = tmp_path / f"at {point}"
        scene.add_notes(workdir)
        arguments = scene.train_arguments(folder / "corpus", workdir)
        assert commands.run("train", *arguments, root=workdir, kill_at=point).status == KILLED
        scene.assert_no_half_file(workdir)
        again = commands.run("train", *arguments)
        assert again.status == 0, again.errors
        scene.assert_notes(workdir)
        assert losses(workdir) == pytest.approx(losses(whole), rel=1e-6), point
        names = sorted(path.name for path in (whole / "checkpoints").glob("*.keras"))
        assert sorted(path.name for path in (workdir / "checkpoints").glob("*.keras")) == names
        scene.assert_same_weights(workdir / "checkpoints" / names[-1], whole / "checkpoints" / names[-1])
        shutil.rmtree(workdir)


@pytest.mark.slow
def test_a_killed_watcher_comes_to_the_same_best_checkpoints(commands, trained, watched, tmp_path):
    folder, counted = watched
    for point in points(len(counted.operations), FEW):
        workdir = tmp_path / f"at {point}"
        shutil.copytree(trained[0] / "run", workdir)
        arguments = [f"--workdir={workdir}", "--watch"]
        assert commands.run("evaluate", *arguments, root=workdir, kill_at=point).status == KILLED
        scene.assert_no_half_file(workdir)
        again = commands.run("evaluate", *arguments)
        assert again.status == 0, again.errors
        assert scene.scores_of(workdir) == scene.scores_of(folder / "run"), point
        for best in sorted((folder / "run/best").glob("*.keras")):
            scene.assert_same_weights(workdir / "best" / best.name, best)
        assert not list((workdir / "best").glob(".*.keras"))
        scene.assert_notes(workdir)
        shutil.rmtree(workdir)


@pytest.mark.slow
def test_a_killed_evaluation_leaves_a_report_whole_or_none(commands, watched, tmp_path):
    def arguments(workdir):
        return [f"--workdir={workdir}", "--checkpoint=best_mean", "--split=validation", "--resamples=40"]

    shutil.copytree(watched[0] / "run", tmp_path / "whole")
    counted = commands.run("evaluate", *arguments(tmp_path / "whole"), root=tmp_path / "whole")
    assert counted.status == 0, counted.errors
    (report,) = (tmp_path / "whole").glob("report-*.json")
    for point in points(len(counted.operations), 4):
        workdir = tmp_path / f"at {point}"
        shutil.copytree(watched[0] / "run", workdir)
        assert commands.run("evaluate", *arguments(workdir), root=workdir, kill_at=point).status == KILLED
        scene.assert_no_half_file(workdir)
        scene.assert_notes(workdir)
        again = commands.run("evaluate", *arguments(workdir))
        assert again.status == 0, again.errors
        assert scene.numbers_of(workdir / report.name) == scene.numbers_of(report), point
        shutil.rmtree(workdir)


@pytest.mark.slow
def test_a_killed_prediction_is_made_again(commands, watched, sample_clips, tmp_path):
    (clip,) = (sample_clips / "videos/test").iterdir()

    def arguments(output):
        return [clip, f"--model={watched[0] / 'run'}", f"--output={output}", "--seconds=0.2"]

    scene.add_notes(tmp_path / "whole")
    counted = commands.run("predict", *arguments(tmp_path / "whole"), root=tmp_path / "whole")
    assert counted.status == 0, counted.errors
    expected = tables_of(tmp_path / "whole")
    assert expected
    for point in points(len(counted.operations), 4):
        output = tmp_path / f"at {point}"
        scene.add_notes(output)
        assert commands.run("predict", *arguments(output), root=output, kill_at=point).status == KILLED
        scene.assert_no_half_file(output)
        again = commands.run("predict", *arguments(output))
        assert again.status == 0, again.errors
        assert tables_of(output) == expected, point
        scene.assert_notes(output)


def tables_of(folder: Path):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.csv"))}


@pytest.mark.slow
def test_a_killed_export_is_whole_or_not_there(commands, watched, tmp_path):
    def arguments(output):
        return [f"--model={watched[0] / 'run'}", f"--output={output}"]

    def files_of(output):
        return sorted(str(path.relative_to(output)) for path in output.rglob("*"))

    scene.add_notes(tmp_path / "whole")
    counted = commands.run("export", *arguments(tmp_path / "whole"), root=tmp_path / "whole")
    assert counted.status == 0, counted.errors
    for point in points(len(counted.operations), FEW):
        output = tmp_path / f"at {point}"
        scene.add_notes(output)
        assert commands.run("export", *arguments(output), root=output, kill_at=point).status == KILLED
        scene.assert_no_half_file(output)
        scene.assert_notes(output)
        again = commands.run("export", *arguments(output))
        assert again.status == 0 or "saved_model" in again.assert_one_line(), again.errors
        assert files_of(output) == files_of(tmp_path / "whole"), point
