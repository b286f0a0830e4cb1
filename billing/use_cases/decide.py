"""Decide: a person's word about an operation whose outcome no machine can tell (charging rules, section 3).

The provider's record is read first, outside any transaction; a word that contradicts it is refused with both sides
shown. What is said goes through `settle`, and who said it and why stands in the audit log, in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.decisions import PERSON, Again, Then, Verb, how_again, then_of
from billing.domain.errors import ContradictsProvider, Invalid, NotFound, RecordUnreadable
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.domain.operations import Authorization, OperationKind, OperationStatus, merchant_reference, operation_key
from billing.domain.restores import RESTORED
from billing.ports import Account, Answer, Ids, Succeeded
from billing.store.accounts import ProviderAccount
from billing.store.batch import Batch
from billing.store.decisions import Decision
from billing.store.engine import Database
from billing.store.operations import Observation, Operation, of_invoices
from billing.use_cases.provider_record import Facts, ProviderRecord, Question, Shows, provider_record
from billing.use_cases.reconcile import is_whole
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle import Settlement, settle_word
from billing.use_cases.settle_decision import (
    AllowedAgain,
    Decided,
    Linked,
    Retired,
    check_open_to_a_person,
    review_is_overdue,
)
from billing.use_cases.settle_scene import Stage

HTTP_CONFLICT = 409
_HAS_AN_AMOUNT = (OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND)
_MAKES_AN_ID = (OperationKind.PURCHASE, OperationKind.CAPTURE)
_NO_MORE = (Authorization.EXPIRED, Authorization.VOIDED, Authorization.REJECTED, Authorization.RELEASED)


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says, who they are and why.

    To link: `provider_id` and `amount` as they stand at the provider, `expires_at` where an authorization ends. To
    retire: what follows. `unverified` says that they looked themselves where the record cannot be read here.
    """

    verb: Verb
    by: str
    reason: str
    provider_id: str | None = None
    amount: Money | None = None
    expires_at: datetime | None = None
    then: Then | None = None
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """An operation as the person found it."""

    operation: Operation
    question: Question
    generation: str
    was_refused: bool


def decide(
    database: Database,
    accounts: Mapping[str, Account],
    ids: Ids,
    namespace: UUID,
    now: datetime,
    operation_id: UUID,
    word: Word,
    record: Record[UUID] = nothing,
) -> UUID:
    """Carry out what a person says about an operation; returns its id.

    Raises `NotFound`; `Invalid` for what is missing; `TransitionNotAllowed` for what is settled; `OutcomeUnknown` while
    a machine still asks; `ContradictsProvider` with both sides; `RecordUnreadable` where only the person can look and
    did not say that they did.
    """
    with database.tx() as session:
        case = _case(session, namespace, now, operation_id, word)
    if word.verb is Verb.ACKNOWLEDGE:
        return _acknowledge(database, ids, now, case, word, record)
    read = provider_record(accounts.get(case.operation.provider_account), case.question)
    news = _news(case, word, read, now)

    def beside(session: Session, scene: Stage) -> None:
        _write_down(scene.batch, case, word, read, news)
        scene.tell("operation.decided", operation=operation_id.hex, verb=word.verb.value, by=word.by)
        record(session, operation_id)

    settle_word(database, ids, now, Settlement(operation_id, ids.new(), news), beside)
    return operation_id


# --- what there is to decide -----------------------------------------------------------------------------------


def _case(session: Session, namespace: UUID, now: datetime, operation_id: UUID, word: Word) -> _Case:
    operation = session.get(Operation, operation_id)
    if operation is None:
        raise NotFound("there is no such operation")
    if word.verb is not Verb.ACKNOWLEDGE:
        check_open_to_a_person(operation, now, is_link=word.verb is Verb.LINK)
    if word.verb is Verb.LINK:
        _check_link(session, operation, word)
    generation = session.get_one(ProviderAccount, operation.provider_account).generation
    siblings = of_invoices(session, [operation.invoice_id]) if operation.invoice_id is not None else ()
    question = _question(operation, siblings, _reference(operation, namespace), word)
    return _Case(operation, question, generation, _was_refused(session, operation))


