"""The table with our column: from reports that were written by hand, in all four forms, and the order of its rows."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affwildnet.evaluation.scoring import intervals
from affwildnet.experiments.tables import get_table
from affwildnet.reproduce import paper_figures, row_order, row_results, table_files
from affwildnet.reproduce.job_runs import DONE
from affwildnet.reproduce.wanted_figures import Figures
from tests.helpers.evaluations import by_definition
from tests.helpers.scored_table import NOISE, SETTINGS, VIDEOS, drawn, gathered
from tfrecords_tools.errors import UserError


@pytest.fixture(scope="module")
def predictions():
    """Labels and predictions of each network, (videos, frames, 2)."""
    return drawn()


@pytest.fixture(scope="module")
def results(tmp_path_factory, predictions):
    """Table 9 of ijcv2019, with three of its rows scored on a corpus of nine videos."""
    return gathered(tmp_path_factory.mktemp("table"), *predictions)


def test_each_row_has_the_scores_of_its_report(results, predictions):
    labels, own = predictions
    for each in results.rows:
        name = each.row.experiment.split("/")[1]
        if name in NOISE:
            expected = by_definition(labels.reshape(-1, 2), own[name].reshape(-1, 2))
            for metric, column in results.columns:
                value = each.value(metric, column)
                assert value.score == pytest.approx(expected[metric][column], abs=1e-6)
                assert value.low < value.score < value.high
        else:
            assert each.value("ccc", "mean").score is None
    assert results.columns == [(metric, name) for metric in ("ccc", "mse") for name in ("valence", "arousal", "mean")]


def test_the_order_is_that_of_a_bootstrap_by_hand(results, predictions):
    found = row_order.order(results.rows)
    labels, own = predictions
    # ResNet-50 and VGG-Face-LSTM were not run.
    assert found.rows == ("AffWildNet", "VGG-Face", "VGG-16")
    means = {
        name: by_definition(labels.reshape(-1, 2), values.reshape(-1, 2))["ccc"]["mean"] for name, values in own.items()
    }
    above = {}
    times = intervals.weights(VIDEOS, row_order.RESAMPLES)
    draws = {name: [] for name in NOISE}
    for row in times:
        chosen = np.repeat(np.arange(VIDEOS), row)
        for name in NOISE:
            drawn = by_definition(labels[chosen].reshape(-1, 2), own[name][chosen].reshape(-1, 2))
            draws[name].append(drawn["ccc"]["mean"])
    draws = {name: np.array(values) for name, values in draws.items()}
    above["VGG-Face"] = draws["affwildnet_vggface"] > draws["vggface"]
    above["VGG-16"] = draws["vggface"] > draws["vgg16"]
    first, second = found.pairs
    assert (first.better, first.worse, second.better, second.worse) == ("AffWildNet", "VGG-Face", "VGG-Face", "VGG-16")
    assert first.published == pytest.approx(0.50 - 0.42)
    assert first.here == pytest.approx(means["affwildnet_vggface"] - means["vggface"], abs=1e-6)
    assert first.probability == pytest.approx(above["VGG-Face"].mean())
    assert second.probability == pytest.approx(above["VGG-16"].mean())
    assert found.whole == pytest.approx((above["VGG-Face"] & above["VGG-16"]).mean())
    assert 0 < second.probability < 1
    # The networks were made so that the paper's order does not hold.
    assert found.here == ("AffWildNet", "VGG-16", "VGG-Face")
    assert "the order here is not the paper's: AffWildNet > VGG-16 > VGG-Face." in found.sentences()[0]


def test_rows_that_the_paper_prints_alike_have_no_order(results):
    same = [replace(each, row=replace(each.row, scores={"ccc": {"mean": 0.4}})) for each in results.rows]
    found = row_order.order(same)
    assert found.pairs == ()
    (sentence,) = found.sentences()
    assert sentence.endswith("was not compared: the paper prints the same score of all of them.")


def test_the_order_counts_rows_around_those_that_the_paper_prints_alike(results):
    """Here AffWildNet > VGG-16 > VGG-Face; by the paper's numbers the first two, or the last two, may be alike."""

    def with_printed(**scores):
        rows = {"affwildnet_vggface": "first", "vggface": "second", "vgg16": "third"}
        return [
            replace(each, row=replace(each.row, scores={"ccc": {"mean": scores[rows[name]]}}))
            for each in results.rows
            if (name := each.row.experiment.split("/")[1]) in rows
        ]

    lower_alike = row_order.order(with_printed(first=0.5, second=0.4, third=0.4))
    assert lower_alike.held
    assert "the order here is the paper's" in lower_alike.sentences()[0]
    upper_alike = row_order.order(with_printed(first=0.4, second=0.4, third=0.3))
    assert not upper_alike.held
    everything = row_order.order(with_printed(first=0.5, second=0.4, third=0.3))
    # VGG-16 must be below both of the others.
    assert upper_alike.whole <= everything.pairs[1].probability
    middle = row_order.order(with_printed(first=0.4, second=0.5, third=0.4))
    assert not middle.held
    assert middle.whole <= middle.pairs[0].probability


def test_probabilities_of_few_videos_carry_a_caution(results):
    assert "Caution: these are of 9 videos only." in row_order.order(results.rows).sentences()[-1]


def test_there_is_no_order_of_one_row_or_of_rows_of_other_videos(results):
    scored = [each for each in results.rows if each.report]
    assert "two rows" in row_order.order(scored[:1]).reason
    other = {**scored[1].report, "corpus": {**scored[1].report["corpus"], "fingerprint": "x"}}
    assert "not of the same videos" in row_order.order([scored[0], replace(scored[1], report=other)]).reason


