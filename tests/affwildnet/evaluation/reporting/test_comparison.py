"""The sentences on how a published row and a report differ; every published row is of a known dataset."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from affwildnet.evaluation.reporting.comparison import DATASETS, differences, region_of
from affwildnet.evaluation.reporting.report import Counts, PackedCorpus, PostProcessed, Report
from affwildnet.evaluation.scoring.details import Details
from affwildnet.evaluation.scoring.intervals import Intervals
from affwildnet.evaluation.scoring.postprocessing import Chosen
from affwildnet.evaluation.scoring.protocols import Scored
from affwildnet.evaluation.scoring.regions import regions
from affwildnet.experiments import PAPERS
from affwildnet.experiments.published import Published
from tfrecords_tools.layouts import LAYOUTS

CCC = {"ccc": {"valence": 0.5, "arousal": 0.4}}
AFF_WILD = Published("ijcv2019", "9", "AffWildNet", "Aff-Wild, test set", CCC)
OMG = Published("omg2019", "3", "CNN-3RNN, with post-processing", "OMG-Emotion, test set", CCC)
AFEW_VA = Published("ijcv2019", "11", "Fine-tuned AffWildNet", "AFEW-VA, five folds", {"pearson": {"valence": 0.5}})
EMOTIW = Published("ijcv2019", "12", "AffWildNet", "EmotiW 2017, validation set", {"accuracy": {"happy": 0.7}})


PROCESSED = PostProcessed(Chosen((), {}, {}), {})


def report(layout="aff_wild", name="", split="test", protocol="frames", videos=46, **more):
    scores = {"ccc": {"valence": 0.1, "arousal": 0.2}, "pearson": {"valence": None, "arousal": 0.2}}
    scores |= more.pop("scores", {})
    scored = Scored("frames", scores, {}, Intervals(), {}, Details(0, ()))
    others = dict.fromkeys(field.name for field in fields(Report))
    known = {"corpus": PackedCorpus(name or layout, layout, Path("packed")), "counts": Counts(videos, 0, 0, 0)}
    return Report(**{**others, **known, "split": split, "protocol": protocol, "folds": (), "scored": scored, **more})


ALIKE = [
    (AFF_WILD, report()),
    (AFF_WILD, report(name="affwild")),
    (OMG, report("omg", protocol="utterances", post_processing=PROCESSED)),
    (replace(AFEW_VA, scores=CCC), report("afew_va", protocol="folds", folds=(3, 3, 3, 3, 3))),
    (EMOTIW, report("afew", split="validation", protocol="videos", scores={"accuracy": {"happiness": 0.3}})),
]


@pytest.mark.parametrize(("row", "scored"), ALIKE)
def test_a_row_of_the_same_kind_does_not_differ(row, scored):
    assert differences(row, scored) == []


@pytest.mark.parametrize(
    ("row", "scored", "words"),
    [
        (
            AFF_WILD,
            report("aff_wild2"),
            ["The row is of Aff-Wild, test set; these scores are of aff_wild2, test split"],
        ),
        (AFF_WILD, report("omg"), ["omg, test split: another corpus"]),
        # A user's own videos, in Aff-Wild's layout: by another name, or another number of videos.
        (AFF_WILD, report(name="mine"), ["mine (layout aff_wild), test split. Whether that corpus is Aff-Wild cannot"]),
        (AFF_WILD, report(videos=3), ["its test split has 3 videos, that of Aff-Wild 46"]),
        (
            AFF_WILD,
            report(split="validation"),
            ["Whether that corpus is Aff-Wild", "of the test set; these scores are of the validation split"],
        ),
        (
            replace(AFF_WILD, corpus="Aff-Wild, the thesis's 159 videos, test set"),
            report(),
            ["159 videos, test set; these scores are of aff_wild, test split: another corpus"],
        ),
        (
            OMG,
            report("omg"),
            [
                "Another protocol: the row is scored by utterances (median",
                "The row is with post-processing; these scores are without",
            ],
        ),
        (
            replace(OMG, row="CNN-3RNN, without post-processing"),
            report("omg", protocol="utterances", post_processing=PROCESSED),
            ["without post-processing; these scores are with it"],
        ),
        (
            replace(OMG, row="CNN-3RNN, V in [0, 1], A in [0, 0.5)"),
            report("omg", protocol="utterances"),
            ["of one region of the plane"],
        ),
        # Pearson of valence is there, but not defined here.
        (
            AFEW_VA,
            report("afew_va", protocol="folds"),
            ["of 5 folds by subject, pooled; these are of the test split alone", "gives pearson, which these scores"],
        ),
        (
            replace(AFEW_VA, scores=CCC),
            report("afew_va", protocol="folds", folds=(2, 2)),
            ["pooled; these are of 2 folds"],
        ),
        (
            replace(AFF_WILD, corpus="Elsewhere"),
            report(),
            ["whether these scores, of aff_wild, test split, are of that"],
        ),
        (replace(AFF_WILD, scores={}), report(), ["The row gives no number"]),
    ],
)
def test_each_difference_has_a_sentence(row, scored, words):
    found = differences(row, scored)
    assert len(found) == len(words), found
    for sentence, part in zip(found, words, strict=True):
        assert part in sentence
        assert sentence.endswith(".")


def test_every_published_row_is_of_a_known_dataset_and_of_its_experiments_protocol():
    seen = set()
    for paper in PAPERS.values():
        for experiment in paper.experiments:
            for row in experiment.published:
                (dataset, *_) = (known for known in DATASETS if row.corpus.startswith(known.title))
                assert dataset.protocol == experiment.protocol, (experiment.name, row)
                assert experiment.corpus.startswith(dataset.title[:4]) or dataset.title == "EmotiW"
                seen.add(dataset.title)
        for row in paper.others:
            assert row.corpus == "SEWA" or any(row.corpus.startswith(known.title) for known in DATASETS), row
    assert seen == {"Aff-Wild", "Aff-Wild, the thesis's 159 videos", "OMG-Emotion", "AFEW-VA", "RECOLA", "EmotiW"}


def test_datasets_have_readers_and_are_found_by_the_longer_title_first():
    assert {dataset.layout for dataset in DATASETS} == set(LAYOUTS) - {"csv"}
    for index, dataset in enumerate(DATASETS):
        assert not any(dataset.title.startswith(earlier.title) for earlier in DATASETS[:index])


def test_regions_of_omg_table_7_are_those_that_are_scored():
    rows = [row for experiment in PAPERS["omg2019"].experiments for row in experiment.published if row.table == "7"]
    scored = regions([[[0.1, 0.2]]], [[[0.1, 0.2]]])
    assert {region_of(row) for row in rows} == {row.region for row in scored}
    assert len(rows) == 5
