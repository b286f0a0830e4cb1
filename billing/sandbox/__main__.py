"""Starts the sandbox: `python -m billing.sandbox --port 7001 --data DIR`."""

import argparse
from pathlib import Path

from billing.sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m billing.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=7001, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="directory of sandbox.sqlite3")
    parser.add_argument("--seed", default="perennial", help="what every seeded behaviour is drawn from")
    parser.add_argument("--parent-pipe", action="store_true", help="exit as soon as stdin ends")
    chosen = parser.parse_args()
    serve(chosen.host, chosen.port, chosen.data, chosen.seed, chosen.parent_pipe)


if __name__ == "__main__":
    main()
