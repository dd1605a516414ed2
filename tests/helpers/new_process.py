"""What Python code finds in a process of its own."""

import json
import subprocess
import sys

from tests.helpers.paths import ROOT


def in_new_process(code):
    """Run code; return what it printed last, as JSON."""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def modules_loaded(code):
    """Return the names of the modules that are loaded once code has run."""
    return set(in_new_process(f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"))
