"""The drill of docs/restore.md for real: a month is charged, the backup of before is put back, nobody pays twice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from both_books import BothBooks
from installed import Installed, first_line
from restoring import Backup, backup_of

from billing.adapters.ids import SystemIds
from billing.use_cases.api_keys import create_key

NOW = datetime.now(UTC)
START, BACKUP, DISASTER = NOW - timedelta(days=75), NOW - timedelta(days=20), NOW - timedelta(days=2)
"""Periods begin about 75, 45 and 14 days ago; the third is charged after the backup."""


@contextmanager
def month_forgotten(installed: Installed) -> Iterator[Backup]:
    """Three customers; two months known, the third charged, captured and forgotten."""
    with installed.at(START) as (wiring, _, _):
        for _ in range(3):
            installed.subscribe(wiring, START)
    installed.carry_on(START, BACKUP)
    assert len(BothBooks(installed).orders) == 6
    with backup_of(installed.database_url) as kept:
        installed.carry_on(BACKUP, DISASTER)
        books = BothBooks(installed)
        assert (len(books.orders), len(books.captures)) == (9, 9)
        kept.put_back()
        yield kept


@pytest.fixture
def restored(installed: Installed) -> Iterator[Installed]:
    with month_forgotten(installed):
        yield installed


def export(installed: Installed) -> Path:
    """What the provider shows of this shop's orders, in its own form."""
    ledger = installed.sandbox.client.get("/_sandbox/ledger").json()
    orders = [row for row in ledger["orders"] if row["token_id"] in installed.tokens]
    ours = {row["order_id"] for row in orders}
    of_ours = {
        name: [row for row in ledger[name] if row["order_id"] in ours] for name in ("captures", "refunds", "voids")
    }
    file = installed.directory / "export.json"
    file.write_text(json.dumps({"orders": orders, **of_ours}))
    return file


def opening(*more: str) -> tuple[str, ...]:
    stretch = ("--from", BACKUP.isoformat(), "--until", DISASTER.isoformat())
    return ("restore", "open", *stretch, "--by", "an operator", "--reason", "the disk died", *more)


def assert_charged_once(installed: Installed) -> None:
    books = BothBooks(installed)
    books.assert_nothing_is_open()
    books.assert_movements_agree("capture", books.captures)
    books.assert_ledger_balances()
    assert (len(books.orders), len(books.captures)) == (9, 9)
    code, said, complained = installed.command("verify", "--provider-ledger", str(export(installed)))
    assert (code, complained) == (0, ""), said


def test_a_restored_database_refuses_to_send_until_it_is_armed_and_then_charges_nobody_twice(
    restored: Installed,
) -> None:
    code, _, complained = restored.command("run")
    assert (code, "billing restore open" in complained) == (3, True), complained
    code, _, complained = restored.command("vault", "arm", "--by", "an operator", "--reason", "let me in")
    assert (code, "restored from a backup" in complained) == (3, True), complained
    code, said, complained = restored.command(*opening("--export", str(export(restored))))
    assert (code, complained) == (0, "")
    assert "18 rows of the export matched" in said
    assert "operations of ours that wait: 0" in said
    assert restored.command("run")[0] == 0
    assert_charged_once(restored)
    name = said.split()[1].rstrip(":")
    closing = ("restore", "close", name, "--by", "an operator", "--reason", "all matched")
    assert restored.command(*closing)[:2] == (0, "the restore is closed\n")
    assert restored.command("run")[0] == 0
    assert_charged_once(restored)


def test_without_an_export_nothing_of_the_lost_month_is_charged_unasked(restored: Installed) -> None:
    code, said, _ = restored.command(*opening("--without-export"))
    assert (code, "0 rows of the export matched" in said) == (0, True)
    assert restored.command("run")[0] == 0
    books = BothBooks(restored)
    assert (len(books.orders), len(books.captures)) == (9, 9)
    name = said.split()[1].rstrip(":")
    _, shown, _ = restored.command("restore", "show", name)
    assert "operations of ours that wait: 3" in shown
    assert shown.count("needs_operator") == 3
    code, _, complained = restored.command("restore", "close", name, "--by", "somebody", "--reason", "enough")
    assert (code, "3 operations of ours" in complained) == (3, True)


def test_a_wrong_line_of_the_export_is_named_and_nothing_is_armed(restored: Installed) -> None:
    file = restored.directory / "export.csv"
    file.write_text("kind,id,order_id,amount,currency,at\npurchase,o-1,o-1,34.80,EUR,2028-01-01T00:00:00Z\n")
    code, _, complained = restored.command(*opening("--export", str(file)))
    assert (code, "line 2: the amount must be" in complained) == (3, True)
    assert restored.command("run")[0] == 3


def test_the_service_starts_over_a_restored_database_says_so_and_is_armed_over_its_api(restored: Installed) -> None:
    with restored.database() as database:
        key = create_key(database, SystemIds(), NOW, name="test", role="admin", live=False)
    service = restored.start("serve", "--port", "0")
    address = first_line(service).split()[3]
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        ready = client.get("/health/ready")
        assert (ready.status_code, "billing restore open" in ready.json()["checks"]["instance"]) == (503, True)
        assert client.get("/v1/subscriptions").status_code == 200
        body = {
            "lost_from": BACKUP.isoformat(),
            "lost_until": DISASTER.isoformat(),
            "export": export(restored).read_text(),
            "reason": "the disk died",
        }
        opened = client.post("/admin/v1/restores", json=body)
        assert opened.status_code == 201, opened.text
        assert client.get("/health/ready").json()["checks"]["instance"] == "ok"
        found = opened.json()
        for _ in range(200):
            found = client.get(f"/admin/v1/restores/{opened.json()['id']}").json()
            if (found["matched_count"], found["unmatched_theirs_count"]) == (18, 0):
                break
        assert found["unmatched_ours"] == []
        assert (found["matched_count"], found["unmatched_ours_count"], found["unmatched_theirs_count"]) == (18, 0, 0)
        closed = client.post(f"/admin/v1/restores/{found['id']}/close", json={"reason": "all matched"})
        assert closed.status_code == 200, closed.text
    assert_charged_once(restored)
