"""Reports for the accountant: balances, VAT, the journal, the seals; and releasing revenue up to today for them."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import JSONBody, QueryParameter
from pydantic import Field

from api.admin.payouts import Day
from api.answers import MoneyOut, Out
from api.bodies import In, described
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.domain.errors import Invalid
from billing.store.engine import Database
from billing.use_cases import report_ledger
from billing.use_cases.release_revenue import release_everything
from billing.use_cases.report_ledger import Span
from billing.use_cases.seal_ledger import check_seals

_MONTH = re.compile(r"[1-9]\d{3}-\d\d")

On = Annotated[str | None, QueryParameter(description="The seller's day whose end is shown, such as 2028-04-30.")]
Month = Annotated[str | None, QueryParameter(description="The seller's month, such as 2028-04.")]
From = Annotated[
    str | None, QueryParameter(name="from", description="The first of the seller's days, such as 2028-04-01.")
]
To = Annotated[str | None, QueryParameter(name="to", description="The last of the seller's days, such as 2028-04-30.")]


class AccountBalanceOut(Out):
    """An account's balance; debits are positive. `detail` divides it: VAT by country and rate, revenue by kind."""

    account: str
    detail: str
    balance: MoneyOut


class TrialBalanceOut(Out):
    """Every account that is not at zero; per currency they sum to 0."""

    on: date
    data: list[AccountBalanceOut]


class VatRowOut(Out):
    """VAT of one country, rate (basis points) and treatment, as documents say it; `relief` was decided not owed."""

    country: str
    rate: int
    treatment: str
    net: MoneyOut
    tax: MoneyOut
    relief: MoneyOut


class VatDifferenceOut(Out):
    """A country and rate of which the ledger holds more (or, below 0, less) than the documents say."""

    detail: str
    difference: MoneyOut


class VatReportOut(Out):
    """A month's VAT. `differences` is empty unless somebody changed rows."""

    month: str
    data: list[VatRowOut]
    differences: list[VatDifferenceOut]


class SealsOut(Out):
    """What the check of the sealed blocks found; `head` is the hash of the last one."""

    is_intact: bool
    blocks: int
    transactions: int
    broken: list[int]
    stragglers: int
    head: str


class ReleaseIn(In):
    """Up to which day revenue is released."""

    model_config = described("Release revenue", {"up_to": "2028-04-11"})

    up_to: Day | None = Field(default=None, description="The days before it are earned; today unless said.")


class ReleaseOut(Out):
    """How many invoices were looked at, and up to which day."""

    invoices: int
    up_to: date


class Reports(Controller):
    path = "/reports"

    @get("/trial-balance", sync_to_thread=True, responses=problems())
    def trial_balance(self, database: Reading, write: Write, on: On = None) -> TrialBalanceOut:
        """Get the trial balance at the end of a day.

        Revenue is in it to the end of the month before, or as far as it was released since.
        """
        day = report_ledger.today(database, write.now) if on is None else _day(on, "on")
        rows = report_ledger.trial_balance(database, day)
        data = [
            AccountBalanceOut(
                account=row.account, detail=row.detail, balance=MoneyOut(amount=row.amount, currency=row.currency)
            )
            for row in rows
        ]
        return TrialBalanceOut(on=day, data=data)

    @get("/vat", sync_to_thread=True, responses=problems())
    def vat_report(self, database: Reading, month: Month = None) -> VatReportOut:
        """Get a month's VAT per country and rate."""
        first = _month(month)
        report = report_ledger.vat_report(database, first)
        rows = [
            VatRowOut(
                country=row.country,
                rate=row.rate,
                treatment=row.treatment,
                net=MoneyOut(amount=row.net, currency=row.currency),
                tax=MoneyOut(amount=row.tax, currency=row.currency),
                relief=MoneyOut(amount=row.relief, currency=row.currency),
            )
            for row in report.rows
        ]
        differences = [
            VatDifferenceOut(detail=detail, difference=MoneyOut(amount=amount, currency=currency))
            for (detail, currency), amount in sorted(report.differences.items())
        ]
        return VatReportOut(month=f"{first:%Y-%m}", data=rows, differences=differences)

    @get("/journal.csv", sync_to_thread=True, media_type="text/csv", responses=problems())
    def journal_csv(self, database: Reading, first: From = None, last: To = None) -> Response[bytes]:
        """Get every entry of some days as CSV."""
        return _file(database, first, last, "text/csv; charset=utf-8", report_ledger.journal_csv)

    @get("/journal.hledger", sync_to_thread=True, media_type="text/plain", responses=problems())
    def journal_hledger(self, database: Reading, first: From = None, last: To = None) -> Response[bytes]:
        """Get every transaction of some days as a plain-text journal that hledger reads."""
        return _file(database, first, last, "text/plain; charset=utf-8", report_ledger.journal_text)

    @get("/seals", sync_to_thread=True, responses=problems())
    def seals(self, database: Reading, write: Write) -> SealsOut:
        """Check the sealed blocks of the ledger.

        Every hash is computed again from the rows, so that this takes as long as there is to read.
        """
        found = check_seals(database, write.now)
        return SealsOut(
            is_intact=found.is_intact,
            blocks=found.blocks,
            transactions=found.transactions,
            broken=list(found.broken),
            stragglers=found.stragglers,
            head=found.head,
        )

    @post("/release", status_code=200, sync_to_thread=True, responses=problems())
    def release(self, data: JSONBody[ReleaseIn], write: Write) -> Response[ReleaseOut]:
        """Release revenue that was earned by day.

        It is released at month ends by itself; this is for a report in the middle of a month.
        """
        database, ids, now = write.wiring.database, write.wiring.ids, write.now
        return write.answer(
            200,
            lambda _: release_everything(database, ids, now, data.up_to),
            lambda _, done: ReleaseOut(invoices=done[0], up_to=done[1]),
        )


def _file(
    database: Database,
    first: str | None,
    last: str | None,
    media_type: str,
    write: Callable[[Database, Span], Iterator[str]],
) -> Response[bytes]:
    span = report_ledger.span(_day(first, "from"), _day(last, "to"))
    return Response("".join(write(database, span)).encode(), media_type=media_type)


def _day(text: str | None, where: str) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        raise Invalid("a day is needed, such as 2028-04-30", where=where) from None


def _month(text: str | None) -> date:
    if not _MONTH.fullmatch(text or ""):
        raise Invalid("a month is needed, such as 2028-04", where="month")
    return _day(f"{text}-01", "month")
