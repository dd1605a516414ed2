"""What a card says of the corpus that a network was trained on."""

import json
import zipfile
from dataclasses import asdict, replace

import pytest

from affwildnet.runs import card
from affwildnet.runs.card import Card
from tests.helpers.corpora import make_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest


def test_a_card_says_what_found_the_faces(tmp_path):
    make_corpus(tmp_path, [{"frames": 3}])
    packed = manifest.load(tmp_path)
    assert (Card.of(packed).detector, Card.of(packed).landmarks) == ("", "")  # an earlier corpus does not say
    manifest.save(replace(packed, detector="yunet", landmarks="mesh"), tmp_path)
    own = Card.of(manifest.load(tmp_path))
    assert (own.detector, own.landmarks) == ("yunet", "mesh")
    assert card.from_json(card.to_json(own)) == own


WRONG = [
    "",
    "null",
    "[]",
    "[" * 60_000,
    *({"image_size": value} for value in ("x", -5, True)),
    {"alignment": "turned"},
    {"margin": float("nan")},
    {"ranges": {"valence": [1, -1]}},
    {"ranges": 5},
    {"colour_order": "BGR"},
    {"detector": "eyes"},
    {"corpus": 7},
    {"of a later version": 1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong)[:30])
def test_a_damaged_card_is_refused_in_one_line_in_a_file_and_in_a_saved_model(wrong, tmp_path):
    text = wrong if isinstance(wrong, str) else json.dumps({**asdict(Card(96)), **wrong})
    path, folder = tmp_path / "x.keras", tmp_path / "exported"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"affwildnet.json\n" + text.encode()
    (folder / card.ASSET.parent).mkdir(parents=True)
    (folder / card.SAVED_MODEL).touch()
    (folder / card.ASSET).write_text(text)
    for place in (path, folder):
        if place == folder and wrong == {"of a later version": 1}:
            assert card.read(place) == Card(96)  # an export has more fields than a card
            continue
        with pytest.raises(UserError, match="must be readable") as raised:
            card.read(place)
        assert "\n" not in str(raised.value)
