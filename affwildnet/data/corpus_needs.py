"""Whether a packed corpus is what an experiment needs, and the command that packs one that is."""

from collections.abc import Iterator
from pathlib import Path

from affwildnet.experiments.config import DataConfig, Experiment
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import Manifest, dataset_of

ONE_ANNOTATOR = "one_annotator"
# The layout of annotations of one's own. Those of single annotators are not public for Aff-Wild.
_OWN_ANNOTATIONS = "thesis"


def check(experiment: Experiment, packed: Manifest, folder: Path) -> None:
    """Raise a `UserError` if a corpus is not what an experiment's `data` asks for, or its crops have another size.

    The message has the command that packs such a corpus, and the fields that let the run go on with this one, which
    its reports then say.
    """
    lacking = list(_lacking(experiment, packed))
    if not lacking:
        return
    wanted, had, fields = zip(*lacking, strict=True)
    raise UserError(
        f"{folder}: {experiment.name} needs {' and '.join(wanted)}. Received: {' and '.join(had)}. Pack such a corpus "
        f"with `{_packing(experiment, packed)}`, or go on with this one with --set {' '.join(fields)}, which every "
        "report then says."
    )


def _lacking(experiment: Experiment, packed: Manifest) -> Iterator[tuple[str, str, str]]:
    """Yield what is needed, what is there, and the field that takes what is there."""
    data = experiment.data
    if data.layout and packed.dataset not in _datasets(data):
        yield f"a corpus of the layout {data.layout}", f"layout {packed.layout}", f"data.layout={packed.layout}"
    if data.alignment and packed.alignment != data.alignment:
        yield (
            f"faces with the alignment {data.alignment}",
            f"alignment {packed.alignment}",
            f"data.alignment={packed.alignment}",
        )
    if packed.image_size != (size := experiment.model.image_size):
        yield f"crops of {size} pixels", f"crops of {packed.image_size}", f"model.image_size={packed.image_size}"
    if data.labels == ONE_ANNOTATOR and not (single := packed.one_annotator("train")):
        had = "labels of several" if single is False else "a corpus that does not name one"
        yield "the labels of one annotator", had, "data.labels="


def _datasets(data: DataConfig) -> set[str]:
    """Return the datasets that fit: the layout's, and where it takes a single annotator, annotations of one's own."""
    return {dataset_of(data.layout), *([_OWN_ANNOTATIONS] if data.labels == ONE_ANNOTATOR else [])}


def _packing(experiment: Experiment, packed: Manifest) -> str:
    """Return the command that packs a corpus that fits; the layout is the packed one's where any will do."""
    data = experiment.data
    single = data.labels == ONE_ANNOTATOR
    parts = [f"--layout={_OWN_ANNOTATIONS if single else data.layout or packed.layout}"]
    parts += [f"--alignment={data.alignment}"] if data.alignment else []
    parts += ["--annotators=nearest"] if single else []
    parts += [f"--size={experiment.model.image_size}", "--source=DIR", "--output=DIR"]
    return f"python -m tfrecords_tools pack {' '.join(parts)}"
