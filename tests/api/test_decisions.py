"""A person's word over HTTP: carried out once, refused with both sides shown, kept with the operation."""

import httpx
import pytest

from billing.domain.operations import OperationKind
from billing.ports import Answer, OrderState, Refused, Unknown
from tests.api.service import Service

SILENCE = Unknown(Answer(message="no answer"))
WRONG = Refused(Answer(400, "BAD_VALUE", "our request is wrong"))
PRICE = {"amount": 3970, "currency": "SEK"}
WHY = {"reason": "looked in the portal"}


@pytest.fixture
def stuck(service: Service, client: httpx.Client) -> str:
    """The id of a purchase that nobody heard of until it needed a person."""
    service.shop.gateway.always(OperationKind.PURCHASE, SILENCE)
    service.shop.subscription()
    service.tick()
    while (at := service.loops.next_due_at()) is not None and not _waiting(client):
        service.shop.clock.set(at)
        service.tick()
    service.shop.gateway.always(OperationKind.PURCHASE, None)
    return _waiting(client)[0]["id"]


def _waiting(client: httpx.Client) -> list[dict[str, str]]:
    return client.get("/v1/operations?status=needs_operator").json()["data"]


def decided(client: httpx.Client, id_: str, **body: object) -> httpx.Response:
    return client.post(f"/admin/v1/operations/{id_}/decisions", json={**WHY, **body})


def shows(service: Service, client: httpx.Client, id_: str, **more: object) -> None:
    reference = client.get(f"/v1/operations/{id_}").json()["merchant_reference"]
    known = {"currency": "SEK", "amount": 3970, "captured_amount": 0, "refunded_amount": 0, "expires_at": None}
    known |= {"merchant_reference": reference, "authorization": "authorized"} | more
    service.shop.gateway.orders["order-9"] = OrderState(purchase_id="order-9", **known)


def test_a_link_is_answered_with_the_operation_and_who_decided(
    service: Service, client: httpx.Client, stuck: str
) -> None:
    shows(service, client, stuck)
    answer = decided(client, stuck, verb="link", provider_id="order-9", amount=PRICE, by="Eva")
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    (decision,) = client.get(f"/v1/operations/{stuck}").json()["decisions"]
    assert (decision["verb"], decision["by"], decision["record"]) == ("link", "Eva (key admin)", "done")


def test_a_word_that_contradicts_the_provider_is_refused_with_both_sides(
    service: Service, client: httpx.Client, stuck: str
) -> None:
    shows(service, client, stuck, amount=4970)
    answer = decided(client, stuck, verb="link", provider_id="order-9", amount=PRICE)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "contradicts_provider")
    assert (problem["ours"]["amount"], problem["provider"]["amount"]) == (3970, 4970)
    assert client.get(f"/v1/operations/{stuck}").json()["status"] == "needs_operator"


def test_where_nothing_can_be_read_the_person_must_say_that_they_looked(client: httpx.Client, stuck: str) -> None:
    body = {"verb": "retire", "then": "purchase_again"}
    answer = decided(client, stuck, **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "record_unreadable")
    assert "unverified: true" in answer.json()["detail"]
    assert decided(client, stuck, **body, unverified=True).json()["standing"] == "dead"
    assert decided(client, stuck, **body, unverified=True).json()["code"] == "transition_not_allowed"


def test_the_same_word_under_one_idempotency_key_is_said_once(client: httpx.Client, stuck: str) -> None:
    body = {**WHY, "verb": "retire", "then": "purchase_again", "unverified": True}
    address, headers = f"/admin/v1/operations/{stuck}/decisions", {"Idempotency-Key": "k-1"}
    first, again = (client.post(address, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.content == first.content) == (200, True)
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"verb": "link", "provider_id": "x"}, "amount"),
        ({"verb": "link", "amount": PRICE, "unverified": True}, "provider_id"),
        ({"verb": "retire", "unverified": True}, "then"),
        ({"verb": "retire", "then": "to_balance"}, "then"),
        ({"verb": "forget"}, "verb"),
        ({"verb": "retire", "reason": ""}, "reason"),
    ],
)
def test_what_is_missing_is_named(client: httpx.Client, stuck: str, body: dict[str, object], where: str) -> None:
    answer = decided(client, stuck, **body)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)


def test_an_operation_that_is_not_there_is_404_and_a_merchant_decides_nothing(service: Service, stuck: str) -> None:
    body = {**WHY, "verb": "acknowledge"}
    with service.client(service.admin_key) as admin, service.client(service.merchant_key) as merchant:
        assert admin.post(f"/admin/v1/operations/op_{'0' * 32}/decisions", json=body).status_code == 404
        assert merchant.post(f"/admin/v1/operations/{stuck}/decisions", json=body).status_code == 403


def test_a_refund_that_is_given_up_becomes_the_customers_balance(service: Service, client: httpx.Client) -> None:
    service.shop.gateway.answer(OperationKind.REFUND, WRONG)
    invoice = service.paid_invoice(client)
    client.post("/admin/v1/refunds", json={"invoice_id": invoice["id"], "reason": "goodwill", "amount": PRICE})
    service.tick()
    (refund,) = _waiting(client)
    assert decided(client, refund["id"], verb="retire").json()["status"] == "dropped"
    note = client.get(f"/admin/v1/credit-notes?invoice_id={invoice['id']}").json()["data"][0]
    assert (note["to_balance"]["amount"], note["to_refund"]["amount"]) == (3970, 0)


def test_unknown_operations_are_listed_with_age_and_next_check_and_by_whose_they_are(
    service: Service, client: httpx.Client
) -> None:
    service.shop.gateway.always(OperationKind.PURCHASE, SILENCE)
    service.shop.subscription()
    service.tick()
    (waiting,) = client.get("/v1/operations?status=unknown").json()["data"]
    assert (waiting["sends"], waiting["next_check_at"]) == (1, "2028-01-31T08:00:05Z")
    assert waiting["observations"][0]["outcome"] == "unknown"
    service.shop.clock.set(service.shop.clock.now().replace(minute=5))
    one = client.get(f"/v1/operations/{waiting['id']}").json()
    assert (one["age_seconds"], one["decisions"]) == (300, [])
    for name in ("subscription_id", "invoice_id"):
        assert len(client.get(f"/v1/operations?{name}={waiting[name]}").json()["data"]) == 1
    assert len(client.get("/v1/operations?provider_account=main").json()["data"]) == 1
    assert client.get("/v1/operations?provider_account=other").json()["data"] == []
    assert client.get("/v1/operations?provider_account=%00").status_code == 422
