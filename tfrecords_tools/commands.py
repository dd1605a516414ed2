"""What all command lines share: the parser, its types of values, how messages and errors are shown.

    parser = Parser(prog="affwildnet weights", description="Import published weights.")
    parser.add_argument("--seed", type=whole(least=0), default=0, metavar="N", help="of what is random")
    parser.add_argument("--overwrite", action=Switch, help="replace what is there")
    return run(parser, lambda options: ..., arguments)

Flags are written `--flag=value` or `--flag value`, switches `--flag` or `--noflag`. Imports nothing heavy, so that help
and errors of usage come at once.
"""

import argparse
import inspect
import logging
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfrecords_tools import crash_guard
from tfrecords_tools.errors import UserError, exit_status, suggestion, terminal
from tfrecords_tools.files import folder_at, is_remote
from tfrecords_tools.files.number_text import number
from tfrecords_tools.version import VERSION

PACKAGES = ("tfrecords_tools", "affwildnet")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
# argparse's words for what was wrong with a flag, and ours.
_WORDS = (
    (r"expected .*argument.*", "must have a value. Received: none."),
    (r"ignored explicit argument '(.*)'", r"takes no value. Received: \1"),
    (r"not allowed with argument (.*)", r"cannot be used with `\1`."),
)


def run(
    parser: "Parser", command: Callable[[argparse.Namespace], int | None], arguments: Sequence[str] | None = None
) -> int:
    """Parse a command line, run its command and return the exit status.

    An error of usage, and a `UserError` of the command, is printed as one line that begins with "error: ". Where the
    library's message names a parameter that is a flag of this command, the line names the flag. Any other error is one
    line too, see `errors.exit_status`; `--verbose` shows its traceback.

    Args:
      arguments: without the program's name; None takes those of this process.
    """

    def parsed() -> int | None:
        options = parser.parse_args(arguments)
        show_log()
        return _flagged(options, command)

    given = sys.argv[1:] if arguments is None else arguments
    return exit_status(parsed, verbose=True if "--verbose" in given else None)


def guarded(
    options: argparse.Namespace, command: Callable[[argparse.Namespace], int | None], again: Callable[[int], bool]
) -> int:
    """Run what is left of a command as `crash_guard.guarded` does, with errors as `run` shows them."""
    verbose = True if getattr(options, "verbose", False) else None
    return crash_guard.guarded(lambda: _flagged(options, command), again, verbose)


