"""Settle: the only place where an operation leaves `sending` or `unknown`, whoever brings the news.

Every answer is kept as an observation. An answer moves its operation when it comes under the lease that sent it, or,
whoever holds the lease, when it says that the thing was done (charging rules, section 2, step 7).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.operations import (
    MAY_BE_HAPPENING,
    Authorization,
    OperationKind,
    OperationStatus,
    next_replay_at,
)
from billing.ports import Answer, Declined, Ids, NotSent, Outcome, Refused, Succeeded, Unknown
from billing.store import invoices as invoice_store
from billing.store.accounts import ProviderAccount, halt
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import PaymentState
from billing.store.numbers import number_invoices
from billing.store.operations import Observation, Operation
from billing.use_cases.halving import in_halves
from billing.use_cases.pacing import report
from billing.use_cases.settle_amend import amend_refused, amend_succeeded, release_succeeded
from billing.use_cases.settle_authorization import authorization_lost, keep_alive
from billing.use_cases.settle_contradiction import late_success
from billing.use_cases.settle_decision import AllowedAgain, Decided, Linked, Retired, settle_decision
from billing.use_cases.settle_decline import bury, climb
from billing.use_cases.settle_expired import (
    extend_first,
    extension_refused,
    extension_succeeded,
    give_up_waiting,
    may_be_extended,
)
from billing.use_cases.settle_follow_up import (
    capture_succeeded,
    due_date_moved,
    email_succeeded,
    post_succeeded,
    refund_succeeded,
    ship_succeeded,
    void_succeeded,
)
from billing.use_cases.settle_locks import scenes_of, write_whole_lines
from billing.use_cases.settle_lost import never_received
from billing.use_cases.settle_purchase import purchase_declined, purchase_succeeded, reviewed, under_review
from billing.use_cases.settle_scene import Scene, Stage, TokenScene
from billing.use_cases.settle_token import revoke_succeeded


@dataclass(frozen=True, slots=True)
class PutBack:
    """Not sent, and not to be sent before `due_at`; nothing was asked of the provider."""

    due_at: datetime
    answer: Answer


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Given up before the gate. `as_decline` puts its invoice on the ladder as if the provider had said so."""

    answer: Answer
    as_decline: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A capture was refused, and the order was read: its authorization ended with nothing captured."""

    answer: Answer
    authorization: Authorization


@dataclass(frozen=True, slots=True)
class NotSeen:
    """A purchase that the provider does not find, which proves nothing yet; it is asked about again at `ask_at`."""

    answer: Answer
    ask_at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeverReceived:
    """Said twice, beside something that was found: the purchase never arrived (charging rules, section 3)."""

    answer: Answer
    facts: Mapping[str, str] = field(default_factory=dict)


News = Outcome | PutBack | Withdrawn | Lost | NotSeen | NeverReceived | Decided


@dataclass(frozen=True, slots=True)
class Settlement:
    """News about one operation, and the lease under which it was fetched."""

    operation_id: UUID
    lease: UUID
    news: News


BACKOFF_MAX = timedelta(hours=1)
HTTP_CONFLICT = 409

_SUCCEEDED: dict[OperationKind, Callable[[Scene, Operation, Succeeded], None]] = {
    OperationKind.PURCHASE: purchase_succeeded,
    OperationKind.CAPTURE: capture_succeeded,
    OperationKind.VOID: void_succeeded,
    OperationKind.RELEASE: release_succeeded,
    OperationKind.AMEND: amend_succeeded,
    OperationKind.REFUND: refund_succeeded,
    OperationKind.EMAIL_INVOICE: email_succeeded,
    OperationKind.SHIP: ship_succeeded,
    OperationKind.EXTEND: extension_succeeded,
    OperationKind.POST_INVOICE: post_succeeded,
    OperationKind.EXTEND_DUE_DATE: due_date_moved,
}


def settle(
    database: Database, ids: Ids, now: datetime, settlements: Sequence[Settlement], *, answered: bool = False
) -> int:
    """Record all `settlements` in one transaction; returns how many moved their operation. Those that a call has just
    `answered` are counted for their provider account.

    Where the database refuses that, in smaller ones, until the row that it refuses stands alone and goes to a person.
    Writes status, authorization, invoice, ledger, dunning, follow-up operations and events together or not at all.
    """
    moved: list[int] = []
    in_halves(
        _in_order(settlements),
        lambda part: moved.append(_settle_batch(database, ids, now, part, answered=answered)),
        lambda settlement, reason: _park(database, ids, now, settlement, reason),
    )
    return sum(moved)


def settle_word(
    database: Database, ids: Ids, now: datetime, settlement: Settlement, beside: Callable[[Session, Stage], None]
) -> None:
    """Record what a person decided about one operation, and whatever `beside` adds, in one transaction.

    Unlike news from the provider it may be refused: raises what `settle_decision` and `beside` raise, and then nothing
    is written.
    """
    with database.tx() as session:
        batch, to_number = Batch(ids, now), dict[UUID, invoice_store.Invoice]()
        scene = scenes_of(session, batch, [settlement.operation_id], to_number)[settlement.operation_id]
        _settle_one(scene, settlement)
        _write(session, batch, [scene], to_number)
        beside(session, scene)
        batch.write(session)


def _settle_batch(
    database: Database, ids: Ids, now: datetime, settlements: Sequence[Settlement], *, answered: bool
) -> int:
    with database.tx() as session:
        batch = Batch(ids, now)
        to_number: dict[UUID, invoice_store.Invoice] = {}
        scenes = scenes_of(session, batch, [settlement.operation_id for settlement in settlements], to_number)
        moved = sum(_settle_one(scenes[settlement.operation_id], settlement) for settlement in settlements)
        _write(session, batch, list(scenes.values()), to_number)
        if answered:
            _report(session, batch, scenes, settlements)
        return moved


def _write(
    session: Session, batch: Batch, scenes: Sequence[Stage], to_number: Mapping[UUID, invoice_store.Invoice]
) -> None:
    batch.write(session)
    write_whole_lines(session, list(set().union(*(s.whole for s in scenes if isinstance(s, Scene)))))
    if to_number:
        number_invoices(session, batch, list(to_number.values()))
        batch.write(session)


def _report(session: Session, batch: Batch, scenes: Mapping[UUID, Stage], settlements: Sequence[Settlement]) -> None:
    """Last of all, since the account's pace stays locked until the commit; an event goes to the last one concerned."""
    last = scenes[settlements[-1].operation_id]

    def tell(type_: str, **payload: Any) -> UUID | None:
        last.tell(type_, **payload)
        return last.told

    report(session, batch.now, [(scenes[s.operation_id].operation(s.operation_id), s.news) for s in settlements], tell)
    batch.write(session)


