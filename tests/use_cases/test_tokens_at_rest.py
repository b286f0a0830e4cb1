"""Tokens: sealed at once, opened only under an audit row, refused when the record was touched."""

import pytest
from factories import Shop
from reading import operations, rows
from sqlalchemy import text

from billing.adapters.keys_local import LocalKeys, new_keys
from billing.domain.errors import AlreadyExists, Invalid, NotReady
from billing.domain.tokens import Token
from billing.store.audit import Reveal
from billing.store.customers import StoredToken
from billing.use_cases.install import AccountTerms, admit, install
from billing.use_cases.save_token import save_token
from billing.vault.keyring import Keyring


def test_each_charge_leaves_one_audit_row_and_nothing_else_does(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    purchase = operations(shop, "purchase")[0]
    assert [(row.operation_id, row.token_id) for row in rows(shop, Reveal)] == [(purchase.id, purchase.token_id)]


def test_a_record_swapped_between_customers_is_not_charged(shop: Shop) -> None:
    first, second = shop.subscription(), shop.subscription()
    with shop.database.tx() as session:
        one, other = (session.get_one(StoredToken, made.token_id) for made in (first, second))
        one.sealed, other.sealed = other.sealed, one.sealed
    shop.tick()
    assert not shop.gateway.calls
    assert {(op.status, op.answer_code) for op in operations(shop)} == {("needs_operator", "vault_error")}


def test_the_token_is_nowhere_in_the_database(shop: Shop) -> None:
    customer_id = shop.customer()
    shop.token(customer_id, text="very-visible-token-text")
    with shop.database.tx() as session:
        row = session.execute(text("SELECT * FROM tokens")).one()
    assert b"very-visible" not in b"".join(bytes(value) for value in row if isinstance(value, bytes | memoryview))
    assert "very-visible" not in str(row)


def test_a_token_that_is_kept_already_is_found_by_its_blind_index(shop: Shop) -> None:
    customer_id = shop.customer()
    shop.token(customer_id, text="the same token")
    with pytest.raises(AlreadyExists):
        shop.token(shop.customer(), text="the same token")
    assert len(rows(shop, StoredToken)) == 1


@pytest.mark.parametrize("bad", ["", "x" * 3000, "line\nbreak"])
def test_an_impossible_token_is_refused(shop: Shop, bad: str) -> None:
    customer_id = shop.customer()
    with pytest.raises(Invalid, match="printable"):
        save_token(
            shop.database,
            shop.keyring,
            shop.ids,
            shop.clock.now(),
            customer_id=customer_id,
            provider_account="main",
            currency="SEK",
            token=Token(bad),
        )
    assert not rows(shop, StoredToken)


def test_another_key_is_refused_at_start_and_writes_nothing(shop: Shop) -> None:
    keyring = Keyring(LocalKeys(new_keys(shop.ids.secret), shop.ids.secret), shop.ids.secret)
    with pytest.raises(NotReady, match="canary"):
        admit(shop.database, keyring, {"new": AccountTerms()}, "UTC")
    with pytest.raises(NotReady, match="canary"):
        install(shop.database, keyring, shop.ids, shop.clock.now())
    with shop.database.tx() as session:
        assert session.execute(text("SELECT name FROM provider_accounts")).scalars().all() == ["main"]
