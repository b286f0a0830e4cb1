"""Attention: what needs a person today, the largest amount first, each with the one thing to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from billing.domain.attention import Action, AttentionKind, Entry, place_of, read_place, written
from billing.domain.decisions import REVIEW_OVERDUE
from billing.domain.hledger import decimal_text
from billing.domain.ids import Prefix, shown
from billing.domain.pacing import BreakerState
from billing.domain.restores import RESTORED
from billing.store import attention as store
from billing.store.brakes import BrakeKind, engaged
from billing.store.engine import Database
from billing.store.invoices import Invoice, amount_due
from billing.store.operations import Operation
from billing.store.paces import account_states, breaker_of
from billing.store.restores import open_restore
from billing.store.subscriptions import Subscription
from billing.store.verifications import last_verification
from billing.use_cases.catch_up import CATCH_UP
from billing.use_cases.settle_contradiction import CONTRADICTS

ASKED_LATE_AFTER = timedelta(minutes=10)
"""A question that was due this long ago is not being asked."""

EACH_MAX = 5000
"""Of one sort of thing at most so many are gathered, those with most money."""

_WHYS = {
    "status_found": "The provider has it under our reference, but does not say which reservation that is.",
    "not_repeated": "Nobody knows whether it was done, and it may not be sent twice.",
    "key_expired": "Nobody knows whether it was done, and the provider has forgotten its key by now.",
    "claimed_too_often": "It was begun again and again without an outcome.",
    "not_recorded": "Its answer could not be written down.",
    "not_prepared": "Its request could not be written.",
    "vault_error": "Its token does not open.",
    RESTORED: "It may have been done in the stretch that a restore has lost.",
    REVIEW_OVERDUE: "The provider took the purchase and has not decided about it for more than a day.",
}


@dataclass(frozen=True, slots=True)
class AttentionList:
    """A part of the list, how many entries there are in all, and what to ask for next."""

    entries: list[Entry]
    count: int
    next: str | None


def attention(database: Database, now: datetime, *, limit: int = 50, after: str | None = None) -> AttentionList:
    """The entries that follow the place `after`, at most `limit`. Raises `Invalid` for a place of another form."""
    beyond = read_place(after) if after is not None else None
    with database.tx() as session:
        entries = sorted(_all(session, now), key=place_of)
    following = [entry for entry in entries if beyond is None or place_of(entry) > beyond]
    part = following[:limit]
    more = written(place_of(part[-1])) if len(following) > limit else None
    return AttentionList(part, len(entries), more)


def _all(session: Session, now: datetime) -> Iterator[Entry]:
    yield from _accounts(session, now)
    yield from _brakes(session)
    yield from _restores(session)
    yield from _breaches(session)
    yield from _operations(session, now)
    yield from _subscriptions(session)
    yield from _invoices(session)


# --- what halts charging ---------------------------------------------------------------------------------------


def _accounts(session: Session, now: datetime) -> Iterator[Entry]:
    for state in account_states(session):
        row, breaker = state.account, breaker_of(state.pace)
        stopped = row.halted_at is not None
        if not stopped and breaker.state != BreakerState.OPEN:
            continue
        sums = store.waiting_at(session, row.name, now)
        currency = max(sums, key=lambda code: sums[code], default=None)
        kind = AttentionKind.ACCOUNT_STOPPED if stopped else AttentionKind.BREAKER_OPEN
        reason = row.halted_reason if stopped else breaker.reason
        said = "The provider account is stopped" if stopped else "Charging through the provider account rests"
        yield Entry(
            f"account:{row.name}",
            kind,
            row.halted_at or breaker.since or now,
            f"{said}: {reason or 'no reason was given'}.",
            _post("put right what stopped it, then reopen it", f"/admin/v1/provider-accounts/{row.name}/reopen"),
            sums[currency] if currency is not None else None,
            currency,
            provider_account=row.name,
        )


def _brakes(session: Session) -> Iterator[Entry]:
    for row in engaged(session):
        yield Entry(
            f"brake:{row.id.hex}",
            AttentionKind.BRAKE,
            row.engaged_at,
            f"Something was about to be charged that looks wrong: {row.reason}.",
            _post("look at the figures, then release it", f"/admin/v1/brakes/{shown(Prefix.BRAKE, row.id)}/releases"),
            provider_account=row.subject if row.kind == BrakeKind.DECLINE_RATE else None,
        )


def _restores(session: Session) -> Iterator[Entry]:
    row = open_restore(session)
    if row is not None:
        yield Entry(
            f"restore:{row.id.hex}",
            AttentionKind.RESTORE,
            row.opened_at,
            "The database came back from a backup, and what it forgot is not all matched.",
            _post(
                "release what was not done, then close it",
                f"/admin/v1/restores/{shown(Prefix.RESTORE, row.id)}/releases",
            ),
        )


def _breaches(session: Session) -> Iterator[Entry]:
    row = last_verification(session)
    if row is not None and row.breaches:
        yield Entry(
            f"verification:{row.id.hex}",
            AttentionKind.BREACH,
            row.finished_at or row.started_at,
            f"The last check of the books found {row.breaches} rows that break a rule.",
            Action("see which", "COMMAND", "billing verify"),
        )


# --- operations ------------------------------------------------------------------------------------------------


def _operations(session: Session, now: datetime) -> Iterator[Entry]:
    waiting = store.waiting_operations(session, EACH_MAX)
    forgotten = store.forgotten_operations(session, now - ASKED_LATE_AFTER, EACH_MAX)
    second, risky = store.second_orders(session, EACH_MAX), store.captures_at_no_risk(session, EACH_MAX)
    concerned = [op.invoice_id for op in (*waiting, *forgotten, *second, *risky) if op.invoice_id is not None]
    customers = store.customers_of(session, concerned) if concerned else {}

    def entry(operation: Operation, kind: AttentionKind, since: datetime | None, why: str, action: Action) -> Entry:
        return Entry(
            f"operation:{operation.id.hex}:{kind}",
            kind,
            since or operation.created_at,
            why,
            action,
            operation.amount,
            operation.currency,
            operation.id,
            operation.invoice_id,
            operation.subscription_id,
            customers.get(operation.invoice_id) if operation.invoice_id is not None else None,
            operation.provider_account,
        )

    for op in waiting:
        is_review = op.answer_code == REVIEW_OVERDUE
        kind = AttentionKind.REVIEW_OVERDUE if is_review else AttentionKind.NEEDS_OPERATOR
        yield entry(op, kind, op.settled_at or op.sent_at, _why(op), _to_decide(op))
    for op in forgotten:
        why = "Nobody knows whether it was done, and it was not asked about when it should have been."
        see = Action("see that a worker runs and the account is open", "GET", f"/v1/operations/{_shown(op)}")
        yield entry(op, AttentionKind.NOT_ASKED, op.next_check_at or op.sent_at, why, see)
    for op in second:
        yield entry(op, AttentionKind.SECOND_ORDER, op.settled_at, _why_second(op), _to_give_back(op))
    for op in risky:
        why = "The provider took this capture and carries no risk for it: if the customer does not pay, nobody does."
        seen = _post("look at the customer, then acknowledge it", f"/admin/v1/operations/{_shown(op)}/decisions")
        yield entry(op, AttentionKind.NO_RISK, op.settled_at, why, seen)


def _why(operation: Operation) -> str:
    code, said = operation.answer_code, (operation.answer_message or "").strip()
    known = _WHYS.get(code or "")
    told = known or f"The provider refused the {operation.kind.replace('_', ' ')} ({code or 'no code'}): {said}"
    return told if told.endswith(".") else f"{told}."


def _to_decide(operation: Operation) -> Action:
    path = f"/admin/v1/operations/{_shown(operation)}/decisions"
    if operation.answer_code == RESTORED:
        return _post("link it if the provider shows it, else allow it again", path)
    if operation.sent_at is None:
        return _post("put right what stood in its way, then allow it again", path)
    reference = operation.merchant_reference or "its order"
    return _post(f"look for {reference} in the provider's portal: link what is there, retire what is not", path)


def _why_second(operation: Operation) -> str:
    first = operation.details.get(CONTRADICTS)
    beside = f" beside {Prefix.OPERATION}_{first}" if first else ""
    return f"The provider has an order{beside} that we did not count on: the customer may be charged twice."


def _to_give_back(operation: Operation) -> Action:
    amount = f"{decimal_text(operation.amount, operation.currency)} {operation.currency}"
    if operation.authorization in ("authorized", "pending_review"):
        return _post(
            "compare both orders, then reopen the account: the void is planned and goes out then",
            f"/admin/v1/provider-accounts/{operation.provider_account}/reopen",
        )
    return Action(
        f"refund {amount} of order {operation.provider_id} in the provider's portal, then acknowledge it",
        "POST",
        f"/admin/v1/operations/{_shown(operation)}/decisions",
    )


# --- subscriptions and invoices --------------------------------------------------------------------------------


def _subscriptions(session: Session) -> Iterator[Entry]:
    rows = store.waiting_subscriptions(session, EACH_MAX)
    owed = store.owed(session, [row.id for row in rows]) if rows else {}
    for row in rows:
        amount, currency = owed.get(row.id, (None, None))
        kind, why, action = _about(row)
        yield Entry(
            f"subscription:{row.id.hex}",
            kind,
            row.due_at or row.created_at,
            why,
            action,
            amount,
            currency,
            subscription_id=row.id,
            customer_id=row.customer_id,
            provider_account=row.provider_account,
        )


def _about(row: Subscription) -> tuple[AttentionKind, str, Action]:
    path = f"/admin/v1/subscriptions/{shown(Prefix.SUBSCRIPTION, row.id)}"
    if row.review_reason == CATCH_UP:
        late = "Periods are late or were withheld, and nobody has said what becomes of them."
        return AttentionKind.CATCH_UP, late, _post("bill them or forgive them", f"{path}/catch-up")
    if row.review_reason is not None:
        why = f"It is out of every run until somebody has looked: {row.review_reason}."
        return AttentionKind.REVIEW, why, _post("put it right, then clear the review", f"{path}/review/clear")
    return AttentionKind.HOLD, f"A person holds it: {row.hold}.", _post("let it go on", f"{path}/unhold")


def _invoices(session: Session) -> Iterator[Entry]:
    cases = store.open_cases(session, EACH_MAX)
    for dispute, invoice in cases:
        path = f"/admin/v1/invoices/{shown(Prefix.INVOICE, invoice.id)}/disputes/{shown(Prefix.DISPUTE, dispute.id)}"
        why = f"The customer disputes it{f' ({dispute.reference})' if dispute.reference else ''}."
        won = _post("answer the provider, then say won (or the same with lost)", f"{path}/won")
        money = (dispute.amount, dispute.currency)
        yield _of_invoice(
            invoice, f"dispute:{dispute.id.hex}", AttentionKind.DISPUTE, dispute.opened_at, why, won, money
        )
    # What holds an invoice stands in the list itself; the invoice follows once that is put right.
    told = {invoice.id for _, invoice in cases} | {op.invoice_id for op in store.second_orders(session, EACH_MAX)}
    for invoice in store.held_invoices(session, EACH_MAX):
        if invoice.id in told:
            continue
        why = f"Nothing of the invoice is charged or refunded: {invoice.held_because}."
        go_on = _post(
            "put it right, then let it go on", f"/admin/v1/invoices/{shown(Prefix.INVOICE, invoice.id)}/unhold"
        )
        money = (amount_due(invoice) or invoice.total, invoice.currency)
        yield _of_invoice(
            invoice, f"invoice:{invoice.id.hex}", AttentionKind.INVOICE_HELD, invoice.opened_at, why, go_on, money
        )


def _of_invoice(
    invoice: Invoice, key: str, kind: AttentionKind, since: datetime, why: str, action: Action, money: tuple[int, str]
) -> Entry:
    return Entry(
        key,
        kind,
        since,
        why,
        action,
        *money,
        invoice_id=invoice.id,
        subscription_id=invoice.subscription_id,
        customer_id=invoice.customer_id,
        provider_account=invoice.provider_account,
    )


def _post(what: str, path: str) -> Action:
    return Action(what, "POST", path)


def _shown(operation: Operation) -> str:
    return shown(Prefix.OPERATION, operation.id)
