"""What has to be run for a table: a job for each network, in order, each step a command line."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from affwildnet.data import corpus_needs
from affwildnet.evaluation.reporting.published_corpora import FOLDS, dataset_of
from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import override, with_effect
from affwildnet.experiments.published import Published
from affwildnet.reproduce import starting_weights
from affwildnet.reproduce.starting_weights import CHAINS
from affwildnet.reproduce.table_request import (
    SIFT_SVR,
    Request,
    experiments_of,
    report_of,
    scored_with,
    short,
    split_of,
)
from affwildnet.runs import best, folds
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import Manifest


@dataclass(frozen=True)
class Step:
    """One process, or a trainer with its watcher beside it.

    Attributes:
      title: such as "train" or "score best_mean".
      command: the command line, for the GPU to train on.
      beside: that of the watcher, for the GPU to evaluate on; empty where there is none.
      output: a file that is there once the step is done; None where none says so.
      chosen: the checkpoint that the watcher chooses, which is there too then.
      logs_in: the working directory whose training log says how far it is; None for a step that is short.
    """

    title: str
    command: tuple[str, ...]
    beside: tuple[str, ...] = ()
    output: Path | None = None
    chosen: Path | None = None
    logs_in: Path | None = None


@dataclass(frozen=True)
class Job:
    """All that one network needs.

    Attributes:
      name: its folder inside the table's working directory.
      experiment: what is run; for a baseline that is no experiment, one of its name alone.
      rows: names of the table's rows that it is for; none where other jobs start from it.
      steps: in order.
      after: names of the jobs that must be done before.
      lacking: what is missing for it to run, in a few words each.
      misfit: what is wrong with the corpus for it, which is among `lacking` too; "" where it fits.
    """

    name: str
    experiment: Experiment
    rows: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    after: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    misfit: str = ""


def plan(request: Request) -> list[Job]:
    """Return the jobs of a table, those that others start from before them.

    Raises:
      UserError: if a name of `only` is not one of the table's, or a setting has no effect on any row.
    """
    names = experiments_of(request.table)
    shorts = [short(name) for name in names]
    for name in request.only:
        if name not in shorts:
            raise UserError(
                f"`rows` must name experiments of {request.table.name}: {', '.join(shorts)}. Received: {name}."
                f"{suggestion(name, shorts)}"
            )
    names = [name for name in names if not request.only or short(name) in request.only]
    _check_settings(request, [EXPERIMENTS[name] for name in names if name != SIFT_SVR])
    jobs: dict[str, Job] = {}
    for name in names:
        for job in _Planner(request).jobs(name):
            known = jobs.get(job.name)
            jobs[job.name] = replace(job, rows=job.rows or known.rows) if known else job
    return list(jobs.values())


def check(jobs: Sequence[Job]) -> None:
    """Raise a `UserError` if the corpus fits none of the jobs."""
    own = [job for job in jobs if job.rows and job.name != short(SIFT_SVR)]
    if own and all(job.misfit for job in own):
        raise UserError(own[0].misfit)


def _check_settings(request: Request, experiments: Sequence[Experiment]) -> None:
    """Raise a `UserError` if a setting has no effect on any of the experiments."""
    kept = [request.settings_of(experiment) for experiment in experiments]
    for setting in request.settings:
        if experiments and not any(setting in own for own in kept):
            override(experiments[0], [setting])  # says why


@dataclass(frozen=True)
class _Planner:
    """Makes the jobs of one request."""

    request: Request

    def jobs(self, name: str) -> list[Job]:
        """Return the job of an experiment, and before it those that it starts from."""
        if name == SIFT_SVR:
            return [self._sift_svr()]
        experiment = self.request.run_of(name)
        rows = tuple(row.row for row in self.request.table.rows if row.experiment == name)
        if experiment.model.fusion == "decision" and experiment.model.members:
            return self._fused(experiment, rows)
        data_dir, packed, lacking = self._corpus(experiment, rows)
        before, init, missing, after = self._start(experiment, short(name))
        settings = [*self._settings(experiment), *init]
        job = self._trained(experiment, short(name), rows, data_dir, settings)
        steps = (*before[1], *job.steps)
        misfit = lacking[0] if lacking and packed is None and "--corpus=" not in lacking[0] else ""
        return [*before[0], replace(job, steps=steps, lacking=(*lacking, *missing), after=after, misfit=misfit)]

    def _settings(self, experiment: Experiment) -> list[str]:
        return self.request.settings_of(EXPERIMENTS[experiment.name])

    def _corpus(self, experiment: Experiment, rows: Sequence[str]) -> tuple[Path, Manifest | None, list[str]]:
        """Return the folder of an experiment's corpus, its manifest, and what is wrong with it."""
        request = self.request
        layouts = {
            dataset.layout
            for row in request.table.rows
            if row.row in rows and (dataset := dataset_of(row.corpus)) is not None
        }
        main = {dataset.layout for row in request.table.rows if row.experiment and (dataset := dataset_of(row.corpus))}
        folder = request.data_dir
        if len(main) > 1:  # a table of several corpora
            (layout,) = layouts
            packed = manifest.load(folder)
            if packed.dataset != layout:
                if layout not in request.given.corpora:
                    return folder, None, [f"its corpus: --corpus={layout}=DIR"]
                folder = request.given.corpora[layout]
        return folder, *_fits(experiment, folder)

    def _start(self, experiment: Experiment, name: str):
        """Return (jobs, steps) before a job, the field of its weights, what is missing, and the jobs to wait for."""
        training = experiment.training
        if not training.pretrained or training.init:
            return ([], []), [], [], ()
        given = self.request.given
        named = starting_weights.name_of(experiment)
        narrow = experiment.model.width < 1
        if named in given.weights:
            file = given.weights[named]
            if training.pretrained in CHAINS and (missing := starting_weights.missing_checkpoint(file, name)):
                return ([], []), [], [missing], ()
            if narrow and file.suffix != ".keras" and not file.is_dir():
                return ([], []), [], [_too_wide(experiment, file, named)], ()
            steps, path = self._imported(experiment, name, file / f"{name}.keras" if file.is_dir() else file)
            return ([], steps), [f"training.init={path}"], [], ()
        if training.pretrained in CHAINS and named in given.corpora:
            return self._chained(experiment, name, given.corpora[named])
        if narrow:  # no published weights fit: a rehearsal
            if not training.stages:
                return ([], []), [], [], ()
            path = self.request.workdir / "weights" / f"random-{name}.keras"
            command = _python("affwildnet.reproduce.random_weights", experiment.name, path, *self._settings(experiment))
            return ([], [Step("random weights", command, output=path)]), [f"training.init={path}"], [], ()
        other = f" or --corpus={named}=DIR" if training.pretrained in CHAINS else ""
        return ([], []), [], [f"weights of {training.pretrained}: --weights={named}=FILE{other}"], ()

    def _imported(self, experiment: Experiment, name: str, path: Path) -> tuple[list[Step], Path]:
        if path.suffix == ".keras":
            return [], path
        source = starting_weights.source_of(experiment, path)
        output = self.request.workdir / "weights" / f"{path.stem}-{name}.keras"
        flags = [f"--source={source}", f"--path={path}", f"--experiment={experiment.name}", f"--output={output}"]
        return [Step("import weights", _affwildnet("weights", "import", *flags), output=output)], output

    def _chained(self, experiment: Experiment, name: str, folder: Path):
        """Return what `_start` does, with the run on the other corpus that this one starts from."""
        first, fields = starting_weights.upstream(experiment)
        own = f"pretrained-{CHAINS[experiment.training.pretrained]}-{short(first.name)}"
        first = EXPERIMENTS[first.name]  # without the settings of the row
        settings = with_effect(first, [*self.request.settings, *fields])
        first = override(first, settings)
        _, lacking = _fits(first, folder)
        before, init, missing, _ = self._start(first, own)
        job = self._trained(first, own, (), folder, [*settings, *init])
        job = replace(job, steps=(*before[1], *job.steps), lacking=(*lacking, *missing))
        checkpoint = best.path_of(Workdir(self.request.workdir / own))
        return ([*before[0], job], []), [f"training.init={checkpoint}"], [], (own,)

    def _trained(
        self,
        experiment: Experiment,
        name: str,
        rows: tuple[str, ...],
        data_dir: Path,
        settings: Sequence[str],
    ) -> Job:
        """Return the job that trains, watches and scores an experiment, fold by fold where its protocol has folds.

        Args:
          settings: overridden fields.
        """
        folder = self.request.workdir / name
        common = [f"--experiment={experiment.name}", f"--data_dir={data_dir}"]
        steps = []
        if experiment.protocol == "folds":
            file = data_dir / folds.FILE_NAME
            if not file.is_file():
                file = self.request.workdir / folds.FILE_NAME
                making = ("partition", str(data_dir), f"--folds={FOLDS}", f"--output={file}")
                steps.append(Step("folds", _affwildnet(*making), output=file))
            for number in range(1, FOLDS + 1):
                fold = [f"--fold={number}", f"--fold_file={file}"]
                own = folder / f"fold-{number}"
                steps.append(self._training(f"train fold {number}", [*common, *fold], folder, own, settings))
        else:
            stages = experiment.training.stages
            last = folder / stages[-1].name if stages else folder
            step = self._training("train", common, folder, folder, settings)
            steps.append(replace(step, chosen=best.path_of(Workdir(last))))
        scored = [row for row in self.request.table.rows if row.row in rows]
        seen = set()
        for row in scored:
            path = report_of(row, experiment, self.request.workdir)
            if path not in seen:
                seen.add(path)
                steps.append(self._scoring(row, experiment, folder, path))
        return Job(name, experiment, rows, tuple(steps))

    def _training(self, title: str, flags: Sequence[str], folder: Path, own: Path, settings: Sequence[str]) -> Step:
        set_ = ["--set", *settings] if settings else []
        train = _affwildnet("train", *flags, f"--workdir={folder}", *set_)
        patience = [] if self.request.patience is None else [f"--patience={self.request.patience}"]
        watch = _affwildnet("evaluate", f"--workdir={own}", "--watch", *patience)
        return Step(title, train, watch, own / "finished.json", best.path_of(Workdir(own)), own)

    def _scoring(self, row: Published, experiment: Experiment, folder: Path, path: Path) -> Step:
        flags = [f"--workdir={folder}", f"--split={split_of(row)}", f"--checkpoint={row.checkpoint}"]
        flags += ["--all_folds"] if experiment.protocol == "folds" else []
        flags += ["--set", *scored_with(row, experiment)] if scored_with(row, experiment) else []
        return Step(f"score {path.stem.removeprefix('report-')}", _affwildnet("evaluate", *flags), output=path)

    def _fused(self, experiment: Experiment, rows: tuple[str, ...]) -> list[Job]:
        """Return the job of a decision fusion, after those of its members (omg2019 eq. 1)."""
        found, members = [], []
        for model in EXPERIMENTS[experiment.name].model.members:
            name = _member(model, experiment)
            found += self.jobs(name)
            members.append(self.request.workdir / short(name))
        folder = self.request.workdir / short(experiment.name)
        steps, seen = [], set()
        for row in self.request.table.rows:
            path = report_of(row, experiment, self.request.workdir)
            if row.row in rows and path not in seen:
                seen.add(path)
                step = self._scoring(row, experiment, folder, path)
                fuse = f"--fuse={','.join(map(str, members))}"
                steps.append(replace(step, command=(*step.command, fuse)) if len(seen) == 1 else step)
        after = tuple(member.name for member in members)
        return [*found, Job(folder.name, experiment, rows, tuple(steps), after)]

    def _sift_svr(self) -> Job:
        folder = self.request.workdir / short(SIFT_SVR)
        flags = [f"--data_dir={self.request.data_dir}", f"--workdir={folder}", "--only=sift_svr", "--split=test"]
        output = folder / "sift_svr" / "report-test.json"
        step = Step("fit and score", _affwildnet("baselines", *flags), output=output)
        rows = tuple(row.row for row in self.request.table.beside if row.experiment == SIFT_SVR)
        return Job(folder.name, Experiment(SIFT_SVR, "SIFT + SVR"), rows, (step,))


