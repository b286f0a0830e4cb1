"""The door: who is calling, which call it is, what is kept under its key, and how its answer is spoilt.

Between reading a body and waiting for the commit nothing is awaited, so that each call is executed alone: two
calls with one key can never both execute.
"""

import asyncio
import base64
import sys
import traceback
from contextlib import nullcontext
from dataclasses import replace
from uuid import uuid4

from aiohttp import web

from billing.sandbox import faults, keys, routes
from billing.sandbox.wire import Answer, Call, Refusal, Withheld, error_answer
from billing.sandbox.world import World

BODY_MAX = 1024 * 1024
SILENCE_SECONDS = 120

_CREDENTIALS = "Basic " + base64.b64encode(b"sandbox:sandbox").decode()
_PAGE = b"<!doctype html><title>Bad gateway</title><h1>Something is in the way</h1>"


class Front:
    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        correlation_id = str(uuid4())
        try:
            call, route = await _read(request, correlation_id)
        except Refusal as refusal:
            answer = error_answer(refusal, correlation_id)
        else:
            answer = await self._committed_answer(call, route)
        if answer.fault in ("silence_before", "silence_after"):
            await _stay_silent(request)
        answer = _spoilt(answer, correlation_id)
        headers = {"Klarna-Correlation-Id": correlation_id, **answer.headers}
        return web.Response(status=answer.status, body=answer.content or None, headers=headers)

    async def _committed_answer(self, call: Call, route: routes.Route) -> Answer:
        try:
            answer = self._answer(call, route)
            await self._world.ledger.committed()
        except Exception as error:  # a mistake in the sandbox: said by type and line, since messages may hold a token
            return _mishap(error, call.correlation_id)
        return answer

    def _answer(self, call: Call, route: routes.Route) -> Answer:
        with nullcontext() if route.is_light else self._world.ledger.effect():
            try:
                if call.path.startswith("/_sandbox/"):
                    return route.handler(self._world, call)
                return self._with_faults(call, route)
            except Withheld as withheld:
                return Answer(500, fault=withheld.fault)
            except Refusal as refusal:
                return error_answer(refusal, call.correlation_id)

    def _with_faults(self, call: Call, route: routes.Route) -> Answer:
        kept = keys.kept_answer(self._world, call) if route.keeps_key and call.key else None
        scripted = faults.take_scripted(self._world, call, is_replay=kept is not None)
        if scripted is None:
            return kept or self._executed(call, route)
        faults.record(self._world, call, scripted.fault, "script")
        if scripted.fault in faults.BEFORE:
            raise Withheld(scripted.fault)
        answer = kept or self._executed(replace(call, scripted=scripted), route)
        return replace(answer, fault=scripted.fault) if scripted.fault in faults.AFTER else answer

    def _executed(self, call: Call, route: routes.Route) -> Answer:
        """The first answer to a call. A refusal that is kept under the key is a result like any other."""
        try:
            faults.refuse_if_scripted(call)
            answer = route.handler(self._world, call)
        except Refusal as refusal:
            answer = error_answer(refusal, call.correlation_id)
        answer = replace(answer, headers={"Klarna-Correlation-Id": call.correlation_id, **answer.headers})
        if route.keeps_key and call.key:
            keys.keep(self._world, call, answer)
        return answer


async def _read(request: web.BaseRequest, correlation_id: str) -> tuple[Call, routes.Route]:
    path = request.path
    if not path.startswith("/_sandbox/") and request.headers.get("Authorization") != _CREDENTIALS:
        raise Refusal(401, "UNAUTHORIZED", "The credentials are wrong.", {"WWW-Authenticate": "Basic"})
    found = routes.find(path)
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is no such address.")
    methods, ids = found
    if request.method not in methods:
        raise Refusal(405, "METHOD_NOT_ALLOWED", "This address has no such method.", {"Allow": ", ".join(methods)})
    key = request.headers.get("Klarna-Idempotency-Key") or None
    raw = await _body(request)
    return Call(request.method, path, request.host, key, raw, correlation_id, ids), methods[request.method]


async def _body(request: web.BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    chunks, size = [], 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > BODY_MAX:
            raise Refusal(413, "REQUEST_TOO_LARGE", "The body is larger than 1 MB.")
        chunks.append(chunk)
    return b"".join(chunks)


async def _stay_silent(request: web.BaseRequest) -> None:
    """Never answers: holds the connection until the client lets go of it, at most two minutes."""
    for _ in range(SILENCE_SECONDS * 20):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(0.05)
    if request.transport is not None:
        request.transport.abort()


def _spoilt(answer: Answer, correlation_id: str) -> Answer:
    match answer.fault:
        case "500_before" | "500_after":
            return error_answer(Refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong."), correlation_id)
        case "503_before":
            return error_answer(Refusal(503, "SERVICE_UNAVAILABLE", "Not available at present."), correlation_id)
        case "401":
            return error_answer(Refusal(401, "UNAUTHORIZED", "The credentials are wrong."), correlation_id)
        case "429":
            limits = {"X-Ratelimit-Limit": "200", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1"}
            return error_answer(Refusal(429, "TOO_MANY_REQUESTS", "Too many calls.", limits), correlation_id)
        case "garbage":
            return Answer(200, _PAGE, {"Content-Type": "text/html"})
        case "truncated":
            whole = answer.content or b'{"order_id": "'
            return replace(answer, content=whole[: len(whole) // 2])
    return answer


def _mishap(error: Exception, correlation_id: str) -> Answer:
    where = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(f"sandbox: {type(error).__name__} in {where.name}, line {where.lineno}\n")
    return error_answer(Refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong."), correlation_id)
