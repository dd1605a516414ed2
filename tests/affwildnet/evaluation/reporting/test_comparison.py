"""What a published row and a report have in common, in what they differ, and what cannot be known."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from affwildnet.evaluation.reporting import comparison, page_scores, score_rows, score_tables
from affwildnet.evaluation.reporting.comparison import compared, differences, published_rows
from affwildnet.evaluation.reporting.published_corpora import DATASETS
from affwildnet.evaluation.reporting.report import (
    Against,
    Counts,
    FusedMember,
    PackedCorpus,
    PostProcessed,
    Report,
    SplitSize,
)
from affwildnet.evaluation.scoring.details import Details
from affwildnet.evaluation.scoring.intervals import Difference, Intervals
from affwildnet.evaluation.scoring.postprocessing import Chosen
from affwildnet.evaluation.scoring.protocols import Scored
from affwildnet.evaluation.scoring.regions import regions
from affwildnet.experiments import EXPERIMENTS, PAPERS
from affwildnet.experiments.departures import RANDOM_WEIGHTS
from affwildnet.experiments.overrides import override, to_json
from affwildnet.experiments.published import Published
from affwildnet.experiments.tables import TABLES, get_table
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.records.packed_corpus import dataset_of

CCC = {"ccc": {"valence": 0.5, "arousal": 0.4}}
AFF_WILD = Published("ijcv2019", "9", "AffWildNet", "Aff-Wild, test set", CCC)
OMG = Published("omg2019", "3", "CNN-3RNN, with post-processing", "OMG-Emotion, test set", CCC, post_processing=True)
AFEW_VA = Published("ijcv2019", "11", "Fine-tuned AffWildNet", "AFEW-VA, five folds", {"pearson": {"valence": 0.5}})
EMOTIW = Published("ijcv2019", "12", "AffWildNet", "EmotiW 2017, validation set", {"accuracy": {"happy": 0.7}})

PROCESSED = PostProcessed(Chosen((), {}, {}), {})
# As the papers give them (ijcv2019 table 4, omg2019 section 3.3).
AFF_WILD_SIZES = {"train": SplitSize(252, 154, 1_008_650, 1_008_650), "test": SplitSize(46, 46, 215_450, 215_450)}
OMG_SIZES = {"train": SplitSize(2442, 231, 1, 1), "test": SplitSize(2229, 204, 1, 1)}


def report(layout="aff_wild", name="", split="test", protocol="frames", configuration=None, **more):
    """A report as `assemble` makes it; `sizes` and other fields of its corpus may be given."""
    scores = {"ccc": {"valence": 0.1, "arousal": 0.2}, "pearson": {"valence": None, "arousal": 0.2}}
    scores |= more.pop("scores", {})
    scored = Scored("frames", scores, {}, Intervals(), {}, Details(0, ()))
    own = {key: more.pop(key) for key in [field.name for field in fields(PackedCorpus)] if key in more}
    others = {field.name: None for field in fields(Report)} | {
        "initial_weights": "",
        "rehearsal": (),
        "stage": "",
        "members": (),
    }
    known = {
        "corpus": PackedCorpus(name or layout, layout, Path("packed"), **{"alignment": "crop", **own}),
        "counts": Counts(46, 0, 0, 0),
        "configuration": configuration,
    }
    return Report(**{**others, **known, "split": split, "protocol": protocol, "folds": (), "scored": scored, **more})


def of_experiment(name, *overrides, **more):
    return report(configuration=to_json(override(EXPERIMENTS[name], list(overrides))), **more)


def test_the_same_is_said_only_of_what_was_checked():
    found = compared(AFF_WILD, report(sizes=AFF_WILD_SIZES, detector="given", landmarks="given"))
    assert found.differs == ()
    assert found.same == (
        "the split, test",
        "the protocol, frames",
        "the number of videos of the test split, 46",
        "the number of frames of the test split, 215,450",
        "the number of videos of the train split, 252",
        "the number of frames of the train split, 1,008,650",
        "what found the faces: they came with the dataset",
        "whose the landmarks are: they came with the dataset",
    )
    # The layout says nothing of whose videos they are, and no file of whose labels.
    assert any("whether the videos of aff_wild, test split are those of Aff-Wild" in each for each in found.unknown)
    assert any("the mean of two to four annotations selected" in each for each in found.unknown)


@pytest.mark.parametrize("layout", ["omg", "recola", "afew", "afew_va", "thesis", "aff_wild"])
def test_two_videos_of_any_layout_are_not_the_papers_corpus(layout):
    (dataset, *_) = (each for each in DATASETS if each.layout == layout and each.sizes)
    row = Published("x", "1", "row", f"{dataset.title}, test set", CCC)
    sizes = {split: SplitSize(2, 2, 60, 60) for split in ("train", "validation", "test", "all")}
    folds = (1, 1, 1, 1, 1) if dataset.protocol == "folds" else ()
    scored = report(layout, protocol=dataset.protocol, sizes=sizes, folds=folds)
    found = compared(row, scored)
    assert any(f"has 2 {dataset.thing}s, the paper's" in sentence for sentence in found.differs)
    assert not any("number of" in words for words in found.same)
    assert any("cannot" not in words and "whether the videos" in words for words in found.unknown)


@pytest.mark.parametrize(
    ("row", "scored", "words"),
    [
        (
            AFF_WILD,
            report("aff_wild2"),
            ["The row is of Aff-Wild, test set; these scores are of aff_wild2, test split: another corpus"],
        ),
        (AFF_WILD, report("omg"), ["omg, test split: another corpus"]),
        (AFF_WILD, report("csv", name="mine"), ["mine (layout csv), test split: another corpus"]),
        (
            AFF_WILD,
            report(sizes={"test": SplitSize(3, 3, 215_450, 9)}),
            ["The test split has 3 videos, the paper's 46."],
        ),
        (
            AFF_WILD,
            report(sizes={"test": SplitSize(46, 46, 1, 9)}),
            ["The test split has 1 frame, the paper's 215,450."],
        ),
        (AFF_WILD, report(split="validation"), ["of the test set; these scores are of the validation split"]),
        (
            AFF_WILD,
            report(labelling="the mean of anna, ben"),
            ["The labels are the mean of anna, ben; the paper's are"],
        ),
        (
            AFF_WILD,
            report(detector="blaze"),
            ["The faces were found with blaze; the paper's with the detector of Math"],
        ),
        (
            AFF_WILD,
            report(landmarks="dlib"),
            ["The landmarks are those of dlib; the paper's those of the best tracker"],
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
            replace(OMG, post_processing=False),
            report("omg", protocol="utterances", post_processing=PROCESSED),
            ["without post-processing; these scores are with it"],
        ),
        (
            replace(OMG, post_processing=None),
            report("omg", protocol="utterances", post_processing=PROCESSED),
            ["with post-processing, of which the row's table says nothing"],
        ),
        (
            replace(OMG, region="V in [0, 1], A in [0, 0.5)", post_processing=None),
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
        (replace(AFF_WILD, scores={}), report(), ["The row gives no number"]),
        (
            AFF_WILD,
            of_experiment("ijcv2019/affwildnet_vggface", "model.width=0.5", "training.batch_size=2"),
            [
                "began with random weights; the paper's with those of VGG-Face.",
                "model.width is 0.5, in the experiment 1.0.",
                "training.batch_size is 2, in the experiment 4.",
            ],
        ),
        (
            OMG,
            of_experiment(
                "omg2019/cnn_3rnn",
                "data.alignment=crop",
                "training.init=a.keras",
                layout="omg",
                protocol="utterances",
                post_processing=PROCESSED,
            ),
            ["data.alignment is crop, in the experiment procrustes."],
        ),
        (
            AFF_WILD,
            of_experiment("ijcv2019/vggface", "training.init=a.keras", initial_weights=RANDOM_WEIGHTS),
            ["began with random weights; the paper's with those of VGG-Face."],
        ),
        (
            AFF_WILD,
            of_experiment("omg2019/cnn_3rnn_scratch", "training.init=a.keras", alignment="procrustes"),
            ["began with the weights of a.keras; the paper's with random ones."],
        ),
        # Trained on aligned faces, and scored on others with `--data_dir`.
        (
            AFF_WILD,
            of_experiment("omg2019/cnn_3rnn_scratch"),
            ["The scored faces have the alignment crop, in the experiment procrustes."],
        ),
    ],
)
def test_each_difference_has_a_sentence(row, scored, words):
    found = differences(row, scored)
    assert len(found) == len(words), found
    for sentence, part in zip(found, words, strict=True):
        assert part in sentence
        assert sentence.endswith(".")


def test_of_a_corpus_that_is_not_known_nothing_is_the_same_but_the_split():
    found = compared(replace(AFF_WILD, corpus="SEWA, test set"), report())
    assert found.differs == ()
    assert found.same == ("the split, test", "no post-processing")[:1]
    assert "the row's protocol" in found.unknown


def test_weights_from_a_file_are_named_and_not_called_the_papers():
    scored = of_experiment("ijcv2019/affwildnet_vggface", "training.init=w.keras", initial_weights="VGG-Face (Oxford)")
    found = compared(AFF_WILD, scored)
    assert any("(w.keras, VGG-Face (Oxford)) are the paper's VGG-Face" in words for words in found.unknown)
    assert not any("weights" in words for words in found.same)


def test_the_whole_table_is_shown_with_the_own_row_marked():
    experiment = EXPERIMENTS["ijcv2019/affwildnet_vggface"]
    rows = published_rows(of_experiment(experiment.name), experiment.published)
    assert [(each.row.table, each.row.row) for each in rows] == [
        (row.table, row.row) for number in ("8", "9") for row in TABLES[f"ijcv2019/{number}"].rows
    ]
    assert [each.row.row for each in rows if each.own] == ["2 layers, 128", "AffWildNet"]
    assert all(each.differs == each.same == each.unknown == () for each in rows if not each.own)
    scored = replace(
        of_experiment(experiment.name), published=rows, baselines={}, counts=Counts(46, 0, 0, 0), dropped=None
    )
    names = [row.name for row in score_rows.rows(scored)]
    assert sum(name.startswith("> [") for name in names) == 2
    assert "[7] ijcv2019 table 9: VGG-16 (Aff-Wild, test set)" in names
    assert "> [11] ijcv2019 table 9: AffWildNet (Aff-Wild, test set)" in names
    remarks = score_tables.remarks(scored)
    assert any(line.startswith("[5, 11] Checked and the same: the split, test;") for line in remarks)
    assert any(line.startswith("[5, 11] Cannot be known: ") for line in remarks)
    assert remarks[-1].startswith("Rows without > are of other experiments")


def test_a_rehearsal_carries_that_word_wherever_its_scores_stand():
    scored = replace(
        of_experiment("ijcv2019/vggface"), rehearsal=("a network 0.03 as wide",), baselines={}, published=()
    )
    assert score_rows.own_row(scored).name == "this checkpoint, rehearsal"
    assert "(a rehearsal)" in replace(scored, checkpoint=Path("a")).summary()
    table = score_tables.score_table(scored, published=False)
    assert "A rehearsal: a network 0.03 as wide. It says nothing of the paper's numbers." in table
    errors = regions([[[0.1, 0.2]]], [[[0.1, 0.2]]])
    beside = replace(scored, scored=replace(scored.scored, details=Details(0, (), regions=errors)))
    assert "MSE valence, rehearsal" in page_scores.regions(beside)
    assert "A label counts in each region that it lies in." in page_scores.regions(beside)


def test_p_names_what_was_drawn_on_the_page_and_in_the_terminal():
    difference = {"ccc": {"mean": Difference(0.1, 0.0, 0.2, 0.03, least_p=0.002)}}
    scored = replace(
        of_experiment("omg2019/vggface", layout="omg", protocol="utterances"),
        against=Against(Path("other"), Path("other/best.keras"), difference),
        baselines={},
        published=(),
    )
    scored = replace(
        scored, scored=replace(scored.scored, unit="utterances", intervals=Intervals(over="source videos"))
    )
    for text in (page_scores.against(scored), score_tables.score_table(scored, published=False).replace("\n  ", " ")):
        assert "paired bootstrap over the source videos;" in text


def test_every_published_row_is_of_a_known_dataset_and_of_its_experiments_protocol():
    seen = set()
    for paper in PAPERS.values():
        for experiment in paper.experiments:
            for row in experiment.published:
                (dataset, *_) = (known for known in DATASETS if row.corpus.startswith(known.title))
                if experiment.name != "ijcv2019/affwildnet_resnet50":
                    assert dataset.protocol == experiment.protocol, (experiment.name, row)
                assert dataset_of(experiment.data.layout) == dataset.layout
                seen.add(dataset.title)
        for row in paper.others:
            assert row.corpus == "SEWA" or any(row.corpus.startswith(known.title) for known in DATASETS), row
    assert seen == {"Aff-Wild", "Aff-Wild, the thesis's 159 videos", "OMG-Emotion", "AFEW-VA", "RECOLA", "EmotiW"}


def test_datasets_have_readers_and_are_found_by_the_longer_title_first():
    assert {dataset.layout for dataset in DATASETS} == {dataset_of(layout) for layout in LAYOUTS} - {"csv"}
    for index, dataset in enumerate(DATASETS):
        assert not any(dataset.title.startswith(earlier.title) for earlier in DATASETS[:index])


def test_regions_of_omg_table_7_are_those_that_are_scored():
    rows = get_table("omg2019/7").rows
    scored = regions([[[0.1, 0.2]]], [[[0.1, 0.2]]])
    assert {row.region for row in rows} == {row.region for row in scored}
    assert len(rows) == 5
    assert {row.region for table in TABLES.values() for row in table.rows if table.name != "omg2019/7"} == {""}


def test_a_table_that_does_not_exist_gets_the_nearest_name():
    with pytest.raises(UserError, match=r"Received: ijcv2019/99\. Did you mean ijcv2019/9\?"):
        get_table("ijcv2019/99")


def test_every_kind_of_finding_is_one_of_three():
    kinds = {comparison.DIFFERS, comparison.SAME, comparison.UNKNOWN}
    assert {each.kind for each in comparison.findings(AFF_WILD, report(sizes=AFF_WILD_SIZES))} <= kinds


def test_a_network_that_began_from_a_rehearsals_weights_differs_from_the_paper():
    begun = "begun with the weights of a rehearsal: random weights in place of those of VGG-Face"
    scored = of_experiment("ijcv2019/affwildnet_vggface", "training.init=w.keras", rehearsal=(begun,))
    found = differences(AFF_WILD, scored)
    assert found == [
        "The network began with the weights of w.keras, a rehearsal's (random weights in place of those of VGG-Face); "
        "the paper's with those of VGG-Face."
    ]


def test_each_network_of_a_fusion_is_compared_with_its_own_experiment():
    first, second = (
        FusedMember(to_json(override(EXPERIMENTS[f"omg2019/{name}"], fields)))
        for name, fields in (
            ("cnn_1rnn", ["training.init=w.keras"]),
            ("cnn_3rnn", ["training.learning_rate=0.5", "model.width=0.5"]),
        )
    )
    row = EXPERIMENTS["omg2019/decision_fusion"].published[0]
    found = compared(row, of_experiment("omg2019/decision_fusion", layout="omg", members=(first, second)))
    said = [each for each in found.differs if "cnn_" in each]
    assert said == [
        "omg2019/cnn_3rnn: The network began with random weights; the paper's with those of Aff-Wild2.",
        "omg2019/cnn_3rnn: model.width is 0.5, in the experiment 1.0.",
        f"omg2019/cnn_3rnn: training.learning_rate is 0.5, in the experiment "
        f"{EXPERIMENTS['omg2019/cnn_3rnn'].training.learning_rate}.",
    ]
    assert any(
        each.startswith("omg2019/cnn_1rnn: whether the weights that training began with") for each in found.unknown
    )
    assert not any("weights that training began with, random" in each for each in found.same)