def _too_wide(experiment: Experiment, file: Path, name: str) -> str:
    return (
        f"weights that fit model.width={experiment.model.width:g}: {file} holds those of the whole network. Leave out "
        f"--weights={name} for a rehearsal with random ones, or the setting of model.width"
    )


def _member(model, fused: Experiment) -> str:
    """Return the experiment of a member of a fusion: that of its paper with the same network and initial weights."""
    paper, pretrained = fused.name.split("/")[0], fused.training.pretrained
    return next(
        each.name
        for each in EXPERIMENTS.values()
        if each.model == model and each.training.pretrained == pretrained and each.name.startswith(f"{paper}/")
    )


def _fits(experiment: Experiment, folder: Path) -> tuple[Manifest | None, list[str]]:
    """Return the manifest of a corpus, and what is wrong with it for an experiment."""
    try:
        packed = manifest.load(folder)
        corpus_needs.check(experiment, packed, folder)
    except UserError as error:
        return None, [str(error)]
    if experiment.model.head == "expression" and not packed.expression:
        return None, [f"{folder}: {experiment.name} needs records with expressions. Received: ones without."]
    return packed, []


def _affwildnet(*arguments: str) -> tuple[str, ...]:
    return _python("affwildnet", *arguments)


def _python(module: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *map(str, arguments))
