"""Soak: `python tests/lives/run.py --help`. Only finds the modules beside it; the work is in `soak.py`."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    import_module("lives.soak").main()
