"""Runs: one row per pass of the renewal loop that found something due; and when the next thing becomes due."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Field, Session, SQLModel

from billing.store.engine import JSONX, UtcInstant
from billing.store.invoices import exhausted_from, reminded_from
from billing.store.looks import looked_from
from billing.store.operations import asked_from, leased_until, planned_from
from billing.store.plans import replacement_from
from billing.store.releases import release_from
from billing.store.restores import restore_from
from billing.store.subscriptions import period_from, token_check_from


class Run(SQLModel, table=True):
    __tablename__ = "runs"

    id: UUID = Field(primary_key=True)
    started_at: datetime = Field(sa_type=UtcInstant)
    finished_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    subscriptions_seen: int = 0
    periods_opened: int = 0
    invoices_opened: int = 0
    subscriptions_ended: int = 0
    sent_to_review: int = 0
    halted_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    halted_reason: str | None = Field(default=None, max_length=500)
    forecast: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    """What the pass was expected to open, by currency, in minor units."""


@dataclass(frozen=True, slots=True)
class Due:
    """The earliest instants at which each kind of row becomes due; None where there is none."""

    period: datetime | None
    exhausted: datetime | None
    planned: datetime | None
    asked: datetime | None
    leased: datetime | None
    released: datetime | None
    reminded: datetime | None
    token_checked: datetime | None
    replaced: datetime | None
    looked: datetime | None
    restoring: datetime | None
    """Since when a restore is open: nothing that waits for an instant, but each pass has work for it."""

    def first(self) -> datetime | None:
        """The earliest of all that waits for its instant. A look at an order does not: it is made with the next thing
        that is due, so that no simulated clock stops for it.
        """
        found = (
            self.period,
            self.exhausted,
            self.planned,
            self.asked,
            self.leased,
            self.released,
            self.reminded,
            self.token_checked,
            self.replaced,
        )
        return min((at for at in found if at is not None), default=None)


_EARLIEST = select(
    period_from(),
    exhausted_from(),
    planned_from(),
    asked_from(),
    leased_until(),
    release_from(),
    reminded_from(),
    token_check_from(),
    replacement_from(),
    looked_from(),
    restore_from(),
)


def due_from(session: Session) -> Due:
    """What becomes due when, in one statement over the partial indexes."""
    return Due(*session.execute(_EARLIEST).one())
