"""Predictions shown beside a rater's own curve: off by default, as they bias, and recorded with what they biased."""

import csv
from pathlib import Path

import numpy as np

from tfrecords_tools.annotate.catalogue import Catalogue, Clip
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular
from tfrecords_tools.records.schema import DIMENSIONS


class Ghosts:
    """The tables that `affwildnet.predict` wrote for a folder's videos, by their names."""

    def __init__(self, folder: Path, catalogue: Catalogue):
        """Raise a `UserError` unless the folder holds the table of at least one of the videos."""
        self._catalogue = catalogue
        names = {clip.name for clip in catalogue.clips.values()}
        self._tables = {path.stem: path for path in sorted(folder.glob("*.csv")) if path.stem in names}
        if not self._tables:
            raise UserError(
                f"`--predictions` must be a folder with the tables of `affwildnet.predict`, such as "
                f"{next(iter(sorted(names)))}.csv. Received: {folder}, without one of these videos."
            )

    def curves(self, clip: Clip) -> dict[str, list[float]]:
        """Return `times` in seconds and the predicted values of each dimension; empty where there are none.

        Raises:
          UserError: naming file and line.
        """
        found: dict[str, list[float]] = {"times": [], **{name: [] for name in DIMENSIONS}}
        path = self._tables.get(clip.name)
        if path is None:
            return found
        with regular(path).open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if not row.get(DIMENSIONS[0]):
                    continue  # a frame without a face
                try:
                    values = {"times": float(row["time"]), **{name: float(row[name]) for name in DIMENSIONS}}
                except (KeyError, TypeError, ValueError):
                    raise UserError(
                        f"{path}, line {number}: must have time, {' and '.join(DIMENSIONS)} as numbers, as "
                        "`affwildnet.predict` writes them."
                    ) from None
                for name, value in values.items():
                    found[name].append(value)
        return found

    def disagreement(self, clip: Clip) -> float | None:
        """Return the mean distance of the predictions from the mean of the finished annotations, over both dimensions.

        None where there are no predictions, or no annotation.
        """
        curves = self.curves(clip)
        times = np.array(curves["times"])
        distances = []
        for name in DIMENSIONS:
            traces = [self._catalogue.trace(rater, name, clip) for rater in self._catalogue.raters]
            labels = [np.interp(times, trace.times / 1000, trace.values / 1000) for trace in traces if len(trace)]
            if labels and len(times):
                distances.append(np.abs(np.mean(labels, axis=0) - np.array(curves[name])).mean())
        return float(np.mean(distances)) if distances else None
