"""The SavedModel: loads where nothing of this package is, and gives the numbers that the network gives."""

import json
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.export import saved_model
from affwildnet.runs.card import Card
from tests.helpers.exported import SIZE, network
from tests.helpers.networks import inputs, numpy, randomised
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError

PROVENANCE = {"experiment": "tests/tiny", "checkpoint": "best_mean.keras", "step": 12, "versions": {"keras": "3"}}
CNN = replace(TINY.model, landmarks=False, recurrent="none", hidden=())
# Reads inputs from .npz files beside it, writes outputs; knows nothing but TensorFlow and NumPy.
STRANGER = """
import json, sys
# Where the package is installed, its import fails all the same.
sys.modules["affwildnet"] = sys.modules["tfrecords_tools"] = None
try:
    import affwildnet.models
except ImportError:
    pass
else:
    raise AssertionError("the package can be imported")
import numpy as np
import tensorflow as tf
facts = {}
for name in sys.argv[1:]:
    serve = tf.saved_model.load(name).signatures["serving_default"]
    _, arguments = serve.structured_input_signature
    facts[name] = {
        "inputs": {key: [spec.dtype.name, spec.shape.as_list()] for key, spec in arguments.items()},
        "outputs": {key: [spec.dtype.name, spec.shape.as_list()] for key, spec in serve.structured_outputs.items()},
    }
    for index in range(2):
        given = dict(np.load(f"{name}-{index}.npz"))
        np.savez(f"{name}-{index}-out.npz", **serve(**{key: tf.constant(value) for key, value in given.items()}))
    step = tf.saved_model.load(name).signatures["step"]
    states = json.load(open(f"{name}/assets.extra/affwildnet.json"))["states"]
    carried = {key: tf.zeros([len(given["frames"]), *shape[1:]]) for key, shape in states.items()}
    for frame in range(given["frames"].shape[1]):
        one = {key: tf.constant(value[:, frame : frame + 1]) for key, value in given.items()}
        outputs = step(**one, **carried)
        carried = {key: outputs[key] for key in states}
    facts[name]["last"] = outputs["valence_arousal"][:, 0].numpy().tolist()
ours = ("affwildnet", "tfrecords_tools")
assert not [name for name, module in sys.modules.items() if module and name.split(".")[0] in ours]
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def plain():
    return network("none", landmarks=False)


@pytest.mark.slow
def test_a_stranger_gets_the_networks_numbers(tmp_path):
    sizes = [(1, 3), (3, 7)]
    expected = {}
    for name, config in (("faces", replace(CNN, recurrent="gru")), ("both", TINY.model)):
        model = randomised(models.build(config))
        saved_model.write(model, tmp_path / name, PROVENANCE)
        for index, (batch, steps) in enumerate(sizes):
            data = inputs(config, batch, steps, seed=index)
            np.savez(tmp_path / f"{name}-{index}.npz", **data)
            expected[name, index] = numpy(model(data))
    command = [sys.executable, "-I", "-c", STRANGER, "faces", "both"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"TF_CPP_MIN_LOG_LEVEL": "2"})
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout.splitlines()[-1])
    frames, landmarks = ["uint8", [None, None, 32, 32, 3]], ["float32", [None, None, 68, 2]]
    assert facts["faces"]["inputs"] == {"frames": frames}
    assert facts["both"]["inputs"] == {"frames": frames, "landmarks": landmarks}
    for name in ("faces", "both"):
        assert facts[name]["outputs"] == {"valence_arousal": ["float32", [None, None, 2]]}
        np.testing.assert_allclose(facts[name]["last"], expected[name, 1][:, -1], atol=1e-5)
    for (name, index), values in expected.items():
        found = np.load(tmp_path / f"{name}-{index}-out.npz")
        assert list(found) == ["valence_arousal"]
        assert found["valence_arousal"].shape == (*sizes[index], 2)
        np.testing.assert_allclose(found["valence_arousal"], values, atol=1e-5)
        assert np.ptp(values) > 1e-3


def test_it_says_what_goes_in_and_out(plain, tmp_path):
    saved_model.write(plain, tmp_path / "deep" / "saved", PROVENANCE)
    found = json.loads((tmp_path / "deep" / "saved" / "assets.extra" / "affwildnet.json").read_text())
    assert found["inputs"] == {
        "frames": {
            "shape": [None, None, SIZE, SIZE, 3],
            "dtype": "uint8",
            "holds": "RGB face crops, pixel values 0 to 255",
        }
    }
    assert found["output"] == {"valence_arousal": ["valence", "arousal"], "shape": [None, None, 2]}
    assert found["colour_order"] == "RGB"
    assert {name: found[name] for name in PROVENANCE} == PROVENANCE
    assert (found["image_size"], found["states"]) == (SIZE, {})
    assert "alignment" not in found  # nobody knows


def test_it_says_how_faces_are_cut_out(plain, tmp_path):
    card = Card(SIZE, "procrustes", 0.2, ranges={"valence": (-1, 1), "arousal": (0, 1)}, corpus="OMG", experiment="omg")
    saved_model.write(plain, tmp_path / "saved", {"step": 7, "experiment": "mine"}, card)
    found = json.loads((tmp_path / "saved" / "assets.extra" / "affwildnet.json").read_text())
    assert (found["image_size"], found["alignment"], found["margin"]) == (SIZE, "procrustes", 0.2)
    assert found["ranges"] == {"valence": [-1, 1], "arousal": [0, 1]}
    assert (found["corpus"], found["experiment"], found["step"]) == ("OMG", "mine", 7)


def test_an_export_of_another_network_is_replaced_only_if_asked(plain, tmp_path):
    folder = tmp_path / "saved"
    saved_model.write(plain, folder, {"experiment": "mine", "checkpoint": "best_mean.keras"}, Card(SIZE))

    def described():
        return json.loads((folder / "assets.extra" / "affwildnet.json").read_text())

    before = described()
    other = keras.models.clone_model(plain)
    other.set_weights([weight + 1e-3 * (number == 0) for number, weight in enumerate(plain.get_weights())])
    refusal = r"exists already, an export of another network \(mine, best_mean\.keras\)\. Replace it with `overwrite`"
    for model, card in ((other, Card(SIZE)), (plain, Card(SIZE, margin=0.3)), (other, None)):
        with pytest.raises(UserError, match=refusal):
            saved_model.write(model, folder, {"experiment": "other"}, card)
    assert described() == before
    saved_model.write(other, folder, {"experiment": "other"}, Card(SIZE), overwrite=True)
    assert described()["experiment"] == "other"
    assert described()["network"] != before["network"]
    saved_model.write(other, folder, {"experiment": "again"}, Card(SIZE))
    assert described()["experiment"] == "again"


def test_an_export_that_does_not_say_of_what_it_is_stays(plain, tmp_path):
    folder = tmp_path / "saved"
    saved_model.write(plain, folder)
    (folder / "assets.extra" / "affwildnet.json").unlink()
    with pytest.raises(UserError, match=r"an export of another network\. Replace it with `overwrite`"):
        saved_model.write(plain, folder)


def test_an_earlier_export_is_replaced(plain, tmp_path):
    folder = tmp_path / "saved"
    saved_model.write(plain, folder, PROVENANCE)
    (folder / "notes.txt").write_text("mine")
    (folder / "assets.extra" / "warm_up").write_text("mine as well")
    saved_model.write(plain, folder, {**PROVENANCE, "step": 13})
    assert json.loads((folder / "assets.extra" / "affwildnet.json").read_text())["step"] == 13
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "assets.extra" / "warm_up").read_text() == "mine as well"
    assert not (folder / ".exchange").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_an_export_into_a_link_is_one_of_its_target(plain, tmp_path):
    saved_model.write(plain, tmp_path / "real", PROVENANCE)
    (tmp_path / "link").symlink_to("real")
    saved_model.write(plain, tmp_path / "link", {**PROVENANCE, "step": 13})
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real" / "assets.extra" / "affwildnet.json").read_text())["step"] == 13


def test_killed_while_files_are_exchanged_the_next_export_completes_it(plain, tmp_path, monkeypatch):
    saved_model.write(plain, tmp_path / "saved", PROVENANCE)
    before = {path.name for path in (tmp_path / "saved").rglob("*")}

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tfrecords_tools.files.exchange._move", killed)
        with pytest.raises(KeyboardInterrupt):
            saved_model.write(plain, tmp_path / "saved", {**PROVENANCE, "step": 13})
    assert (tmp_path / "saved" / "saved_model.pb").is_file()  # nothing old is gone
    saved_model.write(plain, tmp_path / "saved", {**PROVENANCE, "step": 14})
    assert {path.name for path in (tmp_path / "saved").rglob("*")} == before
    assert json.loads((tmp_path / "saved" / "assets.extra" / "affwildnet.json").read_text())["step"] == 14


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failed_export_leaves_the_earlier_one(error, plain, tmp_path, monkeypatch):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("earlier")

    def fail(*_):
        raise error

    monkeypatch.setattr("affwildnet.export.description.write", fail)
    with pytest.raises(UserError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        saved_model.write(plain, folder, PROVENANCE, overwrite=True)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{folder}: cannot be written (no space left). Choose another folder, or make room."
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    assert (folder / "saved_model.pb").read_text() == "earlier"


@pytest.mark.parametrize("kind", ["a folder of something else", "a file"])
def test_what_is_no_export_is_not_overwritten(kind, plain, tmp_path):
    folder = tmp_path / "saved"
    if kind == "a file":
        folder.write_text("thesis")
    else:
        folder.mkdir()
        (folder / "thesis.tex").write_text("thesis")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        UserError, match=f"^{folder}: must be a new folder or an earlier export, which holds saved_model.pb"
    ):
        saved_model.write(plain, folder, PROVENANCE)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_as_good_as_none(plain, tmp_path):
    (tmp_path / "saved").mkdir()  # such as a process leaves that was killed at once
    saved_model.write(plain, tmp_path / "saved", PROVENANCE)
    assert (tmp_path / "saved/saved_model.pb").is_file()


def test_a_place_that_cannot_be_written_is_named(plain, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"^{tmp_path}/file/saved: cannot be written "):
        saved_model.write(plain, tmp_path / "file" / "saved", PROVENANCE)
