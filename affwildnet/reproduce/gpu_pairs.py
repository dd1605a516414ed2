"""Pairs of GPUs, one to train on and one to evaluate on, and how a process is kept to one of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tfrecords_tools.errors import UserError

# The variable that says which GPUs a process sees. A process that sees one takes no memory of the others.
VARIABLE = "CUDA_VISIBLE_DEVICES"
_FORM = "`pairs` must be like 0:1,2:3, TRAIN:EVAL with commas between"


@dataclass(frozen=True)
class Pair:
    """The GPU to train on and the one to evaluate on; -1 is the CPU."""

    train: int = -1
    evaluate: int = -1


def parse(text: str) -> list[Pair]:
    """Return the pairs of a text like "0:1,2:3"; "" is the CPU alone.

    Raises:
      UserError: for a text of another form, or a GPU that comes twice. The CPU, -1, may.
    """
    pairs, seen = [], set()
    for part in text.split(",") if text else []:
        numbers = part.split(":")
        if len(numbers) != 2 or not all(_is_number(number) for number in numbers):
            raise UserError(f"{_FORM}. Received: {text}")
        train, evaluate = map(int, numbers)
        for number in (train, evaluate):
            if number < -1:
                raise UserError(f"`pairs` must name GPUs from 0 on, or -1 for the CPU. Received: {number} in {text}")
            if number >= 0 and number in seen:
                raise UserError(f"`pairs` must name each GPU once. Received: {number} twice in {text}")
            seen.add(number)
        pairs.append(Pair(train, evaluate))
    return pairs or [Pair()]


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal()


def check(pairs: Sequence[Pair]) -> None:
    """Raise a `UserError` if pairs name a GPU that is not there; TensorFlow is asked only where they name any."""
    named = [number for pair in pairs for number in (pair.train, pair.evaluate) if number >= 0]
    if not named:
        return
    from affwildnet.devices import count_gpus

    found = count_gpus()
    if not found:
        raise UserError(
            f"`pairs` must name GPUs that TensorFlow finds: there is none. Received: {max(named)}. Leave it out to run "
            "on the CPU."
        )
    if max(named) >= found:
        raise UserError(
            f"`pairs` must name GPUs from 0 to {found - 1}: TensorFlow finds {found}. Received: {max(named)}"
        )


def visible(number: int) -> str:
    """Return the value of `VARIABLE` for a process on a GPU, by its number among those that this process sees.

    Example:
      >>> visible(1)  # where CUDA_VISIBLE_DEVICES=4,6
      '6'
    """
    own = [part.strip() for part in os.environ.get(VARIABLE, "").split(",") if part.strip()]
    return own[number] if 0 <= number < len(own) else str(number)
