"""Damaged videos are left out or read, and a run goes on from the last whole checkpoint."""

import random
import shutil
from collections import Counter

import numpy as np
import pytest

from tests.faults import scene
from tests.faults.commands import LONG
from tests.faults.mutations import OK, REFUSED, WRONG, assert_harmless, mutated
from tests.helpers.annotated_clips import write_clip
from tests.helpers.layout_trees import lay
from tests.helpers.thesis_records import record, write
from tfrecords_tools.layouts import thesis_records

VIDEOS = 250 if LONG else 12
CHECKPOINTS = 24 if LONG else 6


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_damaged_videos_are_left_out_or_read(suffix, commands, tmp_path):
    clip = write_clip(tmp_path / f"whole{suffix}", 0.4, "libx264" if suffix == ".mp4" else "mpeg4", size=(96, 96))
    whole = clip.read_bytes()
    # Every second video is cut off or has flipped bits in the part where the pictures are.
    rows = ["video,frame,valence,arousal"]
    for case in range(VIDEOS):
        chance = random.Random(case)
        damaged = bytearray(whole if case else whole[: len(whole) // 2])
        for _ in range(chance.choice((1, 5, 50))):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        lay(tmp_path / "source", {f"{case}{suffix}": bytes(damaged) if case % 3 else mutated(whole, case)})
        rows += [f"{case}{suffix},{frame},0.1,0.2" for frame in range(1, 13)]
    lay(tmp_path / "source", {"mine.csv": "\n".join(rows) + "\n"})
    arguments = ["pack", "--layout=csv", f"--source={tmp_path / 'source'}", f"--output={tmp_path / 'packed'}"]
    ended = commands.run("tools", *arguments, "--workers=1", "--size=32", "--upsample=0", seconds=10 * VIDEOS)
    assert ended.status in (0, 1, 2), (ended.status, ended.errors[-2000:])
    assert "Traceback" not in ended.errors
    assert "MemoryError" not in ended.errors
    print("videos:", suffix, ended.status, len(ended.lines_of_errors))


@pytest.mark.slow
def test_damaged_checkpoints_are_not_gone_on_from(commands, tmp_path):
    corpus = scene.make_corpus(tmp_path / "corpus")
    run = tmp_path / "run"
    assert commands.run("train", *scene.train_arguments(corpus, run)).status == 0
    whole = scene.weights_of(run / "checkpoints/step-00000006.keras")
    counted = Counter()
    for case in range(CHECKPOINTS):
        workdir = tmp_path / f"case {case}"
        shutil.copytree(run, workdir)
        (workdir / "finished.json").unlink()
        name = ("step-00000004.keras", "step-00000004.json")[case % 2]
        for path in (workdir / "checkpoints").glob("step-00000006.*"):
            path.unlink()
        path = workdir / "checkpoints" / name
        damaged = mutated(path.read_bytes(), case)
        path.write_bytes(damaged)
        ended = commands.run("train", *scene.train_arguments(corpus, workdir))
        assert "Traceback" not in ended.errors, ended.errors
        if ended.status:
            ended.assert_one_line()
            counted[REFUSED] += 1
            continue
        found = scene.weights_of(workdir / "checkpoints/step-00000006.keras")
        same = found.keys() == whole.keys() and all(np.array_equal(found[key], whole[key]) for key in whole)
        counted[OK if same else WRONG] += 1
        assert same, f"case {case}: other weights from a damaged {name}"
        shutil.rmtree(workdir)
    print("checkpoints:", dict(counted))


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["one record", "the file"])
def test_damaged_records_of_the_thesis(whole, tmp_path):
    """Damaged in the file, whose checksums then do not fit, and inside a record, whose checksum does."""
    path, file = tmp_path / "damaged", tmp_path / "raw" / "v.tfrecords"
    write(file, [record(number, "v") for number in (3, 4)])
    (video,), _ = thesis_records.find_videos(file.parent)
    path.write_bytes(file.read_bytes() if whole else record(5, "v"))

    def read():
        if whole:
            file.write_bytes(path.read_bytes())
        else:
            write(file, [record(3, "v"), path.read_bytes()])
        return video.read_labels(), [(frame.number, frame.image) for frame in video.frames()]

    def is_right(found):
        labels, frames = found
        values = labels.values[np.isfinite(labels.values)]
        numbers = [number for number, _ in frames]
        return (abs(values) <= 1).all() and numbers == sorted(set(numbers)) and len(labels.values) == numbers[-1]

    assert_harmless(path, read, is_right, cases=60)
