"""In what a published row and a report differ, what is the same, and what cannot be known: before scores are compared.

"The same" is said only of what was checked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from affwildnet import experiments
from affwildnet.evaluation.reporting.published_corpora import FOLDS, Dataset, Size, dataset_of
from affwildnet.evaluation.reporting.report import PublishedRow, Report
from affwildnet.experiments.config import PROTOCOLS, Experiment
from affwildnet.experiments.departures import RANDOM_WEIGHTS, before, overridden
from affwildnet.experiments.overrides import from_json
from affwildnet.experiments.published import Published
from affwildnet.experiments.tables import TABLES
from tfrecords_tools.faces.face_settings import GIVEN
from tfrecords_tools.records.packed_corpus import dataset_of as dataset_of_layout
from tfrecords_tools.records.schema import SPLITS

DIFFERS, SAME, UNKNOWN = "differs", "same", "unknown"
# Fields that each network of a fusion of decisions has of its own.
_OF_A_NETWORK = ("model.", "training.")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
      kind: `DIFFERS`, `SAME` or `UNKNOWN`.
      text: a sentence where it differs; a few words for a list where it is the same, or cannot be known.
    """

    kind: str
    text: str


def published_rows(report: Report, own: Sequence[Published]) -> tuple[PublishedRow, ...]:
    """Return every table that prints one of an experiment's rows, whole, with its own rows compared with a report.

    Args:
      own: the experiment's rows.
    """
    found = []
    for name in dict.fromkeys(f"{row.source}/{row.table}" for row in own):
        mine = [row for row in own if f"{row.source}/{row.table}" == name]
        places = {row.row: row for row in mine}
        whole = list(TABLES[name].rows) if name in TABLES else []
        rows = [*whole, *(row for row in mine if row.row not in {each.row for each in whole})]
        found += [
            compared(places[row.row], report) if row.row in places else PublishedRow(row, own=False) for row in rows
        ]
    return tuple(found)


def compared(published: Published, report: Report) -> PublishedRow:
    """Return a row with what differs, what is the same and what cannot be known."""
    found = findings(published, report)
    texts = {kind: tuple(each.text for each in found if each.kind == kind) for kind in (DIFFERS, SAME, UNKNOWN)}
    return PublishedRow(published, differs=texts[DIFFERS], same=texts[SAME], unknown=texts[UNKNOWN])


def differences(published: Published, report: Report) -> list[str]:
    """Return a sentence for each thing in which a published row and a report differ."""
    return [each.text for each in findings(published, report) if each.kind == DIFFERS]


def findings(published: Published, report: Report) -> list[Finding]:
    """Return everything that was looked at, in the order in which a reader needs it."""
    dataset = dataset_of(published.corpus)
    experiment = from_json(report.configuration) if report.configuration else None
    found = [*_corpus(published, dataset, report), *_split(published, report), *_protocol(published, dataset, report)]
    registered = experiments.EXPERIMENTS.get(experiment.name) if experiment else None
    if dataset is not None and dataset.layout == dataset_of_layout(report.corpus.layout):
        single = registered is not None and bool(registered.data.labels)
        found += [*_sizes(dataset, report), *_labels(dataset, report, single), *_faces(dataset, report)]
    if experiment is not None:
        found += _members(report) or [*_weights(experiment, report), *_training(experiment, registered, report)]
        found += _settings(experiment, registered, published, report)
    return [*found, *_post_processing(published, report), *_region(published), *_metrics(published, report)]


def _scored_split(report: Report) -> str:
    """Return what was scored, as the sentences name it: the corpus with its layout, and the split."""
    corpus = report.corpus
    name = corpus.name if corpus.name == corpus.layout else f"{corpus.name} (layout {corpus.layout})"
    where = f"{len(report.folds)} folds" if report.folds else f"{report.split} split"
    return f"{name}, {where}"


def _corpus(published: Published, dataset: Dataset | None, report: Report) -> Iterator[Finding]:
    where = f"The row is of {published.corpus}"
    if dataset is not None and dataset_of_layout(report.corpus.layout) != dataset.layout:
        yield Finding(DIFFERS, f"{where}; these scores are of {_scored_split(report)}: another corpus.")
        return
    # Any videos can be packed with any layout, and the papers list none.
    yield Finding(UNKNOWN, f"whether the videos of {_scored_split(report)} are those of {published.corpus}")


def _split(published: Published, report: Report) -> Iterator[Finding]:
    for split in SPLITS:
        if f"{split} set" in published.corpus:
            if report.split == split:
                yield Finding(SAME, f"the split, {split}")
            else:
                yield Finding(DIFFERS, f"The row is of the {split} set; these scores are of the {report.split} split.")


