"""The real sandbox, as a process on a free port with books of its own, and short ways to talk to it."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from billing.adapters.network import Network
from tests.adapters.both_generations import Legacy, Rest, Side
from tests.adapters.klarna_of_that_time import OlderKlarna

ROOT = Path(__file__).resolve().parents[2]


class SandboxProcess:
    """One running sandbox. It ends with `stop`, with `kill`, or when this process dies."""

    def __init__(self, data_dir: Path, seed: str = "perennial") -> None:
        self.data_dir = data_dir
        command = [sys.executable, "-m", "billing.sandbox", "--port", "0", "--data", str(data_dir), "--seed", seed]
        self.process = subprocess.Popen(
            [*command, "--parent-pipe"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        if not self.first_line:
            pytest.fail(f"the sandbox did not start: {self.process.communicate()[1]}")
        self.url = self.first_line.split()[-1]
        self.client = httpx.Client(base_url=self.url, auth=("sandbox", "sandbox"), timeout=20)
        self._good_token: str | None = None
        self.set(rest_capture_wait_seconds=0)

    def settle_down(self) -> None:
        """No script, the real clock, and the settings of the start, but for captures: these need not wait."""
        self.client.delete("/_sandbox/script")
        self.client.post("/_sandbox/clock", json={"set": None})
        self.client.delete("/_sandbox/settings")
        self.set(rest_capture_wait_seconds=0)

    def set(self, **settings: Any) -> httpx.Response:
        return self.client.post("/_sandbox/settings", json=settings)

    def stop(self) -> tuple[int, str, str]:
        """Exit code, the rest of standard output, standard error."""
        self.client.close()
        self.process.terminate()
        said, complained = self.process.communicate(timeout=20)
        return self.process.returncode, said, complained

    def kill(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.communicate(timeout=20)

    def session(self, **changes: Any) -> httpx.Response:
        return self.client.post("/payments/v1/sessions", json=_without_none(session_body() | changes))

    def authorization(self, behaviour: str = "always_ok", seed: str | None = None, **session: Any) -> str:
        session_id = self.session(**session).json()["session_id"]
        wish = {"token": behaviour, "seed": seed}
        return self.client.post(f"/_sandbox/sessions/{session_id}/approve", json=wish).json()["authorization_token"]

    def create_token(self, authorization: str, **changes: Any) -> httpx.Response:
        path = f"/payments/v1/authorizations/{authorization}/customer-token"
        return self.client.post(path, json=_without_none(token_body() | changes))

    def token(self, behaviour: str = "always_ok", seed: str | None = None) -> str:
        return self.create_token(self.authorization(behaviour, seed)).json()["token_id"]

    def new_token(self, generation: str = "rest", behaviour: str = "always_ok", currency: str = "EUR") -> str:
        """A token of either generation, without the customer who would approve it."""
        wish = {"behaviour": behaviour, "generation": generation, "currency": currency}
        return self.client.post("/_sandbox/tokens", json=wish).json()["token"]

    @property
    def good_token(self) -> str:
        """A token that is always charged; one for all who do not care which."""
        if self._good_token is None:
            self._good_token = self.token()
        return self._good_token

    def charge(
        self, token: str | None = None, *, key: str | None = None, timeout: float = 20, **changes: Any
    ) -> httpx.Response:
        """One recurring purchase of 19.90 EUR; `None` leaves a field out, and without a key a new one is made."""
        return self.client.post(
            f"/customer-token/v1/tokens/{token or self.good_token}/order",
            json=_without_none(order_body() | changes),
            headers={"Klarna-Idempotency-Key": key or str(uuid4())},
            timeout=timeout,
        )

    def order_id(self, token: str | None = None, **changes: Any) -> str:
        return self.charge(token, **changes).json()["order_id"]

    def manage(
        self, order_id: str, call: str, body: Any = None, *, key: str | None = None, timeout: float = 20
    ) -> httpx.Response:
        """A POST of order management: `captures`, `refunds`, `cancel`, `captures/ID/trigger-send-out`."""
        headers = {"Klarna-Idempotency-Key": key} if key else {}
        path = f"/ordermanagement/v1/orders/{order_id}/{call}"
        return self.client.post(path, json=body, headers=headers, timeout=timeout)

    def capture(self, order_id: str, amount: Any = 1990, *, key: str | None = None, **more: Any) -> httpx.Response:
        return self.manage(order_id, "captures", {"captured_amount": amount, **more}, key=key)

    def refund(self, order_id: str, amount: Any = 1990, *, key: str | None = None, **more: Any) -> httpx.Response:
        return self.manage(order_id, "refunds", {"refunded_amount": amount, **more}, key=key)

    def read(self, order_id: str, what: str = "") -> httpx.Response:
        return self.client.get(f"/ordermanagement/v1/orders/{order_id}{what}")

    def script(self, *answers: dict[str, Any]) -> httpx.Response:
        return self.client.post("/_sandbox/script", json={"answers": list(answers)})

    def advance(self, **duration: float) -> None:
        units = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
        seconds = sum(units[unit] * count for unit, count in duration.items())
        self.client.post("/_sandbox/clock", json={"advance_seconds": seconds}).raise_for_status()

    def freeze(self, at: str) -> httpx.Response:
        return self.client.post("/_sandbox/clock", json={"set": at})

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What plain SQL finds in the sandbox's file."""
        with closing(sqlite3.connect(self.data_dir / "sandbox.sqlite3")) as books:
            books.row_factory = sqlite3.Row
            return [dict(row) for row in books.execute(sql, values)]


