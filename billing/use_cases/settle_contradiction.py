"""A success that contradicts what was settled: money may be taken twice. Called by `settle` alone.

The alarm is raised, the account stops, the invoice is held, and what was taken for nothing is given back where nothing
of it is captured yet; where something is, a person refunds it: never a machine (charging rules, section 2, step 7).
"""

from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Standing, Trigger
from billing.ports import Succeeded
from billing.store.accounts import halt
from billing.store.invoices import DunningState
from billing.store.operations import Operation
from billing.use_cases.lowering import live_purchase
from billing.use_cases.settle_purchase import AUTHORIZATION_LIFE
from billing.use_cases.settle_scene import Scene, Stage

CONTRADICTED = "contradicted: "
"""How the hold of an invoice begins of which money may be taken twice."""

CONTRADICTS = "contradicts"
"""Where a second order says of which operation it is one too many, by its id in hex."""

_MOVES_MONEY = (OperationKind.CAPTURE, OperationKind.REFUND)
_UNDONE = (OperationStatus.DECLINED, OperationStatus.DROPPED)
_ORDER_MAX = 255


def late_success(scene: Stage, operation: Operation, news: Succeeded) -> None:
    """A positive answer that moved nothing: does it say that money moved which we hold for not moved?"""
    if not isinstance(scene, Scene):
        return
    if operation.kind == OperationKind.PURCHASE:
        _late_purchase(scene, operation, news)
    elif operation.kind in _MOVES_MONEY and operation.status in _UNDONE:
        _hold(scene, operation)
        scene.tell("operation.contradicted", operation=operation.id.hex, provider_id=news.provider_id)


def _late_purchase(scene: Scene, operation: Operation, news: Succeeded) -> None:
    dead = operation.standing == Standing.DEAD and operation.provider_id is None
    another = None not in (news.provider_id, operation.provider_id) and news.provider_id != operation.provider_id
    if not (dead or another):
        return
    known = (op for op in scene.siblings if op.kind == OperationKind.PURCHASE and op.id != operation.id)
    if news.provider_id is not None and any(op.provider_id == news.provider_id for op in known):
        return
    halt(
        scene.session, operation.provider_account, "a purchase was accepted that we hold for dead, or twice", scene.now
    )
    _hold(scene, operation)
    scene.tell("operation.contradicted", operation=operation.id.hex, provider_id=news.provider_id)
    if news.provider_id is not None:
        second = _second_order(scene, operation, news, news.provider_id)
        if second.authorization in (Authorization.AUTHORIZED, Authorization.PENDING_REVIEW):
            scene.plan_follow_up(OperationKind.VOID, second, second.amount, scene.now, trigger=Trigger.CANCEL)


def _hold(scene: Scene, operation: Operation) -> None:
    """Nothing more is charged, captured or refunded of this invoice until a person says so."""
    invoice = scene.invoice
    invoice.held_because = invoice.held_because or f"{CONTRADICTED}operation {operation.id.hex} was done after all"
    if invoice.status == InvoiceStatus.OPEN:
        invoice.dunning_state = DunningState.HELD.value


def _second_order(scene: Scene, operation: Operation, news: Succeeded, provider_id: str) -> Operation:
    """A row for the order that we did not know of; what is settled stays as it is. It is live where nothing else is."""
    is_only_one = live_purchase(scene) is None
    row = Operation(
        id=scene.batch.ids.new(),
        kind=OperationKind.PURCHASE.value,
        subject=operation.subject,
        n=scene.next_n(OperationKind.PURCHASE, operation.subject),
        invoice_id=scene.invoice.id,
        subscription_id=scene.subscription.id,
        provider_account=operation.provider_account,
        token_id=operation.token_id,
        details={CONTRADICTS: operation.id.hex},
        merchant_reference=operation.merchant_reference,
        amount=operation.amount,
        currency=operation.currency,
        trigger=operation.trigger,
        origin="external",
        status=OperationStatus.SUCCEEDED.value,
        authorization=news.authorization or Authorization.AUTHORIZED.value,
        standing=(Standing.LIVE if is_only_one else Standing.DEAD).value,
        dead_because=None if is_only_one else f"one order too many, beside operation {operation.id.hex}",
        remaining=operation.amount,
        expires_at=news.expires_at or scene.now + AUTHORIZATION_LIFE,
        provider_id=provider_id[:_ORDER_MAX],
        settled_at=scene.now,
        created_at=scene.now,
    )
    scene.session.add(row)
    scene.session.flush()
    scene.siblings = [*scene.siblings, row]
    return row
