"""Reliability of raters against pingouin, krippendorff and worked examples."""

import krippendorff
import numpy as np
import pandas as pd
import pingouin
import pytest

from tfrecords_tools.study.reliability import outliers, pairwise_ccc, reliability

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
)


def noisy(frames=300, raters=4, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    curve = np.sin(np.linspace(0, 9, frames))[:, None]
    return curve + rng.normal(0, noise, (frames, raters)) + rng.normal(0, 0.2, raters)


def test_the_published_example_of_intraclass_correlations():
    found = reliability(SHROUT_FLEISS)
    assert found.icc_2_1 == pytest.approx(0.29, abs=0.005)
    assert found.icc_2_k == pytest.approx(0.62, abs=0.005)
    assert found.icc_3_k == pytest.approx(0.91, abs=0.005)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("raters", [2, 5])
def test_intraclass_correlations_are_those_of_pingouin(seed, raters):
    ratings = noisy(raters=raters, seed=seed)
    long = pd.DataFrame(ratings).reset_index().melt("index", var_name="rater", value_name="value")
    table = pingouin.intraclass_corr(long, targets="index", raters="rater", ratings="value")
    expected = dict(zip(table["Type"], table["ICC"], strict=True))
    found = reliability(ratings)
    assert found.icc_2_1 == pytest.approx(expected["ICC(A,1)"], abs=1e-9)
    assert found.icc_2_k == pytest.approx(expected["ICC(A,k)"], abs=1e-9)
    assert found.icc_3_k == pytest.approx(expected["ICC(C,k)"], abs=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.6])
def test_alpha_is_that_of_krippendorff(missing):
    ratings = np.round(noisy(frames=80, raters=4, seed=7), 1)  # its cost grows with the number of distinct values
    ratings[np.random.default_rng(1).random(ratings.shape) < missing] = np.nan
    expected = krippendorff.alpha(reliability_data=ratings.T, level_of_measurement="interval")
    assert reliability(ratings).alpha == pytest.approx(expected, abs=1e-9)


def test_frames_that_not_all_have_rated_do_not_count_for_intraclass_correlations():
    ratings = noisy()
    holes = np.vstack([ratings, np.full((50, 4), np.nan)])
    holes[300:, 0] = 3.0
    assert reliability(holes).icc_2_1 == reliability(ratings).icc_2_1


@pytest.mark.parametrize(
    "ratings",
    [np.zeros((0, 3)), np.zeros((2, 3)), np.full((9, 3), np.nan), np.full((9, 3), 0.4), np.arange(9.0)[:, None]],
)
def test_what_is_not_defined_is_none(ratings):
    found = reliability(ratings)
    assert (found.icc_2_1, found.icc_2_k, found.icc_3_k, found.alpha) == (None,) * 4


def test_pairwise_ccc_is_the_definition():
    ratings = noisy(raters=3)
    ratings[:40, 1] = np.nan
    found = pairwise_ccc(ratings)
    x, y = ratings[40:, 0], ratings[40:, 1]
    expected = 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert found[0, 1] == found[1, 0] == pytest.approx(expected)
    assert np.diag(found) == pytest.approx(1)
    assert np.isnan(pairwise_ccc(np.full((5, 2), 0.5))).all()


def test_a_rater_who_agrees_with_nobody_is_named():
    matrix = np.array([[1, 0.8, 0.7, 0.1], [0.8, 1, 0.75, 0.0], [0.7, 0.75, 1, 0.2], [0.1, 0.0, 0.2, 1]])
    assert outliers(matrix, ["a", "b", "c", "d"]) == ["d"]
    assert outliers(matrix[:3, :3], ["a", "b", "c"]) == []
    assert outliers(matrix[:2, :2], ["a", "b"]) == []  # two say nothing about which of them it is
