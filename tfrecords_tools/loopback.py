"""A web server for the person at this computer: loopback address, a secret in the address, nothing from elsewhere.

Every path begins with a random token, so that another user or a page in another tab cannot guess it. Requests must name
this server in `Host`, which stops DNS rebinding, and those that change something or open a WebSocket must come from its
own pages (`Origin`). A Content-Security-Policy lets the pages load nothing from anywhere else.
"""

import asyncio
import errno
import hmac
import ipaddress
import logging
import secrets
import socket
import webbrowser
from collections.abc import Awaitable, Callable
from pathlib import Path

from tfrecords_tools.errors import UserError, debugging
from tfrecords_tools.errors.terminal import one_line
from tfrecords_tools.files import json_text

INSTALL = 'The page is served by aiohttp: pip install -e ".[annotate]"'
SHARED = Path(__file__).with_name("shared_page")
# Bytes of a request's body, and of a message of a WebSocket.
LARGEST_MESSAGE = 1 << 18

# Seconds for which the rest of a refused body is read.
_LINGERING = 1.0

_log = logging.getLogger(__name__)
# Of what aiohttp says of requests, see `_in_one_line`.
_requests = logging.getLogger(f"{__name__}.requests")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def web():
    """Return `aiohttp.web`; raise a `UserError` where aiohttp is not installed."""
    try:
        from aiohttp import web as found
    except ImportError:
        raise UserError(f"This needs aiohttp. {INSTALL}") from None
    return found


class LoopbackServer:
    """Serves an application's routes below a token.

    Attributes:
      token: first part of every path.
      address: of the first page, once it runs.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        """Prepare a server; port 0 takes any free one."""
        self.token = secrets.token_urlsafe(24)
        self.address = ""
        self._host, self._port = host, port
        self._names: set[str] = set()
        self._any_address = False  # whether it listens on all of this computer's

        @web().middleware
        async def guard(request, handler):
            return await self._guard(request, handler)

        self.app = web().Application(middlewares=[guard], client_max_size=LARGEST_MESSAGE)

    def route(self, method: str, path: str, handler: Callable) -> None:
        """Add a handler for `path`, which begins behind the token."""
        self.app.router.add_route(method, f"/{{token}}/{path}", handler)

    def pages(self, folder: Path) -> None:
        """Serve the files of a folder below `app/`, with those that all pages share; index.html is the first page."""
        files = {path.name: path for place in (SHARED, folder) for path in place.iterdir() if path.suffix in _TYPES}

        async def send(request):
            path = files.get(request.match_info.get("file", "index.html"))
            if path is None:
                raise web().HTTPNotFound
            return web().Response(
                body=path.read_bytes(),
                content_type=_TYPES[path.suffix],
                charset="utf-8",
                headers={"Cache-Control": "no-store"},
            )

        self.route("GET", "", send)
        self.route("GET", "app/{file}", send)

    async def start(self):
        """Begin to serve; return what `aiohttp.web.AppRunner` is, to be cleaned up."""
        runner = web().AppRunner(self.app, access_log=None, logger=_requests, lingering_time=_LINGERING)
        await runner.setup()
        site = web().TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise UserError(
                    f"`--host` must be an address of this computer. Received: {self._host} ({error.strerror})."
                ) from None
            raise UserError(
                f"`--port` must be free on {self._host}. Received: {self._port} ({error.strerror}). Leave it out to "
                "take any free one."
            ) from None
        port = site._server.sockets[0].getsockname()[1]
        if _is_any(self._host):
            # Other computers know this one by its name or by any of its addresses.
            self._any_address, shown = True, socket.gethostname()
        else:
            shown = f"[{self._host}]" if ":" in self._host else self._host
        self._port = port
        self._names = {f"{name}:{port}" for name in (shown, "localhost", "127.0.0.1", "[::1]")}
        self.address = f"http://{shown}:{port}/{self.token}/"
        return runner

    def serve(self, open_browser: bool, started: Callable[[str], None]) -> None:
        """Serve until the process is interrupted.

        Args:
          open_browser: whether the first page is opened.
          started: called with the address.
        """

        async def run():
            runner = await self.start()
            started(self.address)
            if open_browser:
                webbrowser.open(self.address)
            try:
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()

        asyncio.run(run())

    def _is_own(self, host: str) -> bool:
        """Return whether `host` (name and port) is this server's; an address that is no name cannot be rebound."""
        if host in self._names or not self._any_address:
            return host in self._names
        name, _, port = host.rpartition(":")
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return port == str(self._port)

    async def _guard(self, request, handler: Callable[..., Awaitable]):
        given = request.match_info.get("token", "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise web().HTTPNotFound  # says nothing of what is here
        if not self._is_own(request.host):
            return _refused("This server answers under its own address only.")
        origin = request.headers.get("Origin")
        asks = request.method not in ("GET", "HEAD") or "upgrade" in request.headers.get("Connection", "").lower()
        if asks and not (origin and origin.startswith("http://") and self._is_own(origin.removeprefix("http://"))):
            return _refused("Only this server's own pages may ask for that.")
        try:
            response = await handler(request)
        except UserError as error:
            response = web().json_response({"error": str(error)}, status=400)
        except (ValueError, LookupError, TypeError, web().RequestPayloadError) as error:
            _log.debug("refused: %s %s: %r", request.method, request.path, error)
            response = web().json_response({"error": "This request is not understood."}, status=400)
        if not response.prepared:
            response.headers.update(_headers(request.host))
        return response


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this computer alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_one_line(record: logging.LogRecord) -> bool:
    """Return whether a record is shown: not if a client speaks no HTTP or has gone; what is shown has no traceback."""
    from aiohttp.http_exceptions import HttpProcessingError

    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (HttpProcessingError, web().RequestPayloadError, ConnectionError, TimeoutError)):
        _log.debug("refused: %s: %r", record.getMessage(), error)
        return False
    if error is not None and not debugging():
        record.msg, record.args = one_line(f"{record.getMessage()}: {type(error).__name__}: {error}"), ()
        record.exc_info = record.exc_text = None
    return True


_requests.addFilter(_in_one_line)


async def read_json(request) -> dict:
    """Return the JSON object that a request carries; raise a `ValueError` if it is none."""
    found = json_text.loads(await request.text())
    if not isinstance(found, dict):
        raise ValueError("must be an object")
    return found


def _headers(host: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            f"media-src 'self' blob:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _refused(reason: str):
    return web().json_response({"error": reason}, status=403)
