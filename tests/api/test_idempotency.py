"""A request under an Idempotency-Key has one effect and one answer, however often and however parallel it arrives."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.service import CUSTOMER, PLAN, Service

KEY = {"Idempotency-Key": "order 17/1"}


def test_a_repeat_has_no_second_effect_and_the_same_answer(service: Service, client: httpx.Client) -> None:
    first = client.post("/v1/plans", json=PLAN, headers=KEY)
    before = service.dump()
    again = client.post("/v1/plans", json=PLAN, headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert service.dump() == before


def test_another_request_under_the_key_is_refused_without_effect(service: Service, client: httpx.Client) -> None:
    client.post("/v1/plans", json=PLAN, headers=KEY)
    before = service.dump()
    for path, body in [("/v1/plans", {**PLAN, "reference": "b"}), ("/v1/customers", CUSTOMER)]:
        answer = client.post(path, json=body, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert service.dump() == before


def test_a_refusal_is_repeated_too_even_if_it_would_go_well_now(service: Service, client: httpx.Client) -> None:
    service.shop.subscription()
    service.tick()
    (invoice,) = client.get("/v1/invoices").json()["data"]
    body = {"invoice_id": invoice["id"], "reason": "goodwill"}
    first = client.post("/admin/v1/refunds", json=body, headers=KEY)
    service.shop.after(minutes=31)
    again = client.post("/admin/v1/refunds", json=body, headers=KEY)
    assert (first.status_code, again.status_code) == (409, 409)
    assert (again.content, again.headers["content-type"]) == (first.content, "application/problem+json")


def test_a_body_that_was_not_understood_does_not_use_up_the_key(client: httpx.Client) -> None:
    assert client.post("/v1/plans", json={}, headers=KEY).status_code == 422
    assert client.post("/v1/plans", json=PLAN, headers=KEY).status_code == 201


def test_the_keys_of_two_holders_do_not_meet(service: Service, client: httpx.Client) -> None:
    client.post("/v1/plans", json=PLAN, headers=KEY)
    client.headers["Authorization"] = f"Bearer {service.merchant_key}"
    assert client.post("/v1/plans", json={**PLAN, "reference": "b"}, headers=KEY).status_code == 201


def test_without_a_key_nothing_is_kept(service: Service, client: httpx.Client) -> None:
    client.post("/v1/plans", json=PLAN)
    assert service.dump()["stored_answers"] == []


def test_a_key_that_cannot_be_one_is_refused(client: httpx.Client) -> None:
    for key in ("", "a" * 256, "caf\u00e9"):
        answer = client.post("/v1/plans", json=PLAN, headers={"Idempotency-Key": key.encode("latin-1")})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "Idempotency-Key")


def test_a_preview_is_repeated_as_it_was_shown(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    path = f"/v1/subscriptions/{invoice['subscription_id']}/cancel/preview"
    first = client.post(path, json={"at": "now", "credit": "refund"}, headers=KEY)
    service.shop.after(days=3)
    assert client.post(path, json={"at": "now", "credit": "refund"}, headers=KEY).content == first.content


@pytest.mark.parametrize("verb", ["refund", "subscribe", "plan"])
def test_100_parallel_repeats_have_one_effect_and_one_answer(
    service: Service, client: httpx.Client, made: dict[str, str], verb: str
) -> None:
    service.tick()
    service.shop.after(minutes=31)
    (invoice,) = client.get("/v1/invoices").json()["data"]
    ids = {name: made[name] for name in ("customer_id", "price_id", "token_id")}
    path, body, table = {
        "refund": ("/admin/v1/refunds", {"invoice_id": invoice["id"], "reason": "goodwill"}, "credit_notes"),
        "subscribe": ("/v1/subscriptions", ids, "subscriptions"),
        "plan": ("/v1/plans", {**PLAN, "reference": "parallel"}, "plans"),
    }[verb]
    before = len(service.dump()[table])
    answers = many(service, path, body)
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code in (201, 202)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(service.dump()[table]) == before + 1


def many(service: Service, path: str, body: dict) -> list[httpx.Response]:
    headers = {"Idempotency-Key": "parallel", "Content-Type": "application/json"}
    content = json.dumps(body).encode()
    with service.client(service.admin_key) as client, ThreadPoolExecutor(40) as pool:
        return list(pool.map(lambda _: client.post(path, content=content, headers=headers), range(100)))
