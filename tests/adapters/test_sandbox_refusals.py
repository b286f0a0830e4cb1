"""One row per refusal that Klarna's documents name for these calls, and per field that they limit."""

from uuid import uuid4

import pytest

TOO_LONG = "x" * 256
SUBSCRIPTION = {"name": "Coffee", "interval": "MONTH", "interval_count": 1}

# What is wrong with a charge -> 400 BAD_VALUE, whatever the field.
WRONG_CHARGES = {
    "no currency": {"purchase_currency": None},
    "currency of two letters": {"purchase_currency": "EU"},
    "no amount": {"order_amount": None},
    "amount 0": {"order_amount": 0},
    "amount 1990.0": {"order_amount": 1990.0},
    "amount as text": {"order_amount": "1990"},
    "amount true": {"order_amount": True},
    "amount not the sum of the lines": {"order_amount": 1991},
    "no tax amount": {"order_tax_amount": None},
    "negative tax amount": {"order_tax_amount": -1},
    "tax not the sum of the lines": {"order_tax_amount": 399},
    "no lines": {"order_lines": None},
    "empty lines": {"order_lines": []},
    "lines that are no list": {"order_lines": {}},
    "a line that is no object": {"order_lines": [1]},
    "auto_capture as text": {"auto_capture": "true"},
    "reference 1 too long": {"merchant_reference1": TOO_LONG},
    "reference 2 too long": {"merchant_reference2": TOO_LONG},
    "reference as number": {"merchant_reference1": 1},
    "merchant data too long": {"merchant_data": "x" * 6001},
    "addresses without a confirmation": {"merchant_urls": {"push": "https://shop.invalid/push"}},
    "confirmation too long": {"merchant_urls": {"confirmation": "x" * 2001}},
    "push too long": {"merchant_urls": {"confirmation": "https://shop.invalid", "push": "x" * 2001}},
    "attachment without a type": {"attachment": {"body": "{}"}},
    "attachment that is no JSON": {"attachment": {"content_type": "application/json", "body": "{"}},
}

# What is wrong with one line of a charge -> 400 BAD_VALUE.
WRONG_LINES = {
    "no name": {"name": None},
    "empty name": {"name": ""},
    "name too long": {"name": TOO_LONG},
    "no quantity": {"quantity": None},
    "negative quantity": {"quantity": -1},
    "quantity 1.0": {"quantity": 1.0},
    "no unit price": {"unit_price": None},
    "no total": {"total_amount": None},
    "total is not quantity times price": {"quantity": 2},
    "discount not taken off": {"total_discount_amount": 100},
    "negative discount": {"total_discount_amount": -1, "total_amount": 1991},
    "price above 1,000,000.00": {"unit_price": 100_000_001, "total_amount": 100_000_001},
    "negative price of goods": {"unit_price": -1990, "total_amount": -1990},
    "unknown type": {"type": "voucher"},
    "return fee outside of a refund": {"type": "return_fee"},
    "reference too long": {"reference": "x" * 257},
    "unit too long": {"quantity_unit": "kilogram!"},
    "empty unit": {"quantity_unit": ""},
    "merchant data too long": {"merchant_data": TOO_LONG},
    "product address too long": {"product_url": "x" * 1025},
    "picture address too long": {"image_url": "x" * 1025},
    "brand too long": {"product_identifiers": {"brand": "x" * 71}},
    "negative rate": {"tax_rate": -1},
    "tax two units off": {"total_tax_amount": 400},
    "tax without a rate": {"tax_rate": None},
    "subscription without a name": {"subscription": SUBSCRIPTION | {"name": None}},
    "subscription without an interval": {"subscription": SUBSCRIPTION | {"interval": None}},
    "subscription without a count": {"subscription": SUBSCRIPTION | {"interval_count": None}},
    "subscription every fortnight": {"subscription": SUBSCRIPTION | {"interval": "FORTNIGHT"}},
    "subscription counted 0": {"subscription": SUBSCRIPTION | {"interval_count": 0}},
    "subscription as text": {"subscription": "monthly"},
}


@pytest.mark.parametrize("changes", WRONG_CHARGES.values(), ids=WRONG_CHARGES.keys())
def test_a_charge_is_refused_with(sandbox, changes):
    answer = sandbox.charge(**changes)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_VALUE")


@pytest.mark.parametrize("changes", WRONG_LINES.values(), ids=WRONG_LINES.keys())
def test_a_line_is_refused_with(sandbox, coffee_line, changes):
    line = coffee_line(**changes)
    amount, tax = (line.get(name, 0) for name in ("total_amount", "total_tax_amount"))
    answer = sandbox.charge(order_amount=max(amount, 1), order_tax_amount=tax, order_lines=[line])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_VALUE")
    assert "order_lines[0]" in answer.json()["error_messages"][0]


