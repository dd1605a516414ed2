"""Folds by subject: the videos of each split, what a working directory stores of a fold, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from affwildnet import models
from affwildnet.data import Corpus
from affwildnet.experiments import get
from affwildnet.experiments.config import Stage
from affwildnet.runs import folds
from affwildnet.runs.folds import Fold
from affwildnet.runs.json_files import write_json
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import loop, train
from affwildnet.training.step import StepOutcome
from tests.helpers.corpora import make_corpus
from tests.helpers.paths import ROOT
from tests.helpers.small_network import SMALL, build_small, quick_batches
from tests.helpers.trainings import TINY, tiny
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest, schema

# Two clips of each of seven subjects, under one name in two splits, as AFEW has them; frames tell the clip.
CLIPS = [
    {"video": f"c{index}", "subject": f"s{index}", "split": split, "frames": 5 + index + 7 * (split == "test")}
    for split in ("train", "test")
    for index in range(7)
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A packed corpus with five folds that the command `partition` made."""
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, CLIPS, layout="afew_va")
    assert cli.main(["partition", str(folder), "--folds=5", f"--output={folder / 'folds.json'}"]) == 0
    return folder


def fold(corpus, number):
    return folds.read(corpus, number)


def clips(corpus, number, split):
    """The clips of a fold's split, as (split it was packed in, name)."""
    return [(entry.split, entry.video) for entry in Corpus.open(corpus, split, fold=fold(corpus, number)).videos]


# Which videos.


def test_each_video_is_tested_on_in_one_fold_validated_on_in_another_and_trained_on_in_the_rest(corpus):
    part_of = json.loads((corpus / "folds.json").read_text())["videos"]
    everyone = {(clip["split"], clip["video"]) for clip in CLIPS}
    for number in range(1, 6):
        found = {split: clips(corpus, number, split) for split in schema.SPLITS}
        assert sorted(chain(*found.values())) == sorted(everyone)  # every one, once
        parts = {split: {part_of[f"{packed_in}/{name}"] for packed_in, name in own} for split, own in found.items()}
        following = {1: 2, 2: 3, 3: 4, 4: 5, 5: 1}[number]
        assert parts["test"] == {f"fold-{number}"}
        assert parts["validation"] == {f"fold-{following}"}
        assert parts["train"] == {f"fold-{i}" for i in range(1, 6)} - parts["test"] - parts["validation"]
    tested = chain(*(clips(corpus, number, "test") for number in range(1, 6)))
    assert sorted(tested) == sorted(everyone)
    assert not any(set(clips(corpus, n, "validation")) & set(clips(corpus, n, "test")) for n in range(1, 6))


def test_no_subject_is_in_two_splits_of_a_fold(corpus):
    for number in range(1, 6):
        seen = [{e.subject for e in Corpus.open(corpus, s, fold=fold(corpus, number)).videos} for s in schema.SPLITS]
        assert sum(map(len, seen)) == len(set.union(*seen)) == 7


def test_the_records_are_those_of_the_folds_videos(corpus):
    """Two clips have the same name and different lengths, so that reading the wrong one would be noticed."""
    opened = Corpus.open(corpus, "train", fold=fold(corpus, 3))
    lengths = {(clip["split"], clip["video"]): clip["frames"] for clip in CLIPS}
    assert {entry.split for entry in opened.videos} == {"train", "test"}
    for index, entry in enumerate(opened.videos):
        own = opened.record_frames[opened.first_record[index] : opened.first_record[index + 1]]
        assert own.tolist() == list(range(1, lengths[entry.split, entry.video] + 1))
    assert opened.frames_labelled == sum(lengths[packed] for packed in clips(corpus, 3, "train"))


def test_the_summary_of_a_fold_names_its_parts(corpus):
    summary = fold(corpus, 5).summary()
    sizes = [len(clips(corpus, 5, split)) for split in schema.SPLITS]
    assert summary == (
        f"fold 5 of 5: trained on fold-2, fold-3, fold-4 ({sizes[0]} videos), validated on fold-1 ({sizes[1]} videos), "
        f"tested on fold-5 ({sizes[2]} videos)"
    )


# What cannot be used.


def refused(call):
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_of_folds_names_the_command_that_makes_it(tmp_path):
    message = refused(lambda: folds.read(Path("data/afew_va"), 1, tmp_path / "folds.json"))
    assert message.startswith(f"{tmp_path / 'folds.json'}: folds must be there. Received: no such file.")
    command = f"`python -m tfrecords_tools partition data/afew_va --folds=5 --output={tmp_path / 'folds.json'}`."
    assert message.endswith(command)


