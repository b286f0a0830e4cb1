"""Keeps the memory of a process that holds keys out of core dumps and away from debuggers of the same user."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """No core dump, and on Linux not dumpable or traceable. Call it before keys are loaded; never raises."""
    if sys.platform == "win32":
        return
    import resource  # here, because Windows has none

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