def _check_link(session: Session, operation: Operation, word: Word) -> None:
    if operation.kind in _HAS_AN_AMOUNT and word.amount is None:
        raise Invalid("say the amount as it stands at the provider", where="amount")
    if word.amount is not None and word.amount != Money(operation.amount, operation.currency):
        seen: Facts = {"amount": word.amount.amount, "currency": word.amount.currency}
        raise ContradictsProvider("the provider holds another amount", ours=_ours(operation), provider=seen)
    if word.provider_id is None:
        return
    if operation.provider_id not in (None, word.provider_id):
        raise ContradictsProvider(
            "this operation has another order", ours=_ours(operation), provider={"provider_id": operation.provider_id}
        )
    query = select(Operation).where(
        Operation.provider_account == operation.provider_account,
        Operation.kind == operation.kind,
        Operation.provider_id == word.provider_id,
        Operation.id != operation.id,
    )
    other = session.exec(query).first()
    if other is not None:
        raise ContradictsProvider(
            f"that is {shown(Prefix.OPERATION, other.id)} already", ours=_ours(operation), provider=_ours(other)
        )


def _question(operation: Operation, siblings: Sequence[Operation], reference: str, word: Word) -> Question:
    by_id = {op.id: op for op in siblings}
    purchase, capture = by_id.get(operation.purchase_id or operation.id), by_id.get(operation.capture_id or UUID(int=0))
    done = [op for op in siblings if op.status == OperationStatus.SUCCEEDED]
    refunded = sum(op.amount for op in done if capture is not None and op.capture_id == capture.id and _is_refund(op))
    return Question(
        operation,
        reference,
        purchase.provider_id if purchase is not None else None,
        capture.provider_id if capture is not None else None,
        capture.amount - refunded if capture is not None else None,
        frozenset(op.provider_id for op in done if op.provider_id is not None),
        word.provider_id if word.verb is Verb.LINK else None,
    )


def _is_refund(operation: Operation) -> bool:
    return operation.kind == OperationKind.REFUND


def _reference(operation: Operation, namespace: UUID) -> str:
    if operation.merchant_reference is not None:
        return operation.merchant_reference
    kind = OperationKind(operation.kind)
    token_id = operation.token_id if kind is OperationKind.PURCHASE else None
    subject, n, amount = operation.subject, operation.n, operation.amount
    return merchant_reference(operation_key(namespace, kind, subject, n, amount, operation.currency, token_id))


def _was_refused(session: Session, operation: Operation) -> bool:
    """Whether the provider itself refused the only send, so that surely nothing was done."""
    query = select(Observation).where(Observation.operation_id == operation.id, col(Observation.settled))
    last = session.exec(query.order_by(col(Observation.id).desc()).limit(1)).first()
    if last is None or operation.sends != 1 or last.outcome not in ("refused", "declined"):
        return False
    return last.http_status not in (None, HTTP_CONFLICT)


# --- what is said, against the record --------------------------------------------------------------------------


def _news(case: _Case, word: Word, read: ProviderRecord, now: datetime) -> Decided:
    operation, answer = case.operation, Answer(code=PERSON, message=f"{word.by}: {word.reason}")
    proof = f"{word.verb} by {word.by}, {read.said}: {word.reason}"[:180]
    if word.verb is Verb.LINK:
        return Linked(answer, operation.epoch, _linked(case, word, read, answer))
    if word.verb is Verb.RETIRE:
        then = then_of(OperationKind(operation.kind), word.then)
        _check_undone(case, word, read, is_known=_is_known_undone(case))
        return Retired(answer, operation.epoch, then, proof, _how_it_ended(case, then, read))
    how = how_again(
        OperationKind(operation.kind),
        case.generation,
        sent_at=operation.sent_at,
        now=now,
        is_whole=is_whole(operation),
        was_refused=case.was_refused,
    )
    if not review_is_overdue(operation):
        _check_undone(case, word, read, is_known=how is Again.REPLAY or _is_known_undone(case))
    return AllowedAgain(answer, operation.epoch, how, proof)


