"""Which single annotators' labels count in place of the dataset's own: named ones, or the nearest to the landmarks.

ijcv2019 table 7 and cvprw2017 table 6 train networks with the labels of "only one annotator (the one with the highest
correlation to the landmarks)" and with the database's own, the mean of those selected. Both are said of training; the
networks are compared on one test set. So a choice labels the training and validation splits, and test keeps the
dataset's own label, unless the splits are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.packing.labelling import Chosen
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records.schema import DIMENSIONS, SPLITS

NEAREST = "nearest"  # in place of a name: who correlates most with the landmarks
RELABELLED = ("train", "validation")


@dataclass(frozen=True)
class AnnotatorChoice:
    """Whose mean is the label in some splits.

    Attributes:
      names: by dimension the annotators' names, or `NEAREST` alone; no name keeps the dataset's own label.
      splits: that are labelled so.
      one_for_both: whether the nearest annotator is one person for both dimensions, by the mean of both correlations.
    """

    names: dict[str, tuple[str, ...]]
    splits: tuple[str, ...]
    one_for_both: bool = False

    @property
    def nearest(self) -> tuple[str, ...]:
        """The dimensions whose annotator is to be found."""
        return tuple(dimension for dimension, names in self.names.items() if names == (NEAREST,))

    def resolved(self, corpus: Path) -> "AnnotatorChoice":
        """Return the choice with names in place of `NEAREST`, by a corpus that is packed with the dataset's own labels.

        Raises:
          UserError: if no annotator has a correlation with the landmarks.
        """
        if not self.nearest:
            return self
        import_tensorflow()
        from tfrecords_tools.study import nearness

        found = nearness.of_corpus(corpus, self.splits)["nearest"]
        names = dict(self.names)
        for dimension in self.nearest:
            name = found["both" if self.one_for_both else dimension]
            if name is None:
                raise UserError(
                    f"`annotators` cannot find who is nearest to the landmarks in {dimension}: no annotation of the "
                    f"splits {', '.join(self.splits)} has a correlation with them: each is constant, or has too few "
                    f"frames for 68 landmarks (more than {2 * 68 + 1} are needed). Name the annotators; no face is "
                    "looked for again."
                )
            names[dimension] = (name,)
        return AnnotatorChoice(names, self.splits)

    def of_video(self, split: str, selected: dict[str, list[str]]) -> Chosen:
        """Return the names for each dimension of a video; without any, () where the dataset's own label is kept.

        Args:
          split: of the video.
          selected: names that were selected for this video, by dimension, which count where the choice has none.
        """
        own = self.names if split in self.splits else {}
        chosen = tuple(tuple(own.get(name) or selected.get(name, ())) for name in DIMENSIONS)
        return chosen if any(chosen) else ()

    def by_split(self) -> dict[str, dict[str, list[str]]]:
        """Return the names by split and dimension, as the manifest keeps them; without splits that have none."""
        named = {dimension: list(names) for dimension, names in self.names.items() if names}
        return {split: named for split in self.splits} if named else {}


def parse(asked: Sequence[str], annotators: Sequence[str], splits: Sequence[str] = RELABELLED) -> AnnotatorChoice:
    """Return the choice that entries such as `anna`, `anna:valence` and `nearest:arousal` make.

    An entry without a dimension counts for both. Several names for a dimension are a mean.

    Raises:
      UserError: if a name is not an annotator's, an entry comes twice, or the dataset has no single annotators.
    """
    for split in splits:
        check_choice("annotator_splits", split, SPLITS)
    names: dict[str, list[str]] = {dimension: [] for dimension in DIMENSIONS}
    if asked and len(annotators) < 1:
        raise UserError("`annotators` must stay unset for a dataset without single annotators' labels.")
    for entry in asked:
        name, _, dimension = entry.rpartition(":")
        if not name or entry in annotators:
            name, dimension = entry, ""
        if dimension:
            check_choice("dimension of annotators", dimension, DIMENSIONS)
        check_choice("annotators", name, [*annotators, *([NEAREST] if NEAREST not in annotators else [])])
        for each in [dimension] if dimension else DIMENSIONS:
            if name in names[each]:
                raise UserError(f"`annotators` must name each once for a dimension. Received: {name} for {each} again.")
            names[each].append(name)
    for own in names.values():
        if NEAREST in own and NEAREST not in annotators and len(own) > 1:
            raise UserError(f"`annotators` must have {NEAREST} alone for a dimension. Received: {', '.join(own)}.")
    return AnnotatorChoice(
        {dimension: tuple(own) for dimension, own in names.items()}, tuple(splits), one_for_both=NEAREST in asked
    )
