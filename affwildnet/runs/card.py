"""What a network must be told about besides its weights: how its faces were cut out, and what its outputs mean.

A `.keras` file that this package writes carries it as a further member of its archive, so that the file alone is
enough to predict from a video.
"""

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.records import schema
from tfrecords_tools.records.manifest import Manifest

MEMBER = "affwildnet.json"


@dataclass(frozen=True)
class Card:
    """Preprocessing, meaning and origin of a network.

    Attributes:
      image_size: side of the square face crop in pixels.
      alignment, margin: how it is cut out, see `tfrecords_tools.alignment.Aligner`.
      colour_order: of the pixels.
      ranges: lowest and highest label of each dimension in the corpus.
      corpus: name and layout of the corpus that it was trained on; "" where it is not known.
      experiment: name of the experiment; "" where there was none.
      provenance: anything else about where it came from, as JSON can hold it.
    """

    image_size: int
    alignment: str = Aligner.alignment
    margin: float = Aligner.margin
    colour_order: str = schema.COLOUR_ORDER
    ranges: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(schema.LABEL_RANGE))
    corpus: str = ""
    experiment: str = ""
    provenance: dict = field(default_factory=dict)

    @property
    def aligner(self) -> Aligner:
        """Cut out faces as the packing did."""
        return Aligner(self.image_size, self.alignment, self.margin)

    @classmethod
    def of(cls, packed: Manifest, experiment: str = "", provenance: dict | None = None) -> "Card":
        """Return the card of a network that is trained on a packed corpus."""
        return cls(
            image_size=packed.image_size,
            alignment=packed.alignment,
            margin=packed.margin,
            colour_order=packed.colour_order,
            ranges=dict(packed.label_range),
            corpus=f"{packed.name} ({packed.layout})",
            experiment=experiment,
            provenance=provenance or {},
        )


def put(path: Path, card: Card) -> None:
    """Add a card to a `.keras` file that has none yet."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, to_json(card))


def read(path: Path) -> Card | None:
    """Return the card of a `.keras` file, None if it has none."""
    with zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist():
            return None
        return from_json(archive.read(MEMBER).decode())


def to_json(card: Card) -> str:
    return json.dumps(dataclasses.asdict(card), indent=2) + "\n"


def from_json(text: str) -> Card:
    fields = json.loads(text)
    ranges = {name: (low, high) for name, (low, high) in fields.pop("ranges").items()}
    return Card(ranges=ranges, **fields)
