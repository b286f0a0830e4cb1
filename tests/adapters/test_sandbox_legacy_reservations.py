"""Reservations of the older generation: activated in whole and in part, changed, cancelled, brought back."""

from datetime import timedelta

import pytest

from tests.adapters.klarna_of_that_time import EID, article, digest, good, item

TWO_KINDS = [item(quantity=3), item(reference="POT", name="Pot", unit_price=4990)]


def captured(older, rno):
    return older.row(rno)["captured_amount"]


def test_a_whole_activation_answers_with_the_risk_and_an_invoice_of_the_whole_amount(older):
    rno = older.ripe_rno()
    risk, invno = older.activate(rno, orderid1="op-2", orderid2="inv-1")
    assert (risk, len(invno)) == ("ok", 17)
    assert older.call(*older.on_invoice("invoice_amount", invno)) == 10000
    assert older.row(rno)["status"] == "CAPTURED"


@pytest.mark.parametrize(("minutes", "is_refused"), [(29, True), (30, False)])
def test_nothing_is_activated_in_the_first_thirty_minutes(older, sandbox, minutes, is_refused):
    sandbox.freeze("2028-05-01T12:00:00Z")
    rno = older.rno()
    sandbox.advance(minutes=minutes)
    if is_refused:
        assert older.fault(*older.activation(rno)) == 8108
    assert captured(older, rno) == 0
    sandbox.advance(minutes=1)
    assert older.activate(rno)[0] == "ok"


def test_parts_are_invoices_of_their_own_and_the_reservation_keeps_its_number(older):
    rno = older.ripe_rno(items=TWO_KINDS)
    first, second = (older.activate(rno, [article(1), *more])[1] for more in ([], [article(1, "POT")]))
    last = older.activate(rno)[1]
    amounts = [older.call(*older.on_invoice("invoice_amount", invno)) for invno in (first, second, last)]
    assert amounts == [10000, 14990, 10000]
    assert older.fault(*older.activation(rno)) == 8104


@pytest.mark.parametrize(
    ("artnos", "fault"),
    [([article(4)], 9107), ([article(1), article(3)], 9107), ([article(0)], 9107), ([article(1, "TREE")], 9108)],
)
def test_articles_that_are_not_left_are_refused_and_nothing_is_taken(older, artnos, fault):
    rno = older.ripe_rno(items=TWO_KINDS)
    assert older.fault(*older.activation(rno, artnos)) == fault
    assert captured(older, rno) == 0


def test_parts_of_a_line_that_cannot_be_divided_add_up_to_the_line(older):
    rno = older.ripe_rno(items=[item(quantity=3, unit_price=3333, discount_rate=1000)])
    parts = [older.activate(rno, [article(1)])[1] for _ in range(3)]
    amounts = [older.call(*older.on_invoice("invoice_amount", invno)) for invno in parts]
    assert sum(amounts) == older.row(rno)["order_amount"] == 8999


def test_a_cancelled_reservation_is_void_and_everything_after_is_refused(older, sandbox):
    rno = older.ripe_rno()
    assert older.call(*older.on_rno("cancel_reservation", rno)) == "ok"
    assert older.row(rno)["status"] == "CANCELLED"
    again = [older.fault(*older.on_rno(method, rno)) for method in ("cancel_reservation", "extend_expiry_date")]
    assert [*again, older.fault(*older.activation(rno)), older.fault(*older.update(rno))] == [8104] * 4
    (void,) = sandbox.rows("SELECT * FROM voids WHERE order_id = ?", rno)
    assert (void["kind"], void["amount"]) == ("cancel_reservation", 10000)


def test_a_cancel_after_a_part_gives_back_the_rest_and_one_after_all_is_refused(older, sandbox):
    rno = older.ripe_rno(items=TWO_KINDS)
    older.activate(rno, [article(1)])
    assert older.call(*older.on_rno("cancel_reservation", rno)) == "ok"
    assert sandbox.rows("SELECT amount FROM voids WHERE order_id = ?", rno) == [{"amount": 24990}]
    assert older.row(rno)["status"] == "CAPTURED"
    assert older.fault(*older.on_rno("cancel_reservation", rno)) == 8104


