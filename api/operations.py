"""Operations: every call to the provider that changes something there, from plan to proof."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from api.answers import ListOut, MoneyOut, Out, listed, shown_or_none
from api.bodies import in_path
from api.errors import problems
from api.queries import (
    After,
    Limit,
    Now,
    Reading,
    by_id,
    by_value,
    id_or_none,
    part_of,
    reference_or_none,
    value_or_none,
)
from billing.domain.ids import Prefix, shown
from billing.domain.operations import Authorization, OperationKind, OperationStatus, OrderChange, Standing, Trigger
from billing.store.decisions import Decision
from billing.store.operations import Observation
from billing.use_cases import look_up
from billing.use_cases.look_up import OperationFound
from billing.use_cases.lowering import change_of


class ObservationOut(Out):
    """One answer of the provider; `settled` says whether it decided the operation."""

    outcome: str
    settled: bool
    http_status: int | None
    code: str | None
    message: str | None
    correlation_id: str | None
    provider_id: str | None
    at: datetime


class DecisionOut(Out):
    """What a person said about it, who that was, and why."""

    verb: str
    by: str
    reason: str
    then: str | None
    how: str | None
    record: str | None
    """What the provider's record showed: `done`, `not_done`, `unreadable`."""
    unverified: bool
    at: datetime


class ParcelOut(Out):
    """A parcel: who carries it and how it is tracked, there and back."""

    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    return_carrier: str | None
    return_tracking_number: str | None
    return_tracking_url: str | None


class OperationOut(Out):
    """One call to the provider; what its kind needs besides is empty for the others."""

    id: str
    kind: OperationKind
    status: OperationStatus
    authorization: Authorization
    standing: Standing | None
    amount: MoneyOut
    invoice_id: str | None
    subscription_id: str | None
    token_id: str | None
    n: int
    trigger: Trigger
    due_at: datetime | None
    sent_at: datetime | None
    sends: int
    next_check_at: datetime | None
    provider_id: str | None
    key: str | None
    merchant_reference: str | None
    expires_at: datetime | None
    risk: str | None
    capture_id: str | None
    changes: OrderChange | None
    order_number: str | None
    days: int | None
    due_on: date | None
    cost: MoneyOut | None
    asked_by: str | None
    reason: str | None
    parcels: list[ParcelOut]
    request_sha256: str | None
    answer_code: str | None
    answer_message: str | None
    settled_at: datetime | None
    created_at: datetime
    age_seconds: int
    """Since it was first sent, or planned where it was not."""
    observations: list[ObservationOut]
    decisions: list[DecisionOut]


class OperationList(ListOut):
    """Operations."""

    data: list[OperationOut]


def operation_out(found: OperationFound, now: datetime) -> OperationOut:
    row = found.operation
    return OperationOut(
        id=shown(Prefix.OPERATION, row.id),
        kind=OperationKind(row.kind),
        status=OperationStatus(row.status),
        authorization=Authorization(row.authorization),
        standing=Standing(row.standing) if row.standing else None,
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        invoice_id=shown_or_none(Prefix.INVOICE, row.invoice_id),
        subscription_id=shown_or_none(Prefix.SUBSCRIPTION, row.subscription_id),
        token_id=shown_or_none(Prefix.TOKEN, row.token_id),
        n=row.n,
        trigger=Trigger(row.trigger),
        due_at=row.due_at,
        sent_at=row.sent_at,
        sends=row.sends,
        next_check_at=row.next_check_at,
        provider_id=row.provider_id,
        key=str(row.key) if row.key else None,
        merchant_reference=row.merchant_reference,
        expires_at=row.expires_at,
        risk=row.risk,
        capture_id=shown_or_none(Prefix.OPERATION, row.capture_id),
        changes=change_of(row) if row.kind == OperationKind.AMEND else None,
        order_number=row.details.get("order_number") if row.kind == OperationKind.AMEND else None,
        days=row.details.get("days"),
        due_on=row.details.get("due_on"),
        cost=None if "cost" not in row.details else MoneyOut(amount=row.details["cost"], currency=row.currency),
        asked_by=row.details.get("by"),
        reason=row.details.get("reason"),
        parcels=[ParcelOut(**parcel) for parcel in row.details.get("shipments", ())],
        request_sha256=row.request_sha256,
        answer_code=row.answer_code,
        answer_message=row.answer_message,
        settled_at=row.settled_at,
        created_at=row.created_at,
        age_seconds=(now - (row.sent_at or row.created_at)) // timedelta(seconds=1),
        observations=observations_out(found.observations),
        decisions=[decision_out(decision) for decision in found.decisions],
    )


def decision_out(row: Decision) -> DecisionOut:
    return DecisionOut(
        verb=row.verb,
        by=row.by,
        reason=row.reason,
        then=row.details.get("then"),
        how=row.details.get("how"),
        record=row.details.get("record"),
        unverified=bool(row.details.get("unverified")),
        at=row.at,
    )


def observations_out(rows: Sequence[Observation]) -> list[ObservationOut]:
    return [
        ObservationOut(
            outcome=row.outcome,
            settled=row.settled,
            http_status=row.http_status,
            code=row.code,
            message=row.message,
            correlation_id=row.correlation_id,
            provider_id=row.provider_id,
            at=row.at,
        )
        for row in rows
    ]


class Operations(Controller):
    path = "/operations"
    tags = ("Operations",)

    @get(sync_to_thread=True, responses=problems())
    def list_operations(
        self,
        database: Reading,
        now: Now,
        limit: Limit = 50,
        after: After = None,
        status: Annotated[str | None, by_value(OperationStatus)] = None,
        kind: Annotated[str | None, by_value(OperationKind)] = None,
        invoice_id: Annotated[str | None, by_id("invoice")] = None,
        subscription_id: Annotated[str | None, by_id("subscription")] = None,
        provider_account: Annotated[str | None, QueryParameter(description="Only those of this account.")] = None,
    ) -> OperationList:
        """List operations.

        With `status=unknown` those whose outcome is being asked about; `next_check_at` says when.
        """
        page = look_up.operations(
            database,
            part_of(Prefix.OPERATION, limit, after),
            status=value_or_none(OperationStatus, status, "status"),
            kind=value_or_none(OperationKind, kind, "kind"),
            invoice_id=id_or_none(Prefix.INVOICE, invoice_id, "invoice_id"),
            subscription_id=id_or_none(Prefix.SUBSCRIPTION, subscription_id, "subscription_id"),
            provider_account=reference_or_none(provider_account, "provider_account"),
        )
        data, following = listed(Prefix.OPERATION, page, lambda found: operation_out(found, now))
        return OperationList(data=data, next=following)

    @get("/{operation_id:str}", sync_to_thread=True, responses=problems(404))
    def get_operation(self, database: Reading, now: Now, operation_id: FromPath[str]) -> OperationOut:
        """Get an operation with everything that the provider answered and that persons decided about it."""
        return operation_out(look_up.operation(database, in_path(Prefix.OPERATION, operation_id)), now)
