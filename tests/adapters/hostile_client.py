"""One hostile answer in a process of its own, so that its memory can be measured: run as a module, it prints JSON.

`python -m tests.adapters.hostile_client rest purchase http://127.0.0.1:1234` makes a first call, which loads what is
loaded once, and a second one, whose outcome and growth of the peak (in kilobytes) it prints.
"""

import json
import resource
import sys

from billing.adapters.network import Network
from billing.domain.operations import OperationKind
from tests.adapters.hostile import SPEAKERS, sent

DEADLINE_SECONDS = 2.0


def main(generation: str, kind: str, url: str) -> None:
    """Make both calls against `url`."""
    speaker, network = SPEAKERS[generation], Network(concurrency=2)
    call = speaker.call(OperationKind(kind))
    sent(speaker, call, url, network)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = sent(speaker, call, url, network, DEADLINE_SECONDS)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    network.close()
    sys.stdout.write(json.dumps({"outcome": type(outcome).__name__, "grown": grown}))


if __name__ == "__main__":
    main(*sys.argv[1:])
