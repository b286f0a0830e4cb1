"""The service as somebody installs it: a database, a key file, settings, a provider; and its commands as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from billing.adapters.clock import SimulatedClock
from billing.adapters.ids import SystemIds
from billing.adapters.keys_file import FileKeys, create_key_file
from billing.bootstrap import Wiring, wire
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.domain.tokens import Token
from billing.scheduler import Loops
from billing.store.engine import Database, open_database
from billing.store.subscriptions import Subscription
from billing.use_cases.catalogue import NewCustomer, NewPlan, NewPrice, create_customer, create_plan, create_price
from billing.use_cases.install import install
from billing.use_cases.save_token import save_token
from billing.use_cases.subscribe import NewSubscription, subscribe
from billing.vault.keyring import Keyring
from config.settings import load_settings
from tests.adapters.conftest import SandboxProcess

BILLING = (sys.executable, "-c", "from billing.cli import main; main()")
GOODS = (
    PriceItem("BASE", "Base fee", 1, 1990, 1900, CreditRule.TIME, Recognize.TIME),
    PriceItem("BOX", "Box", 2, 745, 700, CreditRule.QUANTITY, Recognize.DISPATCH),
)
KILLED = -signal.SIGKILL
STEP = timedelta(minutes=1)


class Installed:
    """One installation. Commands are processes on the wall's clock; `at` is this process, on a clock of its own."""

    def __init__(self, database_url: str, directory: Path, sandbox: SandboxProcess) -> None:
        self.database_url, self.directory, self.sandbox = database_url, directory, sandbox
        self.key_file = directory / "keys" / "vault.key"
        self.config_file = directory / "perennial.toml"
        self.tokens: list[str] = []
        self._price: UUID | None = None
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {
            "BILLING_DATABASE__URL": self.database_url,
            "BILLING_VAULT__KEY_FILE": str(self.key_file),
            "BILLING_CONFIG_FILE": str(self.config_file),
            "BILLING_SANDBOX_PASSWORD": "sandbox",
        }

    def configure(self, *, window: int = 2, deadline_seconds: float = 5.0) -> None:
        """Write the configuration file; a window of two makes several windows of a few rows."""
        self.config_file.write_text(
            f"""
            [loops]
            seconds = 0.1

            [[provider_accounts]]
            name = "main"
            generation = "rest"
            base_url = "{self.sandbox.url}"
            username = "sandbox"
            password_env = "BILLING_SANDBOX_PASSWORD"
            deadline_seconds = {deadline_seconds}
            window = {window}
            """
        )

    def install(self) -> None:
        """Key file and database, tied to each other; what `billing vault init` does."""
        ids = SystemIds()
        self.key_file.parent.mkdir(mode=0o700)
        create_key_file(self.key_file, ids.secret)
        with self.database() as database:
            install(database, Keyring(FileKeys(self.key_file), ids.secret), ids, datetime.now(UTC))

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.database_url)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def at(self, now: datetime) -> Iterator[tuple[Wiring, Loops, SimulatedClock]]:
        """The service in this process, its clock standing at `now`."""
        clock = SimulatedClock(now)
        wiring = wire(load_settings(), clock=clock)
        try:
            yield wiring, Loops(wiring), clock
        finally:
            wiring.close()

    def subscribe(self, wiring: Wiring, now: datetime, *, start_at: datetime | None = None) -> Subscription:
        """A new customer with a token that is always charged, on the one plan of this shop: 34.80 EUR a month."""
        database, ids, name = wiring.database, wiring.ids, f"customer-{len(self.tokens)}"
        if self._price is None:
            plan = create_plan(database, ids, now, NewPlan("monthly", "Plant of the month"))
            self._price = create_price(database, ids, now, NewPrice(plan.id, "EUR", Interval.MONTH, 1, GOODS)).id
        customer = create_customer(
            database, ids, now, NewCustomer(name, "Customer", "c@example.com", "DE", "Europe/Berlin", "de-DE")
        )
        self.tokens.append(self.sandbox.token())
        token = save_token(
            database,
            wiring.keyring,
            ids,
            now,
            customer_id=customer.id,
            provider_account="main",
            currency="EUR",
            token=Token(self.tokens[-1]),
        )
        return subscribe(database, ids, now, NewSubscription(customer.id, self._price, token.id, start_at))

    def carry_on(self, start: datetime, until: datetime) -> None:
        """All loops from one due instant to the next, until nothing is due before `until`."""
        with self.at(start) as (_, loops, clock):
            loops.until_idle()
            while (due := loops.next_due_at()) is not None and max(due, clock.now()) <= until:
                clock.set(due if due > clock.now() else clock.now() + STEP)
                loops.until_idle()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A command as a process; it is ended with the test."""
        process = subprocess.Popen(
            [*BILLING, *arguments],
            env=os.environ | self.environment | environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def command(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """A command from start to end: its exit code, what it said, what it complained of."""
        process = self.start(*arguments, **environment)
        said, complained = process.communicate(timeout=60)
        return process.returncode, said, complained

    def run_killed_at(self, step: str) -> None:
        """`billing run`, which kills itself at `step`, given as NAME:COUNT."""
        code, _, complained = self.command("run", BILLING_KILL_AT=step)
        assert code == KILLED, f"{step} was never reached: exit code {code}, {complained}"

    def stop_everything(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=20)


def first_line(process: subprocess.Popen[str]) -> str:
    """The line with which a process says that it is ready; fails the test where it ended without one."""
    assert process.stdout is not None, "the process speaks into a pipe"
    return process.stdout.readline() or pytest.fail(f"it ended before it was ready: {process.communicate()[1]}")
