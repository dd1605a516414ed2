"""Write the files of a report: JSON, per-frame CSV, plots, and a page with all of it."""

from pathlib import Path

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import page, submissions, worst_moments
from affwildnet.evaluation.reporting.learning_curves import Progress
from affwildnet.evaluation.reporting.plots import CAPTIONS, Plots
from affwildnet.evaluation.reporting.report import Report
from affwildnet.evaluation.scoring.predictions import Evaluation
from affwildnet.runs import report_names
from affwildnet.runs.json_files import write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.files import whole

# About the bytes of a frame in the files of a report, and of what does not grow with the frames.
_PER_FRAME, _FIXED = 150, 1_500_000


def size_of(corpus: Corpus) -> int:
    """Return about how many bytes the files of a report on a split take."""
    return _FIXED + _PER_FRAME * sum(entry.frames for entry in corpus.videos)


def begin_plots(
    evaluation: Evaluation, workdir: Workdir | Path | str, step: int | None, against: Workdir | Path | str | None = None
) -> Plots:
    """Begin to draw the plots of a report that is written later.

    Args:
      workdir: of the run; its logs give the learning curves.
      step: of the checkpoint; None where it is not known.
      against: working directory of the run that it is compared with.
    """
    other = Progress.of(Workdir.at(against)) if against else None
    return Plots(evaluation, Progress.of(Workdir.at(workdir), step), other)


def write(
    report: Report,
    evaluation: Evaluation,
    corpus: Corpus,
    workdir: Workdir | Path | str,
    choices: str = "",
    plots: Plots | None = None,
) -> dict[str, Path]:
    """Write `report-<split>.json`, `.csv`, `.html` and the plots; return their paths by what they hold.

    Args:
      choices: what the report has that is not the default, in words that files may have in their names: it goes into
        them, so that no report takes the place of one of something else.
      evaluation: what the report is of.
      corpus: the split that was scored, for the faces at the worst moments.
      workdir: where the files go.
      plots: those of the evaluation, begun; None draws them now.
    """
    workdir = Workdir.at(workdir)
    stem = workdir.path / report_names.stem(evaluation.split, choices)
    with plots or begin_plots(evaluation, workdir, report.step, report.against and report.against.workdir) as begun:
        worst = worst_moments.worst(evaluation, corpus)
        drawn = begun.drawn()
    text = page.page(report, drawn, worst)  # before anything of an earlier report is replaced
    paths = {}
    for name in CAPTIONS:
        path = Path(f"{stem}-{name}.png")
        if name in drawn:
            with whole(path) as partial:
                partial.write_bytes(drawn[name])
            paths[name] = path
        else:
            path.unlink(missing_ok=True)  # of an earlier report
    paths |= {"page": Path(f"{stem}.html"), "predictions": Path(f"{stem}.csv"), "report": Path(f"{stem}.json")}
    with whole(paths["page"]) as partial:
        partial.write_text(text, "utf-8")
    submissions.write(evaluation, "frames", paths["predictions"])
    write_json(paths["report"], report.to_json())
    return paths
