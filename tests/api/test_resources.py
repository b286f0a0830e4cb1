"""Every resource over HTTP: what is made is what is read, and what is wrong is said."""

import re
from datetime import timedelta

import httpx

from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined
from tests.api.service import CUSTOMER, ITEM, PLAN, TOKEN, Service

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_what_is_made_is_what_is_read(client: httpx.Client, made: dict[str, str]) -> None:
    for path, id_ in [
        ("plans", made["plan_id"]),
        ("prices", made["price_id"]),
        ("customers", made["customer_id"]),
        ("subscriptions", made["subscription_id"]),
    ]:
        read = client.get(f"/v1/{path}/{id_}").json()
        assert read["id"] == id_
        assert INSTANT.fullmatch(read["created_at"])
        assert client.get(f"/v1/{path}").json() == {"data": [read], "next": None}


def test_a_price_keeps_its_lines_in_their_order(client: httpx.Client, made: dict[str, str]) -> None:
    items = [ITEM, {**ITEM, "article_number": "SHIP", "credit_rule": "none", "recognize": "at_capture"}]
    body = {"plan_id": made["plan_id"], "currency": "SEK", "interval": "week", "interval_count": 2, "items": items}
    price = client.post("/v1/prices", json=body).json()
    unsaid = {"tax_code": None, "once": False}
    assert price["items"] == [{**ITEM, "recognize": "time", **unsaid}, {**items[1], **unsaid}]
    assert client.get("/v1/prices", params={"plan_id": made["plan_id"]}).json()["data"][1] == price


def test_a_reference_finds_its_plan_and_its_customer(client: httpx.Client, made: dict[str, str]) -> None:
    (plan,) = client.get("/v1/plans", params={"reference": PLAN["reference"]}).json()["data"]
    (customer,) = client.get("/v1/customers", params={"reference": CUSTOMER["reference"]}).json()["data"]
    assert (plan["id"], customer["id"]) == (made["plan_id"], made["customer_id"])
    assert client.get("/v1/plans", params={"reference": "another"}).json()["data"] == []


def test_a_token_is_told_of_but_never_shown(client: httpx.Client, made: dict[str, str]) -> None:
    (token,) = client.get(f"/v1/customers/{made['customer_id']}/tokens").json()["data"]
    assert sorted(token) == ["created_at", "currency", "customer_id", "id", "provider_account", "status"]
    assert (token["id"], token["status"]) == (made["token_id"], "active")


def test_a_subscription_opens_its_period_and_invoice_at_the_next_tick(
    service: Service, client: httpx.Client, made: dict[str, str]
) -> None:
    service.tick()
    (period,) = client.get(f"/v1/subscriptions/{made['subscription_id']}/periods").json()["data"]
    assert (period["start_date"], period["end_date"]) == ("2028-01-31", "2028-02-29")
    (invoice,) = client.get("/v1/invoices", params={"subscription_id": made["subscription_id"]}).json()["data"]
    assert invoice["total"] == {"amount": 5980, "currency": "SEK"}
    assert (invoice["period_id"], invoice["number"], invoice["status"]) == (period["id"], None, "open")


