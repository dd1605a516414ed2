import sys

from affwildnet.commands.dispatcher import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m affwildnet"))
