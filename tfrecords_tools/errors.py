"""The one exception that a user is meant to read, and how a command line shows it."""

import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the user can put right: a path, a flag, a file's content.

    The message is one line that states the rule and what came, names the file, line or record, and says what to do.
    """


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command line; returns its exit status, having printed a `UserError` as one line, without a traceback."""
    try:
        return command() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
