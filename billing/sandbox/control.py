"""The sandbox's own calls under /_sandbox: the person in the browser, the clock, the script, the books."""

from typing import Any

from billing.sandbox import faults
from billing.sandbox.clock import ClockRefused, instant
from billing.sandbox.tokens import BEHAVIOURS
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id


def approve(world: World, call: Call) -> Answer:
    """What the customer does in the browser; `token` names how the token that comes of it will behave."""
    behaviour, seed = call.body.get("token"), call.body.get("seed")
    if behaviour not in BEHAVIOURS:
        raise _unprocessable(f"token must be one of {', '.join(BEHAVIOURS)}.")
    if seed is not None and (not isinstance(seed, str) or not seed):
        raise _unprocessable("seed must be text, or left out.")
    if world.ledger.row("SELECT 1 FROM sessions WHERE session_id = ?", call.ids[0]) is None:
        raise Refusal(404, "NOT_FOUND", "There is no such session.")
    authorization_token = new_id()
    world.ledger.insert(
        "authorizations",
        authorization_token=authorization_token,
        session_id=call.ids[0],
        behaviour=behaviour,
        seed=seed,
        created_at=world.clock.stamp_now(),
    )
    return json_answer({"authorization_token": authorization_token})


def read_clock(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer({"now": world.clock.stamp_now()})


def set_clock(world: World, call: Call) -> Answer:
    """`advance_seconds` moves the clock, `set` freezes it at an instant, `set: null` goes back to the real one."""
    try:
        _turn(world, call.body)
    except ClockRefused as refused:
        raise _unprocessable(str(refused)) from None
    return read_clock(world, call)


def read_script(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer({"answers": faults.waiting(world)})


def queue_script(world: World, call: Call) -> Answer:
    entries = call.body.get("answers")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _unprocessable("answers must be a list of objects.")
    faults.queue(world, entries)
    return read_script(world, call)


def forget_script(world: World, call: Call) -> Answer:
    faults.forget(world)
    return read_script(world, call)


def read_ledger(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer(world.ledger.everything())


def _turn(world: World, wish: dict[str, Any]) -> None:
    match wish:
        case {"advance_seconds": int() | float() as seconds} if not isinstance(seconds, bool):
            world.clock.advance(seconds)
        case {"set": str(text)}:
            world.clock.freeze(instant(text))
        case {"set": None}:
            world.clock.release()
        case _:
            raise ClockRefused("Send advance_seconds as a number, or set as an ISO 8601 instant with a zone.")


def _unprocessable(message: str) -> Refusal:
    return Refusal(422, "UNPROCESSABLE_ENTITY", message)
