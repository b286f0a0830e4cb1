"""The service that tests of the HTTP application drive, and bodies that are right."""

import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from factories import Shop
from litestar import Litestar
from sqlalchemy import text

from billing.bootstrap import Wiring
from billing.scheduler import Loops

PLAN = {"reference": "plant-club", "name": "Plant of the month"}
CUSTOMER = {"reference": "c-1", "name": "Ada Example", "country": "SE", "zone": "Europe/Stockholm", "locale": "sv-SE"}
TOKEN = {"provider_account": "main", "currency": "SEK", "token": "a-token-as-given"}
ITEM = {
    "article_number": "BASE",
    "name": "Base fee",
    "quantity": 2,
    "unit_amount": {"amount": 2990, "currency": "SEK"},
    "tax_rate": 2500,
    "credit_rule": "time",
}


class SettableClock:
    """Stands still at the instant it was last set to, and may be set back when a test ends."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant

    def set(self, instant: datetime) -> None:
        self._instant = instant


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Service:
    """The service, and the keys of an operator and of a merchant's back end."""

    shop: Shop
    wiring: Wiring
    loops: Loops
    app: Litestar
    address: str
    file: Path
    admin_key: str
    merchant_key: str

    def client(self, key: str) -> httpx.Client:
        """A client over a real socket; it is loopback, so no certificates are read."""
        return httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {key}"}, verify=_NO_TLS, timeout=30
        )

    def connection(self) -> sqlite3.Connection:
        """The one connection of the database, between two transactions."""
        pooled = self.shop.database.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.close()
        return connection

    def tick(self) -> None:
        self.loops.until_idle()

    def paid_invoice(self, client: httpx.Client) -> dict[str, Any]:
        """The invoice of a subscription just started: 39.70 SEK on three lines, captured."""
        self.shop.subscription()
        self.tick()
        self.shop.clock.set(self.shop.clock.now() + timedelta(minutes=31))
        self.tick()
        return client.get("/v1/invoices").json()["data"][0]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.shop.database.tx() as session:
            names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
            return {
                name: sorted(map(tuple, session.execute(text(f'SELECT * FROM "{name}"'))), key=repr) for name in names
            }


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application on a loopback port; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
