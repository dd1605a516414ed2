"""The page of `predict --serve` in a real browser, with its fake camera or a file: its table is that of `predict`."""

import asyncio
import contextlib
import csv
import threading
from itertools import pairwise

import cv2
import numpy as np
import pytest

from affwildnet.predict import Predictor
from affwildnet.predict.live_server import LiveServer
from affwildnet.predict.predict_options import PredictOptions
from affwildnet.predict.predict_source import predict_source, warm_up
from affwildnet.predict.source_search import find_sources
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.browsing import PATIENCE, chromium
from tests.helpers.predict_networks import SIZE, small_network
from tests.helpers.real_clips import clip
from tfrecords_tools.video.h264 import H264Writer
from tfrecords_tools.video.reading import read_frames

FRAMES, RATE, BITS, BLOCK = 16, 4, 5, 24
BLANK = -1


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    write_model(small_network(), path, Card(SIZE, "crop", 0.1))
    found = Predictor.load(path)
    warm_up(found)
    return found


@contextlib.contextmanager
def served(predictor):
    """Run a server in a thread of its own; yield its address."""
    loop, address, ready, ended = asyncio.new_event_loop(), [], threading.Event(), None

    async def run():
        nonlocal ended
        ended = asyncio.Event()
        server = LiveServer(predictor)
        runner = await server.loopback.start()
        address.append(server.loopback.address)
        ready.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def numbered(image, number):
    """Draw a number from 0 as black and white blocks into the upper left corner, where no face is."""
    image = image.copy()
    for bit in range(BITS):
        image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return image


def number_in(image):
    """The number of a frame, BLANK for the black ones that a camera may begin with."""
    if image[2 * BLOCK :].mean() < 5:
        return BLANK
    return sum(int(image[BLOCK // 2, int(BLOCK * (bit + 0.5))].mean() > 127) << bit for bit in range(BITS))


def write_y4m(path, images):
    height, width = images[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420\n".encode())
        for image in images:
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


class Noting(Predictor):
    """Notes the numbers of the frames that it is given since it was reset last."""

    numbers: list

    def for_another_video(self):
        return self

    def reset(self):
        self.numbers = []
        super().reset()

    def step(self, frame, seconds=None):
        self.numbers.append(number_in(frame))
        return super().step(frame, seconds)


def noting(predictor):
    return Noting(predictor.network, predictor.aligner, predictor.finder, predictor.description, predictor.path)


@contextlib.contextmanager
def page_of(address, *flags):
    with chromium(*flags) as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#camera")
        yield page


def table_of(page, path):
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(path)
    with path.open() as file:
        return list(csv.DictReader(file))


def wait_for(page, condition):
    for _ in range(PATIENCE * 10):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(page.inner_text("body"))


def values(lines):
    return np.array([[float(line[name]) for name in ("valence", "arousal")] for line in lines])


@pytest.mark.slow
def test_the_curves_of_a_camera_are_those_of_predict(predictor, tmp_path):
    images = [numbered(frame.image, number) for number, frame in enumerate(read_frames(clip("single_face.mp4")))][
        :FRAMES
    ]
    shown = write_y4m(tmp_path / "camera.y4m", images)
    given = noting(predictor)
    with (
        served(given) as address,
        page_of(
            address, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={shown}",
        ) as page,
    ):  # fmt: skip
        page.click("#camera")
        wait_for(page, lambda: len(given.numbers) >= FRAMES + 2)
        page.screenshot(path=str(tmp_path / "page.png"))
        page.click("#stop")
        page.wait_for_timeout(500)
        lines = table_of(page, tmp_path / "live.csv")
        assert page.errors == []
        assert not page.is_visible("#problem")
        assert "frames/s" in page.inner_text("#speed")
        assert "largest at first is followed" in page.inner_text("#which")
    count = len(lines)
    assert count >= FRAMES
    sent = given.numbers[:count]
    shown = [number for number in sent if number != BLANK]
    assert len(shown) > FRAMES // 2
    assert sent == [BLANK] * (count - len(shown)) + shown
    steps = {(after - before) % FRAMES for before, after in pairwise(shown)}
    # The camera shows one twice where its file begins again; a browser on a busy machine may leave one out.
    assert steps <= {0, 1, 2}
    played = write_y4m(
        tmp_path / "played.y4m", [0 * images[0] if number == BLANK else images[number] for number in sent]
    )
    expected = predicted(played, predictor, tmp_path / "out")
    assert [line["face"] for line in lines] == [line["face"] for line in expected]
    assert sum(line["face"] == "1" for line in lines) > FRAMES // 2
    lines, expected = ([line for line in table if line["face"] == "1"] for table in (lines, expected))
    assert np.ptp(values(expected), axis=0).max() > 0.01
    np.testing.assert_allclose(values(lines), values(expected), atol=0.005)


@pytest.mark.slow
def test_the_curves_of_a_file_are_those_of_predict(predictor, tmp_path):
    video = tmp_path / "mine.mp4"
    frames = [numbered(frame.image, number) for number, frame in enumerate(read_frames(clip("single_face.mp4")))][
        :FRAMES
    ]
    with H264Writer(video, frames[0].shape[1::-1]) as written:
        for number, image in enumerate(frames):
            written.write(image, number / RATE)
    given = noting(predictor)
    with served(given) as address, page_of(address) as page:
        # Opened once more while it plays: nothing of the first time stays, neither frames nor answers.
        page.set_input_files("input[type=file]", video)
        wait_for(page, lambda: len(given.numbers) > 2)
        page.set_input_files("input[type=file]", video)
        wait_for(page, lambda: {FRAMES - 1, FRAMES - 2} & set(given.numbers))
        page.wait_for_timeout(500)
        lines = table_of(page, tmp_path / "live.csv")
        assert page.errors == []
    sent = given.numbers[: len(lines)]
    assert len(sent) > FRAMES // 2  # a browser on a busy machine leaves some out
    assert sent == sorted(set(sent))
    assert [float(line["time"]) for line in lines] == pytest.approx([number / RATE for number in sent], abs=0.01)
    frames = list(read_frames(video))
    predictor.reset()
    expected = [predictor.step(frames[number].image, frames[number].timestamp) for number in sent]
    np.testing.assert_allclose(values(lines), [(each.valence, each.arousal) for each in expected], atol=0.01)


def predicted(video, predictor, output):
    """Return the lines of the table of `predict`."""
    output.mkdir()
    (source,) = find_sources([video])
    found = predict_source(source, predictor, PredictOptions(output, progress=False))
    with found.paths["table"].open() as file:
        return list(csv.DictReader(file))