def _park(database: Database, ids: Ids, now: datetime, settlement: Settlement, reason: str) -> None:
    """News that could not be written: kept as an observation, and the operation goes to a person."""
    with database.tx() as session:
        batch = Batch(ids, now)
        scene = scenes_of(session, batch, [settlement.operation_id], {})[settlement.operation_id]
        operation = scene.operation(settlement.operation_id)
        _observe(scene, operation, settlement.news, settled=False)
        if operation.status in (*MAY_BE_HAPPENING, OperationStatus.PLANNED):
            operation.lease_owner = operation.lease_until = None
            operation.answer_code, operation.answer_message = "not_recorded", f"recording it failed: {reason}"
            _ask_a_person(scene, operation)
        batch.write(session)


def _in_order(settlements: Sequence[Settlement]) -> list[Settlement]:
    return sorted(settlements, key=lambda settlement: settlement.operation_id)


def _settle_one(scene: Stage, settlement: Settlement) -> bool:
    operation, news = scene.operation(settlement.operation_id), settlement.news
    if isinstance(news, Linked | Retired | AllowedAgain):
        settle_decision(scene, operation, news, _apply)
        _observe(scene, operation, news, settled=True)
        return True
    mine = operation.lease_owner == settlement.lease and operation.status in (
        *MAY_BE_HAPPENING,
        OperationStatus.PLANNED,
    )
    if isinstance(scene, Scene) and under_review(operation) and operation.lease_owner == settlement.lease:
        _observe(scene, operation, news, settled=True)
        operation.lease_owner = operation.lease_until = None
        reviewed(scene, operation, news)
        return True
    counts = mine or (isinstance(news, Succeeded) and operation.status in MAY_BE_HAPPENING)
    _observe(scene, operation, news, settled=counts)
    if not counts:
        if operation.lease_owner == settlement.lease:
            operation.lease_owner = operation.lease_until = None
        if isinstance(news, Succeeded):
            late_success(scene, operation, news)
        return False
    operation.answer_code, operation.answer_message = _cut(news.answer.code, 64), _cut(news.answer.message, 300)
    operation.lease_owner = operation.lease_until = None
    operation.claims = 0
    _apply(scene, operation, news)
    return True


