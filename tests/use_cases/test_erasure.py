"""A token is revoked, a customer erased: only when nothing is in doubt, and the books stay."""

from uuid import UUID

import pytest
from factories import Shop
from reading import event_types, invoices, operations, rows

from billing.domain.errors import Conflict, OutcomeUnknown
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Unknown
from billing.store.audit import Reveal
from billing.store.customers import Customer, StoredToken
from billing.store.subscriptions import Subscription
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.erase import erase
from billing.use_cases.revoke import revoke

REVOKE = OperationKind.REVOKE


def token(shop: Shop) -> StoredToken:
    return rows(shop, StoredToken)[0]


def ended(shop: Shop) -> Subscription:
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    shop.tick()
    return made


def erased(shop: Shop, customer_id: UUID) -> object:
    return erase(shop.database, shop.ids, shop.clock.now(), customer_id)


def test_a_revoked_token_is_canceled_at_the_provider_with_the_token_itself(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    revoke(shop.database, shop.ids, shop.clock.now(), made.token_id)
    shop.tick()
    (call,) = shop.gateway.effects_of(REVOKE)
    assert call.token is not None
    assert (token(shop).status, operations(shop, "revoke")[0].invoice_id) == ("revoked", None)
    assert [reveal.purpose for reveal in rows(shop, Reveal)] == ["charge", "revoke"]
    assert event_types(shop).count("token.revoked") == 1


def test_a_token_that_the_provider_knows_no_longer_is_revoked_too(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    shop.gateway.answer(REVOKE, Declined(Answer(404, "TOKEN_NOT_FOUND"), "hard"))
    revoke(shop.database, shop.ids, shop.clock.now(), made.token_id)
    shop.tick()
    assert (token(shop).status, operations(shop, "revoke")[0].status) == ("revoked", "succeeded")


def test_no_token_is_revoked_while_a_charge_of_it_is_in_doubt(shop: Shop) -> None:
    shop.gateway.always(OperationKind.PURCHASE, Unknown(Answer()))
    made = shop.subscription()
    shop.tick()
    with pytest.raises(OutcomeUnknown, match=operations(shop)[0].id.hex):
        revoke(shop.database, shop.ids, shop.clock.now(), made.token_id)
    assert operations(shop, "revoke") == []


def test_an_unanswered_revocation_is_asked_again_with_the_token(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    shop.gateway.answer(REVOKE, Unknown(Answer()))
    revoke(shop.database, shop.ids, shop.clock.now(), made.token_id)
    shop.tick()
    shop.after(seconds=5)
    assert [call.token is not None for call in shop.gateway.calls_of(REVOKE)] == [True, True]
    assert token(shop).status == "revoked"


def test_an_erased_customer_leaves_no_name_and_no_token_but_the_books(shop: Shop) -> None:
    made = ended(shop)
    done = erased(shop, made.customer_id)
    shop.tick()
    left, customer = token(shop), rows(shop, Customer)[0]
    assert (left.status, left.sealed, left.blind_index) == ("erased", b"", None)
    assert (customer.name, customer.email, done.key_ids) == ("erased", None, [left.kek_id])
    assert invoices(shop)[0].status == "paid"


def test_a_customer_with_a_live_subscription_is_not_erased(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    with pytest.raises(Conflict, match=made.id.hex):
        erased(shop, made.customer_id)
    assert rows(shop, Customer)[0].erased_at is None
