"""Whatever is read from the provider takes a permit, as what is sent does; what finds none is read later."""

from dataclasses import replace
from datetime import timedelta

from factories import Shop
from reading import operations

from billing.domain.operations import OperationKind
from billing.domain.pacing import PARTS
from billing.ports import Answer, Declined, Movement, Refused
from billing.store.accounts import ProviderAccount
from billing.store.operations import Operation
from billing.store.paces import AccountPace

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
ASLEEP = Declined(Answer(403, "TOKEN_SUSPENDED"), "suspended")


def permits(shop: Shop, count: int) -> None:
    """So many requests may be made now, and one more each hundred seconds at most."""
    with shop.database.tx() as session:
        row = session.get_one(ProviderAccount, "main")
        row.rate_per_second, row.burst = 1, 100
        pace = session.get_one(AccountPace, "main")
        pace.bucket_level, pace.bucket_at, pace.paced_until = count * PARTS, shop.clock.now(), None


def left(shop: Shop) -> int:
    with shop.database.tx() as session:
        return session.get_one(AccountPace, "main").bucket_level // PARTS


def test_a_token_that_is_read_before_its_charge_costs_a_permit_of_its_own(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, ASLEEP)
    shop.subscription()
    shop.tick()
    retry = operations(shop, "purchase")[-1]
    assert retry.reads_token_first
    assert retry.due_at is not None
    shop.clock.set(retry.due_at)
    permits(shop, 10)
    shop.once()
    assert (operations(shop, "purchase")[-1].status, left(shop)) == ("succeeded", 8)


def test_a_second_look_without_a_permit_leaves_the_question_open_and_is_made_later(shop: Shop) -> None:
    capture = refused_capture(shop, permits_left=1)
    assert (capture.status, shop.gateway.asked) == ("unknown", [])
    permits(shop, 10)
    shop.after(seconds=5)
    (capture,) = operations(shop, "capture")
    assert (capture.status, capture.provider_id) == ("succeeded", "portal-1")
    assert len(shop.gateway.effects_of(CAPTURE)) == 0


def test_a_second_look_takes_its_permit(shop: Shop) -> None:
    capture = refused_capture(shop, permits_left=2)
    assert (capture.status, len(shop.gateway.asked), left(shop)) == ("succeeded", 1, 0)


def refused_capture(shop: Shop, permits_left: int) -> Operation:
    """Somebody has taken the money in the portal, so that our capture is refused, with so many permits for it."""
    shop.subscription()
    shop.tick()
    shop.gateway.answer(CAPTURE, Refused(Answer(403, "CAPTURE_NOT_ALLOWED")))
    taken = {"captures": (Movement("portal-1", None, 3970),), "captured_amount": 3970, "authorization": "captured"}
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], **taken)
    shop.clock.set(shop.clock.now() + timedelta(minutes=31))
    permits(shop, permits_left)
    shop.once()
    (capture,) = operations(shop, "capture")
    return capture
