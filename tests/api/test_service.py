"""What every address has in common: problems, limits, headers, health, and the document that describes it all."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from billing.store.accounts import Installation
from tests.api.service import PLAN, Service


def test_an_unknown_address_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    nothing, wrong = client.get("/v1/nothing"), client.delete("/v1/plans")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]
    for answer in (nothing, wrong):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert sorted(answer.json()) == ["code", "detail", "status", "title", "type"]


def test_a_body_of_more_than_one_mebibyte_is_413(client: httpx.Client) -> None:
    limit = 1024 * 1024
    assert client.post("/v1/plans", content=b" " * (limit + 1)).status_code == 413
    assert client.post("/v1/plans", content=iter([b" " * limit, b" "])).status_code == 413
    assert client.post("/v1/plans", content=b" " * limit).status_code == 400


def test_every_answer_is_guarded_and_none_is_kept_by_a_cache(client: httpx.Client) -> None:
    for path in ("/v1/plans", "/v1/nothing", "/health/live", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; frame-ancestors")
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


def test_a_write_pokes_the_loops_and_a_repeat_does_not(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    poked: list[int] = []
    monkeypatch.setattr(service.loops, "poke", lambda: poked.append(1))
    for _ in range(2):
        client.post("/v1/plans", json=PLAN, headers={"Idempotency-Key": "k"})
    client.post("/v1/plans", json=PLAN)
    client.get("/v1/plans")
    assert poked == [1]


def test_a_new_service_is_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert set(ready.json()["checks"].values()) == {"ok"}


def test_work_overdue_by_more_than_15_minutes_is_not_ready(service: Service, client: httpx.Client) -> None:
    service.shop.subscription(start_at=service.shop.clock.now() + timedelta(hours=1))
    service.shop.clock.set(service.shop.clock.now() + timedelta(hours=1, minutes=15))
    assert client.get("/health/ready").status_code == 200
    service.shop.clock.set(service.shop.clock.now() + timedelta(seconds=1))
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["due_work"]) == (503, "the oldest has been due for 901 seconds")
    service.tick()
    assert client.get("/health/ready").status_code == 200


def test_a_key_that_is_another_databases_is_not_ready(service: Service, client: httpx.Client) -> None:
    with service.shop.database.tx() as session:
        row = session.exec(select(Installation)).one()
        row.canary = row.canary[:-1] + bytes([row.canary[-1] ^ 1])
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["vault_key"]) == (503, "does not open this database's canary")


def test_a_schema_of_another_version_is_not_ready(service: Service, client: httpx.Client) -> None:
    with service.shop.database.tx() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["checks"]["vault_key"] == "not checked"


def test_the_document_describes_every_operation(client: httpx.Client) -> None:
    operations = list(described(client))
    assert len(operations) == 27
    assert len({operation["operationId"] for operation in operations}) == 27
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        assert len(operation["tags"]) == 1
        if operation["tags"] != ["Health"]:
            assert operation["security"] == [{"api_key": []}]
            problem = operation["responses"]["401"]["content"]["application/problem+json"]["schema"]
            assert problem["$ref"].endswith("/Problem")


def test_every_body_is_closed_and_has_an_example_that_its_model_takes(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    inputs = {name: schema for name, schema in schemas.items() if name.endswith("In")}
    assert all(schema["additionalProperties"] is False for schema in inputs.values())
    for operation in described(client):
        if "requestBody" in operation:
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            (example,) = inputs[name]["examples"]
            assert set(inputs[name].get("required", [])) <= set(example) <= set(inputs[name]["properties"])
            assert any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])


def test_the_document_tells_what_an_amount_may_be(client: httpx.Client) -> None:
    amount = client.get("/openapi.json").json()["components"]["schemas"]["MoneyIn"]["properties"]["amount"]
    assert (amount["type"], amount["minimum"], amount["maximum"]) == ("integer", 0, 100_000_000)


def described(client: httpx.Client) -> list[dict[str, Any]]:
    return [operation for item in client.get("/openapi.json").json()["paths"].values() for operation in item.values()]
