"""What the files of a report are called: what was scored, and whatever was chosen other than by default."""

import re
from collections.abc import Sequence
from pathlib import Path

from affwildnet.runs import best


def label(checkpoint: str = best.MEAN, settings: Sequence[str] = (), corpus: str = "") -> str:
    """Return what is chosen other than by default, as names of files may have it: "latest-overlap=40", or "".

    Args:
      checkpoint: a name of `runs.best`, or a path.
      settings: overridden fields of evaluation, such as "evaluation.overlap=40".
      corpus: folder's name of another corpus than the one that the network was trained on.
    """
    parts = [] if checkpoint == best.MEAN else [Path(checkpoint).stem]
    parts += [f"on-{corpus}"] if corpus else []
    parts += [setting.removeprefix("evaluation.") for setting in settings]
    return re.sub(r"[^\w.=,+-]+", "_", "-".join(parts))[:150]


def stem(split: str, choices: str = "") -> str:
    """Return the name of a report's files without their endings."""
    return f"report-{split}{f'-{choices}' if choices else ''}"
