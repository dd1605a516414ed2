"""What a network needs besides its weights: how its crops were cut out, and what its outputs mean.

A `.keras` file that this package writes carries its card in the comment of the archive: with a further member Keras
would unpack the whole archive at each load. A SavedModel has it in `assets.extra`. So the file or folder alone is
enough to predict from a video.
"""

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.face_settings import FaceSettings
from tfrecords_tools.files import json_text, regular
from tfrecords_tools.records import schema
from tfrecords_tools.records.manifest_checks import check_crops, check_faces, check_ranges
from tfrecords_tools.records.packed_corpus import Manifest

if TYPE_CHECKING:
    from tfrecords_tools.faces.alignment import Aligner

MEMBER = "affwildnet.json"
# In the folder of a SavedModel: what makes it one, and where the card lies, among other fields.
SAVED_MODEL = "saved_model.pb"
ASSET = Path("assets.extra") / MEMBER
_COMMENT = f"{MEMBER}\n".encode()
_LONGEST_COMMENT = 65_535  # bytes, of any zip archive


@dataclass(frozen=True)
class Card:
    """Preprocessing, meaning and origin of a network.

    Attributes:
      image_size: side of the square face crop in pixels.
      alignment, margin: how it is cut out, see `tfrecords_tools.faces.alignment.Aligner`.
      colour_order: of the pixels.
      ranges: lowest and highest label of each dimension in the corpus.
      corpus: name and layout of the corpus that the network was trained on; "" where it is not known.
      experiment: name of the experiment; "" where there was none.
      provenance: anything else about its origin that JSON can hold.
      detector, landmarks: what found the faces and whose 68 points they have, see `packed_corpus.Manifest`.
    """

    image_size: int
    alignment: str = FaceSettings.alignment
    margin: float = FaceSettings.margin
    colour_order: str = schema.COLOUR_ORDER
    ranges: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(schema.LABEL_RANGE))
    corpus: str = ""
    experiment: str = ""
    provenance: dict = field(default_factory=dict)
    detector: str = ""
    landmarks: str = ""

    @property
    def aligner(self) -> "Aligner":
        """Cuts out crops as the packing did."""
        from tfrecords_tools.faces.alignment import Aligner

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
            detector=packed.detector,
            landmarks=packed.landmarks,
        )


def is_saved_model(path: Path) -> bool:
    """Return whether a path is the folder of a SavedModel."""
    return (path / SAVED_MODEL).is_file()


def put(path: Path, card: Card) -> None:
    """Add a card to a `.keras` file that has none yet."""
    comment = _COMMENT + json.dumps(dataclasses.asdict(card), separators=(",", ":")).encode()
    if len(comment) > _LONGEST_COMMENT:
        raise UserError(f"{path}: a card must have at most {_LONGEST_COMMENT} bytes. Received: {len(comment)}.")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = comment


def read(path: Path) -> Card | None:
    """Return the card of a `.keras` file or of a SavedModel's folder, None if it has none."""
    if is_saved_model(path):
        return _read_asset(path / ASSET)
    with zipfile.ZipFile(regular(path)) as archive:
        if archive.comment.startswith(_COMMENT):
            return _from_file(path, archive.comment.removeprefix(_COMMENT))
        if MEMBER in archive.namelist():  # where earlier versions put it
            return _from_file(path, archive.read(MEMBER))
    return None


def _from_file(path: Path, data: bytes) -> Card:
    with _readable(path):
        return from_json(data.decode())


def _read_asset(path: Path) -> Card | None:
    try:
        fields = json_text.loads(regular(path).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: must be readable JSON. Received: {error}. Export the network again.") from None
    with _readable(path):
        fields = fields.get("card", fields)  # earlier exports nest the card
        if "image_size" not in fields or "alignment" not in fields:
            return None
        own = {field.name: fields[field.name] for field in dataclasses.fields(Card) if field.name in fields}
        return from_json(json.dumps({"ranges": {}, **own}))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: its card must be readable. Received: {type(error).__name__}: {error}.") from None


def to_json(card: Card) -> str:
    """Return a card as JSON."""
    return json.dumps(dataclasses.asdict(card), indent=2) + "\n"


def from_json(text: str) -> Card:
    """Return the card that `to_json` wrote.

    Raises:
      AttributeError, KeyError, TypeError, ValueError: if it is none, or a value cannot be that of a card.
    """
    fields = json_text.loads(text)
    ranges = {name: (low, high) for name, (low, high) in fields.pop("ranges").items()}
    card = Card(ranges=ranges, **fields)
    check_crops(card.image_size, card.alignment, card.margin, card.colour_order)
    check_ranges(card.ranges)
    check_faces(card.detector, card.landmarks)
    for name in ("corpus", "experiment"):
        if not isinstance(getattr(card, name), str):
            raise ValueError(f"`{name}` cannot be {getattr(card, name)!r:.80}")
    return card
