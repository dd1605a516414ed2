"""Which data a run was trained on: found changed, accepted, and shown where its networks are scored."""

import os
import shutil

import numpy as np
import pytest

from affwildnet.commands import train_command
from affwildnet.evaluation import scored_run
from affwildnet.evaluation.reporting import plots
from affwildnet.evaluation.selection import Choices
from affwildnet.evaluation.watching import Watcher
from affwildnet.runs import best, checkpoints, training_data
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from affwildnet.training.loop import Trainer
from tests.helpers.corpora import make_corpus
from tests.helpers.trainings import TINY, add_checkpoint, started, tiny
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest

LATEST = Choices(checkpoint="latest", resamples=0)


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "workdir")


def data_of(folder, split="train"):
    packed = manifest.load(folder)
    return TrainingData.of(packed, folder, packed.split(split))


def corpus(folder, labels=None, names=("a", "b"), frames=9):
    videos = [{"frames": frames, "video": name, **({} if labels is None else {"labels": labels})} for name in names]
    make_corpus(folder, [*videos, {"frames": 8, "video": "v", "split": "validation"}])
    return folder


def test_the_same_records_elsewhere_are_the_same_data(tmp_path, workdir):
    corpus(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "moved")
    workdir.path.mkdir()
    training_data.note(workdir, data_of(tmp_path / "one"))
    training_data.note(workdir, data_of(tmp_path / "moved"))
    assert training_data.stored(workdir).folder == str(tmp_path / "moved")
    assert training_data.stored(workdir).replaced == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": -np.ones((9, 2))}, "of its 2 training videos: 2 with other records, such as a"),
        ({"names": ("a",)}, "1 gone, such as b"),
        ({"names": ("a", "b", "c")}, "1 new, such as c"),
    ],
)
def test_other_data_need_consent_and_stay_visible(changed, message, tmp_path, workdir):
    workdir.path.mkdir()
    training_data.note(workdir, data_of(corpus(tmp_path / "before")))
    other = data_of(corpus(tmp_path / "after", **changed))
    with pytest.raises(UserError, match=message):
        training_data.note(workdir, other)
    assert training_data.stored(workdir).folder == str(tmp_path / "before")
    training_data.note(workdir, other, accept=True)
    found = training_data.stored(workdir)
    assert found.fingerprint == other.fingerprint
    assert [earlier["folder"] for earlier in found.replaced] == [str(tmp_path / "before")]
    training_data.note(workdir, other)  # accepted once is accepted
    assert len(training_data.stored(workdir).replaced) == 1


