"""Train an experiment: the command `affwildnet train`, from a checkout. `python train.py --help` shows its flags."""

import sys

from affwildnet.commands.train_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python train.py"))
