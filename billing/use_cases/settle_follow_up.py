"""What the answer to a capture, a void, a refund, a shipment or an email changes. Called by `settle` alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.ledger import postings_for_capture, postings_for_refund
from billing.domain.looks import first_look_at
from billing.domain.operations import (
    MAY_BE_HAPPENING,
    WITHOUT_A_KEY,
    Authorization,
    OperationKind,
    OperationStatus,
    Trigger,
)
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Succeeded
from billing.store.customers import Customer
from billing.store.invoices import (
    CreditNote,
    DunningState,
    Invoice,
    InvoiceLine,
    PaymentState,
    amount_due,
    in_arrears,
    lines_of,
    open_invoices,
)
from billing.store.operations import Operation, of_invoices
from billing.store.periods import PeriodKind, periods_of
from billing.store.plans import Emailing
from billing.use_cases.access import grant
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_decline import bury
from billing.use_cases.settle_scene import Scene

NO_RISK = "no_risk"
THEN = "then"
"""Where a void that an operator asked for says what becomes of its open invoice."""

CHARGE_AGAIN = "charge_again"
_IN_ARREARS = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)
_FIRST_PAYMENT = {
    SubscriptionStatus.TRIALING: SubscriptionEvent.TRIAL_ENDED,
    SubscriptionStatus.PENDING: SubscriptionEvent.FIRST_AUTHORIZED,
}
"""States that wait for a first payment, and what it is to them."""


def capture_succeeded(scene: Scene, capture: Operation, outcome: Succeeded) -> None:
    """The money is taken: the invoice takes its number, the books open and are paid, dunning ends."""
    capture.status, capture.provider_id = OperationStatus.SUCCEEDED.value, outcome.provider_id
    capture.risk = outcome.facts.get("risk", capture.risk)
    purchase, invoice = scene.operation(capture.purchase_id), scene.invoice
    purchase.remaining = (purchase.remaining or 0) - capture.amount
    purchase.look_at = first_look_at(purchase.id, scene.now)
    whole = purchase.remaining == 0
    purchase.authorization = (Authorization.CAPTURED if whole else Authorization.PART_CAPTURED).value
    if whole:
        let_go(scene, purchase, "all of it is captured")
    invoice.captured += capture.amount
    invoice.remind_at = None
    _grow_lines(scene, capture)
    scene.to_number[invoice.id] = invoice
    scene.batch.post("capture", invoice, postings_for_capture(capture.amount), operation_id=capture.id)
    if _is_emailed(scene):
        _plan_email(scene, purchase, capture)
    _tell(scene, capture, outcome)
    if amount_due(invoice) == 0:
        paid(scene)
        if not whole:
            # More is reserved than was owed: what the customer does not owe is given back, never taken.
            release_rest(scene, purchase)


def release_rest(scene: Scene, purchase: Operation) -> None:
    """Plan to give back what is left of an authorization after a capture, unless that is planned already."""
    asked = (OperationStatus.PLANNED, *MAY_BE_HAPPENING)
    releases = (op for op in scene.siblings if op.kind == OperationKind.RELEASE and op.purchase_id == purchase.id)
    if not any(op.status in asked for op in releases):
        let_go(scene, purchase, "nothing more of it is owed")
        amount = purchase.remaining or 0
        scene.plan_follow_up(OperationKind.RELEASE, purchase, amount, scene.now, trigger=Trigger.FOLLOW_UP)


def ship_succeeded(scene: Scene, ship: Operation, _outcome: Succeeded) -> None:
    """The provider knows the parcels; what was in them is dispatched."""
    ship.status = OperationStatus.SUCCEEDED.value
    parcels_known(scene, ship)


def parcels_known(scene: Scene, ship: Operation) -> None:
    """The parcels are told, or kept where nobody can be told: what was in them is dispatched."""
    dispatched = ship.details.get("dispatched", {})
    if dispatched:
        grow_dispatched(
            scene.invoice, lines_of(scene.session, [scene.invoice.id])[scene.invoice.id], dispatched, scene.now
        )
    scene.tell("invoice.shipped", invoice=scene.invoice.id.hex, parcels=len(ship.details.get("shipments", ())))


def grow_dispatched(invoice: Invoice, lines: Sequence[InvoiceLine], units: Mapping[str, int], now: datetime) -> None:
    """Units of lines, by line id in hex, have left the house; their revenue is earned once the books are open."""
    for line in lines:
        line.dispatched_quantity = min(line.quantity, line.dispatched_quantity + units.get(line.id.hex, 0))
    if invoice.number is not None:
        invoice.release_at = now


def void_succeeded(scene: Scene, void: Operation, _outcome: Succeeded) -> None:
    """The authorization is given back; its purchase is dead."""
    void.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(void.purchase_id)
    purchase.authorization, purchase.remaining = Authorization.VOIDED.value, 0
    let_go(scene, purchase, "the authorization is given back")
    bury(purchase, f"voided by operation {void.id.hex}")
    scene.close_if_nobody_collects()
    scene.tell("purchase.voided", invoice=scene.invoice.id.hex, amount=void.amount)
    _after_a_void(scene, void)


def refund_succeeded(scene: Scene, refund: Operation, outcome: Succeeded) -> None:
    """The refund is paid out: what was owed to the customer leaves the provider's clearing account."""
    refund.status, refund.provider_id = OperationStatus.SUCCEEDED.value, outcome.provider_id
    scene.invoice.refunded += refund.amount
    credit_note = scene.session.get_one(CreditNote, refund.subject)
    others = [op for op in scene.siblings if op.kind == OperationKind.REFUND and op.subject == refund.subject]
    if all(op.status in (OperationStatus.SUCCEEDED, OperationStatus.DROPPED) for op in others):
        credit_note.refunded_at = scene.now
    scene.batch.post(
        "refund",
        scene.invoice,
        postings_for_refund(refund.amount),
        operation_id=refund.id,
        credit_note_id=credit_note.id,
    )
    scene.batch.event(
        scene.subscription,
        "refund.succeeded",
        invoice=scene.invoice.id.hex,
        amount=refund.amount,
        currency=refund.currency,
    )


