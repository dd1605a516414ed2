"""The best network of a run whose valence and arousal have networks of their own: each from its own best checkpoint.

Such networks share no weight (cvprw2017 section 4.1), so that the one with the best mean CCC is made of the best for
valence and the best for arousal, which are seldom of one step.
"""

import logging
from pathlib import Path

from affwildnet.models.layer_prefixes import dimension_prefix
from affwildnet.models.layer_weights import set_weights_of
from affwildnet.runs import best, card, checkpoints
from affwildnet.runs.checkpoint_files import contents_note
from affwildnet.runs.json_files import write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import json_text, regular
from tfrecords_tools.records.schema import DIMENSIONS

_log = logging.getLogger(__name__)


def compose(workdir: Workdir) -> bool:
    """Make `best_mean` of the best checkpoints of both dimensions, unless it is of them already; return whether.

    Killed halfway, or with one of them that is not whole, it leaves `best_mean` as it was; the next call makes it.
    """
    paths = [best.path_of(workdir, f"best_{dimension}") for dimension in DIMENSIONS]
    if not all(path.is_file() for path in paths):
        return False
    lines = [_state(path) for path in paths]
    steps = {dimension: line.get("step") for dimension, line in zip(DIMENSIONS, lines, strict=True)}
    path = best.path_of(workdir)
    if path.is_file() and _state(path).get("steps") == steps:
        return False
    try:
        model, other = (checkpoints.load(each, optimizer=False) for each in paths)
    except UserError as error:  # a watcher that was killed between note and file keeps that checkpoint again
        _log.warning(f"{path.name} is left as it is: {error}")
        return False
    arousal = DIMENSIONS[1]
    for layer in model.layers:
        if layer.weights and (layer.name == arousal or layer.name.startswith(dimension_prefix(arousal))):
            set_weights_of(layer, other.get_layer(layer.name).get_weights())
    ranking = {name: best.ranking(line).get(name) for name, line in zip(DIMENSIONS, lines, strict=True)}
    known = [value for value in ranking.values() if value is not None]
    ranking["mean"] = sum(known) / len(known) if known else None
    last = max((step for step in steps.values() if isinstance(step, int)), default=None)
    checkpoints.write_model(model, path, card.read(paths[0]))
    note = {"step": last, "steps": steps, "ranking": ranking}
    write_json(checkpoints.state_path(path), {**note, **contents_note(path)})
    return True


def _state(path: Path) -> dict:
    try:
        found = json_text.loads(regular(checkpoints.state_path(path)).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
