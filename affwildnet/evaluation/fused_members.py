"""What a fusion of decisions is made from, noted beside its checkpoint: each member counts when it is compared."""

from collections.abc import Sequence
from pathlib import Path

from affwildnet.evaluation.reporting.report import FusedMember
from affwildnet.evaluation.selection import Selected
from affwildnet.experiments.overrides import to_json
from affwildnet.runs import rehearsals
from affwildnet.runs.checkpoint_files import contents_note, state_path
from affwildnet.runs.json_files import read_json, write_json

_FIELD = "fused"


def store(path: Path, origins: Sequence[dict], members: Sequence[Selected]) -> None:
    """Write the note beside a fused checkpoint.

    Args:
      path: of the checkpoint.
      origins: what is to be said of each member besides.
      members: the networks that were fused.
    """
    fused = [
        {
            **origin,
            "stage": member.run.stage.name if member.run.stage else "",
            "rehearsal": list(member.rehearsal),
            "initial_weights": rehearsals.initial_weights(member.experiment.training.init),
            "configuration": to_json(member.configured),
        }
        for origin, member in zip(origins, members, strict=True)
    ]
    write_json(state_path(path), {_FIELD: fused, **contents_note(path)})


def stored(path: Path) -> tuple[FusedMember, ...]:
    """Return the members of a checkpoint; none if it is no fusion, or one of a version that did not note them."""
    noted = (read_json(state_path(path)) or {}).get(_FIELD)
    found = [each for each in noted if isinstance(each, dict)] if isinstance(noted, list) else []
    return tuple(
        FusedMember(
            each["configuration"],
            str(each.get("initial_weights", "")),
            tuple(map(str, each.get("rehearsal", ()))),
            str(each.get("stage", "")),
        )
        for each in found
        if isinstance(each.get("configuration"), dict)
    )
