"""What waits for a person: subscriptions out of every run, and what becomes of periods that are late."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.answers import ListOut, Out, listed
from api.bodies import In, Instant, Note, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, part_of
from api.subscriptions import SubscriptionList, SubscriptionOut, subscription_out
from billing.domain.ids import Prefix, shown
from billing.domain.terms import CatchUp
from billing.store.catch_up import CatchUpApproval
from billing.use_cases.catch_up import (
    CaughtUp,
    Decision,
    NewApproval,
    approve_catch_up,
    catch_up,
    catch_up_approvals,
    revoke_approval,
)
from billing.use_cases.review import clear_review, reviews


class ClearIn(In):
    """What a person found; kept with the event."""

    model_config = described("Clear a review", {"reason": "the price was corrected"})

    reason: Note


class CatchUpIn(In):
    """What becomes of periods that are late or were withheld, and why."""

    model_config = described("Catch up", {"policy": "bill_current", "reason": "the outage was ours"})

    policy: Annotated[CatchUp, Field(description="Each is billed, only the one that runs now, or none.")]
    reason: Note


class ApprovalIn(CatchUpIn):
    """A decision for every subscription that is found late in a stretch of time."""

    model_config = described(
        "New approval",
        {
            "policy": "bill_each",
            "reason": "planned maintenance",
            "valid_from": "2028-02-01T00:00:00Z",
            "valid_until": "2028-02-03T00:00:00Z",
        },
    )

    valid_from: Instant
    valid_until: Instant


class CaughtUpOut(Out):
    """What was done at once; periods that are late are opened by the next runs."""

    subscription: SubscriptionOut
    policy: CatchUp
    invoice_ids: list[str]
    forgiven_period_ids: list[str]


class ApprovalOut(Out):
    """A standing approval."""

    id: str
    policy: CatchUp
    valid_from: datetime
    valid_until: datetime
    by: str
    reason: str
    revoked_at: datetime | None
    created_at: datetime


class ApprovalList(ListOut):
    """Standing approvals."""

    data: list[ApprovalOut]


def approval_out(row: CatchUpApproval) -> ApprovalOut:
    return ApprovalOut(
        id=shown(Prefix.APPROVAL, row.id),
        policy=CatchUp(row.policy),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        by=row.by,
        reason=row.reason,
        revoked_at=row.revoked_at,
        created_at=row.created_at,
    )


def _caught_up_out(done: CaughtUp) -> CaughtUpOut:
    return CaughtUpOut(
        subscription=subscription_out(done.subscription),
        policy=done.policy,
        invoice_ids=[shown(Prefix.INVOICE, id_) for id_ in done.invoice_ids],
        forgiven_period_ids=[shown(Prefix.PERIOD, id_) for id_ in done.forgiven_period_ids],
    )


class Reviews(Controller):
    @get("/reviews", sync_to_thread=True, responses=problems())
    def list_reviews(self, database: Reading, limit: Limit = 50, after: After = None) -> SubscriptionList:
        """List subscriptions that a person must look at."""
        page = reviews(database, part_of(Prefix.SUBSCRIPTION, limit, after))
        data, following = listed(Prefix.SUBSCRIPTION, page, subscription_out)
        return SubscriptionList(data=data, next=following)

    @post(
        "/subscriptions/{subscription_id:str}/review/clear",
        status_code=200,
        sync_to_thread=True,
        responses=problems(404, 409, 413),
    )
    def clear_review(
        self, subscription_id: FromPath[str], data: JSONBody[ClearIn], write: Write
    ) -> Response[SubscriptionOut]:
        """Let a subscription run again.

        What failed is tried again at once.
        """
        looked_at = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: clear_review(
                write.wiring.database,
                write.wiring.ids,
                write.now,
                looked_at,
                data.reason,
                write.holder.name,
                record,
            ),
            lambda _, subscription: subscription_out(subscription),
        )

    @post(
        "/subscriptions/{subscription_id:str}/catch-up",
        status_code=200,
        sync_to_thread=True,
        responses=problems(404, 409, 413),
    )
    def catch_up(
        self, subscription_id: FromPath[str], data: JSONBody[CatchUpIn], write: Write
    ) -> Response[CaughtUpOut]:
        """Decide about late periods.

        What was withheld is billed or forgiven at once, the oldest collected first.
        """
        wiring, late = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        decision = Decision(data.policy, write.holder.name, data.reason)
        return write.answer(
            200,
            lambda record: catch_up(wiring.database, wiring.ids, wiring.seller, write.now, late, decision, record),
            lambda _, done: _caught_up_out(done),
        )

    @get("/catch-up-approvals", sync_to_thread=True, responses=problems())
    def list_approvals(self, database: Reading) -> ApprovalList:
        """List standing approvals, revoked ones too."""
        return ApprovalList(data=[approval_out(row) for row in catch_up_approvals(database)], next=None)

    @post("/catch-up-approvals", sync_to_thread=True, responses=problems(409, 413))
    def create_approval(self, data: JSONBody[ApprovalIn], write: Write) -> Response[ApprovalOut]:
        """Approve in advance what becomes of subscriptions that are found late in a stretch of time."""
        decision = Decision(data.policy, write.holder.name, data.reason)
        new = NewApproval(decision, data.valid_from, data.valid_until)
        return write.answer(
            201,
            lambda record: approve_catch_up(write.wiring.database, write.wiring.ids, write.now, new, record),
            lambda _, row: approval_out(row),
        )

    @post(
        "/catch-up-approvals/{approval_id:str}/revoke",
        status_code=200,
        sync_to_thread=True,
        responses=problems(404, 409),
    )
    def revoke_approval(self, approval_id: FromPath[str], write: Write) -> Response[ApprovalOut]:
        """Take an approval back.

        What it has decided stays decided.
        """
        revoked = in_path(Prefix.APPROVAL, approval_id)
        return write.answer(
            200,
            lambda record: revoke_approval(write.wiring.database, write.now, revoked, record),
            lambda _, row: approval_out(row),
        )
