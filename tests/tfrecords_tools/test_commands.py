"""The parser that all command lines share: what it accepts, what it says, what a command shows."""

import argparse
import logging
from pathlib import Path

import pytest

from tfrecords_tools.commands import Names, Parser, Switch, corpus, real, run, show_log, whole
from tfrecords_tools.errors import UserError
from tfrecords_tools.version import VERSION

BOTH = ("one", "two")


def parser():
    made = Parser(prog="try.py", description="Try it.", extra="set")
    made.add_argument("--name", required=True, metavar="NAME", help="of it")
    made.add_argument("--set", nargs="+", action="extend", default=[], metavar="FIELD=VALUE", help="fields")
    made.add_argument("--watch", action=Switch, help="wait for more")
    made.add_argument("--carry", action=Switch, default=None, help="carry on")
    made.add_argument("--only", action=Names, names=BOTH, default=[*BOTH], metavar="NAMES", help="some")
    made.add_argument("--gpu", type=whole(least=-1), metavar="N", help="of the GPU")
    made.add_argument("--rate", type=real(0, 1), default=0.5, metavar="X", help="of it")
    made.add_argument("--split", choices=("train", "test"), help="of it")
    made.add_argument("--folder", type=Path, metavar="DIR", help="of it")
    made.add_argument("--corpus", type=corpus, metavar="DIR", help="of it")
    made.add_argument("--watcs", help=argparse.SUPPRESS)  # of an earlier version
    return made


def parsed(*arguments):
    found = []
    assert run(parser(), found.append, ["--name=x", *arguments]) == 0
    return found[0]


def error(capsys, *arguments, command=lambda options: None):
    """The one line of an error, without its first word."""
    assert run(parser(), command, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set=a=1", "b=2", "--set", "c=3", "d=4"],
        ["--set", "a=1", "b=2", "--gpu", "0", "--set=c=3", "d=4"],
        ["--set=a=1", "--set=b=2", "--set", "c=3", "--watch", "d=4"],
    ],
)
def test_several_assignments_may_follow(arguments):
    assert parsed(*arguments).set == ["a=1", "b=2", "c=3", "d=4"]


def test_assignments_may_stand_alone():
    assert parsed("a=1", "--gpu=-1", "b=2").set == ["a=1", "b=2"]
    assert parsed().set == []


@pytest.mark.parametrize(
    ("arguments", "watch", "carry"),
    [
        ([], False, None),
        (["--watch", "--carry"], True, True),
        (["--nowatch", "--nocarry"], False, False),
        (["--watch=true", "--carry=0"], True, False),
        (["--watch", "--nowatch"], False, None),
    ],
)
def test_switches(arguments, watch, carry):
    options = parsed(*arguments)
    assert (options.watch, options.carry) == (watch, carry)


@pytest.mark.parametrize(
    ("arguments", "only"),
    [
        ([], ["one", "two"]),
        (["--only=two"], ["two"]),
        (["--only=two,one"], ["two", "one"]),
        (["--only", "two", "--only=one", "--only=two"], ["two", "one"]),
    ],
)
def test_names_have_commas_or_come_several_times(arguments, only):
    assert parsed(*arguments).only == only


def test_numbers_may_be_negative_and_follow_a_blank():
    assert parsed("--gpu", "-1", "--rate", "1e-1").gpu == -1
    assert parsed("--rate=0.25").rate == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`--name` must be given. See `try.py --help`."),
        (["--name=x", "--gup=1"], "`--gup` is not a flag of try.py. Did you mean --gpu? `try.py --help` lists"),
        (["--name=x", "--carri"], "Did you mean --carry?"),
        (["--nam=x"], "`--nam` is not a flag of try.py. Did you mean --name?"),
        (["--name=x", "-v"], "`-v` is not a flag of try.py."),
        (["--name=x", "--gpu=one"], "`--gpu` must be a whole number. Received: one"),
        (["--name=x", "--gpu=1_0"], "`--gpu` must be a whole number. Received: 1_0"),
        (["--name=x", "--gpu=\uff11"], "`--gpu` must be a whole number. Received: \uff11"),
        (["--name=x", "--rate=0_1"], "`--rate` must be a number. Received: 0_1"),
        (["--name=x", "--gpu=-2"], "`--gpu` must be at least -1. Received: -2"),
        (["--name=x", "--rate=1.5"], "`--rate` must be from 0 to 1. Received: 1.5"),
        (["--name=x", "--rate=nan"], "`--rate` must be from 0 to 1. Received: nan"),
        (["--name=x", "--split=tset"], "`--split` must be one of train, test. Received: tset. Did you mean test?"),
        (["--name=x", "--only=one,tow"], "`--only` must be one of one, two. Received: tow. Did you mean two?"),
        (["--name=x", "--watch=maybe"], "`--watch` takes no value. Received: maybe"),
        (["--name=x", "--gpu"], "`--gpu` must have a value. Received: none."),
        (["--name=x", "--folder="], "`--folder` must have a value. Received: none."),
        (["--name=x", "--corpus="], "`--corpus` must have a value. Received: none."),
        (["--name=x", "--watc"], "`--watc` is not a flag of try.py. Did you mean --watch?"),
        (["--name=x", "more", "a=b", "again"], "Only `name=value` may follow the flags. Received: more again"),
    ],
)
def test_an_error_of_usage_is_one_line(arguments, message, capsys):
    assert message in error(capsys, *arguments)


def test_a_message_of_the_library_names_the_flag_of_the_command(capsys):
    def command(options):
        raise UserError("`rate` must be small, as `training.rate` and `size` must. Received: 1")

    message = error(capsys, "--name=x", command=command)
    assert message == "`--rate` must be small, as `training.rate` and `size` must. Received: 1"


def test_subcommands_have_their_own_flags(capsys):
    main = Parser(prog="many")
    commands = main.add_subparsers(required=True, metavar="COMMAND")
    for name in ("first", "second"):
        command = commands.add_parser(name)
        command.add_argument(f"--of_{name}", type=whole(), metavar="N")
        command.set_defaults(run=lambda options: (_ for _ in ()).throw(UserError("`of_first` and `of_second`")))
    for arguments, message in (
        (["first"], "`--of_first` and `of_second`"),
        (["second"], "`of_first` and `--of_second`"),
        (["first", "--of_secnod=1"], "`--of_secnod` is not a flag of many first. `many first --help`"),
        (["first", "--of_frist=1"], "Did you mean --of_first?"),
        (["frist"], "`COMMAND` must be one of first, second. Received: frist. Did you mean first?"),
        ([], "`COMMAND` must be given. See `many --help`."),
    ):
        assert run(main, lambda options: options.run(options), arguments) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-h", "--help", "--version"])
def test_help_and_version_are_no_errors(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        run(parser(), print, [flag])
    assert ended.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    if flag == "--version":
        assert out == f"affwildnet {VERSION}\n"
    else:
        assert out.startswith("usage: try.py --name=NAME [options]\n")
        for line in ("--watch ", "--[no]carry ", "--gpu=N ", "--set=FIELD=VALUE ...", "--split={train,test} "):
            assert line in out


def test_information_is_shown_as_plain_lines_once(capsys):
    show_log()
    show_log()
    log = logging.getLogger("affwildnet.somewhere.inside")
    log.info("step %d", 5)
    log.debug("hidden")
    logging.getLogger("tfrecords_tools").warning("packed")
    logging.getLogger("another").info("hidden")
    assert capsys.readouterr().out == "step 5\npacked\n"