def _protocol(published: Published, dataset: Dataset | None, report: Report) -> Iterator[Finding]:
    if dataset is None:
        yield Finding(UNKNOWN, "the row's protocol")
        return
    if dataset.protocol != report.protocol:
        yield Finding(
            DIFFERS,
            f"Another protocol: the row is scored by {dataset.protocol} ({PROTOCOLS[dataset.protocol]}), these scores "
            f"are by {report.protocol} ({report.protocol_summary}).",
        )
        return
    folds = len(report.folds)
    if dataset.protocol == "folds" and folds != FOLDS:
        own = f"{folds} folds" if folds else f"the {report.split} split alone"
        yield Finding(DIFFERS, f"The row's scores are of {FOLDS} folds by subject, pooled; these are of {own}.")
        return
    yield Finding(SAME, f"the protocol, {dataset.protocol}")
    if dataset.protocol == "folds":
        yield Finding(UNKNOWN, "which subjects are in the paper's folds")


def _sizes(dataset: Dataset, report: Report) -> Iterator[Finding]:
    """Compare how much was scored, and how much was trained on, with what the paper says."""
    for split in ["all"] if report.folds else dict.fromkeys((report.split, "train")):
        own = report.corpus.sizes.get(split)
        if own is None:
            continue
        said, where = dataset.sizes.get(split, Size()), "corpus" if split == "all" else f"{split} split"
        subjects = "source video" if dataset.thing == "utterance" else "subject"
        for thing, ours, theirs in (
            (dataset.thing, own.videos, said.videos),
            (subjects, own.subjects, said.subjects),
            ("frame", own.frames, said.frames),
        ):
            if theirs is None:
                yield Finding(UNKNOWN, f"how many {thing}s the paper's {where} has (here {ours:,})")
            elif ours == theirs:
                yield Finding(SAME, f"the number of {thing}s of the {where}, {ours:,}")
            else:
                yield Finding(DIFFERS, f"The {where} has {_counted(ours, thing)}, the paper's {theirs:,}.")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _labels(dataset: Dataset, report: Report, single: bool) -> Iterator[Finding]:
    """Compare whose the labels are; `single` where the paper trains on those of one annotator."""
    corpus = report.corpus
    if single:
        own = corpus.labelling or "the dataset's own"
        wanted = "for training those of the annotator nearest to the landmarks; for the test set it does not say"
        yield Finding(UNKNOWN, f"whether the labels ({own}) are the paper's ({wanted})")
        return
    wanted = f"the paper's are {dataset.labels}" if dataset.labels else "the paper does not say whose they are"
    if corpus.labelling:
        yield Finding(DIFFERS, f"The labels are {corpus.labelling}; {wanted}.")
    else:
        yield Finding(UNKNOWN, f"whether the labels, the dataset's own, are the paper's ({wanted})")


def _faces(dataset: Dataset, report: Report) -> Iterator[Finding]:
    corpus = report.corpus
    for what, ours, theirs in (
        ("The faces were found", corpus.detector, dataset.detector),
        ("The landmarks are", corpus.landmarks, dataset.landmarks),
    ):
        thing = "what found the faces" if "faces" in what else "whose the landmarks are"
        by = "with " if "faces" in what else "those of "
        if not ours or not theirs:
            here = f" (here {ours})" if ours else " (the corpus does not say)"
            yield Finding(UNKNOWN, f"{thing}{f', the paper: {theirs}' if theirs else ' in the paper'}{here}")
        elif ours == GIVEN and dataset.given:
            yield Finding(SAME, f"{thing}: they came with the dataset")
        elif ours == theirs:
            yield Finding(SAME, f"{thing}, {ours}")
        elif ours == GIVEN:
            yield Finding(DIFFERS, f"{what} by those who made the dataset; the paper's are {by}{theirs}.")
        else:
            yield Finding(DIFFERS, f"{what} {by}{ours}; the paper's {by}{theirs}.")
    if corpus.alignment == "crop":
        yield Finding(
            UNKNOWN, f"by how much the paper widens the box of a face (here by {corpus.margin:g} of its side)"
        )