def email_succeeded(scene: Scene, email: Operation, _outcome: Succeeded) -> None:
    """The provider has sent the invoice out once more."""
    email.status = OperationStatus.SUCCEEDED.value
    scene.invoice.issued_at = scene.invoice.issued_at or scene.now
    scene.tell("invoice.emailed", invoice=scene.invoice.id.hex)


def post_succeeded(scene: Scene, post: Operation, _outcome: Succeeded) -> None:
    """The provider has posted the invoice, which it charges for."""
    post.status = OperationStatus.SUCCEEDED.value
    scene.invoice.issued_at = scene.invoice.issued_at or scene.now
    scene.tell("invoice.posted", invoice=scene.invoice.id.hex)


def due_date_moved(scene: Scene, extend: Operation, outcome: Succeeded) -> None:
    """The customer may pay later; what that costs the seller is kept where the provider tells it (minor units)."""
    extend.status = OperationStatus.SUCCEEDED.value
    told = {"due_on": outcome.facts.get("due_on"), "cost": outcome.facts.get("cost")}
    known = {name: int(value) if name == "cost" else value for name, value in told.items() if value is not None}
    extend.details = {**extend.details, **known}
    scene.tell("invoice.due_date_moved", invoice=scene.invoice.id.hex, days=extend.details["days"], **known)


def _after_a_void(scene: Scene, void: Operation) -> None:
    """An operator who gives back what an open invoice waits for has said what follows, so that it is not forgotten."""
    then, is_over = void.details.get(THEN), scene.subscription.status == SubscriptionStatus.ENDED
    if then is None or is_over or scene.invoice.status != InvoiceStatus.OPEN:
        return
    if then == CHARGE_AGAIN:
        scene.plan_purchase(Trigger.ADMIN, scene.now)
    elif scene.subscription.review_reason is None:
        scene.subscription.review_reason = "authorization_given_back"
        scene.tell("subscription.needs_review", reason=scene.subscription.review_reason)


def _grow_lines(scene: Scene, capture: Operation) -> None:
    """What was taken of each line. Whole invoices are written set by set at the end of the settlement."""
    taken, dispatched = capture.details.get("lines"), capture.details.get("dispatched", {})
    if taken is None:
        scene.whole.add(scene.invoice.id)
    if not (taken or dispatched):
        return
    lines = {line.id.hex: line for line in lines_of(scene.session, [scene.invoice.id])[scene.invoice.id]}
    for part in taken or ():
        line = lines[part["line"]]
        line.captured_quantity += part["units"]
        line.captured_amount += part["amount"]
    grow_dispatched(scene.invoice, list(lines.values()), dispatched, scene.now)


