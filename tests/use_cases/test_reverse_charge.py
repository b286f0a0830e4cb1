"""A business in another country of the EU, with a VAT id whose check digits are right, accounts for the VAT itself."""

import pytest
from factories import START, Shop
from reading import entries, invoices

from billing.domain.errors import Invalid
from billing.store.invoices import lines_of
from billing.use_cases.catalogue import NewCustomer, create_customer
from billing.use_cases.subscribe import NewSubscription, subscribe


def business(shop: Shop, country: str, vat_id: str | None):
    new = NewCustomer(f"{country}-{vat_id}", "Business", None, country, "Europe/Berlin", "de-DE", vat_id)
    return create_customer(shop.database, shop.ids, START, new)


def first_invoice(shop: Shop, country: str, vat_id: str | None):
    customer = business(shop, country, vat_id)
    token = shop.token(customer.id)
    subscribe(shop.database, shop.ids, START, NewSubscription(customer.id, shop.price(), token))
    shop.tick()
    shop.after(minutes=31)
    (invoice,) = invoices(shop)
    return invoice


def test_it_pays_the_price_without_its_tax_and_nothing_is_owed_to_the_state(shop: Shop) -> None:
    invoice = first_invoice(shop, "DE", "DE136695976")
    assert (invoice.total, invoice.tax_total, invoice.captured) == (3314, 0, 3314)
    with shop.database.tx() as session:
        assert {line.tax_treatment for line in lines_of(session, [invoice.id])[invoice.id]} == {"reverse_charge"}
    assert [entry for entry in entries(shop) if entry[1] == "vat_payable"] == []


def test_a_consumer_there_and_a_business_at_home_pay_the_tax(shop: Shop) -> None:
    assert first_invoice(shop, "DE", None).tax_total == 656


def test_a_business_in_the_sellers_own_country_pays_the_tax(shop: Shop) -> None:
    assert first_invoice(shop, "SE", "SE556188840401").tax_total == 656


def test_a_vat_id_with_a_wrong_digit_makes_no_customer(shop: Shop) -> None:
    with pytest.raises(Invalid, match="DE and 9 digits"):
        business(shop, "DE", "DE136695977")