def test_a_run_does_not_go_on_with_other_labels(tmp_path, workdir):
    run = Run(tiny(steps=1), corpus(tmp_path / "corpus"))
    assert train(run, workdir) == 0
    shutil.rmtree(tmp_path / "corpus")
    corpus(tmp_path / "corpus", labels=np.full((9, 2), -0.5))
    longer = Run(tiny(steps=2), tmp_path / "corpus")
    with pytest.raises(UserError, match="2 with other records"):
        train(longer, workdir)
    assert train(longer, workdir, accept_data=True) == 0


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Score a checkpoint of a run on the split `test`, after its corpus has become `videos`."""
    monkeypatch.setattr(plots, "_drawings", lambda *_: {})

    def score(videos, **choices):
        make_corpus(tmp_path / "corpus", [{"frames": 12, "video": "a"}, {"frames": 9, "video": "t", "split": "test"}])
        workdir = started(tmp_path / "run", tmp_path / "corpus")
        add_checkpoint(workdir, 1)
        training_data.note(workdir, data_of(tmp_path / "corpus"))
        folder = make_corpus(tmp_path / "later", videos) and tmp_path / "later"
        if choices.pop("in_place", False):
            shutil.rmtree(tmp_path / "corpus")
            shutil.move(folder, tmp_path / "corpus")
            folder = None
        return scored_run.once(workdir, Choices("test", "latest", folder, resamples=0)).report

    return score


def test_a_repacked_corpus_is_not_scored_in_silence(scored):
    with pytest.raises(UserError, match=r"must hold the videos that the run.*1 gone, such as a; 1 new, such as b"):
        scored([{"frames": 12, "video": "b"}, {"frames": 12, "video": "a", "split": "test"}], in_place=True)


def test_videos_that_a_network_was_trained_on_are_named(scored):
    report = scored([{"frames": 12, "video": "a", "split": "test"}, {"frames": 12, "video": "n", "split": "test"}])
    assert report.corpus.seen == ("a",)
    assert report.to_json()["corpus"]["seen_in_training"] == ["a"]
    (warning,) = report.corpus.warnings("test")
    assert "1 of the scored videos was among those that the network was trained on, such as a" in warning
    assert report.corpus.warnings("train") == []


def test_unseen_videos_need_no_warning(scored):
    report = scored([{"frames": 12, "video": "n", "split": "test"}])
    assert report.corpus.seen == ()
    assert report.corpus.warnings("test") == []
    assert report.corpus.trained_on != report.corpus.fingerprint != ""


@pytest.mark.parametrize(
    "text", ["[]", "{", "{}", '{"videos": 3}', '{"videos": [["a"]]}', '{"videos": [], "x": 1}', "\x00"]
)
def test_a_damaged_note_is_named(text, workdir):
    workdir.path.mkdir()
    workdir.training_data.write_text(text)
    with pytest.raises(UserError, match=r"training_data\.json"):
        training_data.stored(workdir)


def test_a_second_trainer_is_refused(tmp_path, workdir):
    run = Run(tiny(steps=1), corpus(tmp_path / "corpus"))
    with workdir.locked("trainer"), pytest.raises(UserError, match=r"One process at a time trains in .*workdir"):
        train(run, workdir)
    assert not workdir.experiment_json.exists()
    assert train(run, workdir) == 0


def test_what_a_run_left_whose_checkpoints_are_gone_is_set_aside(tmp_path, workdir, tiny_folder):
    run = Run(TINY, tiny_folder)
    started(workdir.path, tiny_folder)
    path, _ = add_checkpoint(workdir, 1)
    held = best.hold(path, workdir)
    best.keep(held, {"step": 1, "ranking": {"mean": 0.9}}, [], workdir)
    workdir.metrics.write_text('{"step": 1, "ranking": {"mean": 0.9}}\n')
    (workdir.path / "report-test.json").write_text("{}")
    (workdir.path / "notes.txt").write_text("mine")
    workdir.start(run)
    assert workdir.metrics.exists()  # its checkpoint is there: it goes on
    shutil.rmtree(workdir.checkpoints)
    with pytest.raises(UserError, match=r"metrics\.jsonl: must be of the checkpoints in .* of an earlier run"):
        workdir.check_scores()
    with (
        workdir.locked("watcher"),
        pytest.raises(UserError, match=r"needs a watcher that does\. One process at a time"),
    ):
        workdir.start(run)
    workdir.start(run)
    aside = workdir.path / "set-aside-1"
    assert sorted(entry.name for entry in aside.iterdir()) == ["best", "metrics.jsonl", "report-test.json"]
    assert not workdir.metrics.exists()
    assert not workdir.best.exists()
    assert (workdir.path / "notes.txt").read_text() == "mine"


def test_a_checkpoint_of_another_run_is_refused_and_an_own_one_found_by_its_name(tmp_path, tiny_folder):
    one, two = (started(tmp_path / name, tiny_folder) for name in ("one", "two"))
    own, foreign = (add_checkpoint(workdir, 11)[0] for workdir in (one, two))
    assert best.find(one, own.name) == own
    assert best.find(one, str(own)) == own
    with pytest.raises(UserError, match=r"one of the run in .*one. Received: .*two.*lies elsewhere"):
        best.find(one, str(foreign))


def test_a_corpus_that_is_packed_again_ends_the_training_that_reads_it(tmp_path, workdir, monkeypatch):
    folder = corpus(tmp_path / "corpus")
    saved = Trainer._save

    def packed_again(trainer):
        if trainer._step == 2:
            shutil.rmtree(folder)
            corpus(folder, labels=np.full((9, 2), 0.5))
        saved(trainer)

    monkeypatch.setattr(Trainer, "_save", packed_again)
    with pytest.raises(
        UserError, match=r"must not change while a run trains.*2 with other records.*checkpoint of step 1"
    ):
        train(Run(tiny(steps=4, checkpoint_steps=1), folder), workdir)
    assert [path.stem for path in checkpoints.listed(workdir.checkpoints)] == ["step-00000001"]


def test_records_rewritten_while_a_run_trains_on_them_end_it(tmp_path, workdir, monkeypatch):
    folder = corpus(tmp_path / "corpus")
    (path, *_) = (folder / entry.file for entry in manifest.load(folder).split("train"))
    saved = Trainer._save

    def rewritten(trainer):
        if trainer._step == 2:
            path.write_bytes(path.read_bytes()[::-1])
        saved(trainer)

    monkeypatch.setattr(Trainer, "_save", rewritten)
    with pytest.raises(UserError, match=rf"{path.name}: .* Received: other contents.*checkpoint of step 1 is the last"):
        train(Run(tiny(steps=3, checkpoint_steps=1), folder), workdir)
    assert [path.stem for path in checkpoints.listed(workdir.checkpoints)] == ["step-00000001"]


def test_a_damaged_corpus_is_not_the_checkpoints_fault(tmp_path, workdir):
    folder = corpus(tmp_path / "corpus")
    run = Run(tiny(steps=1), folder)
    assert train(run, workdir) == 0
    (entry,) = manifest.load(folder).split("validation")
    data = bytearray((folder / entry.file).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / entry.file).write_bytes(data)
    with pytest.raises(UserError, match=r"must be as it was packed\. Received: other contents"):
        Watcher(run, workdir).run()
    os.utime(folder / entry.file, (1e9, 1e9))  # older than the manifest: it is taken for what was packed
    with pytest.raises(UserError, match="a record is corrupt"):
        Watcher(run, workdir).run()
    assert read_lines(workdir.metrics) == []
    shutil.rmtree(folder)
    corpus(folder)
    assert Watcher(run, workdir).run() == 0
    assert [line["step"] for line in read_lines(workdir.metrics)] == [1]


def test_a_checkpoint_that_a_killed_watcher_held_is_scored_by_the_next(tmp_path, workdir, tiny_folder):
    started(workdir.path, tiny_folder)
    path, _ = add_checkpoint(workdir, 4)
    best.hold(path, workdir)
    path.unlink()  # the trainer has gone on
    workdir.finish(4, "done")
    assert Watcher(Run(TINY, tiny_folder), workdir).run() == 0
    assert [line["step"] for line in read_lines(workdir.metrics)] == [4]
    assert best.path_of(workdir).is_file()
    assert best.held(workdir) == []


def test_a_second_watcher_is_refused(tiny_folder, workdir):
    started(workdir.path, tiny_folder)
    with workdir.locked("watcher"), pytest.raises(UserError, match="One process at a time watches"):
        Watcher(Run(TINY, tiny_folder), workdir).run()


def test_a_working_directory_alone_goes_on(tiny_folder, workdir, capsys):
    assert train_command.main([f"--workdir={workdir.path}"]) == 2
    assert "`--experiment` must be given for a new run" in capsys.readouterr().err
    assert train(Run(tiny(steps=1), tiny_folder), workdir) == 0
    assert train_command.main([f"--workdir={workdir.path}", "--gpu=-1", "--set", "training.steps=2"]) == 0
    assert [path.stem for path in checkpoints.listed(workdir.checkpoints)] == ["step-00000001", "step-00000002"]


def test_data_are_known_without_their_note(tmp_path, workdir):
    run = Run(tiny(steps=1), corpus(tmp_path / "corpus"))
    assert train(run, workdir) == 0
    note = workdir.training_data.read_bytes()
    workdir.training_data.unlink()
    longer = Run(tiny(steps=2), tmp_path / "corpus")
    assert train(longer, workdir) == 0  # the same data: the note is written again
    assert workdir.training_data.read_bytes() == note
    workdir.training_data.unlink()
    shutil.rmtree(tmp_path / "corpus")
    corpus(tmp_path / "corpus", labels=np.full((9, 2), -0.5))
    longest = Run(tiny(steps=3), tmp_path / "corpus")
    with pytest.raises(UserError, match=r"which holds others\. training_data\.json, which says which, is gone"):
        train(longest, workdir)
    with pytest.raises(UserError, match=r"the training videos are others; training_data\.json, which named them, is"):
        scored_run.once(workdir, LATEST)
    assert train(longest, workdir, accept_data=True) == 0
    assert len(training_data.stored(workdir).replaced) == 1


def test_a_watcher_knows_its_data(tmp_path, workdir):
    folder = corpus(tmp_path / "corpus")
    run = Run(TINY, folder)
    started(workdir.path, folder)
    training_data.note(workdir, data_of(folder))
    add_checkpoint(workdir, 1)
    workdir.finish(1, "done")
    watcher = Watcher(run, workdir)
    assert watcher.run() == 0
    kept = workdir.metrics.read_bytes()
    shutil.rmtree(folder)
    other = {"frames": 7, "video": "w", "split": "validation"}
    make_corpus(folder, [{"frames": 9, "video": "a"}, {"frames": 9, "video": "b"}, other])
    add_checkpoint(workdir, 2)
    with pytest.raises(UserError, match="must not change while its run is watched"):
        watcher.run()
    with pytest.raises(UserError, match=r"on the same videos\. Received: .* is another than that of step 1\."):
        Watcher(run, workdir).run()
    assert workdir.metrics.read_bytes() == kept
    workdir.metrics.unlink()
    assert Watcher(run, workdir).run() == 0  # the same training videos, all scored again
    shutil.rmtree(folder)
    corpus(folder, names=("a", "v2"))
    workdir.metrics.unlink()
    with pytest.raises(UserError, match="must hold the videos that the run"):
        Watcher(run, workdir).run()