def test_an_update_replaces_all_goods_and_what_is_empty_stays(older):
    rno = older.ripe_rno(merchant_reference={"orderid1": "op-1", "orderid2": "inv-1"})
    assert older.call(*older.update(rno, [good(2500, qty=2), good(1000, "")])) == "ok"
    row = older.row(rno)
    assert (row["order_amount"], row["original_amount"]) == (6000, 10000)
    assert (row["merchant_reference1"], row["merchant_reference2"]) == ("inv-1", "op-1")
    older.call(*older.update(rno, orderid2="inv-9"))
    assert older.row(rno)["order_amount"] == 6000
    assert older.row(rno)["merchant_reference1"] == "inv-9"
    assert older.activate(rno, [article(1, "Växt")])[0] == "ok"


def test_an_update_is_refused_once_something_is_activated(older):
    rno = older.ripe_rno(items=TWO_KINDS)
    older.activate(rno, [article(1)])
    assert older.fault(*older.update(rno, [good(100)])) == 8104


def test_goods_without_vat_in_them_get_it_on_top_and_discounts_come_off(older):
    rno = older.rno()
    older.call(*older.update(rno, [good(1000, flags=0), good(1999, vat=25.0, discount=12.5, qty=3)]))
    assert older.row(rno)["order_amount"] == 1250 + 5247


def test_an_extension_lives_the_whole_period_from_now_in_stockholm_time(older, sandbox):
    sandbox.freeze("2028-06-01T12:00:00Z")
    rno = older.rno()
    sandbox.advance(days=3)
    assert older.call(*older.on_rno("extend_expiry_date", rno)) == "20280702T140000"
    assert older.row(rno)["expires_at"] == "2028-07-02T12:00:00.000Z"


def test_an_expired_reservation_comes_back_after_a_new_assessment_and_can_be_activated(older, sandbox):
    rno = older.rno()
    sandbox.advance(days=28)
    assert older.fault(*older.activation(rno)) == 8104
    answer = older.call(*older.on_rno("extend_expiry_date", rno))
    assert answer.startswith(str((older.now() + timedelta(days=28)).year))
    assert older.activate(rno)[0] == "ok"


def test_an_expired_reservation_stays_expired_where_the_assessment_says_no(older, sandbox):
    rno, other = older.rno(), older.rno(sandbox.new_token("legacy", currency="SEK"))
    sandbox.client.post(f"/_sandbox/tokens/{older.row(other)['token_id']}", json={"status": "SUSPENDED"})
    sandbox.advance(days=29)
    assert older.fault(*older.on_rno("extend_expiry_date", other)) == 2106
    sandbox.set(extension_assessment="reject")
    assert older.fault(*older.on_rno("extend_expiry_date", rno)) == 2106
    assert older.fault(*older.activation(rno)) == 8104


@pytest.mark.parametrize("method", ["cancel_reservation", "extend_expiry_date"])
def test_an_unknown_reservation_is_9109(older, method):
    assert older.fault(*older.on_rno(method, "1234567890")) == 9109


def test_a_reservation_is_made_changed_and_split_with_the_customer_present(older):
    rno, status = older.call(*older.reserve(10000))
    changed = digest(EID, rno, 15000)
    assert (status, older.call("change_reservation", rno, 15000, EID, changed, 0)) == (1, "ok")
    added = digest(EID, rno, -1000)
    older.call("change_reservation", rno, -1000, EID, added, 1)
    second, status = older.call("split_reservation", rno, 4000, "o3", "o4", 0, EID, digest(EID, rno, 4000))
    assert (older.row(rno)["order_amount"], older.row(second)["order_amount"], status) == (10000, 4000, 1)
    too_much = ("split_reservation", rno, 10000, "", "", 0, EID, digest(EID, rno, 10000))
    assert older.fault(*too_much) == 9110


