"""What `--model` names, and what is known about it besides its weights."""

import zipfile
from pathlib import Path

from affwildnet.runs import card as model_card
from affwildnet.runs.card import Card
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest


def card_of(path: Path, data_dir: Path | None) -> Card:
    """Return the card of a `.keras` file; of one from before there were cards, that of the corpus beside it.

    Raises:
      UserError: if there is neither, or the file is none that Keras wrote.
    """
    try:
        card = model_card.read(path)
    except zipfile.BadZipFile:
        raise UserError(f"{path}: must be a .keras file. Received: a file of another kind, or one cut off.") from None
    if card is not None:
        return card
    if data_dir is None:
        raise UserError(
            f"{path}: must say how faces were cut out for it ({model_card.MEMBER} inside the file). Received: a file "
            "without. Name the packed corpus that it was trained on with `--data_dir`."
        )
    print(f"{path}: does not say how faces were cut out for it; taken from {data_dir}", flush=True)
    return Card.of(manifest.load(data_dir))
