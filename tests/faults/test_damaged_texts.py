"""Damaged texts of datasets and notes of corpora and runs are read, or refused in one line."""

import json
import math
import shutil

import numpy as np
import pytest

from affwildnet.runs import folds, training_data
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from tests.faults import scene
from tests.faults.mutations import assert_harmless
from tests.helpers.layout_trees import lay, numbered_images
from tfrecords_tools import layouts
from tfrecords_tools.faces.tracks import CHOICES
from tfrecords_tools.files.tables import LONGEST
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.records import manifest
from tfrecords_tools.study import agreement, partition_file

POINTS = [[100.0 + (7 * i) % 68, 50.0 + i / 2] for i in range(68)]
PTS = "version: 1\nn_points: 68\n{\n" + "".join(f"{x} {y}\n" for x, y in POINTS) + "}\n"
CORNERS = "version: 1\nn_points: 4\n{\n100 50\n160 50\n160 90\n100 90\n}\n"
TIMES = "".join(f"{frame / 25:.2f} {10 * frame}\n" for frame in range(1, 30))
RATERS = "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3\n" + "".join(f"{i / 25:.2f};.1;.2;.3;.1;.2;.3\n" for i in range(30))
ARFF = "@relation G\n@attribute Name string\n@attribute frameTime numeric\n@attribute GoldStandard numeric\n@data\n"
ARFF += "".join(f"'P16',{i / 25:.2f},{i / 100}\n" for i in range(30))
VALUES = "".join(f"{math.sin(i / 5):.3f}\n" for i in range(30))
OMG = "link,start,end,video,utterance,arousal,valence,EmotionMaxVote\n"

# Layout: the files of a dataset, and those of them that are damaged.
DATASETS = {
    "aff_wild": (
        {
            "videos/train/a.mp4": "",
            "annotations/train/valence/a.txt": VALUES,
            "annotations/train/arousal/a.txt": VALUES,
            **{f"landmarks/train/a/{frame}.pts": PTS for frame in range(1, 4)},
            **{f"bboxes/train/a/{frame}.pts": CORNERS for frame in range(1, 4)},
        },
        ("annotations/train/valence/a.txt", "landmarks/train/a/2.pts", "bboxes/train/a/2.pts"),
    ),
    "aff_wild2": (
        {
            "annotations/VA_Set/Training_Set/1.txt": "valence,arousal\n" + "0.25,-0.5\n" * 20 + "-5,-5\n",
            "videos/1.mp4": "",
        },
        ("annotations/VA_Set/Training_Set/1.txt",),
    ),
    "afew_va": (
        {
            "001/001.json": json.dumps(
                {
                    "actor": "Ann",
                    "frames": {f"{k:05d}": {"landmarks": POINTS, "valence": k, "arousal": -k} for k in range(3)},
                }
            ),
            **numbered_images("001", 0, 3, ".png"),
        },
        ("001/001.json",),
    ),
    "csv": (
        {
            "mine.csv": "video,time,valence,arousal,subject,start,end\n"
            + "".join(f"a.mp4,{k / 25:.2f},{k / 100},{-k / 100},ann,0,2.5\n" for k in range(30)),
            "a.mp4": "",
        },
        ("mine.csv",),
    ),
    "omg": (
        {
            "omg_TrainVideos.csv": OMG + "".join(f"http://x,1.5,4.25,v,u{k}.mp4,0.25,-0.5,{k}\n" for k in range(5)),
            **{f"Train_Set/v/u{k}.mp4": "" for k in range(5)},
        },
        ("omg_TrainVideos.csv",),
    ),
    "recola": (
        {
            "valence/P16.csv": RATERS,
            "arousal/P16.csv": RATERS,
            "P16.mp4": "",
            "valence/train_1.arff": ARFF,
            "arousal/train_1.arff": ARFF,
            "train_1.mp4": "",
        },
        ("valence/P16.csv", "valence/train_1.arff"),
    ),
    "thesis": (
        {
            "videos/a.mp4": "",
            "annotations/r/valence/a.txt": TIMES,
            "annotations/r/arousal/a.txt": TIMES,
            "annotations/r/valence/a.json": json.dumps({"clock": "media", "input": "mouse"}),
            "annotations/r/arousal/a.json": json.dumps({"clock": "media", "input": "mouse"}),
            "videos.csv": "video,subject,gender,which,start,end\na,anna,female,left,0.5,12\n",
        },
        ("annotations/r/valence/a.txt", "annotations/r/valence/a.json", "videos.csv"),
    ),
}
FILES = [(layout, name) for layout, (_, names) in DATASETS.items() for name in names]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "name"), FILES, ids=[f"{layout}-{name}" for layout, name in FILES])
def test_damaged_annotations(layout, name, tmp_path):
    lay(tmp_path, DATASETS[layout][0])
    ranges = layouts.LAYOUTS[layout].label_range

    def read():
        videos, _ = layouts.LAYOUTS[layout].find_videos(tmp_path)
        found = []
        for video in videos:
            assert all(time is None or 0 <= time <= LONGEST for time in (video.start, video.end))
            assert video.which in CHOICES
            found.append(video.read_labels())
            if video.read_faces is not None:
                found.append(video.read_faces())
        return found

    def is_right(found):
        return all(_in_range(each, ranges) if isinstance(each, Labels) else _finite(each) for each in found)

    assert_harmless(tmp_path / name, read, is_right)


def _in_range(labels, ranges):
    low, high = np.array(list(ranges.values())).T
    return not ((labels.values < low - 1e-6) | (labels.values > high + 1e-6)).any()


def _finite(faces):
    return all(np.isfinite(points).all() for points in faces.landmarks.values())


@pytest.fixture
def corpus(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.mark.slow
@pytest.mark.parametrize("split", ["validation"])
def test_damaged_partitions(split, corpus, tmp_path):
    path = tmp_path / "folds.json"
    videos = manifest.load(corpus).videos
    parts = {f"{entry.split}/{entry.video}": f"fold-{1 + index % 3}" for index, entry in enumerate(videos)}
    path.write_text(json.dumps({"videos": parts}, indent=1))
    assert_harmless(path, lambda: partition_file.load(path))
    assert_harmless(path, lambda: folds.read(corpus, 1, path).videos(manifest.load(corpus), split, corpus))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["experiment.json", "finished.json", "metrics.jsonl", "training_data.json"])
def test_damaged_notes_of_a_run(name, commands, tmp_path):
    corpus = scene.make_corpus(tmp_path / "corpus")
    workdir = Workdir(tmp_path / "run")
    ended = commands.run("train", *scene.train_arguments(corpus, workdir.path, "training.steps=2"))
    assert ended.status == 0, ended.errors
    line = {"step": 2, "split": "validation", "ccc": {"valence": 0.5, "arousal": 0.5, "mean": 0.5}, "kept": True}
    workdir.metrics.write_text("".join(json.dumps({**line, "step": 2 * step}) + "\n" for step in range(1, 8)))
    path = workdir.path / name
    readers = {
        "experiment.json": lambda: workdir.open(),
        "finished.json": lambda: (workdir.step_finished(), workdir.reason_finished()),
        "metrics.jsonl": lambda: read_lines(path),
        "training_data.json": lambda: training_data.stored(workdir),
    }
    assert_harmless(path, readers[name])


@pytest.mark.slow
def test_damaged_selections(tmp_path):
    path = tmp_path / "selected.csv"
    path.write_text("video,annotators,dimension\n" + "".join(f"v{k},ann;bob,valence\n" for k in range(9)))
    assert_harmless(path, lambda: agreement.read_selection(path, ("ann", "bob"), [f"v{k}" for k in range(9)]))
