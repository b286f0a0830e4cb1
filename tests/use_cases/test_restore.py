"""A database that came back from a backup: what it may have sent and forgotten waits, what the provider's export shows
is linked, and a person lets go of the rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from factories import START, Shop
from reading import invoices, operations, rows
from restoring import address_of, backup_of, export_of

from billing.domain.errors import BadRows, Conflict, Invalid, NotFound
from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind
from billing.ports import Answer, Unknown
from billing.store.decisions import Decision
from billing.store.engine import Database, open_database
from billing.store.operations import Operation
from billing.store.restores import Restore, RestoredRecord
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.clone_guard import UNGUARDED
from billing.use_cases.link_restored import link_restored
from billing.use_cases.open_restore import NewRestore, begin_restore
from billing.use_cases.release_restored import Release, close_restore, find_restore, release_restored

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
BACKUP = START + timedelta(days=20)
CHARGED = datetime.fromisoformat("2028-03-01T12:00:00Z")
"""The second period starts on 29 February and is collected and captured by now."""


class Forgetful(Shop):
    """A shop whose database can be put back as from a backup, while its provider remembers."""

    lost: list[Operation]

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Whatever is written inside is gone afterwards; `lost` is what the operations were."""
        address = address_of(self.database)
        self.database.close()
        with backup_of(address) as kept:
            self.database = open_database(address)
            yield
            self.lost = operations(self)
            self.database.close()
            kept.put_back()
        self.database = open_database(address)

    def opened(self, export: str | None = None, lost_from: datetime = BACKUP) -> Restore:
        now = self.clock.now()
        new = NewRestore(lost_from, now, export, "an operator", "the disk died")
        return begin_restore(self.database, self.ids, UNGUARDED, now, new)

    def link(self) -> int:
        return link_restored(self.database, self.ids, self.namespace, self.clock.now())

    def tick(self) -> None:
        while self.link() + self.once():
            pass

    def release(self, restore: Restore, **what: object) -> None:
        release_restored(
            self.database, self.ids, self.clock.now(), restore.id, Release("an operator", "not in the portal", **what)
        )

    def close(self, restore: Restore) -> None:
        close_restore(self.database, self.ids, self.clock.now(), restore.id, "an operator", "all matched")

    def found(self, restore: Restore):
        return find_restore(self.database, restore.id)

    def sent(self) -> list[tuple[OperationKind, int]]:
        return [(call.kind, call.amount) for call in self.gateway.calls]


@pytest.fixture
def shop(database: Database) -> Iterator[Forgetful]:
    made = Forgetful(database)
    yield made
    made.database.close()


@pytest.fixture
def charged(shop: Forgetful) -> Forgetful:
    """The first month is known; the second was charged and captured, and is forgotten."""
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    shop.clock.set(BACKUP)
    with shop.forgetting():
        shop.at(CHARGED)
        shop.after(minutes=40)
        assert len(shop.gateway.effects_of(CAPTURE)) == 2
    shop.gateway.calls.clear()
    return shop


def test_what_the_export_shows_is_linked_and_not_sent_again(charged: Forgetful) -> None:
    restore = charged.opened(export_of(charged.lost))
    charged.tick()
    assert charged.sent() == []
    first, second = invoices(charged)
    assert (first.status, second.status, second.captured) == ("paid", "paid", 3970)
    linked = {op.kind: op for op in operations(charged) if op.invoice_id == second.id}
    lost = {op.kind: op for op in charged.lost if op.invoice_id == second.id}
    assert {kind: (op.provider_id, op.merchant_reference) for kind, op in linked.items()} == {
        kind: (op.provider_id, op.merchant_reference) for kind, op in lost.items()
    }
    assert linked["purchase"].key == lost["purchase"].key
    assert linked["purchase"].sent_at is None
    found = charged.found(restore)
    assert (found.matched_count, found.unmatched_ours_count, found.unmatched_theirs_count) == (4, 0, 0)
    charged.close(restore)


