"""A decoder that crashes or hangs spoils its own copy: the server answers on, and nothing half is left."""

import asyncio
import time

import pytest

from tests.helpers import conversations
from tests.helpers.annotated_clips import write_clip
from tests.helpers.conversations import origin
from tests.helpers.crashing import convert_and_count, convert_and_crash, convert_for_ever, crash_opening
from tfrecords_tools.annotate import clip_facts, copies
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.server import AnnotationServer


@pytest.fixture
def folder(tmp_path):
    write_clip(tmp_path / "old.avi", 0.3, codec="mpeg4")
    return tmp_path


async def prepared(session, address, number=1, seconds=60):
    """Ask for a copy until it is ready or refused; return the status and answer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        async with session.post(f"{address}api/prepare", json={"video": number}, headers=origin(address)) as response:
            answer = await response.json()
            if response.status != 200 or answer["ready"]:
                return response.status, answer
        await asyncio.sleep(0.02)
    raise AssertionError("neither ready nor refused")


def left(folder):
    return [path.name for path in (folder / ".annotate" / "copies").iterdir()]


def test_a_crash_is_said_and_the_next_try_makes_the_copy(folder, monkeypatch):
    async def conversation(session, address):
        with monkeypatch.context() as patched:
            patched.setattr(copies, "_transcode", convert_and_crash)
            refused = await prepared(session, address)
        leftovers = left(folder)
        async with session.get(f"{address}api/videos?rater=ann") as response:
            assert response.status == 200
        return refused, leftovers, await prepared(session, address)

    server = AnnotationServer(Catalogue(folder, apart=True))
    (status, answer), leftovers, (later, _) = conversations.asked(server, conversation)
    assert status == 400
    assert answer["error"].startswith("old.avi: cannot be converted for the browser; its process was ended (SIGSEGV).")
    assert leftovers == []
    assert later == 200
    (copy,) = left(folder)
    assert copy.endswith(".mp4")


def test_a_conversion_that_hangs_is_ended(folder, monkeypatch):
    monkeypatch.setattr(copies, "_transcode", convert_for_ever)
    monkeypatch.setattr(copies, "PATIENCE", 1.0)
    status, answer = conversations.asked(AnnotationServer(Catalogue(folder)), prepared)
    assert status == 400
    assert "nothing came of it in 1 seconds" in answer["error"]
    assert left(folder) == []


def test_a_conversion_ends_with_the_server(folder, monkeypatch):
    monkeypatch.setattr(copies, "_transcode", convert_for_ever)

    async def conversation(session, address):
        with pytest.raises(AssertionError, match="neither"):
            await prepared(session, address, seconds=0.05)
        while not (folder / ".annotate/copies").exists():
            await asyncio.sleep(0.02)
        return time.monotonic()

    ended = conversations.asked(AnnotationServer(Catalogue(folder)), conversation)
    assert time.monotonic() - ended < 30  # it would take ten minutes
    assert left(folder) == []


def test_a_damaged_video_is_refused_in_its_readers_words(folder):
    whole = (folder / "old.avi").read_bytes()
    (folder / "old.avi").write_bytes(whole[:3000] + bytes(len(whole) - 3000))
    status, answer = conversations.asked(AnnotationServer(Catalogue(folder)), prepared)
    assert (status, "old.avi" in answer["error"]) == (400, True)
    assert not (folder / ".annotate/copies").exists() or left(folder) == []


def test_two_servers_of_a_folder_convert_a_video_once(folder, monkeypatch):
    monkeypatch.setattr(copies, "_transcode", convert_and_count)

    async def with_another(session, address):
        runner = await another.loopback.start()
        try:
            return await asyncio.gather(*(prepared(session, each) for each in (address, another.loopback.address)))
        finally:
            await runner.cleanup()

    another = AnnotationServer(Catalogue(folder))
    answers = conversations.asked(AnnotationServer(Catalogue(folder)), with_another)
    assert [(status, answer["ready"]) for status, answer in answers] == [(200, True)] * 2
    assert (folder / "old.made").read_text().splitlines() == left(folder)


def test_a_video_at_which_opening_crashes_or_hangs_is_named_in_the_list(tmp_path, monkeypatch):
    monkeypatch.setattr(clip_facts, "_facts", crash_opening)
    monkeypatch.setattr(clip_facts, "PATIENCE", 0.5)
    for name in ("bad.mp4", "slow.mp4", "good.mp4"):
        (tmp_path / name).write_bytes(b"anything")

    async def conversation(session, address):
        async with session.get(f"{address}api/videos?rater=ann") as response:
            return (await response.json())["videos"]

    rows = conversations.asked(AnnotationServer(Catalogue(tmp_path, apart=True)), conversation)
    problems = {row["name"]: row["problem"] for row in rows}
    assert problems["good"] == ""
    assert "SIGSEGV" in problems["bad"]
    assert "nothing came of it in 0.5 seconds" in problems["slow"]


def test_a_file_that_is_no_video_is_named_in_the_list_and_the_others_stay(folder):
    (folder / "text.mp4").write_text("no video")

    async def conversation(session, address):
        async with session.get(f"{address}api/videos?rater=ann") as response:
            return response.status, await response.json()

    status, answer = conversations.asked(AnnotationServer(Catalogue(folder, apart=True)), conversation)
    assert status == 200
    problems = {row["name"]: row["problem"] for row in answer["videos"]}
    assert "text.mp4: not a readable video" in problems.pop("text")
    assert set(problems.values()) == {""}


def test_facts_are_read_again_when_the_file_has_changed(folder):
    clip = Catalogue(folder).clips[1]
    assert clip.facts.seconds == pytest.approx(0.3, abs=0.05)
    write_clip(folder / "old.avi", 0.6, codec="mpeg4")
    assert clip.facts.seconds == pytest.approx(0.6, abs=0.05)
