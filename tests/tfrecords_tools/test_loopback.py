"""What is no HTTP, or is broken off, gets a 400 or nothing, and leaves no traceback in the terminal."""

import asyncio
import base64
import logging

import pytest

from tfrecords_tools.loopback import LoopbackServer, read_json, web

# Sent as they are: {own} is the server's address, {token} its token.
POST = "POST /{token}/json HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n"
MALFORMED = {
    "garbage": bytes(range(256)) * 4,
    "a line that is no request": b"GARBAGE\r\n\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "a line that is too long": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    "a header that is too long": b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "a NUL in the path": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an address that is none": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length that is no number": POST + "Content-Length: x\r\n\r\n",
    "a length below 0": POST + "Content-Length: -4\r\n\r\n",
    "two lengths": POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a chunk without a length": POST + "Transfer-Encoding: chunked\r\n\r\nZZZ\r\nabc",
    "no gzip": POST + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "no such charset": POST + "Content-Type: text/plain; charset=nope\r\nContent-Length: 4\r\n\r\nabcd",
    "no JSON": POST + "Content-Length: 4\r\n\r\nabcd",
}
BROKEN_OFF = {
    "within the headers": POST,
    "within the body": POST + "Content-Length: 50\r\n\r\nabc",
    "of a body without an end": POST + "Content-Length: 99999999999\r\n\r\nabc",
    "within a chunk": POST + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
}


def served(exchange):
    """Run `exchange(send, server)` beside a server, and return what it returns."""

    async def run():
        server = LoopbackServer()

        async def answer(request):
            return web().json_response(await read_json(request))

        async def fail(request):
            raise RuntimeError("of the server's own\nin two lines")

        server.route("POST", "json", answer)
        server.route("GET", "fail", fail)
        runner = await server.start()
        own, token = server.address.removeprefix("http://").split("/")[:2]

        async def send(data, wait=True):
            if isinstance(data, str):
                data = data.replace("{own}", own).replace("{token}", token).encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(own.rpartition(":")[2]))
            writer.write(data)
            await writer.drain()
            found = await asyncio.wait_for(reader.read(4000), 10) if wait else b""
            writer.close()
            await asyncio.sleep(0 if wait else 0.05)
            return found

        try:
            return await exchange(send)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


@pytest.fixture
def logged():
    """Lines that a terminal would show of what is logged: warnings and worse."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.extend(self.format(record).splitlines())

    handler = Kept(logging.WARNING)
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def test_what_is_malformed_is_refused_without_a_line(logged, capfd):
    async def exchange(send):
        return {name: await send(data) for name, data in MALFORMED.items()}

    for name, found in served(exchange).items():
        assert found.split(b" ", 2)[1] == b"400", (name, found)
        assert b"Traceback" not in found
    assert logged == []
    assert capfd.readouterr().err == ""


def test_what_is_broken_off_leaves_the_server_as_it_was(logged, capfd):
    async def exchange(send):
        for data in BROKEN_OFF.values():
            await send(data, wait=False)
        return await send(POST + 'Content-Length: 7\r\nConnection: close\r\n\r\n{"a":1}')

    found = served(exchange)
    assert found.startswith(b"HTTP/1.1 200")
    assert found.endswith(b'{"a": 1}')
    assert logged == []
    assert capfd.readouterr().err == ""


def test_an_error_of_the_servers_own_is_one_line(logged, monkeypatch):
    monkeypatch.delenv("AFFWILDNET_DEBUG", raising=False)
    found = served(lambda send: send("GET /{token}/fail HTTP/1.1\r\nHost: {own}\r\n\r\n"))
    assert found.split(b" ", 2)[1] == b"500"
    assert len(logged) == 1
    assert logged[0].endswith("RuntimeError: of the server's own in two lines")


def test_frames_that_are_no_websockets_end_it(tmp_path, logged):
    from tests.helpers.annotated_clips import write_clip
    from tfrecords_tools.annotate.catalogue import Catalogue
    from tfrecords_tools.annotate.server import AnnotationServer

    write_clip(tmp_path / "a.mp4", 0.2)
    key = base64.b64encode(bytes(16)).decode()
    upgrade = "GET /{token}/api/record HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\nConnection: Upgrade\r\n"
    upgrade += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"

    async def run():
        server = AnnotationServer(Catalogue(tmp_path)).loopback
        runner = await server.start()
        own = server.address.split("/")[2]
        try:
            for data in (b"\xff" * 40, b"\x81\xfe\xff\xff" + bytes(4), b"\x81\x84" + bytes(4) + b"\xff\xfe\xfd\xfc"):
                reader, writer = await asyncio.open_connection(*own.split(":"))
                writer.write(upgrade.format(own=own, token=server.token, key=key).encode())
                assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                writer.write(data)
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 10)
                writer.close()
        finally:
            await runner.cleanup()

    asyncio.run(run())
    assert logged == []
