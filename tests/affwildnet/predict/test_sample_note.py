"""A network of the sample corpus says what it knows."""

import pytest

from affwildnet.predict import loading
from affwildnet.runs.card import Card


@pytest.mark.parametrize(("corpus", "noted"), [("sample (aff_wild)", True), ("mine (csv)", False), ("", False)])
def test_only_a_network_of_the_sample_corpus_knows_two_portraits(corpus, noted, tmp_path, monkeypatch):
    monkeypatch.setattr(loading.best, "model_file", lambda model: model)
    monkeypatch.setattr(loading.checkpoints, "load", lambda path: None)
    monkeypatch.setattr(loading, "fold", lambda model: model)
    monkeypatch.setattr(loading, "KerasNetwork", lambda model: type("Network", (), {"image_size": 96}))
    monkeypatch.setattr(loading.network_card, "read", lambda path: Card(96, corpus=corpus))
    description = loading.load_network(tmp_path / "m.keras").description
    assert ("knows two drawn portraits only" in description) == noted