def test_a_thousand_lines_are_taken_and_one_more_is_refused(sandbox, coffee_line):
    line = coffee_line(unit_price=1, total_amount=1, total_tax_amount=0)
    taken = sandbox.charge(order_amount=1000, order_tax_amount=0, order_lines=[line] * 1000)
    refused = sandbox.charge(order_amount=1001, order_tax_amount=0, order_lines=[line] * 1001)
    assert (taken.status_code, refused.status_code) == (200, 400)


def unknown() -> str:
    return str(uuid4())


def captured(sandbox) -> str:
    return sandbox.order_id(auto_capture=True)


def cancelled(sandbox) -> str:
    order_id = sandbox.order_id()
    sandbox.manage(order_id, "cancel")
    return order_id


def expired(sandbox) -> str:
    order_id = sandbox.order_id()
    sandbox.advance(days=28)
    return order_id


def cancelled_token(sandbox) -> str:
    token = sandbox.token()
    sandbox.client.patch(f"/customer-token/v1/tokens/{token}/status", json={"status": "CANCELLED"})
    return token


def set_status(sandbox, token, status):
    return sandbox.client.patch(f"/customer-token/v1/tokens/{token}/status", json={"status": status})


def old_authorization(sandbox) -> str:
    authorization = sandbox.authorization()
    sandbox.advance(minutes=60)
    return authorization


def used_authorization(sandbox) -> str:
    authorization = sandbox.authorization()
    sandbox.create_token(authorization)
    return authorization


def in_new_zealand(sandbox):
    place = {"purchase_country": "NZ", "purchase_currency": "NZD"}
    return sandbox.create_token(sandbox.authorization(**place), **place)


def raw_charge(sandbox, content):
    return sandbox.client.post(f"/customer-token/v1/tokens/{sandbox.good_token}/order", content=content)


def token_refusal(sandbox, **changes):
    return sandbox.create_token(sandbox.authorization(), **changes)


def send_out(sandbox, order_id):
    return sandbox.manage(order_id, f"captures/{unknown()}/trigger-send-out")


