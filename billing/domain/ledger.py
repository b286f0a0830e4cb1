"""Facts to postings: double entry, debits positive, every transaction sums to zero (billing rules, section 9).

All net goes to deferred revenue when an invoice opens and becomes revenue when it is earned. Amounts are minor units
of one currency; which transaction a posting belongs to, and when, is the store's.
"""

from collections.abc import Iterable, Mapping, Sequence
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


_WITH_THE_CUSTOMER = frozenset({"carried", "balance"})
"""Kinds of line that sell nothing: they only move what customer and seller owe each other."""


@dataclass(frozen=True, slots=True)
class CreditEffect:
    """What a credit note does, in this order: lowers what is open, becomes the customer's balance, is paid back."""

    receivable: int = 0
    balance: int = 0
    refund: int = 0


def postings_for_opening(lines: Sequence[TaxedLine], country: str) -> tuple[Posting, ...]:
    """An invoice is owed: receivable against deferred revenue and VAT payable per rate of the seller's `country`.

    A line of `kind` "balance" or "carried" is no sale: it moves the total against the customer's balance.
    """
    sold = [line for line in lines if not _is_with_the_customer(line)]
    moved = sum(line.amount for line in lines if _is_with_the_customer(line))
    owed = [Posting(Account.RECEIVABLE, _gross(lines)), Posting(Account.CUSTOMER_BALANCE, -moved)]
    return merged([*owed, *_negated(_net_and_tax(sold, country))])


def postings_for_capture(amount: int) -> tuple[Posting, ...]:
    """The provider took the money: it owes us now, the customer no longer."""
    return _moved(amount, Account.RECEIVABLE, Account.PROVIDER_CLEARING)


def postings_for_outside_payment(amount: int) -> tuple[Posting, ...]:
    """The customer paid past the provider: cash, a transfer to our bank."""
    return _moved(amount, Account.RECEIVABLE, Account.BANK)


def postings_for_balance_used(amount: int) -> tuple[Posting, ...]:
    """What the customer had with us pays an invoice, in whole or in part."""
    return _moved(amount, Account.RECEIVABLE, Account.CUSTOMER_BALANCE)


def postings_for_balance_given(amount: int) -> tuple[Posting, ...]:
    """A refund that cannot be paid out becomes the customer's balance instead."""
    return _moved(amount, Account.CUSTOMER_BALANCE, Account.REFUND_PAYABLE)


def postings_for_balance_owed(amount: int) -> tuple[Posting, ...]:
    """The customer asks for the balance: from now on it is owed as a refund."""
    return _moved(amount, Account.REFUND_PAYABLE, Account.CUSTOMER_BALANCE)


def postings_for_balance_adjusted(amount: int) -> tuple[Posting, ...]:
    """Balance granted without a document, at the cost of revenue; below 0 it is taken back. It carries no VAT."""
    return merged([Posting(Account.REVENUE, amount, "goodwill"), Posting(Account.CUSTOMER_BALANCE, -amount)])


def postings_for_carry(amount: int) -> tuple[Posting, ...]:
    """An invoice too small to charge leaves its claim to the next one, which has it as a line of kind "carried"."""
    return _moved(amount, Account.RECEIVABLE, Account.CUSTOMER_BALANCE)


def postings_for_rounding(amount: int) -> tuple[Posting, ...]:
    """A claim of a few minor units that nobody collects is given up (below 0: paid too much, and kept)."""
    return merged([Posting(Account.ROUNDING, amount), Posting(Account.RECEIVABLE, -amount)])


def postings_for_revenue(net: int, kind: str) -> tuple[Posting, ...]:
    """A net share is earned: deferred revenue becomes revenue of `kind` ("time", "dispatch", "at_capture").

    Below 0 it is taken back: what was earned is so no more (a later credit, a void).
    """
    return merged([Posting(Account.DEFERRED_REVENUE, net), Posting(Account.REVENUE, -net, kind)])


def postings_for_credit(
    lines: Sequence[TaxedLine],
    country: str,
    paid: bool = True,
    *,
    effect: CreditEffect | None = None,
    earned: Mapping[str, int] | None = None,
) -> tuple[Posting, ...]:
    """A credit note is granted, its lines positive.

    `effect` splits its total over what it does; without one it lowers what is open, or is refunded once `paid`.
    `earned` is the part of its net that had become revenue, by kind of revenue; the rest is still deferred.
    Raises `Invalid` where the effect does not sum to the lines.
    """
    gross = _gross(lines)
    done = effect or (CreditEffect(refund=gross) if paid else CreditEffect(receivable=gross))
    against = {
        Account.RECEIVABLE: done.receivable,
        Account.CUSTOMER_BALANCE: done.balance,
        Account.REFUND_PAYABLE: done.refund,
    }
    if min(against.values()) < 0 or sum(against.values()) != gross:
        raise Invalid(f"a credit of {gross} cannot do {sum(against.values())}")
    revenue = [Posting(Account.REVENUE, net, kind) for kind, net in (earned or {}).items()]
    deferred = Posting(Account.DEFERRED_REVENUE, -sum(posting.amount for posting in revenue))
    owed = [Posting(account, -amount) for account, amount in against.items()]
    return merged([*_net_and_tax(lines, country), deferred, *revenue, *owed])


