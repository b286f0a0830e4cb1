"""Simulation: `python tests/simulation/run.py --help`. Only finds its modules; the work is in `command.py`."""

import os
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of words must be the same when a seed is run again.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606  (itself)
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    import_module("simulation.command").main()
