"""Errors: the one exception that a user is meant to read, and one line for every other that can be foreseen."""

from tfrecords_tools.errors.failures import message_of
from tfrecords_tools.errors.user_error import (
    UserError,
    check_choice,
    count,
    debugging,
    exit_status,
    line_and_status,
    suggestion,
)

__all__ = [
    "UserError",
    "check_choice",
    "count",
    "debugging",
    "exit_status",
    "line_and_status",
    "message_of",
    "suggestion",
]
