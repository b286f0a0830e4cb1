"""Restores over HTTP: opened with an export or without one, looked at, let go of, and closed."""

from datetime import timedelta

import httpx

from tests.api.service import Service

RESTORES = "/admin/v1/restores"
HEAD = "kind,id,order_id,amount,currency,merchant_reference1,merchant_reference2,reference,at\n"
STRANGER = "purchase,order-99,order-99,1000,SEK,,,,2028-01-31T08:00:00Z\n"


def stretch(service: Service, **more: object) -> dict:
    now = service.shop.clock.now()
    return {
        "lost_from": (now - timedelta(days=1)).isoformat(),
        "lost_until": now.isoformat(),
        "reason": "the disk died",
        **more,
    }


def test_what_waits_is_listed_released_and_charged(service: Service, client: httpx.Client) -> None:
    service.shop.subscription()
    service.shop.clock.set(service.shop.clock.now() + timedelta(minutes=1))
    opened = client.post(RESTORES, json=stretch(service, without_export=True))
    assert (opened.status_code, opened.json()["export_sha256"]) == (201, None)
    service.tick()
    path = f"{RESTORES}/{opened.json()['id']}"
    (waiting,) = client.get(path).json()["unmatched_ours"]
    assert (waiting["kind"], waiting["status"]) == ("purchase", "needs_operator")
    assert client.post(f"{path}/close", json={"reason": "enough"}).status_code == 409
    body = {"operation_ids": [waiting["id"]], "reason": "not in the portal", "by": "an operator"}
    assert client.post(f"{path}/releases", json=body).json()["operations"] == 1
    service.tick()
    assert len(service.shop.gateway.calls) == 1
    closed = client.post(f"{path}/close", json={"reason": "nothing waits"})
    assert (closed.status_code, closed.json()["closed_at"] is not None) == (200, True)
    assert client.post(f"{path}/releases", json={"all": True, "reason": "again"}).status_code == 409
    assert [row["id"] for row in client.get(RESTORES).json()["data"]] == [opened.json()["id"]]


def test_a_strangers_row_is_listed_and_taken_for_one(service: Service, client: httpx.Client) -> None:
    opened = client.post(RESTORES, json=stretch(service, export=HEAD + STRANGER))
    path = f"{RESTORES}/{opened.json()['id']}"
    (row,) = client.get(path).json()["unmatched_theirs"]
    assert (row["provider_id"], row["amount"]) == ("order-99", {"amount": 1000, "currency": "SEK"})
    released = client.post(f"{path}/releases", json={"record_ids": [row["id"]], "reason": "of our other shop"})
    assert released.json()["records"] == 1
    assert client.get(path).json()["unmatched_theirs_count"] == 0


def test_a_bad_line_is_named_and_nothing_is_written(service: Service, client: httpx.Client) -> None:
    answer = client.post(RESTORES, json=stretch(service, export=HEAD + STRANGER.replace("1000", "ten")))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "line 2")
    assert client.get(RESTORES).json()["data"] == []


def test_an_export_or_the_word_that_there_is_none_is_needed(service: Service, client: httpx.Client) -> None:
    for more in ({}, {"export": HEAD, "without_export": True}):
        answer = client.post(RESTORES, json=stretch(service, **more))
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "export")


def test_an_unknown_restore_is_not_found(client: httpx.Client) -> None:
    path = f"{RESTORES}/rst_{'0' * 32}"
    assert client.get(path).status_code == 404
    for act in ("releases", "close"):
        assert (
            client.post(
                f"{path}/{act}", json={"reason": "why", **({"all": True} if act == "releases" else {})}
            ).status_code
            == 404
        )