def _tell(scene: Scene, capture: Operation, outcome: Succeeded) -> None:
    scene.tell(
        "capture.succeeded",
        invoice=scene.invoice.id.hex,
        operation=capture.id.hex,
        amount=capture.amount,
        currency=capture.currency,
        risk=capture.risk,
    )
    if capture.risk == NO_RISK:
        # The provider carries no risk for this money: if the customer does not pay, nobody does.
        scene.tell("capture.no_risk", invoice=scene.invoice.id.hex, operation=capture.id.hex, amount=capture.amount)
    if outcome.facts.get("linked"):
        capture.origin = "external"
        scene.tell("capture.linked", invoice=scene.invoice.id.hex, operation=capture.id.hex, amount=capture.amount)


def _is_emailed(scene: Scene) -> bool:
    """The current generation writes to the customer at capture by itself; the older one only when it is asked to, and
    where it knows no address it would send a letter and charge for it.
    """
    is_older = scene.generation == WITHOUT_A_KEY
    if scene.plan.emailing != Emailing.PROVIDER_AGAIN and not (
        scene.plan.emailing == Emailing.PROVIDER_DEFAULT and is_older
    ):
        return False
    if is_older and scene.session.get_one(Customer, scene.invoice.customer_id).email is None:
        scene.tell("invoice.not_emailed", invoice=scene.invoice.id.hex, reason="no_address")
        return False
    return True


def _plan_email(scene: Scene, purchase: Operation, capture: Operation) -> None:
    scene.batch.plan(
        OperationKind.EMAIL_INVOICE,
        scene.invoice,
        subject=purchase.id,
        n=scene.next_n(OperationKind.EMAIL_INVOICE, purchase.id),
        amount=0,
        trigger=Trigger.FOLLOW_UP,
        due_at=scene.now,
        purchase=purchase.id,
        capture=capture.id,
    )


def paid(scene: Scene) -> None:
    """Nothing is due any more, however it came: the invoice is closed and dunning ends."""
    invoice = scene.invoice
    was_in_dunning = invoice.dunning_state != DunningState.NONE or invoice.first_declined_at is not None
    invoice.status = next_invoice_status(InvoiceStatus(invoice.status), InvoiceStatus.PAID).value
    invoice.payment_state = PaymentState.SUCCEEDED.value
    invoice.dunning_state, invoice.paid_at = DunningState.NONE.value, scene.now
    invoice.exhausts_at = invoice.remind_at = None
    scene.tell("invoice.paid", invoice=invoice.id.hex, amount=invoice.captured, currency=invoice.currency)
    # A first payment that needed no authorization: made outside, or credited.
    start(scene)
    if was_in_dunning:
        next_in_line(scene)


def start(scene: Scene) -> None:
    """What waited for its first payment is active with its authorization, or once nothing is due; not before."""
    subscription = scene.subscription
    event = _FIRST_PAYMENT.get(SubscriptionStatus(subscription.status))
    if event is None:
        return
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    subscription.gate_expires_at = None
    scene.tell("subscription.activated")
    grant(scene.batch, subscription)


def next_in_line(scene: Scene) -> None:
    """With the oldest paid, the next unpaid invoice has its turn; with none left the subscription recovers."""
    subscription = scene.subscription
    scene.session.flush()
    waiting = in_arrears(open_invoices(scene.session, [subscription.id]).get(subscription.id, []))
    if waiting:
        for operation in of_invoices(scene.session, [waiting[0].id], lock=True):
            if operation.status == OperationStatus.PLANNED and operation.due_at is None:
                operation.due_at = scene.now
        return
    if subscription.status not in _IN_ARREARS:
        return
    subscription.status = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.RECOVERED).value
    if subscription.next_period_at is None:
        # It stood still as unpaid: it goes on where its last period ended, by the catch-up rule.
        subscription.next_period_at = periods_of(scene.session, subscription.id)[-1].ends_at
    scene.batch.event(subscription, "subscription.recovered")
    grant(scene.batch, subscription)
    if any(period.kind == PeriodKind.WITHHELD for period in periods_of(scene.session, subscription.id)):
        # A person decides what becomes of periods that were held back; no machine forgives or bills them in a heap.
        subscription.review_reason = "catch_up"
        scene.batch.event(subscription, "subscription.needs_review", reason="catch_up")
