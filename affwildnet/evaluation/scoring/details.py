"""What a protocol tells beside its scores."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Details:
    """What stands beside the scores; see `protocols.Scored` for the form of each.

    Attributes:
      units: how many frames, utterances or videos are scored.
      per_video: a row for each video.
      others: the split scored in other ways.
      confusion: of classes of expression.
      regions: errors in parts of the plane of valence and arousal.
      undefined: why a value of these is None.
    """

    units: int
    per_video: list[dict]
    others: list[dict] = field(default_factory=list)
    confusion: list[list[int]] | None = None
    regions: list[dict] = field(default_factory=list)
    undefined: dict[str, str] = field(default_factory=dict)


def mean_of(rows: list[dict[str, dict[str, float | None]]]) -> dict[str, dict[str, float | None]]:
    """Return the mean of several scores of one form; None where one of them is None."""
    found = {}
    for metric, first in rows[0].items():
        columns = {name: [row[metric][name] for row in rows] for name in first}
        found[metric] = {
            name: None if None in values else sum(values) / len(values) for name, values in columns.items()
        }
    return found
