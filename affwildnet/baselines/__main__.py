import sys

from affwildnet.commands.baselines_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m affwildnet.baselines"))
