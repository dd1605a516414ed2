"""What the papers say of the corpora that their tables are of: sizes, faces, labels."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """How large a split is, as a paper gives it; None where it does not.

    Attributes:
      videos: number of videos, or of utterances of OMG-Emotion: of what has a file each here.
      subjects: number of subjects, or of the videos that OMG-Emotion's utterances are cut from.
      frames: number of frames.
    """

    videos: int | None = None
    subjects: int | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset of the published tables.

    Attributes:
      title: how `Published.corpus` begins.
      layout: that reads it.
      protocol: of its published scores, a key of `PROTOCOLS`.
      sizes: by split; "all" for all videos, where the scores are of folds.
      thing: what has a file each, in one word.
      detector: what the papers find its faces with; "" where they do not say.
      landmarks: whose landmarks; "" where they do not say.
      given: whether the papers' faces are part of the dataset as it is distributed.
      labels: whose mean its labels are, in the papers' words.
    """

    title: str
    layout: str
    protocol: str
    sizes: dict[str, Size] = field(default_factory=dict)
    thing: str = "video"
    detector: str = ""
    landmarks: str = ""
    given: bool = False
    labels: str = ""


# A longer title stands before the shorter one that it begins with.
DATASETS = (
    Dataset(
        "Aff-Wild, the thesis's 159 videos",
        "thesis",
        "frames",
        # Section 3.1 and table 3.6.
        {
            "train": Size(100, frames=527_056),
            "validation": Size(29, frames=94_223),
            "test": Size(30, frames=135_145),
        },
        detector="FFLD2 in every frame",
        labels="of one annotator",
    ),
    Dataset("Aff-Wild2", "aff_wild2", "frames"),
    Dataset(
        "Aff-Wild",
        "aff_wild",
        "frames",
        # ijcv2019 table 4; validation was taken from the training set.
        {"train": Size(252, frames=1_008_650), "test": Size(46, frames=215_450)},
        detector="the detector of Mathias et al.",
        landmarks="the best tracker of Chrysos et al.",
        given=True,
        labels="the mean of two to four annotations selected for each video and dimension",
    ),
    Dataset(
        "OMG-Emotion",
        "omg",
        "utterances",
        # omg2019 section 3.3.
        {"train": Size(2442, 231), "validation": Size(617, 60), "test": Size(2229, 204)},
        thing="utterance",
        detector="FFLD2",
        landmarks="dlib",
        labels="the gold standard of five annotators",
    ),
    # ijcv2019 section 2.3.
    Dataset("AFEW-VA", "afew_va", "folds", {"all": Size(600, frames=30_050)}, labels="the dataset's own"),
    # ijcv2019 section 2.1.
    Dataset(
        "RECOLA",
        "recola",
        "frames",
        {"train": Size(16, 16), "validation": Size(15, 15), "test": Size(15, 15)},
        labels="of six annotators",
    ),
    # ijcv2019 sections 2.2 and 5.2.1.
    Dataset(
        "EmotiW",
        "afew",
        "videos",
        {"train": Size(773), "validation": Size(383), "test": Size(653)},
        detector="the challenge's own crops",
        given=True,
    ),
    Dataset("AFEW", "afew", "videos"),
)

# Of the published scores on AFEW-VA (ijcv2019 section 5.1.2).
FOLDS = 5


def dataset_of(corpus: str) -> Dataset | None:
    """Return the dataset that the corpus of a published row belongs to, None where none of it is known."""
    return next((known for known in DATASETS if corpus.startswith(known.title)), None)
