"""A run: what `experiment.json` holds of it, and what makes another run a different one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from affwildnet.experiments import get
from affwildnet.experiments.config import Stage
from affwildnet.runs.folds import Fold
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError

STAGES = (
    Stage("c0", ("fc*", "lstm*"), (("*", "random"), ("conv*", "init")), 1e-3),
    Stage("c1", ("*",), (("*", "c0"),), 1e-4, steps=7),
)
PLAIN = get("ijcv2019/affwildnet_vggface")
STAGED = replace(PLAIN, training=replace(PLAIN.training, stages=STAGES))
FOLD = Fold(2, {"train/a": "fold-1", "train/b": "fold-2", "validation/c": "fold-3"})


def through_json(run):
    return Run.from_json(json.loads(json.dumps(run.to_json())))


@pytest.mark.parametrize(
    "run",
    [
        Run(PLAIN, Path("/data/aff_wild")),
        Run(STAGED, Path("/data/aff_wild"), fold=FOLD),
        Run(STAGED, Path("/data/aff_wild")).of_stage(STAGES[1]),
        Run(STAGED, Path("/data/aff_wild"), fold=FOLD).of_stage(STAGES[0]),
    ],
)
def test_a_run_is_read_as_it_was_written(run):
    assert through_json(run) == run


def test_a_run_of_an_earlier_version_is_read():
    fields = Run(PLAIN, "/data/aff_wild").to_json()
    fields["experiment"]["model"]["trunk"] = fields["experiment"]["model"].pop("backbone")
    del fields["experiment"]["evaluation"]["carry_state"]
    assert Run.from_json({**fields, "versions": {"affwildnet": "0.3.0"}}) == Run(PLAIN, "/data/aff_wild")


def test_stage_and_fold_are_written_only_where_there_is_one():
    assert Run(PLAIN, "corpus").to_json().keys() == {"experiment", "data_dir"}
    assert Run(STAGED, "corpus", fold=FOLD).of_stage(STAGES[0]).to_json().keys() == {
        "experiment", "data_dir", "stage", "fold",
    }  # fmt: skip


def test_an_unknown_field_is_named():
    fields = Run(STAGED, "corpus").of_stage(STAGES[0]).to_json()
    with pytest.raises(UserError, match="does not know: warp_drive"):
        Run.from_json({**fields, "stage": {**fields["stage"], "warp_drive": 9}})


def test_a_stage_trains_with_its_own_rate_and_steps():
    run = Run(STAGED, "corpus", fold=FOLD)
    first, second = (run.of_stage(stage) for stage in run.stages)
    assert (first.experiment.training.learning_rate, first.experiment.training.steps) == (1e-3, PLAIN.training.steps)
    assert (second.experiment.training.learning_rate, second.experiment.training.steps) == (1e-4, 7)
    for own, stage in ((first, STAGES[0]), (second, STAGES[1])):
        assert own.stages == ()
        assert (own.stage, own.fold, own.data_dir) == (stage, FOLD, Path("corpus"))
        same = replace(own.experiment.training, stages=STAGES, learning_rate=1e-4, steps=PLAIN.training.steps)
        assert same == STAGED.training


def test_the_summary_names_experiment_stage_fold_and_corpus():
    assert Run(PLAIN, "data/aff_wild").summary() == "ijcv2019/affwildnet_vggface on data/aff_wild"
    run = Run(STAGED, "data/aff_wild", fold=FOLD).of_stage(STAGES[0])
    assert run.summary() == "ijcv2019/affwildnet_vggface, stage c0, fold 2 of 3 on data/aff_wild"


def test_what_may_change_is_no_difference():
    run = Run(STAGED, "corpus", fold=FOLD)
    longer = replace(STAGED.training, steps=9, log_steps=1, checkpoint_steps=2, stages=(STAGES[0],))
    assert run.differences(Run(replace(STAGED, training=longer), "moved", fold=FOLD)) == []
    own = run.of_stage(STAGES[1])
    assert own.differences(run.of_stage(replace(STAGES[1], steps=99))) == []


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (Run(get("ijcv2019/cnn_m"), "corpus"), "it holds ijcv2019/affwildnet_vggface, this run ijcv2019/cnn_m"),
        (Run(PLAIN, "corpus", fold=FOLD), "training.stages is c0, c1 there, not empty"),
        (Run(STAGED, "corpus"), "it holds fold 2 of 3, this run no fold"),
        (Run(STAGED, "corpus", fold=replace(FOLD, number=3)), "it holds fold 2 of 3, this run fold 3 of 3"),
        (
            Run(STAGED, "corpus", fold=Fold(2, {**FOLD.parts, "train/a": "fold-2", "train/b": "fold-1"})),
            "other videos are in its folds (2, such as train/a)",
        ),
    ],
)
def test_another_run_differs(other, difference):
    assert Run(STAGED, "corpus", fold=FOLD).differences(other) == [difference]


def test_another_stage_differs():
    run = Run(STAGED, "corpus").of_stage(STAGES[0])
    assert run.differences(replace(run, stage=None)) == ["it holds the stage c0, this run no stage"]
    changed = replace(run, stage=replace(STAGES[0], trainable=("*",)))
    assert run.differences(changed) == ["the stage's trainable is ('fc*', 'lstm*') there, not ('*',)"]
