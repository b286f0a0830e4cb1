"""The one asynchronous place: a thread with an event loop and one kept-open HTTP session.

A batch of requests goes in, what became of each comes out as it arrives. Decides only whether a failed request was
surely never sent; retries nothing. A URL may carry a token: none is logged, raised or shown.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

import aiohttp
from yarl import URL

from billing.adapters.connections import BODY_MAX, GuardedConnector

log = logging.getLogger(__name__)

METHODS = frozenset({"GET", "POST", "PATCH"})
"""What may be asked for. aiohttp silently repeats an idempotent method (PUT and DELETE among them) when a kept-open
connection turns out dead, so whatever changes something must be POST or PATCH."""

_KEEP_ALIVE_SECONDS = 15.0
"""Well below the idle limits of servers and firewalls, so that few calls meet a connection that is just closing."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Seconds count from the hand-over to `Network.exchange`, waiting for a free connection included.

    `deadline_seconds` ends the whole exchange, a slow drip too. With `handover_seconds` a request that has no
    connection by then is given up as not sent: what allowed it may no longer hold.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    deadline_seconds: float
    handover_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer of any status. Header names are in lower case; of a repeated header the first value stands."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotSentFailure:
    """Surely not one byte of the request left: no connection came about. `kind` is a type name, never a text."""

    kind: str


@dataclass(frozen=True, slots=True)
class LostFailure:
    """The request may have arrived, its answer did not. `kind` is a type name, never a text."""

    kind: str


HttpOutcome = HttpAnswer | NotSentFailure | LostFailure
Arrivals = SimpleQueue[tuple[int, HttpOutcome]]


@dataclass(frozen=True, slots=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    thread: Thread
    session: aiohttp.ClientSession


class Network:
    """At most `concurrency` connections, started on first use. `tls` replaces the system's trust, never the checking.

    Callable from any thread. The connections are shared by all callers: an account that must not wait for another
    one's slow answers needs a `Network` of its own.
    """

    def __init__(self, concurrency: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._concurrency = concurrency
        self._tls = tls
        self._lock = Lock()
        self._running: _Running | None = None
        self._is_closed = False
        # Its messages may quote URLs.
        logging.getLogger("aiohttp").setLevel(logging.CRITICAL)

    def exchange(self, requests: Sequence[HttpRequest]) -> Iterator[tuple[int, HttpOutcome]]:
        """Send all now and yield `(index, outcome)` as each arrives: exactly one per request, whatever happens.

        After `close()` everything is answered with `NotSentFailure`.
        """
        is_safe = all(request.method in METHODS for request in requests)
        assert is_safe, "only methods that the client never repeats by itself"
        arrivals: Arrivals = SimpleQueue()
        self._submit(requests, arrivals)
        return (arrivals.get() for _ in requests)

    def close(self) -> None:
        """End the connections and the thread. What is still under way is answered with `LostFailure`."""
        with self._lock:
            self._is_closed = True
            running, self._running = self._running, None
        if running is not None:
            asyncio.run_coroutine_threadsafe(_shut_down(running.session), running.loop).result()
            running.loop.call_soon_threadsafe(running.loop.stop)
            running.thread.join()

    def _submit(self, requests: Sequence[HttpRequest], arrivals: Arrivals) -> None:
        handed_over = time.monotonic()
        with self._lock:
            if self._is_closed:
                for index in range(len(requests)):
                    arrivals.put((index, NotSentFailure("NetworkClosed")))
            else:
                self._running = running = self._running or self._start()
                running.loop.call_soon_threadsafe(_spawn, running.session, requests, handed_over, arrivals)

    def _start(self) -> _Running:
        loop = _new_loop()
        loop.set_exception_handler(_report_type_only)
        thread = Thread(target=_run, args=(loop,), name="network", daemon=True)
        thread.start()
        session = asyncio.run_coroutine_threadsafe(_open(self._concurrency, self._tls), loop).result()
        return _Running(loop, thread, session)


async def _open(concurrency: int, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    connector = GuardedConnector(
        limit=concurrency, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=True if tls is None else tls
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("User-Agent",),
    )


async def _shut_down(session: aiohttp.ClientSession) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await session.close()


def _spawn(
    session: aiohttp.ClientSession, requests: Sequence[HttpRequest], handed_over: float, arrivals: Arrivals
) -> None:
    for index, request in enumerate(requests):
        task = asyncio.ensure_future(_outcome(session, request, handed_over))
        task.add_done_callback(partial(_deliver, index, arrivals))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


def _report_type_only(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # The default handler prints responses and exceptions, and with them the URL.
    log.error("network loop: %s", type(context.get("exception")).__name__)


def _deliver(index: int, arrivals: Arrivals, task: asyncio.Task[HttpOutcome]) -> None:
    # A callback runs for every task, also for one that was canceled before its first line.
    if task.cancelled():
        arrivals.put((index, LostFailure("NetworkClosed")))
    elif (failure := task.exception()) is not None:
        arrivals.put((index, LostFailure(type(failure).__name__)))
    else:
        arrivals.put((index, task.result()))


async def _outcome(session: aiohttp.ClientSession, request: HttpRequest, handed_over: float) -> HttpOutcome:
    waited = time.monotonic() - handed_over
    limit = request.deadline_seconds if request.handover_seconds is None else request.handover_seconds
    # A process that was stopped and woken up again comes by here too late: nothing is sent any more.
    if waited >= min(limit, request.deadline_seconds):
        return NotSentFailure("HandoverTimeout")
    try:
        async with asyncio.timeout(request.deadline_seconds - waited):
            return await _answer(session, request, limit - waited)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as failure:
        # Raised while connecting only: name look-up, refused or timed-out connection, TLS handshake.
        return NotSentFailure(type(failure).__name__)
    except (aiohttp.ClientError, OSError) as failure:
        return LostFailure(type(failure).__name__)


async def _answer(session: aiohttp.ClientSession, request: HttpRequest, connect_seconds: float) -> HttpOutcome:
    async with session.request(
        request.method,
        URL(request.url, encoded=True),
        headers={**request.headers, "Accept-Encoding": "identity"},
        data=request.body or None,
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_seconds),
        allow_redirects=False,
    ) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > BODY_MAX:
                response.close()
                return LostFailure("BodyTooLarge")
        return HttpAnswer(response.status, _lower_case(response), bytes(body))


def _lower_case(response: aiohttp.ClientResponse) -> dict[str, str]:
    # Reversed, so that the first of a repeated header is the one that stays.
    return {name.lower(): value for name, value in reversed(list(response.headers.items()))}
