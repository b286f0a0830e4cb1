"""The demo for real: told once from end to end, looked at from outside, forged, and killed and taken up again."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BILLING = Path(sys.executable).with_name("billing")
SHORT = ("--end", "2028-03-10")
PATIENCE_SECONDS = 600
SEED = 20280131

pytestmark = pytest.mark.xdist_group("demo")


@dataclass(frozen=True)
class Told:
    """A telling that has ended: where its files lie, what it printed, and the figures it wrote."""

    directory: Path
    code: int
    printed: str
    json: dict[str, Any]

    def tables(self) -> str:
        """What was printed between the progress bars and the seconds."""
        start, end = self.printed.index("What happened"), self.printed.index("Told in")
        return self.printed[start:end]

    def without_seconds(self) -> dict[str, Any]:
        return {name: figure for name, figure in self.json.items() if name != "seconds"}


def start(directory: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    figures = ("--json", str(directory.with_suffix(".json")))
    return subprocess.Popen(
        [str(BILLING), "demo", "--exit", *figures, "--dir", str(directory), *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tell(directory: Path, *options: str) -> Told:
    return ended(start(directory, *options), directory)


def ended(process: subprocess.Popen[str], directory: Path) -> Told:
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (0, 1), printed
    return Told(directory, process.returncode, printed, json.loads(directory.with_suffix(".json").read_text()))


def rows(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as books:
        return [row[0] for row in books.execute(sql)]


@pytest.fixture(scope="module", autouse=True)
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The whole story, begun with the first test of this file, so that the short ones are told beside it."""
    directory = tmp_path_factory.mktemp("demo") / "whole"
    process = start(directory)
    yield process, directory
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def told(telling: tuple[subprocess.Popen[str], Path]) -> Told:
    """The whole story, once it has been told."""
    return ended(*telling)


def killed_while_loading(directory: Path, customers: int) -> None:
    """Kill -9 from outside, once that many customers are handed in."""
    process = start(directory, *SHORT)
    wait_until(process, lambda: count_customers(directory) >= customers)
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGKILL


def killed_at(directory: Path, step: str) -> None:
    """Kill -9 in the very step: the process does it to itself."""
    process = start(directory, *SHORT, BILLING_KILL_AT=step)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGKILL, printed


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.02)


def count_customers(directory: Path) -> int:
    try:
        return int(rows(directory / "perennial.sqlite3", "SELECT count(*) FROM customers")[0])
    except sqlite3.OperationalError:  # not made or not migrated yet
        return 0


def test_killed_at_three_points_it_goes_on_and_ends_with_the_same_figures(tmp_path):
    seeded = random.Random(SEED)
    killed = tmp_path / "killed"
    killed_while_loading(killed, seeded.randrange(20, 190))
    killed_at(killed, f"call.answered:{seeded.randrange(1, 4)}")
    killed_at(killed, f"gate.committed:{seeded.randrange(100, 200)}")
    resumed = tell(killed, *SHORT)
    whole = tell(tmp_path / "whole", *SHORT)
    assert resumed.without_seconds() == whole.without_seconds()
    assert (resumed.code, resumed.tables()) == (0, whole.tables())


def test_thirteen_months_end_with_books_that_equal_the_providers(told):
    assert (told.code, told.json["ledger_difference"]) == (0, {})
    assert "The books equal the provider's to the cent." in told.printed


AT_LEAST = {
    "renewals": 2000,
    "declined": 60,
    "recovered": 30,
    "ended_unpaid": 10,
    "canceled": 15,
    "credited": 15,
    "unknown": 25,
}


def test_enough_happens_in_thirteen_months(told):
    assert {name: told.json[name] for name in AT_LEAST if told.json[name] < AT_LEAST[name]} == {}


def test_every_spoilt_answer_is_known_in_the_end_and_nobody_is_asked(told):
    assert told.json["replayed"] == told.json["unknown"]
    assert told.json["needs_operator"] == 0
    faults = rows(told.directory / "sandbox" / "sandbox.sqlite3", "SELECT fault FROM faults")
    assert sum(fault.startswith("silence") for fault in faults) >= 20
    assert sum(fault.startswith("500") for fault in faults) >= 5


def test_at_least_five_credit_notes_give_articles_back(told):
    notes = "SELECT DISTINCT credit_note_id FROM credit_note_lines WHERE how = 'quantity'"
    assert len(rows(told.directory / "perennial.sqlite3", notes)) >= 5


def test_each_capture_is_sent_out_and_one_plan_asks_for_it_again(told):
    sandbox = told.directory / "sandbox" / "sandbox.sqlite3"
    again = rows(sandbox, "SELECT count(*) FROM send_outs WHERE cause = 'trigger'")[0]
    asked = "SELECT count(*) FROM operations WHERE kind = 'email_invoice' AND status = 'succeeded'"
    assert rows(told.directory / "perennial.sqlite3", asked) == [again]
    assert told.json["emailed"] == told.json["captured"] + again
    assert again > 0


def test_no_token_of_the_provider_lies_in_the_database_or_was_printed(told):
    tokens = rows(told.directory / "sandbox" / "sandbox.sqlite3", "SELECT token_id FROM tokens")
    kept = [path.read_bytes() for path in told.directory.iterdir() if path.is_file()]
    seen = b"\n".join([*kept, told.printed.encode(), json.dumps(told.json).encode()])
    assert len(tokens) > 200
    assert [token for token in tokens if token.encode() in seen] == []


FORGERIES = [
    "UPDATE captures SET amount = amount + 1 WHERE rowid = 700",
    "DELETE FROM refunds WHERE rowid = 3",
]


@contextmanager
def edited(books: Path, forgery: str) -> Iterator[None]:
    """The provider's books after one row was edited, put back at the end."""
    kept = books.with_suffix(".kept")
    shutil.copyfile(books, kept)
    try:
        with closing(sqlite3.connect(books)) as rows_, rows_:
            assert rows_.execute(forgery).rowcount == 1
        yield
    finally:
        kept.replace(books)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_provider_row_edited_behind_our_back_is_found_and_ends_with_exit_code_1(told, forgery):
    with edited(told.directory / "sandbox" / "sandbox.sqlite3", forgery):
        again = tell(told.directory)
    assert again.code == 1
    assert list(again.json["ledger_difference"].values()) != []
    assert "The books DIFFER" in again.printed


def test_a_copy_of_the_directory_charges_nobody_and_ends_with_exit_code_3(told, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(told.directory, copied)
    process = start(copied)
    printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 3
    assert "the directory was copied or put back" in printed