REFUSALS = [
    # the caller
    ("no credentials", lambda s: s.client.get("/customer-token/v1/tokens/x", auth=("a", "b")), 401, "UNAUTHORIZED"),
    ("unknown address", lambda s: s.client.get("/ordermanagement/v2/orders"), 404, "NOT_FOUND"),
    # bodies
    ("no JSON", lambda s: raw_charge(s, b"{"), 400, "BAD_REQUEST"),
    ("no object", lambda s: raw_charge(s, b"[]"), 400, "BAD_REQUEST"),
    ("not a number", lambda s: raw_charge(s, b'{"order_amount": NaN}'), 400, "BAD_REQUEST"),
    ("not UTF-8", lambda s: raw_charge(s, b'{"merchant_data": "\xff"}'), 400, "BAD_REQUEST"),
    ("an unpaired surrogate", lambda s: raw_charge(s, b'{"merchant_data": "\\ud800"}'), 400, "BAD_REQUEST"),
    ("nested too deep", lambda s: raw_charge(s, b"[" * 100_000), 400, "BAD_REQUEST"),
    ("larger than 1 MB", lambda s: raw_charge(s, b" " * 1_048_577), 413, "REQUEST_TOO_LARGE"),
    # sessions
    ("session without country", lambda s: s.session(purchase_country=None), 400, "BAD_VALUE"),
    ("session in a foreign currency", lambda s: s.session(purchase_currency="SEK"), 400, "BAD_VALUE"),
    ("session in an unknown country", lambda s: s.session(purchase_country="ZZ"), 400, "BAD_VALUE"),
    ("session with a negative amount", lambda s: s.session(order_amount=-1), 400, "BAD_VALUE"),
    ("session without lines", lambda s: s.session(order_lines=[]), 400, "BAD_VALUE"),
    ("session of an unknown intent", lambda s: s.session(intent="rent"), 400, "BAD_VALUE"),
    ("session whose sum is wrong", lambda s: s.session(intent="buy", order_amount=1), 400, "BAD_VALUE"),
    ("session with a wrong address", lambda s: s.session(billing_address={"phone": "1"}), 422, "INVALID_ADDRESS"),
    # making tokens
    ("token without locale", lambda s: token_refusal(s, locale=None), 400, "BAD_VALUE"),
    ("token with a wrong locale", lambda s: token_refusal(s, locale="german"), 400, "BAD_VALUE"),
    ("token without country", lambda s: token_refusal(s, purchase_country=None), 400, "BAD_VALUE"),
    ("token without currency", lambda s: token_refusal(s, purchase_currency=None), 400, "BAD_VALUE"),
    ("token without description", lambda s: token_refusal(s, description=None), 400, "BAD_VALUE"),
    ("token with an empty description", lambda s: token_refusal(s, description=""), 400, "BAD_VALUE"),
    ("token with a long description", lambda s: token_refusal(s, description=TOO_LONG), 400, "BAD_VALUE"),
    ("token without use", lambda s: token_refusal(s, intended_use=None), 400, "BAD_VALUE"),
    ("token for another use", lambda s: token_refusal(s, intended_use="ONE_OFF"), 400, "BAD_VALUE"),
    (
        "postal code too long",
        lambda s: token_refusal(s, billing_address={"postal_code": "1" * 11}),
        422,
        "INVALID_ADDRESS",
    ),
    ("not tokenized in that country", in_new_zealand, 400, "BAD_VALUE"),
    ("session was to buy", lambda s: s.create_token(s.authorization(intent="buy")), 403, "INVALID_OPERATION"),
    ("authorization unknown", lambda s: s.create_token(unknown()), 404, "NOT_FOUND"),
    ("authorization expired", lambda s: s.create_token(old_authorization(s)), 404, "NOT_FOUND"),
    ("authorization used", lambda s: s.create_token(used_authorization(s)), 404, "SESSION_COMPLETED"),
    ("country differs from the session", lambda s: token_refusal(s, purchase_country="AT"), 409, "CONFLICT"),
    # reading and changing tokens
    ("token unknown", lambda s: s.client.get(f"/customer-token/v1/tokens/{unknown()}"), 404, "NOT_FOUND"),
    ("status of an unknown token", lambda s: set_status(s, unknown(), "CANCELLED"), 404, "NOT_FOUND"),
    ("status to another value", lambda s: set_status(s, s.good_token, "ACTIVE"), 400, "BAD_VALUE"),
    ("status missing", lambda s: set_status(s, s.good_token, None), 400, "BAD_VALUE"),
    # charging
    ("charge of an unknown token", lambda s: s.charge(unknown()), 404, "TOKEN_NOT_FOUND"),
    ("charge of a cancelled token", lambda s: s.charge(cancelled_token(s)), 403, "TOKEN_CANCELLED"),
    ("charge of a suspended token", lambda s: s.charge(s.token("suspended")), 403, "TOKEN_SUSPENDED"),
    ("charge declined", lambda s: s.charge(s.token("decline_soft")), 403, "PAYMENT_METHOD_FAILED"),
    ("foreign currency", lambda s: s.charge(purchase_currency="SEK"), 403, "PAYMENT_METHOD_CURRENCY_MISMATCH"),
    ("wrong shipping address", lambda s: s.charge(shipping_address={"city": "x" * 100}), 422, "INVALID_ADDRESS"),
    # reading orders
    ("order unknown", lambda s: s.read(unknown()), 404, "NO_SUCH_ORDER"),
    ("captures of an unknown order", lambda s: s.read(unknown(), "/captures"), 404, "NO_SUCH_ORDER"),
    ("capture of an unknown order", lambda s: s.read(unknown(), "/captures/x"), 404, "NO_SUCH_ORDER"),
    ("capture unknown", lambda s: s.read(captured(s), "/captures/x"), 404, "NO_SUCH_CAPTURE"),
    ("refund of an unknown order read", lambda s: s.read(unknown(), "/refunds/x"), 404, "NOT_FOUND"),
    ("refund unknown", lambda s: s.read(captured(s), "/refunds/x"), 404, "NOT_FOUND"),
    # captures
    ("capture without amount", lambda s: s.capture(s.order_id(), None), 400, "BAD_VALUE"),
    ("capture of 10.0", lambda s: s.capture(s.order_id(), 10.0), 400, "BAD_VALUE"),
    ("capture of text", lambda s: s.capture(s.order_id(), "10"), 400, "BAD_VALUE"),
    ("capture of true", lambda s: s.capture(s.order_id(), True), 400, "BAD_VALUE"),
    ("capture below 0", lambda s: s.capture(s.order_id(), -1), 422, "UNPROCESSABLE_ENTITY"),
    ("capture above 2,000,000.00", lambda s: s.capture(s.order_id(), 200_000_001), 422, "UNPROCESSABLE_ENTITY"),
    ("capture description", lambda s: s.capture(s.order_id(), description=TOO_LONG), 422, "UNPROCESSABLE_ENTITY"),
    ("capture reference", lambda s: s.capture(s.order_id(), reference=TOO_LONG), 422, "UNPROCESSABLE_ENTITY"),
    ("capture shipping", lambda s: s.capture(s.order_id(), shipping_info=[{}] * 501), 422, "UNPROCESSABLE_ENTITY"),
    ("capture shipping delay", lambda s: s.capture(s.order_id(), shipping_delay=1), 400, "BAD_VALUE"),
    ("capture with a bad line", lambda s: s.capture(s.order_id(), order_lines=[{}]), 400, "BAD_VALUE"),
    ("capture order unknown", lambda s: s.capture(unknown()), 404, "NO_SUCH_ORDER"),
    ("capture after a cancel", lambda s: s.capture(cancelled(s)), 403, "CAPTURE_NOT_ALLOWED"),
    ("capture after the expiry", lambda s: s.capture(expired(s)), 403, "CAPTURE_NOT_ALLOWED"),
    ("capture of more than is left", lambda s: s.capture(s.order_id(), 1991), 403, "CAPTURE_NOT_ALLOWED"),
    ("capture of nothing", lambda s: s.capture(s.order_id(), 0), 403, "CAPTURE_NOT_ALLOWED"),
    ("capture when all is captured", lambda s: s.capture(captured(s), 1), 403, "CAPTURE_NOT_ALLOWED"),
    # send-outs
    ("send-out without captures", lambda s: send_out(s, s.order_id()), 403, "NOT_ALLOWED"),
    ("send-out of an unknown capture", lambda s: send_out(s, captured(s)), 404, "NO_SUCH_CAPTURE"),
    ("send-out of an unknown order", lambda s: send_out(s, unknown()), 404, "NO_SUCH_ORDER"),
    # refunds
    ("refund without amount", lambda s: s.refund(captured(s), None), 400, "BAD_VALUE"),
    ("refund of 10.0", lambda s: s.refund(captured(s), 10.0), 400, "BAD_VALUE"),
    ("refund above 2,000,000.00", lambda s: s.refund(captured(s), 200_000_001), 422, "UNPROCESSABLE_ENTITY"),
    ("refund description", lambda s: s.refund(captured(s), description=TOO_LONG), 422, "UNPROCESSABLE_ENTITY"),
    ("refund reference", lambda s: s.refund(captured(s), reference=TOO_LONG), 422, "UNPROCESSABLE_ENTITY"),
    ("refund order unknown", lambda s: s.refund(unknown()), 404, "NOT_FOUND"),
    ("refund without captures", lambda s: s.refund(s.order_id()), 403, "REFUND_NOT_ALLOWED"),
    ("refund of more than captured", lambda s: s.refund(captured(s), 1991), 403, "REFUND_NOT_ALLOWED"),
    ("refund of nothing", lambda s: s.refund(captured(s), 0), 403, "REFUND_NOT_ALLOWED"),
    # cancels
    ("cancel after a capture", lambda s: s.manage(captured(s), "cancel"), 403, "CANCEL_NOT_ALLOWED"),
    ("cancel after a cancel", lambda s: s.manage(cancelled(s), "cancel"), 403, "CANCEL_NOT_ALLOWED"),
    ("cancel after the expiry", lambda s: s.manage(expired(s), "cancel"), 403, "CANCEL_NOT_ALLOWED"),
    ("cancel order unknown", lambda s: s.manage(unknown(), "cancel"), 404, "NO_SUCH_ORDER"),
    ("cancel with a list", lambda s: s.manage(s.order_id(), "cancel", [1]), 400, "BAD_REQUEST"),
]


