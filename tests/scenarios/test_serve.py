"""`billing serve` as somebody runs it: real processes, the real clock, requests over HTTP."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from both_books import BothBooks
from installed import Installed, first_line

from billing.adapters.ids import SystemIds
from billing.use_cases.api_keys import create_key

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ITEM = {
    "article_number": "BASE",
    "name": "Base fee",
    "quantity": 1,
    "unit_amount": {"amount": 2990, "currency": "EUR"},
    "tax_rate": 1900,
    "credit_rule": "time",
}
PATIENCE = 40.0
CALM = 1.0


@on_sqlite
def test_a_subscription_that_starts_in_two_seconds_is_charged_once_by_the_clock(installed: Installed) -> None:
    with serving(installed) as (client,):
        invoice = renewed_by_the_clock(installed, client)
        assert invoice["total"] == {"amount": 2990, "currency": "EUR"}
    settled_later(installed)


@on_postgresql
def test_two_services_on_one_database_charge_it_once(installed: Installed) -> None:
    with serving(installed, count=2) as (first, second):
        invoice = renewed_by_the_clock(installed, first)
        assert second.get(f"/v1/invoices/{invoice['id']}").json() == invoice
    settled_later(installed)


@on_sqlite
def test_a_silent_provider_leaves_the_outcome_unknown_until_it_is_asked_again(installed: Installed) -> None:
    installed.configure(deadline_seconds=0.5)
    installed.sandbox.script({"fault": "silence_after", "path_contains": "/order"})
    with serving(installed) as (client,):
        subscription = subscribed(installed, client)
        (unknown,) = wait_for(lambda: purchases(client, "unknown"))
        assert (unknown["sends"], unknown["standing"]) == (1, "live")
        (known,) = wait_for(lambda: purchases(client, "succeeded"))
        assert (known["id"], known["key"], known["sends"]) == (unknown["id"], unknown["key"], 2)
        assert len(invoices(client, subscription)) == 1
    settled_later(installed)


@on_sqlite
def test_while_a_service_owns_the_file_no_command_takes_it(installed: Installed) -> None:
    with serving(installed):
        for command in ("run", "migrate"):
            assert_refused(installed.command(command), "another process owns")


@on_sqlite
def test_a_worker_on_sqlite_is_sent_to_postgresql(installed: Installed) -> None:
    assert_refused(installed.command("worker"), "PostgreSQL")


@on_sqlite
def test_a_port_in_use_is_one_sentence(installed: Installed) -> None:
    taken = installed.sandbox.url.rsplit(":", 1)[1]
    assert_refused(installed.command("serve", "--port", taken), f"port {taken} on 127.0.0.1 is in use")


@on_sqlite
def test_a_key_made_by_the_command_opens_the_door_and_admin_opens_the_back(installed: Installed) -> None:
    merchant, admin = (installed.command("keys", "create", "--name", "shop", *more)[1] for more in ((), ("--admin",)))
    with serving(installed) as (client,):
        answers = [
            client.post("/admin/v1/refunds", json={}, headers={"Authorization": f"Bearer {key.strip()}"})
            for key in (merchant, admin, merchant.strip()[:-1] + "x")
        ]
    assert [answer.status_code for answer in answers] == [403, 422, 401]


@contextmanager
def serving(installed: Installed, count: int = 1) -> Iterator[list[httpx.Client]]:
    """Services on free ports, each as a client with an operator's key; SIGTERM ends them with exit code 0."""
    with installed.database() as database:
        key = create_key(database, SystemIds(), datetime.now(UTC), name="test", role="admin", live=False)
    services = [installed.start("serve", "--port", "0") for _ in range(count)]
    headers = {"Authorization": f"Bearer {key}"}
    clients = []
    for service in services:
        words = first_line(service).split()
        clients.append(httpx.Client(base_url=words[words.index("on") + 1], headers=headers, timeout=20))
    yield clients
    for client, service in zip(clients, services, strict=True):
        client.close()
        service.send_signal(signal.SIGTERM)
    for service in services:
        _, complained = service.communicate(timeout=20)
        assert (service.returncode, "Traceback" in complained) == (0, False), complained


def subscribed(installed: Installed, client: httpx.Client, *, start_at: datetime | None = None) -> str:
    """Everything up to a subscription, over HTTP; returns its id."""
    plan = created(client, "/v1/plans", reference="monthly", name="Plant of the month")
    price = created(
        client, "/v1/prices", plan_id=plan, currency="EUR", interval="month", interval_count=1, items=[ITEM]
    )
    customer = created(
        client, "/v1/customers", reference="c-1", name="Ada", country="DE", zone="Europe/Berlin", locale="de-DE"
    )
    installed.tokens.append(installed.sandbox.token())
    token = created(
        client,
        f"/v1/customers/{customer}/tokens",
        provider_account="main",
        currency="EUR",
        token=installed.tokens[-1],
    )
    when = {"start_at": start_at.isoformat()} if start_at else {}
    return created(client, "/v1/subscriptions", customer_id=customer, price_id=price, token_id=token, **when)


def created(client: httpx.Client, path: str, **body: Any) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def renewed_by_the_clock(installed: Installed, client: httpx.Client) -> dict[str, Any]:
    """A subscription two seconds ahead, waited for until it is charged, and for some ticks more; its one invoice."""
    subscription = subscribed(installed, client, start_at=datetime.now(UTC) + timedelta(seconds=2))
    assert client.get(f"/v1/subscriptions/{subscription}").json()["status"] == "pending"
    assert wait_for(lambda: purchases(client, "succeeded"))
    time.sleep(CALM)
    assert len(purchases(client)) == 1
    (invoice,) = invoices(client, subscription)
    return invoice


def purchases(client: httpx.Client, status: str | None = None) -> list[dict[str, Any]]:
    wanted = {"kind": "purchase"} | ({"status": status} if status else {})
    return client.get("/v1/operations", params=wanted).raise_for_status().json()["data"]


def invoices(client: httpx.Client, subscription: str) -> list[dict[str, Any]]:
    return client.get("/v1/invoices", params={"subscription_id": subscription}).raise_for_status().json()["data"]


def wait_for(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    give_up_at = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < give_up_at, "it did not come in time"
        time.sleep(0.1)
    return found


def settled_later(installed: Installed) -> None:
    """After the service has stopped: the capture, half an hour later, and both books."""
    now = datetime.now(UTC)
    installed.carry_on(now, now + timedelta(hours=1))
    BothBooks(installed).assert_agree()


def assert_refused(ended: tuple[int, str, str], sentence: str) -> None:
    code, said, complained = ended
    assert (code, said) == (3, "")
    assert sentence in complained
    assert (len(complained.strip().splitlines()), "Traceback" in complained) == (1, False), complained
