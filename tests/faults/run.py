"""Kills: `python tests/faults/run.py --help`. Only finds its modules; the work is in `killing/command.py`."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    import_module("faults.killing.command").main()
