"""The options of faces, which packing and prediction share: help and defaults are those of `FaceSettings`."""

import argparse
from pathlib import Path
from typing import Any

from tfrecords_tools.commands import Parser, attributes_of, real, whole
from tfrecords_tools.faces.face_settings import ALIGNMENTS, DETECTORS, LANDMARKS, FaceSettings

_HELP = attributes_of(FaceSettings)
FLAGS: dict[str, dict[str, Any]] = {
    "detector": {"choices": DETECTORS},
    "landmarks": {"choices": LANDMARKS},
    "every": {"type": whole(least=1), "metavar": "N"},
    "upsample": {"type": whole(0, 4), "metavar": "N"},
    "yunet_model": {"type": Path, "metavar": "FILE"},
    "landmark_model": {"type": Path, "metavar": "FILE"},
    "size": {"type": whole(16, 1024), "metavar": "PIXELS"},
    "alignment": {"choices": ALIGNMENTS},
    "margin": {"type": real(0, 1), "metavar": "SHARE"},
}


def add_finding(group: "Parser | argparse._ArgumentGroup", kinds: str | None = None) -> None:
    """Add the flags of how faces are found.

    Args:
      group: to add them to.
      kinds: says where detector and landmarks come from if they are not given; None: from `FaceSettings`.
    """
    for name in ("detector", "landmarks"):
        add_option(group, name, kinds or getattr(FaceSettings, name))
    for name in ("every", "upsample", "yunet_model", "landmark_model"):
        add_option(group, name)


def add_option(group: "Parser | argparse._ArgumentGroup", name: str, default: str | None = None) -> None:
    """Add the flag of one field of `FaceSettings`.

    Args:
      name: of the field.
      default: says where the value comes from if the flag is not given; None: from `FaceSettings`.
    """
    value = getattr(FaceSettings, name) if default is None else None
    shown = default or (None if value is None else str(value))
    text = _HELP[name].rstrip(".") + (f" (default: {shown})" if shown else "")
    group.add_argument(f"--{name}", default=value, help=text, **FLAGS[name])