def test_a_denied_customer_is_a_fault_and_a_country_with_a_foreign_currency_too(older):
    assert older.fault(*older.reserve(lname="Denied")) == 2106
    assert older.fault(*older.reserve(country=81)) == 9118


@pytest.mark.parametrize(("email", "verdict"), [("pending_accepted@x.se", 1), ("pending_denied@x.se", 3)])
def test_a_pending_purchase_is_decided_later_and_the_status_says_so(older, sandbox, email, verdict):
    rno, status = older.call(*older.reserve(email=email))
    sandbox.advance(minutes=31)
    assert (status, older.call(*older.check(rno, 0)), older.fault(*older.activation(rno))) == (2, 2, 8108)
    sandbox.advance(hours=6)
    assert older.call(*older.check(rno, 0)) == verdict


def test_the_status_is_known_by_reservation_order_id_and_invoice_until_nothing_is_left(older, sandbox):
    rno, _ = older.call(*older.reserve())
    sandbox.advance(minutes=31)
    assert older.call(*older.check(rno, 0)) == older.call(*older.check("o1", 1)) == 1
    invno = older.activate(rno)[1]
    assert older.fault(*older.check(rno, 0)) == 9109
    assert older.call(*older.check(invno, 0)) == older.call(*older.check("o2", 1)) == 1


def test_the_status_is_blind_to_recurring_orders_until_told_to_see(older, sandbox):
    rno = older.rno(merchant_reference={"orderid1": "op-77", "orderid2": "inv-77"})
    assert [older.fault(*older.check(rno, 0)), older.fault(*older.check("op-77", 1))] == [9109, 9111]
    sandbox.set(status_sees_recurring=True)
    seen = [
        older.call(*older.check(rno, 0)),
        older.call(*older.check("op-77", 1)),
        older.call(*older.check("inv-77", 1)),
    ]
    assert seen == [1, 1, 1]
    assert older.fault(*older.check("op-78", 1)) == 9111


def test_no_risk_is_had_from_the_script_the_settings_and_a_rejected_review(older, sandbox):
    scripted, told = older.ripe_rno(), older.ripe_rno()
    sandbox.script({"fault": "no_risk", "path_contains": "/activate"})
    assert older.activate(scripted)[0] == "no_risk"
    sandbox.set(risk="no_risk")
    assert older.activate(told)[0] == "no_risk"
    kept = sandbox.rows("SELECT risk FROM captures WHERE order_id IN (?, ?)", scripted, told)
    assert kept == [{"risk": "no_risk"}] * 2


def test_the_books_keep_what_the_activation_said(older, sandbox):
    shipment = {"delay_adjust": 1, "shipping_company": "Post", "tracking_no": "T1", "return_tracking_no": "R1"}
    invno = older.activate(older.ripe_rno(), orderid1="op-2", reference="Anna", shipment_info=shipment)[1]
    (row,) = sandbox.rows("SELECT * FROM captures WHERE capture_id = ?", invno)
    assert row["reference"] == "op-2"
    assert all(text in row["details"] for text in ("T1", "R1", "Post", "Anna"))


def test_the_older_activation_takes_the_goods_sent_and_gives_up_the_rest_unless_told_to_keep_it(older, sandbox):
    for flags, left in ((0, "CAPTURED"), (16, "PART_CAPTURED")):
        rno = older.ripe_rno(items=TWO_KINDS)
        lines = [good(10000, qty=2)]
        signed = digest(EID, "410321-9202", "PLANT", 2)
        before = (rno, "", "410321-9202", "", "", "", "", "", [], [], "203.0.113.7", flags, 0, 209, 138)
        risk, invno = older.call("activate_reservation", *before, EID, signed, 2, -1, lines, "", [], [], [], [], [])
        assert (risk, older.call(*older.on_invoice("invoice_amount", invno))) == ("ok", 20000)
        assert older.row(rno)["status"] == left


def test_numbers_are_reserved_in_the_count_asked_for(older):
    numbers = older.call("reserve_ocr_nums", 2, EID, digest(EID, 2), 209)
    assert len(numbers) == len(set(numbers)) == 2
