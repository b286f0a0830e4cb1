"""Payouts over HTTP: as JSON and as a file, recorded once, with what does not match."""

from typing import Any

import httpx

from tests.api.service import Service

PAYOUTS = "/admin/v1/payouts"
HEADER = "payout,account,paid_on,currency,kind,provider_id,reference,amount,fee\n"
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def kronor(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "SEK"}


def captured(service: Service, client: httpx.Client) -> dict[str, Any]:
    service.paid_invoice(client)
    (capture,) = client.get("/v1/operations", params={"kind": "capture"}).json()["data"]
    return capture


def body(capture: dict[str, Any], **changes: Any) -> dict[str, Any]:
    line = {
        "kind": "capture",
        "provider_id": capture["provider_id"],
        "amount": capture["amount"],
        "fee": kronor(75),
    }
    whole = {"reference": "po-1", "provider_account": "main", "paid_on": "2028-01-31", "amount": kronor(3895)}
    return {**whole, "lines": [line], **changes}


def test_a_payout_is_recorded_matched_and_read_again(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    (open_,) = client.get(f"{PAYOUTS}/outstanding").json()["data"]
    assert (open_["operation_id"], open_["amount"]) == (capture["id"], kronor(3970))
    answer = client.post(PAYOUTS, json=body(capture))
    payout = answer.json()
    assert answer.status_code == 201, payout
    assert (payout["fees"], payout["matched"], payout["unmatched"]) == (kronor(75), 1, 0)
    assert (payout["lines"][0]["match"], payout["lines"][0]["operation_id"]) == ("matched", capture["id"])
    assert client.get(f"{PAYOUTS}/{payout['id']}").json() == payout
    assert [row["id"] for row in client.get(PAYOUTS).json()["data"]] == [payout["id"]]
    assert client.get(f"{PAYOUTS}/outstanding").json()["data"] == []


def test_a_settlement_file_says_the_same_as_json(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    head = "po-1,main,2028-01-31,SEK"
    file = f"{HEADER}{head},capture,{capture['provider_id']},,39.70,0.75\n{head},payout,,,38.95,\n"
    first = client.post(PAYOUTS, content=file, headers=CSV)
    again = client.post(PAYOUTS, json=body(capture))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_a_file_that_is_not_of_the_form_is_refused_with_its_row(client: httpx.Client) -> None:
    answer = client.post(PAYOUTS, content=f"{HEADER}po-1,main,today,SEK,payout,,,1.00,\n", headers=CSV)
    assert (answer.status_code, "row 2" in answer.json()["detail"]) == (422, True)
    assert client.post(PAYOUTS, content=b"\xff\xfe", headers=CSV).status_code == 400
    assert client.post(PAYOUTS, content=b"\n", headers=CSV).status_code == 422
    assert client.post(PAYOUTS, content=b"", headers=CSV).status_code == 400


def test_the_same_reference_with_other_lines_is_a_conflict(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    client.post(PAYOUTS, json=body(capture))
    before = service.dump()
    answer = client.post(PAYOUTS, json=body(capture, paid_on="2028-01-30"))
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert service.dump() == before


def test_what_cannot_be_right_is_refused_by_field(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    line = body(capture)["lines"][0]
    for changes, where in [
        ({"amount": kronor(1)}, "amount"),
        ({"paid_on": "31.1.2028"}, "paid_on"),
        ({"paid_on": "2028-02-01"}, "paid_on"),
        ({"provider_account": "other"}, "provider_account"),
        ({"lines": []}, "lines"),
        ({"lines": [{**line, "kind": "gift"}]}, "lines[0].kind"),
        ({"lines": [{**line, "amount": {"amount": 3970, "currency": "EUR"}}]}, "lines[0].amount"),
        ({"lines": [{**line, "fee": {"amount": -1, "currency": "SEK"}}]}, "lines[0].fee.amount"),
    ]:
        answer = client.post(PAYOUTS, json=body(capture, **changes))
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where), answer.text


def test_lines_that_do_not_match_can_be_looked_at_again(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    stranger = {**body(capture)["lines"][0], "provider_id": "another"}
    payout = client.post(PAYOUTS, json=body(capture, lines=[stranger])).json()
    assert (payout["matched"], payout["unmatched"]) == (0, 1)
    again = client.post(f"{PAYOUTS}/{payout['id']}/match", json={"positions": [1]})
    assert (again.status_code, again.json()["lines"][0]["match"]) == (200, "not_found")


def test_payouts_are_the_operators(service: Service, client: httpx.Client) -> None:
    capture = captured(service, client)
    with service.client(service.merchant_key) as merchant:
        assert merchant.post(PAYOUTS, json=body(capture)).status_code == 403
    assert client.get(f"{PAYOUTS}/po_{'0' * 32}").status_code == 404
    assert client.get(f"{PAYOUTS}/inv_{'0' * 32}").status_code == 404
