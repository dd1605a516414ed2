"""What has to be known before a published row is read beside one's own scores: in what the two differ, in words."""

from dataclasses import dataclass

from affwildnet.experiments.config import PROTOCOLS
from affwildnet.experiments.published import Published
from tfrecords_tools.records.schema import SPLITS


@dataclass(frozen=True)
class Dataset:
    """A dataset of the published tables.

    Attributes:
      title: how `Published.corpus` begins.
      layout: of its reader; "" where no reader is for it.
      protocol: how its published scores came about, a key of `PROTOCOLS`.
      telling: whether nothing else is likely to be packed with that layout.
      videos: number of videos of a split, where the paper gives it.
    """

    title: str
    layout: str
    protocol: str
    telling: bool = True
    videos: tuple[tuple[str, int], ...] = ()


# A title that another one begins with stands behind it. The numbers of videos are those of ijcv2019 table 4.
DATASETS = (
    Dataset("Aff-Wild, the thesis's 159 videos", "thesis", "frames"),
    Dataset("Aff-Wild2", "aff_wild2", "frames"),
    Dataset("Aff-Wild", "aff_wild", "frames", telling=False, videos=(("train", 252), ("test", 46))),
    Dataset("OMG-Emotion", "omg", "utterances"),
    Dataset("AFEW-VA", "afew_va", "folds"),
    Dataset("RECOLA", "recola", "frames"),
    Dataset("EmotiW", "afew", "videos"),
    Dataset("AFEW", "afew", "videos"),
)

# Of the published scores on AFEW-VA (ijcv2019 section 5.1.2).
FOLDS = 5


def differences(published: Published, report: dict) -> list[str]:
    """Return a sentence for each thing in which a published row and a report are not of the same kind.

    Args:
      report: as `report.contents` returns it; `corpus`, `split`, `folds`, `videos`, `protocol`, `post_processing` and
        the scores are read.

    Returns:
      Nothing where corpus, split, protocol and post-processing agree and there is a score that both have.
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


def told(report: dict) -> str:
    """Return what was scored, as sentences name it: the corpus with its layout, and the split."""
    corpus = report["corpus"]
    name = corpus["name"] if corpus["name"] == corpus["layout"] else f"{corpus['name']} (layout {corpus['layout']})"
    where = f"{len(report['folds'])} folds" if report.get("folds") else f"{report['split']} split"
    return f"{name}, {where}"


def _corpus(published: Published, dataset: Dataset | None, report: dict) -> str:
    corpus = report["corpus"]
    where = f"The row is of {published.corpus}"
    if dataset is None:
        return f"{where}; whether these scores, of {told(report)}, are of that corpus cannot be known."
    if corpus["layout"] != dataset.layout:
        return f"{where}; these scores are of {told(report)}: another corpus."
    if dataset.telling:
        return ""
    number = dict(dataset.videos).get(report["split"])
    named = corpus["name"].replace("_", "") == dataset.layout.replace("_", "")
    if named and report["videos"] == number:
        return ""
    unknown = f"{where}; these scores are of {told(report)}. Whether that corpus is {dataset.title} cannot be known "
    if number and number != report["videos"]:
        return (
            f"{unknown}from its layout, which any videos can be packed with; its {report['split']} split has "
            f"{report['videos']} videos, that of {dataset.title} {number}."
        )
    return f"{unknown}from its layout, which any videos can be packed with."


def _split(published: Published, report: dict) -> str:
    for split in SPLITS:
        if f"{split} set" in published.corpus and report["split"] != split:
            return f"The row is of the {split} set; these scores are of the {report['split']} split."
    return ""


def _protocol(dataset: Dataset | None, report: dict) -> str:
    if dataset is None:
        return ""
    if dataset.protocol != report["protocol"]:
        return (
            f"Another protocol: the row is scored by {dataset.protocol} ({PROTOCOLS[dataset.protocol]}), these scores "
            f"are by {report['protocol']} ({PROTOCOLS[report['protocol']]})."
        )
    folds = len(report.get("folds") or [])
    if dataset.protocol == "folds" and folds != FOLDS:
        own = f"{folds} folds" if folds else f"the {report['split']} split alone"
        return f"The row's scores are of {FOLDS} folds by subject, pooled; these are of {own}."
    return ""


def _region(published: Published) -> str:
    return (
        "The row is of one region of the plane: it belongs beside that region's error." if region_of(published) else ""
    )


def region_of(published: Published) -> str:
    """Return the part of the valence-arousal plane that a row is of, such as "V in [0, 1], A in [0, 0.5)", or ""."""
    _, found, region = published.row.partition(", V in ")
    return f"V in {region}" if found else ""


def _post_processing(published: Published, report: dict) -> str:
    done = report.get("post_processing") is not None
    if "with post-processing" in published.row and not done:
        return "The row is with post-processing; these scores are without."
    if "without post-processing" in published.row and done:
        return "The row is without post-processing; these scores are with it."
    return ""


def _metrics(published: Published, report: dict) -> str:
    shared = any(
        value is not None and (report.get(metric) or {}).get(own_name(name)) is not None
        for metric, values in published.scores.items()
        for name, value in values.items()
    )
    if shared:
        return ""
    return (
        f"The row gives {' and '.join(published.scores) or 'no number'}, which these scores do not have: no comparison."
    )


def own_name(name: str) -> str:
    """Return the name in `schema.EXPRESSIONS` of what the tables of ijcv2019 call "happy" and "sad"."""
    return {"happy": "happiness", "sad": "sadness"}.get(name, name)
