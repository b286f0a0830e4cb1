"""I1 and I3 against the provider's own ledger: everything there has its one row here, and the reverse."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.verify.exports import Ledger, Movement, accounts_of
from billing.verify.reading import NotVerifiable, Snapshot
from billing.verify.report import Finding, row_of

_KINDS = ("purchase", "capture", "refund")
_NEVER_HAPPENED = frozenset({"planned", "declined", "dropped"})
_OVER = frozenset({"expired", "rejected"})

_OPERATIONS = """
SELECT o.id, o.kind, o.invoice_id, o.provider_account, o.amount, o.currency, o.status, o.origin, o.merchant_reference,
  o.provider_id, o.sent_at, o.standing, o."authorization", p.provider_id AS order_id, <<o.invoice_id|hex>> AS invoice
FROM operations o LEFT JOIN operations p ON p.id = o.purchase_id WHERE o.kind IN ('purchase', 'capture', 'refund')
"""
# What an order is about once it was amended; while an amendment is under way it may be about either amount. One of 0
# changes the order's number or address.
_AMENDED = """
SELECT purchase_id, amount, status FROM operations WHERE kind = 'amend'
AND status IN ('succeeded', 'sending', 'unknown', 'needs_operator') ORDER BY purchase_id, n
"""


@dataclass(frozen=True, slots=True)
class _Ours:
    """An operation as it is looked for at the provider; `amounts` are those that the order may be about."""

    row: Any
    order_id: str
    amounts: frozenset[int]
    is_renumbered: bool
    """Whether the order was given another number than that of its invoice."""


def judged_against(snapshot: Snapshot, ledgers: Sequence[Ledger], since: datetime | None) -> Iterator[Finding]:
    """Both directions, for the accounts that the ledgers are about, from `since` on where they do not reach further."""
    generations = {str(row[0]): str(row[1]) for row in snapshot.rows("SELECT name, generation FROM provider_accounts")}
    accounts = accounts_of(ledgers, generations)
    unknown = sorted(accounts - generations.keys())
    if unknown:
        raise NotVerifiable(
            f"the provider ledger is of {', '.join(unknown)}; accounts here are {', '.join(generations)}"
        )
    movements = [one for ledger in ledgers for one in ledger.movements]
    ours = [one for one in _ours(snapshot) if one.row.provider_account in accounts]
    pairs, alone = _paired(movements, ours)
    yield _orders_of_one_invoice(movements, pairs, accounts)
    yield _finding("what the provider did has its one row here", len(movements), _unknown_here(alone, pairs), accounts)
    different = _different(pairs)
    yield _finding("what both have is the same amount, currency and reference", len(pairs), different, accounts)
    undone = _held_for_undone(pairs)
    yield _finding("what happened there is not held for undone here", len(pairs), undone, accounts)
    seen = {str(one.row.id) for _, one in pairs}
    missing = _unknown_there(snapshot, ours, seen, since)
    yield _finding("what succeeded here happened there", len(ours), missing, accounts)


def _ours(snapshot: Snapshot) -> list[_Ours]:
    amended: dict[str, set[int]] = defaultdict(set)
    replaced: set[str] = set()
    renumbered: set[str] = set()
    for row in snapshot.rows(_AMENDED):
        purchase_id = str(row.purchase_id)
        if not row.amount:
            renumbered.add(purchase_id)
            continue
        if row.status == "succeeded":
            amended[purchase_id].clear()
            replaced.add(purchase_id)
        amended[purchase_id].add(row.amount)
    found = []
    for row in snapshot.rows(_OPERATIONS):
        id_, own = str(row.id), {row.amount}
        order_id = row.provider_id if row.kind == "purchase" else row.order_id
        amounts = amended.get(id_, set()) | (set() if id_ in replaced else own)
        found.append(_Ours(row, order_id or "", frozenset(amounts), id_ in renumbered))
    return found


def _paired(
    movements: Sequence[Movement], ours: Sequence[_Ours]
) -> tuple[list[tuple[Movement, _Ours]], list[Movement]]:
    """Each movement with its operation: by the provider's id, then by our reference, then as the one of its kind and
    amount on its order that nothing else names; and the movements that are left.
    """
    by_id = {(one.row.kind, one.row.provider_id): one for one in ours if one.row.provider_id}
    by_reference = {(one.row.kind, one.row.merchant_reference): one for one in ours if one.row.merchant_reference}
    pairs: list[tuple[Movement, _Ours]] = []
    left: list[Movement] = []
    for movement in movements:
        reference = movement.own_reference if movement.kind == "purchase" else movement.reference
        found = by_id.get((movement.kind, movement.id)) or by_reference.get((movement.kind, reference))
        if found is None:
            left.append(movement)
        else:
            pairs.append((movement, found))
    return _with_nameless(pairs, left, ours)


def _with_nameless(
    pairs: list[tuple[Movement, _Ours]], left: Sequence[Movement], ours: Sequence[_Ours]
) -> tuple[list[tuple[Movement, _Ours]], list[Movement]]:
    taken = {str(one.row.id) for _, one in pairs}
    free: dict[tuple[str, str, int], list[_Ours]] = defaultdict(list)
    for one in ours:
        if one.row.status not in _NEVER_HAPPENED and one.row.kind != "purchase" and str(one.row.id) not in taken:
            free[one.row.kind, one.order_id, one.row.amount].append(one)
    alone = []
    for movement in left:
        candidates = free.get((movement.kind, movement.order_id, movement.amount)) if not movement.reference else None
        if candidates:
            pairs.append((movement, candidates.pop()))
        else:
            alone.append(movement)
    return pairs, alone


def _orders_of_one_invoice(
    movements: Sequence[Movement], pairs: Sequence[tuple[Movement, _Ours]], accounts: frozenset[str]
) -> Finding:
    """I1 at the provider: of the orders for one invoice at most one can take money, or has taken some.

    An order that ran out or was rejected may look open in a ledger: there our row, which read it, is believed.
    """
    over = {movement.id for movement, one in pairs if one.row.authorization in _OVER and one.row.standing == "dead"}
    named = {movement.id: f"inv_{one.row.invoice}" for movement, one in pairs if movement.kind == "purchase"}
    held: dict[str, list[Movement]] = defaultdict(list)
    orders = [one for one in movements if one.kind == "purchase"]
    captured = {one.order_id for one in movements if one.kind == "capture"}
    for one in orders:
        is_over = one.is_closed or one.id in over
        reference = named.get(one.id, one.invoice_reference)
        if reference and (one.id in captured or not is_over):
            held[reference].append(one)
    twice = [
        row_of([("invoice", reference), ("orders", ", ".join(one.id for one in found))])
        for reference, found in held.items()
        if len(found) > 1
    ]
    sentence = "the provider holds or took money once for an invoice"
    return Finding("I1", sentence, len(orders), len(twice), twice[:5], accounts if twice else frozenset())


def _unknown_here(alone: Sequence[Movement], pairs: Sequence[tuple[Movement, _Ours]]) -> list[dict[str, str]]:
    rows = [_movement_row(one, "no operation here is it") for one in alone]
    seen: dict[str, Movement] = {}
    for movement, one in pairs:
        first = seen.setdefault(str(one.row.id), movement)
        if first is not movement and first.id != movement.id:
            rows.append(_movement_row(movement, f"the same operation as {first.id}: {_hex(one.row.id)}"))
    return rows


def _different(pairs: Sequence[tuple[Movement, _Ours]]) -> list[dict[str, str]]:
    rows = []
    for movement, one in pairs:
        why = _difference(movement, one)
        if why and one.row.status not in _NEVER_HAPPENED:
            rows.append(_movement_row(movement, why, one))
    return rows


def _difference(movement: Movement, one: _Ours) -> str:
    row = one.row
    if movement.amount not in one.amounts:
        return f"it is {movement.amount} there and {row.amount} here"
    if movement.currency != row.currency:
        return f"it is in {movement.currency} there and in {row.currency} here"
    if row.provider_id and movement.id != row.provider_id and movement.kind == "purchase":
        return f"it has the id {row.provider_id} here"
    if movement.order_id != one.order_id and one.order_id:
        return f"it belongs to the order {one.order_id} here"
    reference = movement.own_reference if movement.kind == "purchase" else movement.reference
    if row.origin == "ours" and reference and row.merchant_reference and reference != row.merchant_reference:
        return f"its reference is {reference} there and {row.merchant_reference} here"
    for_invoice = f"inv_{row.invoice}"
    is_named = movement.kind == "purchase" and row.origin == "ours" and not one.is_renumbered
    if is_named and movement.invoice_reference not in ("", for_invoice):
        return f"it is for {movement.invoice_reference} there and for {for_invoice} here"
    return ""


def _held_for_undone(pairs: Sequence[tuple[Movement, _Ours]]) -> list[dict[str, str]]:
    return [
        _movement_row(movement, f"it is {one.row.status} here", one)
        for movement, one in pairs
        if one.row.status in _NEVER_HAPPENED
    ]


def _unknown_there(
    snapshot: Snapshot, ours: Sequence[_Ours], seen: set[str], since: datetime | None
) -> list[dict[str, str]]:
    rows = []
    for one in ours:
        sent_at = snapshot.instant(one.row.sent_at)
        is_covered = since is None or sent_at is None or sent_at >= since
        if one.row.status == "succeeded" and one.row.amount and is_covered and str(one.row.id) not in seen:
            named = [("id", one.row.id), ("kind", one.row.kind), ("amount", one.row.amount)]
            rows.append(
                row_of([*named, ("provider_id", one.row.provider_id), ("because", "the provider has none such")])
            )
    return rows


def _movement_row(movement: Movement, why: str, one: _Ours | None = None) -> dict[str, str]:
    named = [("provider_id", movement.id), ("kind", movement.kind), ("order", movement.order_id)]
    amounts = [("amount", f"{movement.amount} {movement.currency}"), ("because", why), ("place", movement.place)]
    ours = [("operation", one.row.id), ("account", one.row.provider_account)] if one else []
    return row_of([*named, *ours, *amounts])


def _finding(sentence: str, looked_at: int, rows: Sequence[dict[str, str]], accounts: frozenset[str]) -> Finding:
    """Where a purchase is among the rows, the accounts of the ledger must stop."""
    stops = accounts if any(row.get("kind") == "purchase" for row in rows) else frozenset()
    return Finding("I3", sentence, looked_at, len(rows), list(rows[:5]), stops)


def _hex(value: object) -> str:
    return str(value).replace("-", "")
