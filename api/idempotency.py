"""One effect and one answer for every POST, however often it arrives under its Idempotency-Key (charging rules, I13).

Knows headers, digests and bytes; that effect and answer are one transaction is `use_cases/answer_once.py`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, RawBody, SkipValidation
from sqlmodel import Session

from api.answers import Out, rendered
from api.auth import holder_of
from api.bodies import read_json
from api.errors import PROBLEM, Fault, Refused, refusal
from billing.bootstrap import Wiring
from billing.scheduler import Loops
from billing.use_cases import answer_once
from billing.use_cases.answer_once import Asked, Given
from billing.use_cases.api_keys import KeyHolder
from billing.use_cases.recording import Record

Result = TypeVar("Result")
Answer = TypeVar("Answer", bound=Out)

KEY_LENGTH_MAX = 255

KeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        description=(
            "1 to 255 printable characters of your choice. Sent again with the same body, the request has no second"
            " effect and is answered as the first time, with the header `Idempotency-Replayed: true`."
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class Writing:
    """One request that may change something: where, when, and how it is recognized when it comes again."""

    wiring: Wiring
    loops: Loops
    asked: Asked | None
    now: datetime
    holder: KeyHolder
    """Who is asking."""

    def answer(
        self, status: int, act: Callable[[Record[Result]], Result], show: Callable[[Session, Result], Answer]
    ) -> Response[Answer]:
        """Carry out `act` and answer what `show` makes of it, or what was answered the first time."""
        return self.send(self.give(status, act, show))

    def give(
        self, status: int, act: Callable[[Record[Result]], Result], show: Callable[[Session, Result], Answer]
    ) -> Given:
        """As `answer`, but not sent yet. The loops are poked after an effect: nobody waits for their next tick."""
        given = answer_once.answer_once(
            self.wiring.database,
            self.wiring.ids,
            self.now,
            self.asked,
            act,
            lambda session, result: (status, rendered(show(session, result))),
            refusal,
        )
        if not given.replayed and given.status < 400:
            self.loops.poke()
        return given

    def complete(self, given: Given, status: int, answer: Out) -> Given:
        """Fix an answer that was given as open."""
        return answer_once.complete(self.wiring.database, self.asked, given, status, rendered(answer))

    def send(self, given: Given, headers: dict[str, str] | None = None) -> Response[Any]:
        """The answer as it goes out."""
        headers = dict(headers or {})
        if given.replayed:
            headers["Idempotency-Replayed"] = "true"
        media_type = PROBLEM if given.status >= 400 else "application/json"
        return Response(cast("Any", given.body), status_code=given.status, media_type=media_type, headers=headers)


Write = NamedDependency[SkipValidation[Writing]]


def writing(wiring: Wiring, loops: Loops) -> Callable[..., Writing]:
    """The dependency that makes a `Writing` of each request."""

    def write(request: Request[Any, Any, Any], body: RawBody, idempotency_key: KeyHeader = None) -> Writing:
        _refuse_what_is_not_read(request, body)
        asked = None if idempotency_key is None else _asked(request, body, idempotency_key)
        return Writing(wiring, loops, asked, wiring.clock.now(), holder_of(request))

    return write


def _refuse_what_is_not_read(request: Request[Any, Any, Any], body: bytes) -> None:
    # Whoever sends fields expects them to count: a call without a body takes none, or an empty object.
    if request.method != "POST" or request.route_handler.parsed_data_field is not None or not body.strip():
        return
    if read_json(body) != {}:
        fault = Fault(where="", message="this call takes no fields")
        raise Refused(422, "invalid", "the body has a fault", [fault])


def _asked(request: Request[Any, Any, Any], body: bytes, key: str) -> Asked:
    if not (1 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        sentence = f"1 to {KEY_LENGTH_MAX} printable ASCII characters are needed"
        fault = Fault(where="Idempotency-Key", message=sentence)
        raise Refused(422, "invalid", f"the Idempotency-Key cannot be used: {sentence}", [fault])
    digest = hashlib.sha256(f"{request.method} {request.scope['path']}\n".encode() + body)
    return Asked(holder_of(request).id, key, digest.hexdigest())
