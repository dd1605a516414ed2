"""The report as one HTML page, which opens from disk and needs no other file."""

from collections.abc import Sequence

from affwildnet.evaluation.reporting import page_scores as scores
from affwildnet.evaluation.reporting.markup import (
    POLICY,
    SCRIPT,
    STYLE,
    captioned,
    details,
    escaped,
    facts,
    image,
    paragraphs,
    table,
    text,
)
from affwildnet.evaluation.reporting.plots import CAPTIONS
from affwildnet.evaluation.reporting.report import Report
from affwildnet.evaluation.reporting.worst_moments import Moment, WorstVideo
from affwildnet.plotting import elided
from tfrecords_tools.errors import count
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

OVER_TIME = ("split", "segments", "curves", "probabilities")
DISTRIBUTIONS = ("histograms", "residuals")
NO_CURVES = "There are none: the working directory holds no training log and no scored checkpoints."


def page(report: Report, drawn: dict[str, bytes], worst: Sequence[WorstVideo]) -> str:
    """Return the page.

    Args:
      drawn: plots as PNG files, by a key of `plots.CAPTIONS`.
      worst: the videos with the largest errors.
    """
    sections: list[tuple[str, str]] = [
        ("What was scored", _what(report)),
        ("Scores", scores.own(report)),
        ("Baselines and published rows", scores.beside(report)),
        ("Post-processing", scores.post_processing(report)),
        ("Against another checkpoint", scores.against(report)),
        ("Regions", scores.regions(report)),
        ("Confusion", scores.confusion(report)),
        ("Over time", _plots(drawn, OVER_TIME)),
        ("Distributions", _plots(drawn, DISTRIBUTIONS)),
        ("Worst moments", _worst(worst)),
        ("Videos", scores.per_video(report)),
        ("Learning curves", _plots(drawn, ("training",)) or paragraphs([NO_CURVES])),
        ("Configuration", _configuration(report)),
    ]
    sections = [(title, inner) for title, inner in sections if inner]
    kind = " (rehearsal)" if report.rehearsal else ""
    head = escaped(f"{report.experiment}{kind}: {report.split} split")
    return "\n".join([
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{head}</title><style>{STYLE}</style></head><body>",
        f"<h1>{head}</h1>",
        f"<p>{escaped(report.configuration.get('title', ''))}</p>",
        "<nav>",
        *(f'<a href="#{_anchor(title)}">{title}</a>' for title, _ in sections),
        "</nav>",
        *(f'<section id="{_anchor(title)}"><h2>{title}</h2>{inner}</section>' for title, inner in sections),
        f"<script>{SCRIPT}</script></body></html>",
    ])  # fmt: skip


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _what(report: Report) -> str:
    counts, lost, corpus = report.counts, report.dropped, report.corpus
    step = "" if report.step is None else f", step {report.step:,}"
    split = f"{report.split}, {len(report.folds)} folds gathered" if report.folds else report.split
    rows = [
        *(("Caution", sentence) for sentence in (report.rehearsed, *corpus.warnings(report.split)) if sentence),
        ("Experiment", report.experiment),
        ("Checkpoint", f"{report.checkpoint}{step}"),
        ("Corpus", f"{corpus.name} (layout {corpus.layout}), {corpus.folder}"),
        *([("Labels", corpus.labelling)] if corpus.labelling else []),
        ("Split", f"{split}: {count(counts.videos, 'video')}"),
        ("Protocol", f"{report.protocol}: {report.protocol_summary}"),
        ("Scored", report.scored.counted),
        (
            "Labelled frames",
            f"{counts.frames_scored:,} of {counts.frames_labelled:,} scored, among {counts.frames:,} frames with a "
            "face",
        ),
        (
            "Dropped",
            f"of {lost.frames_decoded:,} decoded frames: {_share(lost.frames_without_face, lost.frames_decoded)} "
            f"without a face, {_share(lost.frames_removed, lost.frames_decoded)} with a false "
            f"detection; of the frames with a face {_share(lost.frames_unlabelled, counts.frames)} without a label",
        ),
        ("Videos left out", f"{len(lost.left_out)} in packing"),
    ]
    left_out = [[text(elided(left.video), left.video), text(left.reason)] for left in lost.left_out]
    title = f"The {len(left_out)} videos left out, and why" if len(left_out) > 1 else "The video left out, and why"
    return facts(rows) + (details(title, table(["video", "reason"], left_out)) if left_out else "")


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.1f} %)" if whole else f"{part:,}"


def _plots(drawn: dict[str, bytes], names: Sequence[str]) -> str:
    return "".join(captioned(drawn[name], CAPTIONS[name]) for name in names if name in drawn)


def _worst(worst: Sequence[WorstVideo]) -> str:
    parts = [
        "<p class=note>The videos with the largest mean squared error (summed over the outputs), and their frames with "
        "the largest error, at least a tenth of the video apart. The crops are as the network sees them.</p>"
    ]
    for video in worst:
        name = escaped(elided(video.video, 60))
        parts.append(f'<h3 title="{escaped(video.video)}">{name}: mean squared error {video.error:.3f}</h3>')
        parts.append(f'<div class="faces">{"".join(map(_figure, video.moments))}</div>')
    return "".join(parts) if worst else ""


def _figure(moment: Moment) -> str:
    lines = [f"{moment.time:.2f} s, frame {moment.frame}", *_label_and_prediction(moment)]
    below = "<br>".join(map(escaped, lines))
    if moment.crop is None:
        return f"<figure>no crop: the video is not in the corpus<br>{below}</figure>"
    return f"<figure>{image(moment.crop, lines[0], 'jpeg')}<div>{below}</div></figure>"


def _label_and_prediction(moment: Moment) -> list[str]:
    if len(moment.label) == len(DIMENSIONS):
        return [
            f"{name} {label:+.2f}, prediction {prediction:+.2f}"
            for name, label, prediction in zip(DIMENSIONS, moment.label, moment.prediction, strict=True)
        ]
    label, guess = int(moment.label.argmax()), int(moment.prediction.argmax())
    return [
        f"label {EXPRESSIONS[label]} (p {moment.prediction[label]:.2f})",
        f"prediction {EXPRESSIONS[guess]} (p {moment.prediction[guess]:.2f})",
    ]


def _configuration(report: Report) -> str:
    configuration = report.configuration
    parts = {name: value for name, value in configuration.items() if isinstance(value, dict)}
    single = [
        ({"corpus": "the experiment's corpus"}.get(name, name), value)
        for name, value in configuration.items()
        if name not in parts and name not in ("published", "name", "title") and value not in ("", None)
    ]
    versions = facts(list(report.versions.items()))
    inner = {name: facts([(key, _setting(item)) for key, item in value.items()]) for name, value in parts.items()}
    return facts(single) + "".join(details(*each) for each in {**inner, "versions": versions}.items())


def _setting(value) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in ("", None) else str(value)
