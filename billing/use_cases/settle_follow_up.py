"""What the answer to a capture, a void, a refund or an email changes. Called by `settle` alone."""

from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.ledger import postings_for_capture, postings_for_refund
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Trigger
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Succeeded
from billing.store.invoices import CreditNote, DunningState, PaymentState, amount_due, in_arrears, open_invoices
from billing.store.operations import Operation, of_invoices
from billing.store.periods import PeriodKind, periods_of
from billing.store.plans import Emailing
from billing.use_cases.settle_purchase import bury
from billing.use_cases.settle_scene import Scene

_IN_ARREARS = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)


def capture_succeeded(scene: Scene, capture: Operation, outcome: Succeeded) -> None:
    """The money is taken: the invoice takes its number, the books open and are paid, dunning ends."""
    capture.status, capture.provider_id = OperationStatus.SUCCEEDED.value, outcome.provider_id
    purchase, invoice = scene.operation(capture.purchase_id), scene.invoice
    purchase.remaining = (purchase.remaining or 0) - capture.amount
    whole = purchase.remaining == 0
    purchase.authorization = (Authorization.CAPTURED if whole else Authorization.PART_CAPTURED).value
    invoice.captured += capture.amount
    scene.to_number[invoice.id] = invoice
    scene.batch.post("capture", invoice, postings_for_capture(capture.amount), operation_id=capture.id)
    if scene.plan.emailing == Emailing.PROVIDER_AGAIN:
        _plan_email(scene, purchase, capture)
    if amount_due(invoice) == 0:
        _paid(scene)


def void_succeeded(scene: Scene, void: Operation, _outcome: Succeeded) -> None:
    """The authorization is given back; its purchase is dead."""
    void.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(void.purchase_id)
    purchase.authorization, purchase.remaining = Authorization.VOIDED.value, 0
    bury(purchase, f"voided by operation {void.id.hex}")
    scene.close_if_nobody_collects()
    scene.batch.event(scene.subscription, "purchase.voided", invoice=scene.invoice.id.hex, amount=void.amount)


def refund_succeeded(scene: Scene, refund: Operation, outcome: Succeeded) -> None:
    """The refund is paid out: what was owed to the customer leaves the provider's clearing account."""
    refund.status, refund.provider_id = OperationStatus.SUCCEEDED.value, outcome.provider_id
    scene.invoice.refunded += refund.amount
    credit_note = scene.session.get_one(CreditNote, refund.subject)
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
    scene.batch.event(scene.subscription, "invoice.emailed", invoice=scene.invoice.id.hex)


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


def _paid(scene: Scene) -> None:
    invoice = scene.invoice
    was_in_dunning = invoice.dunning_state != DunningState.NONE or invoice.first_declined_at is not None
    invoice.status = next_invoice_status(InvoiceStatus(invoice.status), InvoiceStatus.PAID).value
    invoice.payment_state = PaymentState.SUCCEEDED.value
    invoice.dunning_state, invoice.paid_at = DunningState.NONE.value, scene.now
    scene.batch.event(
        scene.subscription, "invoice.paid", invoice=invoice.id.hex, amount=invoice.captured, currency=invoice.currency
    )
    if was_in_dunning:
        _next_in_line(scene)


def _next_in_line(scene: Scene) -> None:
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
    if any(period.kind == PeriodKind.WITHHELD for period in periods_of(scene.session, subscription.id)):
        # A person decides what becomes of periods that were held back; no machine forgives or bills them in a heap.
        subscription.review_reason = "catch_up"
        scene.batch.event(subscription, "subscription.needs_review", reason="catch_up")
