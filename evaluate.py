"""Score a run: the command `affwildnet evaluate`, from a checkout. `python evaluate.py --help` shows its flags."""

import sys

from affwildnet.commands.evaluate_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python evaluate.py"))
