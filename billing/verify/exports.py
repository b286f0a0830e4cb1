"""What a provider did, read from a file: the sandbox's own export as CSV or JSON, or a CSV of the documented form."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing.verify.reading import NotVerifiable

NEEDED = ("kind", "id", "order_id", "amount", "currency")
KINDS = {"order": "purchase", "purchase": "purchase", "capture": "capture", "refund": "refund", "void": "void"}
_CLOSED = frozenset({"CANCELLED", "CANCELED", "VOIDED", "EXPIRED", "REJECTED"})


@dataclass(frozen=True, slots=True)
class Movement:
    """One order, capture or refund at the provider; `amount` in minor units of `currency`."""

    place: str
    account: str | None
    generation: str | None
    kind: str
    id: str
    order_id: str
    amount: int
    currency: str
    invoice_reference: str
    own_reference: str
    reference: str
    is_closed: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that one file says; `account` is that of the command line, None where each row or nothing says it."""

    name: str
    account: str | None
    movements: tuple[Movement, ...]


def read_ledger(path: Path, account: str | None = None) -> Ledger:
    """The provider's ledger at `path`. Raises `NotVerifiable` naming file and line of what cannot be read."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotVerifiable(f"the provider ledger {path} cannot be read: {error}") from None
    rows = _from_json(path, content) if content.lstrip().startswith("{") else _from_csv(path, content)
    found = [_movement(f"{path.name}, {place}", row, account) for place, row in rows]
    return Ledger(path.name, account, tuple(one for one in found if one is not None))


def _from_csv(path: Path, content: str) -> list[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(content.splitlines())
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise NotVerifiable(f"the provider ledger {path} lacks the columns {', '.join(missing)}")
    return [(f"line {reader.line_num}", row) for row in reader]


def _from_json(path: Path, content: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        tables = json.loads(content)
    except ValueError as error:
        raise NotVerifiable(f"the provider ledger {path} is not JSON: {error}") from None
    if not all(isinstance(tables.get(name), list) for name in ("orders", "captures", "refunds")):
        raise NotVerifiable(f"the provider ledger {path} has no lists of orders, captures and refunds")
    orders = {row["order_id"]: row for row in tables["orders"]}
    made = [(f"order {row['order_id']}", {**row, "kind": "order", "id": row["order_id"]}) for row in tables["orders"]]
    for kind, name in (("capture", "captures"), ("refund", "refunds")):
        for row in tables[name]:
            of_order = orders.get(row["order_id"], {})
            made.append((f"{kind} {row[f'{kind}_id']}", {**_shared(of_order), **_own(row, kind)}))
    return [(place, _in_columns(row)) for place, row in made]


def _shared(order: Mapping[str, Any]) -> dict[str, Any]:
    names = ("generation", "currency", "merchant_reference1", "merchant_reference2")
    return {name: order.get(name) for name in names}


def _own(row: Mapping[str, Any], kind: str) -> dict[str, Any]:
    at = row.get("captured_at") or row.get("refunded_at")
    return {
        "kind": kind,
        "id": row[f"{kind}_id"],
        "order_id": row["order_id"],
        "amount": row["amount"],
        "reference": row.get("reference"),
        "at": at,
    }


def _in_columns(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**row, "amount": row.get("amount", row.get("order_amount")), "at": row.get("at", row.get("created_at"))}


def _movement(place: str, row: Mapping[str, Any], account: str | None) -> Movement | None:
    kind = KINDS.get(str(row.get("kind", "")).lower())
    if kind is None:
        raise NotVerifiable(f"{place}: the kind {row.get('kind')!r} is none of {', '.join(KINDS)}")
    if kind == "void":
        return None
    amount = str(row.get("amount", ""))
    if not amount.isdecimal():
        raise NotVerifiable(f"{place}: the amount {amount!r} is no whole number of minor units")
    return Movement(
        place,
        account or row.get("provider_account") or None,
        row.get("generation") or None,
        kind,
        _text(row, "id"),
        _text(row, "order_id"),
        int(amount),
        _text(row, "currency"),
        _text(row, "merchant_reference1"),
        _text(row, "merchant_reference2"),
        _text(row, "reference"),
        _text(row, "status").upper() in _CLOSED,
        _instant(place, _text(row, "at")),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _instant(place: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotVerifiable(f"{place}: {text!r} is no instant such as 2028-01-31T08:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def accounts_of(ledgers: Iterable[Ledger], generations: Mapping[str, str]) -> frozenset[str]:
    """The provider accounts that these ledgers are about; `generations` are those of all accounts, by name.

    A file that names none is about every account of the generations in it, and of all where it tells none.
    """
    found: set[str] = set()
    for ledger in ledgers:
        named = {one.account for one in ledger.movements if one.account} | {ledger.account or ""} - {""}
        spoken = {one.generation for one in ledger.movements if one.generation}
        found |= named or {name for name, generation in generations.items() if not spoken or generation in spoken}
    return frozenset(found)
