"""Credit an invoice: by unused days, units, an amount, or as a whole; with a preview from the same planner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from billing.domain.credits import (
    CreditDraft,
    GiveAs,
    credit_amount,
    credit_from,
    credit_quantities,
    credit_whole,
)
from billing.domain.errors import Invalid
from billing.domain.ledger import CreditEffect
from billing.domain.money import Money
from billing.domain.operations import Trigger
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import CreditNote
from billing.use_cases.crediting import Terms, billed_lines, grant_credit, planned_effect
from billing.use_cases.invoice_scene import check_currency, close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene


class CreditBy(StrEnum):
    """How what is credited is found."""

    TIME = "time"
    QUANTITY = "quantity"
    AMOUNT = "amount"
    WHOLE = "whole"
    WITHDRAWAL = "withdrawal"


_NEEDS: Mapping[CreditBy, frozenset[str]] = {
    CreditBy.TIME: frozenset({"as_of"}),
    CreditBy.QUANTITY: frozenset({"lines"}),
    CreditBy.AMOUNT: frozenset({"amount"}),
    CreditBy.WHOLE: frozenset(),
    CreditBy.WITHDRAWAL: frozenset(),
}
_MAY_HAVE: Mapping[CreditBy, frozenset[str]] = {**_NEEDS, CreditBy.TIME: frozenset({"as_of", "unshipped"})}


@dataclass(frozen=True, slots=True)
class NewCredit:
    """What to credit.

    `as_of` is the first local day that is not used (by time; with it `unshipped` units by article number), `units` go
    by line id (by quantity), `amount` includes tax. A withdrawal is the whole invoice, standard freight included
    (billing rules, section 5). `give_as` says what becomes of what was paid already.
    """

    invoice_id: UUID
    reason: str
    by: CreditBy
    give_as: GiveAs = GiveAs.REFUND
    as_of: date | None = None
    unshipped: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[UUID, int] = field(default_factory=dict)
    amount: Money | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Credited:
    """The credit note and the operations that pay it out."""

    credit_note: CreditNote
    operation_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class CreditPreview:
    """What a credit would be and do, in minor units of `currency`."""

    draft: CreditDraft
    effect: CreditEffect
    currency: str


def credit_invoice(
    database: Database, ids: Ids, now: datetime, new: NewCredit, record: Record[Credited] = nothing
) -> Credited:
    """Grant a credit note: it lowers what is open; the rest is refunded, or becomes the customer's balance.

    Raises `Invalid` for an unknown invoice or line and for fields that do not belong together, `CurrencyMismatch`,
    `EmptyInvoice`, `CreditExceedsLine` and `RefundExceedsCapture` with what is possible, `TransitionNotAllowed`,
    `UnderDispute`, and `OutcomeUnknown` while a call about the open part may be under way.
    """
    _check_fields(new)
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), new.invoice_id, where="invoice_id")
        granted = grant_credit(scene, _draft(scene, new), _terms(new))
        close_scene(scene)
        done = Credited(granted.credit_note, granted.operation_ids)
        record(session, done)
        return done


def preview_credit(database: Database, ids: Ids, now: datetime, new: NewCredit) -> CreditPreview:
    """What `credit_invoice` would do at `now`, and nothing of it done. Raises what it raises."""
    _check_fields(new)
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), new.invoice_id, where="invoice_id")
        draft = _draft(scene, new)
        return CreditPreview(draft, planned_effect(scene, draft, new.give_as), scene.invoice.currency)


def _check_fields(new: NewCredit) -> None:
    given = {
        "as_of": new.as_of is not None,
        "unshipped": bool(new.unshipped),
        "lines": bool(new.units),
        "amount": new.amount is not None,
    }
    for name in _NEEDS[new.by]:
        if not given[name]:
            raise Invalid(f"a credit by {new.by} needs `{name}`", where=name)
    for name, is_given in given.items():
        if is_given and name not in _MAY_HAVE[new.by]:
            possible = ", ".join(sorted(_MAY_HAVE[new.by])) or "none of them"
            raise Invalid(f"a credit by {new.by} has no `{name}`; possible: {possible}", where=name)


def _draft(scene: Scene, new: NewCredit) -> CreditDraft:
    lines = billed_lines(scene.session, scene.invoice)
    match new.by:
        case CreditBy.TIME:
            assert new.as_of is not None, "a credit by time has its day"
            return credit_from(lines, new.as_of, new.unshipped)
        case CreditBy.QUANTITY:
            return credit_quantities(lines, new.units)
        case CreditBy.AMOUNT:
            assert new.amount is not None, "a credit by amount has one"
            check_currency(scene.invoice, new.amount, "credit")
            return credit_amount(lines, new.amount.amount)
        case CreditBy.WHOLE | CreditBy.WITHDRAWAL:
            return credit_whole(lines)


def _terms(new: NewCredit) -> Terms:
    return Terms(new.reason, new.note, Trigger.ADMIN, new.give_as)
