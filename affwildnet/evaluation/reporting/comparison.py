"""In what a published row and a report differ, in sentences: what to know before their scores are compared."""

from dataclasses import dataclass

from affwildnet.evaluation.reporting.report import Report
from affwildnet.experiments.config import PROTOCOLS
from affwildnet.experiments.published import Published
from tfrecords_tools.errors import count
from tfrecords_tools.records.schema import SPLITS


@dataclass(frozen=True)
class Dataset:
    """A dataset of the published tables.

    Attributes:
      title: how `Published.corpus` begins.
      layout: that reads it.
      protocol: of its published scores, a key of `PROTOCOLS`.
      layout_is_its_own: whether that layout is hardly used for anything else.
      videos: number of videos of a split, where the paper gives it.
    """

    title: str
    layout: str
    protocol: str
    layout_is_its_own: bool = True
    videos: tuple[tuple[str, int], ...] = ()


# A longer title stands before the shorter one that it begins with. The numbers of videos are those of ijcv2019 table 4.
DATASETS = (
    Dataset("Aff-Wild, the thesis's 159 videos", "thesis", "frames"),
    Dataset("Aff-Wild2", "aff_wild2", "frames"),
    Dataset("Aff-Wild", "aff_wild", "frames", layout_is_its_own=False, videos=(("train", 252), ("test", 46))),
    Dataset("OMG-Emotion", "omg", "utterances"),
    Dataset("AFEW-VA", "afew_va", "folds"),
    Dataset("RECOLA", "recola", "frames"),
    Dataset("EmotiW", "afew", "videos"),
    Dataset("AFEW", "afew", "videos"),
)

# Of the published scores on AFEW-VA (ijcv2019 section 5.1.2).
FOLDS = 5


def differences(published: Published, report: Report) -> list[str]:
    """Return a sentence for each thing in which a published row and a report differ.

    Returns:
      Nothing where corpus, split, protocol and post-processing agree and both have a score in common.
    """
    dataset = next((known for known in DATASETS if published.corpus.startswith(known.title)), None)
    found = [
        _corpus(published, dataset, report),
        _split(published, report),
        _protocol(dataset, report),
        _region(published),
        _post_processing(published, report),
        _metrics(published, report),
    ]
    return [sentence for sentence in found if sentence]


def _scored_split(report: Report) -> str:
    """Return what was scored, as the sentences name it: the corpus with its layout, and the split."""
    corpus = report.corpus
    name = corpus.name if corpus.name == corpus.layout else f"{corpus.name} (layout {corpus.layout})"
    where = f"{len(report.folds)} folds" if report.folds else f"{report.split} split"
    return f"{name}, {where}"


def _corpus(published: Published, dataset: Dataset | None, report: Report) -> str:
    corpus, videos = report.corpus, report.counts.videos
    where = f"The row is of {published.corpus}"
    if dataset is None:
        return f"{where}; whether these scores, of {_scored_split(report)}, are of that corpus cannot be known."
    if corpus.layout != dataset.layout:
        return f"{where}; these scores are of {_scored_split(report)}: another corpus."
    if dataset.layout_is_its_own:
        return ""
    number = dict(dataset.videos).get(report.split)
    named = corpus.name.replace("_", "") == dataset.layout.replace("_", "")
    if named and videos == number:
        return ""
    unknown = (
        f"{where}; these scores are of {_scored_split(report)}. Whether that corpus is {dataset.title} cannot be known "
        "from its layout, with which any videos can be packed"
    )
    if number and number != videos:
        own = count(videos, "video")
        return f"{unknown}; its {report.split} split has {own}, that of {dataset.title} {number}."
    return f"{unknown}."


def _split(published: Published, report: Report) -> str:
    for split in SPLITS:
        if f"{split} set" in published.corpus and report.split != split:
            return f"The row is of the {split} set; these scores are of the {report.split} split."
    return ""


def _protocol(dataset: Dataset | None, report: Report) -> str:
    if dataset is None:
        return ""
    if dataset.protocol != report.protocol:
        return (
            f"Another protocol: the row is scored by {dataset.protocol} ({PROTOCOLS[dataset.protocol]}), these scores "
            f"are by {report.protocol} ({report.protocol_summary})."
        )
    folds = len(report.folds)
    if dataset.protocol == "folds" and folds != FOLDS:
        own = f"{folds} folds" if folds else f"the {report.split} split alone"
        return f"The row's scores are of {FOLDS} folds by subject, pooled; these are of {own}."
    return ""


def _region(published: Published) -> str:
    return (
        "The row is of one region of the plane: compare it with the error of that region."
        if region_of(published)
        else ""
    )


def region_of(published: Published) -> str:
    """Return the part of the valence-arousal plane that a row is of, such as "V in [0, 1], A in [0, 0.5)", or ""."""
    _, found, region = published.row.partition(", V in ")
    return f"V in {region}" if found else ""


def _post_processing(published: Published, report: Report) -> str:
    done = report.post_processing is not None
    if "with post-processing" in published.row and not done:
        return "The row is with post-processing; these scores are without."
    if "without post-processing" in published.row and done:
        return "The row is without post-processing; these scores are with it."
    return ""


def _metrics(published: Published, report: Report) -> str:
    shared = any(
        value is not None and report.scored.scores.get(metric, {}).get(own_name(name)) is not None
        for metric, values in published.scores.items()
        for name, value in values.items()
    )
    if shared:
        return ""
    return f"The row gives {' and '.join(published.scores) or 'no number'}, which these scores lack: no comparison."


def own_name(name: str) -> str:
    """Return the name in `schema.EXPRESSIONS` of what the tables of ijcv2019 call "happy" and "sad"."""
    return {"happy": "happiness", "sad": "sadness"}.get(name, name)
