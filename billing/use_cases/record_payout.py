"""Record a payout: what the provider says that it paid, matched with our captures and refunds, in the books.

The whole payout is booked (clearing to bank and fees), whatever matches: the money is where the provider says it is,
and what nobody can explain stays visible in clearing and in the payout's lines.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.ledger import postings_for_payout
from billing.domain.money import exponent
from billing.domain.periods import local_date
from billing.domain.settlements import (
    LINES_MAX,
    LineKind,
    Match,
    Matcher,
    Settlement,
    SettlementLine,
    check_settlement,
)
from billing.ports import Ids
from billing.store.accounts import account_names
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.store.payouts import (
    Payout,
    PayoutLine,
    movements_named,
    not_paid_out,
    payout_lines,
    payout_named,
    payouts_after,
)
from billing.store.releases import seller_zone
from billing.use_cases.look_up import Page, Slice
from billing.use_cases.recording import Record, nothing

Row = TypeVar("Row", Payout, Operation)


@dataclass(frozen=True, slots=True)
class PayoutFound:
    """A payout with its lines in their order."""

    payout: Payout
    lines: tuple[PayoutLine, ...]


def record_payout(
    database: Database, ids: Ids, now: datetime, settlement: Settlement, record: Record[PayoutFound] = nothing
) -> PayoutFound:
    """Record and book a payout; one that is known by its reference already is returned as it was recorded.

    Raises `Invalid` for an unknown account or currency, a day that has not come, no lines or too many, and lines that
    do not come to what was paid; `Conflict` where the reference is another payout's.
    """
    _check(settlement)
    with database.tx() as session:
        if settlement.provider_account not in account_names(session):
            raise Invalid("there is no such provider account", where="provider_account")
        if settlement.paid_on > local_date(now, seller_zone(session)):
            raise Invalid("this day has not come yet", where="paid_on")
        found = _known(session, settlement) or _recorded(session, Batch(ids, now), settlement)
        record(session, found)
        return found


def match_again(
    database: Database,
    payout_id: UUID,
    positions: Sequence[int] | None = None,
    record: Record[PayoutFound] = nothing,
) -> PayoutFound:
    """Look again for what did not match, or for the lines at `positions` among that: a capture made in the provider's
    portal may be recorded by now.

    Nothing is booked: the payout is in the books already. Raises `NotFound`.
    """
    with database.tx() as session:
        found = payout_in(session, payout_id)
        open_lines = [
            row
            for row in found.lines
            if row.match not in (Match.MATCHED, Match.NOT_NEEDED) and (positions is None or row.position in positions)
        ]
        lines = [_said(row) for row in open_lines]
        matcher = _matcher(session, found.payout.provider_account, found.payout.currency, lines)
        for row, line in zip(open_lines, lines, strict=True):
            match, row.operation_id = matcher.match(line)
            row.match = match.value
        session.flush()
        record(session, found)
        return found


def payout(database: Database, payout_id: UUID) -> PayoutFound:
    """Raises `NotFound`."""
    with database.tx() as session:
        return payout_in(session, payout_id)


def payouts(database: Database, part: Slice) -> Page[Payout]:
    """Payouts, in the order in which they were recorded."""
    with database.tx() as session:
        return _page(payouts_after(session, part.after, part.limit + 1), part)


def outstanding(database: Database, part: Slice) -> Page[Operation]:
    """Captures and refunds that no payout has paid out yet, oldest first."""
    with database.tx() as session:
        return _page(not_paid_out(session, part.after, part.limit + 1), part)


def payout_in(session: Session, payout_id: UUID) -> PayoutFound:
    """A payout in the caller's transaction. Raises `NotFound`."""
    row = session.get(Payout, payout_id)
    if row is None:
        raise NotFound("there is no such payout")
    return PayoutFound(row, tuple(payout_lines(session, row.id)))


def _page(found: Sequence[Row], part: Slice) -> Page[Row]:
    rows = found[: part.limit]
    return Page(rows, rows[-1].id if len(found) > part.limit else None)


def _check(settlement: Settlement) -> None:
    if not 1 <= len(settlement.lines) <= LINES_MAX:
        raise Invalid(f"a payout has 1 to {LINES_MAX} lines", where="lines")
    exponent(settlement.currency)
    check_settlement(settlement)


def _known(session: Session, settlement: Settlement) -> PayoutFound | None:
    row = payout_named(session, settlement.provider_account, settlement.reference)
    if row is None:
        return None
    if row.sha256 != _digest(settlement):
        raise Conflict("a payout with this reference is recorded already, and says something else")
    return payout_in(session, row.id)


def _recorded(session: Session, batch: Batch, settlement: Settlement) -> PayoutFound:
    payout_id = batch.add(
        Payout,
        provider_account=settlement.provider_account,
        reference=settlement.reference,
        sha256=_digest(settlement),
        paid_on=settlement.paid_on,
        currency=settlement.currency,
        amount=settlement.amount,
        fees=settlement.fees,
        created_at=batch.now,
    )
    matcher = _matcher(session, settlement.provider_account, settlement.currency, settlement.lines)
    for position, line in enumerate(settlement.lines, start=1):
        match, operation_id = matcher.match(line)
        batch.add(
            PayoutLine,
            payout_id=payout_id,
            position=position,
            kind=line.kind.value,
            provider_id=line.provider_id,
            reference=line.reference,
            amount=line.amount,
            fee=line.fee,
            match=match.value,
            operation_id=operation_id,
        )
    postings = postings_for_payout(settlement.amount, settlement.fees)
    batch.post(
        "payout", None, postings, currency=settlement.currency, payout_id=payout_id, booked_on=settlement.paid_on
    )
    batch.write(session)
    return payout_in(session, payout_id)


def _matcher(session: Session, provider_account: str, currency: str, lines: Sequence[SettlementLine]) -> Matcher:
    provider_ids = [line.provider_id for line in lines if line.provider_id is not None]
    references = [line.reference for line in lines if line.reference is not None]
    return Matcher(movements_named(session, provider_account, provider_ids, references), currency)


def _digest(settlement: Settlement) -> str:
    """SHA-256 over everything that the provider said."""
    said = [settlement.reference, settlement.provider_account, settlement.paid_on, settlement.currency]
    text = [repr(tuple(map(str, [*said, settlement.amount])))]
    text += [
        repr((line.kind.value, line.amount, line.fee, line.provider_id, line.reference)) for line in settlement.lines
    ]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _said(row: PayoutLine) -> SettlementLine:
    return SettlementLine(LineKind(row.kind), row.amount, row.fee, row.provider_id, row.reference)
