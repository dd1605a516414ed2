"""The notebook: without outputs in the repository, and all of its code runs."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
# After the notebook's last cell, with its variables.
CHECKS = """
import json
import numpy as np
(held_out,) = packed.split("test")
written = json.loads((folder / "run" / "report-test.json").read_text())
assert written["frames_scored"] == report.counts.frames_scored == held_out.frames_labelled
assert (folder / "run" / "report-test.html").read_text().startswith("<!doctype html>")
assert len(curve) > 0.9 * held_out.frames and np.isfinite(curve).all()
assert (exported.folders["saved_model"] / "saved_model.pb").is_file()
"""


def code():
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_it_has_no_outputs():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert len(code()) > 5


@pytest.mark.slow
def test_its_code_runs_from_top_to_bottom(tmp_path):
    # Without a file, as in a notebook: worker processes do not run it again.
    script = "\n\n".join([*code(), CHECKS])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "TMPDIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
