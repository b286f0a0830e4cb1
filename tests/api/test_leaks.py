"""A token goes in and never comes out: in no answer, no document, no log and no file."""

import logging
from typing import Any

import httpx
import pytest

from api.errors import refusal
from billing.domain.errors import VaultError
from billing.use_cases import look_up
from tests.api.service import CUSTOMER, PLAN, TOKEN, Service

MARKER = "7f3c9ae1-tok-MARKER-55e0d1c2"


def test_a_token_never_comes_out_again(
    service: Service, client: httpx.Client, made: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens, body = f"/v1/customers/{made['customer_id']}/tokens", {**TOKEN, "token": MARKER}
    answers = [
        client.post(tokens, json=body, headers={"Idempotency-Key": "once"}),
        client.post(tokens, json=body, headers={"Idempotency-Key": "once"}),
        client.post(tokens, json=body),
        *misplaced(client, tokens, made),
    ]
    assert answers[0].status_code == 201
    change = {"token_id": answers[0].json()["id"]}
    answers.append(client.post(f"/v1/subscriptions/{made['subscription_id']}/token", json=change))
    service.tick()
    answers += [client.get(path) for path in ("/v1/operations", "/v1/subscriptions", "/openapi.json", "/docs", tokens)]
    assert all(MARKER not in answer.text for answer in answers)
    assert MARKER not in caplog.text
    files = list(service.file.parent.iterdir())
    assert all(MARKER.encode() not in path.read_bytes() for path in files)
    assert service.file in files


def test_a_token_in_an_address_is_not_repeated_in_the_answer(client: httpx.Client) -> None:
    for path in (f"/v1/customers?after={MARKER}", f"/v1/invoices?customer_id={MARKER}", f"/v1/plans/{MARKER}"):
        assert MARKER not in client.get(path).text


def misplaced(client: httpx.Client, tokens: str, made: dict[str, str]) -> list[httpx.Response]:
    """A token in every place where a hurried programmer could put it."""
    wrong: list[Any] = [
        {**TOKEN, "token": MARKER + "\n"},
        {**TOKEN, "token": [MARKER]},
        {**TOKEN, "token": MARKER * 100},
        {**TOKEN, "currency": MARKER},
        {**TOKEN, "provider_account": MARKER},
        {**TOKEN, MARKER: 1},
        MARKER,
        [MARKER],
    ]
    subscription = {"customer_id": made["customer_id"], "price_id": made["price_id"], "token_id": MARKER}
    answers = [client.post(tokens, json=body) for body in wrong]
    answers.append(client.post("/v1/subscriptions", json=subscription))
    answers.append(client.post(tokens, content=f'{{"token": "{MARKER}", '.encode()))
    answers.append(client.post(tokens, content=f'{{"token": "{MARKER}", "token": "{MARKER}"}}'.encode()))
    for field in ("zone", "country", "locale", "email"):
        body = {**CUSTOMER, "reference": "another", field: MARKER}
        answers.append(client.post("/v1/customers", json=body, headers={"Idempotency-Key": f"misplaced-{field}"}))
    boxes = {"at": "now", "credit": "refund", "unshipped": [{"article_number": MARKER, "quantity": 1}]}
    cancel = f"/v1/subscriptions/{made['subscription_id']}/cancel/preview"
    answers.append(client.post(cancel, json=boxes, headers={"Idempotency-Key": "misplaced-article"}))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} == {400, 422}
    return answers


def test_an_unexpected_error_tells_the_log_where_and_nobody_what(
    service: Service, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with service.shop.database.tx() as session:
        session.connection().exec_driver_sql("ALTER TABLE plans RENAME TO elsewhere")
    answer = client.post("/v1/plans", json={**PLAN, "name": MARKER})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert MARKER not in answer.text
    assert "no such table" not in answer.text + caplog.text
    assert "OperationalError" in caplog.text
    assert "catalogue.py" in caplog.text
    assert MARKER not in caplog.text


def test_an_error_of_the_vault_is_500_without_details() -> None:
    status, body = refusal(VaultError())
    assert (status, b"The sealed record does not open." in body) == (500, True)


def test_an_api_key_is_in_no_log(service: Service, client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.get("/v1/plans")
    client.get("/v1/plans", headers={"Authorization": f"Bearer {service.merchant_key}x"})
    client.headers.clear()
    assert look_up.plans(service.shop.database, look_up.Slice()).rows == []
    text = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpcore"))
    assert service.admin_key not in text
    assert service.merchant_key not in text
