"""What a person's word about an operation changes. Called by `settle` alone, under the locks of its scene.

A person speaks where no machine can tell: an operation that needs an operator, or a review that is overdue. A link is
possible while an outcome is unknown, too, since it says that something happened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.domain.decisions import REVIEW_OVERDUE, Again, Then
from billing.domain.errors import Conflict, OutcomeUnknown, TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Trigger, planned_capture_at
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Answer, Succeeded
from billing.store.customers import StoredToken
from billing.store.invoices import CreditNote, DunningState, PaymentState, amount_due
from billing.store.operations import Operation, drop
from billing.store.plans import CaptureMode
from billing.use_cases.lowering import RESUMES_AT, WAITS_FOR_EXTENSION, captured_of, live_purchase
from billing.use_cases.resolve_credit import to_balance
from billing.use_cases.settle_amend import amend_refused
from billing.use_cases.settle_authorization import LOST, REPLACED, let_go
from billing.use_cases.settle_decline import bury
from billing.use_cases.settle_expired import WAS_EXTENDED
from billing.use_cases.settle_follow_up import next_in_line, parcels_known
from billing.use_cases.settle_purchase import reviewed, under_review
from billing.use_cases.settle_scene import Scene, Stage, TokenScene
from billing.use_cases.void_invoice import check_may_be_void
from billing.use_cases.voiding import void

RETIRED = "operation_retired"
"""Why a subscription waits for a person: what was to be charged was retired, and nothing takes its place."""

_MARKS = (REPLACED, WAS_EXTENDED, WAITS_FOR_EXTENSION, RESUMES_AT, "is_whole")


@dataclass(frozen=True, slots=True)
class Linked:
    """It happened, and the provider calls it as `seen` says. `epoch` is the operation's when the person looked."""

    answer: Answer
    epoch: int
    seen: Succeeded


@dataclass(frozen=True, slots=True)
class Retired:
    """It did not happen; `proof` says who knows that and how, `ended` how its authorization ended, for a capture."""

    answer: Answer
    epoch: int
    then: Then
    proof: str
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class AllowedAgain:
    """It may be done once more; `proof` becomes that of a purchase which another one replaces."""

    answer: Answer
    epoch: int
    how: Again
    proof: str


Decided = Linked | Retired | AllowedAgain


def check_open_to_a_person(operation: Operation, now: datetime, *, is_link: bool) -> None:
    """Raises `OutcomeUnknown` while a machine still asks, and `TransitionNotAllowed` for what is settled."""
    if operation.lease_until is not None and operation.lease_until > now:
        raise OutcomeUnknown("the provider is being asked about this operation at this moment; look again in a minute")
    if operation.status == OperationStatus.NEEDS_OPERATOR or review_is_overdue(operation):
        return
    if operation.status == OperationStatus.UNKNOWN and is_link:
        return
    if operation.status in (OperationStatus.SENDING, OperationStatus.UNKNOWN) or under_review(operation):
        at = operation.next_check_at.isoformat() if operation.next_check_at else "its next check"
        raise OutcomeUnknown(f"the provider is still being asked about this operation, next at {at}")
    raise TransitionNotAllowed(f"this operation is {operation.status}; a person decides about what needs an operator")


def review_is_overdue(operation: Operation) -> bool:
    """Whether the provider took the purchase and did not decide about it in time."""
    return under_review(operation) and operation.answer_code == REVIEW_OVERDUE


def settle_decision(
    scene: Stage, operation: Operation, news: Decided, succeed: Callable[[Stage, Operation, Succeeded], None]
) -> None:
    """Carry out what a person said; `succeed` is what every success of its kind does.

    Raises what `check_open_to_a_person` raises, `OutcomeUnknown` where the operation moved since the person looked, and
    `Conflict` where what is to follow is not possible.
    """
    check_open_to_a_person(operation, scene.now, is_link=isinstance(news, Linked))
    if operation.epoch != news.epoch:
        raise OutcomeUnknown("the provider was asked about this operation meanwhile; look again")
    is_review = operation.authorization == Authorization.PENDING_REVIEW
    operation.answer_code, operation.answer_message = news.answer.code, (news.answer.message or "")[:300]
    operation.lease_owner = operation.lease_until = None
    operation.claims, operation.next_check_at = 0, None
    if is_review and isinstance(scene, Scene):
        _decide_review(scene, operation, news)
        return
    match news:
        case Linked():
            succeed(scene, operation, news.seen)
        case Retired():
            _end(scene, operation, news.proof)
            if isinstance(scene, Scene):
                _then(scene, operation, news)
        case AllowedAgain():
            _again(scene, operation, news)


def _decide_review(scene: Scene, purchase: Operation, news: Decided) -> None:
    """The provider took it, whatever it thinks of it now: the call stays a success."""
    purchase.status = OperationStatus.SUCCEEDED.value
    match news:
        case Linked():
            reviewed(scene, purchase, news.seen)
        case Retired():
            purchase.authorization, purchase.remaining = Authorization.REJECTED.value, 0
            bury(purchase, news.proof)
            _then(scene, purchase, news)
        case AllowedAgain():
            purchase.next_check_at = scene.now


def _end(scene: Stage, operation: Operation, proof: str) -> None:
    """It will never be done. Nothing of dunning: nobody refused to pay."""
    operation.status, operation.settled_at = OperationStatus.DROPPED.value, scene.now
    operation.due_at = None
    if isinstance(scene, TokenScene):
        return
    match OperationKind(operation.kind):
        case OperationKind.PURCHASE:
            bury(operation, proof)
            if scene.invoice.payment_state in (PaymentState.UNKNOWN, PaymentState.PENDING):
                scene.invoice.payment_state = PaymentState.NONE.value
        case OperationKind.AMEND:
            amend_refused(scene, operation)
        case OperationKind.SHIP:
            # Only the provider was not told: the parcels have left the house.
            parcels_known(scene, operation)
        case OperationKind.EXTEND:
            scene.tell("authorization.not_extended", invoice=scene.invoice.id.hex, code=operation.answer_code)