@pytest.fixture(scope="module")
def written(results):
    table_files.write(results, row_order.order(results.rows))
    return {name: (results.request.workdir / name).read_text("utf-8") for name in table_files.NAMES}


def test_the_json_has_the_paper_s_numbers_and_ours(written, results):
    stored = json.loads(written["table.json"])
    assert [row["row"] for row in stored["rows"]] == [row.row for row in get_table("ijcv2019/9").rows]
    by_name = {row["row"]: row for row in stored["rows"]}
    assert by_name["AffWildNet"]["scores"]["ccc"] == {"valence": 0.57, "arousal": 0.43, "mean": 0.5}
    expected = results.rows[-1].report["ccc"]["mean"]
    assert by_name["AffWildNet"]["here"]["ccc"]["mean"]["score"] == expected
    assert by_name["ResNet-50"]["here"] is None
    assert by_name["ResNet-50"]["state"] == "lacks: weights of ImageNet"
    assert stored["order"]["rows"] == ["AffWildNet", "VGG-Face", "VGG-16"]
    assert stored["settings"] == list(SETTINGS)


def test_the_csv_has_every_number_in_a_column_of_its_own(written):
    rows = {row["row"]: row for row in csv.DictReader(written["table.csv"].splitlines())}
    assert float(rows["VGG-Face"]["ccc.mean.published"]) == 0.42
    assert float(rows["VGG-Face"]["ccc.mean.low"]) < float(rows["VGG-Face"]["ccc.mean.here"])
    assert rows["VGG-Face-LSTM"]["ccc.mean.here"] == ""


def test_a_rehearsal_is_called_one_in_all_that_is_written(written):
    stored = json.loads(written["table.json"])
    assert "a network 0.5 as wide" in stored["rehearsal"]
    assert {row["state"] for row in stored["rows"] if row["here"]} == {"rehearsal"}
    for name in ("table.html", "table.md"):
        assert "AffWild" in written[name]
        assert "ijcv2019/9: CNNs and CNN-RNNs, a rehearsal" in written[name]
        assert written[name].count("nothing of the paper") >= 1
    rows = [line for line in written["table.md"].splitlines() if line.startswith("| ")]
    assert [line.split("|")[-2].strip() for line in rows[1:]] == [
        "rehearsal", "lacks: weights of ImageNet", "rehearsal", "failed: train: x", "rehearsal",
    ]  # fmt: skip


def test_the_paper_s_numbers_have_their_digits_and_the_text_says_what_differs(written):
    text = written["table.md"]
    assert "| VGG-16 | 0.40 |" in text
    assert "- All rows: model.width is 0.5, in the experiment 1.0." in text
    assert "- All rows: The test split has 9 videos, the paper's 46." in text
    assert "- All rows: Checked and the same: the split, test;" in text
    assert "- All rows: Cannot be known: whether the videos of" in text
    assert "VGG-Face-LSTM: failed: train: x" in text
    assert "- All rows: in brackets 95 % intervals of a percentile bootstrap over the 9 videos." in text


def test_the_unit_of_the_intervals_is_that_of_the_reports(results):
    def over_sources(each):
        return replace(each, report={**each.report, "interval": {"over": "source videos", "number": 204}})

    rows = tuple(over_sources(each) if each.report else each for each in results.rows)
    found = list(table_files._intervals(replace(results, rows=rows)))
    assert found == ["All rows: in brackets 95 % intervals of a percentile bootstrap over the 204 source videos."]


def test_the_page_loads_nothing(written):
    assert "default-src 'none'" in written["table.html"]
    assert "://" not in written["table.html"]


def test_a_region_is_compared_with_the_error_of_that_region():
    table = get_table("omg2019/7")
    regions = [{"region": row.region, "units": 1, "mse": {"valence": 0.2, "arousal": 0.1}} for row in table.rows]
    report = {"regions": regions, "mse": {"valence": 9.0}, "rehearsal": [], "published": []}
    result = row_results.RowResult(table.rows[1], DONE, report)
    assert result.value("mse", "valence").score == 0.2


def test_other_groups_rows_stand_in_the_table_without_a_score(results):
    own = replace(results, request=replace(results.request, table=get_table("ijcv2019/5")))
    found = row_results.gather(own.request, (), {})
    text = "\n".join(table_files._markdown(found, row_order.order(found.rows)))
    assert "| MM-Net | 0.196 |" in text
    assert text.count("| other group |") == 3


@pytest.mark.slow
def test_figures_are_of_a_chosen_video_and_its_frames(results):
    wanted = Figures("v3", (2, 9))
    wanted.check(results.request)
    found = paper_figures.draw(results, wanted)
    captions = [caption for caption, _ in found]
    assert "AffWildNet (rehearsal): predictions and labels of v3, frames 2 to 9" in captions
    assert len(found) == 2 * len(NOISE)
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for _, path in found)


def test_figures_of_a_video_or_frames_that_are_not_there_are_refused_before_anything_is_run(results):
    for figures, message in (
        (Figures("w3"), r"must be a video of the split test\. Received: w3\."),
        (Figures("v3", (20, 30)), r"must hold frames of v3, 1 to 12\. Received: 20 to 30"),
        (Figures("", (13, 30)), r"must hold frames of v\d, 1 to 12\. Received: 13 to 30"),
    ):
        with pytest.raises(UserError, match=message):
            figures.check(results.request)