@pytest.mark.parametrize(
    ("videos", "says"),
    [
        ({"train/a": "train", "train/b": "test"}, "Received: test, train. Make it: "),
        ({"train/a": "fold-1", "train/b": "fold-2"}, "3 or more. Received: fold-1, fold-2. Make it: "),
        ({f"train/{i}": f"fold-{i}" for i in (1, 2, 4)}, "Received: fold-1, fold-2, fold-4. "),
        ({}, "Received: none. Make it: "),
    ],
)
def test_parts_that_are_not_folds_are_refused(videos, says, tmp_path):
    write_json(tmp_path / "folds.json", {"videos": videos})
    assert says in refused(lambda: folds.read(tmp_path, 1))


@pytest.mark.parametrize("number", [0, 6, -1])
def test_a_number_outside_the_folds_is_refused(number, corpus):
    message = refused(lambda: fold(corpus, number))
    assert message.startswith("`fold` must be from 1 to 5, as ")
    assert message.endswith(f"Received: {number}")


def test_folds_of_another_corpus_are_refused(corpus):
    given = fold(corpus, 1)
    lacking = {key: part for key, part in given.parts.items() if key not in ("test/c2", "train/c4")}
    message = refused(lambda: Corpus.open(corpus, "train", fold=replace(given, parts=lacking)))
    assert "every video must be in a fold. Received: test/c2 and 1 more in none. Make them again: `python -m" in message
    strange = {**given.parts, "train/c9": "fold-2"}
    message = refused(lambda: Corpus.open(corpus, "train", fold=replace(given, parts=strange)))
    assert "the folds must be those of this corpus. Received: train/c9 as well. " in message
    apart = {**given.parts, "test/c2": "fold-1", "train/c2": "fold-3"}
    message = refused(lambda: Corpus.open(corpus, "train", fold=replace(given, parts=apart)))
    assert "a subject must be in one fold. Received: s2 in fold-" in message


# Training a fold, and what the working directory stores.


@pytest.fixture
def quick(monkeypatch):
    """Train a small network with quick steps; return the corpora that are read."""
    opened = []

    class Step:
        def __init__(self, model, config, strategy, held=(), network=None):
            self.model = model

        def __call__(self, batch):
            return lambda: StepOutcome(1.0, 1.0)

    def batches(corpus, config, position, share, cache=None):
        opened.append(corpus)
        return quick_batches(corpus, config, position, share)

    monkeypatch.setattr(models, "build", build_small)
    monkeypatch.setattr(loop, "training_batches", batches)
    monkeypatch.setattr(loop.training_step, "TrainStep", Step)
    return opened


SMALL_TINY = replace(tiny(steps=1), model=replace(TINY.model, **SMALL))


def test_a_fold_is_trained_on_its_own_videos_and_stored(corpus, tmp_path, quick, shown):
    workdir, given = Workdir(tmp_path).of_fold(2), fold(corpus, 2)
    assert workdir.path == tmp_path / "fold-2"
    assert train(Run(SMALL_TINY, corpus, fold=given), workdir) == 0
    (opened,) = quick
    assert [(entry.split, entry.video) for entry in opened.videos] == clips(corpus, 2, "train")
    assert f"{given.summary()}\n" in shown()
    again = Workdir(workdir.path)
    assert again.open() == Run(SMALL_TINY, corpus.resolve(), fold=given)
    # All that evaluation needs is in the working directory.
    found = Corpus.of_run(again.open(), "test")
    assert [(entry.split, entry.video) for entry in found.videos] == clips(corpus, 2, "test")