def _flagged(options: argparse.Namespace, command: Callable[[argparse.Namespace], int | None]) -> int | None:
    try:
        return command(options)
    except UserError as error:
        raise UserError(options.parser.with_flags(str(error))) from error


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the nearest flag where one is unknown, and that knows `--version`.

    A value of the type `Path` is on this computer, one of the type `corpus` may be in a bucket too.
    Flags are not abbreviated. Words that are no flag's value are an error, but with `extra` they extend the list of
    that name, if they are like name=value.
    """

    def __init__(self, *args: Any, extra: str | None = None, **settings: Any):
        settings.setdefault("formatter_class", _Formatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(*args, **settings)
        self._extra = extra
        self.register("type", Path, _local)
        self.set_defaults(parser=self)
        self.add_argument(
            "--version", action="version", version=f"affwildnet {VERSION}", help="show the version and exit"
        )
        self.add_argument(
            "--verbose",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of an error (or set AFFWILDNET_DEBUG=1)",
        )

    def parse_known_args(self, args=None, namespace=None):
        """Parse; unlike in the base class, what is not known is an error here, also in the parser of a subcommand."""
        given = sys.argv[1:] if args is None else list(args)
        if self._subparsers is None:
            self._check_flags(given)
        options, rest = super().parse_known_args([part for each in given for part in self._plain(each)], namespace)
        self._check_flags(rest)
        if stray := [each for each in rest if not (self._extra and "=" in each)]:
            allowed = "Only `name=value` may follow the flags." if self._extra else "Nothing may follow the flags."
            self.error(f"{allowed} Received: {' '.join(stray)}")
        if rest:
            setattr(options, self._extra, [*getattr(options, self._extra), *rest])
        return options, []

    def error(self, message: str):
        """Raise a `UserError` instead of printing the usage and exiting."""
        raise UserError(self._in_our_words(message))

    def format_help(self) -> str:
        """Return the help; its line of usage has the flags that must be given, not all of them."""
        if self.usage is None:
            self.usage = self._short_usage()
        return super().format_help()

    def with_flags(self, message: str) -> str:
        """Return a message of the library with `--flag` for each `parameter` in it that is a flag here."""
        flags = {
            action.dest: name for name, action in self._option_string_actions.items() if name == f"--{action.dest}"
        }
        return re.sub(r"`(\w+)(?=[`=])", lambda found: f"`{flags.get(found[1], found[1])}", message)

    def _check_flags(self, given: Sequence[str]) -> None:
        # A value with a blank in it may begin with "--", as Beam's options do.
        for flag in (each.partition("=")[0] for each in given if re.match(r"--\w|-[A-Za-z]", each)):
            if flag not in self._option_string_actions and " " not in flag:
                near = suggestion(flag, self._shown_flags())
                self.error(f"`{flag}` is not a flag of {self.prog}.{near} `{self.prog} --help` lists the flags.")

    def _shown_flags(self) -> Iterator[str]:
        for name, action in self._option_string_actions.items():
            if name.startswith("--") and action.help != argparse.SUPPRESS:
                yield name

    def _plain(self, argument: str) -> list[str]:
        """Write --switch=true as --switch, and --list=a as --list a, after which more of the list may follow."""
        flag, equals, value = argument.partition("=")
        action = self._option_string_actions.get(flag) if equals else None
        if isinstance(action, Switch) and value.lower() in _TRUTH:
            return [action.option_strings[not _TRUTH[value.lower()]]]
        return [flag, value] if action is not None and action.nargs == "+" else [argument]

    def _short_usage(self) -> str:
        needed = [action for action in self._actions if action.required and action.option_strings]
        words = [f"{action.option_strings[-1]}={action.metavar or action.dest.upper()}" for action in needed]
        places = [action.metavar or action.dest for action in self._actions if not action.option_strings]
        return " ".join([self.prog, *words, "[options]", *(place for place in places if place != argparse.SUPPRESS)])

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, _not_one_of(action.choices, value))

    def _in_our_words(self, message: str) -> str:
        if found := re.fullmatch(r"the following arguments are required: (.*)", message):
            *others, last = [f"`{name}`" for name in found[1].split(", ")]
            names = f"{', '.join(others)} and {last}" if others else last
            return f"{names} must be given. See `{self.prog} --help`."
        if found := re.fullmatch(r"one of the arguments (.*) is required", message):
            return f"One of {', '.join(f'`{name}`' for name in found[1].split())} must be given."
        if found := re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL):
            name, what = found[1].partition("/")[0], found[2]
            for pattern, ours in _WORDS:
                what = re.sub(f"^{pattern}$", ours, what)
            return f"`{name}` {what}"
        return message


class Switch(argparse.Action):
    """`--name` is True, `--noname` False. The default is False, or None where a command must know if it was given."""

    def __init__(self, option_strings: Sequence[str], dest: str, default: bool | None = False, help: str | None = None):
        (flag,) = option_strings
        super().__init__([flag, f"--no{flag[2:]}"], dest, nargs=0, default=default, help=help)

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, option_string == self.option_strings[0])


class Names(argparse.Action):
    """A list of `names`: with commas between them, or the flag several times."""

    def __init__(self, option_strings: Sequence[str], dest: str, names: Sequence[str], **settings: Any):
        super().__init__(option_strings, dest, **settings)
        self._names = names

    def __call__(self, parser, namespace, values, option_string=None):
        given = getattr(namespace, self.dest)
        chosen = [] if given is self.default else list(given)
        for name in filter(None, values.split(",")):
            if name not in self._names:
                raise argparse.ArgumentError(self, _not_one_of(self._names, name))
            chosen += [name] if name not in chosen else []
        setattr(namespace, self.dest, chosen)


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """Return a type of `add_argument`: whole numbers from `least` to `most`."""
    return _numbers(int, "a whole number", least, most)


def real(least: float | None = None, most: float | None = None) -> Callable[[str], float]:
    """Return a type of `add_argument`: finite numbers from `least` to `most`."""
    return _numbers(float, "a number", least, most)


def positive(text: str) -> float:
    """Return a finite number above 0: a type of `add_argument`."""
    found = real()(text)
    if found <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {text}")
    return found


def corpus(text: str) -> Path:
    """Return the folder of a packed corpus, or a file in it, here or at a URL: a type of `add_argument`."""
    _check_given(text)
    try:
        return folder_at(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(f"cannot be used. {error}") from None


def _check_given(path: str) -> None:
    """Raise an error of usage for an empty path, which a variable without a value leaves: it is not this folder."""
    if not path:
        raise argparse.ArgumentTypeError("must have a value. Received: none.")


def _local(text: str) -> Path:
    _check_given(text)
    if is_remote(text):
        raise argparse.ArgumentTypeError(
            f"must be on this computer, where files can be locked and renamed. Received: {text}. Name a local path; "
            "only packed corpora are read from elsewhere."
        )
    return folder_at(text)


def _not_one_of(names: Iterable[str], name: str) -> str:
    return f"must be one of {', '.join(names)}. Received: {name}.{suggestion(name, names)}"


def _numbers(kind: type, what: str, least: float | None, most: float | None) -> Callable[[str], Any]:
    bounds = {
        (True, True): f"from {least} to {most}",
        (True, False): f"at least {least}",
        (False, True): f"at most {most}",
        (False, False): what,
    }[least is not None, most is not None]

    def parsed(text: str) -> Any:
        try:
            found = number(text, kind)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {what}. Received: {text}") from None
        low, high = -math.inf if least is None else least, math.inf if most is None else most
        if not (math.isfinite(found) and low <= found <= high):
            raise argparse.ArgumentTypeError(f"must be {bounds}. Received: {text}")
        return found

    return parsed


def attributes_of(kind: type) -> dict[str, str]:
    """Return what the docstring of a class says of each attribute, by its name: one home for reference and help."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n  (?=\w)", f"\n{section}"):
        names, colon, text = entry.partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def show_log(level: int = logging.INFO) -> None:
    """Show what both packages log as plain lines on the standard output. Commands call it; notebooks may."""
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if not any(isinstance(handler, _Lines) for handler in logger.handlers):
            logger.addHandler(_Lines())


class _Lines(logging.StreamHandler):
    """A line for each message, on what is the standard output at that time."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        with terminal.without_bars():
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], OSError):  # the reader has gone, or the disk is full: the command ends
            raise
        super().handleError(record)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Flags as they are written: `--seed=N`, `--[no]carry_state`."""

    def __init__(self, prog: str, **settings: Any):
        super().__init__(prog, **{"max_help_position": 28, **settings})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, Switch):
            return action.option_strings[0] if action.default is False else f"--[no]{action.option_strings[0][2:]}"
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, action.dest.upper()).split(" ")[0]
        return f"{', '.join(action.option_strings)}={value}{' ...' if action.nargs == '+' else ''}"
