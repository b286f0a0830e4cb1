"""Runs: one row per pass of the renewal loop that found something due."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from billing.store.engine import UtcInstant


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
