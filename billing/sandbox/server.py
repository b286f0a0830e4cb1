"""The sandbox's process: opens the books, listens, says so in one line, and ends when it is told to.

An unusable port or directory is one sentence on standard error and exit code 3.
"""

import asyncio
import errno
import importlib
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from aiohttp import web

from billing.sandbox.clock import Clock
from billing.sandbox.front import Front
from billing.sandbox.ledger import Ledger
from billing.sandbox.recording import Recorder
from billing.sandbox.settings import Settings
from billing.sandbox.world import World

UNUSABLE = 3
"""Exit code for a port or a directory that cannot be used."""


def serve(host: str, port: int, data_dir: Path, seed: str = "perennial", parent_pipe: bool = False) -> None:
    """Listens until SIGTERM, SIGINT or, with `parent_pipe`, the end of standard input; port 0 takes a free one.

    Raises SystemExit with code 3 after one sentence on standard error where port or directory cannot be used.
    """
    try:
        ledger = Ledger(data_dir)
    except (OSError, sqlite3.Error) as error:
        _give_up(f"the data directory {data_dir} cannot be used: {_reason(error)}")
    world = World(ledger, Clock(ledger), Settings(ledger), seed)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_listen(world, host, port, parent_pipe))
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        why = "is in use; choose another, or 0 for a free one" if in_use else f"cannot be used: {_reason(error)}"
        _give_up(f"port {port} on {host} {why}")
    finally:
        ledger.close()


async def _listen(world: World, host: str, port: int, parent_pipe: bool) -> None:
    # The server's own log would quote malformed request lines, and with them tokens.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.ServerRunner(
        web.Server(Front(world, Recorder.of_environment()), access_log=None), shutdown_timeout=0.2
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        if parent_pipe:
            _watch_stdin(loop, stop)
        sys.stdout.write(f"sandbox ready on http://{host}:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def wait_for_end() -> None:
        # os.read, since a thread that waits in a buffered reader keeps the interpreter from ending.
        while os.read(0, 65536):
            pass
        with suppress(RuntimeError):  # the loop is closed where a signal came first
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end, name="parent-pipe", daemon=True).start()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _give_up(sentence: str) -> NoReturn:
    sys.stderr.write(f"sandbox: {sentence}.\n")
    raise SystemExit(UNUSABLE)