def test_another_fold_or_another_assignment_is_refused(corpus, tmp_path, quick):
    workdir, given = Workdir(tmp_path / "w"), fold(corpus, 2)
    train(Run(SMALL_TINY, corpus, fold=given), workdir)
    more = tiny(steps=2)
    more = replace(SMALL_TINY, training=replace(more.training, steps=2))
    message = refused(lambda: train(Run(more, corpus, fold=fold(corpus, 3)), workdir))
    assert "belongs to another run: it holds fold 2 of 5, this run fold 3 of 5. " in message
    message = refused(lambda: train(Run(more, corpus), workdir))
    assert "it holds fold 2 of 5, this run no fold. " in message
    parts = {"fold-1": "fold-2", "fold-2": "fold-1"}
    exchanged = {key: parts.get(part, part) for key, part in given.parts.items()}
    message = refused(lambda: train(Run(more, corpus, fold=Fold(2, exchanged)), workdir))
    moved = sorted(key for key, part in given.parts.items() if part in parts)
    assert f"other videos are in its folds ({len(moved)}, such as {moved[0]})" in message
    assert train(Run(more, corpus, fold=given), workdir) == 0
    plain = Workdir(tmp_path / "plain")
    train(Run(SMALL_TINY, corpus), plain)
    assert "it holds no fold, this run fold 2 of 5. " in refused(lambda: train(Run(more, corpus, fold=given), plain))


def test_a_working_directory_without_folds_opens_as_before(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.start(Run(TINY, tmp_path / "corpus"))
    assert "fold" not in json.loads((tmp_path / "experiment.json").read_text())
    assert workdir.open().fold is None
    workdir.check(Run(TINY, tmp_path / "corpus"))
    with pytest.raises(UserError, match="no run was started here"):
        Workdir(tmp_path / "nowhere").open()
    stored = json.loads((tmp_path / "experiment.json").read_text())
    write_json(tmp_path / "experiment.json", {**stored, "fold": {"number": 1}})
    with pytest.raises(UserError, match=r"experiment\.json: not a readable run .*parts"):
        workdir.open()


def test_each_stage_stores_the_fold(corpus, tmp_path, quick):
    stages = tuple(Stage(name, ("*",), (("*", start),), 0.1, 1) for name, start in (("a", "random"), ("b", "a")))
    experiment = replace(SMALL_TINY, training=replace(SMALL_TINY.training, stages=stages))
    workdir, given = Workdir(tmp_path), fold(corpus, 4)
    assert train(Run(experiment, corpus, fold=given), workdir) == 0
    assert all(each.open().fold == given for each in (workdir, workdir.of_stage("a"), workdir.of_stage("b")))
    assert [[(e.split, e.video) for e in c.videos] for c in quick] == [clips(corpus, 4, "train")] * 2
    assert "it holds fold 4 of 5" in refused(lambda: train(Run(experiment, corpus, fold=fold(corpus, 5)), workdir))


def test_training_an_experiment_in_folds_without_a_fold_says_how_to_train_them(corpus, tmp_path, quick, shown):
    for name in ("afew_va_affwildnet", "afew_va_cnn"):
        assert get(f"ijcv2019/{name}").protocol == "folds"
    train(Run(replace(SMALL_TINY, protocol="folds"), corpus), Workdir(tmp_path / "w"))
    (line,) = [line for line in shown().splitlines() if "--fold=1" in line]
    assert f"`python -m tfrecords_tools partition {corpus} --folds=5 --output={corpus / 'folds.json'}`" in line
    assert "This run trains on the split train." in line
    train(Run(SMALL_TINY, corpus), Workdir(tmp_path / "other"))
    assert "--fold" not in shown()


# The command line.


def command(*flags):
    return subprocess.run([sys.executable, "train.py", *map(str, flags)], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_train_puts_a_fold_into_its_own_folder(corpus, tmp_path):
    flags = [
        "--experiment=ijcv2019/afew_va_affwildnet", f"--data_dir={corpus}", f"--workdir={tmp_path / 'run'}",
        *(f"--set={field}" for field in (
            "model.backbone=cnn_m", "model.image_size=32", "model.width=0.02", "training.window=5", "training.steps=2",
        )),
    ]  # fmt: skip
    run = command(*flags, "--fold=1")
    assert run.returncode == 0, run.stderr
    assert "fold 1 of 5: trained on fold-3, fold-4, fold-5 (" in run.stdout
    workdir = Workdir(tmp_path / "run" / "fold-1")
    assert workdir.step_finished() == 2
    assert workdir.open().fold == fold(corpus, 1)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["fold-1"]
    run = command(*flags, f"--fold_file={corpus / 'folds.json'}")
    assert run.returncode == 2
    assert "`--fold_file` needs `--fold`" in run.stderr.splitlines()[-1]


def test_folds_are_of_the_videos_that_were_packed(corpus):
    assert set(fold(corpus, 1).parts) == {f"{e.split}/{e.video}" for e in manifest.load(corpus).videos}
