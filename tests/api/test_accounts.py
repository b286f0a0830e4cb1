"""A stopped provider account: seen with its reason, opened again by an operator, and what waited is sent."""

import httpx

from billing.domain.operations import OperationKind
from billing.ports import Answer, NotSent, Unknown
from tests.api.service import Service

ACCOUNTS = "/admin/v1/provider-accounts"
BECAUSE = {"reason": "the password was corrected"}


def stop(service: Service) -> None:
    refused = NotSent(Answer(401, "UNAUTHORIZED"), account_stopped=True)
    service.shop.gateway.answer(OperationKind.PURCHASE, refused)
    service.shop.subscription()
    service.tick()


def test_an_account_that_was_stopped_is_opened_again_and_what_waited_is_charged(
    service: Service, client: httpx.Client
) -> None:
    stop(service)
    (account,) = client.get(ACCOUNTS).json()["data"]
    assert (account["name"], account["halted_reason"]) == ("main", "UNAUTHORIZED")
    answer = client.post(f"{ACCOUNTS}/main/reopen", json=BECAUSE)
    assert (answer.status_code, answer.json()["halted_at"]) == (200, None)
    service.shop.after(minutes=1)
    service.tick()
    assert len(service.shop.gateway.effects_of(OperationKind.PURCHASE)) == 1


def test_an_account_that_runs_cannot_be_opened(client: httpx.Client) -> None:
    answer = client.post(f"{ACCOUNTS}/main/reopen", json=BECAUSE)
    assert (answer.status_code, answer.json()["detail"]) == (409, "this provider account is not stopped")


def test_an_unknown_account_is_not_found(client: httpx.Client) -> None:
    assert client.post(f"{ACCOUNTS}/nowhere/reopen", json=BECAUSE).status_code == 404


def test_an_account_is_stopped_by_hand_and_keeps_the_reason(service: Service, client: httpx.Client) -> None:
    answer = client.post(f"{ACCOUNTS}/main/stop", json={"reason": "an outage was announced"})
    assert (answer.status_code, answer.json()["halted_reason"]) == (200, "an outage was announced")
    assert client.post(f"{ACCOUNTS}/main/stop", json={"reason": "again"}).status_code == 409
    assert client.post(f"{ACCOUNTS}/nowhere/stop", json={"reason": "why not"}).status_code == 404
    service.shop.subscription()
    service.tick()
    assert service.shop.gateway.calls == []


def test_an_open_breaker_is_seen_with_its_reason_and_closed_by_reopening(
    service: Service, client: httpx.Client
) -> None:
    service.shop.gateway.always(OperationKind.PURCHASE, Unknown(Answer(503, "SERVICE_UNAVAILABLE")))
    for _ in range(10):
        service.shop.subscription()
    service.tick()
    (account,) = client.get(ACCOUNTS).json()["data"]
    assert (account["breaker"]["state"], account["breaker"]["cause"]) == ("open", "faults")
    assert account["breaker"]["reason"] == "10 calls in a row without a usable answer"
    assert account["window"]["faults"] == 10
    reopened = client.post(f"{ACCOUNTS}/main/reopen", json=BECAUSE).json()
    assert (reopened["breaker"]["state"], reopened["window"]["faults"]) == ("closed", 0)