def test_what_is_linked_is_captured_where_the_export_shows_no_capture_and_a_person_says_so(charged: Forgetful) -> None:
    export = export_of([op for op in charged.lost if op.kind == "purchase" or op.sent_at < BACKUP])
    restore = charged.opened(export)
    charged.tick()
    charged.after(minutes=40)
    (waiting,) = charged.found(restore).unmatched_ours
    assert (waiting.kind, waiting.status, charged.sent()) == ("capture", "needs_operator", [])
    charged.release(restore, operation_ids=[waiting.id])
    charged.tick()
    assert charged.sent() == [(CAPTURE, 3970)]
    charged.close(restore)


def test_without_an_export_everything_due_since_the_backup_waits_for_a_person(charged: Forgetful) -> None:
    restore = charged.opened()
    charged.tick()
    (waiting,) = charged.found(restore).unmatched_ours
    assert (waiting.kind, waiting.status, waiting.answer_code) == ("purchase", "needs_operator", "restored")
    assert charged.sent() == []
    with pytest.raises(Conflict, match="1 operations of ours"):
        charged.close(restore)


def test_what_is_released_is_charged_once_under_the_key_that_was_forgotten(charged: Forgetful) -> None:
    restore = charged.opened()
    charged.tick()
    charged.release(restore, all_operations=True)
    charged.tick()
    charged.after(minutes=40)
    assert charged.sent() == [(PURCHASE, 3970), (CAPTURE, 3970)]
    assert charged.gateway.calls[0].key == next(op.key for op in charged.lost if op.sent_at > BACKUP)
    assert len(charged.gateway.effects_of(PURCHASE)) == 2
    charged.close(restore)
    verbs = [(row.verb, row.by, row.operation_id is None) for row in rows(charged, Decision)]
    operator = "an operator"
    assert verbs == [
        ("restore_open", operator, True),
        ("restore_release", operator, False),
        ("restore_release", operator, True),
        ("restore_close", operator, True),
    ]


def test_what_is_due_after_the_lost_stretch_is_charged_as_ever(charged: Forgetful) -> None:
    restore = charged.opened()
    charged.subscription()
    charged.tick()
    assert charged.sent() == [(PURCHASE, 3970)]
    assert charged.found(restore).unmatched_ours_count == 1


def test_an_unknown_outcome_of_before_the_backup_is_not_asked_again_by_sending(shop: Forgetful) -> None:
    shop.gateway.answer(PURCHASE, Unknown(Answer(503)))
    shop.subscription()
    shop.once()
    with shop.forgetting():
        shop.after(seconds=10)
        assert operations(shop)[0].status == "succeeded"
    shop.gateway.calls.clear()
    restore = shop.opened(lost_from=START)
    shop.tick()
    (purchase,) = operations(shop)
    assert (purchase.status, purchase.answer_code, shop.sent()) == ("needs_operator", "restored", [])
    assert shop.found(restore).unmatched_ours_count == 1


def test_an_unknown_outcome_of_before_the_backup_is_settled_by_the_export(shop: Forgetful) -> None:
    shop.gateway.answer(PURCHASE, Unknown(Answer(503)))
    shop.subscription()
    shop.once()
    with shop.forgetting():
        shop.after(seconds=10)
    shop.gateway.calls.clear()
    shop.opened(export_of(shop.lost), lost_from=START)
    shop.tick()
    assert (operations(shop)[0].status, operations(shop)[0].provider_id) == ("succeeded", "order-1")
    assert shop.sent() == []


def test_an_order_that_was_given_back_is_not_charged_again_and_a_person_says_what_follows(shop: Forgetful) -> None:
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    shop.clock.set(BACKUP)
    with shop.forgetting():
        shop.at(datetime.fromisoformat("2028-02-29T12:00:00Z"))
        cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
        shop.tick()
        assert [op.kind for op in operations(shop)][-1] == "void"
    shop.gateway.calls.clear()
    shop.opened(export_of(shop.lost))
    shop.after(minutes=40)
    purchase, void = (
        op for op in operations(shop) if op.invoice_id == invoices(shop)[1].id and op.status == "succeeded"
    )
    assert (purchase.authorization, purchase.standing, void.kind) == ("voided", "dead", "void")
    assert shop.sent() == []


