"""Rehearsals at one remove: a run that starts from the weights of a rehearsal is one, as far as files say so."""

import json
import zipfile

import pytest

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.departures import RANDOM_WEIGHTS
from affwildnet.experiments.overrides import override
from affwildnet.runs import card, rehearsals
from affwildnet.runs.card import Card
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir

FIRST, THEN = "ijcv2019/affwildnet_vggface", "ijcv2019/recola_affwildnet"
RANDOM = "random weights in place of those of VGG-Face"


def checkpoint(folder, provenance=None):
    """A file with a card, in a working directory's folder of checkpoints."""
    path = folder / "best" / "best_mean.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    if provenance is not None:
        card.put(path, Card(96, provenance=provenance))
    return path


def starts_from(path, name=THEN):
    return override(EXPERIMENTS[name], [f"training.init={path}"])


def test_the_reason_is_carried_on_by_the_card_also_at_two_removes(tmp_path):
    noted = {rehearsals.FIELD: list(rehearsals.of_experiment(EXPERIMENTS[FIRST]))}
    second = rehearsals.of_experiment(starts_from(checkpoint(tmp_path / "a", noted)))
    third = rehearsals.of_experiment(starts_from(checkpoint(tmp_path / "b", {rehearsals.FIELD: list(second)})))
    assert second == third == (f"begun with the weights of a rehearsal: {RANDOM}",)


def test_where_the_card_says_nothing_the_folder_does(tmp_path):
    path = checkpoint(tmp_path, {"keras": "3"})
    Workdir(tmp_path).start(Run(EXPERIMENTS[FIRST], tmp_path / "corpus"))
    (reason,) = rehearsals.of_experiment(starts_from(path))
    assert reason.endswith(RANDOM)
    # Its own start was a file of random weights.
    (tmp_path / "w.json").write_text(json.dumps({"title": RANDOM_WEIGHTS}))
    Workdir(tmp_path).start(Run(starts_from(tmp_path / "w.keras", FIRST), tmp_path / "corpus"))
    assert rehearsals.of_experiment(starts_from(path)) == (reason,)


@pytest.mark.parametrize("provenance", [None, {}, {rehearsals.FIELD: []}, {rehearsals.FIELD: "?"}])
def test_what_no_file_says_is_no_rehearsal(tmp_path, provenance):
    assert rehearsals.of_experiment(starts_from(checkpoint(tmp_path, provenance))) == ()
    assert rehearsals.of_experiment(starts_from(tmp_path / "not_there.keras")) == ()


def test_runs_that_start_from_each_other_end(tmp_path):
    path = checkpoint(tmp_path, {})
    Workdir(tmp_path).start(Run(starts_from(path), tmp_path / "corpus"))
    assert rehearsals.of_experiment(starts_from(path)) == ()


def test_a_checkpoint_keeps_the_reason_when_the_file_it_started_from_is_gone(tmp_path):
    path = checkpoint(tmp_path, {rehearsals.FIELD: ["narrow"]})
    assert rehearsals.of_checkpoint(path, EXPERIMENTS[THEN]) == ("narrow",)
