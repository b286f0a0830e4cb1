"""Faults: what can go wrong on the wire, what has been played, and the script of those still to come."""

import sqlite3
from typing import Any

from billing.sandbox.wire import Call, Refusal, Scripted
from billing.sandbox.world import World

BEFORE = frozenset({"silence_before", "500_before", "503_before", "429", "401"})
"""Faults that come instead of the effect."""

AFTER = frozenset({"silence_after", "500_after", "garbage", "truncated"})
"""Faults that come after the effect is committed, and kept under the key."""

DECLINES = frozenset({"decline", "decline_hard"})
"""Not faults of the wire: the charge itself is refused."""

REFUSE = "refuse"
"""Any refusal of Klarna's tables, by `status` and `error_code`; without a code the answer has no body."""

TIMES_MAX = 1_000_000

NAMES = BEFORE | AFTER | DECLINES | {REFUSE}


def record(world: World, call: Call, fault: str, source: str, behaviour: str | None = None) -> None:
    """Written down before the fault is played, so that the books can say how often each was."""
    world.ledger.insert(
        "faults",
        fault=fault,
        method=call.method,
        path=masked(call),
        idempotency_key=call.key,
        reference=call.own_reference(),
        source=source,
        behaviour=behaviour,
        at=world.clock.stamp_now(),
    )


def was_played(world: World, call: Call) -> bool:
    """Whether a token's fault has been played for this key already; a call without a key has no memory."""
    if call.key is None:
        return False
    row = world.ledger.row("SELECT 1 FROM faults WHERE idempotency_key = ? AND source = 'token'", call.key)
    return row is not None


def masked(call: Call) -> str:
    """The path with a token or an authorization in it cut to its first eight characters."""
    if call.path.startswith("/ordermanagement/"):
        return call.path
    path = call.path
    for secret in call.ids:
        path = path.replace(secret, secret[:8] + "...")
    return path


def take_scripted(world: World, call: Call, *, is_replay: bool) -> Scripted | None:
    """The next scripted answer that this call matches, used up by one; to be called inside an effect.

    A refusal of the business is not taken for a key that has its answer already: that answer stands.
    """
    for row in world.ledger.rows("SELECT * FROM script ORDER BY id"):
        if _matches(row, call, is_replay):
            _use_up(world, row)
            return Scripted(row["fault"], row["status"], row["error_code"])
    return None


def refuse_if_scripted(call: Call) -> None:
    """Raises the refusal that the script has for this call, if it has one."""
    if call.scripted is not None and call.scripted.fault == REFUSE:
        raise Refusal(call.scripted.status or 500, call.scripted.error_code, "The script refuses this call.")


def queue(world: World, entries: list[dict[str, Any]]) -> None:
    """Adds scripted answers at the end; raises Refusal 422 with a sentence, and adds none, if one makes no sense."""
    for row in [_script_row(entry) for entry in entries]:
        world.ledger.insert("script", **row)


def waiting(world: World) -> list[dict[str, Any]]:
    rows = world.ledger.rows(
        "SELECT fault, method, path_contains, reference, times, status, error_code FROM script ORDER BY id"
    )
    return [{name: row[name] for name in row.keys() if row[name] is not None} for row in rows]  # noqa: SIM118  a Row iterates its values


def forget(world: World) -> None:
    world.ledger.write("DELETE FROM script")


def _script_row(entry: dict[str, Any]) -> dict[str, Any]:
    fault, times, status = entry.get("fault"), entry.get("times", 1), entry.get("status")
    if not isinstance(fault, str) or fault not in NAMES:
        raise _unprocessable(f"fault must be one of {', '.join(sorted(NAMES))}.")
    if type(times) is not int or not 1 <= times <= TIMES_MAX:
        raise _unprocessable(f"times must be a whole number from 1 to {TIMES_MAX}.")
    if (status is None) == (fault == REFUSE) or (status is not None and not _is_error(status)):
        raise _unprocessable("status, from 400 to 599, belongs to the fault refuse and to no other.")
    texts = {name: _optional_text(entry, name) for name in ("method", "path_contains", "reference", "error_code")}
    if texts["method"] is not None:
        texts["method"] = texts["method"].upper()
    return {"fault": fault, "times": times, "status": status, **texts}


def _is_error(status: Any) -> bool:
    return type(status) is int and 400 <= status < 600


def _matches(row: sqlite3.Row, call: Call, is_replay: bool) -> bool:
    fault = row["fault"]
    if fault in DECLINES and not (call.path.startswith("/customer-token/") and call.path.endswith("/order")):
        return False
    if is_replay and (fault in DECLINES or fault == REFUSE):
        return False
    return (
        row["method"] in (None, call.method)
        and (row["path_contains"] is None or row["path_contains"] in call.path)
        and (row["reference"] is None or row["reference"] in call.references())
    )


def _use_up(world: World, row: sqlite3.Row) -> None:
    if row["times"] > 1:
        world.ledger.write("UPDATE script SET times = times - 1 WHERE id = ?", row["id"])
    else:
        world.ledger.write("DELETE FROM script WHERE id = ?", row["id"])


def _optional_text(entry: dict[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise _unprocessable(f"{name} must be text.")
    return value


def _unprocessable(message: str) -> Refusal:
    return Refusal(422, "UNPROCESSABLE_ENTITY", message)
