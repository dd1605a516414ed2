"""The server behind the page: lists, videos, traces, and a WebSocket that records."""

import asyncio
import time
from pathlib import Path

from tfrecords_tools.annotate.catalogue import Catalogue, Clip, check_rater, provenance
from tfrecords_tools.annotate.copies import Copies
from tfrecords_tools.annotate.ghosts import Ghosts
from tfrecords_tools.annotate.rater_comparison import compare, select
from tfrecords_tools.annotate.recording import Recorder, Writers
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import json_text
from tfrecords_tools.loopback import LARGEST_MESSAGE, LoopbackServer, read_json, web
from tfrecords_tools.records.schema import DIMENSIONS

PAGE = Path(__file__).with_name("page")
# Messages a second that a page may send; it sends four.
MOST_MESSAGES = 100


class AnnotationServer:
    """Everything that the page asks for.

    Attributes:
      loopback: serves it.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rater: str = "",
        lead: bool = False,
        ghosts: Ghosts | None = None,
    ):
        """Prepare a server.

        Args:
          catalogue: the clips and annotations.
          host, port: where it listens; port 0 takes any free one.
          rater: the name that the welcome screen proposes.
          lead: whether the page may compare all raters, and select.
          ghosts: predictions that the page may show.
        """
        self.loopback = LoopbackServer(host, port)
        self._catalogue, self._rater, self._lead, self._ghosts = catalogue, rater, lead, ghosts
        self._copies = Copies(catalogue)
        self._writers = Writers()
        self.loopback.app.on_shutdown.append(lambda app: self._copies.close())
        self.loopback.pages(PAGE)
        for method, path, handler in (
            ("GET", "api/welcome", self._welcome),
            ("GET", "api/videos", self._videos),
            ("GET", "api/trace", self._trace),
            ("GET", "api/ghost", self._ghost),
            ("POST", "api/prepare", self._prepare),
            ("GET", "api/compare", self._compare),
            ("POST", "api/select", self._select),
            ("GET", "video/{number:[0-9]+}", self._video),
            ("GET", "api/record", self._record),
        ):
            self.loopback.route(method, path, handler)

    async def _welcome(self, request):
        return web().json_response({
            "rater": self._rater,
            "lead": self._lead,
            "ghosts": self._ghosts is not None,
            "videos": len(self._catalogue.clips),
            "left_out": self._catalogue.left_out,
            "dimensions": list(DIMENSIONS),
            "program": provenance()["program"],
        })  # fmt: skip

    async def _videos(self, request):
        rater = check_rater(request.query["rater"])
        return web().json_response({"videos": await asyncio.to_thread(self._list, rater)})

    def _list(self, rater: str) -> list[dict]:
        rows = []
        self._catalogue.read_facts()
        for clip in self._catalogue.order(rater):
            try:
                facts, problem = clip.facts, ""
            except UserError as error:
                rows.append({"number": clip.number, "name": clip.name, "problem": str(error), "dimensions": {}})
                continue
            row = {
                "number": clip.number,
                "name": clip.name,
                "seconds": facts.seconds,
                "converted": facts.reason,
                "problem": problem,
                "dimensions": {name: self._progress(rater, name, clip) for name in DIMENSIONS},
            }
            if self._ghosts is not None:
                row["disagreement"] = self._ghosts.disagreement(clip)
            rows.append(row)
        return rows

    def _progress(self, rater: str, dimension: str, clip: Clip) -> dict:
        details = self._catalogue.details(rater, dimension, clip)
        finished = self._catalogue.annotation(rater, dimension, clip).is_file()
        draft = self._catalogue.draft(rater, dimension, clip)
        share = 1.0 if finished else draft.trace().share(clip.facts.seconds)
        return {"finished": finished, "verified": bool(details.get("verified")), "share": share}

    async def _trace(self, request):
        rater, dimension = check_rater(request.query["rater"]), request.query["dimension"]
        clip = self._catalogue.clip(int(request.query["video"]))
        draft = self._catalogue.draft(rater, dimension, clip).trace()
        finished = self._catalogue.trace(rater, dimension, clip)
        trace = draft if len(draft) else finished
        return web().json_response({
            "times": (trace.times / 1000).tolist(),
            "values": (trace.values / 1000).tolist(),
            "draft": bool(len(draft)),
            "finished": bool(len(finished)),
            "details": self._catalogue.details(rater, dimension, clip),
        })  # fmt: skip

    async def _ghost(self, request):
        clip = self._catalogue.clip(int(request.query["video"]))
        if self._ghosts is None:
            raise UserError("There are no predictions: name their folder with `--predictions`.")
        return web().json_response(self._ghosts.curves(clip))

    async def _prepare(self, request):
        clip = self._catalogue.clip(int((await read_json(request))["video"]))
        return web().json_response(await self._copies.prepare(clip))

    async def _video(self, request):
        clip = self._catalogue.clip(int(request.match_info["number"]))
        path = await asyncio.to_thread(self._copies.playable, clip)
        if path is None:
            raise UserError("This video is not converted yet.")
        return web().FileResponse(path)

    async def _compare(self, request):
        clip = self._catalogue.clip(int(request.query["video"]))
        dimension = check_choice_of(request.query["dimension"])
        rater = check_rater(request.query["rater"])
        if not self._lead and not self._catalogue.annotation(rater, dimension, clip).is_file():
            raise UserError("Other raters' curves are shown once your own annotation of this video is finished.")
        return web().json_response(await asyncio.to_thread(compare, self._catalogue, clip, dimension))

    async def _select(self, request):
        if not self._lead:
            raise UserError("Annotations are selected by a lead: start with `--lead`.")
        asked = await read_json(request)
        clip = self._catalogue.clip(int(asked["video"]))
        select(self._catalogue, clip, check_choice_of(asked["dimension"]), [str(name) for name in asked["raters"]])
        return web().json_response({"selected": asked["raters"]})

    async def _record(self, request):
        socket = web().WebSocketResponse(max_msg_size=LARGEST_MESSAGE, heartbeat=20)
        await socket.prepare(request)
        recorder = Recorder(self._catalogue, self._writers)
        counted, since = 0, time.monotonic()
        try:
            async for message in socket:
                if message.type != web().WSMsgType.TEXT:
                    break
                counted += 1
                if time.monotonic() - since > 1:
                    counted, since = 0, time.monotonic()
                if counted > MOST_MESSAGES:
                    await socket.send_json({"type": "error", "error": "Too many messages a second."})
                    break
                asked = None
                try:
                    asked = json_text.loads(message.data)
                    answer = await asyncio.to_thread(recorder.answer, asked)
                except UserError as error:
                    answer = {"type": "error", "error": str(error)}
                except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                    answer = {"type": "error", "error": "This message is not understood."}
                except OSError as error:
                    reason = f"Nothing can be saved: {error.strerror} ({error.filename or 'the disk'}). Make room."
                    answer = {"type": "error", "error": reason, "again": True}
                if isinstance(asked, dict) and "batch" in asked:
                    answer["batch"] = asked["batch"]
                await socket.send_json(answer)
        finally:
            recorder.close()
        return socket


def check_choice_of(dimension: str) -> str:
    """Return the name of a dimension; raise a `UserError` if it is none."""
    check_choice("dimension", dimension, DIMENSIONS)
    return dimension
