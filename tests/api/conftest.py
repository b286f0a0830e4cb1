"""One service behind its HTTP application for all tests of a process: SQLite, a provider in memory, a clock in the
test's hand. Each test finds it as it was when it was new.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from factories import START, Shop
from fakes.gateway import FakeGateway

from api.app import create_app
from billing.bootstrap import Wiring
from billing.ports import Account
from billing.scheduler import Loops
from billing.store.engine import open_database
from billing.use_cases.api_keys import create_key
from tests.api.service import CUSTOMER, ITEM, PLAN, TOKEN, Service, SettableClock, served


@pytest.fixture(scope="session")
def one_service(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Service]:
    file = tmp_path_factory.mktemp("api") / "perennial.sqlite3"
    shutil.copy(migrated_file, file)
    shop = Shop(open_database(f"sqlite:///{file}"), SettableClock(START))
    wiring = Wiring(shop.database, shop.clock, shop.ids, shop.keyring, {}, (), shop.namespace, shop.seller)
    loops = Loops(wiring)
    keys = [
        create_key(shop.database, shop.ids, START, name=role, role=role, live=False) for role in ("admin", "merchant")
    ]
    app = create_app(wiring, loops)
    with served(app) as address:
        yield Service(shop, wiring, loops, app, address, file, *keys)
    wiring.close()


@pytest.fixture(scope="session")
def as_new(one_service: Service) -> sqlite3.Connection:
    """The rows of a service that nobody has used."""
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    one_service.connection().backup(kept)
    return kept


@pytest.fixture
def service(one_service: Service, as_new: sqlite3.Connection) -> Service:
    as_new.backup(one_service.connection())
    shop = one_service.shop
    shop.clock.set(START)
    shop.gateway = FakeGateway()
    one_service.wiring.accounts["main"] = Account(shop.gateway, 64, timedelta(seconds=65))
    return one_service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A client with the operator's key."""
    with service.client(service.admin_key) as client:
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