def test_rows_that_are_nobodys_stay_listed_until_a_person_takes_them_for_such(charged: Forgetful) -> None:
    stranger = "purchase,order-99,order-99,1000,SEK,,,,2028-03-01T08:00:00Z\r\n"
    restore = charged.opened(export_of(charged.lost) + stranger)
    charged.tick()
    (row,) = charged.found(restore).unmatched_theirs
    assert row.provider_id == "order-99"
    with pytest.raises(Conflict, match="1 rows of the export"):
        charged.close(restore)
    charged.release(restore, record_ids=[row.id])
    assert charged.found(restore).unmatched_theirs_count == 0
    charged.close(restore)


def test_a_second_order_for_one_invoice_is_nobodys(charged: Forgetful) -> None:
    purchase = next(op for op in charged.lost if op.kind == "purchase" and op.sent_at > BACKUP)
    invoice = shown(Prefix.INVOICE, purchase.invoice_id)
    twice = f"purchase,order-98,order-98,3970,SEK,{invoice},op-x,,2028-03-01T08:00:00Z\r\n"
    restore = charged.opened(export_of(charged.lost) + twice)
    charged.tick()
    assert [row.provider_id for row in charged.found(restore).unmatched_theirs] == ["order-98"]


def test_a_purchase_is_linked_by_its_invoice_where_its_own_reference_differs(charged: Forgetful) -> None:
    own = next(op for op in charged.lost if op.kind == "purchase" and op.sent_at > BACKUP).merchant_reference
    charged.opened(export_of(charged.lost).replace(own, "op-of-a-later-attempt"))
    charged.tick()
    assert charged.sent() == []
    assert invoices(charged)[1].status == "paid"


def test_another_amount_is_linked_to_nothing(charged: Forgetful) -> None:
    export = export_of([op for op in charged.lost if op.sent_at > BACKUP]).replace("3970", "3971")
    restore = charged.opened(export)
    charged.tick()
    found = charged.found(restore)
    assert (found.unmatched_ours_count, found.unmatched_theirs_count, charged.sent()) == (1, 2, [])


def test_every_bad_line_of_an_export_is_named_and_nothing_is_written(shop: Forgetful) -> None:
    head = "kind,id,order_id,amount,currency,merchant_reference1,merchant_reference2,reference,at\n"
    bad = (
        "purchase,o-1,o-1,39.70,SEK,,,,2028-03-01T08:00:00Z\n"
        "purchase,o-2,o-2,3970,SEK,,,,2028-03-01T08:00:00Z\n"
        "purchase,o-2,o-2,3970,SEK,,,,2028-03-01T08:00:00Z\n"
        "gift,o-3,o-3,3970,SEK,,,,2028-03-01T08:00:00Z\n"
        "capture,c-1,,3970,SEK,,,,yesterday\n"
    )
    shop.clock.set(BACKUP + timedelta(days=1))
    with pytest.raises(BadRows) as wrong:
        shop.opened(head + bad)
    assert [place for place, _ in wrong.value.faults] == ["line 2", "line 4", "line 5", "line 6"]
    assert (rows(shop, Restore), rows(shop, RestoredRecord), rows(shop, Decision)) == ([], [], [])


@pytest.mark.parametrize("until", [BACKUP - timedelta(seconds=1), BACKUP, BACKUP + timedelta(days=2)])
def test_a_stretch_that_ends_before_it_begins_or_in_the_future_is_refused(shop: Forgetful, until: datetime) -> None:
    now = BACKUP + timedelta(days=1)
    with pytest.raises(Invalid, match="lost stretch"):
        begin_restore(shop.database, shop.ids, UNGUARDED, now, NewRestore(BACKUP, until, None, "a", "b"))


def test_one_restore_is_open_at_a_time_and_a_closed_one_takes_no_release(charged: Forgetful) -> None:
    restore = charged.opened(export_of(charged.lost))
    with pytest.raises(Conflict, match="another restore is open"):
        charged.opened()
    charged.tick()
    charged.close(restore)
    with pytest.raises(Conflict, match="was closed"):
        charged.release(restore, all_operations=True)


def test_a_release_of_what_does_not_wait_is_refused(charged: Forgetful) -> None:
    restore = charged.opened()
    charged.tick()
    settled = next(op for op in operations(charged) if op.status == "succeeded")
    with pytest.raises(Invalid, match="do not wait"):
        charged.release(restore, operation_ids=[settled.id])
    with pytest.raises(Invalid, match="name operations"):
        charged.release(restore)
    with pytest.raises(NotFound):
        find_restore(charged.database, settled.id)
