"""The server of `predict --serve`: what it answers, what it refuses, and that each page has states of its own."""

import asyncio
import json
import struct

import aiohttp
import numpy as np
import pytest

from affwildnet.predict.live_server import MOST_CONNECTIONS, LiveServer, unpacked
from affwildnet.predict.predictor import Prediction
from tests.helpers.conversations import asked, origin
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.boxes import Box


class Counting:
    """Predicts how many frames it has seen, and finds no face in a black one."""

    description = "model: made"

    def __init__(self):
        self.frames = 0

    def for_another_video(self):
        return Counting()

    def reset(self):
        self.frames = 0

    def step(self, image, seconds):
        if not image.any():
            return None
        self.frames += 1
        return Prediction(self.frames / 10, float(image[0, 0, 0]), Box(1, 2, 3, 4), np.zeros((68, 2), np.float32), 1)


def frame(value=7, seconds=0.5, size=(24, 16)):
    width, height = size
    return struct.pack("<IId", width, height, seconds) + bytes([value, 1, 2, 255] if value else [0, 0, 0, 255]) * (
        width * height
    )


def connect(session, address, **headers):
    return session.ws_connect(f"{address}api/frames", headers={**origin(address), **headers}, max_msg_size=0)


async def answer(socket, message):
    await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
    return json.loads((await socket.receive(timeout=10)).data)


def test_a_frame_is_answered_and_the_states_are_those_of_the_page():
    async def conversation(session, address):
        async with connect(session, address) as one, connect(session, address) as other:
            first = await answer(one, frame(7, 0.5))
            more = [(await answer(socket, frame()))["face"]["valence"] for socket in (one, other, one)]
            none = await answer(one, frame(0))
            await one.send_str("reset")
            return first, more, none, await answer(one, frame())

    first, more, none, afresh = asked(LiveServer(Counting()), conversation)
    assert first["seconds"] == 0.5
    assert first["ms"] >= 0
    assert (first["face"]["arousal"], first["face"]["box"], first["face"]["track"]) == (7.0, [1, 2, 3, 4], 1)
    assert len(first["face"]["landmarks"]) == 68
    assert more == [0.2, 0.1, 0.3]
    assert none["face"] is None
    assert afresh["face"]["valence"] == 0.1


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"short", "must have a header"),
        (struct.pack("<IId", 1 << 31, 1 << 31, 0.0), "from 16 to 2048 pixels"),
        (struct.pack("<IId", 8, 8, 0.0) + bytes(256), "from 16 to 2048 pixels"),
        (frame()[:-1], "must have 1536 bytes"),
        (frame() + b"x", "must have 1536 bytes"),
        (frame(seconds=float("nan")), "and a time"),
        ("hello", "not understood"),
    ],
)
def test_what_is_no_frame_is_said_and_the_next_one_is_answered(message, error):
    async def conversation(session, address):
        async with connect(session, address) as socket:
            return await answer(socket, message), await answer(socket, frame())

    refused, after = asked(LiveServer(Counting()), conversation)
    assert error in refused["error"]
    assert after["face"]["valence"] == 0.1


def test_pixels_are_rgb_in_rows():
    data = struct.pack("<IId", 20, 16, 1.5) + bytes(range(256)) * 5
    image, seconds = unpacked(data)
    assert (image.shape, seconds) == ((16, 20, 3), 1.5)
    assert image[0, 1].tolist() == [4, 5, 6]
    assert image[1, 0].tolist() == [80, 81, 82]
    with pytest.raises(UserError):
        unpacked(data[:-4])


def test_the_rules_are_those_of_the_annotation_tool():
    async def conversation(session, address):
        found = []
        for page in ("", "app/live.js", "app/elements.js", "app/base.css", "api/model"):
            async with session.get(address + page) as response:
                found.append((response.status, response.headers.get("Content-Security-Policy", "")[:18]))
        for place, headers in (
            (address, {"Origin": "http://evil.example"}),
            (address, {"Origin": "null"}),
            (address.replace(address.split("/")[3], "guess"), {}),
        ):
            try:
                async with connect(session, place, **headers):
                    found.append(101)
            except aiohttp.WSServerHandshakeError as error:
                found.append(error.status)
        async with session.get(address, headers={"Host": "evil.example"}) as response:
            found.append(response.status)
        return found

    assert asked(LiveServer(Counting()), conversation) == [*[(200, "default-src 'none'")] * 5, 403, 403, 404, 403]


def test_few_pages_at_a_time():
    async def conversation(session, address):
        sockets = [await connect(session, address) for _ in range(MOST_CONNECTIONS + 1)]
        refused = json.loads((await sockets.pop().receive(timeout=10)).data)
        served = await answer(sockets[0], frame())
        await sockets.pop().close()
        await asyncio.sleep(0.2)
        async with connect(session, address) as again:
            return refused, served, await answer(again, frame())

    refused, served, again = asked(LiveServer(Counting()), conversation)
    assert refused == {"error": f"At most {MOST_CONNECTIONS} pages at a time. Close another one."}
    assert served["face"]["valence"] == again["face"]["valence"] == 0.1
