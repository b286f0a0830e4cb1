"""Brakes over HTTP: what is halted is listed with its figures, and let go with a reason."""

from datetime import timedelta

import httpx

from tests.api.service import Service

BRAKES = "/admin/v1/brakes"
BECAUSE = {"reason": "the outage was ours"}


def halted(service: Service, client: httpx.Client) -> dict:
    """Eleven subscriptions, forty days later."""
    price = service.shop.price()
    for _ in range(11):
        service.shop.subscription(price_id=price)
    service.tick()
    service.shop.clock.set(service.shop.clock.now() + timedelta(days=40))
    service.tick()
    (brake,) = client.get(BRAKES).json()["data"]
    return brake


def test_a_halted_run_is_listed_with_its_figures_and_goes_on_once_released(
    service: Service, client: httpx.Client
) -> None:
    brake = halted(service, client)
    assert (brake["kind"], brake["subject"][:4], brake["released_at"]) == ("run_total", "run_", None)
    assert brake["figures"]["totals"]["SEK"] == {"expected": 0, "opened": 11 * 3970, "invoices": 11}
    answer = client.post(f"{BRAKES}/{brake['id']}/releases", json={**BECAUSE, "by": "the board"})
    assert (answer.status_code, answer.json()["released_by"]) == (201, "the board (key admin)")
    service.tick()
    assert len(client.get("/v1/invoices?limit=200").json()["data"]) == 22
    assert client.get(BRAKES).json()["data"] == []
    assert client.get(f"{BRAKES}?released=true").json()["data"][0]["id"] == brake["id"]


def test_leave_may_be_given_until_an_instant_in_the_future_only(service: Service, client: httpx.Client) -> None:
    path = f"{BRAKES}/{halted(service, client)['id']}/releases"
    now = service.shop.clock.now()
    past = client.post(path, json={**BECAUSE, "allowed_until": now.isoformat()})
    assert (past.status_code, past.json()["errors"][0]["where"]) == (422, "allowed_until")
    until = (now + timedelta(hours=2)).isoformat()
    assert client.post(path, json={**BECAUSE, "allowed_until": until}).status_code == 201
    assert client.post(path, json=BECAUSE).status_code == 409


def test_an_unknown_brake_is_not_found_and_a_reason_is_needed(client: httpx.Client) -> None:
    path = f"{BRAKES}/brk_{'0' * 32}/releases"
    assert client.post(path, json=BECAUSE).status_code == 404
    assert client.post(path, json={}).status_code == 422


def test_a_merchants_key_releases_nothing(service: Service) -> None:
    with service.client(service.merchant_key) as merchant:
        assert merchant.get(BRAKES).status_code == 403
        assert merchant.post(f"{BRAKES}/brk_{'0' * 32}/releases", json=BECAUSE).status_code == 403
