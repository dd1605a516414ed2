"""Predictions are not replaced unasked by those of another video, network or other options, and not made twice."""

import json
import shutil
from pathlib import Path

import pytest

from affwildnet.predict import Predictor
from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.predict_options import PredictOptions
from affwildnet.predict.predict_source import DoneAlready, SourceResult, predict_all
from affwildnet.predict.prediction_provenance import content
from affwildnet.predict.source_search import find_sources
from affwildnet.runs.checkpoints import write_model
from tests.helpers.predict_networks import small_network
from tests.helpers.real_clips import clip
from tfrecords_tools.errors import UserError
from tfrecords_tools.video.reading import read_frames


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Two networks in files, with the predictors that load them."""
    folder = tmp_path_factory.mktemp("networks")
    for seed in (0, 1):
        write_model(small_network(seed=seed), folder / f"{seed}.keras")
    return [Predictor.load(folder / f"{seed}.keras") for seed in (0, 1)]


def predict(predictor, video, output, **options):
    options = PredictOptions(output, progress=False, **{"seconds": 0.1, **options})
    return next(outcome for _, outcome in predict_all(find_sources(video), predictor, options))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_is_not_predicted_again_and_something_else_is_refused(networks, tmp_path):
    first, other = networks
    video, out = tmp_path / "a.mp4", tmp_path / "out"
    shutil.copy(clip("single_face.mp4"), video)
    assert isinstance(predict(first, video, out), SourceResult)
    before = files(out)
    assert sorted(before) == ["a.csv", "a.json", "a.png"]
    again = predict(first, video, out)
    assert isinstance(again, DoneAlready)
    assert again.summary("a.mp4").splitlines()[0] == "a.mp4: predicted already"
    (tmp_path / "moved").mkdir()
    assert isinstance(predict(first, Path(shutil.copy(video, tmp_path / "moved")), out), DoneAlready)

    namesake = tmp_path / "other" / "a.mp4"
    namesake.parent.mkdir()
    shutil.copy(clip("no_face.mp4"), namesake)
    for attempt, message in (
        (lambda: predict(other, video, out), r"of another network \(.*0\.keras\)"),
        (lambda: predict(first, namesake, out), rf"of another video \({video}\)"),
        (lambda: predict(first, video, out, every=5), "with every 10, not 5"),
        (lambda: predict(first, video, out, seconds=None), r"with seconds 0\.1, not none"),
        (lambda: predict(first, video, out, faces="all"), "with faces one, not all"),
    ):
        with pytest.raises(UserError, match=rf"a\.csv: exists already, {message}\. Replace it with `overwrite`"):
            attempt()
    assert files(out) == before

    changed = predict(other, video, out, overwrite=True)
    assert isinstance(changed, SourceResult)
    assert files(out)["a.csv"] != before["a.csv"]
    assert isinstance(predict(other, video, out), DoneAlready)


def test_what_a_person_changed_or_wrote_is_not_replaced(networks, tmp_path):
    predictor, _ = networks
    video, out = clip("single_face.mp4"), tmp_path / "out"
    predict(predictor, video, out)
    table = out / "single_face.csv"
    table.write_text(table.read_text() + "a note\n")
    with pytest.raises(UserError, match="and was changed after it was predicted"):
        predict(predictor, video, out)
    (out / "single_face.json").write_text("{")
    with pytest.raises(UserError, match="and it is not known what of"):
        predict(predictor, video, out)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "single_face.json").write_text(json.dumps({"annotation": 1}))
    with pytest.raises(UserError, match=r"single_face\.json: exists already"):
        predict(predictor, video, foreign)
    assert files(foreign) == {"single_face.json": b'{"annotation": 1}'}


def test_a_file_that_is_missing_is_made_again_and_gives_the_same_table(networks, tmp_path):
    predictor, _ = networks
    video, out = clip("single_face.mp4"), tmp_path / "out"
    predict(predictor, video, out)
    before = files(out)
    (out / "single_face.png").unlink()
    assert isinstance(predict(predictor, video, out), SourceResult)
    assert files(out).keys() == before.keys()
    assert files(out)["single_face.csv"] == before["single_face.csv"]


def test_two_sources_of_one_name_and_a_camera(networks, tmp_path):
    predictor, _ = networks
    frames = list(read_frames(clip("single_face.mp4"), end=0.05))
    made = FrameSource("a", "one", lambda: iter(frames), lambda: 25.0, lambda: None)
    twin = FrameSource("a", "two", lambda: iter(frames), lambda: 25.0, lambda: None)
    options = PredictOptions(tmp_path, progress=False)
    with pytest.raises(UserError, match="two: its files would have the names of those of one"):
        list(predict_all([made, twin], predictor, options))
    assert list(tmp_path.iterdir()) == []
    list(predict_all([made], predictor, options))
    with pytest.raises(UserError, match="of another video"):  # nobody knows what the camera sees now
        list(predict_all([made], predictor, options))


def test_an_overlay_does_not_stay_beside_the_table_of_another_network(networks, tmp_path):
    first, other = networks
    video = clip("single_face.mp4")
    predict(first, video, tmp_path, overlay=True)
    assert (tmp_path / "single_face-overlay.mp4").exists()
    predict(other, video, tmp_path, overwrite=True)
    assert not (tmp_path / "single_face-overlay.mp4").exists()


def test_the_content_of_a_folder_is_its_names_and_its_bytes(tmp_path):
    def made(name, files):
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return content(tmp_path / name)

    one = made("a", {"saved_model.pb": "x", "variables/v": "y"})
    assert made("b", {"saved_model.pb": "x", "variables/v": "y"}) == one
    assert made("c", {"saved_model.pb": "x", "variables/v": "z"}) != one
    assert made("d", {"saved_model.pb": "x", "variables/w": "y"}) != one
