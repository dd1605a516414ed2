"""The published numbers against the papers' tables, which `published_tables.py` holds typed a second time."""

import pytest

from affwildnet.experiments import EXPERIMENTS, PAPERS
from affwildnet.experiments.config import PROTOCOLS
from tests.helpers.published_tables import PAPERS as TABLES


def typed(source):
    """The tables as typed for the test: {(table, row): (experiment or "", {metric: {name: value}})}."""
    rows = {}
    for table, halves in TABLES[source].items():
        for columns, text in halves.items():
            columns = [column.split(".") for column in columns.split()]
            for line in text.strip().splitlines():
                carrier, row, *numbers = (part.strip() for part in line.split("|"))
                numbers = [float(number) for number in " ".join(numbers).split()]
                scores = {}
                for (metric, name), number in zip(columns, numbers, strict=True):
                    scores.setdefault(metric, {})[name] = number
                assert (table, row) not in rows
                name = "" if carrier == "-" else carrier if "/" in carrier else f"{source}/{carrier}"
                rows[table, row] = (name, scores)
    return rows


def carried(source):
    """The same from the package; a row that occurs twice fails here."""
    rows = {}
    for table in PAPERS[source].tables:
        for row in table.rows:
            assert (row.source, row.table) == (source, table.number)
            assert (row.table, row.row) not in rows, f"table {row.table}, {row.row} is carried twice"
            rows[row.table, row.row] = (row.experiment, row.scores)
    return rows


@pytest.mark.parametrize("source", TABLES)
def test_the_package_has_every_number_of_the_tables_once_and_no_other(source):
    assert carried(source) == typed(source)
    assert [*carried(source)] == [*typed(source)]  # in the paper's order


def test_an_experiment_has_the_rows_of_all_tables_that_print_it():
    printed = [row for paper in PAPERS.values() for table in paper.tables for row in table.rows]
    for name, experiment in EXPERIMENTS.items():
        rows = [row for row in printed if row.experiment == name]
        assert sorted(map(repr, experiment.published)) == sorted(map(repr, rows))
    assert {row.experiment for row in printed} <= {"", *EXPERIMENTS}


def test_of_two_checkpoints_the_one_with_the_larger_ccc_of_valence_is_the_best_for_valence():
    pairs = {}
    for table in PAPERS["thesis2018"].tables:
        for row in table.rows:
            name, _, nth = row.row.partition(", ")
            assert bool(nth) == (row.checkpoint != "best_mean")
            if nth:
                pairs.setdefault((table.number, name), {})[row.checkpoint] = row.scores["ccc"]["valence"]
    assert len(pairs) == 4 + 3 + 2
    assert all(pair["best_valence"] > pair["best_arousal"] for pair in pairs.values())


def test_post_processing_is_of_omg2019_alone():
    for source in ("ijcv2019", "cvprw2017", "thesis2018"):
        assert all(row.post_processing is None for table in PAPERS[source].tables for row in table.rows)
    own = [row for table in PAPERS["omg2019"].tables for row in table.rows if row.experiment.startswith("omg2019/")]
    assert all((row.post_processing is None) == (row.table == "7") for row in own)
    assert sum(row.post_processing is False for row in own) == 10


def test_no_table_is_missing():
    assert {source: list(tables) for source, tables in TABLES.items()} == {
        "ijcv2019": ["5", "7", "8", "9", "10", "11", "12", "13", "14"],
        "cvprw2017": ["4", "5", "6", "7", "8", "9"],
        "omg2019": ["1", "3", "4", "5", "6", "7", "8"],
        "thesis2018": ["6.2", "6.4", "6.5"],
    }
    assert set(PAPERS) == {"sample", *TABLES}
    assert not any(experiment.published for experiment in PAPERS["sample"].experiments)


def test_a_printed_mean_is_half_the_sum():
    """A wrong digit in one of the three numbers shows."""
    checked = 0
    for source in TABLES:
        for key, (_, scores) in carried(source).items():
            for values in scores.values():
                if "mean" in values:
                    half = (values["valence"] + values["arousal"]) / 2
                    digits = 2 if (source, key[0]) == ("ijcv2019", "9") else 3
                    assert abs(values["mean"] - half) <= 0.5001 * 10**-digits, (source, key)
                    checked += 1
    assert checked == 4 * 2 + 5 * 2 + 20 + 8 + 6


def test_the_total_accuracy_follows_from_those_of_the_classes():
    """The classes of EmotiW have 58, 59, 39, 43, 63, 58 and 45 videos: all shares fit, except the two noted ones."""
    videos = dict(neutral=58, anger=59, disgust=39, fear=43, happy=63, sad=58, surprise=45)
    misfits = {}
    for (table, row), (_, scores) in carried("ijcv2019").items():
        if table != "12":
            continue
        accuracies = scores["accuracy"]
        right = {name: accuracies[name] * number for name, number in videos.items()}
        # A printed share is wrong by at most 0.001 (some are truncated, not rounded).
        bad = [name for name, number in right.items() if abs(number - round(number)) > 0.001 * videos[name]]
        misfits[row] = bad
        if row != "ResNet":
            assert sum(right.values()) / sum(videos.values()) == pytest.approx(accuracies["total"], abs=1.1e-3)
    assert {row: bad for row, bad in misfits.items() if bad} == {"ResNet": ["happy"], "Fine-tuned AffWildNet": ["sad"]}
    notes = {row.row: row.note for e in EXPERIMENTS.values() for row in e.published if row.table == "12"}
    assert [row for row, note in notes.items() if note] == ["Fine-tuned AffWildNet", "ResNet"]


CORPORA = {
    "ijcv2019/recola": ("RECOLA", "frames"),
    "ijcv2019/afew_va": ("AFEW-VA", "folds"),
    "ijcv2019/emotiw": ("AFEW 5.0 (EmotiW 2017)", "videos"),
    "ijcv2019/vggface_one": ("Aff-Wild, labels of one annotator", "frames"),
    "ijcv2019/": ("Aff-Wild", "frames"),
    "cvprw2017/vggface_one": ("Aff-Wild, labels of one annotator", "frames"),
    "cvprw2017/": ("Aff-Wild", "frames"),
    "omg2019/": ("OMG-Emotion", "utterances"),
    "thesis2018/": ("Aff-Wild, the thesis's 159 videos", "frames"),
}


def test_corpus_and_protocol_are_those_of_the_paper():
    for name, experiment in EXPERIMENTS.items():
        if not name.startswith("sample/"):
            expected = next(value for prefix, value in CORPORA.items() if name.startswith(prefix))
            assert (experiment.corpus, experiment.protocol) == expected, name
        assert experiment.protocol in PROTOCOLS


def test_the_row_is_on_the_corpus_of_the_experiment():
    words = {"AFEW 5.0 (EmotiW 2017)": "EmotiW 2017"}
    for experiment in EXPERIMENTS.values():
        corpus = words.get(experiment.corpus, experiment.corpus.split(",")[0])
        assert all(row.corpus.startswith(corpus) for row in experiment.published), experiment.name
