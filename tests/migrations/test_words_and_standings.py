"""What the migrated database itself lets in: every word that the code knows, no other, one live purchase."""

from itertools import product
from uuid import uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from billing.domain.operations import Authorization, OperationKind, OperationStatus, Standing, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.engine import Database
from tests.migrations.sample_rows import known_words, sample_row, table, without_references

ENUMS = [
    ("operations", "kind", OperationKind),
    ("operations", "status", OperationStatus),
    ("operations", "authorization", Authorization),
    ("operations", "standing", Standing),
    ("operations", "trigger", Trigger),
    ("subscriptions", "status", SubscriptionStatus),
]
PAIRS = list(product(("live", "dead"), repeat=2))


def test_the_checks_list_every_member_of_their_enums() -> None:
    words = set(known_words())
    assert {(name, column, str(member)) for name, column, enum in ENUMS for member in enum} <= words
    assert len({(name, column) for name, column, _ in words}) >= 23


def test_every_known_word_can_be_written(database: Database) -> None:
    with without_references(database) as connection:
        for name, column, word in known_words():
            changes = {"standing": word, "kind": "purchase"} if column == "standing" else {column: word}
            with connection.begin_nested() as one:
                connection.execute(insert(table(name)).values(sample_row(name, **changes)))
                one.rollback()


def test_a_word_that_is_not_known_is_refused_by_its_own_check(database: Database) -> None:
    with without_references(database) as connection:
        for name, column in sorted({(name, column) for name, column, _ in known_words()}):
            with pytest.raises(IntegrityError, match=f"ck_{name}_{column}_known"), connection.begin_nested():
                connection.execute(insert(table(name)).values(sample_row(name, **{column: "x"})))


def test_purchases_have_a_standing_and_nothing_else_does(database: Database) -> None:
    with without_references(database) as connection:
        for kind in OperationKind:
            standing = None if kind is OperationKind.PURCHASE else "live"
            row = sample_row("operations", kind=kind.value, standing=standing)
            with pytest.raises(IntegrityError, match="purchases_have_a_standing"), connection.begin_nested():
                connection.execute(insert(table("operations")).values(row))


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{one}-then-{other}" for one, other in PAIRS])
def test_an_invoice_has_at_most_one_live_purchase(database: Database, first: str, second: str) -> None:
    invoice_id = uuid4()
    both = [
        sample_row("operations", kind="purchase", standing=one, invoice_id=invoice_id, n=n, provider_id=str(n))
        for n, one in enumerate((first, second))
    ]
    with without_references(database) as connection:
        connection.execute(insert(table("operations")).values(both[0]))
        if (first, second) != ("live", "live"):
            connection.execute(insert(table("operations")).values(both[1]))
            return
        with pytest.raises(IntegrityError, match=r"one_live_purchase|operations\.invoice_id"):
            connection.execute(insert(table("operations")).values(both[1]))


def test_a_dead_purchase_needs_its_proof(database: Database) -> None:
    with without_references(database) as connection:
        row = sample_row("operations", kind="purchase", standing="dead", dead_because=None)
        with pytest.raises(IntegrityError, match="death_has_its_proof"):
            connection.execute(insert(table("operations")).values(row))
