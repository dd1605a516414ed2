"""Match faces as `association` does, and look twice where two people could have been confused, as by a cut."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment

from tfrecords_tools.faces.association import RECENT, SAME_PLACE, Seen, associate, similarity
from tfrecords_tools.faces.recognition import FaceRecogniser, likeness

# A third of a second apart, one face is alike by 0.67 and more in all 61 pairs of three real clips; of the 45 pairs of
# ten people, 19 in 20 are less alike than this.
ALIKE = 0.65  # least likeness of a face that has not changed
SAME_PERSON = 0.6  # distance of descriptions below which two faces are one person's, as dlib's authors measured it
CLEARLY = 0.1  # by how much nearer another person must be, to take the place of the one that was matched
MOST_RIVALS = 3  # people that a face is compared with, beside the one that was matched
MOST_LOOKS = 16  # faces, those seen last, whose looks are kept: 120 KB each


def match_faces(before: list[Seen], now: list[Seen], recogniser: FaceRecogniser | None = None) -> dict[int, int]:
    """Match faces by overlap, position and colour, and those that may be someone else by their descriptions.

    A face is described where it looks different from how it did a moment ago, or comes back, and another known face
    has colours like its own. It becomes that one if its description is clearly nearer.

    Args:
      before, now: see `associate`.
      recogniser: describes faces; None leaves the matches as they are.

    Returns:
      The index in `before` by the index in `now`.
    """
    pairs = associate(before, now)
    if recogniser is None:
        return pairs
    sure = {old for new, old in pairs.items() if not _changed(before[old], now[new])}
    rivals = {new: _rivals(before, now[new], {old, *sure}) for new, old in pairs.items() if old not in sure}
    doubted = [new for new, others in rivals.items() if others]
    if not doubted:
        return pairs
    known = sorted({old for new in doubted for old in (pairs[new], *rivals[new])})
    distances = np.full((len(doubted), len(known)), 10.0)  # farther than any two faces are
    for row, new in enumerate(doubted):
        for column, old in enumerate(known):
            if old == pairs[new] or old in rivals[new]:
                apart = float(np.linalg.norm(_described(now[new], recogniser) - _described(before[old], recogniser)))
                if old == pairs[new]:
                    distances[row, column] = apart - CLEARLY
                elif apart < SAME_PERSON:
                    distances[row, column] = apart
    rows, columns = linear_sum_assignment(distances)
    return pairs | {doubted[row]: known[column] for row, column in zip(rows, columns, strict=True)}


def forget_looks(seen: Iterable[Seen]) -> None:
    """Drop the looks of all faces but those seen last."""
    kept = sorted((each for each in seen if each.look is not None), key=lambda each: -each.time)
    for each in kept[MOST_LOOKS:]:
        each.look = each.description = None


def _changed(old: Seen, new: Seen) -> bool:
    """Return whether a match may be wrong: the face is back after a while, or no longer looks the same."""
    if old.look is None or new.look is None:
        return False
    return new.time - old.time > RECENT or likeness(old.look, new.look) < ALIKE


def _rivals(before: list[Seen], new: Seen, others: set[int]) -> list[int]:
    """Return who else a face may be: those whose colours are the most alike, of all that are not `others`."""
    alike = {
        index: similarity(old.colours, new.colours)
        for index, old in enumerate(before)
        if index not in others and old.look is not None
    }
    found = [index for index, value in alike.items() if value >= SAME_PLACE]
    return sorted(found, key=lambda index: -alike[index])[:MOST_RIVALS]


def _described(face: Seen, recogniser: FaceRecogniser) -> np.ndarray:
    if face.description is None:
        face.description = recogniser.describe(face.look)
    return face.description
