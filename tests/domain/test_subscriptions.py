"""The life of a subscription: every pair of state and event has a row or is refused (billing rules, section 9)."""

from itertools import product

import pytest

from billing.domain.errors import TransitionNotAllowed
from billing.domain.subscriptions import TRANSITIONS, SubscriptionEvent, SubscriptionStatus, next_status

# One line a state: what each event makes of it. What is not named here is refused.
LIVES = {
    "pending": "start=active start_trial=trialing declined=pending exhausted_cancel=ended cancel_now=ended",
    "trialing": "trial_ended=active declined=past_due pause=paused cancel_now=ended cancel_at_end=trialing "
    "undo_cancel=trialing end_reached=ended",
    "active": "boundary=active declined=past_due pause=paused cancel_now=ended cancel_at_end=active "
    "undo_cancel=active end_reached=ended",
    "past_due": "boundary=past_due declined=past_due recovered=active exhausted_cancel=ended exhausted_unpaid=unpaid "
    "pause=paused cancel_now=ended cancel_at_end=past_due undo_cancel=past_due end_reached=ended",
    "paused": "boundary=paused declined=paused recovered=paused resume=active cancel_now=ended cancel_at_end=paused "
    "undo_cancel=paused end_reached=ended",
    "unpaid": "boundary=unpaid declined=unpaid recovered=active cancel_now=ended cancel_at_end=unpaid "
    "undo_cancel=unpaid end_reached=ended",
    "ended": "",
}
EXPECTED = {
    (state, pair.split("=")[0]): pair.split("=")[1] for state, events in LIVES.items() for pair in events.split()
}


@pytest.mark.parametrize(("status", "event"), list(product(SubscriptionStatus, SubscriptionEvent)))
def test_every_pair_of_state_and_event_is_answered_or_refused(
    status: SubscriptionStatus, event: SubscriptionEvent
) -> None:
    expected = EXPECTED.get((status.value, event.value))
    if expected:
        assert next_status(status, event) == expected
    else:
        with pytest.raises(TransitionNotAllowed, match=f"{event} is not possible for a subscription that is {status}"):
            next_status(status, event)


def test_the_table_holds_nothing_but_these_rows() -> None:
    assert {(s.value, e.value): after.value for (s, e), after in TRANSITIONS.items()} == EXPECTED


def test_a_refusal_names_what_is_possible() -> None:
    with pytest.raises(TransitionNotAllowed, match="possible: cancel_now, declined, exhausted_cancel, start, start_tr"):
        next_status(SubscriptionStatus.PENDING, SubscriptionEvent.RESUME)


@pytest.mark.parametrize("event", list(SubscriptionEvent))
def test_an_ended_subscription_takes_no_event(event: SubscriptionEvent) -> None:
    with pytest.raises(TransitionNotAllowed, match="nothing, that state is final"):
        next_status(SubscriptionStatus.ENDED, event)


@pytest.mark.parametrize("status", [s for s in SubscriptionStatus if s is not SubscriptionStatus.ENDED])
def test_every_live_subscription_can_be_canceled_now(status: SubscriptionStatus) -> None:
    assert next_status(status, SubscriptionEvent.CANCEL_NOW) is SubscriptionStatus.ENDED


def test_every_state_can_be_reached_from_pending() -> None:
    reached = {SubscriptionStatus.PENDING}
    for _ in SubscriptionStatus:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(SubscriptionStatus)


def test_a_late_decline_never_ends_a_pause() -> None:
    paused = next_status(SubscriptionStatus.ACTIVE, SubscriptionEvent.PAUSE)
    assert next_status(paused, SubscriptionEvent.DECLINED) is SubscriptionStatus.PAUSED


def test_statuses_are_the_published_words() -> None:
    words = "pending trialing active past_due paused unpaid ended"
    assert " ".join(SubscriptionStatus) == words
