"""`UserError`, the one exception whose message a user is meant to read, and how a command shows it."""

import difflib
import os
import sys
from collections.abc import Callable, Iterable


class UserError(ValueError):
    """Something that the user can put right: an argument, a path, the content of a file.

    The message is one line that states the rule and what came, names the file, line or record, and says what to do.
    A command shows it as that line, without a traceback; in Python it is a `ValueError`.
    """


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean ...?" where `name` is close to one of `names`, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def count(number: int, thing: str) -> str:
    """Return "1 video" or "2 videos", for messages."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def check_choice(what: str, name: str, names: Iterable[str]) -> None:
    """Raise a `UserError` that lists `names` and suggests the closest, unless `name` is one of them."""
    if name not in (names := list(names)):
        raise UserError(f"`{what}` must be one of {', '.join(names)}. Received: {name}.{suggestion(str(name), names)}")


def exit_status(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit status; an error that the user can put right is printed as one line."""
    try:
        return command() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # no space, no permission: for the user to put right as well
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
