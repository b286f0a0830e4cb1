"""Faults: what can go wrong with a call, what has been played, and the script of those still to come."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

from billing.sandbox.clock import instant, stamp
from billing.sandbox.scripts import OPTIONS, entry_of, options_of
from billing.sandbox.wire import Call, Fault, Refusal, XmlRpcFault
from billing.sandbox.world import World

BEFORE = frozenset(
    {"silence_before", "500_before", "503_before", "429", "401", "replayed_500_before", "reset_before", "canned_before"}
)
"""Faults that come instead of the effect."""

AFTER = frozenset(
    {
        "silence_after",
        "500_after",
        "garbage",
        "truncated",
        "malformed",
        "empty",
        "delay_after",
        "reset_after",
        "drip",
        "huge",
        "wrong_amount",
        "wrong_reference",
        "replayed_500",
        "canned_after",
    }
)
"""Faults that come after the effect is committed; what is kept under the key is the answer before it was spoilt."""

DELAY_BEFORE = "delay_before"
"""The call is executed as ever, only later."""

NOT_FOUND = "not_found"
"""For some time, from the first call on that meets it, nothing is found; the effect is withheld."""

DECLINES = frozenset({"decline", "decline_hard"})
"""Not faults of the wire: the charge itself is refused."""

NO_RISK = "no_risk"
"""A capture that Klarna takes no risk for."""

REFUSE = "refuse"
"""Any refusal of Klarna's tables, by `status` and `error_code`; without a code the answer has no body."""

XMLRPC_FAULT = "xmlrpc_fault"
"""Any fault of the older generation, by `error_code`."""

NAMES = BEFORE | AFTER | DECLINES | {REFUSE, XMLRPC_FAULT, DELAY_BEFORE, NOT_FOUND, NO_RISK}

_OF_BUSINESS = DECLINES | {REFUSE, XMLRPC_FAULT, NO_RISK}


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


def take_scripted(world: World, call: Call, *, is_replay: bool) -> Fault | None:
    """The next scripted answer that this call matches, used up by one; to be called inside an effect.

    A refusal of the business is not taken for a key that has its answer already: that answer stands.
    """
    for row in world.ledger.rows("SELECT * FROM script ORDER BY id"):
        options = json.loads(row["options"])
        if not _matches(row, call, is_replay):
            continue
        if row["fault"] != NOT_FOUND:
            _use_up(world, row)
            return Fault(row["fault"], row["status"], row["error_code"], **options_of(options))
        if _is_within_window(world, row, options):
            return Fault(NOT_FOUND)
    return None


def refuse_if_scripted(call: Call) -> None:
    """Raises the refusal that the script has for this call, if it has one."""
    if call.scripted is not None and call.scripted.name == REFUSE:
        raise Refusal(call.scripted.status or 500, call.scripted.error_code, "The script refuses this call.")
    if call.scripted is not None and call.scripted.name == XMLRPC_FAULT:
        raise XmlRpcFault(int(call.scripted.error_code or 0), "The script refuses this call.")


def queue(world: World, entries: list[dict[str, Any]]) -> None:
    """Adds scripted answers at the end; raises Refusal 422 with a sentence, and adds none, if one makes no sense."""
    for row in [entry_of(entry, NAMES) for entry in entries]:
        world.ledger.insert("script", **row)


def waiting(world: World) -> list[dict[str, Any]]:
    rows = world.ledger.rows(
        "SELECT fault, method, path_contains, reference, times, status, error_code, options FROM script ORDER BY id"
    )
    return [_shown(dict(row)) for row in rows]


def forget(world: World) -> None:
    world.ledger.write("DELETE FROM script")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    options = json.loads(row.pop("options"))
    entry = {name: value for name, value in row.items() if value is not None}
    return entry | {name: options[name] for name in OPTIONS if name in options}


def _matches(row: sqlite3.Row, call: Call, is_replay: bool) -> bool:
    fault = row["fault"]
    if fault in DECLINES and not _is_charge(call):
        return False
    if fault == XMLRPC_FAULT and not call.path.startswith("/xmlrpc/"):
        return False
    if is_replay and fault in _OF_BUSINESS:
        return False
    return (
        row["method"] in (None, call.method)
        and (row["path_contains"] is None or row["path_contains"] in call.path)
        and (row["reference"] is None or row["reference"] in call.references())
    )


def _is_charge(call: Call) -> bool:
    newer = call.path.startswith("/customer-token/") and call.path.endswith("/order")
    older = call.method == "POST" and call.path.startswith("/checkout/recurring/")
    return newer or older


def _is_within_window(world: World, row: sqlite3.Row, options: dict[str, Any]) -> bool:
    """Whether nothing is found yet; the window opens with the first call, and an entry whose window is over goes."""
    now = world.clock.now()
    if "until" not in options:
        until = stamp(now + timedelta(seconds=options.get("seconds", 600)))
        changed = json.dumps(options | {"until": until})
        world.ledger.write("UPDATE script SET options = ? WHERE id = ?", changed, row["id"])
        return True
    if now < instant(options["until"]):
        return True
    world.ledger.write("DELETE FROM script WHERE id = ?", row["id"])
    return False


def _use_up(world: World, row: sqlite3.Row) -> None:
    if row["times"] > 1:
        world.ledger.write("UPDATE script SET times = times - 1 WHERE id = ?", row["id"])
    else:
        world.ledger.write("DELETE FROM script WHERE id = ?", row["id"])
