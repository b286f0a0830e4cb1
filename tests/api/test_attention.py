"""What needs a person: all of it, the largest amount first, each with one thing to do that works."""

from datetime import timedelta

import httpx
from sqlalchemy import update

from billing.domain.ids import Prefix, parse
from billing.domain.operations import OperationKind
from billing.ports import Answer, Refused, Succeeded, Unknown
from billing.store.accounts import ProviderAccount, halt
from billing.store.brakes import Brake
from billing.store.restores import Restore
from billing.store.subscriptions import Subscription
from billing.store.verifications import Verification
from billing.use_cases.settle import Settlement, settle
from billing.use_cases.subscribe import NewSubscription, subscribe
from tests.api.service import Service

WRONG = Refused(Answer(400, "BAD_VALUE", "our request is wrong"))


def listed(client: httpx.Client) -> list[dict[str, object]]:
    answer = client.get("/admin/v1/attention")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def kinds(client: httpx.Client) -> list[object]:
    return [entry["kind"] for entry in listed(client)]


def stuck(service: Service, currency: str = "SEK") -> None:
    shop = service.shop
    shop.gateway.answer(OperationKind.PURCHASE, WRONG)
    customer_id = shop.customer()
    token_id = shop.token(customer_id, currency=currency)
    new = NewSubscription(customer_id, shop.price(currency=currency), token_id, None)
    subscribe(shop.database, shop.ids, shop.clock.now(), new)
    service.tick()


def test_nothing_needs_a_person_where_everything_went_well(service: Service, client: httpx.Client) -> None:
    service.paid_invoice(client)
    assert client.get("/admin/v1/attention").json() == {"data": [], "count": 0, "next": None}


def test_an_entry_says_whose_how_much_how_old_why_and_what_to_do(service: Service, client: httpx.Client) -> None:
    stuck(service)
    service.shop.clock.set(service.shop.clock.now() + timedelta(hours=1))
    (entry,) = listed(client)
    assert (entry["amount"], entry["age_seconds"]) == ({"amount": 3970, "currency": "SEK"}, 3600)
    assert entry["why"] == "The provider refused the purchase (BAD_VALUE): our request is wrong."
    assert entry["action"]["path"] == f"/admin/v1/operations/{entry['operation_id']}/decisions"
    assert all(entry[name] for name in ("invoice_id", "subscription_id", "customer_id", "provider_account"))
    body = {"verb": "allow_again", "reason": "corrected"}
    assert client.post(entry["action"]["path"], json=body).status_code == 200
    assert listed(client) == []


def test_the_largest_amount_comes_first_whatever_its_currency_and_a_list_goes_on(
    service: Service, client: httpx.Client
) -> None:
    for currency in ("SEK", "JPY"):
        stuck(service, currency)
    amounts = [entry["amount"] for entry in listed(client)]
    assert amounts == [{"amount": 3970, "currency": "JPY"}, {"amount": 3970, "currency": "SEK"}]
    first = client.get("/admin/v1/attention?limit=1").json()
    second = client.get("/admin/v1/attention", params={"limit": 1, "after": first["next"]}).json()
    assert ([*first["data"], *second["data"]], second["next"], second["count"]) == (listed(client), None, 2)
    assert client.get("/admin/v1/attention?after=nonsense").status_code == 422


def test_what_halts_charging_comes_before_any_amount(service: Service, client: httpx.Client) -> None:
    stuck(service)
    now = service.shop.clock.now()
    with service.shop.database.tx() as session:
        halt(session, "main", "a person stopped it", now)
        session.add(Brake(id=service.shop.ids.new(), kind="customer_charges", subject="x", reason="4", engaged_at=now))
        lost = {
            "lost_from": now - timedelta(days=1),
            "lost_until": now,
            "by": "Eva",
            "reason": "disk",
            "opened_at": now,
        }
        session.add(Restore(id=service.shop.ids.new(), **lost))
        session.add(Verification(id=service.shop.ids.new(), started_at=now, finished_at=now, breaches=2))
    found = kinds(client)
    assert set(found[:4]) == {"account_stopped", "brake", "restore", "breach"}
    assert found[4] == "needs_operator"


def test_an_account_that_is_stopped_shows_what_waits_behind_it(service: Service, client: httpx.Client) -> None:
    with service.shop.database.tx() as session:
        halt(session, "main", "a person stopped it", service.shop.clock.now())
    service.shop.subscription()
    service.tick()
    (entry,) = listed(client)
    assert (entry["kind"], entry["amount"]) == ("account_stopped", {"amount": 3970, "currency": "SEK"})
    assert client.post(entry["action"]["path"], json={"reason": "it is right again"}).status_code == 200
    assert listed(client) == []