def _apply(scene: Stage, operation: Operation, news: News) -> None:
    match news:
        case Succeeded():
            operation.next_check_at, operation.settled_at = None, scene.now
            operation.provider_reference = _cut(news.facts.get("provider_reference"), 255)
            if isinstance(scene, TokenScene):
                revoke_succeeded(scene)
            else:
                _SUCCEEDED[OperationKind(operation.kind)](scene, operation, news)
        case Refused() if operation.sends > 1 and news.answer.http_status == HTTP_CONFLICT:
            # A first conflict is our mistake; one that answers a repeat may be about the first send still going on.
            _ask_again(scene, operation)
        case Refused(is_already_so=True) if operation.sends > 1:
            # The first send did it, and only its answer was lost (charging rules, section 3).
            _apply(scene, operation, Succeeded(news.answer))
        case Declined() | Refused() | Lost():
            _refused(scene, operation, news)
        case NotSent():
            _not_sent(scene, operation, news)
        case Unknown():
            _ask_again(scene, operation)
        case PutBack() | Withdrawn() | NotSeen() | NeverReceived():
            _unanswered(scene, operation, news)


def _unanswered(scene: Stage, operation: Operation, news: PutBack | Withdrawn | NotSeen | NeverReceived) -> None:
    """What no answer to the call itself says."""
    match news:
        case PutBack():
            operation.status, operation.due_at = OperationStatus.PLANNED.value, news.due_at
        case Withdrawn():
            _withdraw(scene, operation, news)
        case NotSeen():
            _wait_for(scene, operation, news.ask_at)
        case NeverReceived():
            assert isinstance(scene, Scene), "only purchases are looked for"
            never_received(scene, operation)


def _refused(scene: Stage, operation: Operation, news: Declined | Refused | Lost) -> None:
    """A documented no: a charge is declined, an extension is left, a lost authorization is replaced; else a person."""
    if isinstance(scene, TokenScene):
        if isinstance(news, Declined):
            # The provider does not know this token any more: that is what was asked for.
            operation.next_check_at, operation.settled_at = None, scene.now
            revoke_succeeded(scene)
        else:
            _ask_a_person(scene, operation)
    elif isinstance(news, Lost):
        authorization_lost(scene, operation, news.authorization)
    elif isinstance(news, Declined) and operation.kind == OperationKind.PURCHASE:
        operation.next_check_at, operation.settled_at = None, scene.now
        purchase_declined(scene, operation, news)
    elif operation.kind == OperationKind.EXTEND:
        extension_refused(scene, operation, news)
    elif operation.kind == OperationKind.AMEND:
        amend_refused(scene, operation)
    elif may_be_extended(scene, operation, news):
        extend_first(scene, operation)
    else:
        _ask_a_person(scene, operation)


def _ask_a_person(scene: Stage, operation: Operation) -> None:
    operation.status, operation.next_check_at = OperationStatus.NEEDS_OPERATOR.value, None
    scene.tell("operation.needs_operator", operation=operation.id.hex, kind=operation.kind, code=operation.answer_code)
    if isinstance(scene, Scene) and operation.kind in (OperationKind.CAPTURE, OperationKind.AMEND):
        # A person takes their time; the authorization should still be there then.
        keep_alive(scene, scene.operation(operation.purchase_id))
    if isinstance(scene, Scene) and operation.kind == OperationKind.EXTEND:
        give_up_waiting(scene, operation)


