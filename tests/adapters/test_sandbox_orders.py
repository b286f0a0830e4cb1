"""An order's life in the sandbox: charged, captured, sent out, refunded, cancelled, expired."""

import pytest


def test_a_session_becomes_a_token_and_a_charge_is_captured_sent_out_and_refunded(sandbox):
    order_id = sandbox.order_id(sandbox.token())
    captured = sandbox.capture(order_id, reference="op-1")
    capture_id = captured.headers["Capture-Id"]
    assert captured.status_code == 201
    assert captured.headers["Location"].endswith(f"/ordermanagement/v1/orders/{order_id}/captures/{capture_id}")
    assert sandbox.manage(order_id, f"captures/{capture_id}/trigger-send-out").status_code == 204
    assert sandbox.refund(order_id, 500, reference="op-2").status_code == 201
    order = sandbox.read(order_id).json()
    assert (order["status"], order["captured_amount"], order["refunded_amount"]) == ("CAPTURED", 1990, 500)
    causes = sandbox.rows("SELECT cause FROM send_outs WHERE order_id = ? ORDER BY id", order_id)
    assert [row["cause"] for row in causes] == ["capture", "trigger"]


def test_an_order_answers_with_its_redirect_and_its_payment_method(sandbox):
    answer = sandbox.charge()
    assert answer.status_code == 200
    assert answer.json()["fraud_status"] == "ACCEPTED"
    assert answer.json()["redirect_url"].startswith("https://")
    assert answer.json()["authorized_payment_method"]["type"] == "invoice"


def test_every_answer_carries_a_correlation_id_an_empty_one_and_an_unknown_address_too(sandbox):
    cancelled = sandbox.manage(sandbox.order_id(), "cancel")
    assert (cancelled.status_code, cancelled.content) == (204, b"")
    assert cancelled.headers["Klarna-Correlation-Id"]
    unknown = sandbox.client.get("/nothing/here")
    assert unknown.headers["Klarna-Correlation-Id"] == unknown.json()["correlation_id"]


def test_partial_captures_add_up_and_the_order_says_what_remains(sandbox):
    order_id = sandbox.order_id()
    sandbox.capture(order_id, 1000)
    part = sandbox.read(order_id).json()
    assert (part["status"], part["remaining_authorized_amount"]) == ("PART_CAPTURED", 990)
    sandbox.capture(order_id, 990)
    assert sandbox.read(order_id).json()["status"] == "CAPTURED"
    assert [capture["captured_amount"] for capture in sandbox.read(order_id, "/captures").json()] == [1000, 990]


def test_auto_capture_takes_the_whole_amount_with_the_order(sandbox):
    order = sandbox.read(sandbox.order_id(auto_capture=True)).json()
    assert (order["status"], order["captures"][0]["captured_amount"]) == ("CAPTURED", 1990)


def test_a_refund_that_repeats_the_captured_lines_is_tied_to_that_capture_and_a_bare_one_is_not(sandbox, coffee_line):
    order_id = sandbox.order_id()
    sandbox.capture(order_id)
    half = coffee_line(unit_price=995, total_amount=995, total_tax_amount=199)
    tied = sandbox.refund(order_id, 995, order_lines=[half]).headers["Refund-Id"]
    bare = sandbox.refund(order_id, 100).headers["Refund-Id"]
    assert sandbox.read(order_id, f"/refunds/{tied}").json()["credit_invoice"] is True
    assert sandbox.read(order_id, f"/refunds/{bare}").json()["credit_invoice"] is False
    assert sandbox.read(order_id).json()["captures"][0]["refunded_amount"] == 995


def test_an_authorization_lives_28_days_and_not_a_second_longer(sandbox):
    sandbox.freeze("2028-02-01T12:00:00Z")
    order_id = sandbox.order_id()
    sandbox.advance(days=28, seconds=-1)
    assert sandbox.read(order_id).json()["status"] == "AUTHORIZED"
    sandbox.advance(seconds=1)
    order = sandbox.read(order_id).json()
    assert (order["status"], order["expires_at"]) == ("EXPIRED", "2028-02-29T12:00:00.000Z")
    assert order["remaining_authorized_amount"] == 0


def test_what_was_captured_before_the_expiry_can_still_be_refunded(sandbox):
    order_id = sandbox.order_id()
    sandbox.capture(order_id, 1000)
    sandbox.advance(days=29)
    assert sandbox.read(order_id).json()["status"] == "EXPIRED"
    assert sandbox.refund(order_id, 1000).status_code == 201


def test_an_order_reads_back_what_was_sent_with_it(sandbox):
    sent = {"merchant_reference1": "inv_1", "merchant_reference2": "op-1", "merchant_data": "cellar"}
    order = sandbox.read(sandbox.order_id(**sent, shipping_address={"city": "Bremen"})).json()
    assert {name: order[name] for name in sent} == sent
    assert order["shipping_address"] == {"city": "Bremen"}
    assert order["purchase_currency"].upper() == "EUR"


def test_a_cancelled_token_answers_202_with_text_that_is_not_json(sandbox):
    token = sandbox.token()
    path = f"/customer-token/v1/tokens/{token}"
    answer = sandbox.client.patch(f"{path}/status", json={"status": "cancelled"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, "text/plain")
    assert sandbox.client.get(path).json()["status"] == "CANCELLED"


def test_where_tax_is_a_line_of_its_own_that_line_is_the_tax_of_the_order(sandbox, coffee_line):
    goods = coffee_line(tax_rate=None, total_tax_amount=None)
    tax = coffee_line(type="sales_tax", unit_price=160, total_amount=160, tax_rate=None, total_tax_amount=None)
    answer = sandbox.charge(order_amount=2150, order_tax_amount=160, order_lines=[goods, tax])
    assert answer.status_code == 200


@pytest.mark.parametrize("tax", [397, 398, 399])
def test_a_line_tax_may_be_one_minor_unit_off(sandbox, coffee_line, tax):
    lines = [coffee_line(total_tax_amount=tax)]
    assert sandbox.charge(order_tax_amount=tax, order_lines=lines).status_code == 200


def test_a_discount_line_is_negative(sandbox, coffee_line):
    rebate = coffee_line(type="discount", unit_price=-995, total_amount=-995, total_tax_amount=-199)
    answer = sandbox.charge(order_amount=995, order_tax_amount=199, order_lines=[coffee_line(), rebate])
    assert answer.status_code == 200


def test_the_files_rows_say_what_the_ledger_call_says(sandbox):
    order_id = sandbox.order_id()
    sandbox.capture(order_id)
    shown = sandbox.client.get("/_sandbox/ledger").json()
    for table in ("orders", "captures", "refunds", "send_outs", "declines", "faults", "tokens"):
        assert shown[table] == sandbox.rows(f"SELECT * FROM {table} ORDER BY rowid")
    assert order_id in {row["order_id"] for row in shown["orders"]}
