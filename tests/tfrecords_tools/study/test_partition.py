"""Parts by subject, compared with the best of all assignments, and the three criteria counted by hand."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.corpora import make_corpus
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.study import partition_file, partition_report
from tfrecords_tools.study.partition import Subjects, cells_of, distances, equal_folds, search, shares_of_splits


def subjects_of(number, seed=0, genders=True):
    rng = np.random.default_rng(seed)
    frames = rng.integers(20, 60, number)
    labels = [cells_of(rng.normal(rng.normal(0, 0.4, 2), 0.2, (count, 2))) for count in frames]
    kinds = np.eye(2, dtype=np.int64)[rng.integers(0, 2, number)] if genders else np.zeros((number, 0), np.int64)
    return Subjects(tuple(f"s{i}" for i in range(number)), np.array(labels), kinds, frames)


def distance_by_hand(subjects, assignment, shares):
    """The mean over the parts of the three distances, written out with loops."""
    total = 0.0
    for part, share in enumerate(shares):
        own = [i for i, given in enumerate(assignment) if given == part]
        if not own:
            return np.inf
        for counts in (subjects.labels, subjects.genders):
            here, everywhere = counts[own].sum(0), counts.sum(0)
            for cell in range(counts.shape[1]):
                total += abs(here[cell] / here.sum() - everywhere[cell] / everywhere.sum()) / 2
        total += abs(subjects.frames[own].sum() / subjects.frames.sum() - share)
    return total / len(shares)


@pytest.mark.parametrize("genders", [True, False])
def test_the_search_finds_the_best_of_all_assignments(genders):
    subjects, shares = subjects_of(6, genders=genders), np.array([0.5, 0.3, 0.2])
    assignment, distance, random = search(subjects, shares, seed=0)
    best = min(distance_by_hand(subjects, each, shares) for each in itertools.product(range(3), repeat=6))
    assert distance == pytest.approx(distance_by_hand(subjects, assignment, shares))
    assert distance == pytest.approx(best)
    assert random > distance
    assert distances(subjects, assignment, shares).sum(1).mean() == pytest.approx(distance)


def test_no_move_and_no_exchange_makes_the_result_better():
    subjects, shares = subjects_of(16, seed=4), np.array([0.6, 0.2, 0.2])
    assignment, distance, random = search(subjects, shares, seed=1)
    assert distance < 0.8 * random
    for i, j in itertools.combinations(range(16), 2):
        other = assignment.copy()
        other[[i, j]] = assignment[[j, i]]
        assert distance_by_hand(subjects, other, shares) > distance - 1e-8
    for i, part in itertools.product(range(16), range(3)):
        other = assignment.copy()
        other[i] = part
        assert distance_by_hand(subjects, other, shares) > distance - 1e-8


def test_twins_are_divided_evenly():
    # Two of each kind: two parts can be exactly alike.
    one = subjects_of(5, seed=2)
    twice = [np.concatenate([rows, rows]) for rows in (one.labels, one.genders, one.frames)]
    subjects = Subjects(tuple(map(str, range(10))), *twice)
    assignment, distance, _ = search(subjects, np.array([0.5, 0.5]), seed=3)
    assert distance == pytest.approx(0, abs=1e-12)
    assert (assignment[:5] != assignment[5:]).all()
    np.testing.assert_array_equal(search(subjects, np.array([0.5, 0.5]), seed=3)[0], assignment)


def test_cells_count_every_label_once():
    labels = np.array([(-1, -1), (1, 1), (0, 0), (-0.01, 0.2), (np.nan, 0), (3, -3)])
    cells = cells_of(labels).reshape(10, 10)
    assert cells.sum() == 5
    assert [cells[at] for at in ((0, 0), (9, 9), (5, 5), (4, 6), (9, 0))] == [1] * 5


LEVELS = [(0.5, 0.5), (-0.5, 0.5), (0.5, -0.5), (-0.5, -0.5)]
VIDEOS = [
    {"frames": 6, "labels": [LEVELS[i % 4]] * 6, "subject": f"p{i // 2}", "split": "train" if i < 9 else "test"}
    for i in range(12)
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, VIDEOS)
    return folder


def test_the_command_meets_the_three_criteria(corpus, tmp_path, capsys):
    genders = tmp_path / "genders.csv"
    genders.write_text("subject,gender\np0,female\np1,female\np2,male\np3,male\np4,Female\n")
    output = tmp_path / "new" / "partition.json"
    flags = ["partition", str(corpus), "--folds=3", f"--genders={genders}", f"--output={output}"]
    assert cli.main(flags) == 0
    found = json.loads(output.read_text())
    assert partition_report.table(found) in capsys.readouterr().out
    part_of = partition_file.load(output)
    assert part_of == found["videos"]
    before = output.read_text()
    assert cli.main(flags) == 0  # the same again
    assert cli.main(["partition", str(corpus), "--fractions=0.5,0.5", f"--output={output}"]) == 2
    assert "exists already, with other parts" in capsys.readouterr().err
    assert cli.main(["partition", str(corpus), "--folds=3", f"--output={genders}"]) == 2
    assert "which is something else" in capsys.readouterr().err
    assert output.read_text() == before
    assert set(part_of) == {f"{video['split']}/v{i}" for i, video in enumerate(VIDEOS)}
    parts = {}
    for i, video in enumerate(VIDEOS):
        parts.setdefault(part_of[f"{video['split']}/v{i}"], []).append((video["subject"], i % 4))
    assert set(parts) == {"fold-1", "fold-2", "fold-3"}
    seen = [{subject for subject, _ in videos} for videos in parts.values()]
    assert sum(map(len, seen)) == 6  # no subject twice
    for name, videos in parts.items():
        assert sorted(kind for _, kind in videos) == [0, 1, 2, 3]  # one subject with kinds 0 and 1, one with 2 and 3
        assert found["parts"][name]["share"] == pytest.approx(1 / 3)
        assert found["parts"][name]["distance"]["labels"] == 0
        assert list(found["parts"][name]["quadrants"].values()) == [0.25] * 4
    assert found["all"]["genders"] == {"female": 6, "male": 4, "unknown": 2}
    assert cli.main(flags) == 0
    assert json.loads(output.read_text()) == found


def test_the_search_is_given_labels_genders_and_frames_of_each_subject(tmp_path, monkeypatch):
    videos = [
        {"frames": 5, "unlabelled": [1, 2], "subject": "anna"},
        {"frames": 3, "subject": "anna"},
        {"frames": 4, "subject": "ben"},
        {"frames": 2, "subject": "cleo", "split": "test"},
    ]
    make_corpus(tmp_path / "corpus", videos)
    (tmp_path / "genders.csv").write_text("subject,gender\nben,male\nanna,female\n")
    given = []

    def noted(subjects, shares, seed):
        given.append(subjects)
        return search(subjects, shares, seed)

    monkeypatch.setattr(partition_report, "search", noted)
    partition_report.partition(tmp_path / "corpus", equal_folds(2), tmp_path / "genders.csv")
    (subjects,) = given
    assert subjects.names == ("anna", "ben", "cleo")
    assert subjects.frames.tolist() == [8, 4, 2]
    assert subjects.labels.sum(axis=1).tolist() == [6, 4, 2]
    assert subjects.genders.tolist() == [[2, 0], [0, 1], [0, 0]]  # videos, by gender in the order of the alphabet


def test_without_a_table_the_genders_are_those_of_the_corpus(tmp_path):
    packed = make_corpus(tmp_path, [{"frames": 2, "subject": name} for name in ("anna", "anna", "ben", "cleo")])
    given = ("female", "female", "male", "")
    entries = [replace(entry, gender=gender) for entry, gender in zip(packed.videos, given, strict=True)]
    manifest.save(replace(packed, videos=tuple(entries)), tmp_path)
    found = partition_report.partition(tmp_path, equal_folds(2))
    assert found["all"]["genders"] == {"female": 2, "male": 1, "unknown": 1}


def test_fractions_make_splits(corpus):
    found = partition_report.partition(corpus, shares_of_splits([0.5, 0.5]))
    assert {name: part["share"] for name, part in found["parts"].items()} == {"train": 0.5, "validation": 0.5}
    assert list(shares_of_splits([0.6, 0.2, 0.2])) == ["train", "validation", "test"]
    assert "does not say who is seen" not in partition_report.table(found)


def test_the_table_says_that_videos_without_a_subject_count_alone(tmp_path):
    make_corpus(tmp_path, [{"frames": 3}, {"frames": 3}])
    found = partition_report.partition(tmp_path, equal_folds(2))
    assert "each video counts as a subject of its own" in partition_report.table(found)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--folds=7"], "at least as many subjects as parts, 7: no subject may be in two. Received: 6."),
        (["--folds=1"], "`--folds` must be at least 2. Received: 1"),
        (["--fractions=0.6,0.6"], "sum to 1. Received: 0.6,0.6"),
        (["--fractions=1"], "two or three above 0"),
        (["--fractions=a,b"], "must be numbers with commas between. Received: a,b"),
        (["--folds=2", "--genders={}/none.csv"], "none.csv: must be a readable text file. Received: no such file."),
        (
            ["--folds=2", "--genders={}/bad.csv"],
            "line 3: `subject` must be one of p0, p1, p2, p3, p4, p5. Received: p9",
        ),
        (["--folds=2", "--genders={}/twice.csv"], "line 3: p0 must have one gender"),
    ],
)
def test_impossible_parts_are_one_line(corpus, tmp_path, capsys, flags, says):
    (tmp_path / "bad.csv").write_text("subject,gender\np0,f\np9,f\n")
    (tmp_path / "twice.csv").write_text("subject,gender\np0,f\np0,m\n")
    flags = [flag.format(tmp_path) for flag in flags]
    assert cli.main(["partition", str(corpus), f"--output={tmp_path / 'p.json'}", *flags]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "p.json").exists()


def test_a_corpus_without_labels_and_a_file_of_another_kind_are_errors(tmp_path):
    make_corpus(tmp_path, [{"frames": 2, "unlabelled": [1, 2]}, {"frames": 2, "unlabelled": [1, 2]}])
    with pytest.raises(UserError, match="There must be labels"):
        partition_report.partition(tmp_path, equal_folds(2))
    with pytest.raises(UserError, match=r"manifest\.json: must be a file that .* partition"):
        partition_file.load(tmp_path / "manifest.json")
