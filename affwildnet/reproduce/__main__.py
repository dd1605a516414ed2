import sys

from affwildnet.commands.reproduce_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m affwildnet.reproduce"))
