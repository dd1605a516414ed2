"""Damaged records are found and never read as other values; a manifest is right or refused."""

import random
import shutil
from collections import Counter

import pytest

from tests.faults.commands import LONG
from tests.faults.mutations import OK, REFUSED, assert_harmless, outcome
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.records.verify import verify

FLIPS = 500 if LONG else 24


@pytest.fixture
def corpus(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.mark.slow
def test_damaged_manifests(corpus):
    def read():
        found = manifest.load(corpus)
        for entry in found.videos:
            read_records(corpus, entry, fields=found.fields)
        return found

    def is_right(found):
        return all(
            entry.frames == len(entry.frame_numbers) == len(entry.offsets)
            and sum(entry.record_bytes) == (corpus / entry.file).stat().st_size
            and min(entry.record_bytes) > 0
            for entry in found.videos
            if (corpus / entry.file).is_file()
        )

    assert_harmless(corpus / manifest.FILE_NAME, read, is_right)


@pytest.mark.slow
def test_every_bit_flip_is_found_and_none_is_read(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "corpus")
    corpus = tmp_path / "corpus"
    entries = manifest.load(corpus).videos
    chance = random.Random(0)
    counted, bad = Counter(), []
    for case in range(FLIPS):
        entry = entries[case % len(entries)]
        path = corpus / entry.file
        whole = path.read_bytes()
        right = [str(record) for record in read_records(corpus, entry)]
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(damaged))
        try:
            kind, text = outcome(
                lambda entry=entry: [str(record) for record in read_records(corpus, entry)],
                lambda found, right=right: found == right,
            )
            problems = verify(corpus)
        finally:
            path.write_bytes(whole)
        counted[kind] += 1
        if kind not in (OK, REFUSED) or not problems:
            bad.append(f"case {case}: {kind}: {text}; verify: {problems}")
    print("records:", dict(counted))
    assert not bad, "\n".join(bad[:8])
    assert verify(corpus) == []
