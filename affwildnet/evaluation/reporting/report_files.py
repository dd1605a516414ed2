"""Write the files of a report: JSON, per-frame CSV, plots, and a page with all of it."""

from pathlib import Path

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import page, plots, submissions, worst_moments
from affwildnet.evaluation.reporting.learning_curves import Progress
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


def write(
    report: Report, evaluation: Evaluation, corpus: Corpus, workdir: Workdir | Path | str, choices: str = ""
) -> dict[str, Path]:
    """Write `report-<split>.json`, `.csv`, `.html` and the plots; return their paths by what they hold.

    Args:
      choices: what the report has that is not the default, in words that files may have in their names: it goes into
        them, so that no report takes the place of one of something else.
      evaluation: what the report is of.
      corpus: the split that was scored, for the faces at the worst moments.
      workdir: where the files go; its logs give the learning curves.
    """
    workdir = Workdir.at(workdir)
    stem = report_names.stem(evaluation.split, choices)
    names = {name: workdir.path / f"{stem}-{name}.png" for name in plots.CAPTIONS}
    other = Progress.of(Workdir(report.against.workdir)) if report.against else None
    paths = plots.draw(evaluation, Progress.of(workdir, report.step), names, other)
    for name in names.keys() - paths.keys():
        names[name].unlink(missing_ok=True)  # of an earlier report
    paths["page"] = workdir.path / f"{stem}.html"
    drawn = {name: path.read_bytes() for name, path in paths.items() if name in names}
    with whole(paths["page"]) as partial:
        partial.write_text(page.page(report, drawn, worst_moments.worst(evaluation, corpus)), "utf-8")
    paths["predictions"] = workdir.path / f"{stem}.csv"
    submissions.write(evaluation, "frames", paths["predictions"])
    paths["report"] = workdir.path / f"{stem}.json"
    write_json(paths["report"], report.to_json())
    return paths
