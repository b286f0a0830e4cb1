"""What one kept-open connection may do to us: bounded bytes for each answer, and no answer that nobody asked for.

Reaches into the HTTP client where it has no public place for it; the client's version is pinned, and the tests of
hostile answers notice where it changes.
"""

import os
import socket
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

BODY_MAX = 1024 * 1024
"""Bytes of an answer's body; a longer one counts as lost."""

RECEIVED_MAX = BODY_MAX + 256 * 1024
"""Bytes of everything that comes for one request: body, headers, chunk sizes, interim answers."""

_SLICE = 4096
_INTERIM_MAX = 20
"""Bytes that are parsed, and answers that may wait to be read, before the next look at how many there are."""


class GuardedConnector(aiohttp.TCPConnector):
    """Keeps connections open, and never reuses one on which anything came that nobody asked for.

    It would be read as the answer to the next call. One that the server has closed meanwhile is not reused either.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = cast("partial[ResponseHandler]", partial(_Handler, loop=self._loop))

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            if _is_quiet(connection):
                return connection
            connection.close()
        return None


class _Handler(ResponseHandler):
    """One connection, which takes no more bytes for an answer than one may have, and few interim answers at once.

    The client bounds headers and we the body; "100 Continue" without end is bounded by nobody else.
    """

    _received = 0

    def set_response_params(self, **params: Any) -> None:
        self._received = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        for start in range(0, len(data) or 1, _SLICE):
            if self._received > RECEIVED_MAX or len(self._buffer) > _INTERIM_MAX:
                self._give_up(aiohttp.ClientPayloadError())
            if self.exception() is not None:
                return
            super().data_received(data[start : start + _SLICE])

    def _give_up(self, failure: aiohttp.ClientError) -> None:
        self.set_exception(failure)
        if self._payload is not None:
            self._payload.set_exception(failure)
        if self.transport is not None:
            self.transport.abort()


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing waits to be read, neither in the client nor in the kernel."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or protocol.should_close:
        return False
    handle = transport.get_extra_info("socket")
    # A duplicate, since an event loop lends no socket that can be read.
    with socket.socket(fileno=os.dup(handle.fileno())) as twin:
        try:
            twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
