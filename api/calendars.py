"""A subscription's calendar: a trial that lasts longer, and a customer who has moved to another zone."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.answers import MoneyOut, Out
from api.bodies import In, Text, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.replacements import Day, QuoteId
from billing.domain.ids import Prefix, shown
from billing.use_cases.change_zone import ZoneChanged, change_zone, preview_change_zone
from billing.use_cases.extend_trial import TrialExtended, extend_trial, preview_extend_trial


class TrialPreviewIn(In):
    """The local day on which the trial is to end, not included."""

    model_config = described("Extend a trial", {"until": "2028-05-20"})

    until: Day


class TrialIn(TrialPreviewIn):
    """An extension, with the quote of its preview."""

    quote_id: QuoteId | None = None


class TrialOut(Out):
    """The trial's new end, and the first period that is paid for; local dates, ends not included."""

    subscription_id: str
    ends_on: date
    ends_at: datetime
    first_starts_on: date
    first_ends_on: date
    first_total: MoneyOut
    quote_id: str | None
    expires_at: datetime | None


class ZonePreviewIn(In):
    """The zone that rules from the next period on."""

    model_config = described("Change the zone", {"zone": "America/New_York"})

    zone: Annotated[Text, Field(description="A name of the IANA time zone database.")]


class ZoneIn(ZonePreviewIn):
    """A change of zone, with the quote of its preview."""

    quote_id: QuoteId | None = None


class ZoneOut(Out):
    """From when the zone rules, and the first period in it; null while the calendar stands still."""

    subscription_id: str
    zone: str
    from_at: datetime | None
    first_starts_on: date | None
    first_ends_on: date | None
    first_ends_at: datetime | None
    quote_id: str | None
    expires_at: datetime | None


def trial_out(done: TrialExtended) -> TrialOut:
    return TrialOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        ends_on=done.ends_on,
        ends_at=done.ends_at,
        first_starts_on=done.first_starts_on,
        first_ends_on=done.first_ends_on,
        first_total=MoneyOut(amount=done.first_total, currency=done.currency),
        quote_id=done.quote.quote_id if done.quote is not None else None,
        expires_at=done.quote.expires_at if done.quote is not None else None,
    )


def zone_out(done: ZoneChanged) -> ZoneOut:
    period = done.first.period if done.first is not None else None
    return ZoneOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        zone=done.zone,
        from_at=done.from_at,
        first_starts_on=period.start_date if period is not None else None,
        first_ends_on=period.end_date if period is not None else None,
        first_ends_at=period.ends_at if period is not None else None,
        quote_id=done.quote.quote_id if done.quote is not None else None,
        expires_at=done.quote.expires_at if done.quote is not None else None,
    )


class Calendars(Controller):
    path = "/subscriptions/{subscription_id:str}"
    tags = ("Subscriptions",)

    @post("/trial/extend/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_extend_trial(
        self, subscription_id: FromPath[str], data: JSONBody[TrialPreviewIn], write: Write
    ) -> Response[TrialOut]:
        """Show what a longer trial would mean for the first charge; nothing is changed."""
        wiring, extending = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda _: preview_extend_trial(
                wiring.database, wiring.seller, wiring.sign, write.now, extending, data.until
            ),
            lambda _, planned: trial_out(planned),
        )

    @post("/trial/extend", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def extend_trial(self, subscription_id: FromPath[str], data: JSONBody[TrialIn], write: Write) -> Response[TrialOut]:
        """Let a running trial end later; the paid calendar begins where it ends, or as the plan anchors it."""
        wiring, extending = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: extend_trial(
                wiring.database,
                wiring.ids,
                wiring.seller,
                wiring.sign,
                write.now,
                extending,
                data.until,
                data.quote_id,
                record,
            ),
            lambda _, done: trial_out(done),
        )

    @post("/zone/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_change_zone(
        self, subscription_id: FromPath[str], data: JSONBody[ZonePreviewIn], write: Write
    ) -> Response[ZoneOut]:
        """Show which period would be the first of another zone; nothing is changed."""
        wiring, moving = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda _: preview_change_zone(wiring.database, wiring.sign, write.now, moving, data.zone),
            lambda _, planned: zone_out(planned),
        )

    @post("/zone", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def change_zone(self, subscription_id: FromPath[str], data: JSONBody[ZoneIn], write: Write) -> Response[ZoneOut]:
        """Move a subscription to another zone.

        The running period ends as written, the next begins in the new zone.
        """
        wiring, moving = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: change_zone(
                wiring.database, wiring.ids, wiring.sign, write.now, moving, data.zone, data.quote_id, record
            ),
            lambda _, done: zone_out(done),
        )
