"""The best mean of separate networks is made of the best for valence and the best for arousal."""

import json
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.models import build
from affwildnet.runs import best, best_each, checkpoints
from affwildnet.runs.card import Card, read
from affwildnet.runs.checkpoint_files import contents_note
from affwildnet.runs.checkpoints import write_model
from affwildnet.runs.json_files import write_json
from affwildnet.runs.workdir import Workdir
from tests.helpers.networks import numpy
from tests.helpers.trainings import TINY

SEPARATE = replace(TINY.model, separate=True, recurrent="none", hidden=(8,), landmarks=False)


def network(seed):
    """A separate network with weights that no other seed gives."""
    model = build(SEPARATE)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 0.5, variable.shape))
    return model


@pytest.fixture
def workdir(tmp_path):
    """The best for valence is of step 3, the best for arousal of step 7."""
    found = Workdir(tmp_path)
    found.best.mkdir()
    for name, step in (("valence", 3), ("arousal", 7)):
        path = best.path_of(found, f"best_{name}")
        write_model(network(step), path, Card(32, corpus="tiny (aff_wild)"))
        ranking = {"valence": 0.5 if step == 3 else 0.2, "arousal": 0.1 if step == 3 else 0.3}
        write_json(checkpoints.state_path(path), {"step": step, "ranking": ranking})
    return found


def test_each_dimension_is_predicted_as_by_its_own_best(workdir):
    assert best_each.compose(workdir)
    made = checkpoints.load(best.path_of(workdir))
    frames = np.random.default_rng(0).integers(0, 256, (1, 2, 32, 32, 3)).astype("uint8")
    predictions, *of_steps = (numpy(model({"frames": frames})) for model in (made, network(3), network(7)))
    np.testing.assert_allclose(predictions[..., 0], of_steps[0][..., 0], rtol=1e-5)
    np.testing.assert_allclose(predictions[..., 1], of_steps[1][..., 1], rtol=1e-5)
    assert np.abs(of_steps[0] - of_steps[1]).min() > 1e-3
    state = json.loads(checkpoints.state_path(best.path_of(workdir)).read_text())
    assert state.pop("contents") == contents_note(best.path_of(workdir))["contents"]
    assert state == {
        "step": 7,
        "steps": {"valence": 3, "arousal": 7},
        "ranking": {"valence": 0.5, "arousal": 0.3, "mean": 0.4},
    }
    assert read(best.path_of(workdir)).corpus == "tiny (aff_wild)"


def test_it_is_made_once_and_again_where_one_of_them_is_new(workdir):
    assert best_each.compose(workdir)
    assert not best_each.compose(workdir)
    path = best.path_of(workdir, "best_valence")
    write_json(checkpoints.state_path(path), {"step": 9, "ranking": {"valence": 0.6}})
    assert best_each.compose(workdir)
    assert json.loads(checkpoints.state_path(best.path_of(workdir)).read_text())["steps"]["valence"] == 9


def test_there_is_none_before_both_are_there(tmp_path):
    assert not best_each.compose(Workdir(tmp_path))


def test_a_note_whose_file_did_not_come_leaves_the_best_mean_as_it_was(workdir, shown):
    assert best_each.compose(workdir)
    before = best.path_of(workdir).read_bytes()
    other = best.path_of(workdir, "best_arousal")
    note = {"step": 9, "ranking": {"valence": 0.6}, **contents_note(other)}
    write_json(checkpoints.state_path(best.path_of(workdir, "best_valence")), note)  # killed before the file
    assert not best_each.compose(workdir)
    assert best.path_of(workdir).read_bytes() == before
    assert "best_mean.keras is left as it is: " in shown()