def _linked(case: _Case, word: Word, read: ProviderRecord, answer: Answer) -> Succeeded:
    operation, provider_id = case.operation, word.provider_id or read.provider_id or case.operation.provider_id
    if read.shows in (Shows.NOT_DONE, Shows.OTHERWISE):
        raise _contradiction(case, read)
    if operation.kind in _MAKES_AN_ID and provider_id is None:
        raise Invalid(f"say what the provider calls this {operation.kind}", where="provider_id")
    expires_at = word.expires_at or read.expires_at
    if operation.kind == OperationKind.EXTEND and expires_at is None:
        raise Invalid("say when the authorization ends now", where="expires_at")
    if read.shows is Shows.UNREADABLE:
        _check_looked(case, word, read)
    facts = {"linked": "done by somebody else"} if read.is_another else {}
    if operation.kind not in _HAS_AN_AMOUNT:
        facts |= {"provider_reference": provider_id} if provider_id is not None else {}
        return Succeeded(answer, None, expires_at=expires_at, facts=facts)
    pending = read.authorization == Authorization.PENDING_REVIEW
    authorization = Authorization.PENDING_REVIEW if pending else Authorization.AUTHORIZED
    is_purchase = operation.kind == OperationKind.PURCHASE
    return Succeeded(answer, provider_id, authorization.value if is_purchase else None, expires_at, facts)


def _check_undone(case: _Case, word: Word, read: ProviderRecord, *, is_known: bool) -> None:
    if read.shows in (Shows.DONE, Shows.OTHERWISE):
        raise _contradiction(case, read)
    if read.shows is Shows.UNREADABLE and not is_known:
        _check_looked(case, word, read)


def _check_looked(case: _Case, word: Word, read: ProviderRecord) -> None:
    if not word.unverified:
        raise RecordUnreadable(
            f"{read.said}. Look in the provider's portal for {case.question.reference}, and say `unverified: true` with"
            " what you found"
        )


def _is_known_undone(case: _Case) -> bool:
    """Whether it surely was not done: it never left, or the provider refused its only send. An older capture may be
    refused because it was done before, and a restored database does not know what left.
    """
    if case.operation.answer_code == RESTORED:
        return False
    if case.operation.sent_at is None:
        return True
    return case.was_refused and (case.generation != "legacy" or case.operation.kind == OperationKind.PURCHASE)


def _how_it_ended(case: _Case, then: Then, read: ProviderRecord) -> str | None:
    """For a capture whose authorization is to be purchased again: how that ended, as the order says."""
    if case.operation.kind != OperationKind.CAPTURE or then is not Then.PURCHASE_AGAIN:
        return None
    if read.shows is Shows.UNREADABLE:
        return Authorization.EXPIRED.value
    authorization = read.facts.get("authorization")
    if authorization not in _NO_MORE or read.facts.get("captured"):
        raise _contradiction(case, read, "the order still stands; capture it, or void it first")
    return Authorization(str(authorization)).value


def _contradiction(case: _Case, read: ProviderRecord, why: str | None = None) -> ContradictsProvider:
    return ContradictsProvider(why or read.said, ours=_ours(case.operation), provider=read.facts)


def _ours(operation: Operation) -> dict[str, str | int | None]:
    return {
        "operation": shown(Prefix.OPERATION, operation.id),
        "kind": operation.kind,
        "status": operation.status,
        "amount": operation.amount,
        "currency": operation.currency,
        "reference": operation.merchant_reference,
    }


# --- the audit log ---------------------------------------------------------------------------------------------


def _acknowledge(database: Database, ids: Ids, now: datetime, case: _Case, word: Word, record: Record[UUID]) -> UUID:
    with database.tx() as session:
        batch = Batch(ids, now)
        _write_down(batch, case, word, None, None)
        batch.write(session)
        record(session, case.operation.id)
    return case.operation.id


def _write_down(batch: Batch, case: _Case, word: Word, read: ProviderRecord | None, news: Decided | None) -> None:
    operation = case.operation
    details: dict[str, Any] = {"status": operation.status, "answer_code": operation.answer_code}
    if read is not None:
        details |= {"record": read.shows.value, "said": read.said, "unverified": word.unverified}
    match news:
        case Linked():
            details["provider_id"] = news.seen.provider_id
        case Retired():
            details["then"] = news.then.value
        case AllowedAgain():
            details["how"] = news.how.value
    batch.add(
        Decision,
        operation_id=operation.id,
        subject=operation.id.hex,
        verb=word.verb.value,
        by=word.by[:200],
        reason=word.reason[:500],
        details=details,
        at=batch.now,
    )
