"""A whole service behind its HTTP application: SQLite, a provider in memory, a clock in the test's hand."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from factories import Shop

from api.app import create_app
from billing.bootstrap import Wiring
from billing.ports import Account
from billing.scheduler import Loops
from billing.store.engine import Database, open_database
from billing.use_cases.api_keys import create_key
from tests.api.service import CUSTOMER, ITEM, PLAN, TOKEN, Service, Stage, served


@pytest.fixture
def service(tmp_path: Path, migrated_file: Path) -> Iterator[Service]:
    file = tmp_path / "perennial.sqlite3"
    shutil.copy(migrated_file, file)
    shop = Shop(_without_syncs(open_database(f"sqlite:///{file}")))
    accounts = {"main": Account(shop.gateway, 64, timedelta(seconds=65))}
    wiring = Wiring(shop.database, shop.clock, shop.ids, shop.keyring, accounts, (), shop.namespace)
    loops = Loops(wiring)
    keys = [
        create_key(shop.database, shop.ids, shop.clock.now(), name=role, role=role, live=False)
        for role in ("admin", "merchant")
    ]
    yield Service(shop, wiring, loops, create_app(wiring, loops), file, *keys)
    wiring.close()


def _without_syncs(database: Database) -> Database:
    # What a power cut leaves behind is not asked here, and a sync at every commit is most of a test's time.
    connection = database.engine.raw_connection()
    connection.cursor().execute("PRAGMA synchronous=OFF")
    connection.close()
    return database


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    with served(stage) as address:
        yield stage, address


@pytest.fixture
def address(service: Service, stage: tuple[Stage, str]) -> str:
    """The service on a loopback port."""
    stage[0].app = service.app
    return stage[1]


@pytest.fixture
def client(service: Service, address: str) -> Iterator[httpx.Client]:
    """A client with the operator's key."""
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {service.admin_key}"}) as client:
        yield client


@pytest.fixture
def made(client: httpx.Client) -> dict[str, str]:
    """Ids of a plan, a price, a customer, a token and a subscription, made over HTTP."""
    plan = _made(client, "/v1/plans", PLAN)
    price = {"plan_id": plan, "currency": "SEK", "interval": "month", "interval_count": 1, "items": [ITEM]}
    price_id = _made(client, "/v1/prices", price)
    customer = _made(client, "/v1/customers", CUSTOMER)
    token = _made(client, f"/v1/customers/{customer}/tokens", TOKEN)
    ids = {"customer_id": customer, "price_id": price_id, "token_id": token}
    return {"plan_id": plan, **ids, "subscription_id": _made(client, "/v1/subscriptions", ids)}


def _made(client: httpx.Client, path: str, body: dict[str, Any]) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]
