"""What changes about an order of the newer generation beside its money: lines, references, addresses, dates."""

import pytest

PARCEL = {
    "shipping_company": "Post",
    "shipping_method": "Home",
    "tracking_number": "T1",
    "return_tracking_number": "R1",
}


@pytest.fixture
def patch(sandbox):
    def send(order_id, call, body, key=None):
        headers = {"Klarna-Idempotency-Key": key} if key else {}
        return sandbox.client.patch(f"/ordermanagement/v1/orders/{order_id}/{call}", json=body, headers=headers)

    return send


@pytest.fixture
def amend(patch, coffee_line):
    def send(order_id, amount, *, with_lines=True, key=None):
        line = coffee_line(unit_price=amount, total_amount=amount, total_tax_amount=amount - amount * 4 // 5)
        return patch(
            order_id, "authorization", {"order_amount": amount} | ({"order_lines": [line]} if with_lines else {}), key
        )

    return send


def code(answer):
    return answer.json()["error_code"]


def test_an_amended_order_has_the_new_lines_and_remembers_what_it_was(sandbox, amend):
    order_id = sandbox.order_id()
    assert amend(order_id, 1000).status_code == 204
    order = sandbox.read(order_id).json()
    amounts = (order["order_amount"], order["remaining_authorized_amount"], order["original_order_amount"])
    assert amounts == (1000, 1000, 1990)
    assert [line["total_amount"] for line in order["order_lines"]] == [1000]


def test_an_increase_is_assessed_anew_and_a_token_that_ended_fails(sandbox, amend):
    token = sandbox.token()
    order_id = sandbox.order_id(token)
    assert amend(order_id, 3000).status_code == 204
    sandbox.client.patch(f"/customer-token/v1/tokens/{token}/status", json={"status": "CANCELLED"})
    assert (amend(order_id, 3001).status_code, amend(order_id, 2000).status_code) == (403, 204)


def test_an_amount_below_what_is_captured_is_refused_and_the_same_closes_the_order(sandbox, amend):
    order_id = sandbox.order_id()
    sandbox.capture(order_id, 1000)
    assert code(amend(order_id, 999)) == "NOT_ALLOWED"
    assert amend(order_id, 1000).status_code == 204
    assert sandbox.read(order_id).json()["status"] == "CAPTURED"


def test_lines_that_do_not_add_up_are_refused(sandbox, patch, coffee_line):
    answer = patch(sandbox.order_id(), "authorization", {"order_amount": 1, "order_lines": [coffee_line()]})
    assert (answer.status_code, code(answer)) == (400, "BAD_VALUE")


@pytest.mark.parametrize("end", ["captured", "cancelled", "expired"])
def test_an_order_that_is_over_is_not_amended(sandbox, amend, end):
    order_id = sandbox.order_id(auto_capture=end == "captured")
    if end == "cancelled":
        sandbox.manage(order_id, "cancel")
    if end == "expired":
        sandbox.advance(days=28)
    assert code(amend(order_id, 1000)) == "NOT_ALLOWED"


def test_references_are_changed_one_by_one_and_an_order_that_is_cancelled_keeps_its_own(sandbox, patch):
    order_id = sandbox.order_id(merchant_reference1="inv_1", merchant_reference2="op-1")
    assert patch(order_id, "merchant-references", {"merchant_reference1": "inv_2"}).status_code == 204
    order = sandbox.read(order_id).json()
    assert (order["merchant_reference1"], order["merchant_reference2"]) == ("inv_2", "op-1")
    sandbox.manage(order_id, "cancel")
    assert code(patch(order_id, "merchant-references", {"merchant_reference1": "inv_3"})) == "NOT_ALLOWED"


def test_the_shipping_address_is_changed(sandbox, patch):
    order_id = sandbox.order_id()
    assert patch(order_id, "customer-details", {"shipping_address": {"city": "Bremen"}}).status_code == 204
    assert sandbox.read(order_id).json()["shipping_address"] == {"city": "Bremen"}
    too_long = patch(order_id, "customer-details", {"shipping_address": {"city": "x" * 100}})
    assert (too_long.status_code, code(too_long)) == (422, "INVALID_ADDRESS")


def test_parcels_are_added_before_and_after_the_capture(sandbox):
    order_id = sandbox.order_id()
    assert sandbox.manage(order_id, "shipping-info", {"shipping_info": [PARCEL]}).status_code == 204
    capture_id = sandbox.capture(order_id, shipping_info=[PARCEL]).headers["Capture-Id"]
    after = sandbox.manage(order_id, f"captures/{capture_id}/shipping-info", {"shipping_info": [PARCEL, PARCEL]})
    order = sandbox.read(order_id).json()
    assert (after.status_code, order["shipping_info"]) == (204, [PARCEL])
    assert order["captures"][0]["shipping_info"] == [PARCEL] * 3


@pytest.mark.parametrize("parcels", [None, [], [{"tracking_number": "x" * 101}], "T1"])
def test_parcels_that_are_none_are_refused(sandbox, parcels):
    assert sandbox.manage(sandbox.order_id(), "shipping-info", {"shipping_info": parcels}).status_code in (400, 422)


def test_what_is_left_after_a_part_is_released(sandbox):
    order_id = sandbox.order_id()
    assert code(sandbox.manage(order_id, "release-remaining-authorization")) == "NOT_ALLOWED"
    sandbox.capture(order_id, 1000)
    assert sandbox.manage(order_id, "release-remaining-authorization", {}).status_code == 204
    order = sandbox.read(order_id).json()
    assert (order["status"], order["remaining_authorized_amount"], order["captured_amount"]) == ("CAPTURED", 0, 1000)
    assert code(sandbox.capture(order_id, 1)) == "CAPTURE_NOT_ALLOWED"
    assert code(sandbox.manage(order_id, "release-remaining-authorization")) == "NOT_ALLOWED"
    assert sandbox.rows("SELECT kind, amount FROM voids WHERE order_id = ?", order_id) == [
        {"kind": "release", "amount": 990}
    ]


def extended(sandbox, order_id):
    answer = sandbox.manage(order_id, "extend-authorization-time")
    return sandbox.read(order_id).json()["expires_at"] if answer.status_code == 204 else code(answer)


def test_an_authorization_is_extended_to_the_end_of_the_day_and_once_a_day_is_enough(sandbox):
    sandbox.freeze("2028-01-15T10:00:00Z")
    order_id = sandbox.order_id()
    assert extended(sandbox, order_id) == "2028-02-13T00:00:00.000Z"
    sandbox.advance(hours=5)
    assert extended(sandbox, order_id) == "2028-02-13T00:00:00.000Z"


def test_no_authorization_is_extended_beyond_180_days_nor_once_it_has_expired(sandbox):
    sandbox.freeze("2028-01-01T10:00:00Z")
    order_id = sandbox.order_id()
    for _ in range(7):
        sandbox.advance(days=24)
        last = extended(sandbox, order_id)
    assert last == "2028-06-29T10:00:00.000Z"
    sandbox.advance(days=30)
    assert extended(sandbox, order_id) == "NOT_ALLOWED"


def test_a_due_date_is_moved_once_by_one_of_the_options(sandbox, patch):
    order_id = sandbox.order_id()
    capture_id = sandbox.capture(order_id).headers["Capture-Id"]
    options = sandbox.read(order_id, f"/captures/{capture_id}/extend-due-date-options").json()
    days = options["options"][0]["number_of_days"]
    tried = [patch(order_id, f"captures/{capture_id}/extend-due-date", {"number_of_days": n}) for n in (days + 1, days)]
    assert [answer.status_code for answer in tried] == [403, 204]
    assert options["currency"] == "EUR"


CHANGES = [
    ("PATCH", "authorization", {"order_amount": 1000}),
    ("PATCH", "merchant-references", {"merchant_reference1": "inv_2"}),
    ("PATCH", "customer-details", {"shipping_address": {"city": "Bremen"}}),
    ("POST", "shipping-info", {"shipping_info": [PARCEL]}),
    ("POST", "extend-authorization-time", {}),
    ("POST", "release-remaining-authorization", {}),
    ("POST", "acknowledge", {}),
]


@pytest.mark.parametrize(("method", "call", "body"), CHANGES, ids=[row[1] for row in CHANGES])
def test_a_change_of_an_unknown_order_is_404(sandbox, method, call, body):
    answer = sandbox.client.request(method, f"/ordermanagement/v1/orders/nothing/{call}", json=body)
    assert (answer.status_code, code(answer)) == (404, "NO_SUCH_ORDER")


def test_a_repeated_change_is_made_once(sandbox, amend):
    order_id = sandbox.order_id()
    for amount in (1500, 1000):
        amend(order_id, amount, key=f"{order_id}-amend")
    assert sandbox.read(order_id).json()["order_amount"] == 1500
    for _ in range(2):
        sandbox.manage(order_id, "shipping-info", {"shipping_info": [PARCEL]}, key=f"{order_id}-ship")
    assert len(sandbox.read(order_id).json()["shipping_info"]) == 1


@pytest.mark.parametrize(("minutes", "status"), [(29, 403), (30, 201)])
def test_nothing_is_captured_in_the_first_thirty_minutes(sandbox, minutes, status):
    sandbox.client.delete("/_sandbox/settings")
    sandbox.freeze("2028-05-01T12:00:00Z")
    order_id = sandbox.order_id()
    sandbox.advance(minutes=minutes)
    answer = sandbox.capture(order_id)
    assert answer.status_code == status
    assert sandbox.read(order_id).json()["captured_amount"] == (1990 if status == 201 else 0)


def test_an_order_that_is_captured_with_its_placing_need_not_wait(sandbox):
    sandbox.client.delete("/_sandbox/settings")
    assert sandbox.read(sandbox.order_id(auto_capture=True)).json()["status"] == "CAPTURED"


def test_a_refusal_of_a_proxy_is_not_kept_under_the_key(sandbox):
    sandbox.script({"fault": "refuse", "status": 403})
    assert [sandbox.charge(key="proxy-in-front").status_code for _ in range(2)] == [403, 200]


def test_what_somebody_does_in_the_portal_shows_in_the_order(sandbox):
    order_id = sandbox.order_id()
    for act in ({"action": "capture", "amount": 1500}, {"action": "refund", "amount": 500}, {"action": "cancel"}):
        sandbox.client.post(f"/_sandbox/orders/{order_id}/portal", json=act).raise_for_status()
    order = sandbox.read(order_id).json()
    assert (order["status"], order["captured_amount"], order["refunded_amount"]) == ("CAPTURED", 1500, 500)
    too_much = sandbox.client.post(f"/_sandbox/orders/{order_id}/portal", json={"action": "refund", "amount": 1001})
    assert too_much.status_code == 422
