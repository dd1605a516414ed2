"""Agreement of annotators against correlations worked out by hand, by NumPy and by scikit-learn."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from tests.helpers.corpora import make_corpus
from tests.helpers.raters import make_rated_corpus
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.study import agreement
from tfrecords_tools.study.agreement import best_subset, canonical_correlation, correlations, mac
from tfrecords_tools.study.agreement_report import report, table

# Orthogonal and centred, so that correlations of their sums are known without a computer.
U, V, W = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], float)
NAN = np.nan


def test_correlations_of_orthogonal_ratings_are_those_worked_out_by_hand():
    # cos of the angles: U and U+V 1/sqrt(2), U and V 0, V and U+V 1/sqrt(2).
    matrix = correlations(np.stack([U, 3 + 2 * (U + V), V], axis=1))
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(matrix, [[1, half, 0], [half, 1, half], [0, half, 1]], atol=1e-12)
    assert agreement.inter_annotator(matrix) == pytest.approx([half / 2, half, half / 2])
    assert mac(matrix) == pytest.approx(2 * half / 3)  # MAC-A
    assert mac(matrix, (0, 1)) == pytest.approx(half)  # MAC-S
    assert mac(matrix, (0, 2)) == pytest.approx(0)
    assert best_subset(matrix, 2) in ((0, 1), (1, 2))
    assert best_subset(matrix, 3) == (0, 1, 2)


def test_mac_is_the_mean_of_each_annotators_mean():
    ratings = np.random.default_rng(0).normal(size=(50, 6)) + np.arange(50)[:, None] / 20
    whole = np.corrcoef(ratings.T)
    means = [np.mean([whole[a, b] for b in range(6) if b != a]) for a in range(6)]
    assert mac(correlations(ratings)) == pytest.approx(np.mean(means))
    chosen = (1, 3, 4)
    means = [np.mean([whole[a, b] for b in chosen if b != a]) for a in chosen]
    assert mac(correlations(ratings), chosen) == pytest.approx(np.mean(means))


def test_what_is_not_defined_is_left_out_of_the_means():
    constant = np.full(4, 0.1, np.float32)
    matrix = correlations(np.stack([U, constant, U + V], axis=1))
    assert np.isnan(matrix[1]).all()
    assert agreement.inter_annotator(matrix) == [pytest.approx(0.5**0.5), None, pytest.approx(0.5**0.5)]
    assert mac(matrix) == pytest.approx(0.5**0.5)
    assert mac(matrix, (0, 1)) is None
    assert mac(correlations(U[:, None])) is None  # one annotator
    assert mac(correlations(np.empty((4, 0)))) is None
    assert best_subset(correlations(np.stack([constant, constant], axis=1)), 2) is None
    assert mac(correlations(np.array([[0, 1], [1, 0.0]]))) is None  # two frames


def test_pairs_are_compared_on_the_frames_that_both_rated():
    x = np.array([1, 2, 4, NAN, 9, 3])
    y = np.array([2, 1, NAN, 7, 8, 5.0])
    assert correlations(np.stack([x, y], 1))[0, 1] == pytest.approx(np.corrcoef([1, 2, 9, 3], [2, 1, 8, 5])[0, 1])
    np.testing.assert_array_equal(agreement.common(np.stack([x, y], 1))[:4], [1.5, 1.5, NAN, NAN])
    np.testing.assert_array_equal(agreement.common(np.stack([x, y], 1), (1,)), y)
    three = np.array([[1, 2, 6], [0, NAN, 4]])
    np.testing.assert_array_equal(agreement.common(three), [3, NAN])
    np.testing.assert_array_equal(agreement.common(three, (0, 2)), [3.5, 2])


def faces(frames, seed=0):
    return np.random.default_rng(seed).normal(0.5, 0.05, (frames, 68, 2)).astype(np.float32)


def test_the_canonical_correlation_is_that_of_scikit_learn_and_of_least_squares():
    from sklearn.cross_decomposition import CCA

    landmarks = faces(300)
    values = landmarks[:, 0, 0] - 2 * landmarks[:, 30, 1] + np.random.default_rng(1).normal(0, 0.1, 300)
    found, directions = canonical_correlation(landmarks, values)
    x = landmarks.reshape(300, 136).astype(float)
    design = np.concatenate([x, np.ones((300, 1))], axis=1)
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    assert found == pytest.approx(np.corrcoef(fitted, values)[0, 1], abs=1e-9)
    a, b = CCA(1, max_iter=5000, tol=1e-12).fit_transform(x, values[:, None])
    assert found == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-6)
    assert directions == 136


def test_directions_that_are_rounding_alone_do_not_count():
    # All points move together: two directions, whatever 136 float32 coordinates round them to.
    frames = 200
    moves = np.random.default_rng(2).normal(0, 0.05, (frames, 1, 2))
    landmarks = (faces(1) + moves).astype(np.float32)
    independent = np.random.default_rng(3).normal(size=frames)
    found, directions = canonical_correlation(landmarks, independent)
    assert directions == 2
    assert found < 0.25
    along, _ = canonical_correlation(landmarks, moves[:, 0, 0] * 3 - moves[:, 0, 1])
    assert along == pytest.approx(1, abs=1e-6)


def test_chance_is_what_independent_values_give():
    landmarks = faces(300)
    found = [canonical_correlation(landmarks, faces(300, seed)[:, 0, 0])[0] for seed in (1, 2, 3)]
    assert agreement.by_chance(landmarks, faces(300, 4)[:, 0, 0]) == pytest.approx(np.mean(found), abs=0.03)
    assert np.mean(found) == pytest.approx(np.sqrt(136 / 299), abs=0.03)


def test_chance_of_slow_curves_is_that_of_curves_as_slow():
    def slow(seed, *columns):
        return gaussian_filter1d(np.random.default_rng(seed).normal(size=(1200, *columns)), 60, axis=0)

    found, expected = [], []
    for seed in range(4):  # points that move as slowly as the values, and have nothing to do with them
        landmarks = np.concatenate([slow(seed, 5, 2), np.zeros((1200, 63, 2))], axis=1).astype(np.float32)
        expected += [canonical_correlation(landmarks, slow(100 + other))[0] for other in range(10)]
        found += [agreement.by_chance(landmarks, slow(200 + other)) for other in range(3)]
    assert np.mean(expected) > 0.5  # independent frames would give sqrt(10 / 1199), which is 0.09
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=0.1)


def test_a_canonical_correlation_that_is_not_defined_is_none():
    assert canonical_correlation(faces(100), np.arange(100.0))[0] is None  # 136 directions meet 100 frames
    assert canonical_correlation(faces(200), np.full(200, 0.3, np.float32))[0] is None
    assert canonical_correlation(faces(200), np.full(200, NAN)) == (None, 0)
    assert canonical_correlation(np.repeat(faces(1), 200, axis=0), np.arange(200.0)) == (None, 0)
    assert agreement.by_chance(faces(100), np.arange(100.0)) is None
    assert agreement.by_chance(faces(200), np.full(200, NAN)) is None


def test_shares_at_least():
    assert agreement.share_at_least([0.2, 0.5, 0.9], [0, 0.2, 0.21, 0.95]) == [1, 1, 2 / 3, 0]
    assert agreement.share_at_least([], [0]) is None


NAMES = ("anna", "ben", "cleo")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rated") / "corpus"
    ratings = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 12, 3, 2)).astype(np.float32)
    ratings[1, :, 0, 1] = 0.25  # constant arousal of the first
    make_rated_corpus(folder, ratings, NAMES, selected=[0, 1])
    return folder, ratings


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_report_is_of_the_records_ratings(corpus, tmp_path):
    folder, ratings = corpus
    selected = write(tmp_path / "s.csv", "video,annotators,dimension", "v0,anna;cleo,", "v1,ben;cleo,valence")
    found = report(folder, selected)
    json.dumps(found, allow_nan=False)
    for index, video in enumerate(found["videos"]):
        for column, dimension in enumerate(("valence", "arousal")):
            own = ratings[index, :, :, column]
            if (index, column) != (1, 1):
                whole = np.corrcoef(own.T.astype(float))
                np.testing.assert_allclose(video[dimension]["correlations"], whole, atol=1e-6)
                assert video[dimension]["mac_a"] == pytest.approx(whole[np.triu_indices(3, 1)].mean(), abs=1e-6)
    first, second = found["videos"]
    assert first["valence"]["mac_s"] == pytest.approx(np.corrcoef(ratings[0, :, 0, 0], ratings[0, :, 2, 0])[0, 1])
    assert first["arousal"]["selected"] == [0, 2]
    assert second["valence"]["selected"] == [1, 2]
    assert second["arousal"]["selected"] is None
    assert second["arousal"]["correlations"][0][1] is None
    assert found["summary"]["arousal"]["mac_s"]["videos"] == 1
    assert found["summary"]["valence"]["mac_s"]["mean"] == pytest.approx(
        (first["valence"]["mac_s"] + second["valence"]["mac_s"]) / 2
    )


def test_the_command_writes_json_table_and_figures(corpus, tmp_path, capsys):
    folder, _ = corpus
    assert cli.main(["agreement", str(folder), "--best=2", f"--output={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "agreement.json").read_text())
    assert table(found) in printed
    assert "mean MAC-A valence 0.47" in printed
    for name in ("agreement-annotators.png", "agreement-landmarks.png"):
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 5
    scores = found["videos"][0]["valence"]
    pairs = [scores["correlations"][a][b] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert scores["mac_s"] == max(pairs)


def test_without_annotators_landmarks_are_compared_with_the_labels(tmp_path, capsys):
    # The second coordinates of all landmarks move with the frame number, and so does a label.
    labels = [(0.01 * (frame % 91) - 0.4, 0.2) for frame in range(1, 151)]
    make_corpus(tmp_path, [{"frames": 150, "labels": labels}])
    assert cli.main(["agreement", str(tmp_path)]) == 0
    assert "only landmarks and labels are compared" in capsys.readouterr().out
    found = json.loads((tmp_path / "agreement.json").read_text())["videos"][0]
    assert 0.3 < found["valence"]["landmarks_label"] <= 1
    assert found["valence"]["mac_a"] is None
    assert found["arousal"]["landmarks_label"] is None  # constant
    with pytest.raises(UserError, match=r"needs single annotators' labels in the records. Received: 0 annotators"):
        report(tmp_path, best=2)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ["video,who", "v0,anna"],
            "must name each column once, among them video, annotators. Received: 'video,who'",
        ),
        (["video,annotators", "v9,anna;ben"], "line 2: `video` must be one of v0, v1. Received: v9"),
        (["video,annotators", "v0,ana;ben"], "line 2: .*Did you mean anna"),
        (["video,annotators", "v0,anna"], "line 2: `annotators` must be two or more"),
        (["video,annotators", "v0,anna;anna"], "line 2: `annotators` must be two or more, each once"),
        (["video,annotators,dimension", "v0,anna;ben,joy"], "line 2: `dimension` must be one of"),
        (["video,annotators", "v0,anna;ben", "v0,anna;cleo"], "line 3: v0 must have one selection"),
        (["video,annotators", "v0,"], "line 2: `annotators` must not be empty"),
    ],
)
def test_a_selection_that_cannot_be_used_is_named(corpus, tmp_path, lines, says):
    with pytest.raises(UserError, match=says):
        report(corpus[0], write(tmp_path / "s.csv", *lines))


def test_impossible_numbers_of_annotators_are_errors(corpus):
    with pytest.raises(UserError, match=r"`best` must be from 2 to the number of annotators, 3. Received: 4"):
        report(corpus[0], best=4)
    with pytest.raises(UserError, match="at most 100,000 subsets"):
        best_subset(np.ones((40, 40)), 20)
