"""How the story moves through time, on a real sandbox and an API that only writes down what it is asked."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from rich.console import Console

from billing.demo.calling import UnexpectedAnswer
from billing.demo.catalogue import read_catalogue
from billing.demo.service import Service
from billing.demo.story import tell
from tests.scenarios.test_demo_books import Files

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2028, 1, 31, 8, tzinfo=UTC)
CATALOGUE = {
    "plans.csv": "reference,name,interval,interval_count,number_on,emailing,exhausted,trial_days\n"
    "month,Month,month,1,capture,provider_default,cancel,0\n",
    "prices.csv": "plan,country,currency,article_number,name,quantity,unit_amount,tax_rate,credit_rule,recognize\n"
    "month,SE,SEK,FEE,Fee,1,9900,2500,time,time\n",
    "customers.csv": "reference,name,email,country,zone,locale,plan,starts_on,behaviour,fault\n"
    "c1,One,one@example.com,SE,Europe/Stockholm,sv-SE,month,,always_ok,\n"
    "c2,Two,two@example.com,SE,Europe/Stockholm,sv-SE,month,2028-02-29,decline_soft,silence_after\n",
    "actions.csv": "at,customer,what,article_number,quantity,amount\n"
    "2028-02-03T15:00:00Z,c1,cancel_now,,,\n"
    "2028-02-01T15:00:00Z,c2,new_token,,,\n",
}


class Recorder(ThreadingHTTPServer):
    """Says yes to everything, and to a key that it knows that it has said so before."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[str, str, Any]] = []
        self.keys: list[str | None] = []
        self.refuses: str | None = None

    def posts(self, ending: str) -> list[Any]:
        return [body for method, path, body in self.asked if method == "POST" and path.endswith(ending)]