@pytest.mark.parametrize(("call", "status", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refused(sandbox, call, status, code):
    answer = call(sandbox)
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (status, code)
    assert body["error_messages"]
    assert body["correlation_id"] == answer.headers["Klarna-Correlation-Id"]


# Refusals that no state of the sandbox leads to are had from the script.
SCRIPTED = [
    (403, "TOKEN_FORBIDDEN"),
    (403, "UNAVAILABLE_PAYMENT_METHOD"),
    (403, "MERCHANT_INACTIVE"),
    (403, "REJECTED"),
    (409, "BAD_VALUE"),
    (500, "UNEXPECTED_ERROR"),
    (502, "TEMPORARILY_UNAVAILABLE"),
    (504, "TIMEOUT"),
]


@pytest.mark.parametrize(("status", "code"), SCRIPTED)
def test_refused_by_the_script(sandbox, status, code):
    sandbox.script({"fault": "refuse", "status": status, "error_code": code})
    answer = sandbox.charge()
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_a_proxy_in_front_refuses_without_a_body(sandbox):
    sandbox.script({"fault": "refuse", "status": 403})
    answer = sandbox.charge()
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_refused_capture_changes_nothing(sandbox):
    order_id = sandbox.order_id()
    sandbox.capture(order_id, 1991)
    order = sandbox.read(order_id).json()
    assert (order["status"], order["captured_amount"], order["captures"]) == ("AUTHORIZED", 0, [])


def test_the_second_of_two_refunds_of_sixty_percent_is_refused(sandbox):
    order_id = captured(sandbox)
    assert [sandbox.refund(order_id, 1194).status_code for _ in range(2)] == [201, 403]
    assert sandbox.read(order_id).json()["refunded_amount"] == 1194
