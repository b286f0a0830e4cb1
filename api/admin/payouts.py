"""Payouts of a provider: recorded as JSON or as a settlement file, matched, and what is not paid out yet."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import ListOut, MoneyOut, Out, listed, shown_or_none
from api.bodies import SAID, Currency, In, MinorUnits, Readable, Reference, StrictRequest, Whole, described, in_path
from api.bodies import whole as whole_number
from api.errors import Refused, problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, part_of
from billing.domain.errors import CurrencyMismatch
from billing.domain.ids import Prefix, shown
from billing.domain.money import AMOUNT_MAX
from billing.domain.operations import OperationKind
from billing.domain.settlements import LINES_MAX, LineKind, Match, Settlement, SettlementLine, read_csv
from billing.store.operations import Operation
from billing.store.payouts import Payout, PayoutLine
from billing.use_cases import record_payout
from billing.use_cases.record_payout import PayoutFound

_SEK = "SEK"
_EXAMPLE = {
    "reference": "payout-2028-04-03",
    "provider_account": "klarna-eu",
    "paid_on": "2028-04-03",
    "amount": {"amount": 3870, "currency": _SEK},
    "lines": [
        {
            "kind": "capture",
            "provider_id": "8bd0c5ea-9d3e-4a2c-8a6e-000000000001",
            "amount": {"amount": 3970, "currency": _SEK},
            "fee": {"amount": 100, "currency": _SEK},
        }
    ],
}

SignedUnits = Annotated[
    int,
    BeforeValidator(whole_number),
    Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="Minor units; below 0 where money was taken from the bank."),
]


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError(SAID, "a day is needed, such as 2028-04-30") from None


Day = Annotated[date, BeforeValidator(_day), Field(json_schema_extra={"format": "date", "examples": ["2028-04-30"]})]
Named = Annotated[str, Field(min_length=1, max_length=255), Readable]


class SignedMoneyIn(In):
    """An amount that may be below 0."""

    amount: SignedUnits
    currency: Currency


class PayoutMoneyIn(In):
    """An amount of a line; its kind says which way it goes."""

    amount: MinorUnits
    currency: Currency


class PayoutLineIn(In):
    """One line: a capture or refund by the provider's id or by our operation's reference, or a fee."""

    kind: LineKind
    amount: PayoutMoneyIn
    fee: PayoutMoneyIn | None = None
    provider_id: Named | None = None
    reference: Named | None = None


class PayoutIn(In):
    """What a provider paid out. Lines less fees must come to `amount`, what reached the bank."""

    model_config = described("New payout", _EXAMPLE)

    reference: Reference
    provider_account: Annotated[str, Field(min_length=1, max_length=64), Readable]
    paid_on: Day
    amount: SignedMoneyIn
    lines: Annotated[list[PayoutLineIn], Field(min_length=1, max_length=LINES_MAX)]

    def settlement(self) -> Settlement:
        """What the use case takes. Raises `CurrencyMismatch` for a line in another currency."""
        lines = [self._line(f"lines[{index}]", line) for index, line in enumerate(self.lines)]
        amount, currency = self.amount.amount, self.amount.currency
        return Settlement(self.reference, self.provider_account, self.paid_on, currency, amount, lines)

    def _line(self, where: str, line: PayoutLineIn) -> SettlementLine:
        for name, money in (("amount", line.amount), ("fee", line.fee)):
            if money is not None and money.currency != self.amount.currency:
                raise CurrencyMismatch(f"the payout is in {self.amount.currency}", where=f"{where}.{name}")
        fee = line.fee.amount if line.fee is not None else 0
        return SettlementLine(line.kind, line.amount.amount, fee, line.provider_id, line.reference)


class MatchIn(In):
    """Which lines to look at again; all that did not match unless said."""

    model_config = described("Match again", {"positions": [2, 7]})

    positions: Annotated[list[Annotated[Whole, Field(ge=1)]], Field(min_length=1, max_length=LINES_MAX)] | None = None


class PayoutLineOut(Out):
    """A line and how it compares with the operation that it names."""

    position: int
    kind: LineKind
    amount: MoneyOut
    fee: MoneyOut
    provider_id: str | None
    reference: str | None
    match: Match
    operation_id: str | None


class PayoutOut(Out):
    """A payout. `unmatched` counts the lines that nobody can explain yet."""

    id: str
    reference: str
    provider_account: str
    paid_on: date
    amount: MoneyOut
    fees: MoneyOut
    created_at: datetime
    matched: int
    unmatched: int
    lines: list[PayoutLineOut]


class PayoutSummaryOut(Out):
    """A payout without its lines."""

    id: str
    reference: str
    provider_account: str
    paid_on: date
    amount: MoneyOut
    fees: MoneyOut
    created_at: datetime


class PayoutList(ListOut):
    """Payouts."""

    data: list[PayoutSummaryOut]


class OutstandingOut(Out):
    """A capture or refund that no payout has yet."""

    operation_id: str
    kind: OperationKind
    invoice_id: str | None
    provider_account: str
    amount: MoneyOut
    provider_id: str | None
    reference: str | None
    settled_at: datetime | None


class OutstandingList(ListOut):
    """Captures and refunds that are not paid out."""

    data: list[OutstandingOut]


class PayoutRequest(StrictRequest):
    """A request whose body may be a settlement file instead of JSON: it is read into the same fields."""

    async def json(self) -> Any:
        """The body as JSON has it. Raises `Invalid` for a file that is not of our form."""
        if not self.headers.get("content-type", "").lower().startswith("text/csv"):
            return await super().json()
        try:
            return _fields(read_csv((await self.body()).decode()))
        except UnicodeDecodeError:
            raise Refused(400, "bad_request", "the body is not UTF-8") from None


def payout_out(found: PayoutFound) -> PayoutOut:
    row = found.payout
    matches = [line.match for line in found.lines]
    return PayoutOut(
        **_summary(row),
        matched=matches.count(Match.MATCHED),
        unmatched=sum(match not in (Match.MATCHED, Match.NOT_NEEDED) for match in matches),
        lines=[_line_out(line, row.currency) for line in found.lines],
    )


def outstanding_out(row: Operation) -> OutstandingOut:
    return OutstandingOut(
        operation_id=shown(Prefix.OPERATION, row.id),
        kind=OperationKind(row.kind),
        invoice_id=shown_or_none(Prefix.INVOICE, row.invoice_id),
        provider_account=row.provider_account,
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        provider_id=row.provider_id,
        reference=row.merchant_reference,
        settled_at=row.settled_at,
    )


def _summary(row: Payout) -> Mapping[str, Any]:
    return {
        "id": shown(Prefix.PAYOUT, row.id),
        "reference": row.reference,
        "provider_account": row.provider_account,
        "paid_on": row.paid_on,
        "amount": MoneyOut(amount=row.amount, currency=row.currency),
        "fees": MoneyOut(amount=row.fees, currency=row.currency),
        "created_at": row.created_at,
    }


def _line_out(row: PayoutLine, currency: str) -> PayoutLineOut:
    return PayoutLineOut(
        position=row.position,
        kind=LineKind(row.kind),
        amount=MoneyOut(amount=row.amount, currency=currency),
        fee=MoneyOut(amount=row.fee, currency=currency),
        provider_id=row.provider_id,
        reference=row.reference,
        match=Match(row.match),
        operation_id=shown_or_none(Prefix.OPERATION, row.operation_id),
    )


def _fields(settlement: Settlement) -> dict[str, Any]:
    """A settlement file as the JSON body that says the same."""
    currency = settlement.currency
    return {
        "reference": settlement.reference,
        "provider_account": settlement.provider_account,
        "paid_on": settlement.paid_on.isoformat(),
        "amount": {"amount": settlement.amount, "currency": currency},
        "lines": [
            {
                "kind": line.kind.value,
                "amount": {"amount": line.amount, "currency": currency},
                "fee": {"amount": line.fee, "currency": currency},
                "provider_id": line.provider_id,
                "reference": line.reference,
            }
            for line in settlement.lines
        ],
    }


class Payouts(Controller):
    path = "/payouts"
    request_class = PayoutRequest

    @post(status_code=201, sync_to_thread=True, responses=problems(409, 413))
    def create_payout(self, data: JSONBody[PayoutIn], write: Write) -> Response[PayoutOut]:
        """Record a payout.

        As JSON, or as a settlement file with `Content-Type: text/csv`. A payout whose account and reference are known
        already is answered as it was recorded. The whole payout is booked; lines that do not match are listed with
        the reason.
        """
        settlement = data.settlement()
        return write.answer(
            201,
            lambda record: record_payout.record_payout(
                write.wiring.database, write.wiring.ids, write.now, settlement, record
            ),
            lambda _, found: payout_out(found),
        )

    @get(sync_to_thread=True, responses=problems())
    def list_payouts(self, database: Reading, limit: Limit = 50, after: After = None) -> PayoutList:
        """List payouts."""
        page = record_payout.payouts(database, part_of(Prefix.PAYOUT, limit, after))
        data, following = listed(Prefix.PAYOUT, page, lambda row: PayoutSummaryOut(**_summary(row)))
        return PayoutList(data=data, next=following)

    @get("/outstanding", sync_to_thread=True, responses=problems())
    def list_outstanding(self, database: Reading, limit: Limit = 50, after: After = None) -> OutstandingList:
        """List captures and refunds that are not paid out."""
        page = record_payout.outstanding(database, part_of(Prefix.OPERATION, limit, after))
        data, following = listed(Prefix.OPERATION, page, outstanding_out)
        return OutstandingList(data=data, next=following)

    @get("/{payout_id:str}", sync_to_thread=True, responses=problems(404))
    def get_payout(self, database: Reading, payout_id: FromPath[str]) -> PayoutOut:
        """Get a payout with its lines."""
        return payout_out(record_payout.payout(database, in_path(Prefix.PAYOUT, payout_id)))

    @post("/{payout_id:str}/match", status_code=200, sync_to_thread=True, responses=problems(404))
    def match_payout(self, payout_id: FromPath[str], data: JSONBody[MatchIn], write: Write) -> Response[PayoutOut]:
        """Look again for what did not match.

        Nothing is booked by it: the payout is in the books already.
        """
        wanted = in_path(Prefix.PAYOUT, payout_id)
        return write.answer(
            200,
            lambda record: record_payout.match_again(write.wiring.database, wanted, data.positions, record),
            lambda _, found: payout_out(found),
        )
