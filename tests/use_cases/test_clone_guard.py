"""A copied or restored database sends nothing; the one that this machine has served goes on unasked."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from factories import START, Shop
from reading import rows
from restoring import address_of, backup_of

from billing.adapters.ids import SystemIds
from billing.adapters.instance_file import InstanceFile
from billing.domain.errors import Conflict, NotReady
from billing.domain.instances import Seen, Trouble
from billing.store.accounts import Installation
from billing.store.decisions import Decision
from billing.store.engine import Database, open_database
from billing.store.outbox import Event
from billing.use_cases.check_tokens import check_tokens
from billing.use_cases.clone_guard import UNGUARDED, Arming, Guard, arm
from billing.use_cases.open_restore import NewRestore, begin_restore
from billing.use_cases.operate import operate
from billing.use_cases.reconcile import reconcile

WORD = Arming("an operator", "moved to the new disk")


@pytest.fixture
def notes(tmp_path: Path) -> InstanceFile:
    return InstanceFile(tmp_path / "vault.key.instance")


def started(shop: Shop, notes: InstanceFile) -> Guard:
    """A process that starts."""
    guard = Guard(shop.database, shop.ids, notes)
    guard.check(shop.clock.now())
    return guard


def marked(shop: Shop) -> tuple[UUID | None, int]:
    (row,) = rows(shop, Installation)
    return row.instance, row.mark


def unlike(shop: Shop, notes: InstanceFile, **changed: object) -> None:
    """Note something else than what the database says."""
    seen = notes.read()
    assert seen is not None
    path = notes._path
    path.unlink()
    notes.note(replace(seen, **changed))


def test_the_first_start_arms_a_database_and_every_later_one_lets_its_mark_grow(
    shop: Shop, notes: InstanceFile
) -> None:
    assert marked(shop) == (None, 0)
    guard = started(shop, notes)
    instance, mark = marked(shop)
    assert (guard.refusal, guard.may_send(), mark) == (None, True, 1)
    guard.check(shop.clock.now())
    started(shop, notes)
    assert marked(shop) == (instance, 3)
    noted = notes.read()
    assert noted is not None
    assert (noted.instance, noted.mark, noted.fingerprint != "") == (instance, 3, True)


def test_an_older_backup_is_noticed_at_its_start_and_stays_as_it_is(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    unlike(shop, notes, mark=2)
    before = marked(shop)
    guard = started(shop, notes)
    assert (guard.trouble, marked(shop)) == (Trouble.BEHIND, before)
    assert "billing restore open" in (guard.refusal or "")
    assert [event.type for event in rows(shop, Event)] == ["installation.guarded"]


def test_a_copy_in_another_place_is_noticed(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    address = address_of(shop.database)
    shop.database.close()
    with backup_of(address) as kept:
        kept.put_back()
    shop.database = open_database(address)
    assert started(shop, notes).trouble is Trouble.OTHER_PLACE
    shop.database.close()


@pytest.mark.parametrize(
    ("changed", "trouble"), [({"instance": UUID(int=9)}, Trouble.OTHER_INSTANCE), ({"mark": 99}, Trouble.BEHIND)]
)
def test_a_running_process_stops_sending_once_the_note_is_another(
    shop: Shop, notes: InstanceFile, changed: dict, trouble: Trouble
) -> None:
    guard = started(shop, notes)
    unlike(shop, notes, **changed)
    guard.check(shop.clock.now())
    assert (guard.trouble, guard.may_send()) == (trouble, False)


def test_a_missing_note_is_trouble_and_a_damaged_one_too(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    notes._path.write_text("{")
    assert started(shop, notes).trouble is Trouble.UNUSABLE
    notes._path.unlink()
    assert started(shop, notes).trouble is Trouble.NO_NOTE


def test_a_guarded_process_sends_asks_and_reads_nothing(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    unlike(shop, notes, mark=99)
    guard = started(shop, notes)
    shop.subscription()
    shop.once()
    calls = len(shop.gateway.calls)
    shop.clock.set(shop.clock.now() + timedelta(days=26))
    guarded = replace(shop.sending, may_send=guard.may_send)
    assert (operate(guarded), reconcile(guarded), check_tokens(guarded)) == (0, 0, 0)
    assert len(shop.gateway.calls) == calls
    assert operate(replace(shop.sending, may_send=UNGUARDED.may_send)) == 1


def test_a_crash_between_note_and_commit_is_no_trouble(shop: Shop, notes: InstanceFile) -> None:
    class Dying(InstanceFile):
        def note(self, seen: Seen) -> None:
            super().note(seen)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started(shop, Dying(notes._path))
    assert marked(shop) == (None, 0)
    begun = notes.read()
    assert begun is not None
    assert started(shop, notes).refusal is None
    assert marked(shop) == (begun.instance, 1)


def test_a_moved_database_is_armed_with_a_reason_under_a_new_instance(shop: Shop, notes: InstanceFile) -> None:
    guard = started(shop, notes)
    before, _ = marked(shop)
    unlike(shop, notes, fingerprint="sqlite:/elsewhere:1")
    assert arm(shop.database, shop.ids, notes, shop.clock.now(), WORD) is Trouble.OTHER_PLACE
    guard.check(shop.clock.now())
    assert guard.refusal is None
    assert marked(shop)[0] != before
    (decision,) = rows(shop, Decision)
    assert (decision.verb, decision.by, decision.reason) == ("arm", "an operator", "moved to the new disk")


def test_a_further_machine_takes_the_instance_over(shop: Shop, notes: InstanceFile, tmp_path: Path) -> None:
    first = started(shop, notes)
    instance, _ = marked(shop)
    there = InstanceFile(tmp_path / "there.instance")
    assert arm(shop.database, shop.ids, there, shop.clock.now(), WORD) is Trouble.NO_NOTE
    assert (started(shop, there).refusal, marked(shop)[0]) == (None, instance)
    first.check(shop.clock.now())
    assert first.refusal is None


def test_a_restored_backup_cannot_be_armed_but_only_opened_as_a_restore(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    unlike(shop, notes, mark=99)
    guard = started(shop, notes)
    now = shop.clock.now()
    with pytest.raises(Conflict, match="billing restore open"):
        arm(shop.database, shop.ids, notes, now, replace(WORD, nothing_lost=True))
    new = NewRestore(now - timedelta(days=1), now, None, "an operator", "the disk died")
    begin_restore(shop.database, shop.ids, guard, now, new)
    assert (guard.refusal, started(shop, notes).refusal) == (None, None)
    assert marked(shop)[1] > 99


def test_what_stood_still_while_work_was_due_is_armed_only_with_the_word_that_nothing_is_lost(
    shop: Shop, notes: InstanceFile
) -> None:
    started(shop, notes)
    shop.subscription()
    unlike(shop, notes, fingerprint="sqlite:/elsewhere:1")
    later = shop.clock.now() + timedelta(hours=1)
    with pytest.raises(Conflict, match="nothing was lost"):
        arm(shop.database, shop.ids, notes, later, WORD)
    arm(shop.database, shop.ids, notes, later, replace(WORD, nothing_lost=True))


def test_nothing_is_armed_that_needs_no_arming(shop: Shop, notes: InstanceFile) -> None:
    started(shop, notes)
    with pytest.raises(Conflict, match="nothing is wrong"):
        arm(shop.database, shop.ids, notes, shop.clock.now(), WORD)


def test_a_database_without_a_key_is_not_armed(database: Database, notes: InstanceFile) -> None:
    with pytest.raises(NotReady, match="vault init"):
        arm(database, SystemIds(), notes, START, WORD)
