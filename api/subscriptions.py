"""Subscriptions: who takes which price, charged through which token; and their periods."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import ListOut, Out, listed, shown_or_none
from api.bodies import SAID, CustomerId, In, Instant, PriceId, Text, TokenId, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, by_id, by_value, id_or_none, part_of, value_or_none
from billing.domain.ids import Prefix, shown
from billing.domain.pauses import PauseMode
from billing.domain.subscriptions import Access, SubscriptionStatus
from billing.domain.terms import CatchUp
from billing.store.periods import PeriodKind, PeriodRow
from billing.store.subscriptions import Subscription
from billing.use_cases import look_up
from billing.use_cases.preview_subscription import hold_to_quote
from billing.use_cases.recording import Record
from billing.use_cases.replace_token import Attempt, TokenReplaced, replace_token
from billing.use_cases.subscribe import NewSubscription, resubscribe, subscribe

_EXAMPLE = {
    "customer_id": "cus_00000000000000000000000000000001",
    "price_id": "price_00000000000000000000000000000001",
    "token_id": "tok_00000000000000000000000000000001",
}


class QuantityIn(In):
    """So many units of an article."""

    article_number: Text
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def _each_article_once(units: tuple[QuantityIn, ...]) -> tuple[QuantityIn, ...]:
    if len({unit.article_number for unit in units}) != len(units):
        raise PydanticCustomError(SAID, "an article stands twice")
    return units


class SubscriptionIn(In):
    """A subscription to start."""

    model_config = described("New subscription", _EXAMPLE)

    customer_id: CustomerId
    price_id: PriceId
    token_id: Annotated[TokenId | None, Field(description="A plan with a trial starts without one, too.")] = None
    start_at: Annotated[
        Instant | None, Field(description="Its local date in the customer's zone is the anchor; without it, now.")
    ] = None
    provider_account: Annotated[Text | None, Field(description="Needed without a token: who is to charge.")] = None
    quantities: Annotated[
        tuple[QuantityIn, ...],
        AfterValidator(_each_article_once),
        Field(max_length=100, description="Units by article, where they are not the price's own."),
    ] = ()
    catch_up: Annotated[
        CatchUp | None,
        Field(description="For a start long ago: what becomes of periods that are over."),
    ] = None

    def new(self) -> NewSubscription:
        """What the use case takes."""
        units = {entry.article_number: entry.quantity for entry in self.quantities}
        return NewSubscription(
            self.customer_id,
            self.price_id,
            self.token_id,
            self.start_at,
            self.provider_account,
            units,
            self.catch_up,
        )


class NewSubscriptionIn(SubscriptionIn):
    """A subscription to start, with the quote of its preview."""

    quote_id: Annotated[
        str | None, Field(min_length=1, max_length=200, description="From a preview: the same cents, or 409.")
    ] = None


class ResubscribeIn(In):
    """The token to charge and when to start; without them the old token, now."""

    model_config = described("Subscribe again", {"token_id": "tok_00000000000000000000000000000002"})

    token_id: TokenId | None = None
    start_at: Instant | None = None


class SubscriptionTokenIn(In):
    """The token to charge from now on."""

    model_config = described("Another token", {"token_id": "tok_00000000000000000000000000000002"})

    token_id: TokenId


class SubscriptionOut(Out):
    """A subscription."""

    id: str
    status: SubscriptionStatus
    customer_id: str
    price_id: str
    plan_id: str
    token_id: str | None
    zone: str
    anchor_date: date
    next_period_at: datetime | None
    quantities: dict[str, int]
    minimum_ends_at: datetime | None
    pending_zone: str | None
    pause_mode: PauseMode | None
    pause_at: datetime | None
    paused_at: datetime | None
    resume_at: datetime | None
    frozen_days: int | None
    cancel_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    review_reason: str | None
    access: Access
    grace_ends_at: datetime | None
    created_at: datetime


class SubscriptionList(ListOut):
    """Subscriptions."""

    data: list[SubscriptionOut]


class TokenReplacedOut(Out):
    """The subscription with its new token, and whether what is unpaid is charged to it at once."""

    subscription: SubscriptionOut
    attempt: Attempt


class PeriodOut(Out):
    """One span of a subscription, its end not included."""

    id: str
    subscription_id: str
    seq: int
    kind: PeriodKind
    start_date: date
    end_date: date
    starts_at: datetime
    ends_at: datetime
    full_days: int
    original_ends_at: datetime | None
    price_id: str
    zone: str
    reason: str | None
    created_at: datetime


class PeriodList(ListOut):
    """Periods of a subscription."""

    data: list[PeriodOut]


def subscription_out(row: Subscription) -> SubscriptionOut:
    return SubscriptionOut(
        id=shown(Prefix.SUBSCRIPTION, row.id),
        status=SubscriptionStatus(row.status),
        customer_id=shown(Prefix.CUSTOMER, row.customer_id),
        price_id=shown(Prefix.PRICE, row.price_id),
        plan_id=shown(Prefix.PLAN, row.plan_id),
        token_id=shown_or_none(Prefix.TOKEN, row.token_id),
        zone=row.zone,
        anchor_date=row.anchor_date,
        next_period_at=row.next_period_at,
        quantities=dict(row.quantities),
        minimum_ends_at=row.minimum_ends_at,
        pending_zone=row.pending_zone,
        pause_mode=PauseMode(row.pause_mode) if row.pause_mode is not None else None,
        pause_at=row.pause_at,
        paused_at=row.paused_at,
        resume_at=row.resume_at,
        frozen_days=row.frozen_days,
        cancel_at=row.cancel_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        review_reason=row.review_reason,
        access=Access(row.access),
        grace_ends_at=row.grace_ends_at,
        created_at=row.created_at,
    )


def _replaced_out(done: TokenReplaced) -> TokenReplacedOut:
    return TokenReplacedOut(subscription=subscription_out(done.subscription), attempt=done.attempt)


def period_out(row: PeriodRow) -> PeriodOut:
    return PeriodOut(
        id=shown(Prefix.PERIOD, row.id),
        subscription_id=shown(Prefix.SUBSCRIPTION, row.subscription_id),
        seq=row.seq,
        kind=PeriodKind(row.kind),
        start_date=row.start_date,
        end_date=row.end_date,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        full_days=row.full_days,
        original_ends_at=row.original_ends_at,
        price_id=shown(Prefix.PRICE, row.price_id),
        zone=row.zone,
        reason=row.reason,
        created_at=row.created_at,
    )


class Subscriptions(Controller):
    path = "/subscriptions"
    tags = ("Subscriptions",)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def create_subscription(self, data: JSONBody[NewSubscriptionIn], write: Write) -> Response[SubscriptionOut]:
        """Start a subscription.

        Its first period opens at the next tick at or after its start and is collected at once; this call does not
        wait for the provider.
        """
        wiring, new, quote_id = write.wiring, data.new(), data.quote_id

        def act(record: Record[Subscription]) -> Subscription:
            at = write.now
            if quote_id is not None:
                at = hold_to_quote(wiring.database, wiring.ids, wiring.seller, wiring.sign, at, new, quote_id)
            return subscribe(wiring.database, wiring.ids, at, new, record)

        return write.answer(201, act, lambda _, subscription: subscription_out(subscription))

    @get(sync_to_thread=True, responses=problems())
    def list_subscriptions(
        self,
        database: Reading,
        limit: Limit = 50,
        after: After = None,
        customer_id: Annotated[str | None, by_id("customer")] = None,
        status: Annotated[str | None, by_value(SubscriptionStatus)] = None,
    ) -> SubscriptionList:
        """List subscriptions."""
        page = look_up.subscriptions(
            database,
            part_of(Prefix.SUBSCRIPTION, limit, after),
            customer_id=id_or_none(Prefix.CUSTOMER, customer_id, "customer_id"),
            status=value_or_none(SubscriptionStatus, status, "status"),
        )
        data, following = listed(Prefix.SUBSCRIPTION, page, subscription_out)
        return SubscriptionList(data=data, next=following)

    @get("/{subscription_id:str}", sync_to_thread=True, responses=problems(404))
    def get_subscription(self, database: Reading, subscription_id: FromPath[str]) -> SubscriptionOut:
        """Get a subscription."""
        return subscription_out(look_up.subscription(database, in_path(Prefix.SUBSCRIPTION, subscription_id)))

    @get("/{subscription_id:str}/periods", sync_to_thread=True, responses=problems(404))
    def list_periods(
        self, database: Reading, subscription_id: FromPath[str], limit: Limit = 50, after: After = None
    ) -> PeriodList:
        """List the periods of a subscription."""
        part = part_of(Prefix.PERIOD, limit, after)
        page = look_up.periods(database, part, in_path(Prefix.SUBSCRIPTION, subscription_id))
        data, following = listed(Prefix.PERIOD, page, period_out)
        return PeriodList(data=data, next=following)

    @post("/{subscription_id:str}/token", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def replace_token(
        self, subscription_id: FromPath[str], data: JSONBody[SubscriptionTokenIn], write: Write
    ) -> Response[TokenReplacedOut]:
        """Charge another token from now on.

        An invoice in dunning gets one attempt at once, which costs no step of the dunning ladder.
        """
        changed = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: replace_token(
                write.wiring.database, write.wiring.ids, write.now, changed, data.token_id, record
            ),
            lambda _, done: _replaced_out(done),
        )

    @post("/{subscription_id:str}/resubscribe", sync_to_thread=True, responses=problems(404, 409, 413))
    def resubscribe(
        self, subscription_id: FromPath[str], data: JSONBody[ResubscribeIn], write: Write
    ) -> Response[SubscriptionOut]:
        """Take up an ended subscription as a new one; a trial is not given twice."""
        ended = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            201,
            lambda record: resubscribe(
                write.wiring.database, write.wiring.ids, write.now, ended, data.token_id, data.start_at, record
            ),
            lambda _, subscription: subscription_out(subscription),
        )
