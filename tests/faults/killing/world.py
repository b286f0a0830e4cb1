"""One world: an installed service on a database of its own, with a sandbox of its own as its provider."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from installed import GOODS, Installed
from sqlalchemy import text
from sqlmodel import Session

from billing.bootstrap import Wiring
from billing.domain.periods import Interval
from billing.domain.tokens import Token
from billing.store.plans import CaptureMode
from billing.use_cases.catalogue import NewCustomer, NewPlan, NewPrice, create_customer, create_plan, create_price
from billing.use_cases.save_token import save_token
from billing.use_cases.subscribe import NewSubscription, subscribe
from tests.adapters.conftest import SandboxProcess

_ACCOUNTS = {
    "rest": 'base_url = "{url}"\nusername = "sandbox"',
    "legacy": 'order_management_url = "{url}"\ncheckout_url = "{url}"\neid = 4711',
}
_PASSWORDS = {"rest": "sandbox", "legacy": "sharedSecret"}
_CURRENCIES = {"rest": "EUR", "legacy": "SEK"}


class World(Installed):
    """The service on its clock, of one generation; worlds share nothing."""

    def __init__(self, database_url: str, directory: Path, generation: str, start: datetime) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(database_url, directory, SandboxProcess(directory / "provider"))
        self.generation, self.start_at = generation, start
        self.currency = _CURRENCIES[generation]
        self.prices: list[UUID] = []
        self.sandbox.freeze(start.isoformat()).raise_for_status()

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BILLING_SANDBOX_PASSWORD": _PASSWORDS[self.generation]}

    def configure(self, *, window: int = 1, deadline_seconds: float = 5.0) -> None:
        address = _ACCOUNTS[self.generation].format(url=self.sandbox.url)
        self.config_file.write_text(
            "[brakes]\nrun_slack_invoices = 1000000\ncharges_per_customer = 1000\n\n"
            f'[[provider_accounts]]\nname = "main"\ngeneration = "{self.generation}"\n{address}\n'
            'password_env = "BILLING_SANDBOX_PASSWORD"\n'
            f"deadline_seconds = {deadline_seconds}\nwindow = {window}\n"
        )

    @contextmanager
    def in_settings(self) -> Iterator[None]:
        """This process has the installation's environment for as long as the block lasts."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def open_catalogue(self) -> None:
        """One plan that is captured by itself, one that is captured by hand."""
        with self.at(self.start_at) as (wiring, _, _):
            for name, capture in (("monthly", CaptureMode.AUTOMATIC), ("by hand", CaptureMode.MANUAL)):
                plan = create_plan(
                    wiring.database, wiring.ids, self.start_at, NewPlan(name, "Plant of the month", capture=capture)
                )
                price = NewPrice(plan.id, self.currency, Interval.MONTH, 1, GOODS)
                self.prices.append(create_price(wiring.database, wiring.ids, self.start_at, price).id)

    def newcomer(self, wiring: Wiring, client: httpx.Client, price_id: UUID) -> None:
        """A new customer with a token that is always charged, subscribed from now on."""
        now, database, ids = wiring.clock.now(), wiring.database, wiring.ids
        wish = {"behaviour": "always_ok", "generation": self.generation, "currency": self.currency}
        token = Token(client.post("/_sandbox/tokens", json=wish).raise_for_status().json()["token"])
        new = NewCustomer(ids.new().hex, "Customer", "c@example.com", "SE", "Europe/Stockholm", "sv-SE")
        customer = create_customer(database, ids, now, new)
        saved = save_token(
            database,
            wiring.keyring,
            ids,
            now,
            customer_id=customer.id,
            provider_account="main",
            currency=self.currency,
            token=token,
        )
        subscribe(database, ids, now, NewSubscription(customer.id, price_id, saved.id, None))

    def write_ledger(self) -> Path:
        """The provider's ledger as a file."""
        file = self.directory / "ledger.json"
        file.write_text(json.dumps(self.sandbox.client.get("/_sandbox/ledger").raise_for_status().json()))
        return file


def rows(session: Session, sql: str, **values: Any) -> Sequence[Any]:
    """What plain SQL finds."""
    return session.execute(text(sql), values).all()
