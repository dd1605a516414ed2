"""What is wrong with files and flags is said before TensorFlow is loaded, which takes many seconds."""

import json
import shutil
import zipfile
from dataclasses import replace

import pytest

from affwildnet.experiments import EXPERIMENTS
from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.field_values import NAMES
from affwildnet.experiments.overrides import override
from affwildnet.runs import card, training_data
from affwildnet.runs.card import Card
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import TrainingData
from affwildnet.runs.workdir import Workdir
from tests.helpers.new_process import in_new_process
from tfrecords_tools.records import manifest

HEAVY = ("tensorflow", "keras", "torch", "jax")
# Runs commands one after the other in one process; says of each how it ended, what it wrote, and what was loaded then.
PROBE = """
import contextlib, importlib, io, json, sys
found = []
for name, arguments in CASES:
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = importlib.import_module(f"affwildnet.commands.{name}_command").main(arguments)
        except SystemExit as ended:
            status = ended.code
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
    found.append([status, lines, sorted(set(HEAVY) & set(sys.modules))])
print(json.dumps(found))
"""
SIZE = "model.image_size=32"


@pytest.fixture(scope="module")
def scene(tiny_folder, tmp_path_factory):
    """A folder with corpora, runs and files, whole and not."""
    root = tmp_path_factory.mktemp("scene")
    shutil.copytree(tiny_folder, root / "corpus")
    for name in ("broken", "lacking", "renamed"):
        shutil.copytree(tiny_folder, root / name)
    (root / "broken/manifest.json").write_text('{"schema_version": 1, "videos"')
    packed = manifest.load(root / "corpus")
    (root / "lacking" / packed.split("train")[0].file).unlink()
    experiment = override(EXPERIMENTS["sample/affwildnet"], [SIZE])

    def run(name, corpus="corpus", checkpoints=True, asked=experiment):
        workdir = Workdir(root / name)
        workdir.start(Run(asked, root / corpus))
        if checkpoints:
            (workdir.checkpoints / "step-00000002.keras").write_bytes(b"no archive")
        return workdir

    def with_archive(workdir):
        workdir.best.mkdir()
        with zipfile.ZipFile(workdir.best / "best_mean.keras", "w") as archive:
            for member in ("config.json", "metadata.json", "model.weights.h5"):
                archive.writestr(member, "x")
        return workdir

    run("begun", checkpoints=False)
    damaged = run("damaged")
    damaged.best.mkdir()
    (damaged.best / "best_mean.keras").write_bytes(b"no archive")
    workdir = with_archive(run("other_data"))
    data = TrainingData.of(packed, root / "corpus", packed.split("train"))
    other = tuple((video, subject, "0" * 64) for video, subject, _ in data.videos)
    training_data.note(workdir, replace(data, fingerprint="0" * 64, videos=other))
    windowed = override(experiment, ["evaluation.carry_state=false"])
    with_archive(run("windows", asked=windowed))
    run("impossible", asked=replace(windowed, evaluation=replace(windowed.evaluation, overlap=120)))
    renamed = json.loads((root / "renamed/manifest.json").read_text())
    next(entry for entry in renamed["videos"] if entry["split"] == "validation")["video"] = "another"
    (root / "renamed/manifest.json").write_text(json.dumps(renamed))
    with_archive(run("elsewhere", "renamed"))
    fields = ("experiment", "checkpoint", "split", "protocol", "configuration")
    (root / "report.json").write_text(json.dumps(dict.fromkeys(fields, "another")))
    run("without_corpus", "gone")
    fused = ModelConfig(members=(experiment.model,) * 2, fusion="decision", image_size=32, hidden=())
    Workdir(root / "fused").start(Run(replace(experiment, model=fused), root / "corpus"))
    shutil.copy(workdir.best / "best_mean.keras", root / "carded.keras")
    card.put(root / "carded.keras", Card(32, detector="blaze", landmarks="mesh"))
    (root / "clip.avi").write_bytes(b"frames")
    (root / "predicted").mkdir()
    (root / "predicted/clip.csv").write_text("frame\n")
    (root / "a_file").write_text("x")
    (root / "weights.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    (root / "exported/saved_model").mkdir(parents=True)
    (root / "exported/saved_model/mine.txt").write_text("x")
    return root


TRAIN = ["--experiment=sample/affwildnet", "--data_dir={}/corpus", "--workdir={}/new", "--set", SIZE]
SCORED = ["--workdir={}/other_data", "--data_dir={}/corpus"]
WEIGHTS = ["import", "--experiment=ijcv2019/vggface", "--output={}/out.keras"]
CASES = [
    ("train", ["--workdir={}/new"], "`--experiment` must be given"),
    ("train", ["--experiment=sample/affwildnet", "--workdir={}/new"], "`--data_dir` must name"),
    ("train", ["--experiment=sample/affwildnet", "--data_dir={}/none", "--workdir={}/new"], "not a packed corpus"),
    ("train", ["--experiment=sample/affwildnet", "--data_dir={}/broken", "--workdir={}/new"], "must be readable JSON"),
    ("train", ["--experiment=sample/affwildnet", "--data_dir={}/corpus", "--workdir={}/new"], "Received: crops of"),
    ("train", [*TRAIN, "--data_dir={}/lacking"], "missing. Pack the corpus again"),
    ("train", [*TRAIN, "model.backbone=vgg17"], "Did you mean vgg16?"),
    ("train", [*TRAIN, "training.loss=cccc"], "`training.loss` must be one of"),
    ("train", [*TRAIN, "model.recurrent_units="], "`recurrent_units` must be non-empty"),
    ("train", [*TRAIN, "training.loss=cross_entropy"], "`model.head` expression goes with"),
    ("train", [*TRAIN, "training.batch_size=1000000000"], "must fit in the memory"),
    ("train", [*TRAIN, "training.batch_size=1", "training.window=1"], "`training.loss` ccc needs at least two frames"),
    ("train", [*TRAIN, "training.init={}/none.keras"], "`training.init` must be a .keras file"),
    ("train", [*TRAIN, "training.seed=-1"], "`training.seed` must be at least 0"),
    ("train", [*TRAIN, "evaluation.overlap=4"], "must be 0 with `evaluation.carry_state`"),
    ("train", [*TRAIN, "--stage=c9"], "`--stage` needs an experiment with stages"),
    ("train", [*TRAIN, "--devices=gpu"], "`--devices` must be all"),
    ("train", [*TRAIN, "--devices=cpu:99999"], "`--devices` must be at most cpu:64"),
    ("train", [*TRAIN, "--devices=all", "--gpu=0"], "exclude each other"),
    ("train", [*TRAIN, "--fold=1"], "folds must be there"),
    ("train", [*TRAIN, "--workdir={}/a_file"], "a_file is a file"),
    ("train", [*TRAIN, "--workdir=gs://bucket/run"], "`--workdir` must be on this computer"),
    ("train", [*TRAIN, "--data_dir=gs://"], "must name a bucket and a folder in it"),
    ("train", [*TRAIN, "model.width=0.3", "--workdir={}/damaged"], "belongs to another run"),
    ("train", ["--workdir={}/other_data"], "must go on with the data that it was trained on"),
    ("train", ["--workdir={}/without_corpus"], "not a packed corpus"),
    ("evaluate", ["--workdir={}/none"], "no run was started here"),
    ("evaluate", ["--workdir=s3://bucket/run"], "`--workdir` must be on this computer"),
    ("evaluate", ["--workdir={}/begun"], "which is not there yet"),
    ("evaluate", ["--workdir={}/begun", "--checkpoint=latest"], "no checkpoint yet"),
    ("evaluate", ["--workdir={}/begun", "--checkpoint={}/damaged/best/best_mean.keras"], "which lies elsewhere"),
    ("evaluate", ["--workdir={}/damaged"], "not a whole checkpoint"),
    ("evaluate", ["--workdir={}/damaged", "--set", "evaluation.windw=3"], "Did you mean evaluation.window?"),
    ("evaluate", ["--workdir={}/damaged", "--set", "training.steps=3"], "must name a field of evaluation"),
    ("evaluate", ["--workdir={}/other_data"], "must hold the videos that the run"),
    ("evaluate", ["--workdir={}/other_data", "--data_dir={}/none"], "not a packed corpus"),
    ("evaluate", ["--workdir={}/other_data", "--data_dir={}/corpus", "--report={}"], "`--report` must be a file"),
    ("evaluate", ["--workdir={}/other_data", "--data_dir={}/corpus", "--export={}/corpus"], "or an earlier export"),
    ("evaluate", ["--workdir={}/other_data", "--data_dir={}/corpus", "--against={}/none"], "no run was started"),
    ("evaluate", ["--workdir={}/damaged", "--against={}/corpus/../damaged"], "`--against` must be another run"),
    (
        "evaluate",
        [*SCORED, "--report={}/damaged/experiment.json", "--overwrite"],
        "`--report` must be a new file, or a",
    ),
    ("evaluate", [*SCORED, "--report={}/x/r.json", "--export={}/x"], "must not lie in each other"),
    ("evaluate", [*SCORED, "--report={}/x", "--export={}/x/y"], "must not lie in each other"),
    ("evaluate", [*SCORED, "--set", "evaluation.patience=3"], "would have no effect: it is for watching"),
    ("evaluate", [*SCORED, "--overlap=2", "--set", "evaluation.overlap=3"], "must have one value. Received: 3 and 2"),
    ("evaluate", [*SCORED, "--overlap=2", "--carry_state"], "must be 0 with `evaluation.carry_state`"),
    ("evaluate", [*SCORED, "--overlap=2"], "a frame that is passed twice would change the state twice"),
    (
        "evaluate",
        ["--workdir={}/windows", "--overlap=7", "--set", "evaluation.window=7"],
        "below `evaluation.window`, 7",
    ),
    ("evaluate", ["--workdir={}/windows", "--carry_state", "--overlap=1"], "must be 0 with `evaluation.carry_state`"),
    ("evaluate", ["--workdir={}/impossible", "--watch"], "below `evaluation.window`, 120. Received: 120"),
    ("evaluate", [*SCORED, "--predictions=omg"], "needs videos named <video>_utterance_<number>"),
    ("evaluate", [*SCORED, "--report={}/report.json"], "a report of the same checkpoint, split and options"),
    ("evaluate", ["--workdir={}/windows", "--against={}/elsewhere"], "must be scored on the same videos"),
    ("evaluate", ["--workdir={}/new", "--fuse={}/windows,{}/elsewhere"], "must be trained on one corpus"),
    ("evaluate", [*SCORED, "--resamples=100000000000000000000"], "`--resamples` must be from 40 to 1,000,000"),
    ("evaluate", [*SCORED, "--resamples=1"], "or 0 for no intervals. Received: 1"),
    ("evaluate", [*SCORED, "--data_dir={}/corpus/manifest.json"], "not a packed corpus, it is a file"),
    ("evaluate", [*SCORED, "--data_dir="], "`--data_dir` must have a value. Received: none."),
    ("evaluate", ["--workdir="], "`--workdir` must have a value. Received: none."),
    ("evaluate", ["--workdir={}/a_file"], "must be a working directory. Received: a file"),
    ("evaluate", ["--workdir={}/damaged", "--all_folds"], "no fold was trained here"),
    ("evaluate", ["--workdir={}/new", "--fuse={}/damaged,{}/damaged"], "`--fuse` must name each run once"),
    ("evaluate", ["--workdir={}/new", "--fuse={}/damaged,"], "with one comma between them"),
    ("evaluate", ["--workdir={}/new", "--fuse={}/damaged,{}/begun", "--checkpoint=a.keras"], "latest with `--fuse`"),
    ("evaluate", ["--workdir={}/fused", "--watch"], "must be a run that is trained, to be watched"),
    ("evaluate", ["--workdir={}/new", "--fuse={}/damaged"], "must name at least two"),
    ("evaluate", ["--workdir={}/damaged", "--devices=cpu:0"], "`--devices` must be all"),
    ("evaluate", ["--workdir={}/none", "--watch", "--timeout=0.0001"], "no run was started here"),
    ("evaluate", ["--workdir={}/without_corpus", "--watch"], "not a packed corpus"),
    ("predict", ["{}/a.mp4", "--model={}/none", "--output={}/out"], "`--model` must be a .keras file"),
    ("predict", ["{}/a.mp4", "--model={}/other_data", "--serve"], "`VIDEO` cannot be used with `--serve`."),
    ("predict", ["{}/a.mp4", "--model={}/a_file", "--output={}/out"], "a_file, another file"),
    ("predict", ["{}/a.mp4", "--model={}/other_data", "--output={}/a_file"], "a_file is a file"),
    ("predict", ["{}/a.mp4", "--model={}/other_data", "--output={}/out"], "Received: no such file"),
    ("predict", ["{}/clip.avi", "--model={}/carded.keras", "--output={}/predicted"], "exists already"),
    (
        "predict",
        ["{}/clip.avi", "--model={}/carded.keras", "--output={}/out", "--margin=0.3"],
        "`--margin` must be 0.1, as in the corpus",
    ),
    ("predict", ["{}/clip.avi", "--model={}/carded.keras", "--output={}/out", "--detector=yunet"], "needs its model"),
    ("export", ["--model={}/none", "--output={}/out"], "`--model` must be a .keras file"),
    ("export", ["--model={}/begun", "--output={}/out"], "no checkpoint yet"),
    ("export", ["--model={}/a_file", "--output={}/out"], "must be a .keras file"),
    ("export", ["--model={}/other_data", "--output={}/exported"], "or an earlier export"),
    ("export", ["--model={}/other_data", "--output={}/out"], "must say how crops were cut out"),
    ("export", ["--model={}/other_data", "--output={}/out", "--data_dir={}/none"], "not a packed corpus"),
    ("baselines", ["--data_dir={}/none", "--workdir={}/new"], "not a packed corpus"),
    ("baselines", ["--data_dir={}/corpus", "--workdir={}/a_file"], "a_file is a file"),
    ("baselines", ["--data_dir={}/corpus", "--workdir={}/new", "--set", "training.lr=1"], "must name a field"),
    ("baselines", ["--data_dir={}/corpus", "--workdir={}/new", "--fold=1"], "folds must be there"),
    ("baselines", ["--data_dir={}/lacking", "--workdir={}/new"], "missing. Pack the corpus again"),
    ("weights", [*WEIGHTS, "--source=vgg_face_mat"], "`--path` must name the file"),
    ("weights", [*WEIGHTS, "--source=vgg_face_mat", "--path={}/none.mat"], "a path that does not exist"),
    ("weights", [*WEIGHTS, "--source=cnn_m_mat", "--path={}/weights.mat"], "with the backbone cnn_m"),
    ("weights", [*WEIGHTS, "--source=vgg_face_mat", "--path={}/weights.mat"], "and complete"),
    ("weights", [*WEIGHTS, "--source=vgg_face_mat", "--output={}/none/x.keras"], "in a folder that exists"),
    ("weights", [*WEIGHTS, "--source=vgg_face_mat", "--output={}/a.txt"], "a .keras file"),
    (
        "weights",
        ["import", "--experiment=vgg_face_2000", "--output={}/x.keras", "--source=affwildnet_tf1", "--path={}/x"],
        "which is none",
    ),
]


def test_what_is_wrong_with_files_and_flags_is_said_before_tensorflow_is_loaded(scene):
    cases = [(name, [argument.replace("{}", str(scene)) for argument in given]) for name, given, _ in CASES]
    before = sorted(scene.rglob("*"))
    answers = in_new_process(f"CASES, HEAVY = {cases!r}, {HEAVY!r}\n{PROBE}")
    wrong = []
    for (name, given, message), (status, lines, heavy) in zip(CASES, answers, strict=True):
        if status != 2 or heavy or len(lines) != 1 or message not in lines[0]:
            wrong.append(f"{name} {' '.join(given)}: {status}, {heavy}, {lines}")
    assert not wrong, "\n".join(wrong)
    assert {name for name, _, _ in CASES} == {"train", "evaluate", "predict", "export", "baselines", "weights"}
    assert sorted(scene.rglob("*")) == before  # nothing was made, nothing changed its name


def test_the_names_that_are_known_early_are_those_that_there_are():
    from affwildnet.data.windows import WINDOW_RULES
    from affwildnet.evaluation.scoring.postprocessing import STEPS
    from affwildnet.evaluation.scoring.utterances import AGGREGATIONS
    from affwildnet.experiments.heads import OUTPUTS
    from affwildnet.export.export_checks import MARKERS
    from affwildnet.export.formats import FORMATS
    from affwildnet.losses import LOSSES
    from affwildnet.models import BACKBONES, RECURRENT
    from affwildnet.training.step import PRECISIONS

    built = {
        "model.backbone": BACKBONES,
        "model.head": OUTPUTS,
        "model.recurrent": {"none", *RECURRENT},
        "training.window_rule": WINDOW_RULES,
        "training.loss": LOSSES,
        "training.precision": PRECISIONS,
        "evaluation.aggregation": AGGREGATIONS,
        "evaluation.post_process": STEPS,
    }
    assert {name: set(NAMES[name]) for name in built} == {name: set(names) for name, names in built.items()}
    assert {name: each.marker for name, each in FORMATS.items()} == MARKERS
