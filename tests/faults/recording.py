"""A rater's session, as the annotation server answers it: what is acknowledged is printed, and must survive a kill."""

import json
from pathlib import Path

from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.recording import Recorder, Writers


def opened(folder):
    """A recorder of the first clip below a folder, opened, and what it answered."""
    recorder = Recorder(Catalogue(Path(folder)), Writers())
    return recorder, recorder.answer({"type": "open", "rater": "ann", "video": 1, "dimensions": ["valence"]})


def main(arguments):
    """Record a clip in five parts, going on after what is there; then finish it."""
    recorder, answer = opened(arguments[0])
    trace = answer["traces"]["valence"]["times"]
    done, segment = (trace[-1] if trace else 0.0), answer["segment"]
    for part in range(5):
        begin, end = 0.2 * part, 0.2 * (part + 1)
        if done >= end - 1e-6:
            continue
        samples = [[begin + (end - begin) * i / 6, 0.1 * (part + 1)] for i in range(7)]
        saved = recorder.answer({"type": "samples", "segment": segment, "samples": samples})
        segment += 1
        print(json.dumps({"saved": saved["saved"]}), flush=True)
    recorder.answer({"type": "finish", "details": {"input": "test"}})
    print(json.dumps({"finished": True}), flush=True)