def _then(scene: Scene, operation: Operation, retired: Retired) -> None:
    match retired.then:
        case Then.PURCHASE_AGAIN:
            _purchase_again(scene, operation, retired)
        case Then.VOID_INVOICE:
            _void(scene, retired)
        case Then.TO_BALANCE:
            note = scene.session.get_one(CreditNote, operation.subject, populate_existing=True)
            to_balance(scene, note, operation.amount, "a refund was given up")
        case Then.LEAVE:
            _leave(scene, operation)


def _purchase_again(scene: Scene, operation: Operation, retired: Retired) -> None:
    if operation.kind == OperationKind.CAPTURE:
        _give_up_authorization(scene, scene.operation(operation.purchase_id), retired)
    if scene.invoice.status != InvoiceStatus.OPEN or amount_due(scene.invoice) <= 0:
        raise TransitionNotAllowed(f"the invoice is {scene.invoice.status}: nothing of it is to be purchased again")
    if scene.subscription.status == SubscriptionStatus.ENDED:
        raise TransitionNotAllowed("the subscription has ended: nothing of it is to be purchased again")
    if live_purchase(scene) is not None:
        raise Conflict("another purchase of this invoice may still take money")
    scene.plan_purchase(Trigger.ADMIN, scene.now)


def _give_up_authorization(scene: Scene, purchase: Operation, retired: Retired) -> None:
    if captured_of(scene, purchase):
        raise Conflict("a part of this authorization is captured; the rest cannot be purchased again")
    purchase.authorization, purchase.remaining = retired.ended or Authorization.EXPIRED.value, 0
    let_go(scene, purchase, "the authorization has ended")
    bury(purchase, f"{LOST}{retired.proof}")
    for other in scene.siblings:
        if other.purchase_id == purchase.id and other.status == OperationStatus.PLANNED:
            drop(other, "the authorization has ended", scene.now)


def _void(scene: Scene, retired: Retired) -> None:
    check_may_be_void(scene)
    was_in_dunning = scene.invoice.dunning_state != DunningState.NONE
    is_over = scene.subscription.status == SubscriptionStatus.ENDED
    void(scene.session, scene.batch, scene.subscription, scene.invoice, scene.siblings, retired.proof, is_over=is_over)
    scene.invoice.dunning_state = DunningState.NONE.value
    if was_in_dunning:
        next_in_line(scene)


def _leave(scene: Scene, operation: Operation) -> None:
    """Nothing takes its place. An open invoice that nobody collects now stays with a person."""
    captures_itself = operation.kind == OperationKind.CAPTURE and scene.plan.capture == CaptureMode.AUTOMATIC
    if operation.kind != OperationKind.PURCHASE and not captures_itself:
        return
    scene.close_if_nobody_collects()
    subscription = scene.subscription
    is_over = subscription.status == SubscriptionStatus.ENDED
    if scene.invoice.status == InvoiceStatus.OPEN and not is_over and subscription.review_reason is None:
        subscription.review_reason = RETIRED
        scene.tell("subscription.needs_review", reason=RETIRED)


# --- once more -------------------------------------------------------------------------------------------------


def _again(scene: Stage, operation: Operation, news: AllowedAgain) -> None:
    match news.how:
        case Again.REPLAY:
            # Not planned: nothing may drop what may have been done. It is asked about, under the key it was sent with.
            operation.status, operation.next_check_at = OperationStatus.UNKNOWN.value, scene.now
            if isinstance(scene, Scene) and operation.kind == OperationKind.PURCHASE:
                scene.invoice.payment_state = PaymentState.UNKNOWN.value
        case Again.AS_PLANNED:
            operation.status, operation.due_at = OperationStatus.PLANNED.value, _due_at(scene, operation)
            operation.sent_at, operation.sends, operation.cleared_at = None, 0, scene.now
        case Again.AFRESH:
            _afresh(scene, operation, news)


def _due_at(scene: Stage, operation: Operation) -> datetime:
    if isinstance(scene, TokenScene) or operation.kind != OperationKind.CAPTURE:
        return scene.now
    purchase = scene.operation(operation.purchase_id)
    return planned_capture_at(scene.now, purchase.settled_at or scene.now)


def _afresh(scene: Stage, operation: Operation, news: AllowedAgain) -> None:
    operation.status, operation.settled_at, operation.due_at = OperationStatus.DROPPED.value, scene.now, None
    if isinstance(scene, TokenScene):
        token = scene.session.get_one(StoredToken, operation.subject)
        scene.batch.plan_revoke(token, n=operation.n + 1, trigger=Trigger(operation.trigger))
        return
    if operation.kind == OperationKind.PURCHASE:
        bury(operation, news.proof)
        _purchase_again(scene, operation, Retired(news.answer, news.epoch, Then.PURCHASE_AGAIN, news.proof))
        return
    kind = OperationKind(operation.kind)
    details = {name: value for name, value in operation.details.items() if name not in _MARKS}
    if kind is OperationKind.CAPTURE:
        # Should the authorization be lost later, what was asked of it is asked of the next one: each thing once.
        operation.details = {**operation.details, REPLACED: True}
    scene.batch.plan(
        kind,
        scene.invoice,
        subject=operation.subject,
        n=scene.next_n(kind, operation.subject),
        amount=operation.amount,
        trigger=Trigger.ADMIN,
        due_at=_due_at(scene, operation),
        purchase=operation.purchase_id,
        capture=operation.capture_id,
        details=details,
    )
