"""The ledger as a plain-text journal that hledger reads, and amounts as decimal text.

Owns names and spelling only: which transactions are written is the reader's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.domain.ledger import Account, Posting
from billing.domain.money import exponent

_TYPES = {
    Account.RECEIVABLE: "assets",
    Account.PROVIDER_CLEARING: "assets",
    Account.PROVIDER_FEES: "expenses",
    Account.BANK: "assets",
    Account.DEFERRED_REVENUE: "liabilities",
    Account.REVENUE: "revenues",
    Account.VAT_PAYABLE: "liabilities",
    Account.CUSTOMER_BALANCE: "liabilities",
    Account.REFUND_PAYABLE: "liabilities",
    Account.BAD_DEBT: "expenses",
    Account.DISPUTES: "assets",
    Account.ROUNDING: "expenses",
}


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One transaction as the journal shows it; `reference` is what it is about (an invoice, a payout).

    `risk` is what the provider said of a capture: `ok`, `no_risk`, or nothing.
    """

    id: UUID
    on: date
    kind: str
    reference: str
    currency: str
    postings: Sequence[Posting]
    risk: str = ""


def journal(entries: Iterable[JournalEntry], accounts: Iterable[str], currencies: Iterable[str]) -> Iterator[str]:
    """The journal, piece by piece: every account and commodity declared first, so that `hledger check --strict`
    finds a misspelled one; then the transactions in the order given.
    """
    for currency in sorted(currencies):
        yield f"commodity {_sample(currency)}\n"
    for account in sorted(accounts):
        yield f"account {account}\n"
    for entry in entries:
        yield _transaction(entry)


def account_name(account: str, detail: str = "") -> str:
    """The name with its type and detail: `liabilities:vat_payable:SE:2500`."""
    return ":".join(part for part in (_TYPES[Account(account)], account, detail) if part)


def decimal_text(amount: int, currency: str) -> str:
    """Minor units with the currency's digits after a point, and no other mark: `-39.70`, `500` for JPY.

    Raises `Invalid` for an unknown currency.
    """
    digits = exponent(currency)
    whole, rest = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}}" if digits else f"{sign}{whole}"


def _transaction(entry: JournalEntry) -> str:
    # A semicolon or a line feed would end the description.
    about = "".join(one if one.isprintable() and one != ";" else " " for one in entry.reference)
    risk = f", risk:{entry.risk}" if entry.risk else ""
    lines = [f"{entry.on.isoformat()} * {entry.kind} | {about}", f"    ; id:{entry.id.hex}{risk}"]
    lines += [
        f"    {account_name(posting.account, posting.detail)}  {decimal_text(posting.amount, entry.currency)}"
        f" {entry.currency}"
        for posting in entry.postings
    ]
    return "\n" + "\n".join(lines) + "\n"


def _sample(currency: str) -> str:
    # hledger reads the digits from the sample and insists on a decimal mark, even before no digits.
    return f"1000.{'0' * exponent(currency)} {currency}"
