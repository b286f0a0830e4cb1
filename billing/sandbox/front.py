"""The door: who is calling, which call it is, what is kept under its key, and how its answer is spoilt.

Between reading a body and waiting for the commit nothing is awaited, so that each call is executed alone: two
calls with one key can never both execute.
"""

import asyncio
import base64
import sys
import time
import traceback
from contextlib import nullcontext
from dataclasses import replace
from uuid import uuid4

from aiohttp import web

from billing.sandbox import digests, faults, keys, methods, routes, spoiling
from billing.sandbox.limits import Limiter
from billing.sandbox.recording import Recorder
from billing.sandbox.sending import send
from billing.sandbox.spoiling import Refuse
from billing.sandbox.wire import Answer, Call, Refusal, Withheld
from billing.sandbox.world import World

BODY_MAX = 1024 * 1024

_CREDENTIALS = "Basic " + base64.b64encode(b"sandbox:sandbox").decode()


class Front:
    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world = world
        self._recorder = recorder
        self._limiter = Limiter(time.monotonic)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        correlation_id = str(uuid4())
        door = routes.door_of(request.method, request.path)
        refuse, limits, call = routes.REFUSALS[door], dict[str, str](), None
        try:
            call, route = await _read(request, door, correlation_id)
            limits = self._counted(route)
        except Refusal as refusal:
            answer = refuse(refusal, correlation_id)
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            answer = _mishap(error, refuse, correlation_id)
        else:
            answer = await self._committed_answer(call, route, refuse)
            if answer.fault is not None and answer.fault.name == faults.DELAY_BEFORE:
                await asyncio.sleep(answer.fault.seconds or 0)
                answer = await self._committed_answer(replace(call, scripted=answer.fault), route, refuse)
        answer = spoiling.spoilt(answer, refuse, correlation_id)
        headers = {"Klarna-Correlation-Id": correlation_id, **limits, **answer.headers}
        if door == routes.REST:
            self._recorder.keep(request.method, request.path, call, answer, headers)
        return await send(request, answer, headers)

    def _counted(self, route: routes.Route) -> dict[str, str]:
        """What the answer says about the limit that the call counts against; raises Refusal 429 beyond it."""
        limit = getattr(self._world.settings.values, route.limit) if route.limit else None
        if limit is None:
            return {}
        is_granted, headers = self._limiter.take(route.limit, limit)
        if not is_granted:
            raise Refusal(429, "TOO_MANY_REQUESTS", "Too many calls.", headers)
        return headers

    async def _committed_answer(self, call: Call, route: routes.Route, refuse: Refuse) -> Answer:
        try:
            answer = self._answer(call, route, refuse)
            await self._world.ledger.committed()
        except Exception as error:  # a mistake in the sandbox: said by type and line, since messages may hold a token
            return _mishap(error, refuse, call.correlation_id)
        return answer

    def _answer(self, call: Call, route: routes.Route, refuse: Refuse) -> Answer:
        with nullcontext() if route.is_light else self._world.ledger.effect():
            try:
                if route.limit == "":
                    return route.handler(self._world, call)
                return self._with_faults(call, route, refuse)
            except Withheld as withheld:
                return Answer(500, fault=withheld.fault)
            except Refusal as refusal:
                return refuse(refusal, call.correlation_id)

    def _with_faults(self, call: Call, route: routes.Route, refuse: Refuse) -> Answer:
        kept = keys.kept_answer(self._world, call) if route.keeps_key and call.key else None
        was_delayed = call.scripted is not None
        scripted = None if was_delayed else faults.take_scripted(self._world, call, is_replay=kept is not None)
        if scripted is None:
            return kept or self._executed(call, route, refuse)
        faults.record(self._world, call, scripted.name, "script")
        if scripted.name == faults.NOT_FOUND:
            is_xmlrpc = call.path.startswith("/xmlrpc/")
            raise methods.missing(call) if is_xmlrpc else spoiling.not_found(call.path)
        if scripted.name == faults.DELAY_BEFORE:
            return Answer(500, fault=scripted)
        if spoiling.is_before(scripted):
            self._remember_if_replayed(call, route, refuse, scripted.name)
            raise Withheld(scripted)
        answer = kept or self._executed(replace(call, scripted=scripted), route, refuse)
        self._remember_if_replayed(call, route, refuse, scripted.name)
        return replace(answer, fault=scripted) if scripted.name in faults.AFTER else answer

    def _executed(self, call: Call, route: routes.Route, refuse: Refuse) -> Answer:
        """The first answer to a call. A refusal that is kept under the key is a result like any other."""
        try:
            faults.refuse_if_scripted(call)
            answer = route.handler(self._world, call)
        except Refusal as refusal:
            answer = refuse(refusal, call.correlation_id)
        answer = replace(answer, headers={"Klarna-Correlation-Id": call.correlation_id, **answer.headers})
        if route.keeps_key and call.key:
            keys.keep(self._world, call, answer)
        return answer

    def _remember_if_replayed(self, call: Call, route: routes.Route, refuse: Refuse, fault: str) -> None:
        """An error that the key answers with from now on, whatever was executed."""
        if fault.startswith("replayed_") and route.keeps_key and call.key:
            error = refuse(spoiling.REFUSALS["500_before"], call.correlation_id)
            keys.store(self._world, call, error)


async def _read(request: web.BaseRequest, door: str, correlation_id: str) -> tuple[Call, routes.Route]:
    path, authorization = request.path, request.headers.get("Authorization")
    if door == routes.REST and authorization != _CREDENTIALS:
        raise Refusal(401, "UNAUTHORIZED", "The credentials are wrong.", {"WWW-Authenticate": "Basic"})
    found = routes.find(path)
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is no such address.")
    rows, ids = found
    if request.method not in rows:
        raise Refusal(405, "METHOD_NOT_ALLOWED", "This address has no such method.", {"Allow": ", ".join(rows)})
    call = Call(
        method=request.method,
        path=path,
        host=request.host,
        key=request.headers.get("Klarna-Idempotency-Key") or None,
        raw=await _body(request),
        correlation_id=correlation_id,
        ids=ids,
        query=request.query,
        content_type=request.headers.get("Content-Type", ""),
        accept=request.headers.get("Accept", ""),
    )
    if door == routes.CHECKOUT and not digests.is_authorized(authorization, call.raw):
        raise Refusal(401, "UNAUTHORIZED", "Bad digest")
    return methods.read(call) if door == routes.XMLRPC else call, rows[request.method]


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


def _mishap(error: Exception, refuse: Refuse, correlation_id: str) -> Answer:
    where = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(f"sandbox: {type(error).__name__} in {where.name}, line {where.lineno}\n")
    return refuse(Refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong."), correlation_id)
