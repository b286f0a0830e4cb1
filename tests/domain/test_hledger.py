"""The plain-text journal: names, digits, declarations. That hledger reads it is tested with the reports."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from billing.domain.hledger import JournalEntry, account_name, decimal_text, journal
from billing.domain.ledger import Account, Posting

PAID = JournalEntry(
    UUID(int=7),
    date(2028, 3, 31),
    "capture",
    "invoice-000001",
    "SEK",
    (Posting(Account.PROVIDER_CLEARING, 3970), Posting(Account.RECEIVABLE, -3970)),
)


def test_a_transaction_has_its_date_kind_reference_id_and_postings() -> None:
    text = "".join(journal([PAID], ["assets:receivable", "assets:provider_clearing"], ["SEK"]))
    assert text == (
        "commodity 1000.00 SEK\n"
        "account assets:provider_clearing\n"
        "account assets:receivable\n"
        "\n2028-03-31 * capture | invoice-000001\n"
        f"    ; id:{7:032x}\n"
        "    assets:provider_clearing  39.70 SEK\n"
        "    assets:receivable  -39.70 SEK\n"
    )


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (3970, "SEK", "39.70"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (500, "JPY", "500"),
        (-1, "KWD", "-0.001"),
        (10**15, "EUR", "10000000000000.00"),
    ],
)
def test_amounts_have_the_digits_of_their_currency(amount: int, currency: str, text: str) -> None:
    assert decimal_text(amount, currency) == text


def test_every_account_of_the_chart_has_its_type_and_details_follow() -> None:
    types = {account_name(account).split(":")[0] for account in Account}
    assert types == {"assets", "liabilities", "revenues", "expenses"}
    assert account_name("receivable") == "assets:receivable"
    assert account_name("vat_payable", "SE:2500") == "liabilities:vat_payable:SE:2500"


def test_a_currency_without_minor_units_is_declared_with_a_point() -> None:
    assert list(journal([], [], ["JPY", "EUR"])) == ["commodity 1000.00 EUR\n", "commodity 1000. JPY\n"]


def test_a_reference_stays_on_its_line_and_out_of_the_comment() -> None:
    text = "".join(journal([replace(PAID, reference="a;b\nc d")], [], []))
    assert text.splitlines()[1] == "2028-03-31 * capture | a b c d"


def test_a_posting_is_booked_under_its_detail() -> None:
    vat = (Posting(Account.VAT_PAYABLE, -656, "SE:2500"), Posting(Account.RECEIVABLE, 656))
    text = "".join(journal([replace(PAID, postings=vat)], [], []))
    assert "    liabilities:vat_payable:SE:2500  -6.56 SEK\n" in text
