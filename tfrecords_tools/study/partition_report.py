"""Divide a packed corpus by subject into parts, and describe how alike they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files.tables import read_rows
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.study.partition import TERMS, Subjects, cells_of, distances, search
from tfrecords_tools.study.quadrants import QUADRANTS, count_quadrants, quadrant_of, shares


def partition(folder: str | Path, wanted: dict[str, float], genders: str | Path | None = None, seed: int = 0) -> dict:
    """Return the parts of a packed corpus, the content of `partition.json`.

    `videos` has the part of each video by its present split and name, such as `train/101`.

    Args:
      folder: of the packed corpus.
      wanted: share of the frames by part, see `partition.shares_of_splits` and `partition.equal_folds`.
      genders: CSV with the columns `subject` and `gender`; of subjects that are not in it, it is unknown. None is
        what the manifest says.
      seed: the same seed gives the same parts.

    Raises:
      UserError: if there is no packed corpus, too few subjects, no label, or the genders cannot be read.
    """
    packed = manifest.load(folder)
    labels = read_labels(folder, packed, packed.videos)
    names = tuple(sorted({entry.subject for entry in packed.videos}))
    known = {entry.subject: entry.gender for entry in packed.videos if entry.gender}
    gender_of = _read_genders(Path(genders), names) if genders else known
    kinds = sorted(set(gender_of.values()))
    cells, frames = np.zeros((len(names), 100), np.int64), np.zeros(len(names), np.int64)
    seen = np.zeros((len(names), len(kinds)), np.int64)
    for entry, values in zip(packed.videos, labels, strict=True):
        subject = names.index(entry.subject)
        cells[subject] += cells_of(values)
        frames[subject] += entry.frames
        if entry.subject in gender_of:
            seen[subject, kinds.index(gender_of[entry.subject])] += 1
    subjects, fractions = Subjects(names, cells, seen, frames), np.array(list(wanted.values()))
    assignment, distance, random = search(subjects, fractions, seed)
    part_of = {name: list(wanted)[part] for name, part in zip(names, assignment, strict=True)}
    far = distances(subjects, assignment, fractions)
    parts = {}
    for index, (part, share) in enumerate(wanted.items()):
        own = [i for i, entry in enumerate(packed.videos) if part_of[entry.subject] == part]
        parts[part] = {
            "wanted_share": share,
            **_described([packed.videos[i] for i in own], [labels[i] for i in own], gender_of, kinds),
            "distance": dict(zip(TERMS, far[index].tolist(), strict=True)),
        }
    total = sum(part["frames"] for part in parts.values())
    for part in parts.values():
        part["share"] = part["frames"] / total
    return {
        "corpus": packed.name,
        "seed": seed,
        "distance": distance,
        "distance_of_random": random,
        "subjects_known": any(entry.subject != entry.video for entry in packed.videos),
        "parts": parts,
        "all": _described(packed.videos, labels, gender_of, kinds),
        "videos": {f"{entry.split}/{entry.video}": part_of[entry.subject] for entry in packed.videos},
    }


def table(found: dict) -> str:
    """Return the parts that `partition` found as text: a line for each part, and one for the whole corpus."""
    rows = {**found["parts"], "all": found["all"]}
    kinds = list(found["all"]["genders"])
    lines = [f"{found['corpus']}, by subject, seed {found['seed']}"]
    lines.append(
        f"{'part':<12}{'videos':>7}{'subjects':>10}{'frames':>11}{'share %':>9}{'wanted %':>9}"
        + "".join(f"{f'{name} %':>8}" for name in QUADRANTS)
        + f"{'valence':>14}{'arousal':>14}"
        + "".join(f"{kind[:9]:>10}" for kind in kinds)
        + "".join(f"{f'd {term}':>10}" for term in TERMS)
    )
    for name, row in rows.items():
        line = f"{name:<12}{row['videos']:>7,}{row['subjects']:>10,}{row['frames']:>11,}"
        if name in found["parts"]:
            line += f"{100 * row['share']:>9.1f}{100 * row['wanted_share']:>9.1f}"
        else:
            line += f"{'100.0':>9}{'':>9}"
        line += "".join(f"{100 * share:>8.1f}" for share in row["quadrants"].values())
        for dimension in schema.DIMENSIONS:
            spread = row[dimension]
            text = "{mean:+.2f}, {std:.2f}".format(**spread) if spread else "no label"
            line += f"{text:>14}"
        line += "".join(f"{number:>10,}" for number in row["genders"].values())
        line += "".join(f"{distance:>10.3f}" for distance in row.get("distance", {}).values())
        lines.append(line)
    lines.append(
        f"mean distance of a part {found['distance']:.3f}; of random parts {found['distance_of_random']:.3f} (median); "
        "0 is alike, each d at most 1"
    )
    if not found["subjects_known"]:
        lines.append("the dataset does not say who is seen: each video counts as a subject of its own")
    return "\n".join(lines)


def _described(entries, labels, gender_of: dict[str, str], kinds: list[str]) -> dict:
    values = np.concatenate(labels)
    values = values[schema.is_labelled(values)]
    quadrants = shares(count_quadrants(quadrant_of(values))[None])
    described = {
        "videos": len(entries),
        "subjects": len({entry.subject for entry in entries}),
        "frames": sum(entry.frames for entry in entries),
        "frames_labelled": len(values),
        "quadrants": dict(zip(QUADRANTS, quadrants.tolist(), strict=True)),
        "genders": {kind: sum(gender_of.get(entry.subject) == kind for entry in entries) for kind in kinds},
    }
    if kinds:
        described["genders"]["unknown"] = sum(entry.subject not in gender_of for entry in entries)
    for column, name in enumerate(schema.DIMENSIONS):
        own = values[:, column]
        described[name] = {"mean": float(own.mean()), "std": float(own.std())} if len(own) else None
    return described


def _read_genders(path: Path, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read_rows(path, ("subject", "gender")):
        subject, gender = row.filled("subject"), row.filled("gender").lower()
        try:
            check_choice("subject", subject, names)
        except UserError as error:
            raise UserError(f"{row.place}: {error}") from None
        if found.setdefault(subject, gender) != gender:
            raise UserError(f"{row.place}: {subject} must have one gender. Received: a second one.")
    return found
