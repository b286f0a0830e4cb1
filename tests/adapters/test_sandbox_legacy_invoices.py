"""Invoices of the older generation: credited, sent again, looked up, paid later."""

import pytest

from tests.adapters.klarna_of_that_time import EID, article, digest, good, item

KINDS = [item(quantity=2), item(reference="POT", name="Pot", unit_price=4990)]


def left(older, invno):
    return older.call(*older.on_invoice("invoice_amount", invno))


def refunds(sandbox, invno):
    return sandbox.rows("SELECT kind, amount, reference FROM refunds WHERE capture_id = ? ORDER BY rowid", invno)


def test_articles_are_credited_up_to_the_quantity_on_the_invoice(older, sandbox):
    invno = older.invoice(items=KINDS)
    assert older.call(*older.credit(invno, [article(1)], "CR-1")) == invno
    assert older.fault(*older.credit(invno, [article(2)])) == 9107
    assert older.call(*older.credit(invno, [article(1), article(1, "POT")])) == invno
    assert older.fault(*older.credit(invno, [article(1)])) == 8104
    kept = [(row["amount"], row["reference"]) for row in refunds(sandbox, invno)]
    assert kept == [(10000, "CR-1"), (14990, None)]


def test_the_used_share_is_charged_back_with_the_credit(older, sandbox):
    # 19 of 30 days of an article of 1490 were used: the whole article back, its used share charged again.
    invno = older.invoice(items=[item(unit_price=1490), item(reference="POT", name="Pot", unit_price=500)])
    used = [good(944, "USED-PLANT", vat=25)]
    assert older.call(*older.credit(invno, [article(1)], "CR-1", used)) == invno
    assert refunds(sandbox, invno) == [{"kind": "credit_part", "amount": 546, "reference": "CR-1"}]
    assert left(older, invno) == 944 + 500


def test_a_fee_above_the_credit_is_refused(older):
    invno = older.invoice()
    assert older.fault(*older.credit(invno, [article(1)], "", [good(10001, "FEE")])) == 8102


def test_a_credit_without_articles_is_refused_in_both_forms_of_nothing(older):
    invno = older.invoice()
    assert [older.fault(*older.credit(invno, nothing)) for nothing in ("", [])] == [9107, 9107]


@pytest.mark.parametrize("artno", ["POT", "plant"])
def test_an_article_that_is_not_on_the_invoice_is_refused(older, artno):
    assert older.fault(*older.credit(older.invoice(), [article(1, artno)])) == 9108


def test_the_whole_invoice_is_credited_once(older, sandbox):
    invno = older.invoice(items=KINDS)
    older.call(*older.credit(invno, [article(1, "POT")]))
    assert older.call(*older.on_invoice("credit_invoice", invno, "CR-2")) == invno
    assert older.fault(*older.on_invoice("credit_invoice", invno, "CR-3")) == 8104
    assert [row["amount"] for row in refunds(sandbox, invno)] == [4990, 20000]
    assert left(older, invno) == 0


@pytest.mark.parametrize(("flags", "taken"), [(32, 1999), (0, 2499)])
def test_an_amount_is_returned_with_its_tax_in_it_or_on_top(older, flags, taken):
    invno = older.invoice()
    assert older.call(*older.on_invoice("return_amount", invno, 1999, 25.0, after=(flags, "Rabatt"))) == invno
    assert left(older, invno) == 10000 - taken


def test_more_than_is_left_is_never_returned(older):
    invno = older.invoice()
    older.call(*older.on_invoice("return_amount", invno, 6000, 25, after=(32, "")))
    assert older.fault(*older.on_invoice("return_amount", invno, 6000, 25, after=(32, ""))) == 8102
    assert older.fault(*older.credit(invno, [article(1)])) == 8102
    assert left(older, invno) == 4000


def test_an_invoice_is_mailed_and_posted_again(older, sandbox):
    invno = older.invoice()
    for method in ("email_invoice", "send_invoice"):
        assert older.call(*older.on_invoice(method, invno)) == invno
    causes = sandbox.rows("SELECT cause FROM send_outs WHERE capture_id = ? ORDER BY id", invno)
    assert causes == [{"cause": "email_invoice"}, {"cause": "post"}]


def test_an_activation_sends_what_its_flags_ask_for(older, sandbox):
    invnos = [older.activate(older.ripe_rno(), flags=flags)[1] for flags in (4, 8)]
    causes = [sandbox.rows("SELECT cause FROM send_outs WHERE capture_id = ?", invno) for invno in invnos]
    assert causes == [[{"cause": "post"}], [{"cause": "capture"}]]


UNKNOWN = [
    ("email_invoice", ()),
    ("send_invoice", ()),
    ("invoice_amount", ()),
    ("invoice_address", ()),
    ("credit_invoice", ("CR",)),
    ("return_amount", (1, 25)),
]


@pytest.mark.parametrize(("method", "before"), UNKNOWN)
def test_an_unknown_invoice_is_8101(older, method, before):
    assert older.fault(*older.on_invoice(method, "12345678901234567", *before)) == 8101


def test_the_address_is_that_of_the_order(older):
    address = {"given_name": "Anna", "family_name": "Åberg", "street_address": "Gatan 1", "country": "se"}
    invno = older.invoice(billing_address=address | {"postal_code": "12345", "city": "Växjö"})
    shown = older.call(*older.on_invoice("invoice_address", invno))
    assert shown == ["Anna", "Åberg", "Gatan 1", "12345", "Växjö", 209]


def test_the_amount_of_articles_is_looked_up_without_crediting_them(older):
    invno = older.invoice(items=KINDS)
    question = ("invoice_part_amount", EID, invno, [article(1)], digest(EID, invno, "PLANT", 1))
    assert (older.call(*question), left(older, invno)) == (10000, 24990)


def test_a_later_due_date_costs_a_fee_and_is_calculated_first(older, sandbox):
    sandbox.freeze("2028-05-01T12:00:00Z")
    invno = older.invoice()
    for only in (True, False, False):
        question = older.on_invoice("extend_invoice_due_date", invno, after=({"days": 10, "calculate_only": only},))
        answer = older.call(*question)
    assert answer == {"cost": 500, "new_date": "2028-06-04"}


def test_what_belongs_to_passive_invoices_is_refused(older):
    invno = older.invoice()
    assert older.fault("update_orderno", EID, digest(invno, "o3"), invno, "o3") == 8113
    assert older.fault("activate_invoice", EID, invno, digest(EID, invno), -1, {}) == 8113


def test_a_credit_in_the_portal_lowers_the_invoice(older, sandbox):
    rno = older.ripe_rno()
    invno = older.activate(rno)[1]
    act = {"action": "refund", "amount": 2500}
    assert sandbox.client.post(f"/_sandbox/orders/{rno}/portal", json=act).json()["amount"] == 2500
    assert left(older, invno) == 7500
    assert refunds(sandbox, invno) == [{"kind": "portal", "amount": 2500, "reference": None}]