def test_a_paid_invoice_has_its_number_and_its_lines_their_sums(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    assert (invoice["number"], invoice["status"], invoice["payment_state"]) == ("invoice-000001", "paid", "succeeded")
    assert invoice["captured"] == invoice["total"] == {"amount": 3970, "currency": "SEK"}
    assert sum(line["amount"]["amount"] for line in invoice["lines"]) == 3970
    assert client.get(f"/v1/invoices/{invoice['id']}").json() == invoice
    assert client.get("/v1/invoices", params={"status": "open"}).json()["data"] == []


def test_an_operation_shows_everything_the_provider_answered(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    asked = {"invoice_id": invoice["id"], "kind": "purchase", "status": "succeeded"}
    (purchase,) = client.get("/v1/operations", params=asked).json()["data"]
    assert (purchase["amount"], purchase["sends"], purchase["authorization"]) == (invoice["total"], 1, "captured")
    assert [(seen["outcome"], seen["settled"]) for seen in purchase["observations"]] == [("succeeded", True)]
    assert client.get(f"/v1/operations/{purchase['id']}").json() == purchase


def test_lists_are_read_in_parts_without_gap_or_double(client: httpx.Client) -> None:
    made = [client.post("/v1/plans", json={**PLAN, "reference": f"p{n}"}).json()["id"] for n in range(5)]
    seen, after = [], None
    while True:
        part = client.get("/v1/plans", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [plan["id"] for plan in part["data"]]
        after = part["next"]
        if after is None:
            break
    assert seen == sorted(made)


def test_a_declined_customer_with_another_token_is_tried_at_once(service: Service, client: httpx.Client) -> None:
    service.shop.gateway.answer(OperationKind.PURCHASE, Declined(Answer(403, "declined"), "soft"))
    subscription = service.shop.subscription()
    service.tick()
    token = service.shop.token(subscription.customer_id)
    path = f"/v1/subscriptions/sub_{subscription.id.hex}/token"
    answer = client.post(path, json={"token_id": f"tok_{token.hex}"})
    assert (answer.status_code, answer.json()["attempt"]) == (200, "planned_now")
    assert answer.json()["subscription"]["token_id"] == f"tok_{token.hex}"
    assert answer.json()["subscription"]["status"] == "past_due"


def test_what_the_preview_shows_is_what_the_cancel_does(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    service.shop.clock.set(service.shop.clock.now() + timedelta(days=10))
    path = f"/v1/subscriptions/{invoice['subscription_id']}/cancel"
    wanted = {"at": "now", "credit": "refund", "unshipped": [{"article_number": "BOX", "quantity": 1}]}
    shown, done = client.post(f"{path}/preview", json=wanted).json(), client.post(path, json=wanted).json()
    assert (shown["credit_note_id"], shown["operation_id"]) == (None, None)
    assert done["credit_note_id"].startswith("cn_")
    assert shown["quote_id"].startswith("quo_")
    ids = {name: shown[name] for name in ("credit_note_ids", "operation_ids", "quote_id", "expires_at")}
    assert {**done, "credit_note_id": None, "operation_id": None, **ids} == shown
    assert [line["by"] for line in done["credit"]["lines"]] == ["time", "quantity"]
    assert (done["used_days"], done["of_days"], done["credit"]["invoice_id"]) == (10, 29, invoice["id"])


def test_a_cancel_at_the_end_of_the_period_credits_nothing(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    path = f"/v1/subscriptions/{invoice['subscription_id']}"
    done = client.post(f"{path}/cancel", json={"at": "period_end"}).json()
    assert (done["credit"], done["effective_at"], done["used_days"]) == (None, "2028-02-28T23:00:00Z", None)
    assert client.get(path).json()["cancel_at"] == done["effective_at"]


def test_an_ended_subscription_is_not_canceled_again(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    path = f"/v1/subscriptions/{invoice['subscription_id']}/cancel"
    client.post(path, json={"at": "now"})
    answer = client.post(path, json={"at": "now"})
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")


def test_the_same_thing_twice_is_a_conflict(client: httpx.Client, made: dict[str, str]) -> None:
    tokens = f"/v1/customers/{made['customer_id']}/tokens"
    for path, body in [("/v1/plans", PLAN), ("/v1/customers", CUSTOMER), (tokens, TOKEN)]:
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
        assert answer.headers["content-type"] == "application/problem+json"


NOBODY = "0" * 32


KINDS = [
    ("plans", "plan", ""),
    ("prices", "price", ""),
    ("customers", "cus", ""),
    ("customers", "cus", "/tokens"),
    ("subscriptions", "sub", ""),
    ("subscriptions", "sub", "/periods"),
    ("invoices", "inv", ""),
    ("operations", "op", ""),
]


def test_an_id_in_the_address_that_is_not_there_is_404(client: httpx.Client) -> None:
    for kind, prefix, rest in KINDS:
        for id_ in (f"{prefix}_{NOBODY}", f"other_{NOBODY}", "nonsense"):
            answer = client.get(f"/v1/{kind}/{id_}{rest}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.url


def test_a_verb_on_a_subscription_that_is_not_there_is_404(client: httpx.Client) -> None:
    for rest in ("token", "cancel", "cancel/preview"):
        body = {"token_id": f"tok_{NOBODY}"} if rest == "token" else {"at": "now"}
        for id_ in (f"sub_{NOBODY}", "nonsense"):
            assert client.post(f"/v1/subscriptions/{id_}/{rest}", json=body).status_code == 404


WRONG_QUERIES = [
    ("plans?limit=0", "limit"),
    ("plans?limit=201", "limit"),
    ("plans?limit=many", "limit"),
    ("plans?after=cus_1", "after"),
    ("plans?reference=%00", "reference"),
    ("invoices?status=opn", "status"),
    ("operations?kind=charge", "kind"),
    ("subscriptions?customer_id=1", "customer_id"),
]


def test_a_wrong_query_is_told_by_its_name(client: httpx.Client) -> None:
    for query, where in WRONG_QUERIES:
        answer = client.get(f"/v1/{query}")
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where), query
