"""Annotating in a real browser, from the first screen to a packed corpus."""

import json

import numpy as np
import pytest

from tests.helpers.annotated_clips import annotate, read, write_clip
from tests.helpers.browsing import Rater, chromium, served
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.traces import Trace
from tfrecords_tools.cli import main
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns

pytestmark = pytest.mark.slow

SETTLES = 0.25  # seconds by which a busy player corrects its time once it is paused


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def source(tmp_path):
    """A folder with one clip of three seconds."""
    write_clip(tmp_path / "videos" / "one.mp4", 3.0)
    return tmp_path


def at(rows, time):
    """The value of the row nearest to a time, from -1 to 1."""
    return rows[np.abs(rows[:, 0] - time).argmin(), 1] / 1000


def pack(source, *options):
    assert main(["pack", "--layout=thesis", f"--source={source}", f"--output={source / 'packed'}", "--size=32",
                 "--workers=1", *options]) == 0  # fmt: skip
    packed = manifest.load(source / "packed")
    return packed, [
        read_columns(source / "packed", entry, ["timestamp", "label"], packed.fields) for entry in packed.videos
    ]


def sample_clip(sample_clips, folder):
    clip = next((sample_clips / "videos" / "train").iterdir())
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    (folder / "videos" / clip.name).write_bytes(clip.read_bytes())
    return clip.stem


def test_a_stick_that_follows_a_curve_gives_its_labels(browser, sample_clips, tmp_path):
    name = sample_clip(sample_clips, tmp_path)
    with served(tmp_path) as (_, address):
        rater = Rater(browser, address, dimensions=["valence", "arousal"])
        rater.go_to(name)
        rater.page.select_option("[aria-label=Speed]", "0.5")
        rater.move("0.6 * Math.sin(2 * t)", "0.5 - 0.6 * t")
        rater.record()
        rater.finish()
        assert rater.errors == []
    _, (found,) = pack(tmp_path)
    times = found["timestamp"].ravel()
    assert len(times) > 15
    near = times[:, None] + np.linspace(-1, 1, 21) / 30  # one frame
    for column, curve in enumerate((lambda t: 0.6 * np.sin(2 * t), lambda t: 0.5 - 0.6 * t)):
        distance = np.abs(found["label"][:, column, None] - curve(near)).min(axis=1)
        assert distance.max() <= 0.02
    details = json.loads((tmp_path / f"annotations/ann/valence/{name}.json").read_text())
    assert (details["input"], details["axis"], details["speed"]) == ("Test Stick", [0, 1], 0.5)


def test_pause_seek_back_punch_in_and_undo(browser, source):
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        rater.move("0.5")
        rater.record(to=1.0)
        paused = rater.time
        assert rater.page.inner_text("#state") == "Paused. Space goes on."
        clocks = "import('./app/elements.js').then(found => [0, 2.4, 0.3, 59.96, 61.1].map(found.clock))"
        assert rater.page.evaluate(clocks) == ["0:00.0", "0:02.4", "0:00.3", "0:59.9", "1:01.1"]
        rater.record()  # goes on from where it was paused
        rater.seek(1.2)
        rater.move("-0.5")
        rater.record(to=1.8)
        rater.seek(2.4)
        rater.move("0.9")
        rater.record()
        rater.page.keyboard.press("u")  # the last of them
        rater.until("document.querySelector('#state').textContent.includes('taken back')")
        rater.finish()
        assert rater.errors == []
    rows = read(Catalogue(source), "ann", "valence", "one")
    assert paused < 2
    assert (np.diff(rows[:, 0]) > 0).all()
    assert rows[0, 0] == 0
    assert [at(rows, time) for time in (0.5, 1.1, 1.5, 2.3, 2.9)] == [0.5, 0.5, -0.5, 0.5, 0.5]


