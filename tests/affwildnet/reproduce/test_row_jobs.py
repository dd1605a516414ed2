"""What is run for a table: every row of every table, from what it starts, in command lines that the commands take."""

from dataclasses import replace
from pathlib import Path

import pytest

from affwildnet.commands import baselines_command, evaluate_command, train_command, weights_command
from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import DataConfig
from affwildnet.experiments.overrides import override
from affwildnet.experiments.tables import TABLES, get_table
from affwildnet.reproduce import starting_weights, table_request
from affwildnet.reproduce.row_jobs import check, plan
from affwildnet.reproduce.starting_weights import CHAINS, Given
from affwildnet.reproduce.table_listing import listing
from affwildnet.reproduce.table_request import SIFT_SVR, Request, short
from tests.helpers.corpora import make_corpus
from tfrecords_tools.cli import corpus_commands
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.packed_corpus import dataset_of

PARSERS = {
    "train": train_command._parser,
    "evaluate": evaluate_command._parser,
    "baselines": baselines_command._parser,
    "weights": weights_command._parser,
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return a function that gives the folder of a corpus as an experiment needs it."""
    root, made = tmp_path_factory.mktemp("packed"), {}
    real = make_corpus(root / "first", [{"frames": 3, "split": split} for split in ("train", "validation", "test")])

    def folder(data: DataConfig, size: int) -> Path:
        key = (data, size)
        if key not in made:
            made[key] = root / str(len(made))
            made[key].mkdir()
            fields = {"layout": data.layout, "alignment": data.alignment or "crop", "image_size": size}
            fields["selected"] = {"v0": {"valence": ["a"], "arousal": ["b"]}} if data.labels else {}
            fields["annotators"] = ("a", "b") if data.labels else ()
            fields["expression"] = data.layout == "afew"
            manifest.save(replace(real, **fields), made[key])
        return made[key]

    return folder


def request(name, packed, tmp_path, **more):
    """Everything that a table needs: its corpora, and a file for all that its networks start from."""
    table = get_table(name)
    experiments = [EXPERIMENTS[each] for each in table_request.experiments_of(table) if each != SIFT_SVR]
    # That of one annotator fits all rows.
    data = max((each.data for each in experiments), key=lambda each: bool(each.labels))
    size = experiments[0].model.image_size
    main = packed(data, size)
    corpora = {dataset_of(each.data.layout): packed(each.data, size) for each in experiments}
    for layout in CHAINS.values():
        corpora[layout] = packed(replace(data, layout=layout, labels=""), size)
    weights = {}
    for name in starting_weights.names():
        if name not in CHAINS.values():
            weights[name] = tmp_path / f"{name}{'.mat' if name in ('vgg_face', 'face_value') else '.h5'}"
            weights[name].touch()
    return Request(table, main, tmp_path / "run", **{"given": Given(weights, corpora), **more})


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_every_table_is_run_by_commands_that_are_taken(name, packed, tmp_path):
    asked = request(name, packed, tmp_path)
    jobs = {job.name: job for job in plan(asked)}
    for row in (*asked.table.rows, *asked.table.beside):
        if row.experiment:
            job = jobs[short(row.experiment)]
            assert row.row in job.rows
            experiment = EXPERIMENTS.get(row.experiment)
            assert table_request.report_of(row, experiment, asked.workdir) in [step.output for step in job.steps]
    for job in jobs.values():
        assert job.lacking == ()
        assert set(job.after) <= jobs.keys()
        for step in job.steps:
            for line in filter(None, (step.command, step.beside)):
                module, command, *arguments = line[2:]
                assert module == "affwildnet"
                if command == "partition":
                    assert Path(arguments[0]) in {asked.data_dir, *asked.given.corpora.values()}
                    continue
                options = PARSERS[command]("affwildnet").parse_args(arguments)
                if command == "train":  # every field that is set exists
                    override(EXPERIMENTS[options.experiment], options.set)


def names(jobs):
    return [job.name for job in jobs]


def started_from(job):
    """The file that a job's training begins with."""
    line = next(step.command for step in job.steps if step.logs_in)
    return [part.removeprefix("training.init=") for part in line if part.startswith("training.init=")]


def test_a_row_that_is_fine_tuned_waits_for_the_run_that_it_starts_from(packed, tmp_path):
    asked = request("ijcv2019/10", packed, tmp_path)
    first, second, third = plan(asked)
    assert names([first, second, third]) == [
        "pretrained-aff_wild-affwildnet_vggface", "recola_affwildnet", "recola_resnet50_gru",
    ]  # fmt: skip
    assert second.after == (first.name,)
    assert started_from(second) == [str(asked.workdir / first.name / "best/best_mean.keras")]
    # VGG-Face -> Aff-Wild -> RECOLA.
    assert started_from(first) == [str(asked.workdir / "weights/vgg_face-pretrained-aff_wild-affwildnet_vggface.keras")]
    assert first.steps[0].title == "import weights"
    assert f"--data_dir={asked.given.corpora['aff_wild']}" in first.steps[1].command
    assert f"--data_dir={asked.data_dir}" in second.steps[0].command
    assert third.after == ()


def test_a_network_of_omg2019_is_pre_trained_itself_from_the_weights_of_its_backbone(packed, tmp_path):
    jobs = {job.name: job for job in plan(request("omg2019/3", packed, tmp_path))}
    first = jobs["pretrained-aff_wild2-densenet121"]
    line = next(step.command for step in first.steps if step.logs_in)
    assert {"protocol=frames", "corpus=Aff-Wild2", "training.pretrained=ImageNet"} <= set(line)
    assert jobs["densenet121"].after == (first.name,)
    assert started_from(first)[0].endswith("imagenet_densenet121-pretrained-aff_wild2-densenet121.keras")


def test_a_decision_fusion_is_made_from_the_runs_of_its_members(packed, tmp_path):
    asked = request("omg2019/3", packed, tmp_path)
    jobs = {job.name: job for job in plan(asked)}
    job = jobs["decision_fusion"]
    assert job.after == ("cnn_1rnn", "cnn_3rnn")
    fuse = f"--fuse={asked.workdir / 'cnn_1rnn'},{asked.workdir / 'cnn_3rnn'}"
    assert [fuse in step.command for step in job.steps] == [True, False]
    assert not any(step.logs_in for step in job.steps)  # nothing is trained
    plain = [step for step in job.steps if "evaluation.post_process=" in step.command]
    assert [step.output.name for step in plain] == ["report-test-post_process=.json"]


def test_two_checkpoints_are_scored_where_the_thesis_has_two(packed, tmp_path):
    jobs = {job.name: job for job in plan(request("thesis2018/6.2", packed, tmp_path))}
    scored = [step.output for step in jobs["vggface_gru_c0"].steps if step.title.startswith("score")]
    assert [path.name for path in scored] == ["report-test-best_arousal.json", "report-test-best_valence.json"]
    assert {path.parent.name for path in scored} == {"c0"}  # the stage's own folder


def test_folds_are_trained_one_by_one_and_scored_together(packed, tmp_path):
    asked = request("ijcv2019/11", packed, tmp_path)
    job = plan(asked)[-1]
    titles = [step.title for step in job.steps]
    assert titles == ["folds", *(f"train fold {number}" for number in range(1, 6)), "score test"]
    assert job.steps[0].output == asked.workdir / "folds.json"
    assert job.steps[2].beside[3:5] == ("evaluate", f"--workdir={asked.workdir / 'afew_va_affwildnet/fold-2'}")
    assert "--all_folds" in job.steps[-1].command
    (asked.data_dir / "folds.json").touch()
    assert plan(asked)[-1].steps[0].title == "train fold 1"
    (asked.data_dir / "folds.json").unlink()


def test_expressions_are_scored_on_validation(packed, tmp_path):
    for job in plan(request("ijcv2019/12", packed, tmp_path, only=("emotiw_vgg16",))):
        assert "--split=validation" in job.steps[-1].command


def test_what_is_missing_is_said_and_the_other_rows_are_run(packed, tmp_path):
    asked = request("ijcv2019/9", packed, tmp_path)
    weights = {"vgg_face": asked.given.weights["vgg_face"]}
    jobs = {job.name: job for job in plan(replace(asked, given=Given(weights)))}
    assert jobs["vgg16"].lacking == ("weights of ImageNet: --weights=imagenet_vgg16=FILE",)
    assert jobs["vggface"].lacking == ()
    jobs = {job.name: job for job in plan(replace(request("ijcv2019/10", packed, tmp_path), given=Given(weights)))}
    assert jobs["recola_affwildnet"].lacking == (
        "weights of Aff-Wild: --weights=aff_wild=FILE or --corpus=aff_wild=DIR",
    )


def test_weights_of_the_whole_network_are_not_planned_for_a_narrow_one(packed, tmp_path):
    jobs = plan(request("ijcv2019/9", packed, tmp_path, settings=("model.width=0.1",)))
    for job in jobs:
        assert not any(step.title == "import weights" for step in job.steps)
        (lacking,) = job.lacking
        assert lacking.startswith("weights that fit model.width=0.1: ")
        assert "Leave out --weights=" in lacking


def test_a_narrow_network_needs_no_weights_but_a_file_where_its_stages_start_from_one(packed, tmp_path):
    asked = request("ijcv2019/9", packed, tmp_path, given=Given(), settings=("model.width=0.1",))
    assert all(job.lacking == () and started_from(job) == [] for job in plan(asked))
    asked = request("thesis2018/6.2", packed, tmp_path, given=Given(), settings=("model.width=0.1",))
    for job in plan(asked):
        assert job.steps[0].title == "random weights"
        assert started_from(job) == [str(job.steps[0].output)]


def test_a_setting_is_of_the_rows_that_it_has_an_effect_on(packed, tmp_path):
    given = ("model.width=0.1", "model.recurrent_units=64,64")
    asked = request("ijcv2019/9", packed, tmp_path, settings=given)
    for job in plan(asked):
        for step in job.steps:
            if step.logs_in:
                recurrent = job.experiment.model.recurrent != "none"
                assert ("model.recurrent_units=64,64" in step.command) == recurrent
    with pytest.raises(UserError, match=r"`model\.recurrent_units` would have no effect: the network is not recurrent"):
        plan(replace(asked, only=("vggface",)))
    # Those of omg2019 are pre-trained by frames, where sequences have none.
    asked = request("omg2019/8", packed, tmp_path, settings=("evaluation.sequence=40",))
    jobs = {job.name: job for job in plan(asked)}
    lines = {name: next(step.command for step in job.steps if step.logs_in) for name, job in jobs.items()}
    assert "evaluation.sequence=40" in lines["cnn_3rnn"]
    assert "evaluation.sequence=40" not in lines["pretrained-aff_wild2-cnn_3rnn"]
    # A stage that some rows have.
    asked = request("thesis2018/6.4", packed, tmp_path, settings=("stages.c2.steps=9",))
    taken = {job.name for job in plan(asked) if any("stages.c2.steps=9" in step.command for step in job.steps)}
    assert taken == {job.name for job in plan(asked) if job.name.endswith(("c2", "c3"))}
    with pytest.raises(UserError, match=r"Received: stages\.c9\.steps"):
        plan(replace(asked, settings=("stages.c9.steps=9",)))


def test_checkpoints_of_another_corpus_are_a_file_or_a_folder_with_one_for_each_network(packed, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "cnn_3rnn.keras").touch()
    jobs = {job.name: job for job in plan(request("omg2019/8", packed, tmp_path, given=Given({"aff_wild2": folder})))}
    assert started_from(jobs["cnn_3rnn"]) == [str(folder / "cnn_3rnn.keras")]
    assert jobs["model_fusion_rnn"].lacking == (f"its weights: {folder / 'model_fusion_rnn.keras'} is not there",)
    (tmp_path / "x.h5").touch()
    jobs = plan(request("omg2019/8", packed, tmp_path, given=Given({"aff_wild2": tmp_path / "x.h5"})))
    assert jobs[0].lacking == (f"weights that are a .keras file, not {tmp_path / 'x.h5'}",)


def test_the_list_says_what_each_table_needs_once():
    listed = listing()
    assert listed.count("or --corpus=aff_wild2=DIR to train it first (which starts from ") == 6
    assert (
        "needs: --weights=imagenet_resnet50=FILE; --weights=aff_wild=FILE, a checkpoint of yours, or "
        "--corpus=aff_wild=DIR to train it first (which starts from --weights=vgg_face=FILE)" in listed
    )
    assert "  20 rows\n  to run: 10 networks, which give 20 rows: a network can have several" in listed
    assert "  2 rows, 1 of other groups\n  to run: 1 network\n" in listed


def test_a_name_of_weights_is_one_file_in_both_lists(capsys):
    assert weights_command.main(["list"]) == 0
    sources, listed = capsys.readouterr().out, listing()
    for name in ("vgg_face", "face_value", "vggface2", "imagenet_vgg16", "imagenet_resnet50_slim"):
        assert f"--weights={name}=FILE" in sources
        assert f"\n    {name:<24}" in listed
    (slim,) = (line for line in listed.splitlines() if line.startswith("    imagenet_resnet50_slim"))
    assert "resnet50_slim_tf1" in slim
    assert "resnet_v1_50.ckpt" in slim
    assert "keras.applications" not in slim


def test_the_list_names_corpora_and_tables():
    listed = listing()
    assert "RECOLA, test set (layout recola_46)" in listed
    assert all(f"\n{name}: " in listed for name in TABLES)


def test_scratch_starts_from_nothing(packed, tmp_path):
    jobs = {job.name: job for job in plan(request("omg2019/4", packed, tmp_path))}
    assert started_from(jobs["cnn_1rnn_scratch"]) == []
    assert jobs["cnn_1rnn"].after == ("pretrained-aff_wild2-cnn_1rnn",)
    assert jobs["cnn_1rnn_aff_wild"].after == ("pretrained-aff_wild-cnn_1rnn_aff_wild",)


def test_a_corpus_of_another_kind_is_one_line(packed, tmp_path):
    asked = request("omg2019/8", packed, tmp_path)
    other = packed(DataConfig("aff_wild", "crop"), 96)
    with pytest.raises(UserError, match="needs a corpus of the layout omg and faces with the alignment procrustes"):
        check(plan(replace(asked, data_dir=other)))
    with pytest.raises(UserError, match="not a packed corpus"):
        check(plan(replace(asked, data_dir=tmp_path)))
    with pytest.raises(UserError, match=r"needs crops of 96 pixels\. Received: crops of 64"):
        check(plan(replace(asked, data_dir=packed(DataConfig("omg", "procrustes"), 64))))


def test_a_row_that_needs_other_labels_is_left_out_alone(packed, tmp_path):
    asked = replace(request("ijcv2019/7", packed, tmp_path), data_dir=packed(DataConfig("aff_wild", "crop"), 96))
    lacking = {job.name: job.lacking for job in plan(asked)}
    assert lacking["vggface"] == ()
    assert "needs the labels of one annotator" in lacking["vggface_one_annotator"][0]


def test_rows_are_chosen_by_the_names_of_their_experiments(packed, tmp_path):
    asked = request("ijcv2019/9", packed, tmp_path, only=("vgg16", "vggface"))
    assert names(plan(asked)) == ["vgg16", "vggface"]
    with pytest.raises(UserError, match=r"Received: vggfase\. Did you mean vggface\?"):
        plan(replace(asked, only=("vggfase",)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["vgg_face"], "must be like vgg_face=PATH. Received: vgg_face"),
        (["vgg_fase=a"], r"Received: vgg_fase\. Did you mean vgg_face\?"),
        (["vgg_face=nowhere.mat"], "must name what is there. Received: nowhere.mat"),
        (["vgg_face=.", "vgg_face=."], "Received: vgg_face twice"),
    ],
)
def test_weights_that_cannot_be_used_are_one_line(given, message):
    with pytest.raises(UserError, match=message):
        starting_weights.parse("weights", given, starting_weights.names())


def test_a_file_that_no_source_reads_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"must be a file that ends in \.mat, \.h5"):
        starting_weights.source_of(EXPERIMENTS["ijcv2019/vggface"], tmp_path / "weights.zip")


def test_published_weights_get_the_pixels_of_the_paper():
    for experiment in EXPERIMENTS.values():
        assert not experiment.training.pretrained or "*normalise" in experiment.training.init_skip


def test_every_network_of_a_table_starts_from_something_that_has_a_name():
    known = starting_weights.names()
    for table in TABLES.values():
        for name in table_request.experiments_of(table):
            if name != SIFT_SVR and EXPERIMENTS[name].training.pretrained:
                assert starting_weights.name_of(EXPERIMENTS[name]) in known
    assert corpus_commands.COMMANDS  # `partition` among them
    assert "partition" in corpus_commands.COMMANDS
