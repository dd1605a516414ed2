"""Prediction in the browser: a page on this computer sends the frames of a webcam or a file, and shows what comes back.

Server and rules are those of the annotation tool: `tfrecords_tools.loopback`. Nothing is stored.
"""

import asyncio
import logging
import struct
import time
from pathlib import Path

import numpy as np

from affwildnet.predict.predictor import Prediction, Predictor
from tfrecords_tools.errors import UserError, line_and_status
from tfrecords_tools.loopback import LoopbackServer, web

PAGE = Path(__file__).with_name("page")
# A frame as the page sends it: width, height, seconds, and then RGBA.
HEADER = struct.Struct("<IId")
SIDES = (16, 2048)  # pixels, of a frame's sides
MOST_CONNECTIONS = 4

_log = logging.getLogger(__name__)


class LiveServer:
    """Serves the page, and predicts from the frames that it sends.

    Attributes:
      loopback: serves it.
    """

    def __init__(self, predictor: Predictor, *, host: str = "127.0.0.1", port: int = 0):
        """Prepare a server; port 0 takes any free one."""
        self.loopback = LoopbackServer(host, port)
        self._predictor = predictor
        self._connections = 0
        self._one_at_a_time = asyncio.Lock()  # the models are shared by all connections
        self.loopback.pages(PAGE)
        self.loopback.route("GET", "api/model", self._model)
        self.loopback.route("GET", "api/frames", self._frames)

    async def _model(self, request):
        return web().json_response({"description": self._predictor.description.splitlines()})

    async def _frames(self, request):
        """A WebSocket: a frame in, its prediction out. States are carried from frame to frame, "reset" forgets them."""
        socket = web().WebSocketResponse(max_msg_size=HEADER.size + 4 * SIDES[1] ** 2 + 1, heartbeat=20)
        await socket.prepare(request)
        if self._connections >= MOST_CONNECTIONS:
            await socket.send_json({"error": f"At most {MOST_CONNECTIONS} pages at a time. Close another one."})
            await socket.close()
            return socket
        self._connections += 1
        predictor = self._predictor.for_another_video()
        try:
            async for message in socket:
                if message.type == web().WSMsgType.TEXT and message.data == "reset":
                    predictor.reset()
                elif message.type == web().WSMsgType.BINARY:
                    await socket.send_json(await self._answer(predictor, message.data))
                else:
                    await socket.send_json({"error": "This message is not understood."})
        finally:
            self._connections -= 1
        return socket

    async def _answer(self, predictor: Predictor, data: bytes) -> dict:
        try:
            image, seconds = unpacked(data)
            async with self._one_at_a_time:
                began = time.perf_counter()
                found = await asyncio.to_thread(predictor.step, image, seconds)
            return {"seconds": seconds, "face": described(found), "ms": 1000 * (time.perf_counter() - began)}
        except Exception as error:  # the page says it, and goes on with the next frame
            _log.debug("a frame failed", exc_info=True)
            return {"error": line_and_status(error)[0].removeprefix("error: ")}


def unpacked(data: bytes) -> tuple[np.ndarray, float]:
    """Return the image, (height, width, 3) uint8 RGB, and the seconds of a frame as the page sends it.

    Raises:
      UserError: if it is not one.
    """
    if len(data) < HEADER.size:
        raise UserError("A frame must have a header. Received: fewer bytes.")
    width, height, seconds = HEADER.unpack_from(data)
    if not all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
        raise UserError(
            f"A frame must be from {SIDES[0]} to {SIDES[1]} pixels wide and high. Received: {width}x{height}."
        )
    if len(data) != HEADER.size + 4 * width * height or not np.isfinite(seconds):
        raise UserError(f"A frame of {width}x{height} pixels must have {4 * width * height} bytes and a time.")
    pixels = np.frombuffer(data, np.uint8, offset=HEADER.size).reshape(height, width, 4)
    return np.ascontiguousarray(pixels[..., :3]), seconds


def described(prediction: Prediction | None) -> dict | None:
    """Return a prediction as the page gets it, in the frame's pixels."""
    if prediction is None:
        return None
    box = prediction.box
    return {
        "track": prediction.track,
        "valence": prediction.valence,
        "arousal": prediction.arousal,
        "box": [box.left, box.top, box.right, box.bottom],
        "landmarks": np.round(prediction.landmarks.astype(float), 1).tolist(),
    }
