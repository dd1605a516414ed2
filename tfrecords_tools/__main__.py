import sys

from tfrecords_tools.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m tfrecords_tools"))