def line(**changes: Any) -> dict[str, Any]:
    """A month of coffee: 19.90 EUR with 25 % tax in it."""
    subscription = {"name": "Coffee", "interval": "MONTH", "interval_count": 1}
    figures = {"quantity": 1, "unit_price": 1990, "total_amount": 1990, "tax_rate": 2500, "total_tax_amount": 398}
    whole = {"name": "Coffee", "reference": "coffee", "type": "physical", "subscription": subscription} | figures
    return _without_none(whole | changes)


def order_body() -> dict[str, Any]:
    return {
        "purchase_currency": "EUR",
        "order_amount": 1990,
        "order_tax_amount": 398,
        "order_lines": [line()],
        "merchant_reference1": f"inv_{uuid4().hex}",
        "merchant_reference2": f"op-{uuid4().hex[:20]}",
    }


def session_body() -> dict[str, Any]:
    country = {"purchase_country": "DE", "purchase_currency": "EUR", "locale": "de-DE"}
    amounts = {"order_amount": 1990, "order_tax_amount": 398, "order_lines": [line()]}
    return country | amounts | {"intent": "tokenize"}


def token_body() -> dict[str, Any]:
    country = {"purchase_country": "DE", "purchase_currency": "EUR", "locale": "de-DE"}
    return country | {"description": "Coffee every month", "intended_use": "SUBSCRIPTION"}


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox"))
    assert process.good_token  # made before any script could spoil its making
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> Iterator[SandboxProcess]:
    """The sandbox that all tests share; its script is emptied and its clock put back after each of them."""
    yield sandbox_process
    sandbox_process.settle_down()


@pytest.fixture
def older(sandbox: SandboxProcess) -> OlderKlarna:
    """The shared sandbox as a client of the older generation sees it."""
    return OlderKlarna(sandbox)


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    """Starts sandboxes of one's own: `start_sandbox(name="a", seed="x")`; the same name is the same directory."""
    started: list[SandboxProcess] = []

    def start(name: str = "own", seed: str = "perennial") -> SandboxProcess:
        started.append(SandboxProcess(tmp_path / name, seed))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture
def coffee_line() -> Callable[..., dict[str, Any]]:
    """Builds one order line; keywords change or, with None, leave out its fields."""
    return line


@pytest.fixture(scope="session")
def contract_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox for the contract of both adapters, which waits with captures as Klarna does."""
    process = SandboxProcess(tmp_path_factory.mktemp("contract"))
    yield process
    process.stop()


@pytest.fixture
def connected(contract_sandbox: SandboxProcess) -> Iterator[Callable[[type[Side]], Side]]:
    network = Network(concurrency=4)
    contract_sandbox.set(rest_capture_wait_seconds=1800)
    yield lambda side: side(contract_sandbox, network)
    network.close()
    contract_sandbox.settle_down()


@pytest.fixture(params=[Rest, Legacy], ids=["rest", "legacy"])
def side(request: pytest.FixtureRequest, connected: Callable[[type[Side]], Side]) -> Side:
    """Either adapter in turn."""
    return connected(request.param)


@pytest.fixture
def rest(connected: Callable[[type[Side]], Side]) -> Side:
    return connected(Rest)


@pytest.fixture
def legacy(connected: Callable[[type[Side]], Side]) -> Side:
    return connected(Legacy)
