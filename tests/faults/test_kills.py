"""The process is killed with SIGKILL at every step that a charge, a capture and a refund go through, and at random.

Whatever it had done by then: the one that comes after it finishes the work, and nothing is done twice.
"""

import random
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from both_books import BothBooks
from installed import KILLED, Installed
from sqlalchemy import text

from billing.use_cases.refund import NewRefund, refund

CODE = Path(__file__).resolve().parents[2] / "billing"
HOUR = timedelta(hours=1)

PURCHASE_STEPS = (
    "renew.committed:1",
    "claim.committed:1",
    "reveal.committed:1",
    "gate.committed:1",
    "gate.committed:2",
    "call.begins:1",
    "call.answered:1",
    "call.answered:2",
    "settle.begins:1",
    "settle.committed:1",
)
FOLLOW_UP_STEPS = ("gate.committed:2", "call.answered:1", "settle.committed:1")
REPLAY_STEPS = ("reveal.committed:2", "replay.committed:1", "call.answered:1", "call.answered:2")


def test_every_step_that_the_code_names_is_killed_somewhere_below() -> None:
    named = {step for path in CODE.rglob("*.py") for step in re.findall(r'passed\("([a-z.]+)"\)', path.read_text())}
    assert named == {step.partition(":")[0] for step in PURCHASE_STEPS + FOLLOW_UP_STEPS + REPLAY_STEPS}


@pytest.mark.parametrize("step", PURCHASE_STEPS)
def test_a_charge_killed_anywhere_is_made_once(installed: Installed, step: str) -> None:
    now = datetime.now(UTC)
    subscribed(installed, now)
    installed.run_killed_at(step)
    installed.carry_on(datetime.now(UTC), now + 2 * HOUR)
    BothBooks(installed).assert_agree()


@pytest.mark.parametrize("step", FOLLOW_UP_STEPS)
def test_a_capture_killed_anywhere_is_made_once(installed: Installed, step: str) -> None:
    now = datetime.now(UTC)
    subscribed(installed, now - HOUR)
    installed.carry_on(now - HOUR, now - HOUR)
    assert len(BothBooks(installed).orders) == 3
    installed.run_killed_at(step)
    installed.carry_on(datetime.now(UTC), now + HOUR)
    BothBooks(installed).assert_agree()


@pytest.mark.parametrize("step", FOLLOW_UP_STEPS)
def test_a_refund_killed_anywhere_is_made_once(installed: Installed, step: str) -> None:
    now = datetime.now(UTC)
    subscribed(installed, now - HOUR)
    installed.carry_on(now - HOUR, now - timedelta(minutes=5))
    with installed.at(now) as (wiring, _, _):
        for invoice in BothBooks(installed).invoices:
            refund(wiring.database, wiring.ids, now, NewRefund(invoice.id, "goodwill"))
    installed.run_killed_at(step)
    installed.carry_on(datetime.now(UTC), now + HOUR)
    books = BothBooks(installed)
    books.assert_agree()
    assert [row["amount"] for row in books.refunds] == [3480] * 3


@pytest.mark.parametrize("step", REPLAY_STEPS)
def test_a_question_killed_while_it_is_asked_is_answered_once(installed: Installed, step: str) -> None:
    now = datetime.now(UTC)
    subscribed(installed, now - HOUR)
    installed.sandbox.script({"fault": "500_after", "path_contains": "/order", "times": 3})
    installed.carry_on(now - HOUR, now - HOUR)
    assert {op.status for op in BothBooks(installed).operations} == {"unknown"}
    installed.run_killed_at(step)
    installed.carry_on(datetime.now(UTC), now + 2 * HOUR)
    BothBooks(installed).assert_agree()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_from_outside_again_and_again_it_charges_each_once(installed: Installed, seed: int) -> None:
    chance, now = random.Random(seed), datetime.now(UTC)
    subscribed(installed, now, count=12)
    for _ in range(3):
        orders = len(BothBooks(installed).orders)
        kill_after(installed, orders + chance.randint(1, 3), chance.uniform(0, 0.02))
        let_leases_end(installed)
    installed.carry_on(datetime.now(UTC), now + 2 * HOUR)
    BothBooks(installed).assert_agree()


def subscribed(installed: Installed, now: datetime, count: int = 3) -> None:
    with installed.at(now) as (wiring, _, _):
        for _ in range(count):
            installed.subscribe(wiring, now)


def kill_after(installed: Installed, orders: int, seconds: float) -> None:
    """Kill `billing run` a moment after the provider has this many orders."""
    process = installed.start("run")
    marks = ", ".join("?" * len(installed.tokens))
    count = f"SELECT count(*) AS n FROM orders WHERE token_id IN ({marks})"
    while process.poll() is None and installed.sandbox.rows(count, *installed.tokens)[0]["n"] < orders:
        time.sleep(0.005)
    time.sleep(seconds)
    process.kill()
    assert process.wait() == KILLED, process.communicate()


def let_leases_end(installed: Installed) -> None:
    """As if the three minutes of every lease were over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    at = past.strftime("%Y-%m-%d %H:%M:%S.%f") if "sqlite" in installed.database_url else past
    with installed.database() as database, database.engine.begin() as connection:
        connection.execute(text("UPDATE operations SET lease_until = :at WHERE lease_until IS NOT NULL"), {"at": at})
        connection.execute(text("UPDATE operations SET next_check_at = :at WHERE status = 'sending'"), {"at": at})
