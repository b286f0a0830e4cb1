"""A restore from a backup: what a provider's export lists, and which of our operations each row of it is.

Owns the form of the export (documented in `docs/restore.md`) and the comparison (charging rules, section 3, "After a
restore"). Amounts are minor units.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from billing.domain.errors import BadRows, Invalid
from billing.domain.money import exponent
from billing.domain.operations import OperationKind

RESTORED = "restored"
"""The answer code of an operation that waits because the database forgot whether it was sent."""

HELD_KINDS = (
    OperationKind.PURCHASE,
    OperationKind.CAPTURE,
    OperationKind.REFUND,
    OperationKind.VOID,
    OperationKind.RELEASE,
    OperationKind.POST_INVOICE,
    OperationKind.EXTEND_DUE_DATE,
)
"""What moves money, or costs some: not sent again before somebody knows that it was not."""

NEEDED = ("kind", "id", "order_id", "amount", "currency", "at")
KINDS = {"order": "purchase", "purchase": "purchase", "capture": "capture", "refund": "refund", "void": "void"}
LINKED_IN_ORDER = ("purchase", "capture", "refund", "void")
"""A capture is linked once its purchase is, and so on."""

_ENDED = frozenset({"CANCELLED", "CANCELED", "VOIDED", "EXPIRED", "REJECTED"})
_OURS = {
    "purchase": (OperationKind.PURCHASE,),
    "capture": (OperationKind.CAPTURE,),
    "refund": (OperationKind.REFUND,),
    "void": (OperationKind.VOID, OperationKind.RELEASE),
}
_FAULTS_MAX = 100


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One thing that the provider did. `order_id` is its id of the purchase, which of a purchase is its own."""

    kind: str
    provider_account: str
    provider_id: str
    order_id: str
    reference1: str | None
    reference2: str | None
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operation of ours that a row may be; one that is not `is_open` has happened already, as far as we know.

    `reference` is the operation's own, as it was or would be sent; `invoice` is what the customer sees.
    """

    operation_id: UUID
    kind: OperationKind
    provider_account: str
    amount: int
    currency: str
    reference: str | None
    invoice: str
    order_id: str | None
    provider_id: str | None
    is_open: bool


@dataclass(slots=True)
class Matcher:
    """Finds the operation behind each row, each operation once."""

    candidates: Sequence[Candidate]
    _taken: set[UUID] = field(default_factory=set)

    def match(self, row: ExportRow) -> Candidate | None:
        """By the provider's id; then among those still open by our own reference, by the invoice of a purchase, or by
        the order that it belongs to. Kind, account, amount and currency must agree.
        """
        fitting = [one for one in self.candidates if one.operation_id not in self._taken and _fits(row, one)]
        for is_it in (_is_known, _is_ours, _is_about):
            for candidate in fitting:
                if is_it(row, candidate):
                    self._taken.add(candidate.operation_id)
                    return candidate
        return None


def _fits(row: ExportRow, candidate: Candidate) -> bool:
    is_kind = candidate.kind in _OURS[row.kind] and candidate.provider_account == row.provider_account
    # What a void gives back is whatever was left, which the provider counts.
    is_amount = row.kind == "void" or candidate.amount == row.amount
    return is_kind and is_amount and candidate.currency == row.currency


def _is_known(row: ExportRow, candidate: Candidate) -> bool:
    if row.kind == "void":
        return not candidate.is_open and candidate.order_id == row.order_id
    return candidate.provider_id == row.provider_id


def _is_ours(row: ExportRow, candidate: Candidate) -> bool:
    return candidate.is_open and row.reference2 is not None and candidate.reference == row.reference2


def _is_about(row: ExportRow, candidate: Candidate) -> bool:
    if not candidate.is_open:
        return False
    if row.kind == "purchase":
        return row.reference1 is not None and row.reference1 == candidate.invoice
    return candidate.order_id == row.order_id


def read_export(text: str, accounts: Mapping[str, str], default: str | None = None) -> list[ExportRow]:
    """The rows of an export: CSV of our form, or the sandbox's own books as CSV or JSON.

    `accounts` are the generations of our provider accounts by name; a row that names no account is of the `default`,
    or of the only one of its generation. Raises `BadRows` naming every line that cannot be right, `Invalid` for a file
    that is none of these.
    """
    content = text.removeprefix("\ufeff")
    placed = _from_json(content) if content.lstrip().startswith("{") else _from_csv(content)
    faults: list[tuple[str, str]] = []
    found: list[ExportRow] = []
    seen: set[tuple[str, str, str]] = set()
    for place, fields in placed:
        try:
            row = _row(fields, accounts, default)
        except Invalid as wrong:
            faults.append((place, wrong.message))
            continue
        identity = (row.provider_account, row.kind, row.provider_id)
        if identity in seen:
            faults.append((place, f"the {row.kind} {row.provider_id} stands twice"))
        seen.add(identity)
        found.append(row)
    if faults:
        raise BadRows(faults[:_FAULTS_MAX])
    return found


def _from_csv(content: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise Invalid(f"the export lacks the columns {', '.join(missing)}")
        rows = [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error:
        raise Invalid("the export is not CSV: a quotation mark is not closed, or stands where none belongs") from None
    ended = {str(row["order_id"]) for _, row in rows if row["kind"] in ("void", "capture")}
    for place, row in rows:
        yield place, row
        if _has_ended(row) and str(row["order_id"]) not in ended:
            yield place, _end_of(row)


def _from_json(content: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        tables = json.loads(content)
    except ValueError:
        raise Invalid("the export is neither CSV nor JSON") from None
    names = ("orders", "captures", "refunds")
    if not all(isinstance(tables.get(name), list) for name in names):
        raise Invalid(f"the export has no lists of {', '.join(names)}")
    orders = {str(row.get("order_id")): row for row in tables["orders"] if isinstance(row, dict)}
    ended = {str(row.get("order_id")) for name in ("captures", "voids") for row in tables.get(name, ())}
    for id_, row in orders.items():
        as_order = {**row, "kind": "order", "id": id_, "amount": row.get("order_amount"), "at": row.get("created_at")}
        yield f"order {id_}", as_order
        if _has_ended(as_order) and id_ not in ended:
            yield f"order {id_}", _end_of(as_order)
    for kind, name, at in (("capture", "captures", "captured_at"), ("refund", "refunds", "refunded_at")):
        for row in tables[name]:
            yield f"{kind} {row.get(f'{kind}_id')}", _of_order(row, kind, f"{kind}_id", at, orders)
    for row in tables.get("voids", ()):
        yield f"void {row.get('id')}", _of_order(row, "void", "id", "voided_at", orders)


def _of_order(
    row: Mapping[str, Any], kind: str, id_: str, at: str, orders: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    order = orders.get(str(row.get("order_id")), {})
    shared = {name: order.get(name) for name in ("generation", "currency", "merchant_reference1")}
    own = {name: row.get(name) for name in ("order_id", "amount", "reference")}
    return {**shared, **own, "kind": kind, "id": row.get(id_), "at": row.get(at)}


def _has_ended(row: Mapping[str, Any]) -> bool:
    return row.get("kind") in ("order", "purchase") and str(row.get("status") or "").upper() in _ENDED


def _end_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """An order that is over with nothing taken, and no row that says how: as if it had been given back."""
    return {**row, "kind": "void", "id": f"{row['id']}:ended", "reference": None}


def _row(fields: Mapping[str, Any], accounts: Mapping[str, str], default: str | None) -> ExportRow:
    kind = KINDS.get(_text(fields, "kind"))
    if kind is None:
        raise Invalid(f"the kind must be one of {', '.join(KINDS)}")
    provider_id, order_id = _text(fields, "id"), _text(fields, "order_id")
    if not provider_id or not order_id or max(len(provider_id), len(order_id)) > 255:
        raise Invalid("id and order_id are needed, of at most 255 characters")
    amount, currency = _text(fields, "amount"), _text(fields, "currency")
    if not (amount.isascii() and amount.isdigit()) or len(amount) > 15:
        raise Invalid("the amount must be a whole number of minor units, such as 3970")
    exponent(currency)
    own_reference = "merchant_reference2" if kind == "purchase" else "reference"
    return ExportRow(
        kind,
        _account(fields, accounts, default),
        provider_id,
        order_id,
        _text(fields, "merchant_reference1")[:255] or None,
        _text(fields, own_reference)[:255] or None,
        int(amount),
        currency,
        _instant(_text(fields, "at")),
    )


def _account(fields: Mapping[str, Any], accounts: Mapping[str, str], default: str | None) -> str:
    named, generation = _text(fields, "provider_account") or default, _text(fields, "generation")
    if named:
        if named not in accounts:
            raise Invalid(f"there is no such provider account; known are {', '.join(sorted(accounts))}")
        return named
    possible = [name for name, spoken in accounts.items() if not generation or spoken == generation]
    if len(possible) != 1:
        raise Invalid("which provider account this is must be said in the column provider_account")
    return possible[0]


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("the instant must be such as 2028-01-31T08:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
