"""A stopped provider account: seen with its reason, opened again by an operator, and what waited is sent."""

import httpx

from billing.domain.operations import OperationKind
from billing.ports import Answer, NotSent
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