class Answering(BaseHTTPRequestHandler):
    server: Recorder

    def log_message(self, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append(("GET", self.path, None))
        self.answer({"data": [{"id": "id1"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        replayed = key in self.server.keys
        self.server.keys.append(key)
        self.server.asked.append(("POST", self.path, body))
        self.answer({"id": "id1", "detail": "not today"}, replayed=replayed)

    def answer(self, body: dict[str, Any], *, replayed: bool = False) -> None:
        content = json.dumps(body).encode()
        self.send_response(409 if self.server.refuses and self.path.endswith(self.server.refuses) else 200)
        self.send_header("Content-Length", str(len(content)))
        if replayed:
            self.send_header("Idempotency-Replayed", "true")
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api() -> Iterator[Recorder]:
    server = Recorder()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """The sandbox's address; its books lie where `Files` does not look for them."""
    command = [sys.executable, "-m", "billing.sandbox", "--port", "0", "--parent-pipe", "--data", str(tmp_path / "box")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.communicate(timeout=20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    for name, text in CATALOGUE.items():
        (catalogue / name).write_text(text)
    return catalogue


class Telling:
    """A service without rows: what is due comes from a list, and every instant it is moved to is kept."""

    def __init__(self, tmp_path: Path, api: Recorder, sandbox: str, folder: Path) -> None:
        self.files, self.sandbox_file = Files(tmp_path), tmp_path / "box" / "sandbox.sqlite3"
        self.sandbox, self.api, self.folder = sandbox, api, folder
        self.due: list[datetime] = []
        self.visited: list[datetime] = []
        self.sandbox_was_at: list[datetime] = []

    def advance(self, instant: datetime) -> None:
        now = httpx.get(f"{self.sandbox}/_sandbox/clock", trust_env=False).json()["now"]
        self.sandbox_was_at.append(datetime.fromisoformat(now))
        self.visited.append(instant)
        self.due = [at for at in self.due if at > instant]

    def next_due_at(self) -> datetime | None:
        return min(self.due, default=None)

    def until(self, end: datetime, next_due_at: Callable[[], datetime | None] | None = None) -> list[datetime]:
        """Tell the story until `end`; the instants that the service was moved to."""
        api_url = f"http://127.0.0.1:{self.api.server_port}"
        files = (self.files.service, self.sandbox_file)
        hands = (self.advance, next_due_at or self.next_due_at)
        service = Service(api_url, "a key", self.sandbox, "sandbox", *files, *hands)
        tell(service, self.folder, Console(quiet=True), START, end)
        return self.visited


@pytest.fixture
def telling(tmp_path: Path, api: Recorder, sandbox: str, folder: Path) -> Telling:
    return Telling(tmp_path, api, sandbox, folder)


def set_clock(sandbox: str, instant: datetime) -> None:
    httpx.post(f"{sandbox}/_sandbox/clock", json={"set": instant.isoformat()}, trust_env=False).raise_for_status()


# The first two stops are one instant: before the shop is handed in, and after it.


def test_time_goes_to_each_due_instant_and_stops_at_the_end(telling):
    telling.due = [START + timedelta(seconds=5), START + timedelta(minutes=31), START + timedelta(days=9)]
    end = START + timedelta(hours=1)
    assert telling.until(end) == [START, START, START + timedelta(seconds=5), START + timedelta(minutes=31), end]


def test_the_sandbox_is_never_younger_than_the_service(telling):
    telling.due = [START + timedelta(minutes=minutes) for minutes in (5, 31)]
    telling.until(START + timedelta(hours=1))
    assert telling.sandbox_was_at == telling.visited


def test_rows_that_a_dead_process_holds_are_looked_at_again_without_standing_still(telling):
    end = START + timedelta(hours=6)
    visited = telling.until(end, lambda: START - timedelta(minutes=3))
    assert visited[:5] == [START, START, *(START + timedelta(minutes=minutes) for minutes in (1, 3, 7))]
    assert visited[-1] == end
    assert len(visited) < 20


def test_every_customer_is_handed_in_with_token_and_subscription(telling, api):
    telling.until(START + timedelta(minutes=1))
    assert sorted(body["reference"] for body in api.posts("/v1/customers")) == ["c1", "c2"]
    assert len({body["token"] for body in api.posts("/tokens")}) == 2
    starts = [body.get("start_at") for body in api.posts("/v1/subscriptions")]
    assert sorted(map(str, starts)) == ["2028-02-29T00:00:00+01:00", "None"]


def test_the_fault_of_a_first_charge_is_tied_to_its_token(telling, sandbox):
    telling.until(START + timedelta(minutes=1))
    script = httpx.get(f"{sandbox}/_sandbox/script", trust_env=False).json()["answers"]
    assert [(entry["fault"], entry["times"]) for entry in script] == [("silence_after", 1)]
    assert script[0]["path_contains"].endswith("/order")


def test_each_post_has_a_key_of_its_own_that_is_the_same_the_next_time(telling, api):
    telling.until(START + timedelta(minutes=1))
    first, api.keys = api.keys, []
    set_clock(telling.sandbox, START)
    telling.until(START + timedelta(minutes=1))
    assert None not in first
    assert len(set(first)) == len(first)
    assert set(api.keys) <= set(first)


def test_a_customer_that_has_a_token_already_gets_no_second_one(telling, api):
    telling.until(START + timedelta(minutes=1))
    set_clock(telling.sandbox, START)
    telling.until(START + timedelta(minutes=1))
    assert len(api.posts("/tokens")) == 2
    assert len(api.posts("/v1/subscriptions")) == 4


def test_actions_happen_at_their_instants_in_the_order_of_time(telling, api):
    visited = telling.until(START + timedelta(days=5))
    assert {datetime(2028, 2, 1, 15, tzinfo=UTC), datetime(2028, 2, 3, 15, tzinfo=UTC)} <= set(visited)
    assert api.keys[-2:] == ["demo/new_token/c2/2028-02-01", "demo/cancel_now/c1/2028-02-03"]


def test_a_killed_story_goes_on_where_the_sandbox_stands_and_hands_nothing_in_again(telling, api, sandbox):
    stood = datetime(2028, 2, 3, 20, tzinfo=UTC)
    set_clock(sandbox, stood)
    assert telling.until(stood + timedelta(hours=1))[0] == stood
    assert api.posts("/v1/customers") == []


def test_after_a_kill_the_actions_of_the_last_day_are_done_once_more_and_no_older_ones(telling, api, sandbox):
    set_clock(sandbox, datetime(2028, 2, 3, 15, tzinfo=UTC))
    telling.until(datetime(2028, 2, 3, 16, tzinfo=UTC))
    assert api.keys == ["demo/cancel_now/c1/2028-02-03"]


def test_a_refusal_ends_the_story_with_the_reason(telling, api):
    api.refuses = "/v1/subscriptions"
    with pytest.raises(UnexpectedAnswer, match=r"^POST /v1/subscriptions answered 409: not today$"):
        telling.until(START + timedelta(minutes=1))


def test_the_shop_of_the_demo_is_as_large_and_as_mixed_as_it_must_be():
    shop = read_catalogue(ROOT / "config" / "demo")
    customers = list(shop.customers.values())
    assert len(customers) >= 200
    assert min(len({customer.country for customer in customers}), len({customer.zone for customer in customers})) >= 4
    assert {shop.currency_of(customer) for customer in customers} == {"SEK", "EUR", "GBP", "NOK", "CZK"}
    assert {(plan.interval, plan.interval_count) for plan in shop.plans} == {
        ("week", 1),
        ("month", 1),
        ("month", 3),
        ("year", 1),
    }
    assert [plan.reference for plan in shop.plans if plan.body["emailing"] == "provider_again"] == ["paper-month"]
    assert any(plan.body["trial_days"] for plan in shop.plans)


def test_the_lines_of_the_demo_bear_several_tax_rates():
    shop = read_catalogue(ROOT / "config" / "demo")
    swedish = {item["tax_rate"] for price in shop.prices if price.country == "SE" for item in price.items}
    assert swedish == {2500, 1200, 600}
