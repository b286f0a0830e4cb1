"""Sending an answer, well or badly: whole, late, never, one byte at a time, cut off, or far too large."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from billing.sandbox.wire import Answer

SILENCE_SECONDS = 120
DRIP_SECONDS = 1.0
HUGE_BYTES = 64 * 1024 * 1024

_BLOCK = b"a" * 65_536


async def send(request: web.BaseRequest, answer: Answer, headers: Mapping[str, str]) -> web.StreamResponse:
    """Sends the answer as its fault says; returns what the server still has to send."""
    fault = answer.fault
    match fault.name if fault else "":
        case "silence_before" | "silence_after":
            await _stay_silent(request)
        case "delay_after":
            await asyncio.sleep(fault.seconds or 0 if fault else 0)
        case "reset_before":
            await _reset(request, b"")
        case "reset_after":
            await _reset(request, _raw(answer, headers)[: (fault.size or 0) if fault else 0])
        case "drip":
            seconds = fault.seconds if fault else None
            await _drip(request, _raw(answer, headers), DRIP_SECONDS if seconds is None else seconds)
        case "huge":
            size = fault.size if fault else None
            return await _flood(request, answer, headers, HUGE_BYTES if size is None else size)
    return web.Response(status=answer.status, body=answer.content or None, headers=headers)


async def _stay_silent(request: web.BaseRequest) -> None:
    """Never answers: holds the connection until the client lets go of it, at most two minutes."""
    for _ in range(SILENCE_SECONDS * 20):
        if _is_gone(request):
            return
        await asyncio.sleep(0.05)
    if request.transport is not None:
        request.transport.abort()


async def _reset(request: web.BaseRequest, first: bytes) -> None:
    """The connection is reset after these first bytes of the answer."""
    transport = request.transport
    if transport is None:
        return
    if first:
        transport.write(first)
        await asyncio.sleep(0.05)  # what waits in a buffer would be lost with the connection
    handle = transport.get_extra_info("socket")
    if handle is not None:
        # A duplicate, since not every event loop lets its own socket be told that closing means resetting.
        with socket.socket(fileno=os.dup(handle.fileno())) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _drip(request: web.BaseRequest, content: bytes, seconds: float) -> None:
    for n in range(len(content)):
        if request.transport is None or request.transport.is_closing():
            return
        request.transport.write(content[n : n + 1])
        await asyncio.sleep(seconds)
    if request.transport is not None:
        request.transport.close()


async def _flood(request: web.BaseRequest, answer: Answer, headers: Mapping[str, str], size: int) -> web.StreamResponse:
    is_xml = answer.content.lstrip().startswith(b"<")
    response = web.StreamResponse(status=answer.status, headers=headers)
    with contextlib.suppress(ConnectionError):  # the client has had enough
        await response.prepare(request)
        await response.write(b"<?xml version='1.0'?><methodResponse><params>" if is_xml else b'{"order_id": "')
        for _ in range(size // len(_BLOCK)):
            await response.write(_BLOCK)
        await response.write(_BLOCK[: size % len(_BLOCK)])
        await response.write_eof()
    return response


def _raw(answer: Answer, headers: Mapping[str, str]) -> bytes:
    status = HTTPStatus(answer.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(answer.content)}")
    return "\r\n".join([*lines, "", ""]).encode() + answer.content


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()
