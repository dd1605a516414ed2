"""`UserError`, the one exception whose message a user is meant to read, and how a command shows an error."""

import difflib
import os
import sys
import traceback
from collections.abc import Callable, Iterable

from tfrecords_tools.errors import failures, terminal

MOST_LISTED = 30  # names in a message


class UserError(ValueError):
    """Something that the user can put right: an argument, a path, the content of a file.

    The message is one line that states the rule and what came, names the file, line or record, and says what to do.
    Names and numbers stand in it as they are; what was read in a file and is neither is in quotes, so that its spaces
    are seen.
    A command shows it as that line, without a traceback; in Python it is a `ValueError`.
    """


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean ...?" where `name` is close to one of `names` or is its part before "/"; else nothing."""
    names, folder = list(names), f"{name.rstrip('/')}/"
    if within := [each for each in names if each.startswith(folder)]:
        return f" Did you mean one of {folder}, such as {within[0]}?"
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def count(number: int, thing: str) -> str:
    """Return "1 video" or "2 videos", for messages."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def check_choice(what: str, name: str, names: Iterable[str]) -> None:
    """Raise a `UserError` that lists `names` (many: some of them) and suggests the closest, unless `name` is one."""
    if name in (names := list(names)):
        return
    some = ", ".join(names) if len(names) <= MOST_LISTED else f"{len(names):,}, such as {', '.join(names[:3])}"
    raise UserError(f"`{what}` must be one of {some}. Received: {name}.{suggestion(str(name), names)}")


def exit_status(command: Callable[[], int | None], verbose: bool | None = None) -> int:
    """Run a command and return its exit status; any error is printed as one line, without a traceback.

    The status is 2 for what the user can put right, 130 after Ctrl-C, and 70 for an error that was not foreseen.

    Args:
      command: returns its own status, or None for 0.
      verbose: whether to print the traceback above the line; None asks the variable AFFWILDNET_DEBUG.
    """
    verbose = debugging() if verbose is None else verbose
    with terminal.escaping():
        try:
            status = command() or 0
            sys.stdout.flush()
            return status
        except BrokenPipeError:  # the reader of the output, such as `head`, has enough
            terminal.drop_output()
            return 0
        except (Exception, KeyboardInterrupt) as error:
            return _failed(error, verbose)


def debugging() -> bool:
    """Return whether AFFWILDNET_DEBUG asks for tracebacks and for all that TensorFlow prints."""
    return os.environ.get("AFFWILDNET_DEBUG", "") not in ("", "0")


def line_and_status(error: BaseException) -> tuple[str, int]:
    """Return the one line that a command shows for an exception, and the exit status that it has."""
    if isinstance(error, UserError):
        line, status = f"error: {error}", failures.FOR_THE_USER
    else:
        line, status = failures.line_and_status(error)
    return terminal.one_line(line), status


def _failed(error: BaseException, verbose: bool) -> int:
    line, status = line_and_status(error)
    try:
        sys.stdout.flush()
    except OSError:  # a full disk, or a closed pipe: what could not be written there is the error, or follows from it
        terminal.drop_output()
    terminal.end_bars()
    if verbose:
        traceback.print_exception(error)
    print(line, file=sys.stderr)
    return status