def test_an_open_question_that_nobody_asks_about_is_listed(service: Service, client: httpx.Client) -> None:
    service.shop.gateway.always(OperationKind.PURCHASE, Unknown(Answer(message="no answer")))
    service.shop.subscription()
    service.tick()
    assert kinds(client) == []
    service.shop.clock.set(service.shop.clock.now() + timedelta(minutes=11))
    assert kinds(client) == ["not_asked"]


def test_a_capture_without_risk_cover_is_listed_until_somebody_has_seen_it(
    service: Service, client: httpx.Client
) -> None:
    service.shop.gateway.answer(OperationKind.CAPTURE, Succeeded(Answer(200), "c-1", facts={"risk": "no_risk"}))
    service.paid_invoice(client)
    (entry,) = listed(client)
    assert entry["kind"] == "no_risk"
    client.post(entry["action"]["path"], json={"verb": "acknowledge", "reason": "a good customer"})
    assert listed(client) == []


def test_a_review_a_catch_up_and_a_hold_have_their_own_way_out(
    service: Service, client: httpx.Client, made: dict[str, str]
) -> None:
    service.tick()
    held = client.post(f"/admin/v1/subscriptions/{made['subscription_id']}/hold", json={"reason": "they moved"})
    assert (held.status_code, kinds(client)) == (200, ["hold"])
    assert client.post(listed(client)[0]["action"]["path"], json={"reason": "known"}).status_code == 200
    for reason, kind in (("catch_up", "catch_up"), ("price", "review")):
        with service.shop.database.tx() as session:
            session.execute(update(Subscription).values(review_reason=reason))
        (entry,) = listed(client)
        body = {"reason": "done", **({"policy": "forgive"} if kind == "catch_up" else {})}
        assert (entry["kind"], client.post(entry["action"]["path"], json=body).status_code) == (kind, 200)
    assert listed(client) == []


def test_a_held_subscription_is_not_charged_until_it_is_let_go(service: Service, client: httpx.Client) -> None:
    row = service.shop.subscription()
    path = f"/admin/v1/subscriptions/sub_{row.id.hex}"
    client.post(f"{path}/hold", json={"reason": "wait"})
    service.tick()
    assert client.get("/v1/operations").json()["data"] == []
    assert client.post(f"{path}/hold", json={"reason": "wait"}).status_code == 409
    client.post(f"{path}/unhold", json={"reason": "go on"})
    service.tick()
    assert client.get("/v1/operations?kind=purchase").json()["data"][0]["status"] == "succeeded"
    assert client.post(f"{path}/unhold", json={"reason": "go on"}).status_code == 409


def test_a_dispute_is_listed_with_its_amount(service: Service, client: httpx.Client) -> None:
    id_ = service.paid_invoice(client)["id"]
    client.post(f"/admin/v1/invoices/{id_}/disputes", json={"amount": {"amount": 1000, "currency": "SEK"}})
    (entry,) = listed(client)
    assert (entry["kind"], entry["amount"]["amount"]) == ("dispute", 1000)
    assert client.post(f"/admin/v1/invoices/{id_}/unhold", json={"reason": "x"}).json()["code"] == "under_dispute"
    assert client.post(entry["action"]["path"]).status_code == 200
    assert listed(client) == []


def test_a_second_order_stops_the_invoice_and_is_listed_until_it_is_given_back(
    service: Service, client: httpx.Client
) -> None:
    invoice = service.paid_invoice(client)
    purchase = client.get("/v1/operations?kind=purchase").json()["data"][0]
    shop, late = service.shop, Succeeded(Answer(200), "order-99", "authorized")
    news = Settlement(parse(Prefix.OPERATION, purchase["id"]), shop.ids.new(), late)
    settle(shop.database, shop.ids, shop.clock.now(), [news])
    assert kinds(client) == ["account_stopped", "second_order"]
    second = listed(client)[1]
    assert purchase["id"] in second["why"]
    assert client.post(second["action"]["path"], json={"reason": "compared"}).status_code == 200
    service.tick()
    assert kinds(client) == ["invoice_held"]
    assert client.post(listed(client)[0]["action"]["path"], json={"reason": "given back"}).status_code == 200
    assert (listed(client), client.get(f"/v1/invoices/{invoice['id']}").json()["held_because"]) == ([], None)


def test_only_operators_see_the_list(service: Service) -> None:
    with service.client(service.merchant_key) as merchant:
        assert merchant.get("/admin/v1/attention").status_code == 403


def test_a_stopped_account_without_anything_waiting_has_no_amount(service: Service, client: httpx.Client) -> None:
    with service.shop.database.tx() as session:
        session.execute(update(ProviderAccount).values(halted_at=service.shop.clock.now(), halted_reason="401"))
    assert [entry["amount"] for entry in listed(client)] == [None]
