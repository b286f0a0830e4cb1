"""What customers have with us: read by the merchant, granted and taken back by an operator."""

from datetime import datetime

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from api.admin.payouts import SignedMoneyIn
from api.answers import ListOut, MoneyOut, Out, listed, shown_or_none
from api.bodies import In, Text, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, part_of
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.store.balances import BalanceEntry
from billing.use_cases.adjust_balance import Adjusted, adjust_balance, balance_entries, balance_of


class BalanceIn(In):
    """A change of a customer's balance: above 0 it is granted, below 0 taken back."""

    model_config = described("Balance change", {"amount": {"amount": 500, "currency": "SEK"}, "reason": "late parcel"})

    amount: SignedMoneyIn
    reason: Text


class BalanceOut(Out):
    """What a customer has with us, one amount a currency; the next invoices use it first."""

    customer_id: str
    balances: list[MoneyOut]


class BalanceEntryOut(Out):
    """One movement; above 0 the customer has more with us."""

    id: str
    customer_id: str
    amount: MoneyOut
    reason: str
    invoice_id: str | None
    credit_note_id: str | None
    created_at: datetime


class BalanceEntryList(ListOut):
    """Movements of a balance."""

    data: list[BalanceEntryOut]


class AdjustedOut(Out):
    """The movement and what the balance holds after it."""

    entry: BalanceEntryOut
    balance: MoneyOut


def entry_out(row: BalanceEntry) -> BalanceEntryOut:
    return BalanceEntryOut(
        id=shown(Prefix.BALANCE_ENTRY, row.id),
        customer_id=shown(Prefix.CUSTOMER, row.customer_id),
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        reason=row.reason,
        invoice_id=shown_or_none(Prefix.INVOICE, row.invoice_id),
        credit_note_id=shown_or_none(Prefix.CREDIT_NOTE, row.credit_note_id),
        created_at=row.created_at,
    )


def _adjusted_out(done: Adjusted) -> AdjustedOut:
    balance = MoneyOut(amount=done.balance, currency=done.entry.currency)
    return AdjustedOut(entry=entry_out(done.entry), balance=balance)


class Balances(Controller):
    path = "/customers/{customer_id:str}/balance"
    tags = ("Customers",)

    @get(sync_to_thread=True, responses=problems(404))
    def get_balance(self, database: Reading, customer_id: FromPath[str]) -> BalanceOut:
        """Get what a customer has with us."""
        held = balance_of(database, in_path(Prefix.CUSTOMER, customer_id))
        balances = [MoneyOut(amount=amount, currency=currency) for currency, amount in held.items()]
        return BalanceOut(customer_id=customer_id, balances=balances)

    @get("/entries", sync_to_thread=True, responses=problems(404))
    def list_balance_entries(
        self, database: Reading, customer_id: FromPath[str], limit: Limit = 50, after: After = None
    ) -> BalanceEntryList:
        """List what moved a customer's balance, and why."""
        part = part_of(Prefix.BALANCE_ENTRY, limit, after)
        page = balance_entries(database, part, in_path(Prefix.CUSTOMER, customer_id))
        data, following = listed(Prefix.BALANCE_ENTRY, page, entry_out)
        return BalanceEntryList(data=data, next=following)


class BalanceChanges(Controller):
    path = "/customers/{customer_id:str}/balance"

    @post(status_code=201, sync_to_thread=True, responses=problems(404, 409, 413))
    def adjust_balance(
        self, customer_id: FromPath[str], data: JSONBody[BalanceIn], write: Write
    ) -> Response[AdjustedOut]:
        """Grant a customer balance, or take some back."""
        wiring, whose = write.wiring, in_path(Prefix.CUSTOMER, customer_id)
        change = Money(data.amount.amount, data.amount.currency)
        return write.answer(
            201,
            lambda record: adjust_balance(wiring.database, wiring.ids, write.now, whose, change, data.reason, record),
            lambda _, done: _adjusted_out(done),
        )