def test_a_server_that_is_killed_loses_a_second_at_most(browser, source):
    with served(source) as (process, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        rater.move("0.3")
        rater.page.keyboard.press(" ")
        rater.until("document.querySelector('video').currentTime >= 1.5")
        killed_at = rater.time
        process.kill()
        rater.until("document.querySelector('#problem').textContent.includes('server has gone')")
        assert rater.page.inner_text("#record") == "Record"  # nobody goes on rating in vain
        rater.page.close()
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        assert "You were here" in rater.page.inner_text("#state")
        begun_at = rater.time
        assert killed_at - 1 <= begun_at <= 3
        rater.move("-0.3")
        rater.record()
        rater.finish()
    rows = read(Catalogue(source), "ann", "valence", "one")
    assert at(rows, killed_at - 1) == 0.3
    assert at(rows, 2.9) == -0.3


def test_a_tab_that_is_closed_goes_on_where_it_was(browser, source):
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        rater.move("0.3")
        rater.page.keyboard.press(" ")
        rater.until("document.querySelector('video').currentTime >= 1.5")
        closed_at = rater.time
        rater.page.close()
        rater = Rater(browser, address)
        rater.go_to("one")
        assert rater.time >= closed_at - 1
        rater.move("-0.3")
        rater.record()
        rater.finish()
    rows = read(Catalogue(source), "ann", "valence", "one")
    assert (at(rows, closed_at - 1), at(rows, 2.9)) == (0.3, -0.3)


def test_a_second_tab_is_told(browser, source):
    with served(source) as (_, address):
        first, second = (Rater(browser, address) for _ in range(2))
        first.list_videos()
        second.list_videos()
        first.open("one")
        second.page.locator("tr", has_text="one").locator("button.primary").click()
        second.until("document.querySelector('#problem').textContent.includes('another tab')")
        second.page.wait_for_selector("h2:has-text('To do')")


def test_what_cannot_be_saved_is_kept_until_it_can(browser, source):
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        rater.move("0.5")
        in_the_way = source / ".annotate" / "drafts" / "ann" / "valence" / "one.jsonl"
        in_the_way.mkdir(parents=True)
        rater.page.keyboard.press(" ")
        rater.until("document.querySelector('#problem').textContent.includes('Nothing can be saved')")
        assert rater.page.inner_text("#record") == "Record"
        rater.page.keyboard.press("f")
        rater.until("document.querySelector('#problem').textContent.includes('not saved yet')")
        in_the_way.rmdir()
        rater.until("document.querySelector('#problem').hidden")
        stopped_at = rater.time
        rater.move("-0.5")
        rater.record()
        rater.finish()
        assert rater.errors == []
    rows = read(Catalogue(source), "ann", "valence", "one")
    assert (at(rows, stopped_at / 2), at(rows, 2.9)) == (0.5, -0.5)


def test_two_raters_are_compared_selected_and_packed(browser, sample_clips, tmp_path):
    name = sample_clip(sample_clips, tmp_path)
    for rater, level in (("ben", 0.2), ("cleo", 0.4), ("dora", -0.9)):
        annotate(Catalogue(tmp_path), rater, name, lambda time, level=level: level + 0.1 * np.sin(5 * time))
    with served(tmp_path) as (_, address):
        blind = Rater(browser, address, name="eve")
        blind.list_videos()
        assert blind.page.locator("button:has-text('Compare')").count() == 0
        blind.page.close()
    with served(tmp_path, "--lead") as (_, address):
        lead = Rater(browser, address, name="lead")
        lead.list_videos()
        lead.page.click("button:has-text('Compare')")
        for dimension in ("valence", "arousal"):
            lead.page.select_option("#which", dimension)
            lead.page.wait_for_selector("[aria-label='Use cleo']")
            lead.page.wait_for_timeout(300)
            lead.page.check("[aria-label='Use ben']")
            lead.page.click("#select")
            lead.until("document.querySelector('#problem').textContent.includes('2 to 4')")
            lead.page.check("[aria-label='Use cleo']")
            lead.page.click("#select")
            lead.page.wait_for_selector("#select:has-text('Selected')")
        assert "ICC(2,1)" in lead.page.inner_text("main")
        assert lead.errors == []
    packed, (found,) = pack(tmp_path, f"--selected={tmp_path / 'selected.csv'}")
    assert packed.selected == {name: {dimension: ["ben", "cleo"] for dimension in ("valence", "arousal")}}
    expected = 0.3 + 0.1 * np.sin(5 * found["timestamp"].ravel())
    np.testing.assert_allclose(found["label"][:, 0], expected, atol=0.01)


@pytest.mark.parametrize(("file", "codec"), [("a.mp4", "libx265"), ("b.avi", "mpeg4")])
def test_what_a_browser_cannot_play_is_converted_and_annotated(browser, tmp_path, file, codec):
    path = write_clip(tmp_path / "videos" / file, 1.5, codec)
    before = path.read_bytes()
    with served(tmp_path) as (_, address):
        rater = Rater(browser, address)
        rater.list_videos()
        assert "converted once" in rater.page.inner_text("main")
        rater.open(path.stem)
        rater.move("0.4 - 0.2 * t")
        rater.record()
        rater.finish()
    rows = read(Catalogue(tmp_path), "ann", "valence", path.stem)
    assert path.read_bytes() == before
    np.testing.assert_allclose(rows[:, 1] / 1000, 0.4 - 0.2 * rows[:, 0], atol=0.2 / 30 + 0.02)


def test_a_clip_of_one_second(browser, tmp_path):
    write_clip(tmp_path / "videos" / "one.mp4", 1.0)
    with served(tmp_path) as (_, address):
        rater = Rater(browser, address)
        rater.go_to("one")
        rater.move("0.7")
        rater.record()
        rater.finish()
    rows = read(Catalogue(tmp_path), "ann", "valence", "one")
    assert (rows[0, 0], rows[-1, 0]) == (0, 1)
    assert set(rows[:, 1]) == {700}


# Of every callback of requestAnimationFrame its script time in milliseconds.
TIMED = """
window.times = [];
const asked = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = callback => asked(now => {
  const begin = performance.now();
  callback(now);
  window.times.push(performance.now() - begin);
});
"""


def test_a_clip_of_an_hour_with_a_hundred_thousand_samples(browser, tmp_path, capsys):
    write_clip(tmp_path / "videos" / "hour.mp4", 3600, fps=2)
    catalogue = Catalogue(tmp_path)
    times = np.arange(0, 3600, 0.036)
    trace = Trace.of(zip(times, 0.8 * np.sin(times / 7), strict=True))
    catalogue.finish("ann", "valence", catalogue.clip(1), trace, {})
    with served(tmp_path) as (_, address):
        rater = Rater(browser, address)
        rater.page.add_init_script(TIMED)
        rater.page.reload()
        rater.go_to("hour", "button:has-text('Replay')")
        rater.move("0.5")
        rater.seek(1800)
        rater.page.evaluate("window.times = []")
        begun = rater.time
        rater.record(to=begun + 3)
        ended = rater.time
        timed = np.sort(rater.page.evaluate("window.times"))
        rater.page.click("#verify")
        rater.verified()
        listed = rater.page.evaluate(
            "async () => { const t = performance.now(); await (await fetch('api/videos?rater=ann')).json();"
            " return performance.now() - t }"
        )
        assert rater.errors == []
    with capsys.disabled():
        print(f"\nscript of a frame at {len(times):,} samples: median {np.median(timed):.2f} ms, "
              f"99 % {np.quantile(timed, 0.99):.2f} ms, longest {timed[-1]:.2f} ms of {len(timed)}; "
              f"the list {listed:.0f} ms")  # fmt: skip
    rows = read(catalogue, "ann", "valence", "hour")
    # Which of its two frames a second are displayed depends on the machine; what was there before is gone everywhere.
    new = (rows[:, 0] > begun - 0.001) & (rows[:, 0] < ended - SETTLES)
    assert new.sum() > 10
    assert set(rows[new, 1]) == {500}
    old = (rows[:, 0] < begun - 0.5) | (rows[:, 0] > ended + 0.5)
    np.testing.assert_allclose(rows[old, 1] / 1000, 0.8 * np.sin(rows[old, 0] / 7), atol=0.002)


# As on a machine that is too busy to display a frame, or a window that another one covers: the video plays on.
UNSEEN = "HTMLVideoElement.prototype.requestVideoFrameCallback = () => {};"


def test_what_is_recorded_while_no_frame_is_displayed_takes_the_place_of_the_old(browser, source):
    annotate(Catalogue(source), "ann", "one", lambda time: -0.5)
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.page.add_init_script(UNSEEN)
        rater.page.reload()
        rater.go_to("one", "button:has-text('Replay')")
        rater.seek(1.0)
        begun = rater.time
        rater.move("0.5")
        rater.record(to=begun + 1)
        ended = rater.time
        rater.page.click("#verify")
        rater.verified()
        assert rater.errors == []
    rows = read(Catalogue(source), "ann", "valence", "one")
    inside = (rows[:, 0] > begun - 0.001) & (rows[:, 0] < ended - SETTLES)
    assert set(rows[inside, 1]) == {500}
    assert set(rows[(rows[:, 0] < begun - 0.001) | (rows[:, 0] > ended + 0.001), 1]) == {-500}
    assert np.diff(rows[inside, 0]).max() < 0.5  # not the two ends alone


def test_practice_keeps_nothing(browser, source):
    with served(source) as (_, address):
        rater = Rater(browser, address)
        rater.page.click("#practise")
        rater.ready()
        rater.move("0.4")
        rater.record(to=1.0)
        rater.page.keyboard.press("u")
        rater.until("document.querySelector('#state').textContent.includes('taken back')")
        rater.page.keyboard.press("f")
        rater.page.wait_for_selector("#begin")
        rater.list_videos()
        assert "To do (1)" in rater.page.inner_text("main")
        assert rater.errors == []
    assert not (source / "annotations").exists()
    assert not list((source / ".annotate").rglob("*.jsonl"))


def test_the_keyboard_alone_is_enough(browser, source):
    with served(source, "--rater=ann") as (_, address):
        rater = Rater(browser, address, input="keys")
        keys = rater.page.keyboard
        for _ in range(40):
            if rater.page.evaluate("document.activeElement.id") == "begin":
                break
            keys.press("Tab")
        keys.press("Enter")
        rater.page.wait_for_selector("h2:has-text('To do')")
        keys.press("Enter")  # the first video has the focus
        rater.ready()
        keys.press(" ")
        rater.until("document.querySelector('.mark').textContent === 'recording'")
        keys.down("ArrowUp")
        rater.page.wait_for_timeout(700)
        keys.up("ArrowUp")
        rater.until("document.querySelector('.mark').textContent !== 'recording'")
        rater.saved()
        keys.press("f")
        rater.page.wait_for_selector("h2:has-text('Done (1)')")
        rater.page.locator("button:has-text('Replay')").focus()
        keys.press("Enter")
        rater.page.wait_for_selector("#verify")
        rater.ready()
        keys.press("p")
        rater.until("document.querySelector('video').currentTime > 0.5")
        keys.press("f")
        rater.verified()
        assert rater.errors == []
    rows = read(Catalogue(source), "ann", "valence", "one")
    assert 0.3 < rows[-1, 1] / 1000 <= 1


def test_a_ghost_is_shown_on_request_and_kept_as_such(browser, source, tmp_path):
    tables = tmp_path / "predictions"
    tables.mkdir()
    (tables / "one.csv").write_text("time,valence,arousal\n" + "".join(f"{k / 30:.3f},0.2,0.1\n" for k in range(90)))
    annotate(Catalogue(source), "ben", "one", lambda time: 0.6)
    with served(source, f"--predictions={tables}") as (_, address):
        rater = Rater(browser, address)
        assert not rater.page.is_checked("#ghost")
        rater.page.check("#ghost")
        rater.list_videos()
        rater.page.click("text=Most disagreement first")
        assert "0.45" in rater.page.inner_text("main")
        rater.open("one")
        rater.record()
        rater.finish()
        assert rater.errors == []
    assert json.loads((source / "annotations/ann/valence/one.json").read_text())["ghost"] is True


def test_another_token_shows_nothing(browser, source):
    with served(source) as (_, address):
        page = browser.new_page()
        answer = page.goto(address[:-6] + "AAAAA/")
        assert answer.status == 404
        assert "alence" not in page.inner_text("body")
