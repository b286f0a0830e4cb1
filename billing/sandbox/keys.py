"""Idempotency: the first answer to a key is the only one for 24 hours of the sandbox's clock.

The body is not compared. Klarna leaves a key's scope open: here it covers all calls, so that a client which uses
one key for two purposes finds out.
"""

import hashlib
import json
from datetime import timedelta

from billing.sandbox.clock import stamp
from billing.sandbox.wire import Answer, Call, Refusal
from billing.sandbox.world import World

LIFETIME = timedelta(hours=24)

_KEPT_REFUSALS = (403, 404, 409)
"""With an error code, that is: one without comes from something in front of Klarna, and is no result."""


def kept_answer(world: World, call: Call) -> Answer | None:
    """The answer under the call's key, if it has one that is younger than 24 hours.

    Raises Refusal 409 CONFLICT where the key belongs to another call.
    """
    row = world.ledger.row(
        "SELECT * FROM answers WHERE idempotency_key = ? AND at > ?", call.key, stamp(world.clock.now() - LIFETIME)
    )
    if row is None:
        return None
    if row["call"] != _digest(call):
        raise Refusal(409, "CONFLICT", "This idempotency key was used for another call.")
    return Answer(row["status"], row["content"], json.loads(row["headers"]))


def keep(world: World, call: Call, answer: Answer) -> None:
    """Stores a success or a refusal that follows from the state; a request that was merely wrong may be corrected."""
    if answer.status < 300 or (answer.status in _KEPT_REFUSALS and answer.content):
        store(world, call, answer)


def store(world: World, call: Call, answer: Answer) -> None:
    """Stores any answer, so that every repeat of the key gets it."""
    world.ledger.write(
        "INSERT OR REPLACE INTO answers (idempotency_key, call, status, headers, content, at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        call.key,
        _digest(call),
        answer.status,
        json.dumps(dict(answer.headers)),
        answer.content,
        world.clock.stamp_now(),
    )


def _digest(call: Call) -> str:
    # The path of a charge holds a token, which is not written down here a second time.
    return hashlib.sha256(f"{call.method} {call.path}".encode()).hexdigest()
