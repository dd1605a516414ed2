"""The one exception that a user is meant to read, the commonest reason for it, and how a command line shows it."""

import difflib
import os
import sys
from collections.abc import Callable, Iterable


class UserError(Exception):
    """Something the user can put right: a path, a flag, a file's content.

    The message is one line that states the rule and what came, names the file, line or record, and says what to do.
    """


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean ...?" where a name is near enough to one of `names`, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def check_choice(what: str, name: str, names: Iterable[str]) -> None:
    """Raise a `UserError` that lists `names`, with the nearest of them, unless `name` is one of them."""
    if name not in (names := list(names)):
        raise UserError(f"`{what}` must be one of {', '.join(names)}. Received: {name}.{suggestion(str(name), names)}")


def exit_status(command: Callable[[], int | None]) -> int:
    """Run a command line; return its exit status, having printed a `UserError` as one line, without a traceback."""
    try:
        return command() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # no space, no permission: the user's to put right as well
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
