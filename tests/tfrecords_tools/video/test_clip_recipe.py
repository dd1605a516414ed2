"""Clips by a recipe: which frames, when, with which sound; what is kept, and what cannot be cut."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tfrecords_tools.cli import main
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import video_notes
from tfrecords_tools.video.clip_recipe import make_clips, read_recipe
from tfrecords_tools.video.reading import read_frames

HEADER = "source,start,end,name\n"
FRAMES = 100


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A video of 4 seconds at 25 frames a second that grows brighter, with a sound that grows louder."""
    folder = tmp_path_factory.mktemp("downloads")
    with av.open(str(folder / "long.mkv"), "w") as target:
        video = target.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = target.add_stream("pcm_s16le", rate=8000)
        sound.layout = "mono"
        for second in range(4):
            samples = np.full((1, 8000), 5000 * (second + 1), np.int16)
            heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 8000, 8000 * second, Fraction(1, 8000)
            target.mux(sound.encode(heard))
            for number in range(25 * second, 25 * second + 25):
                image = np.full((48, 64, 3), 255 * number // (FRAMES - 1), np.uint8)
                target.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(video.encode(None))
        target.mux(sound.encode(None))
    return folder / "long.mkv"


def recipe(folder, rows, header=HEADER):
    path = folder / "recipe.csv"
    path.write_text(header + rows)
    return path


def brightness(path):
    """Times and mean brightness of the frames of a clip."""
    return np.array([(frame.timestamp, frame.image.mean()) for frame in read_frames(path)]).T


def test_a_clip_has_the_nearest_frames_of_its_part_at_thirty_a_second(source, tmp_path):
    path = recipe(tmp_path, f"{source},0:01,2.5,part\n{source},,,all\n")
    for _, problem, remarks in make_clips(read_recipe(path), tmp_path / "out"):
        assert (problem, remarks) == (None, [])
    times, light = brightness(tmp_path / "out/videos/part.mp4")
    np.testing.assert_allclose(times, np.arange(45) / 30, atol=1e-4)
    shown = np.ceil((1 + np.arange(45) / 30) * 25 - 0.5 - 1e-9)  # of two that are as near, the earlier
    np.testing.assert_allclose(light, 255 * shown / (FRAMES - 1), atol=4)
    times, light = brightness(tmp_path / "out/videos/all.mp4")
    assert len(times) == pytest.approx(120, abs=1)
    assert light[0] < 3


def test_the_sound_goes_with_its_frames(source, tmp_path):
    list(make_clips(read_recipe(recipe(tmp_path, f"{source},1,3,part\n")), tmp_path))
    with av.open(str(tmp_path / "videos/part.mp4")) as clip:
        loud = [(float(f.time), float(np.abs(f.to_ndarray()).mean())) for f in clip.decode(audio=0)]
    first, second = (np.mean([level for time, level in loud if a < time < a + 0.6]) for a in (0.2, 1.2))
    assert second / first == pytest.approx(3 / 2, abs=0.1)  # seconds 1 to 2 and 2 to 3 of the source


def test_two_persons_and_parts_become_a_table_that_the_layout_reads(source, tmp_path):
    rows = (
        f"{source},0,1,7-p1,=ben,male,left\n{source},0,1,7-p1,cleo,female,right\n"
        f"{source},2,3,7-p2,ben,male,\n{source},3,,8,,,\n"
    )
    path = recipe(tmp_path, rows, "source,start,end,name,subject,gender,which\n")
    assert [clip.name for clip, _, _ in make_clips(read_recipe(path), tmp_path)] == ["7-p1", "7-p2", "8"]
    notes, problems = video_notes.entries(tmp_path, ["7-p1", "7-p2", "8"])
    assert problems == {}
    assert "'=ben" in (tmp_path / "videos.csv").read_text()  # for spreadsheets, which would compute it
    assert [(note.name, note.subject, note.gender) for note in notes] == [
        ("7-p1_left", "=ben", "male"), ("7-p1_right", "cleo", "female"), ("7-p2", "ben", "male"), ("8", "8", ""),
    ]  # fmt: skip


def test_what_is_there_is_kept_and_nothing_of_another_recipe_is_replaced(source, tmp_path):
    path = recipe(tmp_path, f"{source},0,1,a\n")
    list(make_clips(read_recipe(path), tmp_path))
    before = (tmp_path / "videos/a.mp4").stat()
    list(make_clips(read_recipe(recipe(tmp_path, f"{source},0,1,a\n{source},0,1,b\n")), tmp_path))
    assert (tmp_path / "videos/a.mp4").stat().st_mtime_ns == before.st_mtime_ns
    assert (tmp_path / "videos/b.mp4").is_file()
    with pytest.raises(UserError, match=r"a\.mp4: is there already, of another recipe"):
        list(make_clips(read_recipe(recipe(tmp_path, f"{source},0,2,a\n")), tmp_path))
    (tmp_path / "videos/c.mp4").write_text("mine")
    with pytest.raises(UserError, match=r"c\.mp4: is there already"):
        list(make_clips(read_recipe(recipe(tmp_path, f"{source},0,2,c\n")), tmp_path))
    assert (tmp_path / "videos/c.mp4").read_text() == "mine"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("x.mkv,1,1,a\n", "line 2: `start` must lie before `end`. Received: 1 and 1 seconds"),
        ("x.mkv,1:75,,a\n", "line 2, `start`: must be from 0 to 60. Received: 75"),
        ("x.mkv,one,,a\n", "line 2, `start`: must be one number"),
        ("x.mkv,1:1:1:1,,a\n", "line 2, `start`: must be seconds, m:ss or h:mm:ss"),
        ("x.mkv,,,../a\n", "line 2, `name`: must be a file's name"),
        ("x.mkv,,,\n", "line 2: `name` must not be empty"),
        ("x.mkv,0,1,a\nx.mkv,1,2,a\n", "line 3: a clip's name must occur once"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, rows, says):
    with pytest.raises(UserError) as error:
        read_recipe(recipe(tmp_path, rows))
    assert says in str(error.value)


def test_times_are_seconds_or_have_colons(tmp_path):
    (clip,) = read_recipe(recipe(tmp_path, "x.mkv,1:02.5,1:00:03,a\n"))
    assert (clip.start, clip.end, clip.source) == (62.5, 3603.0, tmp_path / "x.mkv")


def test_the_command_goes_on_after_a_clip_that_cannot_be_cut(source, tmp_path, capsys):
    path = recipe(tmp_path, f"gone.mkv,0,1,a\n{source},9,,b\n{source},1,9,c\n{source},1,2,d\n")
    assert main(["clips", f"--recipe={path}", f"--output={tmp_path / 'out'}"]) == 1
    shown = capsys.readouterr()
    assert "1 clip in" in shown.out
    assert "no such file" in shown.err
    assert "line 3: the source must go on after 9 seconds" in shown.err
    assert "line 4: the source must go on until 9 seconds" in shown.err
    assert [path.name for path in (tmp_path / "out/videos").iterdir()] == ["d.mp4"]
