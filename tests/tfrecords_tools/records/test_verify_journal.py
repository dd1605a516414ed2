"""A verification that was killed goes on from what it had checked, and believes nothing of a file that has changed."""

import os
import shutil

import pytest

from tests.helpers.corpora import make_corpus
from tfrecords_tools import cli
from tfrecords_tools.records import manifest, record_checks, verify, verify_journal
from tfrecords_tools.worker_processes import Crash

FILE = ".verified.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    make_corpus(folder, [{"frames": 4}, {"frames": 5}, {"frames": 3, "split": "test"}, {"frames": 3, "split": "test"}])
    return folder


@pytest.fixture
def corpus(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "corpus")


@pytest.fixture
def read(monkeypatch):
    """Names of the files whose records are read."""
    names, checks = [], record_checks.are_sound

    def counted(path, *rest):
        names.append(path.name)
        return checks(path, *rest)

    monkeypatch.setattr(record_checks, "are_sound", counted)
    return names


def files(corpus):
    return [entry.file for entry in manifest.load(corpus).videos]


def killed_after(corpus, number, monkeypatch, kind=KeyboardInterrupt):
    """Verify, and have it end when it comes to the file after `number` others."""
    check, left = verify._checked, iter(range(number))

    def checked(file):
        if next(left, None) is None:
            raise kind
        return check(file)

    with monkeypatch.context() as patch:
        patch.setattr(verify, "_checked", checked)
        with pytest.raises(kind):
            verify.verify(corpus)


def test_what_was_checked_is_not_read_again(corpus, monkeypatch, read, shown):
    names = files(corpus)
    killed_after(corpus, 2, monkeypatch)
    assert read == names[:2]
    assert (corpus / FILE).exists()
    read.clear()
    shown()
    assert verify.verify(corpus) == []
    assert read == names[2:]
    assert "2 files checked before; comparing their contents, and reading the rest" in shown()
    assert not (corpus / FILE).exists()
    read.clear()
    verify.verify(corpus)
    assert read == names  # what is complete is forgotten: each verification reads everything


def damaged(path):
    """Change a bit, and nothing else that shows: size and time stay."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_contents_changed_with_their_time_put_back_are_found(corpus, monkeypatch):
    names = files(corpus)
    killed_after(corpus, 3, monkeypatch)
    damaged(corpus / names[1])
    problems = verify.verify(corpus)
    assert any("its sha256 is not the one in the manifest" in problem for problem in problems)
    assert all(problem.startswith(names[1]) for problem in problems)


@pytest.mark.parametrize("what", ["time", "rows", "rules"])
def test_a_file_or_manifest_that_is_another_is_read_again(corpus, monkeypatch, read, what):
    names = files(corpus)
    killed_after(corpus, 3, monkeypatch)
    read.clear()
    if what == "time":
        os.utime(corpus / names[0], ns=(0, 10**18))
    elif what == "rows":
        packed = manifest.load(corpus)
        packed.videos[0].index.setflags(write=False)
        rows = packed.videos[0].index.copy()
        rows["label"][0] = 0.25
        videos = (manifest.entry_from({**packed.videos[0].to_json()}, rows), *packed.videos[1:])
        manifest.save(manifest.dataclasses.replace(packed, videos=videos), corpus)
    else:
        monkeypatch.setattr(verify_journal, "RULES", 99)
    problems = verify.verify(corpus)
    assert bool(problems) == (what == "rows")
    assert read == (names if what == "rules" else [names[0], names[3]])


def test_problems_found_before_are_said_in_their_place(corpus, monkeypatch):
    names = files(corpus)
    for name in (names[1], names[3]):
        damaged(corpus / name)
    at_once = verify.verify(corpus)
    killed_after(corpus, 2, monkeypatch)
    assert verify.verify(corpus) == at_once
    assert len(at_once) > 2


def test_lines_that_are_damaged_or_cut_off_are_not_believed(corpus, monkeypatch, read):
    names = files(corpus)
    killed_after(corpus, 2, monkeypatch)
    first, second = (line for line in (corpus / FILE).read_text().splitlines() if '"sha256"' in line)
    (corpus / FILE).write_text(f'[1]\n{{"file": 3}}\n{first}\n{second[:-9]}\n"x"\n\x00')
    read.clear()
    assert verify.verify(corpus) == []
    assert read == names[1:]


def test_a_corpus_that_cannot_be_written_is_verified_and_has_no_journal(corpus, monkeypatch, tmp_path):
    path = verify_journal.Path
    monkeypatch.setattr(path, "open", _refusing(path.open))
    assert verify.verify(corpus) == []
    assert not (corpus / FILE).exists()


def _refusing(real):
    def opened(self, mode="r", *rest, **named):
        if self.name == FILE:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, mode, *rest, **named)

    return opened


def test_the_journal_may_be_elsewhere(corpus, monkeypatch, tmp_path, capsys):
    journal = tmp_path / "journal"
    monkeypatch.setattr(verify, "_checked", lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    assert cli.main(["verify", str(corpus), f"--journal={journal}"]) == 130
    assert journal.exists()
    assert not (corpus / FILE).exists()
    monkeypatch.undo()
    assert cli.main(["verify", str(corpus), f"--journal={journal}"]) == 0
    assert not journal.exists()


def test_what_has_ended_the_process_is_read_in_another_and_is_a_finding(corpus, monkeypatch):
    names = files(corpus)
    (corpus / FILE).write_text(f'{{"begun": "{names[2]}"}}\n')

    def results(function, items, workers, begin):
        assert [file.entry.file for file in items] == [names[2]]
        yield 0, Crash("SIGSEGV")

    monkeypatch.setattr(verify, "results", results)
    assert verify.verify(corpus) == [
        f"{names[2]} (test, v2): reading it ends the process (SIGSEGV); it cannot be checked"
    ]


def test_a_sound_file_is_not_read_record_by_record(corpus, monkeypatch):
    monkeypatch.setattr(record_checks, "problems_of_records", None)
    assert verify.verify(corpus) == []


@pytest.mark.slow
def test_several_processes_find_the_same_in_the_same_order(corpus):
    names = files(corpus)
    for name in (names[0], names[3]):
        damaged(corpus / name)
    (corpus / names[1]).unlink()
    at_once = verify.verify(corpus)
    assert verify.verify(corpus, workers=2) == at_once
    assert len({problem.split(" ")[0] for problem in at_once}) == 3
    assert not (corpus / FILE).exists()
