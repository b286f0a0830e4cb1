"""Pauses, ends, trials, zones and reviews over HTTP: previews with a quote, and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from lifecycle import fee

from billing.store.subscriptions import Subscription
from tests.api.service import Service


@pytest.fixture
def merchant(service: Service) -> Iterator[httpx.Client]:
    with service.client(service.merchant_key) as client:
        yield client


def paid(service: Service, **terms: object) -> str:
    """A subscription whose first period is paid."""
    made = service.shop.subscription(price_id=fee(service.shop, **terms))
    service.tick()
    forward(service, minutes=31)
    return f"/v1/subscriptions/sub_{made.id.hex}"


def forward(service: Service, **duration: float) -> None:
    service.shop.clock.set(service.shop.clock.now() + timedelta(**duration))
    service.tick()


def post(client: httpx.Client, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body) if body else client.post(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_pause_costs_what_its_preview_showed_and_is_seen_on_the_subscription(
    service: Service, client: httpx.Client
) -> None:
    path = paid(service)
    forward(service, days=10)
    shown = post(client, f"{path}/pause/preview", mode="freeze")
    assert shown["frozen"] == {"used_days": 10, "left_days": 19, "of_days": 29}
    done = post(client, f"{path}/pause", mode="freeze", quote_id=shown["quote_id"])
    assert done["frozen"] == shown["frozen"]
    seen = client.get(path).json()
    assert (seen["status"], seen["pause_mode"], seen["frozen_days"], seen["access"]) == ("paused", "freeze", 19, "none")


def test_a_resume_tells_which_days_are_left_and_when_is_charged_next(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    forward(service, days=10)
    post(client, f"{path}/pause", mode="freeze")
    forward(service, days=30)
    shown = post(client, f"{path}/resume/preview", collect_open=False)
    assert (shown["resumed"]["start_date"], shown["resumed"]["end_date"]) == ("2028-03-11", "2028-03-30")
    assert (shown["next_on"], shown["next_total"]) == ("2028-03-30", {"amount": 2990, "currency": "SEK"})
    post(client, f"{path}/resume", quote_id=shown["quote_id"])
    assert client.get(path).json()["status"] == "active"
    assert [row["kind"] for row in client.get(f"{path}/periods").json()["data"]] == ["regular", "paused", "resumed"]


def test_a_scheduled_pause_and_a_scheduled_end_are_undone(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    post(client, f"{path}/pause", at="2028-02-10T00:00:00Z", resume_at="2028-02-20T00:00:00Z")
    assert post(client, f"{path}/pause/undo")["pause_at"] is None
    post(client, f"{path}/cancel", at="date", ends_on="2028-03-10")
    assert post(client, f"{path}/cancel/undo")["cancel_at"] is None
    post(client, f"{path}/cancel/undo", status=409)


def test_a_cancel_answers_the_lines_their_effect_and_a_quote(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    forward(service, days=10)
    shown = post(client, f"{path}/cancel/preview", at="now", credit="credit")
    assert shown["credit"]["effect"]["balance"] == shown["credit"]["total"]
    done = post(client, f"{path}/cancel", at="now", credit="credit", quote_id=shown["quote_id"])
    assert done["credit"]["lines"] == shown["credit"]["lines"]
    assert (done["credits"], done["operation_id"]) == ([done["credit"]], None)


def test_a_quote_for_another_request_is_refused(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    shown = post(client, f"{path}/cancel/preview", at="now", credit="credit")
    answer = client.post(f"{path}/cancel", json={"at": "now", "credit": "refund", "quote_id": shown["quote_id"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "quote_invalid")
    assert client.get(path).json()["status"] == "active"


def test_only_an_operator_overrides_the_minimum_term_and_says_why(
    service: Service, client: httpx.Client, merchant: httpx.Client
) -> None:
    path = paid(service, minimum_cycles=3)
    assert post(merchant, f"{path}/cancel", 409, at="now")["code"] == "transition_not_allowed"
    assert post(merchant, f"{path}/cancel", 403, at="now", override=True, reason="please")["code"] == "forbidden"
    post(client, f"{path}/cancel", 422, at="now", override=True)
    post(client, f"{path}/cancel", at="now", override=True, reason="moved abroad")
    assert client.get(path).json()["status"] == "ended"


def test_an_ended_subscription_is_taken_again(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    post(client, f"{path}/resubscribe", 409, start_at="2028-03-01T00:00:00Z")
    post(client, f"{path}/cancel", at="now")
    again = post(client, f"{path}/resubscribe", 201, start_at="2028-03-01T00:00:00Z")
    assert (again["status"], again["anchor_date"]) == ("pending", "2028-03-01")


def test_a_trial_without_a_token_is_extended_with_a_preview(service: Service, client: httpx.Client) -> None:
    price_id, customer_id = fee(service.shop, trial_days=7), service.shop.customer()
    body = {
        "customer_id": f"cus_{customer_id.hex}",
        "price_id": f"price_{price_id.hex}",
        "provider_account": "main",
        "quantities": [{"article_number": "BASE", "quantity": 2}],
    }
    made = post(client, "/v1/subscriptions", 201, **body)
    service.tick()
    path = f"/v1/subscriptions/{made['id']}/trial/extend"
    shown = post(client, f"{path}/preview", until="2028-02-20")
    assert (shown["first_starts_on"], shown["first_total"]["amount"]) == ("2028-02-20", 5980)
    assert post(client, path, until="2028-02-20", quote_id=shown["quote_id"])["ends_on"] == "2028-02-20"
    post(client, path, 422, until="2028-02-20")
    post(client, path, 422, until="2028-02-31")


def test_a_zone_is_changed_with_a_preview(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    shown = post(client, f"{path}/zone/preview", zone="America/New_York")
    assert (shown["from_at"], shown["first_ends_at"]) == ("2028-02-28T23:00:00Z", "2028-03-31T04:00:00Z")
    post(client, f"{path}/zone", zone="America/New_York", quote_id=shown["quote_id"])
    assert client.get(path).json()["pending_zone"] == "America/New_York"
    assert post(client, f"{path}/zone", 422, zone="Mars/Olympus")["errors"][0]["where"] == "zone"


def test_a_late_subscription_is_listed_decided_and_gone_from_the_list(service: Service, client: httpx.Client) -> None:
    path = paid(service)
    forward(service, days=120)
    (waiting,) = client.get("/admin/v1/reviews").json()["data"]
    assert waiting["review_reason"] == "catch_up"
    decided = post(
        client,
        f"/admin/v1/subscriptions/{waiting['id']}/catch-up",
        policy="bill_current",
        reason="the outage was ours",
    )
    assert (decided["policy"], decided["subscription"]["review_reason"]) == ("bill_current", None)
    service.tick()
    assert client.get("/admin/v1/reviews").json()["data"] == []
    kinds = [row["kind"] for row in client.get(f"{path}/periods").json()["data"]]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("regular", "regular", {"forgiven"})


def test_a_review_is_cleared_with_a_reason_by_operators_only(
    service: Service, client: httpx.Client, merchant: httpx.Client
) -> None:
    path = paid(service)
    with service.shop.database.tx() as session:
        session.execute(Subscription.__table__.update().values(review_reason="renewal failed"))
    clear = f"/admin/v1/subscriptions/{path.rsplit('/', 1)[1]}/review/clear"
    assert merchant.post(clear, json={"reason": "fine"}).status_code == 403
    assert post(client, clear, reason="the price was corrected")["review_reason"] is None
    post(client, clear, 409, reason="again")


def test_an_approval_is_made_listed_and_revoked(service: Service, client: httpx.Client) -> None:
    body = {"policy": "bill_each", "reason": "maintenance", "valid_from": "2028-02-01T00:00:00Z"}
    made = post(client, "/admin/v1/catch-up-approvals", 201, **body, valid_until="2028-02-03T00:00:00Z")
    assert made["by"] == "admin"
    assert client.get("/admin/v1/catch-up-approvals").json()["data"] == [made]
    revoked = post(client, f"/admin/v1/catch-up-approvals/{made['id']}/revoke")
    assert datetime.fromisoformat(revoked["revoked_at"]) == service.shop.clock.now().astimezone(UTC)
    post(client, f"/admin/v1/catch-up-approvals/{made['id']}/revoke", 409)
    post(client, "/admin/v1/catch-up-approvals", 422, **body, valid_until="2028-02-01T00:00:00Z")


def test_a_start_brings_the_quote_of_its_preview(service: Service, client: httpx.Client, made: dict[str, str]) -> None:
    ids = {name: made[name] for name in ("customer_id", "price_id", "token_id")}
    shown = post(client, "/v1/subscriptions/preview", **ids)
    post(client, "/v1/subscriptions", 201, **ids, quote_id=shown["quote_id"])
    post(client, "/v1/subscriptions", 422, **ids, start_at="2028-02-05T00:00:00Z", quote_id=shown["quote_id"])
