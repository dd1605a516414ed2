"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can put right: a path, a flag, a file's content.

    The message is one line that states the rule and what came, names the file, line or record, and says what to do.
    The command lines print it behind `error:` and exit with a status other than 0, without a traceback.
    """
