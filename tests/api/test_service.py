"""What every address has in common: problems, limits, headers, health, and the document that describes it all."""

from datetime import timedelta

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from sqlmodel import select

from billing.store.accounts import Installation
from tests.api.document import calls
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


VERBS = {
    *("Deliver", "Put", "Tell", "Send", "Acknowledge"),
    *(
        "Add",
        "Answer",
        "Ask",
        "Approve",
        "Book",
        "Cancel",
        "Change",
        "Charge",
        "Check",
        "Credit",
        "Decide",
        "Disapprove",
    ),
    *(
        "End",
        "Erase",
        "Explain",
        "Extend",
        "Forget",
        "Get",
        "Give",
        "Grant",
        "Hand",
        "Hold",
        "Have",
        "Let",
        "List",
        "Look",
        "Make",
        "Move",
    ),
    *(
        "Open",
        "Pause",
        "Prove",
        "Record",
        "Release",
        "Report",
        "Resume",
        "Revoke",
        "Say",
        "Send",
        "Set",
        "Show",
        "Start",
        "Stop",
    ),
    *("Take", "Undo", "Void", "Withdraw"),
}


def test_the_document_describes_every_operation(service: Service, client: httpx.Client) -> None:
    found = calls(client)
    assert {(call.method.upper(), call.path) for call in found} == set(served(service.app))
    assert len({call.name for call in found}) == len(found)
    for call in found:
        assert len(call.described["tags"]) == 1
        if call.described["tags"] != ["Health"]:
            assert call.described["security"] == [{"api_key": []}]
            problem = call.described["responses"]["401"]["content"]["application/problem+json"]["schema"]
            assert problem["$ref"].endswith("/Problem")


def test_every_summary_is_one_short_sentence_that_starts_with_a_verb(client: httpx.Client) -> None:
    for call in calls(client):
        summary = call.described["summary"]
        assert summary.split()[0] in VERBS, (call.name, summary)
        assert len(summary) <= 100, call.name
        assert ". " not in summary, call.name
        assert call.described.get("description", "x.").endswith("."), call.name


def test_every_model_has_a_name_of_its_own_and_a_sentence(client: httpx.Client) -> None:
    for name, schema in client.get("/openapi.json").json()["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert "_" not in name
            assert schema["description"].endswith("."), name


def test_every_body_is_closed_and_has_an_example_that_its_model_takes(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    inputs = {name: schema for name, schema in schemas.items() if name.endswith("In")}
    assert all(schema["additionalProperties"] is False for schema in inputs.values())
    for call in calls(client):
        if call.schema is not None:
            (example,) = call.schema["examples"]
            assert set(call.required) <= set(example) <= set(call.schema["properties"])
        if call.method != "get":
            assert any(parameter["name"] == "Idempotency-Key" for parameter in call.described["parameters"])


def test_the_document_tells_what_an_amount_may_be(client: httpx.Client) -> None:
    amount = client.get("/openapi.json").json()["components"]["schemas"]["MoneyIn"]["properties"]["amount"]
    assert (amount["type"], amount["minimum"], amount["maximum"]) == ("integer", 0, 100_000_000)


def served(app: Litestar) -> list[tuple[str, str]]:
    """Method and path of everything that the application serves and describes."""
    return [
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.include_in_schema and method != "OPTIONS" and not route.path.startswith("/docs")
    ]