def _not_sent(scene: Stage, operation: Operation, news: NotSent) -> None:
    if news.account_stopped and halt(
        scene.session, operation.provider_account, news.answer.code or "the provider refused our credentials", scene.now
    ):
        scene.tell("account.halted", account=operation.provider_account)
    operation.backoffs += 1
    wait = max(timedelta(seconds=news.retry_after_seconds or 0), backoff(operation.backoffs))
    if operation.sends > 1 or operation.status == OperationStatus.UNKNOWN:
        # This send did not arrive, but an earlier one may have: the question stays open.
        _ask_again(scene, operation, not_before=scene.now + wait)
        return
    operation.status, operation.due_at = OperationStatus.PLANNED.value, scene.now + wait
    operation.sent_at, operation.sends, operation.next_check_at = None, 0, None


def backoff(times: int) -> timedelta:
    """The wait after the nth time in a row that nothing could be sent: 30 s doubled each time, an hour at most."""
    return min(BACKOFF_MAX, timedelta(seconds=30 * int(2 ** (min(times, 10) - 1))))


def _ask_again(scene: Stage, operation: Operation, not_before: datetime | None = None) -> None:
    """Unknown: the next rung of the replay ladder that lies ahead, or a person once none is left."""
    assert operation.sent_at is not None, "an unknown outcome belongs to something that was sent"
    earliest = max(not_before or scene.now, scene.now)
    generation = scene.session.get_one(ProviderAccount, operation.provider_account).generation
    later = range(operation.sends, operation.sends + 9)
    rungs = (next_replay_at(operation.sent_at, sends, generation) for sends in later)
    at = next((rung for rung in rungs if rung is not None and rung > earliest), None)
    if at is None:
        _ask_a_person(scene, operation)
        return
    _wait_for(scene, operation, at)


def _wait_for(scene: Stage, operation: Operation, at: datetime) -> None:
    if operation.status != OperationStatus.UNKNOWN:
        scene.tell("operation.unknown", operation=operation.id.hex, kind=operation.kind, next_check_at=at.isoformat())
    operation.status, operation.next_check_at = OperationStatus.UNKNOWN.value, at
    if isinstance(scene, Scene) and operation.kind == OperationKind.PURCHASE:
        scene.invoice.payment_state = PaymentState.UNKNOWN.value


def _withdraw(scene: Stage, operation: Operation, news: Withdrawn) -> None:
    operation.status, operation.settled_at = OperationStatus.DROPPED.value, scene.now
    operation.due_at = operation.next_check_at = None
    if not isinstance(scene, Scene) or operation.kind != OperationKind.PURCHASE:
        return
    bury(operation, f"dropped before the gate: {news.answer.message}")
    scene.close_if_nobody_collects()
    if news.as_decline is not None:
        climb(scene, operation, news.as_decline, news.answer.code)


def _observe(scene: Stage, operation: Operation, news: News, *, settled: bool) -> None:
    answer, seen = news.answer, news.seen if isinstance(news, Linked) else news
    scene.batch.add(
        Observation,
        operation_id=operation.id,
        epoch=operation.epoch,
        outcome=type(news).__name__.lower(),
        settled=settled,
        http_status=answer.http_status,
        code=_cut(answer.code, 64),
        message=_cut(answer.message, 300),
        correlation_id=_cut(answer.correlation_id, 128),
        provider_id=seen.provider_id if isinstance(seen, Succeeded) else None,
        facts=dict(seen.facts) if isinstance(seen, Succeeded | NotSeen | NeverReceived) else {},
        at=scene.now,
    )


def _cut(text: str | None, most: int) -> str | None:
    """What a provider says is kept as far as the column goes; its length must never decide over a settlement."""
    return None if text is None else text.replace("\0", "")[:most]