def _weights(experiment: Experiment, report: Report) -> Iterator[Finding]:
    registered = experiments.EXPERIMENTS.get(experiment.name, experiment)
    wanted, given = registered.training.pretrained, experiment.training.init
    if not given or report.initial_weights == RANDOM_WEIGHTS:
        if wanted:
            yield Finding(DIFFERS, f"The network began with random weights; the paper's with those of {wanted}.")
        else:
            yield Finding(SAME, "the weights that training began with, random")
    elif reasons := before(report.rehearsal):
        theirs = f"those of {wanted}" if wanted else "random ones"
        yield Finding(
            DIFFERS,
            f"The network began with the weights of {given}, a rehearsal's ({', '.join(reasons)}); the paper's with "
            f"{theirs}.",
        )
    elif wanted:
        origin = f", {report.initial_weights}" if report.initial_weights else ""
        yield Finding(
            UNKNOWN, f"whether the weights that training began with ({given}{origin}) are the paper's {wanted}"
        )
    else:
        yield Finding(DIFFERS, f"The network began with the weights of {given}; the paper's with random ones.")


def _members(report: Report) -> list[Finding]:
    """Return in what each network of a fusion of decisions differs from its experiment, and what cannot be known."""
    found = []
    for member in report.members:
        experiment = from_json(member.configuration)
        own = replace(
            report, initial_weights=member.initial_weights, rehearsal=member.rehearsal, stage=member.stage, members=()
        )
        registered = experiments.EXPERIMENTS.get(experiment.name)
        for each in [*_weights(experiment, own), *_training(experiment, registered, own)]:
            if each.kind != SAME:
                found.append(Finding(each.kind, f"{experiment.name}: {each.text}"))
    return found


def _training(experiment: Experiment, registered: Experiment | None, report: Report) -> Iterator[Finding]:
    """Compare the settings of a network's own: its layers, its training, its stage."""
    if registered is None:
        yield Finding(UNKNOWN, f"which settings {experiment.name} has in the paper")
        return
    changed = [each for each in overridden(experiment, registered) if each.field.startswith(_OF_A_NETWORK)]
    for each in changed:
        yield Finding(DIFFERS, f"{each}.")
    stages, stage = experiment.training.stages, report.stage
    if stages and stage not in ("", stages[-1].name):
        yield Finding(DIFFERS, f"The stage {stage} was scored; the row is of the last one, {stages[-1].name}.")
    fields = {each.field for each in changed}
    if not any(field.startswith("model.") for field in fields):
        size = experiment.model.image_size
        yield Finding(
            SAME,
            f"the network's fields and those of the experiment, crops of {size} pixels among them (its notes say what "
            "the paper leaves open)",
        )
    if "training.steps" not in fields:
        yield Finding(UNKNOWN, f"how many steps the paper trains for (here at most {experiment.training.steps:,})")


def _settings(
    experiment: Experiment, registered: Experiment | None, published: Published, report: Report
) -> Iterator[Finding]:
    """Compare the settings of scoring, and of the data."""
    if registered is None:
        return
    changed = [each for each in overridden(experiment, registered) if not each.field.startswith(_OF_A_NETWORK)]
    for each in changed:
        yield Finding(DIFFERS, f"{each}.")
    alignment, scored = registered.data.alignment, report.corpus.alignment
    if alignment and "data.alignment" not in {each.field for each in changed}:
        if scored == alignment:
            yield Finding(SAME, f"the alignment, {alignment}")
        else:
            yield Finding(DIFFERS, f"The scored faces have the alignment {scored}, in the experiment {alignment}.")
    if experiment.model.recurrent != "none" and published.source != "thesis2018":
        yield Finding(UNKNOWN, "how the paper cuts the scored videos into windows")


def _post_processing(published: Published, report: Report) -> Iterator[Finding]:
    done = report.post_processing is not None
    if published.post_processing is None:
        if done:
            yield Finding(DIFFERS, "These scores are with post-processing, of which the row's table says nothing.")
    elif published.post_processing and not done:
        yield Finding(DIFFERS, "The row is with post-processing; these scores are without.")
    elif done and not published.post_processing:
        yield Finding(DIFFERS, "The row is without post-processing; these scores are with it.")
    else:
        yield Finding(SAME, "post-processing, chosen on validation" if done else "no post-processing")


def _region(published: Published) -> Iterator[Finding]:
    if published.region:
        yield Finding(DIFFERS, "The row is of one region of the plane: compare it with the error of that region.")


def _metrics(published: Published, report: Report) -> Iterator[Finding]:
    shared = any(
        value is not None and report.scored.scores.get(metric, {}).get(own_name(name)) is not None
        for metric, values in published.scores.items()
        for name, value in values.items()
    )
    if not shared:
        given = " and ".join(published.scores) or "no number"
        yield Finding(DIFFERS, f"The row gives {given}, which these scores lack: no comparison.")


def own_name(name: str) -> str:
    """Return the name in `schema.EXPRESSIONS` of what the tables of ijcv2019 call "happy" and "sad"."""
    return {"happy": "happiness", "sad": "sadness"}.get(name, name)
