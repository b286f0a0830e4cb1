"""Orders under review: pending, decided by time or by hand, accepted or rejected."""

import pytest


def state(sandbox, order_id):
    order = sandbox.read(order_id).json()
    return order["fraud_status"], order["status"], order["captured_amount"]


@pytest.mark.parametrize(
    ("behaviour", "verdict"), [("pending_then_ok", "ACCEPTED"), ("pending_then_rejected", "REJECTED")]
)
def test_a_pending_order_is_decided_after_six_hours(sandbox, behaviour, verdict):
    sandbox.freeze("2028-05-01T00:00:00Z")
    placed = sandbox.charge(sandbox.token(behaviour)).json()
    sandbox.advance(hours=6, seconds=-1)
    assert (placed["fraud_status"], state(sandbox, placed["order_id"])[0]) == ("PENDING", "PENDING")
    sandbox.advance(seconds=1)
    assert state(sandbox, placed["order_id"]) == (verdict, "AUTHORIZED", 0)


def test_nothing_is_captured_or_amended_while_it_is_pending_but_it_may_be_cancelled(sandbox):
    order_id = sandbox.order_id(sandbox.token("pending_then_ok"))
    path = f"/ordermanagement/v1/orders/{order_id}/authorization"
    codes = [sandbox.capture(order_id), sandbox.client.patch(path, json={"order_amount": 1000})]
    assert [answer.json()["error_code"] for answer in codes] == ["CAPTURE_NOT_ALLOWED", "NOT_ALLOWED"]
    assert sandbox.manage(order_id, "cancel").status_code == 204


def test_a_rejected_order_is_at_ones_own_risk_for_four_hours_and_then_cancelled(sandbox):
    token = sandbox.token("pending_then_rejected")
    taken, left = sandbox.order_id(token), sandbox.order_id(token)
    sandbox.advance(hours=9)
    assert sandbox.capture(taken).status_code == 201
    assert sandbox.rows("SELECT risk FROM captures WHERE order_id = ?", taken) == [{"risk": "no_risk"}]
    sandbox.advance(hours=1)
    assert state(sandbox, left) == ("REJECTED", "CANCELLED", 0)
    assert sandbox.rows("SELECT kind, amount FROM voids WHERE order_id = ?", left) == [
        {"kind": "rejected", "amount": 1990}
    ]


@pytest.mark.parametrize("behaviour", ["pending_then_ok", "pending_then_rejected"])
def test_what_was_to_be_captured_at_once_is_captured_when_it_is_accepted(sandbox, behaviour):
    order_id = sandbox.order_id(sandbox.token(behaviour), auto_capture=True)
    assert state(sandbox, order_id)[2] == 0
    sandbox.advance(hours=24)
    assert state(sandbox, order_id)[2] == (1990 if behaviour == "pending_then_ok" else 0)


def test_a_review_is_decided_by_hand(sandbox):
    order_id = sandbox.order_id(sandbox.token("pending_then_ok"))
    path = f"/_sandbox/orders/{order_id}/review"
    assert sandbox.client.post(path, json={"decision": "reject"}).json() == {"fraud_status": "REJECTED"}
    assert sandbox.client.post(path, json={"decision": "accept"}).status_code == 409
    assert state(sandbox, order_id)[0] == "REJECTED"


def test_the_books_decide_what_is_due_before_they_are_shown(sandbox):
    order_id = sandbox.order_id(sandbox.token("pending_then_rejected"))
    sandbox.advance(hours=11)
    shown = sandbox.client.get("/_sandbox/ledger").json()["orders"]
    assert [row["status"] for row in shown if row["order_id"] == order_id] == ["CANCELLED"]
