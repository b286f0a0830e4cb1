"""The life of a process that only works: clock and loops, until it is told to stop."""

import signal
import threading
from types import FrameType

from billing.bootstrap import Wiring
from billing.scheduler import Checker, Loops


def work(wiring: Wiring, seconds: float, checker: Checker | None = None) -> None:
    """Run the loops every `seconds` until SIGTERM or SIGINT; batches that are under way are finished.

    `checker` makes the day's check.
    """
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the signature of a signal handler)
        stop.set()

    signal.signal(signal.SIGTERM, asked)
    signal.signal(signal.SIGINT, asked)
    loops = Loops(wiring, checker)
    loops.start(seconds)
    stop.wait()
    loops.stop()
