"""What a training needs of its settings and of files, checked before TensorFlow is loaded: that takes a while.

Training checks it again, and what it needs beyond that: devices, layers, the contents of checkpoints.
"""

from pathlib import Path

from affwildnet.data import corpus_needs
from affwildnet.data.corpus import Corpus
from affwildnet.experiments import effects, field_values, network_rules, window_rules
from affwildnet.experiments.config import Experiment
from affwildnet.runs import checkpoint_files, record_files, training_data
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from affwildnet.training import memory
from affwildnet.training.patterns import INIT
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import check_place
from tfrecords_tools.records import manifest

HOW_TO_GIVE = (
    "Weights are given with --set training.init=FILE.keras; `python -m affwildnet.weights import` writes such files."
)


def check(run: Run, workdir: Workdir, stage: str = "", accept_data: bool = False, alone: bool = True) -> None:
    """Raise a `UserError` for whatever can be known to keep a run from being trained.

    Args:
      run, workdir, stage, accept_data: see `stages.train`.
      alone: whether one device trains it: several share a batch, and its memory.
    """
    corpus = check_inputs(run, stage, alone)
    check_place(workdir.path)
    workdir.check(run)
    workdir.check_free("trainer")
    data = TrainingData.of(corpus.manifest, corpus.folder, corpus.videos)
    for each in chosen(run, stage):
        own = workdir.of_stage(each.stage.name) if each.stage else workdir
        own.check(each)
        if not checkpoint_files.listed(own.checkpoints):
            check_init(each)
        elif not accept_data:
            training_data.check(own, data)
        known = training_data.stored(own)
        record_files.check(corpus.folder, corpus.videos, known and known.files)


def check_inputs(run: Run, stage: str = "", alone: bool = True) -> Corpus:
    """Return the training split of a run; raise a `UserError` if its settings or its corpus keep it from being trained.

    Nothing is looked at that another worker of the same run may be writing.
    """
    experiment = run.experiment
    network_rules.check_by_name(experiment.model)
    for part in ("training", "evaluation"):
        field_values.check_all(getattr(experiment, part), part)
    window_rules.check(experiment.evaluation)
    check_labels(experiment)
    if experiment.training.cache != "off":
        effects.check(experiment, "training.cache")
    chosen(run, stage)
    if alone:
        memory.check_batch(experiment)
    corpus_needs.check(experiment, manifest.load(run.data_dir), run.data_dir)
    return Corpus.of_run(run, "train")


def chosen(run: Run, stage: str) -> list[Run]:
    """Return the runs that are trained one after the other: those of all stages, or of one, or the run itself.

    Raises:
      UserError: if the run has no stage of that name.
    """
    names = [each.name for each in run.stages]
    if not names:
        if stage:
            raise UserError(
                f"`stage` needs an experiment with stages. Received: {stage}; {run.experiment.name} has none."
            )
        return [run]
    if stage:
        check_choice("stage", stage, names)
    return [run.of_stage(each) for each in run.stages if stage in ("", each.name)]


def check_labels(experiment: Experiment) -> None:
    """Raise a `UserError` if output, loss and balance are not of one kind of label, or nothing is to be trained."""
    if experiment.model.fusion == "decision" and experiment.model.members:
        raise UserError(
            "A fusion of decisions is not trained: its members are, each by itself (omg2019 section 5.4.2). Received: "
            f"{experiment.name}. Train the networks, then fuse them with `python evaluate.py --workdir=NEW "
            "--fuse=RUN,RUN --split=test`."
        )
    head, loss, balance = experiment.model.head, experiment.training.loss, experiment.training.balance
    if (head == "expression") != (loss == "cross_entropy"):
        raise UserError(
            "`model.head` expression goes with `training.loss` cross_entropy, valence_arousal with ccc or mse. "
            f"Received: {head} with {loss}. Change one with --set, or choose another experiment than {experiment.name}."
        )
    if loss == "ccc" and experiment.training.batch_size == experiment.training.window == 1:
        raise UserError(
            "`training.loss` ccc needs at least two frames in a batch: a single one has no variance, and nothing would "
            "be learned. Received: `training.batch_size` 1 and `training.window` 1."
        )
    if head == "expression" and balance:
        raise UserError(
            "`training.balance` is of the quadrants of valence and arousal, and must be empty for expressions. "
            f"Received: {', '.join(f'{share:g}' for share in balance)}. Leave it out with --set training.balance="
        )


def check_init(run: Run) -> None:
    """Raise a `UserError` if a run starts from the file `training.init` and there is none."""
    config, stage = run.experiment.training, run.stage
    if stage and not any(source == INIT for _, source in stage.starts):
        return
    if stage and not config.init:
        weights = f"; the paper's are {config.pretrained}" if config.pretrained else ""
        raise UserError(
            f"Stage {stage.name} starts from the weights of a file{weights}. Received: none. {HOW_TO_GIVE} "
            f"To rehearse with random ones: --set 'stages.{stage.name}.starts=*:random'"
        )
    if config.init and not Path(config.init).is_file():
        raise UserError(f"`training.init` must be a .keras file. Received: {config.init}, which is not there.")
