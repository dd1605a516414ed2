"""Two processes on one thing: one does it and the other says who holds it, or both end as one after the other would."""

import pytest

from tests.faults import scene
from tests.faults.commands import LONG

# Seconds that a process waits before each file operation, so that the other comes between.
SLOW = 0.05
PAIRS = 10 if LONG else 1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return scene.make_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def both(commands, first, second, root):
    """Start two commands at once, both slow at files; return how they ended."""
    started = [commands.start(*each, root=root, pause=SLOW) for each in (first, second)]
    return [commands.wait(each) for each in started]


def assert_one_did_it(ended):
    """Assert that at least one has done it, and that the other says in one line why it has not."""
    done = [each for each in ended if each.status == 0]
    assert done, [each.errors for each in ended]
    for each in ended:
        if each.status != 0:
            each.assert_one_line()
    return len(done)


@pytest.mark.slow
@pytest.mark.parametrize("pair", range(PAIRS))
def test_two_trainers(pair, commands, corpus, tmp_path):
    workdir = tmp_path / "run"
    rates = [f"training.learning_rate={rate}" for rate in (0.01, 0.02)]
    commands_of = [("train", *scene.train_arguments(corpus, workdir, rate)) for rate in rates]
    ended = both(commands, *commands_of, workdir)
    assert assert_one_did_it(ended) == 1
    (rate,) = [rate for rate, each in zip(rates, ended, strict=True) if each.status == 0]
    assert commands.run("train", *scene.train_arguments(corpus, tmp_path / "alone", rate)).status == 0
    name = "checkpoints/step-00000006.keras"
    scene.assert_same_weights(workdir / name, tmp_path / "alone" / name)


@pytest.mark.slow
def test_two_watchers(commands, corpus, tmp_path):
    workdir = tmp_path / "run"
    assert commands.run("train", *scene.train_arguments(corpus, workdir)).status == 0
    watch = ("evaluate", f"--workdir={workdir}", "--watch")
    assert_one_did_it(both(commands, watch, watch, workdir))
    assert sorted(scene.scores_of(workdir)) == [2, 4, 6]
    assert (workdir / "best/best_mean.keras").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["new", "overwrite"])
@pytest.mark.parametrize("pair", range(PAIRS))
def test_two_packs(pair, more, commands, tmp_path):
    sources = [scene.make_dataset(tmp_path / f"clips {gain}", gain=gain) for gain in (1, -1)]
    expected = []
    for index, source in enumerate(sources):
        assert commands.run("tools", *scene.pack_arguments(source, tmp_path / f"whole {index}")).status == 0
        expected.append(scene.bytes_of(tmp_path / f"whole {index}"))
    output = tmp_path / "out/packed"
    if more:
        assert commands.run("tools", *scene.pack_arguments(sources[0], output)).status == 0
        scene.add_notes(output)
    packs = [("tools", *scene.pack_arguments(source, output, *more)) for source in sources]
    ended = both(commands, *packs, tmp_path / "out")
    assert_one_did_it(ended)
    found = scene.bytes_of(output, without=("notes.txt", "folds.json"))
    assert found in [each for each, one in zip(expected, ended, strict=True) if one.status == 0]
    scene.assert_corpus(output)
    if more:
        scene.assert_notes(output)


@pytest.mark.slow
def test_a_trainer_whose_corpus_is_packed_again(commands, tmp_path):
    corpus, workdir = tmp_path / "packed", tmp_path / "run"
    for gain in (1, -1):
        scene.make_dataset(tmp_path / f"{gain}", frames=8, gain=gain)
    pack = [("tools", *scene.pack_arguments(tmp_path / f"{gain}", corpus, "--overwrite")) for gain in (1, -1)]
    assert commands.run(*pack[0][:-1]).status == 0
    trained = commands.start("train", *scene.train_arguments(corpus, workdir), root=workdir, pause=SLOW)
    packed = commands.run(*pack[1])
    assert packed.status == 0, packed.errors
    ended = commands.wait(trained)
    if ended.status != 0:
        ended.assert_one_line()
    scene.assert_no_half_file(workdir)
    # Whatever the first did, going on with the other labels is refused.
    again = commands.run("train", *scene.train_arguments(corpus, workdir, "training.steps=8"))
    if (workdir / "checkpoints/step-00000002.keras").exists():
        assert "corpus" in again.assert_one_line() or "labels" in again.assert_one_line()
    else:
        assert again.status == 0, again.errors
