"""The server as a client sees it: what it gives, and what it refuses."""

import asyncio
import json
import socket
import sys

import aiohttp
import pytest

from tests.helpers import conversations
from tests.helpers.annotated_clips import annotate, make_folder, write_clip
from tests.helpers.conversations import origin
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.server import AnnotationServer
from tfrecords_tools.cli import main
from tfrecords_tools.video import browser_copy


def asked(catalogue, conversation, **options):
    """What a client's conversation with a running server returns."""
    return conversations.asked(AnnotationServer(catalogue, **options), conversation)


async def get(session, url, **more):
    async with session.get(url, **more) as response:
        return response.status, response.headers.copy(), await response.read()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotate")
    made = make_folder(folder, ["one", "two words 'q' \u00e9\u4e2d"])
    write_clip(folder / "videos" / "old.avi", codec="mpeg4")
    return Catalogue(folder) if made else None


def test_a_video_is_sent_in_ranges(catalogue):
    async def conversation(session, address):
        clip = catalogue.clips[2]
        whole = await get(session, f"{address}video/2")
        part = await get(session, f"{address}video/2", headers={"Range": "bytes=10-19"})
        return clip.path.read_bytes(), whole, part

    data, (status, _, whole), (part_status, headers, part) = asked(catalogue, conversation)
    assert (status, whole) == (200, data)
    assert (part_status, part) == (206, data[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(data)}"


@pytest.mark.parametrize("page", ["", "app/main.js", "app/style.css", "api/welcome", "api/videos?rater=ann"])
def test_pages_allow_nothing_from_elsewhere(page, catalogue):
    status, headers, _ = asked(catalogue, lambda session, address: get(session, address + page))
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_without_the_token_there_is_nothing(catalogue):
    async def conversation(session, address):
        base, token = address.rstrip("/").rsplit("/", 1)
        wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
        paths = [
            "",
            "/",
            f"/{wrong}/",
            f"/{wrong}/api/videos?rater=ann",
            "/api/videos",
            "/video/1",
            f"/{wrong}/video/1",
        ]
        return [(await get(session, base + path))[0] for path in paths]

    assert set(asked(catalogue, conversation)) == {404}


@pytest.mark.parametrize(
    "path",
    [
        "app/../server.py",
        "app/..%2f..%2fserver.py",
        "video/../../etc/passwd",
        "video/0",
        "video/99",
        "app/x.py",
        "video/-1",
    ],
)
def test_no_path_leads_out(path, catalogue):
    async def conversation(session, address):
        base, token = address.rstrip("/").rsplit("/", 1)
        reader, writer = await asyncio.open_connection(base.split("/")[2].split(":")[0], int(base.split(":")[-1]))
        host = base.split("/")[2]
        writer.write(f"GET /{token}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    answer = asked(catalogue, conversation)
    assert int(answer.split()[1]) in (400, 404)
    assert b"import" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_another_host_name_is_refused(host, catalogue):
    status, _, _ = asked(catalogue, lambda session, address: get(session, address, headers={"Host": host}))
    assert status in (400, 403)


@pytest.mark.parametrize("sent", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_what_changes_something_comes_from_the_own_page(sent, catalogue):
    async def conversation(session, address):
        async with session.post(f"{address}api/prepare", json={"video": 1}, headers=sent) as response:
            posted = response.status
        try:
            async with session.ws_connect(f"{address}api/record", headers=sent):
                return posted, 101
        except aiohttp.WSServerHandshakeError as error:
            return posted, error.status

    assert asked(catalogue, conversation) == (403, 403)


async def talk(session, address, *messages):
    answers = []
    async with session.ws_connect(f"{address}api/record", headers=origin(address)) as socket:
        for message in messages:
            try:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
                answer = await socket.receive(timeout=10)
            except ConnectionError:
                return [*answers, aiohttp.WSMsgType.CLOSED]
            if answer.type != aiohttp.WSMsgType.TEXT:
                return [*answers, answer.type]
            answers.append(json.loads(answer.data))
    return answers


OPEN = {"type": "open", "rater": "zoe", "video": 2, "dimensions": ["valence"]}


def test_messages_are_answered_and_nonsense_is_not_understood(catalogue):
    found = asked(
        catalogue,
        lambda session, address: talk(
            session,
            address,
            "{",
            "[]",
            '"x"',
            {"type": "open", "rater": "../x", "video": 2, "dimensions": ["valence"]},
            OPEN,
        ),
    )
    assert [answer["type"] for answer in found] == ["error"] * 4 + ["open"]
    assert "rater's name" in found[3]["error"]
    assert not any("Traceback" in json.dumps(answer) for answer in found)


def test_a_message_of_10_megabytes_ends_the_conversation(catalogue):
    found = asked(catalogue, lambda session, address: talk(session, address, OPEN, '"' + "x" * 10_000_000 + '"'))
    assert found[0]["type"] == "open"
    assert found[1] in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


def test_a_flood_of_messages_ends_the_conversation(catalogue):
    found = asked(catalogue, lambda session, address: talk(session, address, OPEN, *[{"type": "undo"}] * 300))
    assert "Too many messages" in found[-2]["error"] if found[-1] == aiohttp.WSMsgType.CLOSE else found[-1]["error"]


def test_a_large_body_is_refused(catalogue):
    async def conversation(session, address):
        async with session.post(f"{address}api/select", data=b"x" * 10_000_000, headers=origin(address)) as response:
            return response.status

    assert asked(catalogue, conversation, lead=True) in (400, 413)


@pytest.mark.parametrize("sent", [{"Content-Type": "text/plain; charset=none"}, {"Content-Encoding": "gzip"}])
def test_a_body_that_cannot_be_decoded_is_refused(sent, catalogue):
    async def conversation(session, address):
        headers = {**origin(address), **sent}
        async with session.post(f"{address}api/prepare", data=b"{}", headers=headers) as response:
            return response.status

    assert asked(catalogue, conversation) == 400


def test_raters_are_blind_until_they_have_finished(catalogue):
    annotate(catalogue, "ann", "one", lambda t: 0.2, ["valence"])

    async def conversation(session, address):
        url = f"{address}api/compare?video=2&dimension=valence&rater=ben"
        return catalogue.clips[2].name, await get(session, url)

    name, (status, _, body) = asked(catalogue, conversation)
    assert name == "one"
    assert status == 400
    assert b"once your own annotation" in body
    assert asked(catalogue, conversation, lead=True)[1][0] == 200


def test_only_a_lead_selects_and_the_table_is_what_agreement_reads(catalogue):
    for rater, value in (("ann", 0.2), ("ben", 0.4), ("eve", -0.9)):
        annotate(catalogue, rater, "one", lambda t, value=value: value * (1 - t), ["valence"])

    async def conversation(session, address):
        statuses = []
        for raters in (["ann"], ["ann", "nobody"], ["ann", "ann"], ["ann", "ben"]):
            body = {"video": 2, "dimension": "valence", "raters": raters}
            async with session.post(f"{address}api/select", json=body, headers=origin(address)) as response:
                statuses.append(response.status)
        return statuses

    assert asked(catalogue, conversation) == [400] * 4
    assert not (catalogue.source / "selected.csv").exists()
    assert asked(catalogue, conversation, lead=True) == [400, 400, 400, 200]
    assert (catalogue.source / "selected.csv").read_text() == "video,annotators,dimension\none,ann;ben,valence\n"


def test_a_video_that_browsers_do_not_play_is_converted_once(catalogue):
    clip = next(clip for clip in catalogue.clips.values() if clip.name == "old")
    before = clip.path.read_bytes()

    async def conversation(session, address):
        early = await get(session, f"{address}video/{clip.number}")
        for _ in range(200):
            body = {"video": clip.number}
            async with session.post(f"{address}api/prepare", json=body, headers=origin(address)) as response:
                if (await response.json())["ready"]:
                    return early[0], await get(session, f"{address}video/{clip.number}")
            await asyncio.sleep(0.05)
        raise AssertionError("not converted")

    early, (status, headers, data) = asked(catalogue, conversation)
    assert (early, status) == (400, 200)
    assert headers["Content-Type"] == "video/mp4"
    assert data[4:8] == b"ftyp"
    assert clip.path.read_bytes() == before
    (copy,) = (catalogue.source / ".annotate" / "copies").iterdir()
    assert browser_copy.times(copy) == browser_copy.times(clip.path)


def test_a_name_that_is_too_long_for_its_files_is_left_out(tmp_path):
    make_folder(tmp_path, ["\u00fc" * 120, "y" * 241])
    catalogue = Catalogue(tmp_path)
    assert [clip.name for clip in catalogue.clips.values()] == ["\u00fc" * 120]
    assert "at most 240 bytes" in catalogue.left_out["y" * 241]
    annotate(catalogue, "ann", "\u00fc" * 120, lambda time: 0.5)


def test_on_all_addresses_it_answers_to_each_of_them_but_to_no_other_name(catalogue):
    async def conversation(session, address):
        port = address.split("/")[2].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/{address.split('/')[3]}/api/welcome"
        hosts = (f"192.168.7.7:{port}", f"[fe80::1]:{port}", f"evil.example:{port}", "192.168.7.7:1")
        return [(await get(session, url, headers={"Host": host}))[0] for host in hosts]

    assert asked(catalogue, conversation, host="0.0.0.0") == [200, 200, 403, 403]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port=99999"], "65535"),
        (["--host=no.such.host.invalid"], "`--host` must be an address of this computer"),
        (["--host=203.0.113.9"], "`--host` must be an address of this computer"),
        (["--rater=../x"], "A rater's name must be"),
    ],
)
def test_what_cannot_be_served_is_one_line(catalogue, capsys, options, message):
    assert main(["annotate", f"--source={catalogue.source}", "--no_browser", *options]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert message in line


def test_a_port_in_use_is_one_line(catalogue, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["annotate", f"--source={catalogue.source}", "--no_browser", f"--port={port}"]) == 2
    assert f"`--port` must be free on 127.0.0.1. Received: {port}" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "name"), [("aiohttp", "aiohttp"), ("av", "PyAV")])
def test_a_missing_package_is_one_line(catalogue, capsys, monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["annotate", f"--source={catalogue.source}", "--no_browser"]) == 2
    assert f"error: This needs {name}." in capsys.readouterr().err