def postings_for_refund(amount: int, source: Account = Account.PROVIDER_CLEARING) -> tuple[Posting, ...]:
    """A refund was paid out by the provider, here or in its own portal, or from another `source` (our bank)."""
    return _moved(amount, source, Account.REFUND_PAYABLE)


def postings_for_payout(bank: int, fees: int) -> tuple[Posting, ...]:
    """The provider paid us: what reached the bank, and what it kept as fees. Below 0 it took more than it gave."""
    owed = Posting(Account.PROVIDER_CLEARING, -(bank + fees))
    return merged([Posting(Account.BANK, bank), Posting(Account.PROVIDER_FEES, fees), owed])


def postings_for_dispute_opened(amount: int) -> tuple[Posting, ...]:
    """Captured money is contested: the provider holds it back until somebody decides."""
    return _moved(amount, Account.PROVIDER_CLEARING, Account.DISPUTES)


def postings_for_dispute_won(amount: int) -> tuple[Posting, ...]:
    """The contested money is ours again."""
    return _moved(amount, Account.DISPUTES, Account.PROVIDER_CLEARING)


def postings_for_dispute_lost(amount: int) -> tuple[Posting, ...]:
    """The contested money is gone; its VAT stays owed until the accountant decides otherwise."""
    return _moved(amount, Account.DISPUTES, Account.BAD_DEBT)


def postings_for_write_off(amount: int) -> tuple[Posting, ...]:
    """An invoice is uncollectible; its VAT stays owed until the accountant decides otherwise."""
    return _moved(amount, Account.RECEIVABLE, Account.BAD_DEBT)


def postings_for_recovery(amount: int) -> tuple[Posting, ...]:
    """An invoice that was written off is paid after all: first it is owed again."""
    return _moved(amount, Account.BAD_DEBT, Account.RECEIVABLE)


def postings_for_vat_relief(taxes: Mapping[int, int], country: str) -> tuple[Posting, ...]:
    """The accountant's decision that tax of a bad debt is not owed: by rate in basis points, in minor units."""
    relieved = [Posting(Account.VAT_PAYABLE, tax, f"{country}:{rate}") for rate, tax in taxes.items()]
    if any(posting.amount < 0 for posting in relieved):
        raise Invalid("a relief of VAT cannot be below 0")
    return merged([*relieved, Posting(Account.BAD_DEBT, -sum(posting.amount for posting in relieved))])


def postings_for_void(booked: Sequence[Posting]) -> tuple[Posting, ...]:
    """Everything `booked` of an invoice reversed in full, VAT included."""
    return merged(_negated(booked))


def merged(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """One posting per account and detail, in the order first met, without those of 0; checked to balance."""
    sums: dict[tuple[str, str], int] = {}
    for posting in postings:
        key = (posting.account, posting.detail)
        sums[key] = sums.get(key, 0) + posting.amount
    merged = tuple(Posting(account, amount, detail) for (account, detail), amount in sums.items() if amount)
    check_balanced(merged)
    return merged


def check_balanced(postings: Iterable[Posting]) -> None:
    """Raises `AssertionError` unless the postings of one transaction sum to zero."""
    rest = sum(posting.amount for posting in postings)
    if rest != 0:
        raise AssertionError(f"a transaction of the ledger sums to {rest} instead of 0")


def _moved(amount: int, source: Account, target: Account) -> tuple[Posting, ...]:
    if amount < 0:
        raise Invalid(f"{amount} cannot move from {source} to {target}")
    return merged([Posting(target, amount), Posting(source, -amount)])


def _is_with_the_customer(line: TaxedLine) -> bool:
    # Only lines of an invoice have a kind; those of a credit note are sales.
    return getattr(line, "kind", None) in _WITH_THE_CUSTOMER


def _gross(lines: Sequence[TaxedLine]) -> int:
    return sum(line.amount for line in lines)


def _net_and_tax(lines: Sequence[TaxedLine], country: str) -> list[Posting]:
    taxes = [Posting(Account.VAT_PAYABLE, line.tax_amount, f"{country}:{line.tax_rate}") for line in lines]
    return [Posting(Account.DEFERRED_REVENUE, sum(line.amount - line.tax_amount for line in lines)), *taxes]


def _negated(postings: Iterable[Posting]) -> list[Posting]:
    return [Posting(posting.account, -posting.amount, posting.detail) for posting in postings]
