"""Facts to postings: double entry, debits positive, every transaction sums to zero (billing rules, section 9).

All net goes to deferred revenue when an invoice opens and becomes revenue when it is earned. Amounts are minor units
of one currency; which transaction a posting belongs to, and when, is the store's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from billing.domain.errors import Invalid


class Account(StrEnum):
    """The chart. A posting's detail divides an account further: VAT by country and rate, revenue by kind."""

    RECEIVABLE = "receivable"
    PROVIDER_CLEARING = "provider_clearing"
    PROVIDER_FEES = "provider_fees"
    BANK = "bank"
    DEFERRED_REVENUE = "deferred_revenue"
    REVENUE = "revenue"
    VAT_PAYABLE = "vat_payable"
    CUSTOMER_BALANCE = "customer_balance"
    REFUND_PAYABLE = "refund_payable"
    BAD_DEBT = "bad_debt"
    DISPUTES = "disputes"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry in minor units, debit positive. `detail` is e.g. "SE:2500" (country:basis points) for VAT payable."""

    account: str
    amount: int
    detail: str = ""


class TaxedLine(Protocol):
    """What the books need to know of a line, of an invoice or of a credit note."""

    @property
    def amount(self) -> int: ...
    @property
    def tax_amount(self) -> int: ...
    @property
    def tax_rate(self) -> int: ...


def postings_for_opening(lines: Sequence[TaxedLine], country: str) -> tuple[Posting, ...]:
    """An invoice is owed: receivable against deferred revenue and VAT payable per rate of the seller's `country`."""
    return _merged([Posting(Account.RECEIVABLE, _gross(lines)), *_negated(_net_and_tax(lines, country))])


def postings_for_capture(amount: int) -> tuple[Posting, ...]:
    """The provider took the money: it owes us now, the customer no longer."""
    return _moved(amount, Account.RECEIVABLE, Account.PROVIDER_CLEARING)


def postings_for_revenue(net: int, kind: str) -> tuple[Posting, ...]:
    """A net share is earned: deferred revenue becomes revenue of `kind` ("time", "dispatch", "at_capture")."""
    return _merged([Posting(Account.DEFERRED_REVENUE, net), Posting(Account.REVENUE, -net, kind)])


def postings_for_credit(lines: Sequence[TaxedLine], country: str, paid: bool) -> tuple[Posting, ...]:
    """A credit note is granted, its lines positive: against what is still open, or as a refund owed once `paid`."""
    against = Account.REFUND_PAYABLE if paid else Account.RECEIVABLE
    return _merged([*_net_and_tax(lines, country), Posting(against, -_gross(lines))])


def postings_for_refund(amount: int) -> tuple[Posting, ...]:
    """The provider paid a refund out."""
    return _moved(amount, Account.PROVIDER_CLEARING, Account.REFUND_PAYABLE)


def postings_for_payout(bank: int, fees: int) -> tuple[Posting, ...]:
    """The provider paid us: what reached the bank, and what it kept as fees."""
    owed = Posting(Account.PROVIDER_CLEARING, -(bank + fees))
    return _merged([Posting(Account.BANK, bank), Posting(Account.PROVIDER_FEES, fees), owed])


def postings_for_write_off(amount: int) -> tuple[Posting, ...]:
    """An invoice is uncollectible; its VAT stays owed until the accountant decides otherwise."""
    return _moved(amount, Account.RECEIVABLE, Account.BAD_DEBT)


def postings_for_void(opening: Sequence[Posting]) -> tuple[Posting, ...]:
    """The opening reversed in full, VAT included."""
    return _merged(_negated(opening))


def check_balanced(postings: Iterable[Posting]) -> None:
    """Raises `AssertionError` unless the postings of one transaction sum to zero."""
    rest = sum(posting.amount for posting in postings)
    if rest != 0:
        raise AssertionError(f"a transaction of the ledger sums to {rest} instead of 0")


def _moved(amount: int, source: Account, target: Account) -> tuple[Posting, ...]:
    if amount < 0:
        raise Invalid(f"{amount} cannot move from {source} to {target}")
    return _merged([Posting(target, amount), Posting(source, -amount)])


def _gross(lines: Sequence[TaxedLine]) -> int:
    return sum(line.amount for line in lines)


def _net_and_tax(lines: Sequence[TaxedLine], country: str) -> list[Posting]:
    taxes = [Posting(Account.VAT_PAYABLE, line.tax_amount, f"{country}:{line.tax_rate}") for line in lines]
    return [Posting(Account.DEFERRED_REVENUE, sum(line.amount - line.tax_amount for line in lines)), *taxes]


def _negated(postings: Iterable[Posting]) -> list[Posting]:
    return [Posting(posting.account, -posting.amount, posting.detail) for posting in postings]


def _merged(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """One posting per account and detail, in the order first met, without those of 0; checked to balance."""
    sums: dict[tuple[str, str], int] = {}
    for posting in postings:
        key = (posting.account, posting.detail)
        sums[key] = sums.get(key, 0) + posting.amount
    merged = tuple(Posting(account, amount, detail) for (account, detail), amount in sums.items() if amount)
    check_balanced(merged)
    return merged
