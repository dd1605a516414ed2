"""What a card says of the corpus that a network was trained on."""

from dataclasses import replace

from affwildnet.runs import card
from affwildnet.runs.card import Card
from tests.helpers.corpora import make_corpus
from tfrecords_tools.records import manifest


def test_a_card_says_what_found_the_faces(tmp_path):
    make_corpus(tmp_path, [{"frames": 3}])
    packed = manifest.load(tmp_path)
    assert (Card.of(packed).detector, Card.of(packed).landmarks) == ("", "")  # an earlier corpus does not say
    manifest.save(replace(packed, detector="yunet", landmarks="mesh"), tmp_path)
    own = Card.of(manifest.load(tmp_path))
    assert (own.detector, own.landmarks) == ("yunet", "mesh")
    assert card.from_json(card.to_json(own)) == own
