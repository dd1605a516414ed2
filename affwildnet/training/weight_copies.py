"""Copying weights from one network to another, by the names of layers and of the weights in them."""

from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np

import affwildnet.models  # noqa: F401  (registers the layers that a file may name)
from affwildnet.models.layer_weights import refresh
from affwildnet.runs.checkpoint_files import check_note
from tfrecords_tools.errors import UserError

# Of which a backbone is made, and nothing else is.
BACKBONE_LAYERS = (keras.layers.Conv2D, keras.layers.BatchNormalization)


def load(path: Path, what: str) -> keras.Model:
    """Load a network from a `.keras` file, without its optimizer, in Keras's safe mode: the file cannot run code.

    Args:
      what: what errors call the file, such as "`training.init`".

    Raises:
      UserError: if there is no such file, or it does not hold a whole network.
    """
    if not path.is_file():
        raise UserError(f"{what} must be a .keras file. Received: {path}, which is not there.")
    check_note(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of zip, HDF5 or JSON: all that it means to the user is that the file is bad
        reason = str(error).strip().splitlines() or ["no message"]
        raise UserError(f"{what} must be a whole .keras file. Received: {path} ({reason[0]})") from None
    if not isinstance(model, keras.Model):
        raise UserError(f"{what} must hold a network. Received: {path}, which holds a {type(model).__name__}.")
    return model


def weighted_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """Return the layers that have weights, by name, in the network's order; cells belong to the layer around them."""
    return {layer.name: layer for layer in model.layers if layer.weights}


def weights_of(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Return the weights of a layer by name; the second of a name is `kernel#2`.

    The paths of Keras are of no use here: cells are numbered throughout the process, and the weights of a loaded layer
    lose a part of theirs.
    """
    named: dict[str, keras.Variable] = {}
    counts: dict[str, int] = {}
    for weight in layer.weights:
        counts[weight.name] = number = counts.get(weight.name, 0) + 1
        named[weight.name if number == 1 else f"{weight.name}#{number}"] = weight
    return named


def mismatches(source: keras.Model, target: keras.Model, names: Collection[str]) -> dict[str, str]:
    """Return what is wrong, in a few words, for each of the target's layers `names` that the source does not fit."""
    theirs, found = weighted_layers(source), {}
    for name in names:
        given = weights_of(theirs[name]) if name in theirs else {}
        for weight, variable in weights_of(target.get_layer(name)).items():
            ours = f"{name}/{weight} is {tuple(variable.shape)} in the network"
            if name not in theirs:
                found[name] = f"{ours}, and the file has no layer {name}"
            elif weight not in given:
                found[name] = f"{ours}, and the file's layer {name} has only {', '.join(given)}"
            elif tuple(given[weight].shape) != tuple(variable.shape):
                found[name] = f"{ours} and {tuple(given[weight].shape)} in the file"
            else:
                continue
            break
    return found


def left_out(source: keras.Model, target: keras.Model) -> list[str]:
    """Return what the source has and the target lacks: names of layers, or `layer/weight`."""
    ours, found = weighted_layers(target), []
    for name, layer in weighted_layers(source).items():
        if name not in ours:
            found.append(name)
        else:
            held = weights_of(ours[name])
            found += [f"{name}/{weight}" for weight in weights_of(layer) if weight not in held]
    return found


def copy(source: keras.Model, target: keras.Model, names: Collection[str]) -> None:
    """Copy the source's weights to the target's layers `names`, which must have no `mismatches`."""
    theirs = weighted_layers(source)
    for name in names:
        layer = target.get_layer(name)
        given = weights_of(theirs[name])
        for weight, variable in weights_of(layer).items():
            variable.assign(given[weight])
        refresh(layer)


def pixels(model: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return mean and scale, each (3,) for R, G and B, of each layer that normalises pixels, (x - mean) * scale."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling):
            scale, offset = (np.broadcast_to(np.float64(value), 3) for value in (layer.scale, layer.offset))
            found[layer.name] = -offset / scale, scale
    return found
